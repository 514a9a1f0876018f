"""Micro F1 of the multi-label classifiers on a drawn corpus is at most 1 point below that of scikit-learn's SVM."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "multilabel.py"


@pytest.mark.slow
def test_micro_f1_is_not_below_that_of_scikit_learn() -> None:
    command = [sys.executable, BENCHMARK, "--seeds", "1", "--documents", "1000"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {
        name: float(micro) for name, micro in re.findall(r"^\| ([A-Z]\S+) \| ([\d.]+) \(", printed, re.MULTILINE)
    }
    reference = found.pop("OneVsRestClassifier(LinearSVC)")
    assert set(found) == {"BagOfWordsClassifier", "BagOfEmbeddingsClassifier", "CNNClassifier"}
    for name, micro in found.items():
        assert micro >= reference - 1, name
