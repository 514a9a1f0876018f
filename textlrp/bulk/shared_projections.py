"""Projections in shared memory: one worker process computes them, and all processes of the machine use them."""

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

SHARED_MEMORY = "/dev/shm"
"""Where Linux keeps shared memory.

Allocating more than is free succeeds, but the process is killed when it writes to the missing pages. The free space
must therefore be checked first.
"""


def share(model: Classifier, memory: int) -> SharedProjections | None:
    """Compute the projections of a model's frequent words in shared memory, until ``SharedProjections.release()``.

    ``memory``: limit in bytes. Returns None for a model without projections, and if /dev/shm is too small for them,
    as is common in containers.
    """
    if _free_shared_memory() < kept_projection_bytes(model, memory):
        return None
    blocks: list[SharedMemory] = []
    tables: list[SharedTable] = []

    def allocate(shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        blocks.append(SharedMemory(create=True, size=max(1, size)))
        tables.append(SharedTable(blocks[-1].name, shape, np.dtype(dtype).str))
        return np.ndarray(shape, dtype, buffer=blocks[-1].buf)

    kept = kept_projections(model, memory, allocate)
    if kept is None:
        return None
    shared = SharedProjections(kept.words, dict(zip(kept.tables, tables, strict=True)))
    del kept  # its arrays refer to the memory, which cannot be closed before
    for block in blocks:
        block.close()
    return shared


def attach(shared: SharedProjections) -> tuple[Kept, list[SharedMemory]]:
    """Return the shared projections, and the memory objects: keep a reference to these as long as they are used."""
    memories = {width: SharedMemory(table.name) for width, table in shared.tables.items()}
    arrays: dict[int, NDArray[Any]] = {
        width: np.ndarray(table.shape, table.dtype, buffer=memories[width].buf)
        for width, table in shared.tables.items()
    }
    return Kept(shared.words, arrays), list(memories.values())


def _free_shared_memory() -> float:
    return shutil.disk_usage(SHARED_MEMORY).free if os.path.isdir(SHARED_MEMORY) else math.inf
