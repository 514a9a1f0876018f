"""Explanations of many documents, compact: one row a document with list columns, in Arrow and in Parquet.

A row keeps what a model read of a document: its words, where they stand, and their relevance for each target. The
text itself stays where it came from; ``row`` and ``document_id`` lead back to it.

Letters: N documents, L words a row keeps, C classes, K explained targets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular
from textlrp.text.opening import open_for_arrow

Precision = Literal["float16", "float32"]
PRECISIONS = ("float16", "float32")

FORMAT = "rows 1"
_KEY = b"textlrp"

Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class About:
    """What all rows of a table share: kept in its schema.

    ``classes`` (C,) the labels as text; ``model`` the fingerprint; ``precision`` of the relevance; ``top_k`` how many
    words of the largest absolute relevance a row keeps of each target, None for all. ``start``: what propagation
    starts from, as in :class:`.Explanation`; ``notes``: sentences on how the relevance is to be read.
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
        """The columns, with all this as metadata."""
        if self.precision not in PRECISIONS:
            raise OptionError(f"precision={self.precision!r} came; 'float16' or 'float32' is wanted.")
        said = {
            "format": FORMAT,
            **{
                name: getattr(self, name)
                for name in self.__slots__
                if name not in _UNSAID or getattr(self, name) != _UNSAID[name]
            },
            "relevance": _MEANING[self.precision],
        }
        relevance = pa.list_(pa.list_(pa.float16() if self.precision == "float16" else pa.float32()))
        fields = [pa.field(name, relevance if kind is None else kind, name == "gold") for name, kind in _COLUMNS]
        return pa.schema(fields, metadata={_KEY: json.dumps(said, ensure_ascii=False).encode()})


_UNSAID: dict[str, Any] = {"start": "score", "notes": ()}
"""What metadata leaves out, as those of older versions do."""

_MEANING = {
    "float16": "relevance[target][word] × scale, as float16: the error is at most 0.001 of the row's largest",
    "float32": "relevance[target][word] as float32, exact; scale is 1",
}
_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("row", pa.int64()),  # the document's place in the input, from 0
    ("document_id", pa.string()),
    ("gold", pa.string()),
    ("predicted", pa.string()),
    ("scores", pa.list_(pa.float32())),  # (C,) before the softmax
    ("targets", pa.list_(pa.int32())),  # (K,) places in the classes
    ("versus", pa.list_(pa.int32())),  # (K,) the class held against each target, -1 for none
    ("words", pa.list_(pa.string())),  # (L,) as the model looks them up
    ("starts", pa.list_(pa.int32())),  # (L,) characters of the text
    ("ends", pa.list_(pa.int32())),
    ("known", pa.list_(pa.bool_())),  # (L,) whether the model knows the word
    ("scale", pa.float32()),
    ("relevance", None),  # (K, L)
    ("absorbed", pa.list_(pa.float32())),  # (K,) relevance that reached no word
    ("left_out", pa.list_(pa.float32())),  # (K,) relevance of words the row does not keep
)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One document on its way into a table; arrays as in the columns, ``spans`` (L, 2) starts and ends."""

    row: int
    document_id: str
    gold: str | None
    predicted: str
    scores: Numbers
    targets: Sequence[int]
    versus: Sequence[int]
    words: Sequence[str]
    spans: Numbers
    known: Numbers
    relevance: Numbers
    absorbed: Numbers
    left_out: Numbers

    def strongest(self, top_k: int) -> Row:
        """The row with those words alone that are among the ``top_k`` of largest |relevance| for some target."""
        size = np.abs(self.relevance)
        order = np.argsort(-size, axis=1, kind="stable")[:, :top_k]
        kept = np.unique(order[np.take_along_axis(size, order, axis=1) > 0])
        relevance = self.relevance[:, kept]
        return replace(
            self,
            words=[self.words[place] for place in kept.tolist()],
            spans=self.spans[kept],
            known=self.known[kept],
            relevance=relevance,
            left_out=self.left_out + self.relevance.sum(axis=1) - relevance.sum(axis=1),
        )


def to_table(rows: Sequence[Row], about: About) -> pa.Table:
    """Some rows as one Arrow table of :meth:`About.schema`."""
    if about.top_k is not None:
        rows = [row.strongest(about.top_k) for row in rows]
    relevance = [np.ascontiguousarray(row.relevance, dtype=np.float32) for row in rows]
    scales = np.ones(len(rows), np.float32)
    if about.precision == "float16":
        scales = np.array([np.abs(own).max(initial=0) or 1 for own in relevance], dtype=np.float32)
        relevance = [(own / scale).astype(np.float16) for own, scale in zip(relevance, scales, strict=True)]
    by_word = _offsets([len(row.words) for row in rows])
    spans = _joined([row.spans for row in rows], (0, 2), np.int32)
    words = [word for row in rows for word in row.words]

    def of_words(values: Any) -> Any:
        return pa.ListArray.from_arrays(by_word, values)

    columns = {
        "row": pa.array([row.row for row in rows], pa.int64()),
        "document_id": pa.array([row.document_id for row in rows], pa.string()),
        "gold": pa.array([row.gold for row in rows], pa.string()),
        "predicted": pa.array([row.predicted for row in rows], pa.string()),
        "scores": _lists([row.scores for row in rows], np.float32),
        "targets": _lists([row.targets for row in rows], np.int32),
        "versus": _lists([row.versus for row in rows], np.int32),
        "words": of_words(pa.array(words, pa.string())),
        "starts": of_words(np.ascontiguousarray(spans[:, 0])),
        "ends": of_words(np.ascontiguousarray(spans[:, 1])),
        "known": of_words(_joined([row.known for row in rows], (0,), np.bool_)),
        "scale": pa.array(scales),
        "relevance": _matrices(relevance, about.precision),
        "absorbed": _lists([row.absorbed for row in rows], np.float32),
        "left_out": _lists([row.left_out for row in rows], np.float32),
    }
    schema = about.schema()
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _offsets(lengths: Sequence[int]) -> Any:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _joined(arrays: Sequence[Numbers], empty: tuple[int, ...], dtype: Any) -> Numbers:
    return np.concatenate([np.zeros(empty, dtype), *arrays]).astype(dtype, copy=False)


def _lists(arrays: Sequence[Any], dtype: Any) -> Any:
    return pa.ListArray.from_arrays(
        _offsets([len(own) for own in arrays]),
        pa.array(_joined([np.asarray(own, dtype) for own in arrays], (0,), dtype)),
    )


def _matrices(arrays: Sequence[Numbers], dtype: Any) -> Any:
    """Arrays (K, L) as lists of lists."""
    values = pa.array(_joined([own.reshape(-1) for own in arrays], (0,), dtype))
    inner = np.repeat([own.shape[1] for own in arrays], [own.shape[0] for own in arrays])
    return pa.ListArray.from_arrays(
        _offsets([own.shape[0] for own in arrays]), pa.ListArray.from_arrays(_offsets(inner.tolist()), values)
    )


# ---- reading them back


def about_of(schema: pa.Schema) -> About:
    """What a table of rows says about itself; raises :class:`DataError` for any other table."""
    try:
        said = json.loads((schema.metadata or {})[_KEY])
        said = _UNSAID | said
        values = {name: said[name] for name in About.__slots__}
        about = About(**values | {"classes": tuple(said["classes"]), "notes": tuple(said["notes"])})
        if said["format"] == FORMAT and schema.names == about.schema().names:
            return about
    except (KeyError, TypeError, ValueError):
        pass
    raise DataError("these are no rows of explanations that textlrp wrote, or a newer version did.")


def relevance_of(table: pa.Table) -> list[Numbers]:
    """The relevance (K, L) of each row, float32, as it was before it was scaled."""
    found = []
    for values, scale in zip(table["relevance"], table["scale"].to_pylist(), strict=True):
        own = values.values  # K lists
        numbers = own.flatten().to_numpy(zero_copy_only=False).astype(np.float32) * np.float32(scale)
        found.append(numbers.reshape(len(own), -1) if len(own) else np.zeros((0, 0), np.float32))
    return found


def read_rows(path: str | Path, *, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The tables of a folder of rows, or of one Parquet file of them, in the order of the input.

    ``columns``: the names to read, all if None. One row group at a time is in memory. Raises :class:`DataError` where
    there are none.
    """
    place = Path(path)
    check_regular(place)
    files = sorted(place.glob("part-*.parquet")) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise DataError(f"there are no rows of explanations at {str(path)!r}.")
    for file in files:
        try:
            with open_for_arrow(file) as raw, pq.ParquetFile(raw) as opened:
                about_of(opened.schema_arrow)
                for group in range(opened.num_row_groups):
                    yield opened.read_row_group(group, columns=columns)
        except (pa.ArrowException, OSError):
            raise DataError(f"{str(file)!r} is not a Parquet file, or it is damaged.") from None


def tidy(table: pa.Table) -> pa.Table:
    """One line for each document, target and word: a long table for pandas, DuckDB or Polars.

    Columns: row, document_id, target, versus, word, start, end, known, relevance (float32).
    """
    about = about_of(table.schema)
    relevance = relevance_of(table)
    lengths = [own.shape[1] for own in relevance]
    targets = [own.shape[0] for own in relevance]
    line = np.repeat(np.arange(len(table)), [own.size for own in relevance] or 0)
    firsts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    word = np.concatenate(
        [
            np.zeros(0, np.int64),
            *[
                np.tile(first + np.arange(length), count)
                for first, length, count in zip(firsts, lengths, targets, strict=True)
            ],
        ]
    )
    names = pa.array([*about.classes, None])
    target = [np.repeat(own, length) for own, length in zip(table["targets"].to_pylist(), lengths, strict=True)]
    versus = [np.repeat(own, length) for own, length in zip(table["versus"].to_pylist(), lengths, strict=True)]

    def words(name: str) -> Any:
        return pa.concat_arrays([chunk.flatten() for chunk in table[name].chunks] or [pa.array([])]).take(
            pa.array(word)
        )

    def classes(places: list[Numbers]) -> Any:
        flat = _joined(places, (0,), np.int64)
        return names.take(pa.array(np.where(flat < 0, len(about.classes), flat)))

    return pa.table(
        {
            "row": table["row"].take(pa.array(line)),
            "document_id": table["document_id"].take(pa.array(line)),
            "target": classes(target),
            "versus": classes(versus),
            "word": words("words"),
            "start": words("starts"),
            "end": words("ends"),
            "known": words("known"),
            "relevance": _joined([own.reshape(-1) for own in relevance], (0,), np.float32),
        }
    )


# ---- Parquet

WRITING: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["document_id", "gold", "predicted", "targets.list.element", "versus.list.element",
                       "words.list.element"],
    "column_encoding": {"starts.list.element": "DELTA_BINARY_PACKED", "ends.list.element": "DELTA_BINARY_PACKED",
                        "row": "DELTA_BINARY_PACKED"},
}  # fmt: skip
"""How rows are written: what makes files small without making them slow."""
