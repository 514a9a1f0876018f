"""Convert explanations to rows of an Arrow table, and rows to explanations.

Whole explanations are restored bit for bit. A row of a bulk run contains no text and no ledger: the text is rebuilt
from the stored words, and the ledger has at most two entries, for the columns ``absorbed`` and ``left_out``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.predicted import highest_position
from textlrp.store.columns import LABEL_SETS_SCHEMA, WHOLE_SCHEMA, RunMetadata, arrow_table

ROWS_PER_TABLE = 32
REBUILT = "The text was not stored: only the stored words are shown, at their offsets."
"""The note of explanations whose text is rebuilt from their words."""


def schema_and_tables(explanations: Iterable[Explanation]) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """Return whole explanations as Arrow tables of :data:`ROWS_PER_TABLE` rows, and their schema.

    The first explanation decides whether the tables have the columns of multi-label models. The iterator raises
    :class:`DataError` for an explanation of the other kind.
    """
    rest = iter(explanations)
    first = next(rest, None)
    several = first is not None and first.thresholds is not None
    schema = LABEL_SETS_SCHEMA if several else WHOLE_SCHEMA
    return schema, _tables(chain(() if first is None else (first,), rest), schema, several)


def _tables(explanations: Iterable[Explanation], schema: pa.Schema, several: bool) -> Iterator[pa.Table]:
    first, rest = 0, iter(explanations)
    while some := list(islice(rest, ROWS_PER_TABLE)):
        for e in some:
            if (e.thresholds is not None) != several:
                raise DataError(
                    "explanations must be all of multi-label models, or none of them; that of "
                    f"{e.document_id!r} differs from the first. Write them to two files."
                )
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
        columns |= {name: [getattr(e, name) for e in some] for name in schema.names if name not in columns}
        yield arrow_table(columns, schema)
        first += len(some)


def explanation_of(row: Mapping[str, pa.Scalar], metadata: RunMetadata | None) -> Explanation:
    """Return the explanation in a row of a bulk run, or in a row of whole explanations if ``metadata`` is None.

    Raises an exception of ``stored_checks.WRONG_VALUES`` for a damaged row.
    """
    data: dict[str, Any] = {name: _from_cell(cell) for name, cell in row.items()}
    pairs = zip(data["targets"].tolist(), data["versus"].tolist(), strict=True)
    data |= {
        "forms": data["words"],
        "spans": np.stack([data["starts"], data["ends"]], axis=1),
        "targets": [target if versus < 0 else [target, versus] for target, versus in pairs],
        "relevance": data["relevance"].astype(np.float32) * np.float32(data["scale"]),
        "dtype": "float32",
    }
    if metadata is not None:
        entries = (("all steps", "absorbed", data["absorbed"]), ("top-k", "left out", data["left_out"]))
        data |= {name: getattr(metadata, name) for name in RunMetadata.__slots__} | {
            "labels": metadata.classes,
            "text": _rebuilt(data["words"], data["spans"].tolist()),
            "probabilities": None,
            "counts": np.full(len(data["words"]), -1),
            "ledger": [{"step": s, "cause": c, "relevance": entry} for s, c, entry in entries if entry.any()],
            "phrases": [],
            "notes": (*metadata.notes, REBUILT),
        }
    labels, predicted = tuple(data["labels"]), data["predicted"]
    highest = labels[highest_position(data["scores"], None)]
    # a label that is no valid Unicode is stored differently as a value, so it is not found
    if data.get("thresholds") is None and predicted != highest and predicted in labels:
        data["own_prediction"] = labels.index(predicted)
    return from_dict(data)


def _from_cell(cell: pa.Scalar) -> Any:
    """Return lists of numbers as an array (lists of lists are flattened), and any other value as a Python object."""
    items = cell.values if pa.types.is_list(cell.type) else None
    if items is not None and pa.types.is_list(items.type):
        items = items.flatten()
    if items is None or not pa.types.is_primitive(items.type):
        return cell.as_py()
    return items.to_numpy(zero_copy_only=False)


def _rebuilt(words: Iterable[str], spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with the words at their offsets, truncated or padded with spaces to their lengths."""
    pieces, position = [], 0
    for word, (start, end) in zip(words, spans, strict=True):
        pieces += [" " * (start - position), word[: end - start].ljust(end - start)]
        position = end
    return "".join(pieces)
