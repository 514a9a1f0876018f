"""N-grams of a convolutional net: the winning windows as phrases, and the n-grams that activate each filter most.

Letters: K targets, N documents, F filters, H width, L words the model reads of one text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.trace import Propagated, Trace, layers_of
from textlrp.lrp.trace_steps import Linear
from textlrp.lrp.window_maps import WinningWindows
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import CNNClassifier, has_winning_windows
from textlrp.records import Document, Phrase
from textlrp.text.batches import Batch, Reading

__all__ = ["Filter", "filter_phrases"]


class _Windows(NamedTuple):
    """A step of winning windows, with its map and its position in the trace."""

    step: Linear
    map: WinningWindows
    step_number: int


def _windows(trace: Trace) -> list[_Windows]:
    found = []
    for step_number, step in enumerate(trace.steps):
        if isinstance(step, Linear) and isinstance(step.map, WinningWindows):
            found.append(_Windows(step, step.map, step_number))
    return found


def window_values(trace: Trace) -> tuple[str, ...]:
    """Return the values of a trace that contain one winning window per filter, for ``propagate(watch=...)``."""
    return tuple(windows.step.writes for windows in _windows(trace))


def winning_phrases(
    trace: Trace, propagated: Propagated, composite: Composite, batch: Batch, n: int, targets: int, limit: int
) -> tuple[Phrase, ...]:
    """Return the ``limit`` winning windows of document ``n`` with the largest relevance for its ``targets`` targets.

    The relevance of a phrase is what its words receive from its filter: over all filters of all widths it sums to the
    relevance of the words. Most relevant first; offsets are those of the original text.
    """
    layers = layers_of(trace)
    found: list[tuple[float, Phrase]] = []
    spans = batch.readings[n].tokens.spans[batch.readings[n].positions]
    for step, windows, step_number in _windows(trace):
        layer, arrived = layers[step_number], propagated.watched.get(step.writes)
        if layer is None or arrived is None or not len(spans):
            continue
        relevance = _relevance_to_words(step, windows, composite, layer, arrived)[:targets, n].numpy()
        largest = np.abs(relevance).max(axis=0)
        start, width = windows.start[n].numpy(), windows.products.shape[2]
        for f in np.argsort(-largest, kind="stable")[:limit].tolist():
            if largest[f] == 0:
                break
            first, last = int(start[f]), min(int(start[f]) + width, len(spans)) - 1
            phrase = Phrase(int(spans[first, 0]), int(spans[last, 1]), step.name, f, relevance[:, f].copy())
            found.append((float(largest[f]), phrase))
    found.sort(key=lambda pair: -pair[0])
    return tuple(phrase for _, phrase in found[:limit])


def _relevance_to_words(
    step: Linear, windows: WinningWindows, composite: Composite, layer: Layer, arrived: Tensor
) -> Tensor:
    """(K, N, F): the relevance that each winning window passes to the words the model reads."""
    shares = composite.rule_for(layer).shares(step)
    total = torch.zeros_like(arrived)
    for part, factor in shares.flows:
        total += arrived * factor * windows.read_total(part)
    return total


# ---- the n-grams that activate each filter


class FilterPhrase(NamedTuple):
    """A phrase that is a filter's winning window: its words, its activation, and how many documents have it."""

    words: str
    activation: float
    documents: int


class Filter(NamedTuple):
    """One filter of a convolution: the n-grams that activate it most, and the classes it supports or opposes.

    ``classes`` are pairs of label and output weight, in descending order of weight.
    """

    step: str
    number: int
    phrases: tuple[FilterPhrase, ...]
    classes: tuple[tuple[str, float], ...]


def filter_phrases(model: Classifier, documents: Iterable[str | Document], *, top: int = 10) -> list[Filter]:
    """Find, for each filter of a CNN with max pooling, the ``top`` n-grams of a corpus that activate it most.

    A phrase counts once for each document where it is the filter's winning window; equal words are one phrase. Each
    filter also lists the classes with its output weights. Raises :class:`ModelError` for any other model.
    """
    if not has_winning_windows(model):
        raise ModelError(
            "model must be a CNNClassifier with pooling='max', because only it has winning windows; got "
            f"{_described(model)}."
        )
    tallies: dict[str, _FilterTally] = {}
    for batch in _batches_with_words(model, documents):
        for step, windows, _ in _windows(model.trace(batch)):
            tally = tallies.setdefault(step.name, _FilterTally(step.outputs.shape[1], top))
            tally.add(step.outputs.numpy(), windows.start.numpy(), windows.products.shape[2], batch.readings)
    weight, classes = model.output_weight, [str(name) for name in model.classes_]
    found, column = [], 0
    for step_name, tally in tallies.items():
        for number, phrases in enumerate(tally.top_phrases()):
            order = np.argsort(-weight[:, column], kind="stable").tolist()
            class_weights = tuple((classes[c], float(weight[c, column])) for c in order)
            found.append(Filter(step_name, number, phrases, class_weights))
            column += 1
    return found


def _described(model: object) -> str:
    pooling = f" with pooling={model.pooling!r}" if isinstance(model, CNNClassifier) else ""
    return f"a {type(model).__name__}{pooling}"


def _batches_with_words(model: CNNClassifier, documents: Iterable[str | Document]) -> Iterator[Batch]:
    remaining = iter(documents)
    while block := list(islice(remaining, model.max_texts_per_trace)):
        batch = model.encode(block)
        if rows := np.flatnonzero(batch.lengths).tolist():
            yield batch.select(rows)


class _FilterTally:
    """The n-grams found so far that activate each filter of one convolution most.

    A phrase has the same activation at every position. So a phrase that is in the final ``top`` was kept from its
    first document on, and its count is complete.
    """

    def __init__(self, filters: int, top: int) -> None:
        self.top = top
        self.phrases: list[dict[str, FilterPhrase]] = [{} for _ in range(filters)]
        self.least = np.zeros(filters)

    def add(self, values: Array, start: Array, width: int, readings: Sequence[Reading]) -> None:
        """Count the winning windows of N documents: ``values`` (activations) and ``start`` (N, F)."""
        # The tolerance is needed because the activation of one phrase differs in the last digits between batches.
        for n, f in np.argwhere((values > 0) & (values >= self.least * (1 - 1e-5))).tolist():
            words = " ".join(readings[n].forms[start[n, f] : start[n, f] + width])
            phrases = self.phrases[f]
            known = phrases.get(words, FilterPhrase(words, float(values[n, f]), 0))
            phrases[words] = known._replace(documents=known.documents + 1)
            if len(phrases) > 2 * self.top:
                self.phrases[f] = {phrase.words: phrase for phrase in self._most_active(phrases)}
                self.least[f] = min(phrase.activation for phrase in self.phrases[f].values())

    def top_phrases(self) -> list[tuple[FilterPhrase, ...]]:
        """Return the phrases of each filter, highest activation first."""
        return [tuple(self._most_active(phrases)) for phrases in self.phrases]

    def _most_active(self, phrases: dict[str, FilterPhrase]) -> list[FilterPhrase]:
        return sorted(phrases.values(), key=lambda phrase: (-phrase.activation, phrase.words))[: self.top]
