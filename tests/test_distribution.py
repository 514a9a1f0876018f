"""What is released: archives, pinned versions, extras, and pages in an environment without torch."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest
from cases import every
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import textlrp
import textlrp.store

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "tests" / "scripts"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = {
    extra: [Requirement(each) for each in requirements]
    for extra, requirements in PROJECT["project"]["optional-dependencies"].items()
}
CORE = [Requirement(each) for each in PROJECT["project"]["dependencies"]]
FOR_DEVELOPERS = {"test", "docs", "release"}
FOR_SCRIPTS = {"notebooks", "speed"}
"""Extras that only notebooks and benchmarks use."""


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOCK, TRY = script("lock"), script("try_wheel")


# ---------------------------------------------------------------- pinned versions


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in LOCK.pins([read(name)]):
        pin = Requirement(line)
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def version_of(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("name", ["constraints.txt", "requirements-dev.txt"])
def test_every_requirement_has_a_pin_that_satisfies_it(name: str) -> None:
    pinned = pins(name)
    extra = [Requirement(line) for line in read("requirements-dev.in").splitlines() if not line.startswith("#")]
    build = [Requirement(each) for each in PROJECT["build-system"]["requires"]]
    requirements = [*CORE, *build, *extra, *(each for extra in EXTRAS.values() for each in extra)]
    assert len(requirements) > 50
    for requirement in requirements:
        found = pinned[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version_of(pin), prereleases=True) for pin in found), requirement


def test_constraints_are_made_from_the_lock() -> None:
    assert read("constraints.txt") == LOCK.constraints_of(read("requirements-dev.txt"))
    assert len(pins("constraints.txt")) > 200


def test_what_requirements_need_is_pinned_too() -> None:
    """The packages of this environment are those of the lock, with what they require."""
    from importlib.metadata import PackageNotFoundError, requires

    pinned = pins("constraints.txt")
    for name in sorted(pinned.keys() - pins("requirements-no-deps.txt").keys()):
        try:
            needed = [Requirement(each) for each in requires(name) or ()]
        except PackageNotFoundError:
            continue
        for requirement in needed:
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                other = canonicalize_name(requirement.name)
                assert other in pinned or LOCK.CUDA.match(other), f"{name} needs {other}"


def test_packages_with_two_versions_have_a_marker_each() -> None:
    for found in pins("constraints.txt").values():
        assert len(found) == 1 or all(pin.marker is not None for pin in found)


def test_requirements_for_rendering_are_those_of_the_lock() -> None:
    locked, rendering = pins("constraints.txt"), pins("requirements-render.txt")
    assert {each.name for each in EXTRAS["render"]} <= rendering.keys()
    assert not rendering.keys() & {"torch", "spacy", "scikit-learn", "scipy", "numba", "safetensors"}
    for name, (pin,) in rendering.items():
        assert version_of(pin) in map(version_of, locked[name])


def test_the_extra_for_rendering_is_a_part_of_the_requirements() -> None:
    assert {str(each) for each in EXTRAS["render"]} < {str(each) for each in CORE}


@every("name", ["constraints.txt", *sorted(path.name for path in ROOT.glob("requirements-*"))])
def test_no_index_is_named(name: str) -> None:
    assert re.findall(r"://|^-|file:|\+cpu", read(name), re.MULTILINE) == []


# ---------------------------------------------------------------- extras


def import_names(extra: str) -> set[str]:
    return {each.name.replace("-", "_") for each in EXTRAS[extra]} - {each.name.replace("-", "_") for each in CORE}


@pytest.mark.slow
def test_a_missing_extra_is_named_in_one_sentence(tmp_path: Path) -> None:
    packages = sorted(set().union(*(import_names(extra) for extra in EXTRAS.keys() - FOR_DEVELOPERS)))
    command = [sys.executable, SCRIPTS / "without_extras.py", tmp_path, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    result = json.loads(done.stdout)
    assert result["page"] == "<!doctype html>"
    assert len(result["messages"]) == result["uses"]
    for extra, message in result["messages"]:
        expected = rf".+ needs the package \w+, which is not installed\. Run: pip install 'textlrp\[{extra}\]'"
        assert re.fullmatch(expected, message), message
    assert {extra for extra, _ in result["messages"]} == EXTRAS.keys() - FOR_DEVELOPERS - FOR_SCRIPTS - {"render"}


def test_packages_for_scripts_are_not_imported_by_textlrp() -> None:
    names = "|".join(set().union(*(import_names(extra) for extra in FOR_SCRIPTS)))
    assert names
    imported = re.compile(rf"^\s*(?:import|from) (?:{names})\b", re.MULTILINE)
    for path in (ROOT / "textlrp").rglob("*.py"):
        assert not imported.search(path.read_text(encoding="utf-8")), path


def test_the_table_of_extras_is_complete() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| .+? \| (.+?) \|$", read("docs/how-to/install.md"), re.MULTILINE)
    assert {extra: set(re.findall(r"`([\w-]+)`", packages)) for extra, packages in rows} == {
        extra: {each.name for each in requirements} for extra, requirements in EXTRAS.items()
    }


# ---------------------------------------------------------------- archives


def build(folder: Path, *options: str, root: Path = ROOT) -> Path:
    """Build an archive into the folder and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", *options, "-d", folder]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1577836800"}
    subprocess.run(command, check=True, cwd=root, env=environment, capture_output=True)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "-t", "wheel")


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sdist"), "-t", "sdist")


def names_in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def package_files() -> Iterator[str]:
    for path in (ROOT / "textlrp").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix()


def test_the_wheel_has_the_package_its_data_and_licenses_and_nothing_else(wheel: Path) -> None:
    names = names_in_wheel(wheel)
    info = f"textlrp-{textlrp.__version__}.dist-info/"
    data = {f"textlrp/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "data").rglob("*") if path.is_file()}
    licenses = {info + f"licenses/{name}" for name in PROJECT["project"]["license-files"]}
    described = {info + name for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    assert names == {*package_files(), *data, *licenses, *described}
    assert {"textlrp/py.typed", "textlrp/data/README.md", "textlrp/pretrained/README.md"} <= names
    assert len(data) == 261
    assert wheel.stat().st_size < 12_000_000


def test_origin_and_license_of_data_and_models_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in ("textlrp/data/README.md", "textlrp/pretrained/README.md"):
            text = archive.read(name).decode()
            assert "**Origin.**" in text
            assert "**License.** MIT" in text
        models = {name.split("/")[2] for name in archive.namelist() if name.endswith("model.safetensors")}
        assert all(f'"{model}"' in text for model in models)


def test_the_metadata_describe_the_release(wheel: Path) -> None:
    from email import message_from_bytes

    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    assert metadata["Version"] == textlrp.__version__
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS.keys()
    urls = dict(each.split(", ") for each in metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Homepage", "Documentation", "Repository", "Changelog", "Issues"}
    assert all(url.startswith(urls["Repository"]) for url in urls.values())
    pythons = {each.rpartition(" ")[2] for each in metadata.get_all("Classifier", []) if re.search(r":: 3\.\d", each)}
    assert {f"python{version}" for version in pythons} == set(TRY.PYTHONS)


def names_in_sdist(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_sdist_has_all_files_of_the_repository(sdist: Path) -> None:
    names = names_in_sdist(sdist) - {"PKG-INFO"}
    if not (ROOT / ".git").exists():
        pytest.skip("not in a clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\n")
    tracked = {name for name in listed if name and (ROOT / name).exists()}
    assert names == tracked
    forbidden = ("*__pycache__*", "*.pyc", "build/*", "dist/*", "docs/tutorials/*.ipynb", ".venv/*", "*_cache/*")
    assert [name for name in names for pattern in forbidden if fnmatch(name, pattern)] == []


@pytest.mark.slow
def test_archives_are_reproducible(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    for kind, first in (("wheel", wheel), ("sdist", sdist)):
        assert build(tmp_path / kind, "-t", kind).read_bytes() == first.read_bytes()
    shutil.unpack_archive(sdist, tmp_path / "unpacked")
    (source,) = (tmp_path / "unpacked").iterdir()
    assert build(tmp_path / "again", "-t", "wheel", root=source).read_bytes() == wheel.read_bytes()


# ---------------------------------------------------------------- pages without torch


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same explanations as a Parquet and a JSON Lines file, and a bulk run."""
    folder = tmp_path_factory.mktemp("stored")
    posts = textlrp.load_sample_posts("test")[::8]
    explanations = [textlrp.explain(textlrp.load("20newsgroups-boe"), post) for post in posts]
    for name in ("whys.parquet", "whys.jsonl"):
        textlrp.store.write(explanations, folder / name)
    return folder


def rendered(python: Path | str, stored: Path, name: str, folder: Path) -> set[str]:
    """Render a stored file with this Python into the folder, and return the packages that were imported."""
    environment = os.environ | {"TEXTLRP_CACHE_DIR": str(folder.with_name("cache"))}
    environment.pop("PYTHONPATH", None)
    if python == sys.executable:
        environment["PYTHONPATH"] = str(ROOT)
    command = [python, SCRIPTS / "render_stored.py", stored / name, folder]
    done = subprocess.run(command, env=environment, cwd=stored, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_pages_without_torch_are_the_same(
    wheel: Path, stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        programs = TRY.new_environment(
            tmp_path / "render", ["--no-deps", wheel, "-r", ROOT / "requirements-render.txt"]
        )
    except subprocess.CalledProcessError as failure:
        if "connection" in failure.stderr.lower():
            pytest.skip("the package index cannot be reached")
        pytest.fail(failure.stderr)
    full = rendered(sys.executable, stored, "whys.parquet", tmp_path / "full") and files_of(tmp_path / "full")
    assert len(full) > 10
    for name in ("whys.parquet", "whys.jsonl"):
        imported = rendered(programs / "python", stored, name, tmp_path / name)
        assert files_of(tmp_path / name) == full
    assert {"textlrp", "jinja2", "numpy", "pyarrow", "pandas"} <= imported
    assert not imported & {"torch", "spacy", "sklearn", "scipy", "numba", "safetensors"}
    with capsys.disabled():
        print(f"\nimported: {' '.join(sorted(imported))}")
        print(f"environment: {TRY.megabytes(tmp_path / 'render'):,.0f} MB")
    render = [programs / "textlrp", "render", stored / "whys.parquet", "-o", tmp_path / "rendered.html"]
    subprocess.run(render, check=True, capture_output=True)
    explanations = textlrp.store.read(stored / "whys.parquet")
    page = textlrp.write_report(explanations, tmp_path / "page.html", title="whys.parquet")
    assert (tmp_path / "rendered.html").read_bytes() == page.read_bytes()
    help_page = subprocess.run([programs / "textlrp", "--help"], capture_output=True, text=True)
    assert "explain" in help_page.stdout
    explain = [programs / "textlrp", "explain", "20newsgroups-boe", "--text", "A shuttle."]
    refused = subprocess.run(explain, capture_output=True, text=True)
    assert refused.returncode == 2
    expected = r"textlrp: this command needs the package \w+, which is not installed\. Run: pip install textlrp\n"
    assert re.fullmatch(expected, refused.stderr)
