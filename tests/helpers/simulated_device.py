"""Explain on a simulated device, whose tensors have no values: torch raises an error where two devices meet.

Run this file as a script, in a process of its own, because the device stays registered until the process ends. It
propagates by every preset from both starts, and prints how many runs stayed on the device. Then it moves one tensor
to the CPU and prints what torch reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration

import textlrp
from textlrp.lrp.kernels import device
from textlrp.lrp.presets import PRESETS, as_composite
from textlrp.lrp.starts import started
from textlrp.lrp.trace import Propagated, one_hot_seed, propagate
from textlrp.models.convnet import ConvNet
from textlrp.models.packing import Packed

SIMULATED = "simulated"
TEXTS = ("The shuttle reached its orbit, and its orbit is safe.", "doctor", "", "My doctor rides a motorcycle. " * 9)


def packed_texts(model: Any) -> Packed:
    batch = model.encode(list(TEXTS))
    return Packed(batch.words, batch.starts)


def propagated(net: ConvNet, packed: Packed, rule: str, start: Any = "score") -> Propagated:
    """The relevance of the first three classes."""
    composite = as_composite(rule)
    trace = started(net.trace(packed), composite, start).trace
    return propagate(trace, composite, one_hot_seed(trace.seed_scores, range(3)))


def new_tensor(like: torch.Tensor, value: float) -> torch.Tensor:
    """``like.new_tensor(value)`` without values, which the simulated device cannot store."""
    return torch.full((), float(value), dtype=like.dtype, device=like.device)


def on_simulated_device(net: ConvNet, run: Callable[[ConvNet], Propagated]) -> Propagated:
    """Run a function with a network whose weights are on the simulated device; arrays of numpy are on the CPU."""
    mode, from_numpy = FakeTensorMode(), torch.from_numpy

    def moved(weight: torch.Tensor) -> torch.Tensor:
        return torch.empty(weight.shape, dtype=weight.dtype, device=SIMULATED)

    with (
        mode,
        mock.patch.object(torch, "from_numpy", lambda array: mode.from_tensor(from_numpy(array))),
        mock.patch.object(torch.Tensor, "new_tensor", new_tensor),
    ):
        weights = {name: moved(weight) for name, weight in net.weights.items()}
        return run(replace(net, table=moved(net.table), weights=weights, kept=None))


def main() -> None:
    backend_registration._setup_privateuseone_for_python_backend(SIMULATED)
    model = textlrp.load("20newsgroups-cnn")
    net, packed = model.fitted_net(), packed_texts(model)
    runs = list(product(sorted(PRESETS), ("score", "centered")))
    stayed = 0
    for rule, start in runs:
        found = on_simulated_device(net, lambda net, rule=rule, start=start: propagated(net, packed, rule, start))
        stayed += {each.device.type for each in (found.relevance, *found.ledger.values())} == {SIMULATED}
    print(f"{stayed} of {len(runs)} runs stayed on the device")
    winners = device.winning_windows_on_device

    def with_starts_on_the_cpu(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        products, starts = winners(*arguments)
        return products, starts.to("cpu")

    with mock.patch.object(device, "winning_windows_on_device", with_starts_on_the_cpu):
        try:
            on_simulated_device(net, lambda net: propagated(net, packed, "epsilon"))
        except RuntimeError as problem:
            print(f"one tensor on the CPU: {problem}")


if __name__ == "__main__":
    main()
