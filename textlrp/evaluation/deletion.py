"""Words go in the order of their relevance: how fast does the answer change?

The experiment of Arras et al. 2017 (word deletion): documents of at least 100 words, up to 50 words one at a time,
each becoming the zero vector while its position stays. Beside it, words that go and let their neighbors close up,
and words that come back one after another into an empty text.

Letters: N documents, L words read of one, S steps, M documents of a protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.evaluation.intervals import Difference, bootstrap_interval, paired_difference
from textlrp.evaluation.measured_corpus import ReadCorpus
from textlrp.models.word_paths import Change, path_scores

STEPS, AT_LEAST = 50, 100


class Protocol(NamedTuple):
    """Which documents, whose class, which words first, and which way is better."""

    name: str
    title: str
    right: bool
    target: Literal["true_label", "predicted"]
    most_first: bool
    change: Change
    better: Literal["lower", "higher"]


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol("right", "right documents, true class, most relevant first", True, "true_label", True, "zero", "lower"),
    Protocol(
        "wrong-true", "wrong documents, true class, least relevant first",
        False, "true_label", False, "zero", "higher",
    ),
    Protocol(
        "wrong-predicted", "wrong documents, predicted class, most relevant first",
        False, "predicted", True, "zero", "higher",
    ),
)  # fmt: skip
"""The three of the paper."""

OTHER_PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "right", "right documents, words removed and the gap closed, most relevant first",
        True, "true_label", True, "remove", "lower",
    ),
    Protocol(
        "right", "right documents, words brought back into an empty text, most relevant first",
        True, "true_label", True, "insert", "higher",
    ),
)  # fmt: skip
"""Deletion by removing the word, and insertion."""


def documents_of(corpus: ReadCorpus, protocol: Protocol, min_words: int = AT_LEAST) -> NDArray[np.bool_]:
    """(N,) which documents a protocol looks at: long enough, rightly or wrongly classified, of a known label."""
    right = corpus.predicted == corpus.true_label
    return np.asarray((corpus.lengths >= min_words) & (corpus.true_label >= 0) & (right == protocol.right))


def order_of(relevance: Array, known: NDArray[np.bool_], steps: int, *, most_first: bool) -> NDArray[np.int64]:
    """At most ``steps`` positions of known words (L,), most or least relevant first, the earlier of equals."""
    words = np.flatnonzero(known)
    values = relevance[words]
    return words[np.argsort(-values if most_first else values, kind="stable")[:steps]].astype(np.int64)


def still_correct(
    corpus: ReadCorpus,
    protocol: Protocol,
    relevances: Sequence[Array | None],
    *,
    steps: int = STEPS,
    min_words: int = AT_LEAST,
    reverse: bool = False,
    full_forward_passes: bool = False,
    progress: Callable[[int], object] = lambda documents: None,
) -> Array:
    """(M, S + 1) whether the label is named, before the first step and after each, for the documents of a protocol.

    ``relevances[n]`` (L,) are those of the protocol's target; ``reverse`` turns the order round. A document whose
    known words are used up stays as it is. Row m is the m-th document that :func:`documents_of` wants, of those with
    relevances.
    """
    wanted = documents_of(corpus, protocol, min_words) & np.array([each is not None for each in relevances])
    place = np.cumsum(wanted) - 1
    right = np.zeros((int(wanted.sum()), steps + 1), dtype=bool)
    for batch, rows in corpus.each_batch(wanted):
        orders = []
        for n, row in enumerate(rows.tolist()):
            known = batch.text(n) > 0
            relevance = relevances[row]
            assert relevance is not None
            orders.append(order_of(relevance, known, steps, most_first=protocol.most_first != reverse))
        scores = path_scores(
            corpus.model, batch, orders, change=protocol.change, full_forward_passes=full_forward_passes
        )
        for row, path in zip(rows.tolist(), scores, strict=True):
            named = path.argmax(axis=1) == corpus.true_label[row]
            right[place[row], : len(named)] = named
            right[place[row], len(named) :] = named[-1]
        progress(len(rows))
    return right


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Accuracy (S + 1,) against words changed, a 95 % band, and the area: the mean over steps 1 to S."""

    accuracy: Array
    low: Array
    high: Array
    area: float
    interval: tuple[float, float]


def curve(right: Array, *, seed: int = 0) -> Curve:
    """The curve of :func:`still_correct`'s (M, S + 1), or of its mean over random draws; M >= 1.

    The band is the normal one of a mean of M documents, the area's interval a bootstrap over documents.
    """
    accuracy = right.mean(axis=0)
    half = 1.96 * right.std(axis=0) / np.sqrt(len(right))
    areas = areas_of(right)
    return Curve(
        accuracy,
        np.clip(accuracy - half, 0, 1),
        np.clip(accuracy + half, 0, 1),
        float(areas.mean()),
        bootstrap_interval(areas, seed=seed),
    )


def areas_of(right: Array) -> Array:
    """(M,) each document's own area: the mean over steps 1 to S."""
    return np.asarray(right[:, 1:].mean(axis=1, dtype=np.float64))


def difference(right: Array, reference: Array, *, seed: int = 0) -> Difference:
    """How much larger the area of ``right`` (M, S + 1) is than the reference's."""
    return paired_difference(areas_of(right), areas_of(reference), seed=seed)


def protocol_results(
    protocol: Protocol, rights: Mapping[str, Array], *, reference: str, seed: int = 0
) -> dict[str, Any]:
    """Curves and differences as plain data; ``rights`` holds (M, S + 1) per title, ``reference`` is one of them."""
    documents = len(rights[reference])
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
        result["curves"] = [_plain_curve(title, curve(right, seed=seed)) for title, right in rights.items()]
        result["differences"] = list(_differences(protocol, rights, reference, seed))
    return result


def _plain_curve(title: str, found: Curve) -> dict[str, Any]:
    return {
        "method": title,
        "accuracy": found.accuracy.tolist(),
        "low": found.low.tolist(),
        "high": found.high.tolist(),
        "area": found.area,
        "interval": list(found.interval),
    }


def _differences(
    protocol: Protocol, rights: Mapping[str, Array], reference: str, seed: int
) -> Iterator[dict[str, Any]]:
    for title, right in rights.items():
        if title != reference:
            found = difference(right, rights[reference], seed=seed)
            yield {"method": title, "against": reference, **found.results(protocol.better)}
