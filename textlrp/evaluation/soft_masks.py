"""Soft comprehensiveness and sufficiency: parts of each word's vector are dropped, more the more relevant the word.

The measures of :mod:`textlrp.evaluation.eraser` delete or keep whole words, so they see only the order of relevance.
Here its size counts too, and no text is as far from what the model was trained on as one without most of its words.

Letters: N documents, M documents that are measured, L words, I inputs of the model (words or pieces of words), D
embedding dimensions, S draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.arrays import Array, FloatArray, IntArray
from textlrp.errors import DataError, ModelError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.measured_corpus import ScoredCorpus
from textlrp.models.classifier import Classifier
from textlrp.models.differentiable import InputPoint
from textlrp.models.options import check_whole
from textlrp.text.batches import Batch

DRAWS = 5
"""Random choices of the elements to drop, for each document and each of the two measures."""

MAX_ELEMENTS = 1 << 22
"""Largest number of vector elements in one forward pass, over all draws; a single draw may have more."""


class SoftErasure(NamedTuple):
    """Mean soft comprehensiveness and sufficiency with 95% bootstrap intervals, and the values of the documents (N,).

    The ``spread`` is the standard deviation over the draws of the mean over documents: how much chance there is in
    the two means. ``quantity`` is the "probability" of the predicted class, or its "score" if the model has no
    probabilities. Values are nan for documents that are not measured or are left out; ``n_excluded`` of them, because
    the text without any vector has no lower ``quantity``.
    """

    comprehensiveness: float
    comprehensiveness_interval: Interval
    comprehensiveness_spread: float
    sufficiency: float
    sufficiency_interval: Interval
    sufficiency_spread: float
    quantity: Literal["probability", "score"]
    n_documents: int
    n_excluded: int
    comprehensiveness_values: FloatArray
    sufficiency_values: FloatArray


def soft_erasure(
    corpus: ScoredCorpus,
    relevances: Sequence[Array | None],
    *,
    mask: NDArray[np.bool_] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int], object] = lambda documents: None,
) -> SoftErasure:
    """Compute normalized soft comprehensiveness and sufficiency for the predicted class.

    The importance a of a word is its relevance divided by the largest of the text; a word that opposes the class has
    importance 0. For sufficiency each element of the word's vector is kept with probability a, for comprehensiveness
    with probability 1 - a; the others become 0. With f for the probability of the class, x for the text, x' for the
    text with dropped elements, and 0 for the text in which all vectors are zero:

        comprehensiveness = max(0, f(x) - f(x')) / max(0, f(x) - f(0))
        sufficiency = 1 - max(0, f(x) - f(x')) / max(0, f(x) - f(0))

    Both are means over ``draws``, and high for a good explanation. The same random numbers are used for every method.
    ``relevances[n]`` (L,) is the relevance of document n's words for its predicted class; documents are left out if
    it is None or ``mask`` (N,) is False. ``progress`` is called with the number of documents done since the last
    call.

    Raises :class:`ModelError` if the model does not read word vectors, :class:`DataError` if no document remains.
    Source: Zhao and Aletras 2023 (arXiv 2305.10496), sections 3 and 4.
    """
    check_whole("draws", draws)
    included = np.array([each is not None for each in relevances]) & (corpus.known > 0)
    if mask is not None:
        included &= mask
    found = np.full((2, draws, len(corpus)), np.nan)
    for batch, rows in corpus.iter_batches(included):
        for n, row in enumerate(rows.tolist()):
            relevance = relevances[row]
            assert relevance is not None
            importance = _importance(relevance, batch.text(n) > 0)
            target, noise = int(corpus.predicted[row]), np.random.default_rng([seed, row])
            found[:, :, row] = _of_draws(corpus.model, batch, n, target, importance, draws, noise)
            progress(1)
    defined = np.isfinite(found[0, 0])
    if not defined.any():
        raise DataError(
            "no document is left to measure soft comprehensiveness and sufficiency on: none has a higher score than "
            "a text without words. Pass documents with words of the model's vocabulary."
        )
    comprehensive, sufficient = found.mean(axis=1)
    spreads = found[:, :, defined].mean(axis=2).std(axis=1, ddof=1) if draws > 1 else np.zeros(2)
    return SoftErasure(
        float(comprehensive[defined].mean()),
        bootstrap_interval(comprehensive[defined], seed=seed),
        float(spreads[0]),
        float(sufficient[defined].mean()),
        bootstrap_interval(sufficient[defined], seed=seed),
        float(spreads[1]),
        "score" if corpus.model.probabilities(corpus.scores[:1]) is None else "probability",
        int(defined.sum()),
        int(included.sum() - defined.sum()),
        comprehensive,
        sufficient,
    )


def _importance(relevance: Array, known: NDArray[np.bool_]) -> FloatArray:
    """(L,) the positive relevance of the known words, divided by the largest; 0 if no word supports the class."""
    positive = np.where(known, np.maximum(relevance.astype(np.float64), 0), 0)
    largest = positive.max(initial=0.0)
    return np.asarray(positive / largest if largest > 0 else positive)


@torch.no_grad()
def _of_draws(
    model: Classifier,
    batch: Batch,
    n: int,
    target: int,
    importance: FloatArray,
    draws: int,
    noise: np.random.Generator,
) -> FloatArray:
    """(2, S) comprehensiveness and sufficiency of one text; nan if f(x) is not above f(0)."""
    point = model.input_point(batch, n)
    word_of = _words_of_inputs(point, len(importance))
    share = np.where(word_of >= 0, importance[word_of], 1.0)[:, None]  # the elements of special tokens are kept
    whole, nothing = _values(model, point, torch.stack([point.inputs, torch.zeros_like(point.inputs)]), target)
    if whole <= nothing:
        return np.full((2, draws), np.nan)
    losses = np.zeros((2, draws))
    size = max(1, MAX_ELEMENTS // max(1, point.inputs.numel()))
    for begin in range(0, draws, size):
        drawn = noise.uniform(size=(min(size, draws - begin), *point.inputs.shape))
        special = (word_of < 0)[:, None]
        for which, keep in enumerate(((drawn >= share) | special, (drawn < share) | special)):
            dropped = point.inputs * torch.from_numpy(keep).to(point.inputs.dtype)
            lost = np.maximum(0, whole - _values(model, point, dropped, target)) / (whole - nothing)
            losses[which, begin : begin + size] = lost if which == 0 else 1 - lost
    return losses


def _values(model: Classifier, point: InputPoint, alternatives: Any, target: int) -> FloatArray:
    """(S,) the probability, or else the score, of a class for alternatives (S, I, D)."""
    scores = point.forward(alternatives).numpy()
    probabilities = model.probabilities(scores)
    return np.asarray((scores if probabilities is None else probabilities)[:, target], dtype=np.float64)


def _words_of_inputs(point: InputPoint, words: int) -> IntArray:
    """(I,) the word of each input, -1 for a special token; raises :class:`ModelError` if inputs are not words."""
    inputs, dimensions = point.inputs.shape
    if dimensions > 1:
        mapping = point.to_words(torch.eye(inputs, dtype=point.inputs.dtype)).numpy()
        belongs = mapping != 0
        if mapping.shape == (inputs, words) and (belongs.sum(axis=1) <= 1).all():
            return np.where(belongs.any(axis=1), belongs.argmax(axis=1), -1).astype(np.int64)
    raise ModelError(
        "model must read one vector for each word, so that elements of it can be dropped; this model reads counts of "
        "words and characters. Use comprehensiveness and sufficiency by deletion instead."
    )
