"""Gradient methods in closed form, for a convolutional net with max pooling.

Only the winning windows carry a gradient, and which windows win is the same along the straight way from zero
vectors: there all windows of a filter shrink alike, and its bias moves none of them. So the gradient of a class's
score by the pooled value of filter f is its output weight w_f, and methods differ in what of it passes the ReLU:

==========================  ==============================================================================
gradient                    w_f [z_f > 0]
guided backprop             max(0, w_f) [z_f > 0]
deconvnet                   max(0, w_f)
integrated gradients        w_f times the weight of the nodes α where α (z_f - b_f) + b_f > 0
Grad-CAM for text           max(0, w_f) max(0, z_f), to each word of the window whatever its vector
==========================  ==============================================================================

Letters: N texts, K classes to explain, L words read, F filters, T words of the longest text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor

from textlrp.arrays import Array
from textlrp.explainers.attribution import BASELINE, UNSUMMED, Attribution
from textlrp.explainers.gradients import gauss_legendre
from textlrp.explainers.methods import (
    Deconvnet,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    Method,
    SquaredGradient,
)
from textlrp.lrp.maps import LinearMap, sum_tensors
from textlrp.lrp.shares import Part
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear
from textlrp.lrp.window_maps import WinningWindows
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import CNNClassifier, has_winning_windows
from textlrp.text.batches import Batch

Passing = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Output weights (K, N, F), the winners' values z (N, F) and their bias (F,) -> what passes the ReLU (K, N, F)."""


def has_closed_form(model: Classifier, method: Method) -> bool:
    """Whether :func:`closed_form` knows this method of this model."""
    known = isinstance(method, SquaredGradient | IntegratedGradients | GradCAM) or _passing(method) is not None
    return known and has_winning_windows(model)


def closed_form(
    model: Classifier, batch: Batch, classes: Sequence[Sequence[int]], method: Method, *, dtype: str | None = None
) -> list[Attribution]:
    """Each text of a batch explained for its own ``classes[n]``; the numbers of :func:`attribute`, sooner.

    The texts of a call may ask for different classes; memory grows with the largest number of them.
    """
    assert has_winning_windows(model)
    trace = model.trace(batch, dtype=dtype)
    most = max(len(own) for own in classes)
    wanted = torch.tensor([[*own, *[own[0]] * (most - len(own))] for own in classes]).T
    weight = torch.from_numpy(model.output_weight).to(trace.scores.dtype)[wanted]
    if isinstance(method, IntegratedGradients):
        return _integrated(model, trace, batch, classes, weight, method)
    if isinstance(method, SquaredGradient):
        found = sum_tensors([map.spread(factor, map.weight) for map, factor in _passed(trace, weight, _if_active)])
        found = found.square().sum(dim=-1)
    elif isinstance(method, GradCAM):
        found = _on_words(trace, weight, _pooled, Part.EVEN) / model.weights_["embedding"].shape[1]
    else:
        passing = _passing(method)
        assert passing is not None
        found = _on_words(trace, weight, passing)
    return [Attribution(_of_text(found, batch, n, len(own))) for n, own in enumerate(classes)]


def _passing(method: Method) -> Passing | None:
    match method:
        case GradientTimesInput():
            return _if_active
        case GuidedBackprop():
            return lambda weight, z, bias: weight.clamp(min=0) * (z > 0)
        case Deconvnet():
            return lambda weight, z, bias: weight.clamp(min=0)
    return None


def _if_active(weight: Tensor, z: Tensor, bias: Tensor) -> Tensor:
    return weight * (z > 0)


def _pooled(weight: Tensor, z: Tensor, bias: Tensor) -> Tensor:
    return weight.clamp(min=0) * z.clamp(min=0)


def _on_words(trace: Trace, weight: Tensor, passing: Passing, part: Part = Part.PRODUCT) -> Tensor:
    """(K, N, T): what passes, times the input, summed over D; or with ``Part.EVEN`` times one for each of D."""
    return sum_tensors([map.pull(part, factor) for map, factor in _passed(trace, weight, passing)])


def gradients_by_dimension(model: CNNClassifier, batch: Batch) -> Tensor:
    """(N, T, D): the gradient of the predicted class's score by every number of the word vectors."""
    trace = model.trace(batch)
    weight = torch.from_numpy(model.output_weight)[trace.scores.argmax(dim=1)][None]
    return sum_tensors([map.spread(factor, map.weight) for map, factor in _passed(trace, weight, _if_active)])[0]


def _passed(trace: Trace, weight: Tensor, passing: Passing) -> list[tuple[WinningWindows, Tensor]]:
    """Each convolution, with what of the output weights (K, N, F) passes its ReLU."""
    windows = [(step, step.map) for step in trace.steps if isinstance(step, Linear) if _wins(step.map)]
    parts = torch.split(weight, [step.outputs.shape[1] for step, _ in windows], dim=-1)
    return [
        (map, passing(own.contiguous(), step.outputs, step.bias))
        for own, (step, map) in zip(parts, windows, strict=True)
    ]


def _wins(map: LinearMap) -> TypeGuard[WinningWindows]:
    return isinstance(map, WinningWindows)


def _of_text(found: Tensor, batch: Batch, n: int, count: int) -> Array:
    """(K, N, T) -> (K, L) of text n, 0 for unknown words."""
    length = int(batch.lengths[n])
    relevance: Array = found[:count, n, :length].double().numpy() * (batch.text(n) > 0)
    return relevance


def _integrated(
    model: CNNClassifier,
    trace: Trace,
    batch: Batch,
    classes: Sequence[Sequence[int]],
    weight: Tensor,
    method: IntegratedGradients,
) -> list[Attribution]:
    nodes, counts = gauss_legendre(method.steps)
    places = torch.from_numpy((nodes + 1) / 2).to(weight.dtype)
    shares = torch.cat([weight.new_zeros(1), torch.from_numpy(np.cumsum(counts / 2)).to(weight.dtype)])

    def active_share(own: Tensor, z: Tensor, bias: Tensor) -> Tensor:
        """The weight of the nodes α, which ascend, where α s + b > 0; s = z - b."""
        slope = z - bias
        turn = torch.where(slope != 0, -bias / torch.where(slope != 0, slope, 1), 0)
        before = shares[torch.searchsorted(places, turn.contiguous(), right=True)]
        up, flat = shares[-1] - before, shares[-1] * (bias > 0)
        down = shares[torch.searchsorted(places, turn.contiguous(), right=False)]
        return own * torch.where(slope > 0, up, torch.where(slope < 0, down, flat))

    found = _on_words(trace, weight, active_share)
    scores = trace.scores.double().numpy()
    nothing = _nothing(model, trace).double().numpy()
    results = []
    for n, own in enumerate(classes):
        relevance = _of_text(found, batch, n, len(own))
        baseline = nothing[list(own)]
        unsummed = scores[n, list(own)] - baseline - relevance.sum(axis=1)
        results.append(Attribution(relevance, {BASELINE: baseline, UNSUMMED: unsummed}, exact=True))
    return results


def _nothing(model: CNNClassifier, trace: Trace) -> Tensor:
    """(C,) the scores of zero vectors alone."""
    dtype = trace.scores.dtype
    weights = {name: torch.from_numpy(w).to(dtype) for name, w in model.weights_.items() if name != "embedding"}
    pooled = torch.cat([torch.relu(weights[f"conv{width}.bias"]) for width in model.widths_and_filters()[0]])
    return weights["output.weight"] @ pooled + weights["output.bias"]
