"""An explanation as a tidy table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.text.surrogates import all_without_surrogates, without_surrogates

_NAMES = {
    Status.READ: "read",
    Status.SKIPPED: "skipped",
    Status.NOT_A_WORD: "not a word",
    Status.UNKNOWN: "unknown word",
    Status.CUT_OFF: "cut off",
}


def to_frame(explanation: Explanation, *, ledger: bool = False) -> pd.DataFrame:
    """One row per target and token (K × T rows, target by target).

    Columns: ``document``, ``token`` as written, ``start`` and ``end`` (characters), ``class`` (a contrast
    reads ``A, not B``), ``relevance``, ``seen``, ``status`` in words, ``word`` (the form looked up) and
    ``count`` (training documents with the word, -1 where that is not known). What reached no word is in
    ``frame.attrs["ledger"]``, a list of ``{"class", "step", "cause", "relevance"}``; with ``ledger=True`` also as
    rows behind the words, with an empty token, ``start`` and ``end`` -1 and the step and cause as ``status``, so
    that the relevance of a class sums to its ``start_scores``. Half surrogate pairs, which pandas cannot store,
    become U+FFFD.
    """
    names = all_without_surrogates(list(explanation.target_names))
    tokens, forms = (all_without_surrogates(list(words)) for words in (explanation.tokens, explanation.tokens.forms))
    count, spans = len(explanation.targets), explanation.tokens.spans
    statuses = [_NAMES[Status(status)] for status in explanation.status.tolist()]
    frame = pd.DataFrame(
        {
            "document": without_surrogates(explanation.document_id),
            "token": tokens * count,
            "start": np.tile(spans[:, 0], count),
            "end": np.tile(spans[:, 1], count),
            "class": np.repeat(np.array(names, dtype=object), len(spans)),
            "relevance": explanation.relevance.reshape(-1),
            "seen": np.tile(explanation.seen, count),
            "status": statuses * count,
            "word": forms * count,
            "count": np.tile(explanation.counts, count),
        }
    )
    entries = [
        {"class": name, "step": step, "cause": cause, "relevance": float(value)}
        for (step, cause), entry in explanation.ledger.items()
        for name, value in zip(names, entry, strict=True)
    ]
    if ledger and entries:
        frame = pd.concat([frame, _ledger_rows(explanation, entries)], ignore_index=True)
    frame.attrs["ledger"] = entries
    return frame


def _ledger_rows(explanation: Explanation, entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per class and ledger entry, with the columns of the words."""
    return pd.DataFrame(
        {
            "document": without_surrogates(explanation.document_id),
            "token": "",
            "start": np.int32(-1),
            "end": np.int32(-1),
            "class": [entry["class"] for entry in entries],
            "relevance": np.array([entry["relevance"] for entry in entries], dtype=explanation.relevance.dtype),
            "seen": False,
            "status": [f"{entry['step']}: {entry['cause']}" for entry in entries],
            "word": "",
            "count": np.int32(-1),
        }
    )
