"""Explanations as rows of an Arrow table, and back.

Whole explanations come back to the bit. A row of a bulk run has no text and no ledger: the text is rebuilt from the
stored words, and the ledger is the relevance of none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from textlrp.explanation import Explanation, from_dict
from textlrp.store.columns import WHOLE, About, arrow_table

ROWS_TOGETHER = 32
REBUILT = "The text was not stored: only the stored words are shown, at their offsets."
"""A note on explanations whose text is rebuilt from their words."""


def tables_of(explanations: Iterable[Explanation]) -> Iterator[pa.Table]:
    """Whole explanations as Arrow tables of a few rows each."""
    first, rest = 0, iter(explanations)
    while some := list(islice(rest, ROWS_TOGETHER)):
        columns: dict[str, list[Any]] = {
            "row": list(range(first, first + len(some))),
            "predicted": [e.labels[e.predicted] for e in some],
            "targets": [[t[0] if isinstance(t, tuple) else t for t in e.targets] for e in some],
            "versus": [[t[1] if isinstance(t, tuple) else -1 for t in e.targets] for e in some],
            "words": [e.tokens.forms for e in some],
            "starts": [e.tokens.spans[:, 0] for e in some],
            "ends": [e.tokens.spans[:, 1] for e in some],
            "scale": [1] * len(some),
            "left_out": [[0] * len(e.targets) for e in some],
            "ledger": [[{"step": s, "cause": c, "relevance": r} for (s, c), r in e.ledger.items()] for e in some],
            "phrases": [[phrase._asdict() for phrase in e.phrases] for e in some],
        }
        columns |= {name: [getattr(e, name) for e in some] for name in WHOLE.names if name not in columns}
        yield arrow_table(columns, WHOLE)
        first += len(some)


def explanation_of(row: Mapping[str, pa.Scalar], about: About | None) -> Explanation:
    """The explanation in a row, a whole one without ``about``; raises ValueError and the like for a damaged row."""
    data: dict[str, Any] = {name: _from_cell(cell) for name, cell in row.items()}
    pairs = zip(data["targets"].tolist(), data["versus"].tolist(), strict=True)
    data |= {
        "forms": data["words"],
        "spans": np.stack([data["starts"], data["ends"]], axis=1),
        "targets": [target if versus < 0 else [target, versus] for target, versus in pairs],
        "relevance": data["relevance"].astype(np.float32) * np.float32(data["scale"]),
        "dtype": "float32",
    }
    if about is not None:
        entries = (("all steps", "absorbed", data["absorbed"]), ("top-k", "left out", data["left_out"]))
        data |= {name: getattr(about, name) for name in About.__slots__} | {
            "labels": about.classes,
            "text": _rebuilt(data["words"], data["spans"].tolist()),
            "probabilities": None,
            "counts": np.full(len(data["words"]), -1),
            "ledger": [{"step": s, "cause": c, "relevance": entry} for s, c, entry in entries if entry.any()],
            "phrases": [],
            "notes": (*about.notes, REBUILT),
        }
    return from_dict(data)


def _from_cell(cell: pa.Scalar) -> Any:
    """A list of numbers as an array, also of lists of numbers, end to end; any other value as Python has it."""
    items = cell.values if pa.types.is_list(cell.type) else None
    if items is not None and pa.types.is_list(items.type):
        items = items.flatten()
    if items is None or not pa.types.is_primitive(items.type):
        return cell.as_py()
    return items.to_numpy(zero_copy_only=False)


def _rebuilt(words: Iterable[str], spans: Iterable[tuple[int, int]]) -> str:
    """A text with the words at their offsets, cut or filled with spaces to their lengths."""
    pieces, position = [], 0
    for word, (start, end) in zip(words, spans, strict=True):
        pieces += [" " * (start - position), word[: end - start].ljust(end - start)]
        position = end
    return "".join(pieces)
