"""The columns of stored explanations, and how rows become Arrow tables and Parquet files.

Open it when a column is added or the files must become smaller. The columns are described in :mod:`textlrp.store`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError
from textlrp.text.surrogates import all_without_surrogates

Precision = Literal["float16", "float32"]
PRECISIONS: tuple[Precision, ...] = ("float16", "float32")
METADATA = b"textlrp"
"""The key of the schema's metadata: JSON with the format and, in a bulk run, what all rows share."""
VERSION = "explanations 2"
OLDER_VERSIONS = ("explanations 1", "rows 1")
GROUP_BYTES = 1 << 25
"""Rows are written as soon as they take this many bytes: 32 MiB."""

_TEXT, _TEXTS, _WHOLE_NUMBERS = pa.string(), pa.list_(pa.string()), pa.list_(pa.int32())
_SINGLES, _MATRIX = pa.list_(pa.float32()), pa.list_(pa.list_(pa.float32()))
_ALWAYS = {
    "row": pa.int64(), "document_id": _TEXT, "true_label": _TEXT, "predicted": _TEXT, "scores": _SINGLES,
    "targets": _WHOLE_NUMBERS, "versus": _WHOLE_NUMBERS,
    "words": _TEXTS, "starts": _WHOLE_NUMBERS, "ends": _WHOLE_NUMBERS, "status": pa.list_(pa.uint8()),
    "scale": pa.float32(), "relevance": _MATRIX, "absorbed": _SINGLES, "left_out": _SINGLES,
}  # fmt: skip
_PHRASE = {"start": pa.int32(), "end": pa.int32(), "step": _TEXT, "filter": pa.int32(), "relevance": _SINGLES}
_ONLY_WHOLE = {
    "text": _TEXT, "labels": _TEXTS, "probabilities": _SINGLES, "counts": _WHOLE_NUMBERS,
    "ledger": pa.list_(pa.struct({"step": _TEXT, "cause": _TEXT, "relevance": _SINGLES})),
    "phrases": pa.list_(pa.struct(_PHRASE)),
    "method": _TEXT, "rule": _TEXT, "model": _TEXT, "version": _TEXT, "start": _TEXT,
    "notes": _TEXTS, "target_notes": _TEXTS,
}  # fmt: skip
_OF_ELEMENTS = ".list.element"
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": [
        "document_id", "true_label", "predicted", "method", "rule", "model", "version", "start",
        *(name + _OF_ELEMENTS for name in ("targets", "versus", "words", "status", "labels", "counts", "notes")),
    ],
    "column_encoding": dict.fromkeys(("row", "starts" + _OF_ELEMENTS, "ends" + _OF_ELEMENTS), "DELTA_BINARY_PACKED"),
}  # fmt: skip
"""What makes files small without making them slow."""


@dataclass(frozen=True, slots=True)
class About:
    """What all rows of a bulk run share, stored in the schema's metadata.

    ``classes`` (C,) the labels as text; ``model`` the fingerprint; ``precision`` of the relevance; ``top_k``: how
    many words with the largest absolute relevance are kept for each target, None for all; ``start`` and ``notes`` as
    in :class:`textlrp.Explanation`.
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

    def schema(self) -> pa.Schema:
        """The columns of a bulk run with all this as metadata; raises :class:`OptionError` for another precision."""
        if self.precision not in PRECISIONS:
            raise OptionError(f"precision must be 'float16' or 'float32'; got {self.precision!r}.")
        kinds = _ALWAYS | {"relevance": pa.list_(pa.list_(getattr(pa, self.precision)()))}
        return _schema(kinds, asdict(self))


def _schema(kinds: Mapping[str, pa.DataType], about: Mapping[str, Any]) -> pa.Schema:
    columns = [pa.field(name, kind, name in ("true_label", "probabilities")) for name, kind in kinds.items()]
    return pa.schema(columns, metadata={METADATA: json.dumps({"format": VERSION, **about})})


WHOLE = _schema(_ALWAYS | _ONLY_WHOLE, {})
"""The columns of whole explanations, which may have different models and rules."""


def about_of(schema: pa.Schema, where: str) -> About | None:
    """What all rows of a table share, None for whole explanations; raises :class:`DataError` for any other table."""
    found = (schema.metadata or {}).get(METADATA, b"")
    version = found.decode(errors="replace")
    try:
        said = json.loads(found)
        version, about = said.pop("format"), None
        if version == VERSION:
            if said:
                about = About(**said | {"classes": tuple(said["classes"]), "notes": tuple(said["notes"])})
            wanted = about.schema() if about else WHOLE
            if all(schema.field(column.name).type == column.type for column in wanted):
                return about
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    if version in OLDER_VERSIONS:
        raise DataError(f"{where} was written by an older version of textlrp. Explain the documents again.")
    raise DataError(f"{where} has no explanations that textlrp stored, or a newer version wrote it.")


@dataclass(frozen=True, slots=True, eq=False)
class TableRow:
    """One document of a bulk run: arrays as in the columns, ``spans`` (L, 2) the starts and ends."""

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

    def strongest(self, top_k: int) -> TableRow:
        """The row with only the words that are among the ``top_k`` with the largest |relevance| for some target."""
        size = np.abs(self.relevance)
        order = np.argsort(-size, axis=1, kind="stable")[:, :top_k]
        kept = np.unique(order[np.take_along_axis(size, order, axis=1) > 0])
        relevance = self.relevance[:, kept]
        return replace(
            self,
            words=[self.words[place] for place in kept.tolist()],
            spans=self.spans[kept],
            status=self.status[kept],
            relevance=relevance,
            left_out=self.left_out + self.relevance.sum(axis=1) - relevance.sum(axis=1),
        )


def to_table(rows: Sequence[TableRow], about: About) -> pa.Table:
    """Some rows of a bulk run as one Arrow table with the columns of :meth:`About.schema`."""
    if about.top_k is not None:
        rows = [row.strongest(about.top_k) for row in rows]
    columns = {own.name: [getattr(row, own.name) for row in rows] for own in fields(TableRow)}
    columns["scale"] = [1] * len(rows)
    if about.precision == "float16":
        columns["scale"] = [np.abs(own, dtype=np.float32).max(initial=0) or 1 for own in columns["relevance"]]
        columns["relevance"] = [
            own.astype(np.float32) / scale for own, scale in zip(columns["relevance"], columns["scale"], strict=True)
        ]
    spans = columns["spans"]
    columns |= {"starts": [own[:, 0] for own in spans], "ends": [own[:, 1] for own in spans]}
    return arrow_table(columns, about.schema())


def arrow_table(columns: Mapping[str, Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """An Arrow table of lists of values; half surrogate pairs become U+FFFD with a warning."""
    try:
        arrays = [_arrow_array(columns[column.name], column.type) for column in schema]
    except UnicodeEncodeError:
        warnings.warn(
            "a text or name contains half a surrogate pair, which Parquet cannot store; it is written as U+FFFD. "
            "A .jsonl file keeps it.",
            UserWarning,
            stacklevel=2,
        )
        arrays = [_arrow_array(all_without_surrogates(columns[column.name]), column.type) for column in schema]
    return pa.table(arrays, schema=schema)


def _arrow_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values as an Arrow array; lists of numbers by way of NumPy, which is many times as fast."""
    if not pa.types.is_list(kind) or pa.types.is_struct(kind.value_type) or any(own is None for own in values):
        return pa.array(values, kind)
    inner = kind.value_type
    if pa.types.is_list(inner):
        lengths = np.repeat([own.shape[1] for own in values], [own.shape[0] for own in values])
        items = _lists(lengths, _flat_numbers([own.reshape(-1) for own in values], inner.value_type))
    elif pa.types.is_string(inner):
        items = pa.array(list(chain.from_iterable(values)), inner)
    else:
        items = _flat_numbers(values, inner)
    return _lists([len(own) for own in values], items)


def _flat_numbers(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    dtype = kind.to_pandas_dtype()
    return pa.array(np.concatenate([np.zeros(0, dtype), *values], dtype=dtype, casting="unsafe"))


def _lists(lengths: Sequence[int] | NDArray[Any], items: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)), items)


def write_parquet(
    tables: Iterable[pa.Table], sink: Any, schema: pa.Schema, metadata: Mapping[bytes, str] | None = None
) -> int:
    """Write tables to a file opened for Arrow, one row group at a time; the number of rows."""
    rows = 0
    with pq.ParquetWriter(sink, schema, **_PARQUET) as writer:
        for group in _row_groups(tables):
            writer.write_table(group, row_group_size=len(group))
            rows += len(group)
        writer.add_key_value_metadata(metadata or {})
    return rows


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Tables put together until they are large enough for a row group."""
    group: list[pa.Table] = []
    size = 0
    for table in filter(len, tables):
        group.append(table)
        size += table.nbytes
        if size >= GROUP_BYTES:
            yield pa.concat_tables(group)
            group, size = [], 0
    if group:
        yield pa.concat_tables(group)
