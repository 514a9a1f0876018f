"""Scores of texts while words are masked, removed or inserted one after another.

Open it for deletion and insertion curves and for occlusion: the scores after each step, computed fast where the model
allows it.

Letters: N texts, L words read, S steps, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.lrp.kernels.path_loops import path_windows
from textlrp.models.base import TextClassifier
from textlrp.models.black_box import FunctionModel
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.models.convnet import ConvNet
from textlrp.models.packing import Packed
from textlrp.text.batches import Batch, end_to_end

Change = Literal["zero", "insert", "remove", "single"]
"""What a step does to a word.

``zero``: its vector becomes zero, and the other words keep their positions (a transformer removes it). ``insert``:
all vectors are zero at the start, and each step restores one. ``remove``: the word is deleted, and its neighbors
become adjacent. ``single``: as ``zero``, but each step starts from the complete text.
"""

MAX_POOLED_FEATURES = 1 << 24
"""Largest number of pooled features in memory at a time."""
MAX_WORDS = 1 << 16
"""Largest number of words scored together if every alternative needs its own forward pass."""

Positions = Sequence[NDArray[np.int64]]


def path_scores(
    model: Classifier, batch: Batch, steps: Positions, *, change: Change = "zero", full_forward_passes: bool = False
) -> list[NDArray[Any]]:
    """Return for each of N texts its scores (S + 1, C) before the first and after each of its S steps.

    ``steps[n]`` are positions among the words read of text n, in the order in which they change. A
    :class:`CNNClassifier` with max pooling recomputes only the windows that contain the changed word. Other models,
    ``change="remove"`` and ``full_forward_passes=True`` need a forward pass for each step.
    """
    if full_forward_passes or change == "remove" or not has_winning_windows(model):
        return _by_passes(model, batch, steps, change)
    found: list[NDArray[Any]] = []
    for rows in _runs_of_texts(
        [len(each) + 1 for each in steps], MAX_POOLED_FEATURES // sum(model.widths_and_filters()[1])
    ):
        found += _by_windows(model, batch.select(rows), [steps[n] for n in rows], change)
    return found


def _runs_of_texts(sizes: Sequence[int], max_size: int) -> Iterator[range]:
    """Ranges of consecutive texts whose sizes add up to at most ``max_size``; a single text may be larger."""
    begin, total = 0, 0
    for n, size in enumerate(sizes):
        if n > begin and total + size > max_size:
            yield range(begin, n)
            begin, total = n, 0
        total += size
    if sizes:
        yield range(begin, len(sizes))


def _by_windows(model: Any, batch: Batch, steps: Positions, change: Change) -> list[NDArray[Any]]:
    """The scores of a CNN with max pooling: only windows that contain a changed word are computed again."""
    net: ConvNet = model.fitted_net()
    packed = Packed(batch.words, batch.starts)
    step_starts = np.concatenate([[0], np.cumsum([len(each) for each in steps])]).astype(np.int64)
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
    """The scores of any model, by one forward pass for each step."""
    found = []
    for n, of_text in enumerate(steps):
        keep = _kept(int(batch.lengths[n]), of_text, change)
        found.append((removed_scores if change == "remove" else masked_scores)(model, batch, n, keep))
    return found


def masked_scores(model: Classifier, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the scores (S, C) of S alternatives of text n; words with ``keep`` (S, L) False become zero vectors.

    A function of the user gets the texts without these words. Every method and measure that leaves words out gets its
    scores here or from :func:`removed_scores`, at most :data:`MAX_WORDS` words at a time.
    """
    if isinstance(model, (TextClassifier, FunctionModel)):
        return _in_parts(lambda part: model.scores_when_masked(batch, n, part), keep)
    return _in_parts(lambda part: model.scores(batch.select([n] * len(part)), keep=part), keep)


def removed_scores(model: Classifier, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the scores (S, C) of S alternatives of text n without the words whose ``keep`` (S, L) is False."""
    if isinstance(model, (TextClassifier, FunctionModel)):
        return _in_parts(lambda part: model.scores_when_removed(batch, n, part), keep)
    return _in_parts(lambda part: _scores_of_fewer_words(model, batch, n, part), keep)


def _scores_of_fewer_words(model: Classifier, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
    alternatives = batch.select([n] * len(keep))
    words, starts = end_to_end([ids[kept] for ids, kept in zip(alternatives.texts(), keep, strict=True)])
    # the tokens of the batch stay unchanged, although words are missing: scores do not use them
    return model.scores(replace(alternatives, words=words, starts=starts))


def _in_parts(scores: Callable[[NDArray[np.bool_]], NDArray[Any]], keep: NDArray[np.bool_]) -> NDArray[Any]:
    size = max(1, MAX_WORDS // max(1, keep.shape[1]))
    return np.concatenate([scores(keep[begin : begin + size]) for begin in range(0, max(1, len(keep)), size)])


def _kept(length: int, steps: NDArray[np.int64], change: Change) -> NDArray[np.bool_]:
    """Which words are in the text (S + 1, L) before the first step and after each."""
    changed = np.zeros((len(steps) + 1, length), dtype=bool)
    changed[np.arange(1, len(steps) + 1), steps] = True
    if change == "single":
        return ~changed
    changed = np.logical_or.accumulate(changed, axis=0)
    return changed if change == "insert" else ~changed
