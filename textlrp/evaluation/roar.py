"""Recursive ROAR: mask the most relevant words, train again, and ask whether the new model is less accurate.

The words that a method calls relevant are masked in training and held-out documents. A model that is trained on the
masked documents computes which words to mask next. If the method is faithful, accuracy falls faster than with random
words. No model ever reads a kind of text that it was not trained on.

Letters: N documents, M held-out documents, L words of a document, S steps.

Source: Madsen et al. 2022 (arXiv 2110.08412), sections 3 and 4; ROAR is due to Hooker et al. 2019 (arXiv 1806.10758).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.arrays import Array
from textlrp.errors import DataError
from textlrp.evaluation.masked_words import (
    MaskedDocument,
    masked_document,
    more_masked,
    packed_masks,
    unpacked_masks,
)
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus, word_relevances
from textlrp.evaluation.planting import one_label, unused_words
from textlrp.evaluation.retraining import split_documents, trainable, trained
from textlrp.models.base import TextClassifier
from textlrp.models.options import check_whole
from textlrp.records import Document

STEPS = 10
"""Steps by default: 10% of the words in each."""

Keep = Callable[[int, Callable[[], Mapping[str, Array]]], Mapping[str, Array]]
"""A function that returns the arrays of a step: those that it kept, or those that the given function computes."""


class RoarCurve(NamedTuple):
    """Accuracy against the share of masked words, for one method and seed.

    ``shares`` (S + 1,) are from 0 to 1. ``correct`` (M, S + 1) is whether a held-out document is classified correctly
    by the model of the step. ``ids`` (M,) are the ids of the documents.
    """

    shares: NDArray[np.float64]
    correct: NDArray[np.bool_]
    ids: tuple[str, ...]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """(S + 1,) accuracy of the model of each step."""
        return np.asarray(self.correct.mean(axis=0))


def recursive_roar(
    model: TextClassifier,
    documents: Iterable[Document],
    method: MethodSpec,
    *,
    held_out: Iterable[Document] | None = None,
    steps: int = STEPS,
    seed: int = 0,
    base: Callable[[], TextClassifier] | None = None,
    keep: Keep = lambda step, make: make(),
) -> RoarCurve:
    """Train classifiers with the options of ``model`` on documents with more and more of their words masked.

    At step s the s / ``steps`` most relevant words of each document for its true label are masked, by the model of
    the step before; masked words stay masked. One made-up word replaces each, so the other words keep their
    positions. That is one training for each step, and one before the first.

    ``documents`` have one label each; a quarter of them is held out of training unless ``held_out`` is given.
    ``base`` returns the model trained on the documents without masks, if it exists. ``keep`` may store the arrays of
    a step; a later call continues from them.

    Raises :class:`ModelError` if the model is not a textlrp classifier, :class:`OptionError` for wrong ``steps``, and
    as the method does.
    """
    model = trainable(model)
    check_whole("steps", steps, hint=f"Pass steps={STEPS}.")
    training = list(documents)
    if held_out is None:
        training, held_out = split_documents(training, seed=seed)
    rest = list(held_out)
    labels = np.array([one_label(document) for document in rest], dtype=object)
    original = [*training, *rest]
    mask = unused_words(original, 1, np.random.default_rng(0))[0]
    readings = model.reader().read_all(original)
    spans = [reading.tokens.spans[reading.positions] for reading in readings]
    masks: list[NDArray[np.bool_]] = [np.zeros(len(each), dtype=bool) for each in spans]
    shares = np.arange(steps + 1) / steps
    current: TextClassifier | None = None

    def masked() -> list[MaskedDocument]:
        return [masked_document(*each, mask) for each in zip(original, spans, masks, strict=True)]

    def fitted() -> TextClassifier:
        changed = [each.document for each in masked()[: len(training)]]
        return base() if base is not None and not any(map(np.any, masks)) else trained(model, changed, seed=seed)

    correct = []
    for step, share in enumerate(shares.tolist()):

        def make(step: int = step, share: float = share) -> Mapping[str, Array]:
            nonlocal current, masks
            if step == steps:
                masks = [np.ones(len(each), dtype=bool) for each in spans]
            elif step:
                current = current or fitted()
                relevances = _relevances(current, masked(), method)
                masks = [more_masked(*each, share) for each in zip(masks, relevances, strict=True)]
            current = fitted()
            predicted = current.predict([each.document for each in masked()[len(training) :]])
            right = np.array([str(name) for name in predicted.tolist()], dtype=object) == labels
            return {"masks": packed_masks(masks), "correct": np.asarray(right, dtype=bool)}

        before = current
        found = keep(step, make)
        if current is before:  # the step was kept: its model does not exist
            current = None
        masks = unpacked_masks(found["masks"], [len(each) for each in spans])
        correct.append(found["correct"])
    return RoarCurve(shares, np.stack(correct, axis=1), tuple(document.id for document in rest))


def _relevances(
    model: TextClassifier, documents: Sequence[MaskedDocument], method: MethodSpec
) -> list[NDArray[np.float64]]:
    """(L,) for each of N documents: the relevance of its original words for its true label, in its masked text."""
    corpus = score_corpus(model, [each.document for each in documents])
    relevances = word_relevances(corpus, method).true_label
    found: list[NDArray[np.float64]] = [np.zeros(len(each.spans)) for each in documents]
    for batch, rows in corpus.iter_batches():
        for reading, row in zip(batch.readings, rows.tolist(), strict=True):
            relevance = relevances[row]
            if relevance is not None:
                found[row] = documents[row].relevance(reading, relevance)
    return found


def relative_area(shares: ArrayLike, accuracy: ArrayLike, random: ArrayLike) -> float:
    """Compute RACU, the relative area between the curves of a method and of random masking, all (S + 1,).

    With accuracies p_i of the method and b_i of random masking at the shares x_i (i = 0 … S), Δx_i = x_{i+1} − x_i:
    RACU = Σ_i ½ Δx_i (b_i − p_i + b_{i+1} − p_{i+1}) / Σ_i ½ Δx_i (b_i − b_S + b_{i+1} − b_S), i < S.
    0 is as good as random; negative is worse. Raises :class:`DataError` if random masking does not lower accuracy.
    Source: Madsen et al. 2022, section 4.2.
    """
    x, own, baseline = (np.asarray(each, dtype=np.float64) for each in (shares, accuracy, random))
    whole = float(np.trapezoid(baseline - baseline[-1], x))
    if whole <= 0:
        raise DataError(
            "random must be higher than its last value, the accuracy with all words masked; got an area of "
            f"{whole:.3g}. Pass documents that the model can classify."
        )
    return float(np.trapezoid(baseline - own, x)) / whole
