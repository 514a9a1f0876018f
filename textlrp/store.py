"""Explanations kept in open files: JSON Lines and Parquet, one document a line or row.

Stored numbers are float32; what was float32 comes back the same to the bit. Both ways stream: a file
is never held whole in memory, and never left half-written.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textlrp.errors import DataError
from textlrp.explanation import Explanation, Phrase, from_dict
from textlrp.files.input_paths import check_regular
from textlrp.files.kinds import json_lines
from textlrp.files.written_file import FileKind, written_beside
from textlrp.records import STARTS, Target, Tokens
from textlrp.text.opening import open_for_arrow
from textlrp.text.surrogates import all_without_surrogates

_FORMAT = {b"textlrp": b"explanations 1"}
_GROUP_NUMBERS = 4_000_000  # relevance values in one row group: 16 MB
_GROUP_ROWS = 512

_text, _floats, _ints = pa.string(), pa.list_(pa.float32()), pa.list_(pa.int32())
_ENTRY = pa.struct({"step": _text, "cause": _text, "relevance": _floats})
_PHRASE = pa.struct(
    {"start": pa.int32(), "end": pa.int32(), "step": _text, "filter": pa.int32(), "relevance": _floats}
)
_COLUMNS = {
    "document_id": _text,
    "gold": _text,
    "text": _text,
    "labels": pa.list_(_text),
    "scores": _floats,
    "probabilities": _floats,
    "targets": pa.list_(_ints),
    "starts": _ints,
    "ends": _ints,
    "forms": pa.list_(_text),
    "status": pa.list_(pa.uint8()),
    "counts": _ints,
    "relevance": pa.list_(_floats),
    "ledger": pa.list_(_ENTRY),
    "phrases": pa.list_(_PHRASE),
    "method": _text,
    "rule": _text,
    "model": _text,
    "version": _text,
    "start": _text,
    "notes": pa.list_(_text),
    "target_notes": pa.list_(_text),
}
_MAY_BE_MISSING = {"gold", "probabilities"}
_SCHEMA = pa.schema(
    [pa.field(name, kind, nullable=name in _MAY_BE_MISSING) for name, kind in _COLUMNS.items()], metadata=_FORMAT
)
_ADDED = ("start", "notes", "target_notes")
_OLDER_SCHEMA = pa.schema([field for field in _SCHEMA if field.name not in _ADDED], metadata=_FORMAT)
"""Files of older versions lack the columns that were added since."""


def _is_parquet_of_ours(path: Path) -> bool:
    try:
        with open_for_arrow(path) as file:
            schema = pq.read_schema(file)
    except pa.ArrowException:
        return False
    return (
        schema.names in (_SCHEMA.names, _OLDER_SCHEMA.names)
        and (schema.metadata or {}).get(b"textlrp") == _FORMAT[b"textlrp"]
    )


STORED = {
    ".jsonl": json_lines("a file of explanations", {*_COLUMNS, "spans", "dtype"} - {"starts", "ends"}, added=_ADDED),
    ".parquet": FileKind("a file of explanations", _is_parquet_of_ours),
}
"""The kinds of files, by suffix."""


def write(explanations: Explanation | Iterable[Explanation], path: str | Path, *, force: bool = False) -> Path:
    """Write to ``.jsonl`` or ``.parquet``, as the name of ``path`` ends; any other end raises :class:`DataError`.

    An existing file of stored explanations is replaced; with ``force=True`` any other is moved to a backup name.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".jsonl":
        return write_jsonl(explanations, path, force=force)
    if suffix == ".parquet":
        return write_parquet(explanations, path, force=force)
    raise DataError(f"cannot tell the format of {str(path)!r}; end the name in .jsonl or .parquet.")


# ---- JSON Lines


def write_jsonl(explanations: Explanation | Iterable[Explanation], path: str | Path, *, force: bool = False) -> Path:
    """One JSON object a line, as :meth:`Explanation.to_dict` gives it; raises :class:`DataError`."""
    with written_beside(path, STORED[".jsonl"], force=force) as beside, beside.open("wb") as file:
        for explanation in _each(explanations):
            file.write(_line(explanation))
    return Path(path)


def _line(explanation: Explanation) -> bytes:
    data = explanation.to_dict()
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        # a lone surrogate has no UTF-8; JSON can still name it
        return json.dumps(data, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def read_jsonl(path: str | Path) -> Iterator[Explanation]:
    """The explanations of a JSON Lines file, one at a time.

    Raises :class:`DataError`, naming file and line, for anything that is not a whole explanation.
    """
    _must_exist(path)
    return _read_lines(path)


def _read_lines(path: str | Path) -> Iterator[Explanation]:
    with Path(path).open("rb") as file:
        for row, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{str(path)!r}, line {row}"
            try:
                data = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError(f"{where}: this line is not JSON, or it is cut off. Write the file again.") from None
            try:
                explanation = from_dict(data)
            except DataError as problem:
                raise DataError(f"{where}: {problem}") from None
            except (TypeError, ValueError, IndexError, AttributeError, OverflowError):
                raise _foreign(where) from None
            yield _consistent(explanation, where)


# ---- Parquet


def write_parquet(
    explanations: Explanation | Iterable[Explanation], path: str | Path, *, force: bool = False
) -> Path:
    """One row a document, with list columns; raises :class:`DataError`."""
    with (
        written_beside(path, STORED[".parquet"], force=force) as beside,
        open_for_arrow(beside, "wb") as file,
        pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer,
    ):
        for group in _groups(_each(explanations)):
            writer.write_batch(_batch(group))
    return Path(path)


def _groups(explanations: Iterable[Explanation]) -> Iterator[list[Explanation]]:
    """Lists of explanations that are small enough for a row group."""
    group: list[Explanation] = []
    numbers = 0
    for explanation in explanations:
        group.append(explanation)
        numbers += explanation.relevance.size + len(explanation.text)
        if numbers >= _GROUP_NUMBERS or len(group) >= _GROUP_ROWS:
            yield group
            group, numbers = [], 0
    if group:
        yield group


def _batch(group: Sequence[Explanation]) -> pa.RecordBatch:
    columns: dict[str, Any] = {
        "document_id": [e.document_id for e in group],
        "gold": [e.gold for e in group],
        "text": [e.text for e in group],
        "labels": [e.labels for e in group],
        "scores": [e.scores for e in group],
        "probabilities": [e.probabilities for e in group],
        "targets": [[t if isinstance(t, tuple) else (t,) for t in e.targets] for e in group],
        "starts": [e.tokens.spans[:, 0] for e in group],
        "ends": [e.tokens.spans[:, 1] for e in group],
        "forms": [e.tokens.forms for e in group],
        "status": [e.status for e in group],
        "counts": [e.counts for e in group],
        "relevance": [list(e.relevance) for e in group],
        "ledger": [[{"step": s, "cause": c, "relevance": r} for (s, c), r in e.ledger.items()] for e in group],
        "phrases": [[phrase._asdict() for phrase in e.phrases] for e in group],
        "method": [e.method for e in group],
        "rule": [e.rule for e in group],
        "model": [e.model for e in group],
        "version": [e.version for e in group],
        "start": [e.start for e in group],
        "notes": [e.notes for e in group],
        "target_notes": [e.target_notes for e in group],
    }
    try:
        arrays = [pa.array(columns[field.name], type=field.type) for field in _SCHEMA]
    except UnicodeEncodeError:
        warnings.warn(
            "a text or name contains half a surrogate pair, which Parquet cannot store; it is written as U+FFFD. "
            "A .jsonl file keeps it.",
            UserWarning,
            stacklevel=2,
        )
        columns = all_without_surrogates(columns)
        arrays = [pa.array(columns[field.name], type=field.type) for field in _SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def read_parquet(path: str | Path) -> Iterator[Explanation]:
    """The explanations of a Parquet file that :func:`write_parquet` wrote, one at a time.

    Raises :class:`DataError` for a missing, damaged or foreign file.
    """
    _must_exist(path)
    try:
        file = pq.ParquetFile(open_for_arrow(path))
    except (pa.ArrowException, OSError):
        raise DataError(f"{str(path)!r} is not a Parquet file, or it is cut off. Write it again.") from None
    if (
        not any(file.schema_arrow.equals(schema) for schema in (_SCHEMA, _OLDER_SCHEMA))
        or (file.schema_arrow.metadata or {}).get(b"textlrp") != _FORMAT[b"textlrp"]
    ):
        file.close(force=True)
        raise _foreign(repr(str(path)))
    return _read_rows(file, path)


def _read_rows(file: pq.ParquetFile, path: str | Path) -> Iterator[Explanation]:
    row = 0
    with file:
        # row group by row group: one reader for all keeps what it has read
        groups = range(file.num_row_groups)
        batches = (batch for group in groups for batch in file.iter_batches(batch_size=64, row_groups=[group]))
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError):
                raise DataError(f"{str(path)!r} is damaged after row {row}. Write it again.") from None
            if batch is None:
                return
            columns = {name: batch.column(name) for name in batch.schema.names}
            for position in range(len(batch)):
                row += 1
                where = f"{str(path)!r}, row {row}"
                try:
                    explanation = _explanation({name: column[position] for name, column in columns.items()})
                except (TypeError, ValueError, IndexError, KeyError):
                    raise _foreign(where) from None
                yield _consistent(explanation, where)


def _explanation(row: dict[str, Any]) -> Explanation:
    spans = np.stack([_numbers(row["starts"]), _numbers(row["ends"])], axis=1)
    targets = tuple(_target(each) for each in row["targets"].as_py())
    relevance = row["relevance"].values.flatten().to_numpy(zero_copy_only=False)
    return Explanation(
        document_id=row["document_id"].as_py(),
        tokens=Tokens(row["text"].as_py(), spans, tuple(row["forms"].as_py())),
        labels=tuple(row["labels"].as_py()),
        scores=_numbers(row["scores"]),
        probabilities=_numbers(row["probabilities"]) if row["probabilities"].is_valid else None,
        targets=targets,
        relevance=relevance.reshape(len(targets), len(spans)).copy(),
        status=_numbers(row["status"]),
        counts=_numbers(row["counts"]),
        ledger={
            (each["step"], each["cause"]): np.array(each["relevance"], dtype=np.float32)
            for each in row["ledger"].as_py()
        },
        phrases=tuple(
            Phrase(**{**each, "relevance": np.array(each["relevance"], dtype=np.float32)})
            for each in row["phrases"].as_py()
        ),
        method=row["method"].as_py(),
        rule=row["rule"].as_py(),
        model=row["model"].as_py(),
        version=row["version"].as_py(),
        gold=row["gold"].as_py(),
        start=row["start"].as_py() if "start" in row else "score",
        notes=tuple(row["notes"].as_py()) if "notes" in row else (),
        target_notes=tuple(row["target_notes"].as_py()) if "target_notes" in row else (),
    )


def _target(positions: list[int]) -> Target:
    return positions[0] if len(positions) == 1 else (positions[0], positions[1])


def _numbers(scalar: Any) -> Any:
    """A list scalar as an array of its own: a slice would keep the whole row group alive."""
    return scalar.values.to_numpy(zero_copy_only=False).copy()


# ---- what both formats share


def _each(explanations: Explanation | Iterable[Explanation]) -> Iterator[Explanation]:
    """One or many, checked and in float32."""
    for each in chain((explanations,) if isinstance(explanations, Explanation) else explanations):
        if not isinstance(each, Explanation):
            raise DataError(f"only Explanations can be stored; got {type(each).__name__}. Pass what explain() gives.")
        yield _float32(each)


def _float32(explanation: Explanation) -> Explanation:
    """The same explanation with float32 numbers, all of them finite."""

    def single(values: Any) -> Any:
        with np.errstate(over="ignore"):
            array = np.asarray(values).astype(np.float32, copy=False)
        if not np.isfinite(array).all():
            raise DataError(
                f"the explanation of {explanation.document_id!r} has a number that is not finite in float32, "
                "so it cannot be stored. Look at the model's weights."
            )
        return array

    return replace(
        explanation,
        scores=single(explanation.scores),
        probabilities=None if explanation.probabilities is None else single(explanation.probabilities),
        relevance=single(explanation.relevance),
        ledger={key: single(entry) for key, entry in explanation.ledger.items()},
        phrases=tuple(phrase._replace(relevance=single(phrase.relevance)) for phrase in explanation.phrases),
    )


def _consistent(explanation: Explanation, where: str) -> Explanation:
    """The explanation, if its parts fit each other; what reads it later may then rely on that."""
    e, count, length = explanation, len(explanation.targets), len(explanation.tokens)
    positions = [p for t in e.targets for p in (t if isinstance(t, tuple) else (t,))]
    edges = e.tokens.spans.reshape(-1)
    fits = (
        count > 0
        and e.scores.dtype.kind == "f"
        and all(np.isfinite(numbers).all() for numbers in (e.scores, e.relevance, *e.ledger.values()))
        and len(e.labels) > 0
        and e.scores.shape == (len(e.labels),)
        and (e.probabilities is None or e.probabilities.shape == e.scores.shape)
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
        raise DataError(f"{where}: the parts of this explanation do not fit each other. Write the file again.")
    return explanation


def _must_exist(path: str | Path) -> None:
    check_regular(path)
    if not Path(path).is_file():
        raise DataError(f"there is no file {str(path)!r} to read explanations from.")


def _foreign(where: str) -> DataError:
    return DataError(f"{where}: this is not an explanation that textlrp stored, or a newer version did.")
