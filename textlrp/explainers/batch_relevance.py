"""Explain one batch, by LRP or another method: relevance, ledger and phrases of each text.

Targets are first reduced to the classes that they need, because a contrast (A, B) is the difference of two maps.

Letters: N documents, L words the model reads, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.explainers.methods import Method
from textlrp.explainers.other_methods import attribute_batch
from textlrp.explainers.phrases import window_values, winning_phrases
from textlrp.explainers.targets import classes_of_targets, resolve_targets
from textlrp.lrp.composite import Composite
from textlrp.lrp.fused import propagate_fused
from textlrp.lrp.starts import Start, Started, started
from textlrp.lrp.trace import Propagated, one_hot_seed, propagate
from textlrp.models.abilities import Passes, own_predictions_of
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.finite import check_scores
from textlrp.models.tapes import Tracer
from textlrp.models.transformers.piece_batch import PIECES, PieceBatch
from textlrp.records import BEFORE_SOFTMAX, Phrase, Target
from textlrp.text.batches import Batch


class ExplainSettings(NamedTuple):
    """The options of a call that are the same for every document.

    ``method`` is None for LRP with the ``composite``. ``trace`` records the forward pass of a batch, and ``fast``, if
    the model has such an engine, takes its place. ``name`` and ``printed`` are the method and the rule as stored in
    an explanation. ``start`` None is the composite's default.
    """

    method: Method | None
    composite: Composite
    name: str
    printed: str
    trace: Tracer
    fingerprint: str
    dtype: str | None
    score_name: str = BEFORE_SOFTMAX
    phrases: int = 0
    start: Start | None = None
    fast: Passes | None = None


class DocumentRelevance(NamedTuple):
    """The result for one document: scores (C,), targets (K), relevance (K, L) of the words the model reads, ledger.

    ``fixed_sign`` and ``remarks`` are those of :class:`textlrp.lrp.starts.Started`. ``pieces`` (K, P) is the
    relevance of the pieces of a transformer's tokenizer, None for other models.
    """

    scores: Array
    targets: tuple[Target, ...]
    relevance: Array
    ledger: Mapping[tuple[str, str], Array]
    phrases: tuple[Phrase, ...] = ()
    start: str = "score"
    fixed_sign: bool = False
    remarks: tuple[str, ...] = ()
    pieces: Array | None = None


_Targets = tuple[Target, ...]
_BatchResult = tuple[list[DocumentRelevance], Sequence[Array]]
"""The result for each text, and the arrays that together contain all its relevance and ledger entries."""


def relevance_of_batch(
    model: Classifier, batch: Batch, target: Any, targets_per_document: list[Any] | None, settings: ExplainSettings
) -> list[DocumentRelevance]:
    """Compute the relevance of each text of a batch.

    ``target`` applies to every text. ``targets_per_document``, if given, has one target for each text and takes its
    place. Gradients are enabled here, whatever the caller's grad mode. Raises :class:`ModelError` if relevance or a
    ledger entry is NaN or infinite.
    """
    with torch.inference_mode(False), torch.enable_grad():
        explained, arrays = (_explain_by_lrp if settings.method is None else _explain_by_other_method)(
            model, batch, target, targets_per_document, settings
        )
    # A sum is finite only if all its terms are; checking it is faster than checking every element.
    with np.errstate(over="ignore", invalid="ignore"):
        finite = all(np.isfinite(each.sum()) for each in arrays)
    if not finite:  # the terms may still be finite and only their sum overflow
        _check_finite(explained, batch, settings)
    return explained


def _check_finite(explained: Sequence[DocumentRelevance], batch: Batch, settings: ExplainSettings) -> None:
    for n, each in enumerate(explained):
        for values in (each.relevance, *each.ledger.values()):
            if not np.isfinite(values).all():
                raise ModelError(
                    f"relevance must be finite; got {values[~np.isfinite(values)][0]} for text "
                    f"{batch.readings[n].document_id!r} with {settings.printed}. Choose another rule or method, or "
                    'pass dtype="float64".'
                )


def _explain_by_lrp(
    model: Classifier, batch: Batch, target: Any, targets_per_document: list[Any] | None, settings: ExplainSettings
) -> _BatchResult:
    fast = None if settings.fast is None else settings.fast(batch)
    if fast is not None:
        scores = _checked_scores(fast.scores, model, batch)
        targets_of_each = _resolve(target, targets_per_document, model, batch, scores)
        propagated = fast.propagate(_seed(fast.scores, targets_of_each))
        return _of_each_text(propagated, batch, scores, targets_of_each)
    if len(batch) > model.max_texts_per_trace:
        each_text = [
            _explain_by_lrp(
                model, batch.select([n]), target, targets_per_document and targets_per_document[n : n + 1], settings
            )
            for n in range(len(batch))
        ]
        return [found for explained, _ in each_text for found in explained], [
            array for _, arrays in each_text for array in arrays
        ]
    trace = settings.trace(batch)
    scores = _checked_scores(trace.scores, model, batch)
    targets_of_each = _resolve(target, targets_per_document, model, batch, scores)
    begun = started(trace, settings.composite, settings.start)
    trace = begun.trace
    if not settings.phrases and trace.windows is not None:
        return _explain_by_fused_sweep(begun, scores, batch, targets_of_each, settings)
    watch = window_values(trace) if settings.phrases else (PIECES,) if isinstance(batch, PieceBatch) else ()
    propagated = propagate(trace, settings.composite, _seed(trace.seed_scores, targets_of_each), watch=watch)
    explained, arrays = _of_each_text(propagated, batch, scores, targets_of_each, begun)
    if settings.phrases:
        explained = [
            each._replace(
                phrases=winning_phrases(
                    trace, propagated, settings.composite, batch, n, len(each.targets), settings.phrases
                )
            )
            for n, each in enumerate(explained)
        ]
    return explained, arrays


def _checked_scores(scores: Tensor, model: Classifier, batch: Batch) -> Array:
    return check_scores(scores.cpu().numpy(), model.classes_, lambda n: batch.readings[n].document_id)


def _seed(scores: Tensor, targets_of_each: Sequence[_Targets]) -> Tensor:
    """The relevance (K, N, C) of the scores; a document with fewer targets than another one has rows of zeros."""
    seed = scores.new_zeros((max(map(len, targets_of_each)), *scores.shape))
    for n, targets in enumerate(targets_of_each):
        seed[: len(targets), n] = one_hot_seed(scores[n : n + 1], targets)[:, 0]
    return seed


def _of_each_text(
    propagated: Propagated,
    batch: Batch,
    scores: Array,
    targets_of_each: Sequence[_Targets],
    begun: Started | None = None,
) -> _BatchResult:
    """The results for each text of a batch whose relevance was propagated together."""
    relevance = propagated.relevance.cpu().numpy()
    ledger = {key: entry.cpu().numpy() for key, entry in propagated.ledger.items()}
    pieces = propagated.watched[PIECES].cpu().numpy() if PIECES in propagated.watched else None
    explained = []
    for n, targets in enumerate(targets_of_each):
        count, words = len(targets), int(batch.lengths[n])
        entries = {key: entry[:count, n] for key, entry in ledger.items()}
        found = DocumentRelevance(scores[n], targets, relevance[:count, n, :words], entries)
        if begun is not None:
            found = found._replace(start=begun.start, fixed_sign=begun.fixed_sign, remarks=begun.remarks)
        if pieces is not None:
            found = found._replace(pieces=pieces[:count, n])
        explained.append(found)
    return explained, [relevance, *ledger.values()]


def _explain_by_fused_sweep(
    begun: Started, scores: Array, batch: Batch, targets_of_each: Sequence[_Targets], settings: ExplainSettings
) -> _BatchResult:
    """The fast path for a CNN with max pooling: one sweep computes the maps of the needed classes of every text."""
    needed = {targets: classes_of_targets(targets) for targets in set(targets_of_each)}
    most_classes = max(len(each.classes) for each in needed.values())
    # The sweep takes the same number of classes for every text: shorter lists repeat their first class.
    filled = {key: (each.classes + each.classes[:1] * most_classes)[:most_classes] for key, each in needed.items()}
    all_classes = len(filled) == 1 and filled[targets_of_each[0]] == list(range(scores.shape[1]))
    classes = None if all_classes else np.array([filled[targets] for targets in targets_of_each], dtype=np.int64)
    fused = propagate_fused(begun.trace, settings.composite, classes)
    explained, end, begun_with = [], 0, begun[1:]
    lengths = batch.lengths.tolist()
    for n, (targets, ledger, length) in enumerate(zip(targets_of_each, fused.entries, lengths, strict=True)):
        begin, end = end, end + length
        of_targets = needed[targets]
        relevance = fused.relevance[begin:end].T
        if not of_targets.is_identity or len(targets) < most_classes or relevance.dtype != scores.dtype:
            relevance, ledger = of_targets.combine(relevance, scores.dtype), of_targets.combine(ledger, scores.dtype)
        entries = dict(zip(fused.keys, ledger.T, strict=True))
        explained.append(DocumentRelevance(scores[n], targets, relevance, entries, (), *begun_with))
    return explained, [fused.relevance, fused.entries]


def _explain_by_other_method(
    model: Classifier, batch: Batch, target: Any, targets_per_document: list[Any] | None, settings: ExplainSettings
) -> _BatchResult:
    assert settings.method is not None
    scores = model.scores(batch)
    dtype = np.dtype(settings.dtype or scores.dtype)
    targets_of_each = _resolve(target, targets_per_document, model, batch, scores)
    needed = [classes_of_targets(targets) for targets in targets_of_each]
    classes = [each.classes for each in needed]
    attributions = attribute_batch(model, batch, classes, settings.method, dtype=settings.dtype)
    explained = []
    for n, (targets, of_targets, attribution) in enumerate(zip(targets_of_each, needed, attributions, strict=True)):
        entries = {key: of_targets.combine(entry, dtype) for key, entry in attribution.ledger.items()}
        relevance = of_targets.combine(attribution.relevance, dtype)
        explained.append(DocumentRelevance(scores[n].astype(dtype), targets, relevance, entries))
    return explained, [values for each in explained for values in (each.relevance, *each.ledger.values())]


def _resolve(
    target: Any, per_document: list[Any] | None, model: Classifier, batch: Batch, scores: Array
) -> list[_Targets]:
    classes, thresholds = model.classes_, thresholds_of(model)
    given = [target] if per_document is None else per_document
    predicted = any(each is None or (isinstance(each, list) and None in each) for each in given)
    own = own_predictions_of(model, batch, scores) if predicted else None  # a model may have to be called for it
    if per_document is None:
        return resolve_targets(target, classes, scores, thresholds, own)
    found = []
    for n, of_document in enumerate(per_document):
        one = slice(n, n + 1)
        found += resolve_targets(of_document, classes, scores[one], thresholds, None if own is None else own[one])
    return found
