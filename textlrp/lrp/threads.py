"""Computing on one thread where the last bits matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and numba compute on one thread for a while.

    The last bits of a product depend on how many there are, and an engine that maps batches has a worker for each
    core already. Numba keeps its number for each calling thread, and engines call from threads of their own.
    """
    torch_threads, numba_threads = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        numba.set_num_threads(numba_threads)
