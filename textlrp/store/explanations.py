"""Write Explanations to a file, and read them back from a file or from the folder of a bulk run.

Open it to add a format: one entry of :data:`FORMATS`. Stored numbers are float32 and come back to the bit. Files are
written and read as a stream, and appear whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from textlrp.explanation import Explanation
from textlrp.files.written_file import atomic_file
from textlrp.store.columns import about_of
from textlrp.store.file_formats import format_of, stored_files
from textlrp.store.parquet_file import explanations_of_rows
from textlrp.store.stored_checks import checked_float32


def write(explanations: Explanation | Iterable[Explanation], path: str | Path, *, force: bool = False) -> Path:
    """Write explanations to a ``.jsonl`` or ``.parquet`` file, as the name of ``path`` ends.

    A line of JSON is a :meth:`textlrp.Explanation.to_dict`; :mod:`textlrp.store` lists the columns of Parquet. An
    existing file of explanations is replaced; with ``force=True`` any other file is moved to a backup name. Raises
    :class:`DataError` for another suffix and for numbers that are not finite in float32.
    """
    kind, write_to, _ = format_of(Path(path))
    with atomic_file(path, kind, force=force) as beside:
        write_to(checked_float32(explanations), beside)
    return Path(path)


def read(source: str | Path | pa.Table) -> Iterator[Explanation]:
    """Read explanations one at a time, in the order of the input.

    ``source``: a ``.jsonl`` or ``.parquet`` file, the folder of a bulk run, or a table of
    :class:`textlrp.bulk.BatchExplainer`. A bulk run stores the words that the model read: the text is rebuilt from
    them, and the ledger has the relevance of the words that ``top_k`` left out, and of none. Raises
    :class:`DataError` for a missing source immediately, and for a damaged or foreign file when it is reached.
    """
    if isinstance(source, pa.Table):
        return explanations_of_rows(source.to_batches(64), about_of(source.schema, "the table"), "the table")
    files = stored_files(source)
    formats = [format_of(file) for file in files]
    return chain.from_iterable(own.read(file) for own, file in zip(formats, files, strict=True))
