"""LRP of other packages, Zennit and Captum, for comparison, on plain torch nets that read word vectors.

Zennit adds a stabilizer to every denominator, and Captum one of 1e-9, so a rule is compared with ours with the same
stabilizer. Averages over time use LRP-epsilon in all packages here.

Letters: N texts, T words, D dimensions, F filters, H width, C classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textlrp.lrp.composite import Composite
from textlrp.lrp.maps import Dense, Mean, WordBag, table_bounds
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Propagated, Trace, one_hot_seed, propagate
from textlrp.lrp.trace_steps import Linear, Lookup, Routing, Step
from textlrp.lrp.window_maps import WinningWindows, WordWindows

N, T, D, F, H, C = 3, 7, 4, 5, 2, 3
S = 1e-6
"""The default stabilizer of Zennit."""
CAPTUM_S = 1e-9
"""The stabilizer of Captum's rules."""

# ---- the nets


@dataclass(frozen=True, eq=False)
class Subject:
    """A net over word vectors, and its input ``table`` (N × T + 1, D): row 0 zero, then one row for every word."""

    name: str
    net: nn.Sequential
    table: Tensor

    @property
    def ids(self) -> Tensor:
        """The rows (N, T) of the table."""
        return torch.arange(1, len(self.table)).reshape(N, T)

    @property
    def inputs(self) -> Tensor:
        """The word vectors (N, D, T), in the layout of torch's convolutions."""
        return self.table[self.ids].transpose(1, 2).contiguous()


LAYERS: dict[str, Callable[[bool], list[nn.Module]]] = {
    "max": lambda bias: [
        nn.Conv1d(D, F, H, bias=bias), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.ReLU(), nn.Linear(F, C, bias=bias)
    ],
    "relu, max": lambda bias: [
        nn.Conv1d(D, F, H, bias=bias), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(F, C, bias=bias)
    ],
    "relu, mean": lambda bias: [
        nn.Conv1d(D, F, H, bias=bias), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(F, C, bias=bias)
    ],
    "two layers": lambda bias: [
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(D, F, bias=bias), nn.ReLU(), nn.Linear(F, C, bias=bias)
    ],
}  # fmt: skip


def subject(name: str, seed: int, *, positive: bool = False, bias: bool = True) -> Subject:
    """One of :data:`LAYERS` with random weights; ``positive``: inputs >= 0."""
    noise = torch.Generator().manual_seed(seed)
    net = nn.Sequential(*LAYERS[name](bias)).double().eval().requires_grad_(False)
    for weight in net.parameters():
        weight.copy_(torch.randn(weight.shape, generator=noise, dtype=torch.float64))
    table = torch.randn(N * T + 1, D, generator=noise, dtype=torch.float64)
    if positive:
        table.abs_()
    table[0] = 0
    return Subject(name, net, table)


# ---- textlrp


@torch.no_grad()
def closed_trace(chosen: Subject) -> Trace:
    """The trace of a net, built manually from the linear maps; the texts are one batch."""
    steps: list[Step] = [Lookup("embedding", ("words",), "0", lambda: torch.ones(N, T, dtype=torch.int64))]
    layers = list(chosen.net)
    values = [chosen.inputs]
    for place, layer in enumerate(layers):
        values.append(layer(values[-1]))
        steps.append(_step(chosen, layer, values[-2], values[-1], place, layers))
    return Trace(tuple(steps), values[-1], output=str(len(layers)), elements=N * T * F)


def _step(chosen: Subject, layer: Any, inputs: Tensor, outputs: Tensor, place: int, layers: list[nn.Module]) -> Step:
    reads, writes = (str(place),), str(place + 1)
    table, ids = chosen.table, chosen.ids
    nothing = outputs.new_zeros(())
    bias: Tensor = nothing if getattr(layer, "bias", None) is None else layer.bias
    match layer:
        case nn.Linear():
            return Linear(str(place), "dense", reads, writes, Dense(inputs, layer.weight), bias, outputs)
        case nn.Conv1d():
            weight = layer.weight.permute(1, 2, 0).reshape(D, H * F)

            def box() -> Any:
                return table_bounds(table)

            if isinstance(layers[place + 1], nn.AdaptiveMaxPool1d):
                start = outputs.argmax(dim=2)
                met, row = (table @ weight).reshape(-1, H, F), torch.arange(N)[:, None]
                products = torch.stack([met[ids[row, start + h], h, torch.arange(F)] for h in range(H)], dim=2)
                winners = WinningWindows(products, start, lambda: ids, table, weight, box)
                return Linear(str(place), "convolution", reads, writes, winners, bias, outputs.amax(dim=2))
            windows = WordWindows(table, weight, ids, H, box)
            return Linear(str(place), "convolution", reads, writes, windows, bias, outputs.transpose(1, 2))
        case nn.AdaptiveAvgPool1d() if place == 0:
            bag = WordBag(table, ids, table.new_full((N, T), 1 / T), torch.full((N,), T))
            return Linear(str(place), "mean", reads, writes, bag, nothing, outputs[:, :, 0])
        case nn.AdaptiveAvgPool1d():
            mean = Mean(inputs.transpose(1, 2), torch.full((N,), inputs.shape[2]))
            return Linear(str(place), "mean", reads, writes, mean, nothing, outputs[:, :, 0])
        case nn.AdaptiveMaxPool1d() if isinstance(layers[place - 1], nn.ReLU):
            won = nn.functional.one_hot(inputs.argmax(dim=2), inputs.shape[2]).transpose(1, 2).to(inputs.dtype)
            return Routing(str(place), "max", reads, writes, lambda relevance: relevance[:, :, None, :] * won)
    return Routing(str(place), "pass", reads, writes)


def composite_of(rule: Rule, mean: Rule, first: Rule | None = None) -> Composite:
    """A rule for all layers, another for averages, and optionally a third for the layer that reads the words."""
    return Composite({"mean": mean} if first is None else {0: first, "mean": mean}, default=rule)


def propagated(trace: Trace, composite: Composite) -> Propagated:
    """The relevance (C, N, T) and the ledger of all classes."""
    return propagate(trace, composite, one_hot_seed(trace.scores, range(C)))


class FromIds(nn.Module):
    """A net that reads token ids (1, T)."""

    def __init__(self, chosen: Subject) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(chosen.table)  # type: ignore[no-untyped-call]
        self.net = chosen.net

    def forward(self, ids: Tensor) -> Tensor:
        scores: Tensor = self.net(self.embedding(ids).transpose(1, 2))
        return scores


def recorded(chosen: Subject, composite: Composite) -> list[Propagated]:
    """The relevance (C, 1, T) and ledger of each text, by the recorded trace of the net."""
    from textlrp.lrp.recorded.record import record  # imported here because the other comparisons do not need it

    module = FromIds(chosen)
    return [propagated(record(module, chosen.ids[n : n + 1]), composite) for n in range(N)]


def gradient_times_input(chosen: Subject) -> Tensor:
    """The sum over D of input × gradient, (C, N, T)."""
    inputs = chosen.inputs.requires_grad_()
    scores = chosen.net(inputs).sum(dim=0)
    gradients = [torch.autograd.grad(score, inputs, retain_graph=True)[0] for score in scores]
    return torch.stack([(gradient * inputs).sum(dim=1) for gradient in gradients]).detach()


# ---- Zennit


@contextmanager
def _instead_of_torchvision() -> Iterator[None]:
    """Provide the four classes of torchvision that Zennit imports as empty classes, and remove them afterwards."""
    classes = {"vgg": ("VGG",), "resnet": ("ResNet", "BasicBlock", "Bottleneck")}
    stubs = {name: ModuleType(name) for name in ("torchvision", "torchvision.models")}
    for module, names in classes.items():
        stub = stubs[f"torchvision.models.{module}"] = ModuleType(f"torchvision.models.{module}")
        for name in names:
            setattr(stub, name, type(name, (nn.Module,), {}))
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name in stubs:
            del sys.modules[name]


def is_installed(name: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


def zennit() -> Any:
    """The package ``zennit``; the test is skipped where it is not installed."""
    if not is_installed("zennit"):
        pytest.skip("zennit is not installed: pip install --no-deps zennit==0.5.1")
    if "zennit" in sys.modules or is_installed("torchvision"):
        return importlib.import_module("zennit")
    with _instead_of_torchvision():
        return importlib.import_module("zennit")


def zennit_relevance(
    chosen: Subject, rule: Callable[[], Any], mean: float, first: Callable[[], Any] | None = None
) -> Tensor:
    """Zennit's relevance (C, N, T) with ``rule()`` on the weighted layers and ``first()`` on the first of them.

    ``mean`` is the stabilizer at averages.
    """
    rules = zennit().rules
    handles = []
    weighted = [layer for layer in chosen.net if isinstance(layer, (nn.Conv1d, nn.Linear))]
    for layer in chosen.net:
        if layer in weighted:
            hook = first() if first is not None and layer is weighted[0] else rule()
        elif isinstance(layer, nn.ReLU):
            hook = rules.Pass()
        elif isinstance(layer, nn.AdaptiveAvgPool1d):
            hook = rules.Norm(stabilizer=mean)
        else:
            continue
        handles.append(hook.register(layer))
    found = []
    try:
        for target in range(C):
            inputs = chosen.inputs.requires_grad_()
            scores = chosen.net(inputs)
            seed = torch.zeros_like(scores)
            seed[:, target] = scores[:, target].detach()
            found.append(torch.autograd.grad(scores, inputs, seed)[0].sum(dim=1))
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(found)


# ---- Captum


def captum() -> Any:
    """The module ``captum.attr``; the test is skipped where it is not installed."""
    if not is_installed("captum"):
        pytest.skip("captum is not installed: pip install captum")
    return importlib.import_module("captum.attr")


def captum_rules() -> Any:
    """The module with Captum's rules."""
    captum()
    return importlib.import_module("captum.attr._utils.lrp_rules")


def captum_route() -> Any:
    """A rule for Captum that propagates relevance through pooling and reshaping by their gradient."""

    class Route(captum_rules().PropagationRule):  # type: ignore[misc]
        def forward_hook(self, module: nn.Module, inputs: Any, outputs: Tensor) -> Tensor:
            return outputs.clone()

        def _manipulate_weights(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
            pass

    return Route()


def captum_relevance(chosen: Subject, rule: Callable[[], Any]) -> Tensor:
    """Captum's relevance (C, N, T) with ``rule()`` on the weighted layers and its epsilon rule on averages."""
    found = []
    for target in range(C):
        for layer in chosen.net:
            if isinstance(layer, (nn.Conv1d, nn.Linear)):
                layer.rule = rule()
            elif isinstance(layer, nn.AdaptiveAvgPool1d):
                layer.rule = captum_rules().EpsilonRule()
            elif not isinstance(layer, nn.ReLU):
                layer.rule = captum_route()
        found.append(
            captum().LRP(chosen.net).attribute(chosen.inputs.requires_grad_(), target=target).detach().sum(dim=1)
        )
    return torch.stack(found)


# ---- corresponding rules

ZERO_BIAS = {"zero_params": "bias"}
ZENNIT: dict[Rule, tuple[str, dict[str, Any]]] = {
    Zero(): ("Epsilon", {"epsilon": 0.0}),
    Epsilon(S): ("Epsilon", {"epsilon": S}),
    Epsilon(0.1): ("Epsilon", {"epsilon": 0.1}),
    Gamma(0.25, S): ("Gamma", {"gamma": 0.25, "stabilizer": S}),
    Gamma(2.0, S): ("Gamma", {"gamma": 2.0, "stabilizer": S}),
    AlphaBeta(1.0, 0.0, stabilizer=S): ("AlphaBeta", {"alpha": 1.0, "beta": 0.0, "stabilizer": S}),
    AlphaBeta(2.0, 1.0, stabilizer=S): ("AlphaBeta", {"alpha": 2.0, "beta": 1.0, "stabilizer": S}),
    AlphaBeta(1.0, 0.0, bias="ignore", stabilizer=S): (
        "AlphaBeta", {"alpha": 1.0, "beta": 0.0, "stabilizer": S} | ZERO_BIAS
    ),
    AlphaBeta(2.0, 1.0, bias="ignore", stabilizer=S): (
        "AlphaBeta", {"alpha": 2.0, "beta": 1.0, "stabilizer": S} | ZERO_BIAS
    ),
    ZPlus(S): ("ZPlus", {"stabilizer": S} | ZERO_BIAS),
    WSquare(S): ("WSquare", {"stabilizer": S} | ZERO_BIAS),
    Flat(S): ("Flat", {"stabilizer": S}),
    ZBox(-4.0, 5.0, S): ("ZBox", {"low": -4.0, "high": 5.0, "stabilizer": S}),
}  # fmt: skip
"""Zennit's rule and its options for each of ours."""


def zennit_rule(rule: Rule) -> Callable[[], Any]:
    """Return a function that creates Zennit's rule for one of ours."""
    name, options = ZENNIT[rule]
    return lambda: getattr(zennit().rules, name)(**options)


CAPTUM_EPSILON = Epsilon(CAPTUM_S)
CAPTUM: dict[Rule, tuple[str, dict[str, Any]]] = {
    Zero(): ("EpsilonRule", {"epsilon": 0.0}),
    CAPTUM_EPSILON: ("EpsilonRule", {}),
    Epsilon(0.1): ("EpsilonRule", {"epsilon": 0.1}),
    AlphaBeta(1.0, 0.0, stabilizer=CAPTUM_S): ("Alpha1_Beta0_Rule", {}),
    AlphaBeta(1.0, 0.0, bias="ignore", stabilizer=CAPTUM_S): ("Alpha1_Beta0_Rule", {"set_bias_to_zero": True}),
    ZPlus(CAPTUM_S): ("Alpha1_Beta0_Rule", {"set_bias_to_zero": True}),
    Gamma(0.25, CAPTUM_S): ("GammaRule", {}),
    Gamma(2.0, CAPTUM_S): ("GammaRule", {"gamma": 2.0}),
}
"""Captum's rule and its options for each of ours.

Epsilon agrees everywhere. The others agree for inputs >= 0 where the bias is left out or absent, gamma also only
where z > 0.
"""


def captum_subject(name: str, seed: int, rule: Rule) -> Subject:
    """A net for which Captum's definition of this rule is the same as ours."""
    no_bias = rule == ZPlus(CAPTUM_S) or (isinstance(rule, AlphaBeta) and rule.bias == "ignore")
    anywhere = isinstance(rule, (Zero, Epsilon))
    return subject(name, seed, positive=not anywhere, bias=anywhere or no_bias)


def captum_rule(rule: Rule) -> Callable[[], Any]:
    """Return a function that creates Captum's rule for one of ours."""
    name, options = CAPTUM[rule]
    return lambda: getattr(captum_rules(), name)(**options)
