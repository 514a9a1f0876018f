"""Check explanations: numbers finite in float32 before they are written, fields consistent after they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import STARTS

WRONG_VALUES = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""Exceptions that building an explanation from damaged or unrelated data may raise."""


def checked_float32(explanations: Explanation | Iterable[Explanation]) -> Iterator[Explanation]:
    """Yield the explanations with all numbers converted to float32.

    Raises :class:`DataError` for a number that is not finite in float32, and for anything but an explanation.
    """
    for each in (explanations,) if isinstance(explanations, Explanation) else explanations:
        if not isinstance(each, Explanation):
            raise DataError(
                f"explanations must be textlrp.Explanation objects; got {type(each).__name__}. "
                "Pass the result of textlrp.explain()."
            )
        single = partial(_finite_float32, document=each.document_id)
        yield replace(
            each,
            scores=single(each.scores),
            probabilities=None if each.probabilities is None else single(each.probabilities),
            thresholds=None if each.thresholds is None else single(each.thresholds),
            relevance=single(each.relevance),
            ledger={key: single(entry) for key, entry in each.ledger.items()},
            phrases=tuple(phrase._replace(relevance=single(phrase.relevance)) for phrase in each.phrases),
        )


def _finite_float32(values: Any, document: str) -> Any:
    with np.errstate(over="ignore"):
        array = np.asarray(values).astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise DataError(
            f"the explanation of {document!r} contains a number that is not finite in float32, so it cannot be "
            "stored. Check the weights of the model for NaN and very large values."
        )
    return array


def consistent(explanation: Explanation, where: str) -> Explanation:
    """Return the explanation if its fields are consistent, so that all later code can rely on it.

    Raises :class:`DataError` otherwise; ``where`` is the place in the file, for the message.
    """
    e, count, length = explanation, len(explanation.targets), len(explanation.tokens)
    positions = [p for t in e.targets for p in (t if isinstance(t, tuple) else (t,))]
    positions += [] if e.own_prediction is None else [e.own_prediction]
    edges = e.tokens.spans.reshape(-1)
    fits = (
        count > 0
        and e.scores.dtype.kind == "f"
        and all(np.isfinite(numbers).all() for numbers in (e.scores, e.relevance, *e.ledger.values()))
        and len(e.labels) > 0
        and e.scores.shape == (len(e.labels),)
        and (e.probabilities is None or e.probabilities.shape == e.scores.shape)
        and (e.thresholds is None or (e.thresholds.shape == e.scores.shape and np.isfinite(e.thresholds).all()))
        and (e.true_labels is None or all(isinstance(name, str) for name in e.true_labels))
        and all(isinstance(p, int) and 0 <= p < len(e.labels) for p in positions)
        and len(e.tokens.forms) == length
        and e.relevance.shape == (count, length)
        and e.status.shape == e.counts.shape == (length,)
        and (not length or int(e.status.max()) <= 4)
        and all(entry.shape == (count,) for entry in e.ledger.values())
        and all(phrase.relevance.shape == (count,) for phrase in e.phrases)
        and e.start in STARTS
        and len(e.target_notes) in (0, count)
        and all(isinstance(name, str) for name in (e.text, e.document_id, *e.labels, *e.tokens.forms))
        and all(isinstance(note, str) for note in (*e.notes, *e.target_notes))
        and (not length or (edges[0] >= 0 and edges[-1] <= len(e.text) and bool((np.diff(edges) >= 0).all())))
    )
    if not fits:
        raise DataError(f"{where}: the fields of the explanation are inconsistent. Write the file again.")
    return explanation
