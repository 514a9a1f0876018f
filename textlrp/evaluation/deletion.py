"""Word deletion and insertion: how fast does accuracy change when words are deleted in order of their relevance?

The word deletion experiment of Arras et al. 2017 uses documents of at least 100 words. Up to 50 words of each are
deleted one at a time: the word's vector becomes zero, its position stays. Two variants are measured too: words that
are removed so that the gap closes, and words that are inserted one at a time into an empty text.

Letters: N documents, L words of a document that the model reads, S steps, M documents of a protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.evaluation.intervals import (
    PairedDifference,
    bootstrap_interval,
    kept_interval,
    paired_difference,
    paired_differences,
)
from textlrp.evaluation.measured_corpus import ScoredCorpus
from textlrp.models.word_paths import Change, path_scores
from textlrp.records import MIN_DOCUMENTS

STEPS, MIN_WORDS = 50, 100
"""Words deleted from each document, and the words a document must have, as in Arras et al. 2017."""


class Protocol(NamedTuple):
    """A deletion experiment: which documents, relevance for which class, which order, and how a word is deleted.

    ``correct``: whether to use correctly or incorrectly classified documents. ``target``: the class whose relevance
    orders the words. ``change``: how a step changes a word; see :data:`textlrp.models.word_paths.Change`. ``better``:
    whether a lower or a higher area under the accuracy curve is better.
    """

    name: str
    title: str
    correct: bool
    target: Literal["true_label", "predicted"]
    most_relevant_first: bool
    change: Change
    better: Literal["lower", "higher"]


DELETION_PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "correct", "correctly classified documents: delete the words most relevant for the true class",
        True, "true_label", True, "zero", "lower",
    ),
    Protocol(
        "incorrect-true", "incorrectly classified documents: delete the words that most oppose the true class",
        False, "true_label", False, "zero", "higher",
    ),
    Protocol(
        "incorrect-predicted",
        "incorrectly classified documents: delete the words most relevant for the predicted class",
        False, "predicted", True, "zero", "higher",
    ),
)  # fmt: skip
"""The three protocols of Arras et al. 2017."""

OTHER_PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "correct",
        "correctly classified documents: remove the words most relevant for the true class and close the gap",
        True, "true_label", True, "remove", "lower",
    ),
    Protocol(
        "correct",
        "correctly classified documents: insert the words most relevant for the true class into an empty text",
        True, "true_label", True, "insert", "higher",
    ),
)  # fmt: skip
"""Deletion that closes the gap, and insertion."""


def protocol_documents(corpus: ScoredCorpus, protocol: Protocol, min_words: int = MIN_WORDS) -> NDArray[np.bool_]:
    """(N,) mask of the documents of a protocol.

    They have at least ``min_words`` words and a label that the model knows, and their prediction is correct or
    incorrect, as the protocol requires.
    """
    correct = corpus.predicted == corpus.true_label
    return np.asarray((corpus.lengths >= min_words) & (corpus.true_label >= 0) & (correct == protocol.correct))


def deletion_order(
    relevance: Array, known: NDArray[np.bool_], steps: int, *, most_relevant_first: bool
) -> NDArray[np.int64]:
    """Positions of at most ``steps`` known words, sorted by ``relevance`` (L,); ties keep the order of the text."""
    words = np.flatnonzero(known)
    values = relevance[words]
    # argsort is ascending, so negate for most relevant first; "stable" breaks ties by position
    return words[np.argsort(-values if most_relevant_first else values, kind="stable")[:steps]].astype(np.int64)


def still_correct(
    corpus: ScoredCorpus,
    protocol: Protocol,
    relevances: Sequence[Array | None],
    *,
    steps: int = STEPS,
    min_words: int = MIN_WORDS,
    reverse: bool = False,
    full_forward_passes: bool = False,
    progress: Callable[[int], object] = lambda documents: None,
) -> Array:
    """Change words one at a time, and return whether the prediction is correct before the first and after each step.

    ``relevances[n]`` (L,) is the relevance of the words of document n for the target of the protocol, or None to
    leave the document out. Row m of the result (M, S + 1) is the m-th document of :func:`protocol_documents` that has
    relevances. ``reverse`` reverses the order of the words. Once all known words of a document are changed, its
    remaining steps repeat the last result. ``full_forward_passes`` computes the scores without the shortcut for max
    pooling; see :func:`textlrp.models.word_paths.path_scores`. ``progress`` is called with the number of documents
    done since the last call.
    Source: Arras et al. 2017, word deletion.
    """
    included = protocol_documents(corpus, protocol, min_words) & np.array([each is not None for each in relevances])
    result_row = np.cumsum(included) - 1
    correct = np.zeros((int(included.sum()), steps + 1), dtype=bool)
    for batch, rows in corpus.iter_batches(included):
        orders = []
        for n, row in enumerate(rows.tolist()):
            known = batch.text(n) > 0
            relevance = relevances[row]
            assert relevance is not None
            most_first = protocol.most_relevant_first != reverse
            orders.append(deletion_order(relevance, known, steps, most_relevant_first=most_first))
        scores = path_scores(
            corpus.model, batch, orders, change=protocol.change, full_forward_passes=full_forward_passes
        )
        for row, path in zip(rows.tolist(), scores, strict=True):
            is_correct = path.argmax(axis=1) == corpus.true_label[row]
            correct[result_row[row], : len(is_correct)] = is_correct
            correct[result_row[row], len(is_correct) :] = is_correct[-1]
        progress(len(rows))
    return correct


@dataclass(frozen=True, slots=True, eq=False)
class DeletionCurve:
    """Accuracy (S + 1,) against the number of changed words, its 95% band, and the area under the curve.

    ``area`` is the mean accuracy over steps 1 to S, ``interval`` its 95% bootstrap interval.
    """

    accuracy: Array
    low: Array
    high: Array
    area: float
    interval: tuple[float, float]


def deletion_curve(correct: Array, *, seed: int = 0) -> DeletionCurve:
    """The accuracy curve of the result (M, S + 1) of :func:`still_correct`, M >= 1.

    ``correct`` may also be a mean of such results over random orders. The band is the normal approximation for a mean
    of M documents; the interval of the area is a bootstrap over documents.
    """
    accuracy = correct.mean(axis=0)
    half = 1.96 * correct.std(axis=0) / np.sqrt(len(correct))
    areas = document_areas(correct)
    return DeletionCurve(
        accuracy,
        np.clip(accuracy - half, 0, 1),
        np.clip(accuracy + half, 0, 1),
        float(areas.mean()),
        bootstrap_interval(areas, seed=seed),
    )


def document_areas(correct: Array) -> Array:
    """(M,) area under the curve of each document: the mean over steps 1 to S."""
    return np.asarray(correct[:, 1:].mean(axis=1, dtype=np.float64))


def area_difference(correct: Array, reference: Array, *, seed: int = 0) -> PairedDifference:
    """The area under the curve of ``correct`` minus that of ``reference``, both (M, S + 1) of the same documents."""
    return paired_difference(document_areas(correct), document_areas(reference), seed=seed)


def steps_as_in_training(known: NDArray[np.integer[Any]], word_dropout: float) -> dict[str, Any] | None:
    """The steps that delete no larger share of a document's words than word dropout did in training.

    Word dropout deletes a share of the words of a text, while a step of word deletion deletes one word of every
    document: a small share of a long document, a large one of a short one. ``known`` (M,) are the known words of the
    documents of a protocol. ``steps`` is the last step that is within the share in 95% of the documents, so that a
    few very short ones do not decide, and ``half`` the last step that is in half of them. None without word dropout,
    or if already the first step is beyond the share.
    """
    within = np.sort(np.floor(known * word_dropout + 1e-9))[::-1]  # the last step within the share, longest first
    if not len(within):
        return None
    steps, half = (int(within[int(np.ceil(share * len(within))) - 1]) for share in (0.95, 0.5))
    return {"word_dropout": word_dropout, "steps": steps, "half": half} if steps else None


def protocol_results(
    protocol: Protocol, correct_by_method: Mapping[str, Array], *, reference: str, seed: int = 0
) -> dict[str, Any]:
    """Curves and area differences of a protocol as plain data for ``results.json``.

    ``correct_by_method`` maps each method's title to its result (M, S + 1) of :func:`still_correct`. ``reference`` is
    the title of the method that the others are compared with.
    """
    documents = len(correct_by_method[reference])
    result: dict[str, Any] = {
        "name": protocol.name,
        "title": protocol.title,
        "mode": protocol.change,
        "better": protocol.better,
        "documents": documents,
        "curves": [],
        "differences": [],
    }
    if documents:
        result["curves"] = [_plain_curve(title, correct, seed) for title, correct in correct_by_method.items()]
        areas = {title: document_areas(correct) for title, correct in correct_by_method.items()}
        compared = paired_differences(areas, reference=reference, better=protocol.better, seed=seed)
        result["differences"] = [
            {"method": title, "against": reference, **found} for title, found in compared.items()
        ]
    return result


def _plain_curve(title: str, correct: Array, seed: int) -> dict[str, Any]:
    found, documents = deletion_curve(correct, seed=seed), len(correct)
    has_band = documents >= MIN_DOCUMENTS
    return {
        "method": title,
        "accuracy": found.accuracy.tolist(),
        "low": found.low.tolist() if has_band else None,
        "high": found.high.tolist() if has_band else None,
        "area": found.area,
        "interval": kept_interval(found.interval, documents),
    }
