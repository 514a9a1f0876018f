"""Class activation maps of our convolutional net.

Letters: K classes to explain, L words read, F filters, H width, W windows of that width.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.explainers.attribution import Attribution, Case
from textlrp.lrp.trace_steps import Linear
from textlrp.lrp.window_maps import WinningWindows
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import CNNClassifier


class _Convolution(NamedTuple):
    """One convolution: its width, the activations A (W, F), and the weights (K, F) that they meet.

    With max-pooling the W = F rows hold the winning windows alone, which begin at ``start`` (F,).
    """

    width: int
    active: Array
    weight: Array
    start: NDArray[np.int64] | None


def cam(case: Case) -> Attribution:
    """Each window's part of the score, shared equally over its known words."""
    model = _cnn(case.model, "cam")
    if model.pooling != "mean":
        raise ModelError(
            "method 'cam' needs a CNNClassifier with pooling='mean', this one has pooling='max'; 'grad-cam' is the "
            "method for it."
        )
    relevance = np.zeros((len(case.classes), len(case.known)))
    ignored = np.zeros(len(case.classes))
    for branch in _branches(model, case):
        windows = branch.weight @ branch.active.T / len(branch.active)
        on_words, lost = _windows_on_words(windows, branch.width, case.known)
        relevance += on_words
        ignored += lost
    bias = model.output_bias[list(case.classes)].astype(np.float64)
    return Attribution(relevance, {("output", "bias"): bias, ("embedding", "ignored"): ignored}, exact=True)


def grad_cam(case: Case) -> Attribution:
    """What speaks for the class in each window: of the winners with max-pooling, of all with mean pooling."""
    model = _cnn(case.model, "grad-cam")
    relevance = np.zeros((len(case.classes), len(case.known)))
    for branch in _branches(model, case):
        if branch.start is None:
            windows = branch.weight @ branch.active.T / len(branch.active)
            relevance += _windows_on_words(np.maximum(windows, 0), branch.width, case.known)[0]
        else:
            relevance += _on_winners(branch, branch.start, len(case.known)) * case.known
    return Attribution(relevance)


def _cnn(model: Classifier, name: str) -> CNNClassifier:
    if not isinstance(model, CNNClassifier):
        raise ModelError(
            f"method {name!r} needs a CNNClassifier, a {type(model).__name__} came; its windows are what a class "
            "activation map shows."
        )
    return model


def _branches(model: CNNClassifier, case: Case) -> Iterator[_Convolution]:
    """The convolutions of the net on one text, from the trace of its forward pass."""
    trace = model.trace(case.batch.select([case.n]), dtype=case.dtype)
    steps = {step.name: step for step in trace.steps}
    weight = model.output_weight[list(case.classes)].astype(np.float64)
    begin = 0
    for width, filters in zip(*model.widths_and_filters(), strict=True):
        step = steps[f"conv{width}"]
        assert isinstance(step, Linear)
        active = np.maximum(step.outputs[0].double().numpy(), 0)
        own = weight[:, begin : begin + filters]
        begin += filters
        if isinstance(step.map, WinningWindows):
            yield _Convolution(width, active[:, None], own, step.map.start[0].numpy())
        else:  # the trace goes on to the longest width, which may be more than this one's windows
            yield _Convolution(width, active[: max(1, len(case.known) - width + 1)], own, None)


def _windows_on_words(windows: Array, width: int, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Values (K, W) of windows shared equally over their known words (K, L), and what had none (K,)."""
    relevance, lost = np.zeros((len(windows), len(known))), np.zeros(len(windows))
    for t, values in enumerate(windows.T):
        words = t + np.flatnonzero(known[t : t + width])
        if len(words):
            relevance[:, words] += values[:, None] / len(words)
        else:
            lost += values
    return relevance, lost


def _on_winners(branch: _Convolution, start: NDArray[np.int64], length: int) -> Array:
    """max(0, gradient) × pooled feature, (K, F), given to each of the H words of its winning window: (K, L)."""
    values = np.maximum(branch.weight, 0) * branch.active[:, 0]
    relevance = np.zeros((len(values), length + branch.width))
    for offset in range(branch.width):
        np.add.at(relevance.T, start + offset, values.T)
    return relevance[:, :length]
