"""The compiled loops equal plain loops, and their adjoints equal torch's autograd."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.lrp.kernels import means as mean_kernels
from textlrp.lrp.kernels import window_relevance
from textlrp.lrp.kernels import windows as kernels

WORDS, D, F = 5, 3, 4


class Case(NamedTuple):
    """Texts of word ids from 0 (unknown) to WORDS - 1, with vectors, a convolution and its projections."""

    texts: list[list[int]]
    width: int
    vectors: NDArray[Any]
    layer: nn.Conv1d

    @property
    def ids(self) -> NDArray[np.int64]:
        return np.array([word for text in self.texts for word in text], dtype=np.int64)

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *map(len, self.texts)]).astype(np.int64)

    @property
    def bias(self) -> NDArray[Any]:
        return self.layer.bias.detach().numpy()  # type: ignore[union-attr]

    @property
    def projections(self) -> NDArray[Any]:
        """The projections (WORDS, width × F), with the filters of each offset together."""
        weight = self.layer.weight.detach().permute(1, 2, 0).reshape(D, -1).numpy()
        return np.ascontiguousarray(self.vectors @ weight)


def make_case(texts: list[list[int]], width: int, seed: int) -> Case:
    """Create integer vectors and weights, so that sums are exact and ties are frequent."""
    draw = np.random.default_rng(seed)
    vectors = draw.integers(-2, 3, size=(WORDS, D)).astype(np.float64)
    vectors[0] = 0
    layer = nn.Conv1d(D, F, width, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(draw.integers(-2, 3, size=(F, D, width))))
        layer.bias.copy_(torch.tensor(draw.integers(-2, 3, size=F)))  # type: ignore[union-attr]
    return Case(texts, width, vectors, layer)


texts_of_ids = st.lists(st.lists(st.integers(0, WORDS - 1), max_size=7), min_size=1, max_size=4)
cases = st.builds(make_case, texts_of_ids, st.integers(1, 3), st.integers(0, 99))
REPEATED = make_case([[1, 2, 1, 2, 1, 2], [], [0, 0], [3], [1, 2]], 2, 1)


def windows_of(case: Case, text: list[int]) -> NDArray[Any]:
    """The values (windows, F) without bias, product by product."""
    weight = case.layer.weight.detach().numpy()
    values = np.zeros((max(len(text) - case.width + 1, 1), F))
    for t in range(len(values)):
        for f in range(F):
            for h in range(min(case.width, len(text) - t)):
                for d in range(D):
                    values[t, f] += case.vectors[text[t + h], d] * weight[f, d, h]
    return values


@settings(max_examples=60, deadline=None)
@given(case=cases)
@example(case=REPEATED)
def test_the_winner_is_the_first_of_the_largest_windows(case: Case) -> None:
    best, where = kernels.winning_windows(case.projections, case.ids, case.starts, case.width)
    assert best.dtype == np.float64
    for n, text in enumerate(case.texts):
        values = windows_of(case, text)
        assert best[n].tolist() == values.max(axis=0).tolist()
        assert where[n].tolist() == values.argmax(axis=0).tolist()  # numpy also returns the first of equal values


def products_of(case: Case) -> NDArray[Any]:
    """The products (N, F, width) of each word of the winning windows."""
    found = kernels.winners([(case.width, case.projections, None)], case.ids, case.starts)
    return found.products.reshape(len(case.texts), F, case.width)


@settings(max_examples=60, deadline=None)
@given(texts=texts_of_ids, widths=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_winners_of_several_widths_equal_those_of_each_width(
    texts: list[list[int]], widths: list[int], seed: int
) -> None:
    each = [make_case(texts, width, seed) for width in widths]
    split = WORDS - 2
    projected = [(case.width, case.projections[:split].copy(), case.projections[split:].copy()) for case in each]
    found = kernels.winners(projected, each[0].ids, each[0].starts)
    assert found.bounds.tolist() == np.cumsum([0, *np.repeat(widths, F)]).tolist()
    for place, case in enumerate(each):
        own = slice(place * F, (place + 1) * F)
        best, where = kernels.winning_windows(case.projections, case.ids, case.starts, case.width)
        np.testing.assert_array_equal(found.values[:, own], best)
        np.testing.assert_array_equal(found.where[:, own], where)
        begin, end = found.bounds[own.start], found.bounds[own.stop]
        products = found.products[:, begin:end].reshape(len(texts), F, case.width)
        np.testing.assert_array_equal(products, products_of(case))


@settings(max_examples=60, deadline=None)
@given(case=cases)
@example(case=REPEATED)
def test_contributions_equal_those_of_the_winning_window(case: Case) -> None:
    best, where = kernels.winning_windows(case.projections, case.ids, case.starts, case.width)
    shares = products_of(case)
    assert shares.shape == (len(case.texts), F, case.width)
    np.testing.assert_array_equal(shares.sum(axis=2), best)
    for n, text in enumerate(case.texts):
        for f in range(F):
            for h in range(case.width):
                t = where[n, f] + h
                expected = 0.0 if t >= len(text) else case.projections[text[t], h * F + f] * (text[t] > 0)
                assert shares[n, f, h] == expected


def padded(case: Case) -> NDArray[np.int64]:
    """The texts (N, T), padded with the unknown word; T is at least the width."""
    longest = max(case.width, *map(len, case.texts))
    return np.array([text + [0] * (longest - len(text)) for text in case.texts], dtype=np.int64)


@settings(max_examples=60, deadline=None)
@given(case=cases)
@example(case=REPEATED)
def test_signed_contributions_equal_plain_loops(case: Case) -> None:
    _, where = kernels.winning_windows(case.projections, case.ids, case.starts, case.width)
    weight = np.ascontiguousarray(case.layer.weight.detach().permute(0, 2, 1).numpy())
    words = padded(case)
    positive, negative = window_relevance.signed_contributions(case.vectors, weight, words, where.astype(np.int64))
    shares = products_of(case)
    np.testing.assert_array_equal(positive + negative, shares)
    for n in range(len(case.texts)):
        for f in range(F):
            for h in range(case.width):
                products = [case.vectors[words[n, where[n, f] + h], d] * weight[f, h, d] for d in range(D)]
                assert positive[n, f, h] == sum(product for product in products if product > 0)
                assert negative[n, f, h] == sum(product for product in products if product < 0)


@settings(max_examples=60, deadline=None)
@given(case=cases)
@example(case=REPEATED)
def test_means_equal_plain_loops(case: Case) -> None:
    means = mean_kernels.mean_windows(case.projections, case.bias, case.ids, case.starts, case.width)
    for n, text in enumerate(case.texts):
        expected = np.maximum(windows_of(case, text) + case.bias, 0).mean(axis=0)
        np.testing.assert_allclose(means[n], expected, rtol=1e-14)


def convolved(case: Case, vectors: Tensor, text: list[int]) -> Tensor:
    """The values (windows, F) without bias, by torch's convolution."""
    row = vectors[torch.tensor(text, dtype=torch.int64)]
    padded = nn.functional.pad(row, (0, 0, 0, max(0, case.width - len(text))))
    return nn.functional.conv1d(padded.T, case.layer.weight).T


@settings(max_examples=30, deadline=None)
@given(texts=texts_of_ids, width=st.integers(1, 3), seed=st.integers(0, 99))
def test_scatter_winners_is_the_adjoint_of_winning_windows(texts: list[list[int]], width: int, seed: int) -> None:
    case = make_case(texts, width, seed)
    gradient = np.random.default_rng(seed).normal(size=(len(texts), F))
    vectors = torch.tensor(case.vectors, requires_grad=True)
    _, where = kernels.winning_windows(case.projections, case.ids, case.starts, case.width)
    total = torch.zeros((), dtype=torch.float64)
    for n, text in enumerate(texts):
        total = total + (convolved(case, vectors, text)[where[n], range(F)] * torch.tensor(gradient[n])).sum()
    total.backward()
    on_words = kernels.scatter_winners(gradient, where, case.ids, case.starts, width, WORDS)
    assert not on_words[0].any()
    back = torch.tensor(on_words) @ case.layer.weight.detach().permute(1, 2, 0).reshape(D, -1).T
    assert vectors.grad is not None
    torch.testing.assert_close(back[1:], vectors.grad[1:], rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(texts=texts_of_ids, width=st.integers(1, 3), seed=st.integers(0, 99))
def test_scatter_means_is_the_adjoint_of_mean_windows(texts: list[list[int]], width: int, seed: int) -> None:
    case = make_case(texts, width, seed)
    gradient = np.random.default_rng(seed).normal(size=(len(texts), F))
    vectors = torch.tensor(case.vectors, requires_grad=True)
    bias = torch.tensor(case.bias, requires_grad=True)
    total = torch.zeros((), dtype=torch.float64)
    for n, text in enumerate(texts):
        active = torch.relu(convolved(case, vectors, text) + bias)
        total = total + (active.mean(dim=0) * torch.tensor(gradient[n])).sum()
    total.backward()
    on_words, bias_landed = mean_kernels.scatter_means(
        gradient, case.projections, case.bias, case.ids, case.starts, case.width
    )
    assert not on_words[0].any()
    back = torch.tensor(on_words) @ case.layer.weight.detach().permute(1, 2, 0).reshape(D, -1).T
    assert vectors.grad is not None
    assert bias.grad is not None
    torch.testing.assert_close(back[1:], vectors.grad[1:], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.tensor(bias_landed), bias.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_keep_the_dtype(dtype: Any) -> None:
    case = REPEATED
    projections, bias = case.projections.astype(dtype), case.bias.astype(dtype)
    best, where = kernels.winning_windows(projections, case.ids, case.starts, case.width)
    on_words = kernels.scatter_winners(best, where, case.ids, case.starts, case.width, WORDS)
    shares = kernels.winners([(case.width, projections, None)], case.ids, case.starts).products
    means = mean_kernels.mean_windows(projections, bias, case.ids, case.starts, case.width)
    back, bias_back = mean_kernels.scatter_means(means, projections, bias, case.ids, case.starts, case.width)
    weight = np.ascontiguousarray(case.layer.weight.detach().permute(0, 2, 1).numpy().astype(dtype))
    signed = window_relevance.signed_contributions(
        case.vectors.astype(dtype), weight, padded(case), where.astype(np.int64)
    )
    assert {array.dtype for array in (best, on_words, shares, means, back, bias_back, *signed)} == {np.dtype(dtype)}


def test_adam_rows_steps_like_torch_and_leaves_the_other_rows_alone() -> None:
    draw = np.random.default_rng(0)
    table = draw.normal(size=(6, D))
    gradient = draw.normal(size=(6, D))
    rows = np.array([1, 4])
    before = table.copy()
    theirs = torch.tensor(table, requires_grad=True)
    optimizer = torch.optim.Adam([theirs], lr=0.1)
    moments = np.zeros_like(table), np.zeros_like(table)
    for step in (1, 2, 3):
        mean_kernels.adam_rows(table, *moments, rows, gradient[rows], 0.1, 1 - 0.9**step, 1 - 0.999**step)
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
    np.testing.assert_allclose(table[rows], theirs.detach().numpy()[rows], rtol=1e-12)
    others = [0, 2, 3, 5]
    np.testing.assert_array_equal(table[others], before[others])


@settings(max_examples=60, deadline=None)
@given(
    cases=st.tuples(texts_of_ids, st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)),
    parts=st.integers(1, 3), every=st.booleans(), targets=st.integers(1, 4),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_propagated_winners_equal_plain_loops(
    cases: tuple[list[list[int]], list[int]], parts: int, every: bool, targets: int, seed: int
) -> None:
    several = [make_case(cases[0], width, seed) for width in cases[1]]
    case = several[0]
    widths = np.repeat(cases[1], F)
    filters = len(widths)
    draw = np.random.default_rng(seed)
    documents, known_classes = len(case.texts), 3
    if every:
        classes = np.tile(np.arange(known_classes), (documents, 1))
    else:
        classes = draw.integers(0, known_classes, size=(documents, targets))
    k = classes.shape[1]

    def numbers(*shape: int) -> NDArray[Any]:
        return draw.integers(-2, 3, size=shape).astype(np.float64)

    shares, inputs = numbers(documents, int(widths.sum())), numbers(parts, documents, filters)
    weights, factors = numbers(parts, filters, 3), numbers(parts, documents, k)
    scale = numbers(documents, filters)
    bounds = np.cumsum([0, *widths])
    found_windows = [kernels.winning_windows(own.projections, own.ids, own.starts, own.width)[1] for own in several]
    where = np.concatenate(found_windows, axis=1)
    on_words, ignored = numbers(len(case.ids), k), numbers(documents, k)  # earlier values must be overwritten
    expected = np.zeros_like(on_words), np.zeros_like(ignored)
    window_relevance.propagate_winners(
        shares,
        scale,
        bounds,
        inputs,
        weights,
        factors,
        where,
        case.ids,
        case.starts,
        None if every else classes,
        on_words,
        ignored,
    )
    for n, text in enumerate(case.texts):
        for f in range(filters):
            for j in range(k):
                received = sum(
                    inputs[p, n, f] * weights[p, f, classes[n, j]] * factors[p, n, j] for p in range(parts)
                )
                for h in range(widths[f]):
                    t = where[n, f] + h
                    share = shares[n, bounds[f] + h] * scale[n, f] * received
                    if t < len(text) and text[t] > 0:
                        expected[0][case.starts[n] + t, j] += share
                    else:
                        expected[1][n, j] += share
    for found, correct in zip((on_words, ignored), expected, strict=True):
        np.testing.assert_array_equal(found, correct)
