"""Parts of a corpus: so many rows of the input in order, read as one table and written as one file."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from textlrp.bulk.sources import Source
from textlrp.files.written_file import atomic_file
from textlrp.store.columns import arrow_table, write_parquet
from textlrp.text.opening import open_for_arrow
from textlrp.text.readers import BadRow, Record

if TYPE_CHECKING:
    from textlrp.bulk.explainer import BatchExplainer

PART_ROWS = 2048
"""Rows of the input in one part: a multiple of the 64 documents that are explained together."""

SET_ASIDE = b"rejected"
"""Where the file of a part keeps the rows that could not be read."""

PART_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),  # place in the input, from 0
        ("document_id", pa.string()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("wrong", pa.string()),  # why there is no text
    ]
)


class Written(NamedTuple):
    """What came of a part: its number, documents explained, rows set aside, bytes of its file once it is written."""

    part: int
    documents: int
    rejected: int
    bytes: int = 0


def cut(rows: Iterable[Record | BadRow], *, skip: Callable[[int], bool] = lambda part: False) -> Iterator[pa.Table]:
    """The rows of a corpus as one table after another of :data:`PART_SCHEMA`, without the parts to ``skip``."""
    rows, part = iter(rows), 0
    while own := list(islice(rows, PART_ROWS)):
        if not skip(part):
            yield _table(own, part * PART_ROWS)
        part += 1


class Parts:
    """The parts of a corpus that are still to be explained, read as they are asked for.

    ``done``: the numbers of those that need not be; ``seen``: how many parts were read or passed over so far.
    """

    def __init__(self, source: Source) -> None:
        self.done: Collection[int] = frozenset()
        self.seen = 0
        self._source = source
        self._rest = cut(source, skip=self._skip)
        self._ahead: deque[pa.Table] = deque()

    def __iter__(self) -> Iterator[pa.Table]:
        return self

    def __next__(self) -> pa.Table:
        while self._ahead:
            part = self._ahead.popleft()
            if part_of(part) not in self.done:
                return part
        return next(self._rest)

    def first(self) -> pa.Table | None:
        """The part that comes next, and still does after this; None where all is done."""
        part = next(self, None)
        if part is not None:
            self._ahead.appendleft(part)
        return part

    def are_several(self) -> bool:
        """Whether there are two more at least; reads two ahead."""
        self._ahead.extend(islice(self._rest, 2 - len(self._ahead)))
        return len(self._ahead) > 1

    def elsewhere(self) -> Callable[[], Iterator[pa.Table]]:
        """What reads the same parts in another process."""
        return partial(_to_do, self._source, frozenset(self.done))

    def count(self) -> None:
        """Read on to the end of the input, for the number of parts alone."""
        for _ in self:
            pass

    def _skip(self, part: int) -> bool:
        self.seen = part + 1
        return part in self.done


def _to_do(source: Source, done: Collection[int]) -> Iterator[pa.Table]:
    return cut(source, skip=done.__contains__)


def part_of(table: pa.Table) -> int:
    """The number of a part."""
    return int(table["row"][0].as_py()) // PART_ROWS


def part_name(part: int) -> str:
    """The file of a part."""
    return f"part-{part:06d}.parquet"


def _table(rows: list[Record | BadRow], first: int) -> pa.Table:
    good = [row if isinstance(row, Record) else Record("", None, None) for row in rows]  # type: ignore[arg-type]
    columns: dict[str, list[Any]] = {
        "row": list(range(first, first + len(rows))),
        "document_id": [row.id for row in good],
        "text": [row.text for row in good],
        "label": [None if row.label is None else str(row.label) for row in good],
        "wrong": [row.wrong if isinstance(row, BadRow) else None for row in rows],
    }
    return arrow_table(columns, PART_SCHEMA)


def encode(explainer: BatchExplainer, table: pa.Table, sink: Any) -> Written:
    """Explain the rows of a part and write them as Parquet to a file."""
    is_bad = pc.is_valid(table["wrong"])
    bad, good = table.filter(is_bad), table.filter(pc.invert(is_bad))
    aside = [
        {"row": row + 1, "wrong": wrong}
        for row, wrong in zip(bad["row"].to_pylist(), bad["wrong"].to_pylist(), strict=True)
    ]
    tables, schema = explainer.tables(good), explainer.about.schema()
    documents = write_parquet(tables, sink, schema, {SET_ASIDE: json.dumps(aside, ensure_ascii=False)})
    return Written(part_of(table), documents, len(aside))


def size_of(explainer: BatchExplainer, table: pa.Table) -> int:
    """How many bytes the file of these rows has."""
    sink = BytesIO()
    encode(explainer, table, sink)
    return sink.tell()


def write_part(explainer: BatchExplainer, table: pa.Table, folder: Path) -> Written:
    """Explain a part and write its file whole: a reader meets all of it or nothing."""
    path = folder / part_name(part_of(table))
    with atomic_file(path) as beside:
        with open_for_arrow(beside, "wb") as sink:
            done = encode(explainer, table, sink)
        size = _settle(beside)
    return done._replace(bytes=size)


def write_bytes(data: bytes, part: int, folder: Path) -> int:
    """Write the file of a part that was encoded elsewhere; its size."""
    with atomic_file(folder / part_name(part)) as beside:
        beside.write_bytes(data)
        return _settle(beside)


def _settle(path: Path) -> int:
    """Bring a file to the disk before it gets its name; its size."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def set_aside_of(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """How many documents the file of a part holds, and the rows of that part that were set aside."""
    with open_for_arrow(path) as file:
        metadata = pq.read_metadata(file)
    return metadata.num_rows, json.loads((metadata.metadata or {})[SET_ASIDE])
