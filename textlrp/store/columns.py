"""The columns of stored explanations, and functions that write rows to Arrow tables and Parquet files.

Open this module to add a column, or to make the files smaller. :mod:`textlrp.store` describes the columns.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.text.surrogates import all_without_surrogates

Precision = Literal["float16", "float32"]
PRECISIONS: tuple[Precision, ...] = ("float16", "float32")
METADATA = b"textlrp"
"""The key in the metadata of the schema: JSON with the format and, in a bulk run, a :class:`RunMetadata`."""
VERSION = "explanations 2"
OLDER_VERSIONS = ("explanations 1", "rows 1")


_TEXT, _TEXTS, _WHOLE_SCHEMA_NUMBERS = pa.string(), pa.list_(pa.string()), pa.list_(pa.int32())
_SINGLES, _MATRIX = pa.list_(pa.float32()), pa.list_(pa.list_(pa.float32()))
_ALWAYS = {
    "row": pa.int64(), "document_id": _TEXT, "true_label": _TEXT, "predicted": _TEXT, "scores": _SINGLES,
    "targets": _WHOLE_SCHEMA_NUMBERS, "versus": _WHOLE_SCHEMA_NUMBERS,
    "words": _TEXTS, "starts": _WHOLE_SCHEMA_NUMBERS, "ends": _WHOLE_SCHEMA_NUMBERS, "status": pa.list_(pa.uint8()),
    "scale": pa.float32(), "relevance": _MATRIX, "absorbed": _SINGLES, "left_out": _SINGLES,
}  # fmt: skip
_PHRASE = {"start": pa.int32(), "end": pa.int32(), "step": _TEXT, "filter": pa.int32(), "relevance": _SINGLES}
_ONLY_WHOLE = {
    "text": _TEXT, "labels": _TEXTS, "probabilities": _SINGLES, "counts": _WHOLE_SCHEMA_NUMBERS,
    "ledger": pa.list_(pa.struct({"step": _TEXT, "cause": _TEXT, "relevance": _SINGLES})),
    "phrases": pa.list_(pa.struct(_PHRASE)),
    "method": _TEXT, "rule": _TEXT, "model": _TEXT, "version": _TEXT, "start": _TEXT,
    "notes": _TEXTS, "target_notes": _TEXTS,
}  # fmt: skip
_ONLY_LABEL_SETS = {"predicted_labels": _TEXTS, "true_labels": _TEXTS}
"""The additional columns of a multi-label model."""


@dataclass(frozen=True, slots=True)
class RunMetadata:
    """Metadata that all rows of a bulk run share, stored in the metadata of the schema.

    ``classes`` (C,): the labels as text. ``precision``: data type of the relevance. ``top_k``: the number of words
    stored per target, those with the largest absolute relevance; None is all. The other fields are those of
    :class:`textlrp.Explanation`.
    """

    classes: tuple[str, ...]
    method: str
    rule: str
    model: str
    version: str
    precision: Precision
    top_k: int | None
    start: str = "score"
    notes: tuple[str, ...] = ()
    thresholds: tuple[float, ...] | None = None

    def schema(self) -> pa.Schema:
        """Return the columns of a bulk run, with this metadata.

        Raises :class:`OptionError` for an unknown ``precision``.
        """
        if self.precision not in PRECISIONS:
            hint = "Pass precision='float32' for exact relevance."
            raise OptionError(must_be("precision", "'float16' or 'float32'", self.precision, hint))
        kinds = _ALWAYS | {"relevance": pa.list_(pa.list_(getattr(pa, self.precision)()))}
        metadata = asdict(self)
        if self.thresholds is None:  # the metadata of other models is as it was without this field
            del metadata["thresholds"]
            return _schema(kinds, metadata)
        return _schema(kinds | _ONLY_LABEL_SETS, metadata)


def _schema(kinds: Mapping[str, pa.DataType], metadata: Mapping[str, Any]) -> pa.Schema:
    nullable = ("true_label", "true_labels", "probabilities")
    columns = [pa.field(name, kind, name in nullable) for name, kind in kinds.items()]
    return pa.schema(columns, metadata={METADATA: json.dumps({"format": VERSION, **metadata})})


WHOLE_SCHEMA = _schema(_ALWAYS | _ONLY_WHOLE, {})
"""The columns of whole explanations. Each row has its own model and rule."""

LABEL_SETS_SCHEMA = _schema(_ALWAYS | _ONLY_WHOLE | _ONLY_LABEL_SETS | {"thresholds": _SINGLES}, {})
"""The columns of whole explanations of multi-label models."""


def run_metadata_of(schema: pa.Schema, where: str) -> RunMetadata | None:
    """Return the metadata of a table from a bulk run, or None for a table of whole explanations.

    ``where``: name of the table in messages. Raises :class:`DataError` for a table that textlrp did not write, or
    that another version wrote.
    """
    found = (schema.metadata or {}).get(METADATA, b"")
    version = found.decode(errors="replace")
    try:
        content = json.loads(found)
        version, metadata = content.pop("format"), None
        if version == VERSION:
            if content:
                tuples = {
                    name: tuple(content[name]) for name in ("classes", "notes", "thresholds") if name in content
                }
                metadata = RunMetadata(**content | tuples)
            expected = metadata.schema() if metadata else WHOLE_SCHEMA
            if all(schema.field(column.name).type == column.type for column in expected):
                return metadata
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    if version in OLDER_VERSIONS:
        raise DataError(f"{where} was written by an older version of textlrp. Explain the documents again.")
    raise DataError(
        f"{where} contains no explanations that this version of textlrp can read. Pass a file that "
        "textlrp.store.write or a bulk run wrote, or update textlrp if a newer version wrote it."
    )


@dataclass(frozen=True, slots=True, eq=False)
class TableRow:
    """One document of a bulk run. The fields are the columns; ``spans`` (L, 2) contains ``starts`` and ``ends``."""

    row: int
    document_id: str
    true_label: str | None
    predicted: str
    scores: NDArray[Any]
    targets: Sequence[int]
    versus: Sequence[int]
    words: Sequence[str]
    spans: NDArray[Any]
    status: NDArray[Any]
    relevance: NDArray[Any]
    absorbed: NDArray[Any]
    left_out: NDArray[Any]
    predicted_labels: Sequence[str] = ()
    true_labels: Sequence[str] | None = None

    def most_relevant(self, top_k: int) -> TableRow:
        """Return the row with only the ``top_k`` words of each target, those with the largest absolute relevance.

        A word is kept if it is among them for at least one target; words with zero relevance are dropped. The
        relevance of the dropped words is added to ``left_out``.
        """
        size = np.abs(self.relevance)
        order = np.argsort(-size, axis=1, kind="stable")[:, :top_k]
        kept = np.unique(order[np.take_along_axis(size, order, axis=1) > 0])
        relevance = self.relevance[:, kept]
        return replace(
            self,
            words=[self.words[n] for n in kept.tolist()],
            spans=self.spans[kept],
            status=self.status[kept],
            relevance=relevance,
            left_out=self.left_out + self.relevance.sum(axis=1) - relevance.sum(axis=1),
        )


def to_table(rows: Sequence[TableRow], metadata: RunMetadata) -> pa.Table:
    """Return rows of a bulk run as one Arrow table with the columns of :meth:`RunMetadata.schema`."""
    if metadata.top_k is not None:
        rows = [row.most_relevant(metadata.top_k) for row in rows]
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(TableRow)}
    columns["scale"] = [1] * len(rows)
    if metadata.precision == "float16":
        # scaled to [-1, 1]: unscaled, large relevance would overflow in float16 and small relevance underflow
        matrices = columns["relevance"]
        columns["scale"] = [np.abs(matrix, dtype=np.float32).max(initial=0) or 1 for matrix in matrices]
        columns["relevance"] = [
            matrix.astype(np.float32) / scale for matrix, scale in zip(matrices, columns["scale"], strict=True)
        ]
    spans = columns["spans"]
    columns |= {"starts": [pairs[:, 0] for pairs in spans], "ends": [pairs[:, 1] for pairs in spans]}
    return arrow_table(columns, metadata.schema())


def arrow_table(columns: Mapping[str, Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Return an Arrow table of columns given as lists. Half surrogate pairs become U+FFFD, with a warning."""
    try:
        arrays = [_arrow_array(columns[column.name], column.type) for column in schema]
    except UnicodeEncodeError:
        warnings.warn(
            "a text or name contains half a surrogate pair, which Parquet cannot store; it is replaced by U+FFFD. "
            "Write a .jsonl file to keep it.",
            UserWarning,
            stacklevel=2,
        )
        arrays = [_arrow_array(all_without_surrogates(columns[column.name]), column.type) for column in schema]
    return pa.table(arrays, schema=schema)


def _arrow_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Convert values to an Arrow array. Lists of numbers are converted by NumPy, which is many times faster."""
    if not pa.types.is_list(kind) or pa.types.is_struct(kind.value_type) or any(each is None for each in values):
        return pa.array(values, kind)
    inner = kind.value_type
    if pa.types.is_list(inner):
        lengths = np.repeat([matrix.shape[1] for matrix in values], [matrix.shape[0] for matrix in values])
        items = _lists(lengths, _flat_numbers([matrix.reshape(-1) for matrix in values], inner.value_type))
    elif pa.types.is_string(inner):
        items = pa.array(list(chain.from_iterable(values)), inner)
    else:
        items = _flat_numbers(values, inner)
    return _lists([len(each) for each in values], items)


def _flat_numbers(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    dtype = kind.to_pandas_dtype()
    return pa.array(np.concatenate([np.zeros(0, dtype), *values], dtype=dtype, casting="unsafe"))


def _lists(lengths: Sequence[int] | NDArray[Any], items: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)), items)
