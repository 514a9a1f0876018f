"""Projections in two tables, kept and computed, equal those in one table."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.kernels import windows as kernels
from textlrp.lrp.kernels.projections import TILE, Kept, keep, project, table_rows, words_kept

D, F = 4, 3
WIDTHS = (1, 2, 3)

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


class Words(NamedTuple):
    """A table (V + 1, D) whose row 0 is zero, and the weights (D, H × F) of each width."""

    table: Tensor
    weights: dict[int, Tensor]


def made(rows: int, seed: int, dtype: str = "float64", whole: bool = False) -> Words:
    """Random values; with ``whole`` they are integers, which make sums exact and ties frequent."""
    draw = np.random.default_rng(seed)

    def numbers(*shape: int) -> Tensor:
        drawn = draw.integers(-2, 3, size=shape) if whole else draw.normal(size=shape)
        return torch.from_numpy(drawn.astype(dtype))

    table = numbers(rows, D)
    table[0] = 0
    return Words(table, {width: numbers(D, width * F) for width in WIDTHS})


def ends(texts: list[list[int]]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, texts)]).astype(np.int64)


TEXTS = st.lists(st.lists(st.integers(0, 7), max_size=7), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, kept=st.integers(0, 8), width=st.sampled_from(WIDTHS), seed=st.integers(0, 20))
def test_two_tables_give_the_result_of_one(texts: list[list[int]], kept: int, width: int, seed: int) -> None:
    words = made(8, seed, whole=True)
    one = (words.table @ words.weights[width]).numpy()
    ids = np.array([word for text in texts for word in text], dtype=np.int64)
    starts = ends(texts)
    whole = kernels.winners([(width, one, None)], ids, starts)
    first, more = one[:kept].copy(), one[kept:].copy()
    for found in (
        kernels.winning_windows(first, ids, starts, width, more=more),
        kernels.winners([(width, first, more)], ids, starts),
    ):
        for part, expected in zip(found, whole, strict=False):
            np.testing.assert_array_equal(part, expected)


@each_dtype
def test_read_only_tables_can_be_read(dtype: str) -> None:
    words = made(8, 3, dtype)
    one = (words.table @ words.weights[2]).numpy()
    ids, starts = np.array([1, 5, 0, 7, 6, 6], dtype=np.int64), np.array([0, 4, 4, 6], dtype=np.int64)
    first, more = one[:4].copy(), one[4:].copy()
    best, _, shares, _ = kernels.winners([(2, one, None)], ids, starts)
    first.flags.writeable = False
    for second in (more, None):
        own = ids if second is not None else ids % 4
        found = kernels.winners([(2, first, second)], own, starts)
        if second is not None:
            np.testing.assert_array_equal(found.values, best)
            np.testing.assert_array_equal(found.products, shares)
        else:
            sums = found.products.reshape(*found.values.shape, 2).sum(axis=2)
            np.testing.assert_allclose(sums, found.values, rtol=1e-6)
    assert not first.flags.writeable
    assert more.flags.writeable
    assert best.dtype == shares.dtype == dtype


# ---- keeping


@given(
    rows=st.integers(1, 50), memory=st.integers(0, 20_000), dtype=st.sampled_from(["float32", "float64"]),
    widths=st.lists(st.sampled_from(WIDTHS), min_size=1, max_size=3, unique=True),
)  # fmt: skip
def test_kept_words_fit_into_the_memory_and_one_more_word_would_not(
    rows: int, memory: int, dtype: str, widths: list[int]
) -> None:
    words = made(rows, 0, dtype)
    weights = {width: words.weights[width] for width in widths}
    count = words_kept(words.table, weights, memory)
    kept = keep(words.table, weights, count)
    size = sum(table.nbytes for table in kept.tables.values())
    assert 0 <= count <= rows
    assert size <= memory
    if count < rows:
        assert size + sum(table.shape[1] * table.itemsize for table in kept.tables.values()) > memory


@each_dtype
@every("count", [0, 1, 9, TILE, TILE + 7, 2 * TILE + 30])
def test_kept_projections_equal_those_of_their_words(dtype: str, count: int) -> None:
    words = made(2 * TILE + 30, 1, dtype)
    kept = keep(words.table, words.weights, count)
    assert kept.words == count
    for width, weight in words.weights.items():
        assert kept.tables[width].dtype == dtype
        assert kept.tables[width].shape == (count, width * F)
        close = 1e-6 if dtype == "float32" else 1e-14
        np.testing.assert_allclose(kept.tables[width], words.table[:count] @ weight, rtol=close, atol=close)
        assert not kept.tables[width][:1].any()


def test_the_number_of_kept_words_changes_no_bit_of_a_projection() -> None:
    words = made(2 * TILE, 2, "float32")
    all_of_them = keep(words.table, words.weights, 2 * TILE)
    for count in (1, 5, TILE - 1, TILE + 1):
        fewer = keep(words.table, words.weights, count)
        for width in WIDTHS:
            assert fewer.tables[width].tobytes() == all_of_them.tables[width][:count].tobytes()


def test_projections_are_written_to_the_allocated_arrays() -> None:
    words = made(9, 4)
    given: list[NDArray[Any]] = []

    def allocate(shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
        given.append(np.full(shape, np.nan, dtype))
        return given[-1]

    kept = keep(words.table, words.weights, 6, allocate)
    assert [kept.tables[width] is array for width, array in zip(WIDTHS, given, strict=True)] == [True] * 3
    assert not any(np.isnan(array).any() for array in given)


@settings(max_examples=60, deadline=None)
@given(
    distinct=st.sets(st.integers(1, 30), max_size=12),
    count=st.integers(0, 31),
    seed=st.integers(0, 9),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_a_batch_has_the_projections_of_its_words_whether_kept_or_not(
    distinct: set[int], count: int, seed: int, dtype: str
) -> None:
    words = made(31, seed, dtype)
    read = np.random.default_rng(seed).choice([0, *sorted(distinct)], size=20)
    kept = keep(words.table, words.weights, count)
    rows, alone = table_rows(read, kept), table_rows(read, None)
    assert (alone.others == np.unique([0, *read])).all()
    assert set(rows.others) - {0} == {word for word in read.tolist() if word >= max(1, count)}
    both = zip(
        project(words.table, rows, words.weights, kept), project(words.table, alone, words.weights, None), strict=True
    )
    for (width, first, more), (_, computed, nothing) in both:
        close = 1e-5 if dtype == "float32" else 1e-13
        expected = words.table[torch.from_numpy(read)] @ words.weights[width]
        assert first is kept.tables[width]
        tables = np.concatenate([first, more])
        np.testing.assert_allclose(tables[rows.ids], expected, rtol=close, atol=close)
        assert not tables[0].any()  # row 0 is read beyond the end of a text
        assert len(nothing) == 0
        np.testing.assert_allclose(computed[alone.ids], expected, rtol=close, atol=close)
        assert not computed[0].any()


def test_no_row_of_a_kept_table_is_written_to_by_a_batch() -> None:
    words = made(9, 5, "float32")
    kept = keep(words.table, words.weights, 5)
    frozen = Kept(5, {width: table.copy() for width, table in kept.tables.items()})
    for table in frozen.tables.values():
        table.flags.writeable = False
    rows = table_rows(np.arange(9), kept)
    for open_, closed in zip(
        *(project(words.table, rows, words.weights, each) for each in (kept, frozen)), strict=True
    ):
        width = open_.width
        starts = np.array([0, 9], dtype=np.int64)
        best, _ = kernels.winning_windows(open_.first, rows.ids, starts, width, more=open_.more)
        other, _ = kernels.winning_windows(closed.first, rows.ids, starts, width, more=closed.more)
        assert best.tobytes() == other.tobytes()
