"""The scripts behind the README: a quick run of the tables of the paper, and what is committed of the long one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "arras2017.md"


def check_page(page: Path) -> None:
    text = page.read_text()
    figures = re.findall(r"!\[[^]]+\]\(([^)]+\.svg)\)", text)
    assert len(figures) >= 5
    for figure in figures:
        assert 1000 < (page.parent / figure).stat().st_size < 200_000
    for heading in ("Test accuracy", "Explanatory power", "Word deletion", "pointing game", "Speed"):
        assert heading in text
    for row in ("| CNN2 | 80.19 |", "| BoW/SVM | 80.1"):
        assert row in text
    heatmaps = (page.with_suffix("") / "heatmaps.html").read_text()
    assert "script-src 'sha256-" in heatmaps
    assert "CNN2" in heatmaps


@pytest.mark.slow
def test_the_papers_tables_on_the_sample_posts(tmp_path: Path) -> None:
    page = tmp_path / "page" / "arras2017.md"
    command = [sys.executable, ROOT / "benchmarks" / "arras2017.py", "--quick", "--work", tmp_path, "--page", page]
    subprocess.run(command, check=True, capture_output=True, text=True)
    check_page(page)
    for row in ("| CNN1 | 79.79 |", "| CNN3 | 79.75 |", "| CNN2, seed 2 | – |", "| our CNN, average of 3 | – |"):
        assert row in page.read_text()
    assert "say nothing about 20 Newsgroups" in page.read_text()


def test_the_committed_page_is_whole() -> None:
    check_page(PAGE)
    assert "say nothing about 20 Newsgroups" not in PAGE.read_text()
