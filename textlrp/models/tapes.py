"""Record the traces of many batches: on a device, or with word projections that are computed once and kept.

Open it for how ``explain`` gets its traces and why it becomes faster after some batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from textlrp.errors import OptionError
from textlrp.lrp.kernels.projections import Allocate, Kept, bytes_per_word, keep, words_kept
from textlrp.lrp.trace import Trace
from textlrp.machine import KEPT_BYTES
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.models.convnet import ConvNet, moved
from textlrp.models.packing import Packed
from textlrp.text.batches import Batch

Tracer = Callable[[Batch], Trace]
"""A function from a batch to the recorded trace of the forward pass."""


def tracer(
    model: Classifier,
    *,
    dtype: str | None = None,
    device: str = "cpu",
    memory: int = KEPT_BYTES,
    kept: Kept | None = None,
) -> Tracer:
    """Return a function that records the traces of ``model``, in its own dtype unless another is given.

    For a convolutional network with max pooling, the projections of the most frequent words are kept in at most
    ``memory`` bytes. They are computed once the network has projected that number of words in its batches, so that
    this at most doubles the work, however few batches follow. Projections in ``kept`` are used from the first batch.
    Such a network, and no other model, can also record its traces on another ``device`` than the CPU, with torch
    operations.

    Raises :class:`OptionError` if the device does not exist or the model cannot use it.
    """
    if device != "cpu":
        return _on_device(model, dtype, device)
    net = _window_net(model, dtype)
    return partial(model.trace, dtype=dtype) if net is None else _KeepingTracer(net, memory, kept)


def _window_net(model: Classifier, dtype: str | None = None) -> ConvNet | None:
    """The network of a CNN with max pooling; None for other models."""
    if not has_winning_windows(model):
        return None
    net = model.fitted_net(dtype)
    assert isinstance(net, ConvNet)
    return net


def _on_device(model: Classifier, dtype: str | None, device: str) -> Tracer:
    net = _window_net(model, dtype)
    if net is None:
        raise OptionError(
            f"device must be 'cpu' unless the model is a CNNClassifier with max pooling; got {device!r}. "
            "Pass device='cpu'."
        )
    try:
        on_device = moved(net, device)
    except (RuntimeError, AssertionError) as problem:
        reason = str(problem).splitlines()[0]
        raise OptionError(
            f"device must be a device that torch can use here; got {device!r} ({reason}). Pass device='cpu'."
        ) from None
    return lambda batch: on_device.trace(Packed(batch.words, batch.starts))


def kept_projections(model: Classifier, memory: int = KEPT_BYTES, allocate: Allocate = np.empty) -> Kept | None:
    """Return the projections of the most frequent words of a CNN with max pooling; None for other models."""
    net = _window_net(model)
    if net is None:
        return None
    return keep(net.table, net.convolutions, words_kept(net.table, net.convolutions, memory), allocate)


def kept_projection_bytes(model: Classifier, memory: int = KEPT_BYTES) -> int:
    """Return the number of bytes that :func:`kept_projections` needs."""
    net = _window_net(model)
    if net is None:
        return 0
    return words_kept(net.table, net.convolutions, memory) * bytes_per_word(net.table, net.convolutions)


class _KeepingTracer:
    """Count the projected words, and compute projections to keep once that is worth it."""

    def __init__(self, net: ConvNet, memory: int, kept: Kept | None) -> None:
        self._net = net if kept is None else replace(net, kept=kept)
        self._memory = memory
        self._batches = 0
        self._projected = 0

    def __call__(self, batch: Batch) -> Trace:
        packed = Packed(batch.words, batch.starts)
        if self._net.kept is None:
            self._batches += 1
            self._projected += len(packed.distinct)
            if self._batches > 1:  # a single batch, such as one text, never keeps projections
                self._keep_if_worth_it()
        return self._net.trace(packed)

    def _keep_if_worth_it(self) -> None:
        net = self._net
        words = words_kept(net.table, net.convolutions, self._memory)
        if self._projected >= words > 0:
            self._net = replace(net, kept=keep(net.table, net.convolutions, words))
