"""The tool that compares all outputs of two versions: its outputs are reproducible, and it finds differences."""

from __future__ import annotations

from pathlib import Path

import golden
import pytest


@pytest.mark.slow
def test_the_same_version_writes_the_same_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["page", "terminal-text", "explained-boe"]
    for folder in ("one", "other"):
        golden.write(tmp_path / folder, names)
    assert golden.compare(tmp_path / "one", tmp_path / "other") == 0
    assert "4 of 4 files are the same" in capsys.readouterr().out


def test_differences_are_listed_without_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, number, time in ((one, 3, "1.5 s"), (other, 4, "980 µs")):
        folder.mkdir()
        (folder / "same.html").write_text(f"took {time}\n", encoding="utf-8")
        (folder / "changed.jsonl").write_text(f"first\nrelevance 0.{number}\n", encoding="utf-8")
    (one / "gone.csv").write_text("x", encoding="utf-8")
    assert golden.compare(one, other) == 2
    shown = capsys.readouterr().out
    assert "changed.jsonl: line 2: ...'relevance 0.3' became ...'relevance 0.4'" in shown
    assert f"gone.csv: only in {one}" in shown
    assert "1 of 3 files are the same" in shown
