"""Projections in memory that the processes of one machine share."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.projections import Kept
from textlrp.models.base import TextClassifier
from textlrp.models.tracing import kept_projections, memory_kept


class SharedTable(NamedTuple):
    """Where a table lies: the name of the memory, its shape and type."""

    name: str
    shape: tuple[int, int]
    dtype: str


class SharedProjections(NamedTuple):
    """:class:`Kept` as other processes find it."""

    words: int
    tables: dict[int, SharedTable]

    def attach(self) -> tuple[Kept, list[SharedMemory]]:
        """The projections, and the memory to hold on to while they are used."""
        memories = {width: SharedMemory(table.name) for width, table in self.tables.items()}
        arrays: dict[int, NDArray[Any]] = {
            width: np.ndarray(table.shape, table.dtype, buffer=memories[width].buf)
            for width, table in self.tables.items()
        }
        return Kept(self.words, arrays), list(memories.values())


SHARED = "/dev/shm"
"""Where Linux keeps shared memory: it hands out more than there is, and a process that fills it dies."""


def _room() -> float:
    return shutil.disk_usage(SHARED).free if os.path.isdir(SHARED) else math.inf


@contextmanager
def shared_projections(model: TextClassifier, memory: int) -> Iterator[SharedProjections | None]:
    """The projections of a model's frequent words, for other processes.

    None for a model without any, and where the system has no room for shared memory (a container's /dev/shm).
    """
    if _room() < memory_kept(model, memory):
        yield None
        return
    made: list[SharedMemory] = []
    names: list[SharedTable] = []

    def allocate(shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        made.append(SharedMemory(create=True, size=max(1, size)))
        names.append(SharedTable(made[-1].name, shape, np.dtype(dtype).str))
        return np.ndarray(shape, dtype, buffer=made[-1].buf)

    try:
        kept = kept_projections(model, memory, allocate)
        if kept is None:
            yield None
            return
        shared = SharedProjections(kept.words, dict(zip(kept.tables, names, strict=True)))
        del kept
        yield shared
    finally:
        for own in made:
            own.close()
            own.unlink()
