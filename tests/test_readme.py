"""What the README points to is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def pointed_to() -> set[str]:
    """Paths inside the project: of links, pictures, and files named in code."""
    found = re.findall(
        r"""\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"|`((?:notebooks|tests|docs|benchmarks)/[^`\s]+)`""", README
    )
    return {path for each in found for path in each if path and "://" not in path and not path.startswith("#")}


def test_what_is_linked_exists() -> None:
    paths = pointed_to()
    assert len(paths) >= 10
    assert {path for path in paths if not (ROOT / path).exists()} <= {"docs/api/"}  # made by `make docs`


def test_pictures_are_small_and_each_is_shown() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert {f"docs/pictures/{picture.name}" for picture in pictures} == {
        path for path in pointed_to() if path.endswith(".png")
    }
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 150_000


def test_every_notebook_is_linked() -> None:
    assert {path for path in pointed_to() if path.endswith(".ipynb")} == {
        f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    }


def architecture() -> str:
    return README[README.index("## Architecture") : README.index("## The method and its license")]


def files_named(section: str) -> set[str]:
    """Files and folders in the tables of the architecture section."""
    rows = [line for line in section.splitlines() if line.startswith("|") and "`" in line]
    cells = [cell for line in rows for cell in line.strip("|").split("|")]
    return {name for cell in cells for name in re.findall(r"`([\w/]+(?:/|\.py))`", cell)}


def test_files_of_the_architecture_section_exist() -> None:
    names = files_named(architecture()) - {"textlrp/"}
    assert len(names) >= 40
    places = {name: ROOT / name if name.startswith("tests/") else ROOT / "textlrp" / name for name in names}
    assert sorted(name for name, place in places.items() if not place.exists()) == []


def test_the_core_is_read_in_an_evening_and_its_lines_are_those_stated() -> None:
    stated = {name: int(count) for name, count in re.findall(r"^\| `([\w/]+\.py)` \| (\d+) \|", architecture(), re.M)}
    counted = {name: len((ROOT / "textlrp" / name).read_text("utf-8").splitlines()) for name in stated}
    assert len(stated) >= 12
    assert sum(counted.values()) <= 3000
    assert {name: count for name, count in counted.items() if abs(count - stated[name]) > 0.1 * count} == {}
