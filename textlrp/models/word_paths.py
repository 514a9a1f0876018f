"""Scores of texts from which words go, one after another, or to which they come back.

Letters: N texts, L words read, S steps, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.lrp.kernels.path_loops import path_windows
from textlrp.models.base import TextClassifier
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.models.convnet import ConvNet
from textlrp.models.packing import Packed
from textlrp.text.batches import Batch, end_to_end

Change = Literal["zero", "insert", "remove", "single"]
"""What a step does to a word.

``zero``: its vector becomes zero, its position stays. ``insert``: all vectors are zero at first, and it comes back.
``remove``: it goes, and its neighbors close up. ``single``: as ``zero``, but from the whole text each time.
"""

FEATURES_TOGETHER = 1 << 24
"""Pooled features that are held at once."""
WORDS_TOGETHER = 1 << 18
"""Words of the alternatives that are scored at once, where every step is a forward pass of its own."""

Positions = Sequence[NDArray[np.int64]]


def path_scores(
    model: Classifier, batch: Batch, steps: Positions, *, change: Change = "zero", whole_passes: bool = False
) -> list[NDArray[Any]]:
    """For each of N texts, its scores before the first and after each of its own S steps: (S + 1, C).

    ``steps[n]`` are positions among the words read of text n, in the order they change. A :class:`CNNClassifier` with
    max pooling adds up again only the windows that meet a word; every other model, and ``remove``, takes a forward
    pass for each step, and so does any with ``whole_passes``.
    """
    if whole_passes or change == "remove" or not has_winning_windows(model):
        return _by_passes(model, batch, steps, change)
    found: list[NDArray[Any]] = []
    for some in _runs_of_texts([len(own) + 1 for own in steps], FEATURES_TOGETHER // sum(model.shape()[1])):
        found += _by_windows(model, batch.select(some), [steps[n] for n in some], change)
    return found


def _runs_of_texts(sizes: Sequence[int], most: int) -> Iterator[range]:
    """Texts in their order, cut where their sizes would go beyond ``most``; one alone may."""
    begin, held = 0, 0
    for n, size in enumerate(sizes):
        if n > begin and held + size > most:
            yield range(begin, n)
            begin, held = n, 0
        held += size
    if sizes:
        yield range(begin, len(sizes))


def _by_windows(model: Any, batch: Batch, steps: Positions, change: Change) -> list[NDArray[Any]]:
    net: ConvNet = model.fitted_net()
    packed = Packed(batch.words, batch.starts)
    step_starts = np.concatenate([[0], np.cumsum([len(own) for own in steps])]).astype(np.int64)
    flat = np.concatenate([np.zeros(0, np.int64), *steps]).astype(np.int64)
    vectors = net.table[torch.from_numpy(packed.distinct)]
    pooled = []
    for width in net.widths:
        projections = (vectors @ net.weights[f"conv{width}.weight"]).numpy()
        windows = path_windows(
            projections, packed.ids, packed.starts, width, flat, step_starts,
            inserting=change == "insert", one_at_a_time=change == "single",
        )  # fmt: skip
        pooled.append(torch.relu(torch.from_numpy(windows) + net.weights[f"conv{width}.bias"]))
    scores = (torch.cat(pooled, dim=1) @ net.weights["output.weight"].T + net.weights["output.bias"]).numpy()
    return np.split(scores, (step_starts + np.arange(len(step_starts)))[1:-1])


def _by_passes(model: Any, batch: Batch, steps: Positions, change: Change) -> list[NDArray[Any]]:
    found = []
    for n, own in enumerate(steps):
        keep = _kept(int(batch.lengths[n]), own, change)
        together = max(1, WORDS_TOGETHER // max(1, keep.shape[1]))
        pieces = [keep[begin : begin + together] for begin in range(0, len(keep), together)]
        if change == "remove":
            found.append(np.concatenate([_closed_up_scores(model, batch, n, piece) for piece in pieces]))
        else:
            found.append(np.concatenate([kept_scores(model, batch, n, piece) for piece in pieces]))
    return found


def kept_scores(model: Classifier, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
    """Scores (S, C) of text n with the words left in it where ``keep`` (S, L) is True; others are zero vectors."""
    if isinstance(model, TextClassifier):
        return model.thinned_scores(batch, n, keep)
    return model.scores(batch.select([n] * len(keep)), keep=keep)


def _kept(length: int, own: NDArray[np.int64], change: Change) -> NDArray[np.bool_]:
    """(S + 1, L) which words are there before the first step and after each."""
    gone = np.zeros((len(own) + 1, length), dtype=bool)
    gone[np.arange(1, len(own) + 1), own] = True
    if change == "single":
        return ~gone
    gone = np.logical_or.accumulate(gone, axis=0)
    return gone if change == "insert" else ~gone


def _closed_up_scores(model: Classifier, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
    """Scores (S, C) of text n with the words that are kept side by side."""
    if isinstance(model, TextClassifier):
        return model.closed_up_scores(batch, n, keep)
    alternatives = batch.select([n] * len(keep))
    words, starts = end_to_end([ids[kept] for ids, kept in zip(alternatives.texts(), keep, strict=True)])
    # what the batch says of tokens stays as it was: scores do not ask
    return model.scores(replace(alternatives, words=words, starts=starts))
