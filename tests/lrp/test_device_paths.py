"""The code for GPUs, on a machine without one: its numbers on the CPU, and the device of each of its tensors."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import every
from laws import gap
from simulated_device import TEXTS, packed_texts, propagated
from torch.utils import backend_registration

import textlrp
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.window_maps import WinningWindows
from textlrp.models.cnn import CNNClassifier


@pytest.fixture(scope="module")
def model() -> CNNClassifier:
    loaded = textlrp.load("20newsgroups-cnn")
    assert isinstance(loaded, CNNClassifier)
    return loaded


@every("rule", sorted(PRESETS))
def test_the_code_for_gpus_gives_the_numbers_of_the_compiled_loops(
    rule: str, model: CNNClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, packed = model.fitted_net("float64"), packed_texts(model)
    expected = propagated(net, packed, rule)
    monkeypatch.setattr(WinningWindows, "_on_accelerator", True)
    # neither "max", for which the CPU has compiled loops, nor "mean"
    found = propagated(replace(net, pooling="max on a device"), packed, rule)
    assert found.ledger.keys() == expected.ledger.keys()
    for n in range(len(TEXTS)):
        for k in range(len(expected.relevance)):
            relevance = expected.relevance[k, n]
            entries = [float(entry[k, n]) for entry in expected.ledger.values()]
            assert gap(found.relevance[k, n] - relevance, relevance, entries) < 1e-12
            differences = np.array([float(entry[k, n]) for entry in found.ledger.values()]) - entries
            assert gap(differences, relevance, entries) < 1e-12
    monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this version of torch cannot simulate a device",
)
def test_all_tensors_stay_on_the_device_and_a_tensor_elsewhere_is_seen() -> None:
    root = Path(__file__).parents[2]
    helpers = root / "tests" / "helpers"
    run = subprocess.run(
        [sys.executable, str(helpers / "simulated_device.py")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(helpers)])},
    )
    assert run.returncode == 0, run.stderr
    stayed, mixed = run.stdout.splitlines()
    count = 2 * len(PRESETS)
    assert stayed == f"{count} of {count} runs stayed on the device"
    assert mixed.startswith("one tensor on the CPU: index_add()")
    assert "simulated" in mixed
