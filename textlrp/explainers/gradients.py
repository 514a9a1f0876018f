"""Methods based on the gradient of a score with respect to the inputs of any differentiable model.

Letters: I inputs of D numbers each, S alternatives of the inputs, K classes to explain, L words the model reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.explainers.attribution import BASELINE, UNSUMMED, Attribution, Case
from textlrp.explainers.methods import IntegratedGradients, SmoothGrad
from textlrp.models.differentiable import InputPoint
from textlrp.models.torch_module.refusals import NO_GRADIENT

INPUT_NUMBERS_TOGETHER = 1 << 20
"""Alternatives go through the net in one batch as long as their inputs have at most this many numbers in total."""

Weighted = tuple[Tensor, Tensor]
"""Alternatives (S, I, D) and the weight of the gradient at each of them (S,)."""


def squared_gradient(case: Case) -> Attribution:
    """Compute the squared gradient, summed over D."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    gradient = _gradient(point, case.classes, _at_inputs(point.inputs))
    return _attribution(case, point, gradient.square().sum(dim=-1))


def gradient_times_input(case: Case) -> Attribution:
    """Compute gradient × input, summed over D."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    return _attribution(case, point, _times_input(point, case.classes, _at_inputs(point.inputs)))


def rectified_gradient(case: Case, *, guided: bool) -> Attribution:
    """Compute gradient × input with a modified backward pass through every ReLU: guided backprop or deconvnet."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    with ModifiedReLU(guided):
        relevance = _times_input(point, case.classes, _at_inputs(point.inputs))
    return _attribution(case, point, relevance)


def smoothgrad(case: Case, method: SmoothGrad) -> Attribution:
    """Compute gradient × input with the mean gradient over noisy inputs."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    relevance = _times_input(point, case.classes, _noisy(point.inputs, method))
    return _attribution(case, point, relevance)


def integrated_gradients(case: Case, method: IntegratedGradients) -> Attribution:
    """Compute (input - baseline) × the mean gradient on the straight path from the baseline to the inputs.

    The baseline is zero vectors, or what the model has in their place. The ledger has the score of the baseline, the
    relevance of inputs without a word, and the error of the integral.
    """
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    empty = torch.zeros_like(point.inputs) if point.baseline is None else point.baseline.expand_as(point.inputs)
    path = _along_path(empty, point.inputs, method.steps)
    per_input = (_gradient(point, case.classes, path) * (point.inputs - empty)).sum(dim=-1)
    attribution = _attribution(case, point, per_input)
    with torch.no_grad():
        empty_scores = point.forward(empty[None])[0].double().numpy()
    baseline = empty_scores[list(case.classes)]
    ignored = _without_word(per_input.double().numpy(), attribution.relevance)
    unsummed = case.scores() - baseline - ignored - attribution.relevance.sum(axis=1)
    ledger = {BASELINE: baseline, ("words", "ignored"): ignored, UNSUMMED: unsummed}
    return Attribution(attribution.relevance, ledger, exact=True)


# ---- where the gradient is taken


def _at_inputs(inputs: Tensor) -> Iterator[Weighted]:
    yield inputs[None], inputs.new_ones(1)


def _along_path(baseline: Tensor, inputs: Tensor, steps: int) -> Iterator[Weighted]:
    """Points on the straight path from the baseline to the inputs, at the Gauss-Legendre nodes."""
    nodes, weights = gauss_legendre(steps)
    positions = torch.from_numpy((nodes + 1) / 2).to(inputs.dtype)
    counts = torch.from_numpy(weights / 2).to(inputs.dtype)
    for rows in _batches_of(steps, inputs.numel()):
        yield baseline + positions[rows, None, None] * (inputs - baseline), counts[rows]


@lru_cache(maxsize=4)
def gauss_legendre(steps: int) -> tuple[Array, Array]:
    """Return nodes and weights on [-1, 1]. Cached, because computing many nodes is slow."""
    from scipy.special import roots_legendre  # imported late: only integrated gradients needs it

    nodes, weights = roots_legendre(steps)
    return nodes, weights


def _noisy(inputs: Tensor, method: SmoothGrad) -> Iterator[Weighted]:
    """Inputs with Gaussian noise. A zero vector is an unknown word and gets none."""
    noise = torch.Generator().manual_seed(int(method.seed))
    known = (inputs != 0).any(dim=-1, keepdim=True)
    spread = method.noise * (inputs.max() - inputs.min())
    for rows in _batches_of(method.samples, inputs.numel()):
        # one draw for each sample, so that the noise does not depend on the batch size
        drawn = [torch.randn(inputs.shape, generator=noise, dtype=inputs.dtype) for _ in range(rows.start, rows.stop)]
        yield inputs + torch.stack(drawn) * spread * known, inputs.new_full((len(drawn),), 1 / method.samples)


def _batches_of(count: int, size: int) -> Iterator[slice]:
    batch_size = max(1, INPUT_NUMBERS_TOGETHER // max(1, size))
    for begin in range(0, count, batch_size):
        yield slice(begin, min(begin + batch_size, count))


# ---- the gradient


def _gradient(point: InputPoint, classes: Sequence[int], alternatives: Iterable[Weighted]) -> Tensor:
    """(K, I, D): the weighted sum of the gradients at the alternatives."""
    total = point.inputs.new_zeros((len(classes), *point.inputs.shape))
    for inputs, weights in alternatives:
        leaf = inputs.detach().requires_grad_()
        with torch.enable_grad():
            scores = weights @ point.forward(leaf)
        if not scores.requires_grad:
            raise ModelError(NO_GRADIENT)
        for k, c in enumerate(classes):
            (gradient,) = torch.autograd.grad(scores[c], leaf, retain_graph=True, allow_unused=True)
            if gradient is None:
                raise ModelError(NO_GRADIENT)
            total[k] += gradient.sum(dim=0)
    return total


def _times_input(point: InputPoint, classes: Sequence[int], alternatives: Iterable[Weighted]) -> Tensor:
    """(K, I): the gradient times the input, summed over D."""
    return (_gradient(point, classes, alternatives) * point.inputs).sum(dim=-1)


def _attribution(case: Case, point: InputPoint, per_input: Tensor) -> Attribution:
    """Values (K, I) of the inputs as relevance (K, L), with 0 for unknown words."""
    return Attribution(point.to_words(per_input).double().numpy() * case.known)


def _without_word(per_input: Array, relevance: Array) -> Array:
    """(K,) relevance of inputs that belong to no word; differences within rounding error count as 0."""
    missing = per_input.sum(axis=1) - relevance.sum(axis=1)
    return np.where(np.abs(missing) > 1e-5 * np.abs(per_input).sum(axis=1), missing, 0.0)


# ---- the modified backward pass of a ReLU


class ModifiedReLU(TorchFunctionMode):
    """Give every ReLU that runs inside this mode a modified gradient. The forward pass is unchanged."""

    def __init__(self, guided: bool) -> None:
        super().__init__()
        self.guided = guided

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _RELUS:
            return func(*args, **kwargs)
        values = args[0] if args else kwargs["input"]
        rectified = _Rectified.apply(values, self.guided)  # type: ignore[no-untyped-call]
        in_place = func in _IN_PLACE or kwargs.get("inplace", False)  # torch passes inplace by name
        return values.copy_(rectified) if in_place else rectified


_IN_PLACE = (torch.relu_, torch.Tensor.relu_, torch.nn.functional.relu_)
_RELUS = (torch.relu, torch.Tensor.relu, torch.nn.functional.relu, *_IN_PLACE)


class _Rectified(torch.autograd.Function):
    """ReLU whose backward pass keeps only positive gradients; ``guided``: only where the ReLU was active."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, guided: bool) -> Tensor:
        ctx.active = values > 0 if guided else None
        return values.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        signal = gradients[0].clamp(min=0)
        return (signal if ctx.active is None else signal * ctx.active), None
