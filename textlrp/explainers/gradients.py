"""Methods that look at the gradient of a score by the inputs.

Letters: I inputs of D numbers each, S alternatives, K classes to explain, L words read.
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
from textlrp.models.torch_module.refusals import CUT_OFF

INPUT_NUMBERS_TOGETHER = 1 << 20
"""Alternatives are led through the net together while their inputs have fewer numbers than this."""

Weighted = tuple[Tensor, Tensor]
"""Alternatives (S, I, D) and what the gradient at each counts (S,)."""


def squared_gradient(case: Case) -> Attribution:
    """Sum over D of the squared gradient."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    gradient = _gradient(point, case.classes, _once(point.inputs))
    return _attribution(case, point, gradient.square().sum(dim=-1))


def gradient_times_input(case: Case) -> Attribution:
    """Sum over D of gradient × input."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    return _attribution(case, point, _times_input(point, case.classes, _once(point.inputs)))


def rectified_gradient(case: Case, *, guided: bool) -> Attribution:
    """As :func:`gradient_times_input`, with the way back through every ReLU changed."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    with OtherReLU(guided):
        relevance = _times_input(point, case.classes, _once(point.inputs))
    return _attribution(case, point, relevance)


def smoothgrad(case: Case, method: SmoothGrad) -> Attribution:
    """Gradient × input, the gradient a mean over noisy inputs."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    relevance = _times_input(point, case.classes, _noisy(point.inputs, method))
    return _attribution(case, point, relevance)


def integrated_gradients(case: Case, method: IntegratedGradients) -> Attribution:
    """Gradient × input, the gradient a mean along the straight way from zero, with what is missing in the ledger."""
    point = case.model.input_point(case.batch, case.n, dtype=case.dtype)
    per_input = _times_input(point, case.classes, _on_the_way(point.inputs, method.steps))
    found = _attribution(case, point, per_input)
    with torch.no_grad():
        nothing = point.forward(torch.zeros_like(point.inputs)[None])[0].double().numpy()
    baseline = nothing[list(case.classes)]
    ignored = _lost(per_input.double().numpy(), found.relevance)
    unsummed = case.scores() - baseline - ignored - found.relevance.sum(axis=1)
    ledger = {BASELINE: baseline, ("words", "ignored"): ignored, UNSUMMED: unsummed}
    return Attribution(found.relevance, ledger, exact=True)


# ---- where the gradient is taken


def _once(inputs: Tensor) -> Iterator[Weighted]:
    yield inputs[None], inputs.new_ones(1)


def _on_the_way(inputs: Tensor, steps: int) -> Iterator[Weighted]:
    """Points on the straight way from zero, by Gauss-Legendre."""
    nodes, weights = gauss_legendre(steps)
    places = torch.from_numpy((nodes + 1) / 2).to(inputs.dtype)
    counts = torch.from_numpy(weights / 2).to(inputs.dtype)
    for some in _batches_of(steps, inputs.numel()):
        yield places[some, None, None] * inputs, counts[some]


@lru_cache(maxsize=4)
def gauss_legendre(steps: int) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1]; kept, because many of them take their time."""
    from scipy.special import roots_legendre  # late: integrated gradients alone need it

    nodes, weights = roots_legendre(steps)
    return nodes, weights


def _noisy(inputs: Tensor, method: SmoothGrad) -> Iterator[Weighted]:
    """The inputs with noise; a zero vector, which is an unknown word, gets none."""
    noise = torch.Generator().manual_seed(int(method.seed))
    known = (inputs != 0).any(dim=-1, keepdim=True)
    spread = method.noise * (inputs.max() - inputs.min())
    for some in _batches_of(method.samples, inputs.numel()):
        # drawn one by one, so that how many go together changes nothing
        drawn = [torch.randn(inputs.shape, generator=noise, dtype=inputs.dtype) for _ in range(some.start, some.stop)]
        yield inputs + torch.stack(drawn) * spread * known, inputs.new_full((len(drawn),), 1 / method.samples)


def _batches_of(count: int, size: int) -> Iterator[slice]:
    together = max(1, INPUT_NUMBERS_TOGETHER // max(1, size))
    for begin in range(0, count, together):
        yield slice(begin, min(begin + together, count))


# ---- the gradient


def _gradient(point: InputPoint, classes: Sequence[int], alternatives: Iterable[Weighted]) -> Tensor:
    """(K, I, D): the weighted sum of the gradients at the alternatives."""
    total = point.inputs.new_zeros((len(classes), *point.inputs.shape))
    for inputs, weights in alternatives:
        leaf = inputs.detach().requires_grad_()
        with torch.enable_grad():
            scores = weights @ point.forward(leaf)
        if not scores.requires_grad:
            raise ModelError(CUT_OFF)
        for k, c in enumerate(classes):
            (gradient,) = torch.autograd.grad(scores[c], leaf, retain_graph=True, allow_unused=True)
            if gradient is None:
                raise ModelError(CUT_OFF)
            total[k] += gradient.sum(dim=0)
    return total


def _times_input(point: InputPoint, classes: Sequence[int], alternatives: Iterable[Weighted]) -> Tensor:
    """(K, I)."""
    return (_gradient(point, classes, alternatives) * point.inputs).sum(dim=-1)


def _attribution(case: Case, point: InputPoint, per_input: Tensor) -> Attribution:
    """(K, I) as (K, L), 0 for unknown words."""
    return Attribution(point.to_words(per_input).double().numpy() * case.known)


def _lost(per_input: Array, relevance: Array) -> Array:
    """(K,) what no word stands for; 0 where that is rounding."""
    lost = per_input.sum(axis=1) - relevance.sum(axis=1)
    return np.where(np.abs(lost) > 1e-5 * np.abs(per_input).sum(axis=1), lost, 0.0)


# ---- another way back through the ReLU


class OtherReLU(TorchFunctionMode):
    """Swaps every ReLU that runs inside for one with another way back; forward nothing changes."""

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
        in_place = func in _IN_PLACE or kwargs.get("inplace", False)  # torch passes it on by name
        return values.copy_(rectified) if in_place else rectified


_IN_PLACE = (torch.relu_, torch.Tensor.relu_, torch.nn.functional.relu_)
_RELUS = (torch.relu, torch.Tensor.relu, torch.nn.functional.relu, *_IN_PLACE)


class _Rectified(torch.autograd.Function):
    """ReLU forward; back go the positive signals, ``guided`` only where it was active."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, guided: bool) -> Tensor:
        ctx.active = values > 0 if guided else None
        return values.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        signal = gradients[0].clamp(min=0)
        return (signal if ctx.active is None else signal * ctx.active), None
