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
