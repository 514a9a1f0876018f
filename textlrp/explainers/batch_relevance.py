"""Explain one batch, by LRP or another method: relevance, score breakdown and phrases of each text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.explainers.methods import Method
from textlrp.explainers.other_methods import attribute_batch
from textlrp.explainers.phrases import window_values, winning_phrases
from textlrp.explainers.targets import resolve_targets
from textlrp.explanation import Phrase
from textlrp.lrp.composite import Composite
from textlrp.lrp.fused import propagate_fused
from textlrp.lrp.starts import Start, Started, started
from textlrp.lrp.trace import one_hot_seed, propagate
from textlrp.models.classifier import Classifier
from textlrp.models.finite import check_scores
from textlrp.models.tapes import Tracer
from textlrp.records import Target
from textlrp.text.batches import Batch


class ExplainSettings(NamedTuple):
    """What is the same for every document of a call; ``method`` is None for LRP by the ``composite``.

    ``trace`` writes the tape of a batch. ``start`` None is the composite's own default.
    """

    method: Method | None
    composite: Composite
    trace: Tracer
    name: str
    printed: str
    fingerprint: str
    dtype: str | None
    phrases: int
    start: Start | None = None


class DocumentRelevance(NamedTuple):
    """What a method found out about one document: relevance (K, L) of the words read, and the ledger.

    ``fixed_sign`` and ``remarks`` as in :class:`textlrp.lrp.starts.Started`.
    """

    scores: Array
    targets: tuple[Target, ...]
    relevance: Array
    ledger: Mapping[tuple[str, str], Array]
    phrases: tuple[Phrase, ...] = ()
    start: str = "score"
    fixed_sign: bool = False
    remarks: tuple[str, ...] = ()


_Found = tuple[list[DocumentRelevance], Sequence[Array]]
"""What was found out about each text, and arrays that hold all of its relevance and ledgers."""


def relevance_of_batch(
    model: Classifier, batch: Batch, target: Any, own: list[Any] | None, settings: ExplainSettings
) -> list[DocumentRelevance]:
    """What the method finds out about each text of a batch; ``target`` and ``own`` as in :func:`explain_block`.

    Whatever the caller's grad mode is, gradients can be taken here. Raises :class:`ModelError` where relevance or an
    entry of the ledger is NaN or infinite.
    """
    with torch.inference_mode(False), torch.enable_grad():
        explained, numbers = (_by_lrp if settings.method is None else _by_other_method)(
            model, batch, target, own, settings
        )
    with np.errstate(over="ignore", invalid="ignore"):
        finite = all(np.isfinite(each.sum()) for each in numbers)
    if not finite:  # or finite terms have a sum that overflows
        _check_finite(explained, batch, settings)
    return explained


def _check_finite(explained: Sequence[DocumentRelevance], batch: Batch, settings: ExplainSettings) -> None:
    for n, each in enumerate(explained):
        for numbers in (each.relevance, *each.ledger.values()):
            if not np.isfinite(numbers).all():
                raise ModelError(
                    f"relevance must be finite; text {batch.readings[n].document_id!r} got "
                    f"{numbers[~np.isfinite(numbers)][0]} by {settings.printed}. Choose another rule or method, or "
                    'dtype="float64".'
                )


def _by_lrp(model: Classifier, batch: Batch, target: Any, own: list[Any] | None, settings: ExplainSettings) -> _Found:
    trace = settings.trace(batch)
    scores = check_scores(trace.scores.cpu().numpy(), model.classes_, lambda n: batch.readings[n].document_id)
    wanted = _wanted(target, own, model.classes_, scores)
    begun = started(trace, settings.composite, settings.start)
    trace = begun.trace
    if not settings.phrases and trace.windows is not None:
        return _by_fused_sweep(begun, scores, batch, wanted, settings)
    most = max(len(targets) for targets in wanted)
    seed = trace.scores.new_zeros((most, *scores.shape))
    for n, targets in enumerate(wanted):
        seed[: len(targets), n] = one_hot_seed(trace.seed_scores[n : n + 1], targets)[:, 0]
    watch = window_values(trace) if settings.phrases else ()
    propagated = propagate(trace, settings.composite, seed, watch=watch)
    relevance = propagated.relevance.cpu().numpy()
    ledger = {key: entry.cpu().numpy() for key, entry in propagated.ledger.items()}
    explained = []
    for n, targets in enumerate(wanted):
        count, words = len(targets), int(batch.lengths[n])
        entries = {key: entry[:count, n] for key, entry in ledger.items()}
        phrases = (
            winning_phrases(trace, propagated, settings.composite, batch, n, count, settings.phrases) if watch else ()
        )
        explained.append(
            DocumentRelevance(scores[n], targets, relevance[:count, n, :words], entries, phrases, *begun[1:])
        )
    return explained, [relevance, *ledger.values()]


def _by_fused_sweep(
    begun: Started, scores: Array, batch: Batch, wanted: Sequence[tuple[Target, ...]], settings: ExplainSettings
) -> _Found:
    choices = {targets: _choice(targets) for targets in set(wanted)}
    most = max(len(choice.classes) for choice in choices.values())
    filled = {targets: (choice.classes + choice.classes[:1] * most)[:most] for targets, choice in choices.items()}
    every = len(filled) == 1 and filled[wanted[0]] == list(range(scores.shape[1]))
    classes = None if every else np.array([filled[targets] for targets in wanted], dtype=np.int64)
    found = propagate_fused(begun.trace, settings.composite, classes)
    explained, end, begun_with = [], 0, begun[1:]
    for targets, own, ledger, length in zip(wanted, scores, found.entries, batch.lengths.tolist(), strict=True):
        begin, end = end, end + length
        choice = choices[targets]
        relevance = found.relevance[begin:end].T
        if not choice.as_they_are or len(targets) < most or relevance.dtype != scores.dtype:
            relevance, ledger = choice.of(relevance, scores.dtype), choice.of(ledger, scores.dtype)
        explained.append(
            DocumentRelevance(own, targets, relevance, dict(zip(found.keys, ledger.T, strict=True)), (), *begun_with)
        )
    return explained, [found.relevance, found.entries]


def _by_other_method(
    model: Classifier, batch: Batch, target: Any, own: list[Any] | None, settings: ExplainSettings
) -> _Found:
    assert settings.method is not None
    scores = model.scores(batch)
    dtype = np.dtype(settings.dtype or scores.dtype)
    wanted = _wanted(target, own, model.classes_, scores)
    choices = [_choice(targets) for targets in wanted]
    explained = []
    found_of_each = attribute_batch(
        model, batch, [choice.classes for choice in choices], settings.method, dtype=settings.dtype
    )
    for n, (targets, choice, found) in enumerate(zip(wanted, choices, found_of_each, strict=True)):
        entries = {key: choice.of(entry, dtype) for key, entry in found.ledger.items()}
        relevance = choice.of(found.relevance, dtype)
        explained.append(DocumentRelevance(scores[n].astype(dtype), targets, relevance, entries))
    return explained, [numbers for each in explained for numbers in (each.relevance, *each.ledger.values())]


class _Choice:
    """From maps of the ``classes`` that targets speak of, each once, to those of the targets: a contrast is the
    difference of its two maps."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.classes = list(dict.fromkeys(c for t in targets for c in (t if isinstance(t, tuple) else (t,))))
        row = {c: k for k, c in enumerate(self.classes)}
        self._plus = [row[t[0] if isinstance(t, tuple) else t] for t in targets]
        self._minus = [(k, row[t[1]]) for k, t in enumerate(targets) if isinstance(t, tuple)]
        self.as_they_are = not self._minus and self._plus == list(range(len(targets)))

    def of(self, maps: Array, dtype: Any) -> Array:
        """(classes, ...) -> (K, ...)."""
        if self.as_they_are:
            chosen = maps[: len(self._plus)]
        else:
            chosen = maps[self._plus]
            for k, other in self._minus:
                chosen[k] -= maps[other]
        return chosen if chosen.dtype == dtype else chosen.astype(dtype)


@lru_cache(maxsize=64)
def _choice(targets: tuple[Target, ...]) -> _Choice:
    return _Choice(targets)


def _wanted(target: Any, own: list[Any] | None, classes: NDArray[Any], scores: Array) -> list[tuple[Target, ...]]:
    if own is None:
        return resolve_targets(target, classes, scores)
    return [resolve_targets(own[n], classes, scores[n : n + 1])[0] for n in range(len(scores))]
