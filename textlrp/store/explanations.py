"""Write explanations to a file, and read them back from a file or from the folder of a bulk run.

Stored numbers are float32 and are restored bit for bit. Files are read and written as a stream. Writing is atomic: if
it fails, no incomplete file is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from textlrp.explanation import Explanation
from textlrp.files.written_file import atomic_file
from textlrp.store.columns import run_metadata_of
from textlrp.store.file_formats import format_of, stored_files
from textlrp.store.parquet_file import explanations_of_rows
from textlrp.store.stored_checks import checked_float32


def write(explanations: Explanation | Iterable[Explanation], path: str | Path, *, force: bool = False) -> Path:
    """Write explanations to a ``.jsonl`` or ``.parquet`` file; the suffix of ``path`` selects the format.

    Each line of a ``.jsonl`` file is the JSON of :meth:`textlrp.Explanation.to_dict`. :mod:`textlrp.store` describes
    the columns of a ``.parquet`` file. An existing file of explanations is replaced. Any other existing file is
    refused, or with ``force=True`` moved to a backup name.

    Raises :class:`DataError` for another suffix, for an existing file of another kind, and for numbers that are not
    finite in float32. Returns ``path``.
    """
    kind, write_to, _ = format_of(Path(path))
    with atomic_file(path, kind, force=force) as temporary:
        write_to(checked_float32(explanations), temporary)
    return Path(path)


def read(source: str | Path | pa.Table) -> Iterator[Explanation]:
    """Read explanations one at a time, in the order of the input.

    ``source``: a ``.jsonl`` or ``.parquet`` file, the folder of a bulk run, or a table that
    :class:`textlrp.bulk.BatchExplainer` returned.

    A bulk run stores only the words, so the text of its explanations is rebuilt from them. Their ledger has at most
    two entries: ``("all steps", "absorbed")``, and ``("top-k", "left out")`` for the words that ``top_k`` dropped.

    Raises :class:`DataError` immediately if the source does not exist, and during the iteration if a file is damaged
    or contains no explanations.
    """
    if isinstance(source, pa.Table):
        return explanations_of_rows(source.to_batches(64), run_metadata_of(source.schema, "the table"), "the table")
    files = stored_files(source)
    formats = [format_of(file) for file in files]
    return chain.from_iterable(kind.read(file) for kind, file in zip(formats, files, strict=True))
