"""Restore explanations from plain data, the inverse of :meth:`textlrp.Explanation.to_dict`. Only NumPy is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import BEFORE_SOFTMAX, Phrase, Pieces, Tokens


def from_dict(data: Mapping[str, Any]) -> Explanation:
    """Restore an explanation from the result of :meth:`Explanation.to_dict`.

    Raises :class:`DataError` if a field is missing. A field of a wrong type or shape raises a built-in exception, or
    none: :func:`textlrp.store.read` checks the fields.
    """
    try:
        dtype = np.dtype(data["dtype"])
        count = len(data["targets"])
        probabilities = data["probabilities"]
        thresholds, true_labels = data.get("thresholds"), data.get("true_labels")  # only of multi-label models
        pieces = data.get("pieces")  # only of transformers
        return Explanation(
            document_id=data["document_id"],
            tokens=Tokens(data["text"], np.array(data["spans"], dtype=np.int32).reshape(-1, 2), tuple(data["forms"])),
            labels=tuple(data["labels"]),
            scores=np.array(data["scores"], dtype=dtype),
            probabilities=None if probabilities is None else np.array(probabilities, dtype=dtype),
            targets=tuple((t[0], t[1]) if isinstance(t, list) else t for t in data["targets"]),
            relevance=np.array(data["relevance"], dtype=dtype).reshape(count, -1),
            status=np.array(data["status"], dtype=np.uint8),
            counts=np.array(data["counts"], dtype=np.int32),
            ledger={(e["step"], e["cause"]): np.array(e["relevance"], dtype=dtype) for e in data["ledger"]},
            phrases=tuple(Phrase(**{**p, "relevance": np.array(p["relevance"], dtype)}) for p in data["phrases"]),
            method=data["method"],
            rule=data["rule"],
            model=data["model"],
            version=data["version"],
            true_label=data["true_label"],
            start=data.get("start", "score"),  # the last four may be missing, as in rows of a bulk run
            notes=tuple(data.get("notes", ())),
            target_notes=tuple(data.get("target_notes", ())),
            score_name=data.get("score_name", BEFORE_SOFTMAX),
            thresholds=None if thresholds is None else np.array(thresholds, dtype=dtype),
            true_labels=None if true_labels is None else tuple(true_labels),
            own_prediction=data.get("own_prediction"),
            pieces=None if pieces is None else Pieces.from_dict(pieces, dtype),
        )
    except KeyError as missing:
        raise DataError(f"field {missing} of the explanation is missing. Write the explanation again.") from None
