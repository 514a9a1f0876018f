"""Shared parts of the speed benchmarks: pages of tables, batches with a budget of positions, and ratios of times."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textlrp.explainers.batch_relevance import relevance_of_batch
from textlrp.explainers.explain import explain_settings
from textlrp.lrp.kernels import windows as kernels
from textlrp.lrp.kernels.projections import Kept, project, table_rows
from textlrp.models.packing import Packed
from textlrp.models.tapes import kept_projections, tracer
from textlrp.text.batches import Batch, Reading, end_to_end

BATCH, POSITIONS = 64, 1 << 15
"""Maximum number of documents of a batch, and of its positions including padding."""


class Page:
    """Lines that are printed immediately and kept for a page."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, line: str = "") -> None:
        print(line, flush=True)
        self.lines.append(line)

    def table(self, title: str, *heads: str) -> None:
        self.log(f"\n## {title}\n")
        self.row(*heads)
        self.row(*["---"] * len(heads))

    def row(self, *cells: object) -> None:
        self.log("| " + " | ".join(map(str, cells)) + " |")

    def write(self, path: Path, title: str, command: str, picture: Path) -> None:
        text = "\n".join(self.lines)
        path.write_text(
            f"# {title}\n\n`{command}` prints these tables.\n\n{text}\n\n![]({picture.name})\n", encoding="utf-8"
        )


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def batches_of(batch: Batch) -> list[Batch]:
    """Sort documents by length into batches of at most ``BATCH`` documents and ``POSITIONS`` positions."""
    found: list[list[int]] = [[]]
    for row in np.argsort(batch.lengths, kind="stable").tolist():
        longest = max(1, int(batch.lengths[row]))
        if found[-1] and (len(found[-1]) == BATCH or (len(found[-1]) + 1) * longest > POSITIONS):
            found.append([])
        found[-1].append(row)
    return [batch.select(rows) for rows in found]


def padding(batches: Sequence[Batch]) -> str:
    """The share of the positions that are padding, as text."""
    positions = sum(batch.ids.size for batch in batches)
    words = sum(int(batch.lengths.sum()) for batch in batches)
    return f"{100 * (1 - words / max(1, positions)):.0f}%"


def made_batch(texts: Sequence[np.ndarray]) -> Batch:
    """A batch that has only ids, without texts."""
    words, starts = end_to_end([text.astype(np.int64) for text in texts])
    nothing = tuple(Reading(str(n), None, None, None, ()) for n in range(len(texts)))  # type: ignore[arg-type]
    return Batch(nothing, words, starts, (None,) * len(texts), (None,) * len(texts))  # type: ignore[arg-type]


def padded(batch: Batch, min_words: int = 2) -> torch.Tensor:
    ids = torch.from_numpy(batch.ids)
    return torch.nn.functional.pad(ids, (0, max(0, min_words - ids.shape[1])))


def ours(model: Any, *, rule: str | None = None, kept: Kept | None = None) -> Callable[[Batch], object]:
    """A function that explains all classes of a batch, with the projections of the vocabulary computed in advance."""
    settings = explain_settings(model, rule, "lrp")
    settings = settings._replace(trace=tracer(model, kept=kept or kept_projections(model)))
    return lambda batch: relevance_of_batch(model, batch, "all", None, settings)


def scorer(model: Any, kept: Kept) -> Callable[[Batch], object]:
    """A function that computes only the scores of a CNN with max pooling, with the same projections as explaining."""
    net = model.fitted_net()

    @torch.no_grad()
    def run(batch: Batch) -> object:
        packed = Packed(batch.words, batch.starts)
        rows = table_rows(packed.words, kept)
        pooled = []
        for width, first, more in project(net.table, rows, net.convolutions, kept):
            best, _ = kernels.winning_windows(first, rows.ids, packed.starts, width, more=more)
            pooled.append(torch.relu(torch.from_numpy(best) + net.weights[f"conv{width}.bias"]))
        return torch.cat(pooled, dim=1) @ net.weights["output.weight"].T + net.weights["output.bias"]

    return run


def ratio_of(
    one: Callable[[Batch], object], other: Callable[[Batch], object], batches: Sequence[Batch], rounds: int
) -> tuple[float, float, float]:
    """Median over rounds of (time of one / time of other, ms per document of one, ms per document of other).

    Both run on every batch once to warm up. In each round, ``other`` is timed before and after ``one``.
    """
    documents = sum(len(batch) for batch in batches)

    def whole(way: Callable[[Batch], object]) -> float:
        return seconds(lambda: [way(batch) for batch in batches])

    whole(one), whole(other)
    pairs = []
    for _ in range(rounds):
        before, time_of_one = whole(other), whole(one)
        pairs.append((time_of_one, (before + whole(other)) / 2))
    ratio = statistics.median(first / second for first, second in pairs)
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return ratio, first / documents * 1e3, second / documents * 1e3
