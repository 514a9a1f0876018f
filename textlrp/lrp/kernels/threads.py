"""Limit computations to one thread, where results must be reproducible or further threads only cost time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numba
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def _torch_after_fork() -> None:
    """Let torch compute on one thread in a forked process.

    A fork copies only the thread that calls it. Torch would wait forever for the other threads of the parent.
    PyTorch's own data loaders set the same limit in their worker processes.
    """
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_torch_after_fork)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and numba compute on one thread inside the ``with`` block.

    The last bits of a matrix product depend on the number of threads. And an engine that maps batches already has one
    worker process for each core. Numba stores its number of threads separately for each calling thread, and engines
    call from threads that they create, so it is set here and not once for the process.
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
    """Let torch compute on one thread inside the ``with`` block: for many operations on some 10,000 numbers each.

    A second thread would save a few microseconds of each operation. But if another program uses the core of that
    thread, the first thread waits for up to a time slice of the operating system.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


SHORT_TEXT = 500
"""Up to this number of words, one thread processes a single text as fast as two."""


def threads_for(documents: int, words: int) -> AbstractContextManager[None]:
    """Use one thread for a single document of up to :data:`SHORT_TEXT` ``words``, and all threads otherwise.

    The loops run in parallel over documents. For a single document a second thread has nothing to do, and on a busy
    machine waiting for it takes longer than the computation.
    """
    return one_thread() if documents == 1 and words <= SHORT_TEXT else nullcontext()


SMALL_CORPUS = 1 << 18
"""Up to this number of words per epoch, a net is trained on one thread."""


@contextmanager
def threads_for_training(words: int) -> Iterator[None]:
    """Use one thread for training on up to :data:`SMALL_CORPUS` ``words`` per epoch, and all threads otherwise.

    A training step of a small corpus takes milliseconds, and two threads synchronize many times in each step. If
    other programs use the cores, waiting for each other takes up to a hundred times as long as the computation.
    """
    if words > SMALL_CORPUS:
        yield
        return
    with threadpool_limits(limits=1, user_api="blas"), one_thread():
        yield
