"""Projections in memory that the processes of one machine share: made by one of them, used by all."""

from __future__ import annotations

import math
import os
import shutil
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.bulk.messages import SharedProjections, SharedTable
from textlrp.lrp.kernels.projections import Kept
from textlrp.models.base import Classifier
from textlrp.models.tapes import kept_projections, memory_kept

SHARED = "/dev/shm"
"""Where Linux keeps shared memory: it hands out more than there is, and a process that fills it dies."""


def share(model: Classifier, memory: int) -> SharedProjections | None:
    """Put the projections of a model's frequent words where other processes find them, until they are released.

    None for a model without any, and where the system has no room for shared memory (a container's /dev/shm).
    """
    if _room() < memory_kept(model, memory):
        return None
    made: list[SharedMemory] = []
    tables: list[SharedTable] = []

    def allocate(shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        made.append(SharedMemory(create=True, size=max(1, size)))
        tables.append(SharedTable(made[-1].name, shape, np.dtype(dtype).str))
        return np.ndarray(shape, dtype, buffer=made[-1].buf)

    kept = kept_projections(model, memory, allocate)
    if kept is None:
        return None
    shared = SharedProjections(kept.words, dict(zip(kept.tables, tables, strict=True)))
    del kept  # before its memory may be closed
    for own in made:
        own.close()
    return shared


def attach(shared: SharedProjections) -> tuple[Kept, list[SharedMemory]]:
    """Shared projections, and the memory to hold on to while they are used."""
    memories = {width: SharedMemory(table.name) for width, table in shared.tables.items()}
    arrays: dict[int, NDArray[Any]] = {
        width: np.ndarray(table.shape, table.dtype, buffer=memories[width].buf)
        for width, table in shared.tables.items()
    }
    return Kept(shared.words, arrays), list(memories.values())


def _room() -> float:
    return shutil.disk_usage(SHARED).free if os.path.isdir(SHARED) else math.inf
