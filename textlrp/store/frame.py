"""Convert explanations to a pandas DataFrame with one row per document, target and token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from textlrp.explanation import Explanation
from textlrp.store.exported_words import STATUS_NAMES
from textlrp.text.surrogates import all_without_surrogates, has_surrogate, without_surrogates

_DTYPES = {
    "document": object, "token": object, "start": np.int32, "end": np.int32, "class": object,
    "relevance": np.float32, "seen": np.bool_, "status": object, "word": object, "count": np.int32,
}  # fmt: skip


def to_frame(explanations: Explanation | Iterable[Explanation], *, ledger: bool = False) -> pd.DataFrame:
    """Return a DataFrame with one row per document, target and token: K × T rows per document, target by target.

    Columns:

    - ``document``: the id of the document.
    - ``token``: the token as written in the text; ``start`` and ``end``: its character offsets.
    - ``class``: the explained class; for a contrast ``A, not B``.
    - ``relevance``: float32.
    - ``seen``: whether the model reads the token; ``status``: ``read``, or why it is ignored.
    - ``word``: the normalized token that the model looks up; ``count``: the number of training documents that contain
      it, -1 if unknown.

    ``frame.attrs["ledger"]`` contains the relevance that reached no word, as a list of ``{"document", "class",
    "step", "cause", "relevance"}``. With ``ledger=True`` these entries are also rows at the end of the table, with an
    empty token, offsets -1, and ``step: cause`` as the status. The relevance of a document and class then sums to its
    ``start_scores``.

    Half surrogate pairs, which pandas cannot store, become U+FFFD.
    """
    every = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    pieces = [_token_columns(each) for each in every]
    columns = {name: [np.zeros(0, dtype), *(piece[name] for piece in pieces)] for name, dtype in _DTYPES.items()}
    frame = pd.DataFrame({name: np.concatenate(arrays) for name, arrays in columns.items()})
    entries = [entry for each in every for entry in _ledger_entries(each)]
    if ledger and entries:
        no_token = {"token": "", "start": -1, "end": -1, "seen": False, "word": "", "count": -1}
        rows = [entry | no_token | {"status": f"{entry['step']}: {entry['cause']}"} for entry in entries]
        frame = pd.concat([frame, pd.DataFrame(rows)[list(frame)].astype(frame.dtypes)], ignore_index=True)
    frame.attrs["ledger"] = entries
    return frame


def _token_columns(explanation: Explanation) -> dict[str, Any]:
    e, count, length = explanation, len(explanation.targets), len(explanation.tokens)

    def repeated(texts: Sequence[str]) -> Any:
        clean = all_without_surrogates(texts) if has_surrogate("".join(texts)) else texts
        return np.tile(np.array(clean, object), count)

    return {
        "document": np.full(count * length, without_surrogates(e.document_id), object),
        "token": repeated(list(e.tokens)),
        "start": np.tile(e.tokens.spans[:, 0], count),
        "end": np.tile(e.tokens.spans[:, 1], count),
        "class": np.repeat(np.array(all_without_surrogates(e.target_names), object), length),
        "relevance": e.relevance.reshape(-1),
        "seen": np.tile(e.seen, count),
        "status": np.tile(STATUS_NAMES[e.status], count),
        "word": repeated(e.tokens.forms),
        "count": np.tile(e.counts, count),
    }


def _ledger_entries(explanation: Explanation) -> list[dict[str, Any]]:
    document, *names = all_without_surrogates([explanation.document_id, *explanation.target_names])
    return [
        {"document": document, "class": name, "step": step, "cause": cause, "relevance": float(value)}
        for (step, cause), entry in explanation.ledger.items()
        for name, value in zip(names, entry, strict=True)
    ]
