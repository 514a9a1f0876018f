"""benchmarks/gpu.py: what it measures is written as one table, also where the second device is the CPU again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from textlrp.lrp.presets import PRESETS

ROOT = Path(__file__).parent.parent
BENCHMARK = ROOT / "benchmarks" / "gpu.py"
PAGE = ROOT / "docs" / "results" / "gpu.md"


def rows_of(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_benchmark_writes_one_table(device: str, tmp_path: Path) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU that torch can use")
    page = tmp_path / "gpu.md"
    command = [sys.executable, BENCHMARK, "--device", device, "--quick", "--rounds", "2", "--page", page]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert page.read_text() == done.stdout
    head, _, *rows = rows_of(done.stdout)
    assert {len(row) for row in rows} == {len(head)} == {5}
    found = {row[0]: row[1:] for row in rows}
    count = len(PRESETS)
    expected = f"0 passed, 0 failed, {count} skipped" if device == "cpu" else f"{count} passed, 0 failed, 0 skipped"
    assert found["tests that need a GPU"][2] == expected
    differences = [row for name, row in found.items() if name.startswith("largest difference")]
    assert len(differences) == 10
    assert all(row[3].startswith("0 of 3 texts above ") for row in differences if device == "cpu")
    speeds = [row for row in found.values() if row[0] == "texts/s"]
    assert len(speeds) >= 7
    for _, cpu, other, ratio in speeds:
        assert re.fullmatch(r"[\d,]+ \([\d,]+ to [\d,]+\)", cpu)
        assert re.fullmatch(r"[\d,]+ \([\d,]+ to [\d,]+\)", other)
        assert float(ratio.removesuffix(" ×")) > 0


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "meta"])
def test_without_such_a_device_one_sentence_is_printed(
    device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    import gpu

    with pytest.raises(SystemExit) as ended:
        gpu.main(["--device", device])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"device must be an NVIDIA GPU that torch can use here, such as 'cuda'; got '{device}'. Install torch with "
        "CUDA, or pass --device cpu to try the script.\n"
    )


def test_the_page_states_what_was_measured() -> None:
    """Without a measurement the page says so; with one, it has the table of a whole run."""
    text = PAGE.read_text(encoding="utf-8")
    _, _, *rows = rows_of(text)
    measured = "not measured" not in text
    assert len(rows) >= 10
    assert all(measured or row[-1] == "not measured" for row in rows)
    assert f"{len(PRESETS)} tests" in text
