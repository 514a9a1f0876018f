"""What the process of a run and those that work for it say to each other. Needs no torch.

A process gets messages one after the other and answers each but :class:`Begin`; a table is a part to explain.
"""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa


class SharedTable(NamedTuple):
    """Where a table lies: the name of the memory, its shape and type."""

    name: str
    shape: tuple[int, int]
    dtype: str


class SharedProjections(NamedTuple):
    """Projections that processes share: of the first ``words`` of the vocabulary, a table for each width."""

    words: int
    tables: dict[int, SharedTable]

    def release(self) -> None:
        """Give the memory back, once no process begins to use it any more."""
        for table in self.tables.values():
            with suppress(FileNotFoundError):
                memory = SharedMemory(table.name)
                memory.close()
                memory.unlink()


class Introduce(NamedTuple):
    """Answered by what all rows share (:class:`textlrp.rows.About`)."""


class Size(NamedTuple):
    """Answered by how many bytes the explanations of these rows take in a file."""

    rows: pa.Table


class Share(NamedTuple):
    """Answered by projections in shared memory, of at most so many bytes; None where there are none to share."""

    memory: int


class Begin(NamedTuple):
    """The parts that follow are to be explained into a folder, and each answered by what came of it.

    Where no projections are ``shared``, the process makes its own in at most ``memory`` bytes.
    """

    shared: SharedProjections | None
    memory: int
    folder: Path
