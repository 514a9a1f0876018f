"""The Markdown pages that are written by people: README, the other files at the top, and ``docs/``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITTEN = ("changelog", "contributing", "security", "reference/commands", "reference/models")
"""Pages of ``docs/`` that the build of the site writes."""
DOCS = tuple(sorted({*(ROOT / "docs").rglob("*.md")} - {ROOT / "docs" / f"{name}.md" for name in WRITTEN}))
TOP = tuple(sorted(ROOT.glob("*.md")))
