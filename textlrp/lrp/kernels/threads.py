"""Computing on one thread where the last bits matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numba
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


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


@contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Let torch compute on one thread for a while: for many operations of some ten thousand numbers each.

    A second thread saves a few microseconds of each. Where another program uses its core, the first waits for it
    for as long as a time slice of the operating system.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


SHORT_TEXT = 500
"""Words of a text that one thread projects as soon as two do."""


def threads_for(documents: int, words: int) -> AbstractContextManager[None]:
    """One thread for a single document of so many words, where it is short; else as many as there are.

    The loops run in parallel over documents. With one of them a second thread has nothing to do, and waiting for it
    on a busy machine takes longer than the work.
    """
    return one_thread() if documents == 1 and words <= SHORT_TEXT else nullcontext()


SMALL_CORPUS = 1 << 18
"""Words read in an epoch up to which a net is trained on one thread."""


@contextmanager
def threads_for_training(words: int) -> Iterator[None]:
    """One thread for training on so few ``words`` an epoch; else as many as there are.

    A step of a small corpus takes milliseconds, and two threads meet many times in each. Where other programs use the
    cores, waiting for each other takes them up to a hundred times as long as the work.
    """
    if words > SMALL_CORPUS:
        yield
        return
    with threadpool_limits(limits=1, user_api="blas"), one_thread():
        yield
