"""README and docs: links lead somewhere, and what docs/explanation/architecture.md states about the code is true."""

from __future__ import annotations

import re
from pathlib import Path

from cases import every
from doc_pages import DOCS, ROOT, TOP

README = ROOT / "README.md"
PAGES = (*TOP, *DOCS, *sorted(ROOT.glob("*/README.md")))
ARCHITECTURE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def links_of(page: Path) -> set[str]:
    """The targets of links and pictures inside the project, with their anchors."""
    found = re.findall(r"""\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)\"""", page.read_text(encoding="utf-8"))
    return {path for each in found for path in each if path and "://" not in path}


def files_in_code(page: Path) -> set[str]:
    """Files of the project that a page names in code, such as `benchmarks/speed.py`."""
    return set(re.findall(r"\b(?:notebooks|tests|docs|benchmarks)/[\w/.-]+\w/?", page.read_text(encoding="utf-8")))


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every("page", PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@every("page", PAGES)
def test_every_file_named_exists(page: Path) -> None:
    assert {path for path in files_in_code(page) if not (ROOT / path).exists()} == set()


@every("page", PAGES)
def test_no_placeholder_is_left(page: Path) -> None:
    assert re.findall(r"@[A-Z]+@|\bTODO\b|\bTBD\b", page.read_text(encoding="utf-8")) == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 250


def test_pictures_are_small_and_each_is_shown() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    shown = {path for path in links_of(README) if path.endswith(".png")}
    assert {f"docs/pictures/{picture.name}" for picture in pictures} == shown
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 150_000


def test_every_notebook_is_linked() -> None:
    linked = {path for path in links_of(README) if path.endswith(".ipynb")}
    assert linked == {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}


def files_in_tables() -> set[str]:
    """Files and folders in the tables of docs/explanation/architecture.md."""
    rows = [line for line in ARCHITECTURE.splitlines() if line.startswith("|") and "`" in line]
    cells = [cell for line in rows for cell in line.strip("|").split("|")]
    return {name for cell in cells for name in re.findall(r"`([\w/]+(?:/|\.py))`", cell)}


def test_files_of_the_architecture_page_exist() -> None:
    names = files_in_tables() - {"textlrp/"}
    assert len(names) >= 40
    roots = {name: ROOT if name.startswith(("tests/", "docs/")) else ROOT / "textlrp" for name in names}
    places = {name: root / name for name, root in roots.items()}
    assert sorted(name for name, place in places.items() if not place.exists()) == []


def test_the_core_is_read_in_an_evening_and_its_lines_are_those_stated() -> None:
    stated = {name: int(count) for name, count in re.findall(r"^\| `([\w/]+\.py)` \| (\d+) \|", ARCHITECTURE, re.M)}
    counted = {name: len((ROOT / "textlrp" / name).read_text("utf-8").splitlines()) for name in stated}
    assert len(stated) >= 12
    assert sum(counted.values()) <= 3050
    assert {name: count for name, count in counted.items() if abs(count - stated[name]) > 0.1 * count} == {}
