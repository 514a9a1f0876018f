"""Embeddings of texts, stored in the user's cache folder, so that an encoder reads each text only once.

There is one SQLite file for each encoder and its settings; each embedding is stored under a hash of the pieces of its
text. SQLite makes it safe for several processes and for a process that is killed. Everything can be deleted at any
time. Open this module for the format and the largest size of the files.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.arrays import Array
from textlrp.models.transformers.sequence_calls import PieceIds
from textlrp.user_cache import cache_path, is_writable

CACHE_FORMAT = 1
"""Changes whenever embeddings of an unchanged encoder change."""
MAX_CACHE_BYTES = 1 << 30
"""Largest size of the embeddings in one file; the oldest are removed first."""
WAIT_SECONDS = 5.0
"""How long to wait for another process that writes to the file."""
KEYS_PER_QUERY = 500
_END_OF_WINDOW = np.int64(-1).tobytes()
_CREATE_TABLE = "CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, checksum INTEGER, vector BLOB)"


class EmbeddingCache:
    """Embeddings (D,) of one encoder with one ``dtype``; a problem with the file only means that nothing is stored.

    ``settings`` are all that the embeddings depend on, apart from the pieces of a text.
    """

    def __init__(self, settings: Mapping[str, Any], dimensions: int, dtype: str) -> None:
        text = json.dumps({"format": CACHE_FORMAT, "dtype": dtype, **settings}, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        self.path = cache_path("embeddings", f"{name}.sqlite")
        self._dimensions, self._dtype = dimensions, np.dtype(dtype)

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Array]:
        """Return the stored embeddings of some texts by key; damaged ones are left out."""
        found: dict[bytes, Array] = {}

        def select(database: sqlite3.Connection) -> None:
            for begin in range(0, len(keys), KEYS_PER_QUERY):
                some = keys[begin : begin + KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, checksum, vector FROM embeddings WHERE key IN ({marks})"
                for key, checksum, vector in database.execute(query, some):
                    if len(vector) == self._dimensions * self._dtype.itemsize and zlib.crc32(vector) == checksum:
                        found[key] = np.frombuffer(vector, dtype=self._dtype)

        if self.path.is_file():
            self._with_file(select)
        return found

    def write(self, keys: Sequence[bytes], vectors: Array) -> None:
        """Store the embeddings (N, D) of N texts, all of them or none."""
        rows = [(key, zlib.crc32(blob), blob) for key, blob in zip(keys, map(_bytes, vectors), strict=True)]
        most = MAX_CACHE_BYTES // max(1, self._dimensions * self._dtype.itemsize)

        def insert(database: sqlite3.Connection) -> None:
            with database:  # a transaction
                database.execute(_CREATE_TABLE)
                database.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)
                oldest = "DELETE FROM embeddings WHERE rowid <= (SELECT max(rowid) FROM embeddings) - ?"
                database.execute(oldest, (most,))

        if is_writable(self.path.parent):
            self._with_file(insert)

    def _with_file(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Open the file for ``work``. A damaged file is removed; a locked, full or read-only one is ignored."""
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS)) as database:
                work(database)
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            _remove(self.path)


def key_of_text(windows: Sequence[PieceIds]) -> bytes:
    """Return the key of a text, given the pieces of each of its windows."""
    content = hashlib.sha256()
    for window in windows:
        content.update(np.ascontiguousarray(window, dtype=np.int64).tobytes())
        content.update(_END_OF_WINDOW)
    return content.digest()


def _bytes(vector: Array) -> bytes:
    return np.ascontiguousarray(vector).tobytes()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
