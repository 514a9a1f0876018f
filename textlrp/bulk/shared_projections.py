"""Projections in shared memory: one process of a machine makes them, all use them."""

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
from textlrp.models.classifier import Classifier
from textlrp.models.tapes import kept_projection_bytes, kept_projections

SHARED = "/dev/shm"
"""Where Linux has shared memory. It allocates more than there is; a process that writes past the end is killed."""


def share(model: Classifier, memory: int) -> SharedProjections | None:
    """Put the projections of a model's frequent words into shared memory, where they stay until released.

    None for a model without projections, and where /dev/shm is too small for them (as in a container).
    """
    if _room() < kept_projection_bytes(model, memory):
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
    """The projections, and the memory objects that must not be collected while they are used."""
    memories = {width: SharedMemory(table.name) for width, table in shared.tables.items()}
    arrays: dict[int, NDArray[Any]] = {
        width: np.ndarray(table.shape, table.dtype, buffer=memories[width].buf)
        for width, table in shared.tables.items()
    }
    return Kept(shared.words, arrays), list(memories.values())


def _room() -> float:
    return shutil.disk_usage(SHARED).free if os.path.isdir(SHARED) else math.inf
