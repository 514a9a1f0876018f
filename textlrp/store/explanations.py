"""Write Explanations to a file, and read them back from a file or from the folder of a bulk run.

Open it to add a format: one entry of :data:`FORMATS`. Stored numbers are float32 and come back to the bit. Files are
written and read as a stream, and appear whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textlrp.errors import DataError
from textlrp.explanation import Explanation, from_dict
from textlrp.files.input_paths import check_regular
from textlrp.files.kinds import json_lines
from textlrp.files.written_file import FileKind, written_beside
from textlrp.records import STARTS
from textlrp.store.arrow_rows import explanation_of, tables_of
from textlrp.store.columns import METADATA, WHOLE, About, about_of, write_parquet
from textlrp.text.opening import open_for_arrow

_WRONG = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What reading a foreign or damaged explanation raises."""


def write(explanations: Explanation | Iterable[Explanation], path: str | Path, *, force: bool = False) -> Path:
    """Write explanations to a ``.jsonl`` or ``.parquet`` file, as the name of ``path`` ends.

    A line of JSON is a :meth:`textlrp.Explanation.to_dict`; :mod:`textlrp.store` lists the columns of Parquet. An
    existing file of explanations is replaced; with ``force=True`` any other file is moved to a backup name. Raises
    :class:`DataError` for another suffix and for numbers that are not finite in float32.
    """
    kind, write_to, _ = _format_of(Path(path))
    with written_beside(path, kind, force=force) as beside:
        write_to(_checked_float32(explanations), beside)
    return Path(path)


def read(source: str | Path | pa.Table) -> Iterator[Explanation]:
    """Read explanations one at a time, in the order of the input.

    ``source``: a ``.jsonl`` or ``.parquet`` file, the folder of a bulk run, or a table of
    :class:`textlrp.bulk.BatchExplainer`. A bulk run stores the words that the model read: the text is rebuilt from
    them, and the ledger has the relevance of the words that ``top_k`` left out, and of none. Raises
    :class:`DataError` for a missing source immediately, and for a damaged or foreign file when it is reached.
    """
    if isinstance(source, pa.Table):
        return _rows_of(source.to_batches(64), about_of(source.schema, "the table"), "the table")
    path = Path(source)
    check_regular(path)
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"there are no explanations at {str(source)!r}.")
    formats = [_format_of(file) for file in files]
    return chain.from_iterable(own.read(file) for own, file in zip(formats, files, strict=True))


def _write_lines(explanations: Iterable[Explanation], path: Path) -> None:
    with path.open("wb") as file:
        for explanation in explanations:
            data = explanation.to_dict()
            text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            try:
                line = text.encode()
            except UnicodeEncodeError:  # half a surrogate pair has no UTF-8; an escape in JSON can name it
                line = json.dumps(data, separators=(",", ":")).encode()
            file.write(line + b"\n")


def _read_lines(path: Path) -> Iterator[Explanation]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{str(path)!r}, line {number}"
            try:
                data = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError(f"{where}: this line is not JSON, or it is cut off. Write the file again.") from None
            try:
                explanation = from_dict(data)
            except DataError as problem:
                raise DataError(f"{where}: {problem}") from None
            except _WRONG:
                raise DataError(f"{where}: this is not an explanation that textlrp stored.") from None
            yield _consistent(explanation, where)


def _write_rows(explanations: Iterable[Explanation], path: Path) -> None:
    with open_for_arrow(path, "wb") as sink:
        write_parquet(tables_of(explanations), sink, WHOLE)


def _read_rows(path: Path) -> Iterator[Explanation]:
    where = repr(str(path))
    try:
        with open_for_arrow(path) as raw, pq.ParquetFile(raw) as file:
            about = about_of(file.schema_arrow, where)
            # one row group at a time: a reader of several keeps what it has read
            groups = range(file.num_row_groups)
            batches = (own for group in groups for own in file.iter_batches(batch_size=64, row_groups=[group]))
            yield from _rows_of(batches, about, where)
    except (pa.ArrowException, OSError):
        raise DataError(f"{where} is damaged, or it is not a Parquet file. Explain the documents again.") from None


def _rows_of(batches: Iterable[pa.RecordBatch], about: About | None, source: str) -> Iterator[Explanation]:
    number = 0
    for batch in batches:
        columns = {name: batch.column(name) for name in batch.schema.names}
        for n in range(batch.num_rows):
            number += 1
            where = f"{source}, row {number}"
            try:
                explanation = explanation_of({name: column[n] for name, column in columns.items()}, about)
            except _WRONG:
                raise DataError(f"{where}: this is not an explanation that textlrp stored.") from None
            yield _consistent(explanation, where)


def _is_whole(path: Path) -> bool:
    """Whether a file has whole explanations, of this or an older version."""
    with open_for_arrow(path) as file:
        schema = pq.read_schema(file)
    return METADATA in (schema.metadata or {}) and "text" in schema.names


class Format(NamedTuple):
    """How explanations are stored in one kind of file."""

    kind: FileKind
    write: Callable[[Iterable[Explanation], Path], None]
    read: Callable[[Path], Iterator[Explanation]]


_NAME = "a file of explanations"
_KEYS = {field.name for field in fields(Explanation)} - {"tokens"} | {"text", "spans", "forms", "dtype"}
FORMATS = {
    ".jsonl": Format(json_lines(_NAME, _KEYS, added=("start", "notes", "target_notes")), _write_lines, _read_lines),
    ".parquet": Format(FileKind(_NAME, _is_whole), _write_rows, _read_rows),
}
"""The formats by the suffix of their files."""


def _format_of(path: Path) -> Format:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise DataError(f"the name of the file must end in {' or '.join(FORMATS)}; got {str(path)!r}.") from None


# ---- checks of both formats


def _checked_float32(explanations: Explanation | Iterable[Explanation]) -> Iterator[Explanation]:
    """The explanations with float32 numbers, all of them finite."""
    for each in (explanations,) if isinstance(explanations, Explanation) else explanations:
        if not isinstance(each, Explanation):
            raise DataError(f"only Explanations can be stored; got {type(each).__name__}. Pass what explain() gives.")
        single = partial(_finite_float32, document=each.document_id)
        yield replace(
            each,
            scores=single(each.scores),
            probabilities=None if each.probabilities is None else single(each.probabilities),
            relevance=single(each.relevance),
            ledger={key: single(entry) for key, entry in each.ledger.items()},
            phrases=tuple(phrase._replace(relevance=single(phrase.relevance)) for phrase in each.phrases),
        )


def _finite_float32(values: Any, document: str) -> Any:
    with np.errstate(over="ignore"):
        array = np.asarray(values).astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise DataError(
            f"the explanation of {document!r} has a number that is not finite in float32, so it cannot be stored. "
            "Look at the model's weights."
        )
    return array


def _consistent(explanation: Explanation, where: str) -> Explanation:
    """The explanation if its fields fit each other, so that what reads it later may rely on that."""
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
