"""Gradient methods in closed form, for a convolutional net with max pooling.

Only the winning windows carry a gradient. The same windows win everywhere on the straight path from zero vectors to
the input: all windows of a filter are scaled by the same factor there, and the bias does not change their order. So
the gradient of a class's score with respect to the pooled value of filter f is its output weight w_f. The methods
differ only in how much of it passes the ReLU (z_f: pre-activation of the winning window, b_f: bias):

==========================  ==============================================================================
gradient                    w_f [z_f > 0]
guided backprop             max(0, w_f) [z_f > 0]
deconvnet                   max(0, w_f)
integrated gradients        w_f times the total weight of the nodes α with α (z_f - b_f) + b_f > 0
Grad-CAM for text           max(0, w_f) max(0, z_f), to each word of the window whatever its vector
==========================  ==============================================================================

Letters: N texts, K classes to explain, L words the model reads, F filters, T words of the longest text, D dimensions.
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
"""Output weights (K, N, F), winning pre-activations z (N, F), biases (F,) -> what passes the ReLU (K, N, F)."""


def has_closed_form(model: Classifier, method: Method) -> bool:
    """Return whether :func:`closed_form` supports this method for this model."""
    known = isinstance(method, SquaredGradient | IntegratedGradients | GradCAM) or _passing(method) is not None
    return known and has_winning_windows(model)


def closed_form(
    model: Classifier, batch: Batch, classes: Sequence[Sequence[int]], method: Method, *, dtype: str | None = None
) -> list[Attribution]:
    """Explain each text n of a batch for ``classes[n]``: the same numbers as :func:`attribute`, computed faster.

    The texts may have different classes. Memory grows with the largest number of classes of a text.
    """
    assert has_winning_windows(model)
    trace = model.trace(batch, dtype=dtype)
    most_classes = max(len(each) for each in classes)
    # Shorter lists of classes repeat their first class; _of_text drops the repeats.
    padded = torch.tensor([[*each, *[each[0]] * (most_classes - len(each))] for each in classes]).T
    weight = torch.from_numpy(model.output_weight).to(trace.scores.dtype)[padded]
    if isinstance(method, IntegratedGradients):
        return _integrated(model, trace, batch, classes, weight, method)
    if isinstance(method, SquaredGradient):
        passed = _after_relu(trace, weight, _if_active)
        relevance = sum_tensors([map.spread(factor, map.weight) for map, factor in passed]).square().sum(dim=-1)
    elif isinstance(method, GradCAM):
        relevance = _on_words(trace, weight, _pooled, Part.EVEN) / model.weights_["embedding"].shape[1]
    else:
        passing = _passing(method)
        assert passing is not None
        relevance = _on_words(trace, weight, passing)
    return [Attribution(_of_text(relevance, batch, n, len(each))) for n, each in enumerate(classes)]


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
    """(K, N, T): what passes the ReLU times the input, summed over D; with ``Part.EVEN`` every input counts as 1."""
    return sum_tensors([map.pull(part, factor) for map, factor in _after_relu(trace, weight, passing)])


def gradients_by_dimension(model: CNNClassifier, batch: Batch) -> Tensor:
    """Return the gradient (N, T, D) of the predicted class's score with respect to the word vectors."""
    trace = model.trace(batch)
    weight = torch.from_numpy(model.output_weight)[trace.scores.argmax(dim=1)][None]
    return sum_tensors([map.spread(factor, map.weight) for map, factor in _after_relu(trace, weight, _if_active)])[0]


def _after_relu(trace: Trace, weight: Tensor, passing: Passing) -> list[tuple[WinningWindows, Tensor]]:
    """Each convolution's winning windows, with the part of the output weights (K, N, F) that passes its ReLU."""
    windows = [(step, step.map) for step in trace.steps if isinstance(step, Linear) if _wins(step.map)]
    parts = torch.split(weight, [step.outputs.shape[1] for step, _ in windows], dim=-1)
    return [
        (map, passing(part.contiguous(), step.outputs, step.bias))
        for part, (step, map) in zip(parts, windows, strict=True)
    ]


def _wins(map: LinearMap) -> TypeGuard[WinningWindows]:
    return isinstance(map, WinningWindows)


def _of_text(relevance: Tensor, batch: Batch, n: int, count: int) -> Array:
    """(K, N, T) -> (K, L) of text n, with 0 for unknown words."""
    length = int(batch.lengths[n])
    of_words: Array = relevance[:count, n, :length].double().numpy() * (batch.text(n) > 0)
    return of_words


def _integrated(
    model: CNNClassifier,
    trace: Trace,
    batch: Batch,
    classes: Sequence[Sequence[int]],
    weight: Tensor,
    method: IntegratedGradients,
) -> list[Attribution]:
    nodes, counts = gauss_legendre(method.steps)
    positions = torch.from_numpy((nodes + 1) / 2).to(weight.dtype)
    shares = torch.cat([weight.new_zeros(1), torch.from_numpy(np.cumsum(counts / 2)).to(weight.dtype)])

    def active_share(weight: Tensor, z: Tensor, bias: Tensor) -> Tensor:
        """Multiply by the total weight of the nodes α (ascending) with α s + b > 0, where s = z - b."""
        slope = z - bias
        # The node where the ReLU switches; a slope of 0 is replaced by 1 so that the division is defined.
        turn = torch.where(slope != 0, -bias / torch.where(slope != 0, slope, 1), 0)
        # A node exactly at the switch has pre-activation 0 and is inactive: hence the two sides of searchsorted.
        before = shares[torch.searchsorted(positions, turn.contiguous(), right=True)]
        up, flat = shares[-1] - before, shares[-1] * (bias > 0)
        down = shares[torch.searchsorted(positions, turn.contiguous(), right=False)]
        return weight * torch.where(slope > 0, up, torch.where(slope < 0, down, flat))

    on_words = _on_words(trace, weight, active_share)
    scores = trace.scores.double().numpy()
    empty_scores = _scores_of_zero_vectors(model, trace).double().numpy()
    results = []
    for n, each in enumerate(classes):
        relevance = _of_text(on_words, batch, n, len(each))
        baseline = empty_scores[list(each)]
        unsummed = scores[n, list(each)] - baseline - relevance.sum(axis=1)
        results.append(Attribution(relevance, {BASELINE: baseline, UNSUMMED: unsummed}, exact=True))
    return results


def _scores_of_zero_vectors(model: CNNClassifier, trace: Trace) -> Tensor:
    """(C,) scores of a text of zero vectors only."""
    dtype = trace.scores.dtype
    weights = {name: torch.from_numpy(w).to(dtype) for name, w in model.weights_.items() if name != "embedding"}
    pooled = torch.cat([torch.relu(weights[f"conv{width}.bias"]) for width in model.widths_and_filters()[0]])
    return weights["output.weight"] @ pooled + weights["output.bias"]
