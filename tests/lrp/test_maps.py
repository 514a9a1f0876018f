"""Linear maps: what they pull back is the sum over outputs of part × factor, written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from textlrp.lrp.maps import Dense, Features, LinearMap, Mean, WinningWindows, WordBag, WordWindows
from textlrp.lrp.rules import Part

K, N, T, D, F, C, H = 2, 3, 6, 4, 5, 3, 2


class Case(NamedTuple):
    """A map with its products (N, inputs..., outputs...) and how many inputs stand behind each of them."""

    map: LinearMap
    products: Tensor
    inputs: Tensor
    outputs: tuple[int, ...]


def noise(*shape: int) -> Tensor:
    return torch.tensor(np.random.default_rng(sum(shape)).normal(size=shape))


def dense() -> Case:
    inputs, weight = noise(N, D), noise(C, D)
    return Case(Dense(inputs, weight), inputs[:, :, None] * weight.T, torch.ones(N, D, C), (C,))


def features() -> Case:
    counts = torch.tensor([T, 2, 0])
    real = (torch.arange(T) < counts[:, None]).double()
    values, weight = noise(N, T) * real, noise(N, T, C)
    return Case(Features(values, weight, counts), values[:, :, None] * weight, real[:, :, None].expand(N, T, C), (C,))


def word_bag() -> Case:
    lengths = torch.tensor([T, 1, 0])
    inside = (torch.arange(T) < lengths[:, None]).double()
    vectors, ids, weights = noise(7, D), torch.arange(N * T).reshape(N, T) % 7, noise(N, T) * inside
    products = weights[:, :, None] * vectors[ids]
    return Case(WordBag(vectors, ids, weights, lengths), products, inside[:, :, None].expand(N, T, D), (D,))


def mean() -> Case:
    lengths = torch.tensor([T, 3, 1])
    inside = (torch.arange(T) < lengths[:, None]).double()
    inputs = noise(N, T, F) * inside[:, :, None]
    products, count = torch.zeros(N, T, F, F).double(), torch.zeros(N, T, F, F)
    for f in range(F):
        products[:, :, f, f] = inputs[:, :, f] / lengths[:, None]
        count[:, :, f, f] = inside
    return Case(Mean(inputs, lengths), products, count, (F,))


def winning_windows() -> Case:
    contributions, start = noise(N, F, H), torch.arange(N * F).reshape(N, F) % (T - H + 1)
    products, count = torch.zeros(N, T, F).double(), torch.zeros(N, T, F)
    for n in range(N):
        for f in range(F):
            for h in range(H):
                products[n, start[n, f] + h, f] = contributions[n, f, h]
                count[n, start[n, f] + h, f] = D
    return Case(WinningWindows(contributions, start, T, D), products, count, (F,))


def word_windows() -> Case:
    projections, ids, windows = noise(7, H, F), torch.arange(N * T).reshape(N, T) % 7, T - H + 1
    products, count = torch.zeros(N, T, windows, F).double(), torch.zeros(N, T, windows, F)
    for t in range(windows):
        for h in range(H):
            products[:, t + h, t] = projections[ids[:, t + h], h]
            count[:, t + h, t] = D
    return Case(WordWindows(projections, ids, D), products, count, (windows, F))


CASES = [dense, features, word_bag, mean, winning_windows, word_windows]


@pytest.mark.parametrize("make", CASES)
@pytest.mark.parametrize("part", Part)
def test_pull_sums_part_times_factor(make: Callable[[], Case], part: Part) -> None:
    case = make()
    factor = noise(K, N, *case.outputs)
    parts = (case.products if part is Part.WEIGHTED else case.inputs.double()).reshape(N, -1, factor[0, 0].numel())
    expected = torch.einsum("njo,kno->knj", parts, factor.reshape(K, N, -1))
    found = case.map.pull(part, factor)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.reshape(K, N, -1), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", CASES)
def test_fan_in_counts_the_inputs_of_each_output(make: Callable[[], Case]) -> None:
    case = make()
    expected = case.inputs.double().reshape(N, -1, *case.outputs).sum(dim=1)
    assert torch.equal(case.map.fan_in.expand(N, *case.outputs), expected)
