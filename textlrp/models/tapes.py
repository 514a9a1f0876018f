"""How a model writes the tapes of many batches: what pays off only over many is done here, once."""

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
"""A batch -> the tape of the forward pass."""


def tracer(
    model: Classifier,
    *,
    dtype: str | None = None,
    device: str = "cpu",
    memory: int = KEPT_BYTES,
    kept: Kept | None = None,
) -> Tracer:
    """What writes the tapes of ``model``, batch after batch, in its own dtype unless another is given.

    A convolutional net with max pooling keeps the projections of its most frequent words, in at most ``memory``
    bytes, as soon as it has projected as many words as that: it then has worked at most twice as long as if it had
    known how much was to come. Those that are ``kept`` already are used from the first batch on. On another
    ``device`` than the CPU such a net, and no other model, writes its tapes with torch alone.

    Raises :class:`OptionError` on a device that there is not, or that the model cannot use.
    """
    if device != "cpu":
        return _on_device(model, dtype, device)
    net = _window_net(model, dtype)
    return partial(model.trace, dtype=dtype) if net is None else _KeepingTracer(net, memory, kept)


def _window_net(model: Classifier, dtype: str | None = None) -> ConvNet | None:
    """The net of a model that keeps winning windows; None for other models."""
    if not has_winning_windows(model):
        return None
    net = model.fitted_net(dtype)
    assert isinstance(net, ConvNet)
    return net


def _on_device(model: Classifier, dtype: str | None, device: str) -> Tracer:
    net = _window_net(model, dtype)
    if net is None:
        raise OptionError(f"device={device!r} came; only a CNNClassifier with max pooling is explained on one.")
    try:
        there = moved(net, device)
    except (RuntimeError, AssertionError) as problem:
        said = str(problem).splitlines()[0]
        raise OptionError(f"device={device!r} came; torch has no such device here ({said}).") from None
    return lambda batch: there.trace(Packed(batch.words, batch.starts))


def kept_projections(model: Classifier, memory: int = KEPT_BYTES, allocate: Allocate = np.empty) -> Kept | None:
    """The projections of the most frequent words of a convolutional net with max pooling; None for other models."""
    net = _window_net(model)
    if net is None:
        return None
    return keep(net.table, net.convolutions, words_kept(net.table, net.convolutions, memory), allocate)


def kept_projection_bytes(model: Classifier, memory: int = KEPT_BYTES) -> int:
    """How many bytes :func:`kept_projections` takes."""
    net = _window_net(model)
    if net is None:
        return 0
    return words_kept(net.table, net.convolutions, memory) * bytes_per_word(net.table, net.convolutions)


class _KeepingTracer:
    """Counts the words it projects, and keeps projections once that is worth it."""

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
            if self._batches > 1:  # how many are worth it is not asked for a single batch
                self._keep_if_worth_it()
        return self._net.trace(packed)

    def _keep_if_worth_it(self) -> None:
        net = self._net
        words = words_kept(net.table, net.convolutions, self._memory)
        if self._projected >= words > 0:
            self._net = replace(net, kept=keep(net.table, net.convolutions, words))
