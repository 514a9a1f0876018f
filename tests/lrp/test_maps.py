"""Linear maps: totals and pulled relevance equal plain loops over all products of an input and a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import every
from torch import Tensor

from textlrp.lrp.maps import Added, Dense, Features, LinearMap, Mean, WordBag, factor_pairs, table_bounds
from textlrp.lrp.shares import Box, Part
from textlrp.lrp.window_maps import WinningWindows, WordWindows

K, N, T, D, F, C, H, WORDS = 2, 3, 6, 4, 5, 3, 2, 7


class Term(NamedTuple):
    """One product of document ``n``: its input, its output, and its index in the bounds of a box."""

    n: int
    source: tuple[int, ...]
    output: tuple[int, ...]
    value: float
    weight: float
    place: int


class Case(NamedTuple):
    """A map, its products, and the shapes (without N) of its inputs and outputs; boxes have ``width`` bounds."""

    map: LinearMap
    terms: list[Term]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    width: int


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(np.random.default_rng(sum(shape)).normal(size=shape), dtype=dtype)


def dense(dtype: torch.dtype = torch.float64) -> Case:
    inputs, weight = noise(N, D, dtype=dtype), noise(C, D, dtype=dtype)
    terms = [
        Term(n, (j,), (k,), float(inputs[n, j]), float(weight[k, j]), j)
        for n in range(N)
        for j in range(D)
        for k in range(C)
    ]
    return Case(Dense(inputs, weight), terms, (D,), (C,), D)


def added(dtype: torch.dtype = torch.float64) -> Case:
    inputs = noise(N, F, 2, dtype=dtype)
    terms = [
        Term(n, (f, j), (f,), float(inputs[n, f, j]), 1.0, j) for n in range(N) for f in range(F) for j in range(2)
    ]
    return Case(Added(inputs), terms, (F, 2), (F,), 2)


def features(dtype: torch.dtype = torch.float64) -> Case:
    counts = [T, 2, 0]
    values, weight = noise(N, T, dtype=dtype), noise(N, T, C, dtype=dtype)
    values[torch.arange(T) >= torch.tensor(counts)[:, None]] = 0
    terms = [
        Term(n, (j,), (k,), float(values[n, j]), float(weight[n, j, k]), j)
        for n in range(N)
        for j in range(counts[n])
        for k in range(C)
    ]
    return Case(Features(values, weight, torch.tensor(counts)), terms, (T,), (C,), T)


def word_bag(dtype: torch.dtype = torch.float64) -> Case:
    lengths = [T, 1, 0]
    vectors, ids, weights = word_vectors(dtype), word_ids(), noise(N, T, dtype=dtype).abs()
    weights[torch.arange(T) >= torch.tensor(lengths)[:, None]] = 0
    terms = [
        Term(n, (t,), (d,), float(vectors[ids[n, t], d]), float(weights[n, t]), d)
        for n in range(N)
        for t in range(lengths[n])
        for d in range(D)
    ]
    return Case(WordBag(vectors, ids, weights, torch.tensor(lengths)), terms, (T,), (D,), D)


def mean(dtype: torch.dtype = torch.float64) -> Case:
    lengths = [T, 3, 1]
    inputs = noise(N, T, F, dtype=dtype)
    inputs[torch.arange(T) >= torch.tensor(lengths)[:, None]] = 0
    terms = [
        Term(n, (t, f), (f,), float(inputs[n, t, f]), 1 / lengths[n], f)
        for n in range(N)
        for t in range(lengths[n])
        for f in range(F)
    ]
    return Case(Mean(inputs, torch.tensor(lengths)), terms, (T, F), (F,), F)


def word_windows(dtype: torch.dtype = torch.float64) -> Case:
    vectors, ids, weight, windows = word_vectors(dtype), word_ids(), noise(D, H * F, dtype=dtype), T - H + 1
    terms = [
        Term(n, (t + h,), (t, f), float(vectors[ids[n, t + h], d]), float(weight[d, h * F + f]), d)
        for n in range(N)
        for t in range(windows)
        for f in range(F)
        for h in range(H)
        for d in range(D)
    ]
    return Case(WordWindows(vectors, weight, ids, H), terms, (T,), (windows, F), D)


def winning_windows(dtype: torch.dtype = torch.float64) -> Case:
    vectors, ids, weight = word_vectors(dtype), word_ids(), noise(D, H * F, dtype=dtype)
    start = torch.arange(N * F).reshape(N, F) * 3 % (T - H + 1)
    added = (vectors @ weight).reshape(-1, H, F)
    row = torch.arange(N)[:, None]
    products = torch.stack([added[ids[row, start + h], h, torch.arange(F)] for h in range(H)], dim=2)
    terms = [
        Term(n, (t + h,), (f,), float(vectors[ids[n, t + h], d]), float(weight[d, h * F + f]), d)
        for n in range(N)
        for f in range(F)
        for t in [int(start[n, f])]
        for h in range(H)
        for d in range(D)
    ]
    return Case(WinningWindows(products, start, lambda: ids, vectors, weight), terms, (T,), (F,), D)


def word_vectors(dtype: torch.dtype) -> Tensor:
    """Row 0 is the unknown word."""
    vectors = noise(WORDS, D, dtype=dtype)
    vectors[0] = 0
    return vectors


def word_ids() -> Tensor:
    return torch.arange(N * T).reshape(N, T) * 3 % WORDS


CASES = [dense, added, features, word_bag, mean, word_windows, winning_windows]
BOXES = ("box of numbers", "box of vectors")

each_case = pytest.mark.parametrize("make", CASES)
PARTS = (*Part, *BOXES)
each_part = pytest.mark.parametrize("part", PARTS, ids=str)


def box_of(case: Case, name: str, dtype: torch.dtype = torch.float64) -> Box:
    if name == "box of numbers":
        return Box(torch.tensor(-1.5, dtype=dtype), torch.tensor(2.5, dtype=dtype))
    return Box(-noise(case.width, dtype=dtype).abs() - 1, noise(case.width, 2, dtype=dtype)[:, 0].abs() + 1)


def value_of(term: Term, part: Part | Box) -> float:
    """One part of one product, by its definition."""
    a, w = term.value, term.weight
    if isinstance(part, Box):
        low, high = (float(bound[term.place]) if bound.dim() else float(bound) for bound in part)
        return a * w - low * max(w, 0.0) - high * min(w, 0.0)
    match part:
        case Part.PRODUCT:
            return a * w
        case Part.POSITIVE:
            return max(a * w, 0.0)
        case Part.NEGATIVE:
            return min(a * w, 0.0)
        case Part.SQUARE:
            return w**2
        case Part.EVEN:
            return 1.0


@each_case
@every("part", PARTS)
def test_total_and_pull_equal_plain_loops(make: Callable[[], Case], part: Any) -> None:
    case = make()
    if isinstance(part, str):
        part = box_of(case, part)
    factor = noise(K, N, *case.outputs)
    total, pulled = np.zeros((N, *case.outputs)), np.zeros((K, N, *case.inputs))
    for term in case.terms:
        value = value_of(term, part)
        total[term.n, *term.output] += value
        for k in range(K):
            pulled[k, term.n, *term.source] += value * float(factor[k, term.n, *term.output])
    found = case.map.total(part)
    np.testing.assert_allclose(found.expand(N, *case.outputs), total, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(case.map.pull(part, factor), pulled, rtol=1e-12, atol=1e-12)


@each_case
@every("part", PARTS)
@every("dtype", [torch.float32, torch.float64])
def test_maps_keep_the_dtype(make: Callable[..., Case], part: Any, dtype: torch.dtype) -> None:
    case = make(dtype)
    if isinstance(part, str):
        part = box_of(case, part, dtype)
    factor = noise(K, N, *case.outputs, dtype=dtype)
    assert case.map.total(part).dtype == case.map.pull(part, factor).dtype == dtype


@each_case
def test_parts_may_be_requested_repeatedly_and_in_any_order(make: Callable[[], Case]) -> None:
    case, other = make(), make()
    once = {part: case.map.total(part) for part in Part}
    for part in reversed(Part):
        assert torch.equal(other.map.total(part), once[part])
        assert torch.equal(case.map.total(part), once[part])


def pairs() -> Iterator[tuple[float, float]]:
    for a in (-2.0, -0.5, 0.0, 1.5):
        for w in (-1.5, 0.0, 0.5, 2.0):
            yield a, w


@each_part
def test_factor_pairs_add_up_to_their_part(part: Any) -> None:
    if isinstance(part, str):
        part = Box(torch.tensor(-2.0), torch.tensor(1.5))
    for a, w in pairs():
        found = sum(
            float(pair.inputs * pair.weight)
            for pair in factor_pairs(part, torch.tensor(a, dtype=torch.float64), torch.tensor(w, dtype=torch.float64))
        )
        assert found == value_of(Term(0, (0,), (0,), a, w, 0), part)


@each_part
def test_read_total_excludes_unknown_words_and_padding(part: Any) -> None:
    case = winning_windows()
    if isinstance(part, str):
        part = box_of(case, part)
    ids, expected = word_ids(), np.zeros((N, F))
    for term in case.terms:
        if ids[term.n, term.source[0]] > 0:
            expected[term.n, *term.output] += value_of(term, part)
    assert isinstance(case.map, WinningWindows)
    np.testing.assert_allclose(case.map.read_total(part), expected, rtol=1e-12, atol=1e-12)
    if part is Part.EVEN:
        assert (case.map.read_total(part) < case.map.total(part)).any()


def test_bounds_of_a_table_include_zero() -> None:
    table = torch.tensor([[1.0, -2.0, 3.0], [2.0, -1.0, -4.0]], dtype=torch.float64)
    low, high = table_bounds(table)
    assert low.tolist() == [0.0, -2.0, -4.0]
    assert high.tolist() == [2.0, 0.0, 3.0]
    assert low.dtype == high.dtype == torch.float64
