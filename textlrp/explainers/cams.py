"""Class activation maps of a convolutional net: CAM (mean pooling) and Grad-CAM for text.

Letters: K classes to explain, L words the model reads, F filters, H width, W windows of that width.
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
    """One convolution: its width, the activations A (W, F), and the output weights (K, F) that multiply them.

    With max pooling the W = F rows are the winning windows only, which begin at word ``start`` (F,).
    """

    width: int
    active: Array
    weight: Array
    start: NDArray[np.int64] | None


def cam(case: Case) -> Attribution:
    """Compute each window's part of the score, distributed equally over its known words.

    Raises :class:`ModelError` unless the model is a CNNClassifier with ``pooling="mean"``.
    """
    model = _cnn(case.model, "cam")
    if model.pooling != "mean":
        raise ModelError(
            f"method 'cam' needs a CNNClassifier with pooling='mean'; got pooling={model.pooling!r}. Use "
            "method='grad-cam'."
        )
    relevance = np.zeros((len(case.classes), len(case.known)))
    ignored = np.zeros(len(case.classes))
    for branch in _branches(model, case):
        windows = branch.weight @ branch.active.T / len(branch.active)
        on_words, ignored_here = _windows_on_words(windows, branch.width, case.known)
        relevance += on_words
        ignored += ignored_here
    bias = model.output_bias[list(case.classes)].astype(np.float64)
    return Attribution(relevance, {("output", "bias"): bias, ("embedding", "ignored"): ignored}, exact=True)


def grad_cam(case: Case) -> Attribution:
    """Compute the positive evidence in each window: the winning windows with max pooling, all with mean pooling.

    Raises :class:`ModelError` unless the model is a CNNClassifier.
    """
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
            f"method {name!r} needs a CNNClassifier, because a class activation map shows convolution windows; got "
            f"a {type(model).__name__}. Use method='occlusion', 'lime' or 'shap'."
        )
    return model


def _branches(model: CNNClassifier, case: Case) -> Iterator[_Convolution]:
    """Yield the convolutions of the net for one text, from the trace of its forward pass."""
    trace = model.trace(case.batch.select([case.n]), dtype=case.dtype)
    steps = {step.name: step for step in trace.steps}
    weight = model.output_weight[list(case.classes)].astype(np.float64)
    begin = 0
    for width, filters in zip(*model.widths_and_filters(), strict=True):
        step = steps[f"conv{width}"]
        assert isinstance(step, Linear)
        active = np.maximum(step.outputs[0].double().numpy(), 0)
        branch_weight = weight[:, begin : begin + filters]
        begin += filters
        if isinstance(step.map, WinningWindows):
            yield _Convolution(width, active[:, None], branch_weight, step.map.start[0].numpy())
        else:  # the trace is padded for the widest filter: only the first L - H + 1 windows lie inside the text
            yield _Convolution(width, active[: max(1, len(case.known) - width + 1)], branch_weight, None)


def _windows_on_words(windows: Array, width: int, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Distribute values (K, W) of windows equally over their known words.

    Returns relevance (K, L) and the sum (K,) of the windows that have no known word.
    """
    relevance, ignored_here = np.zeros((len(windows), len(known))), np.zeros(len(windows))
    for t, values in enumerate(windows.T):
        words = t + np.flatnonzero(known[t : t + width])
        if len(words):
            relevance[:, words] += values[:, None] / len(words)
        else:
            ignored_here += values
    return relevance, ignored_here


def _on_winners(branch: _Convolution, start: NDArray[np.int64], length: int) -> Array:
    """Give max(0, gradient) × pooled feature (K, F) to each of the H words of the winning window: (K, L)."""
    values = np.maximum(branch.weight, 0) * branch.active[:, 0]
    relevance = np.zeros((len(values), length + branch.width))
    for offset in range(branch.width):
        np.add.at(relevance.T, start + offset, values.T)
    return relevance[:, :length]
