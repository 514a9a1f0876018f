"""Other people's LRP, for comparison: Zennit and Captum, on plain torch modules that begin at the word vectors.

Letters: N texts, T words, D dimensions, C classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

# ---- Zennit


@contextmanager
def _instead_of_torchvision() -> Iterator[None]:
    """Zennit names four classes of torchvision when it is imported; empty ones do, and are gone afterwards."""
    classes = {"vgg": ("VGG",), "resnet": ("ResNet", "BasicBlock", "Bottleneck")}
    stubs = {name: ModuleType(name) for name in ("torchvision", "torchvision.models")}
    for module, names in classes.items():
        stub = stubs[f"torchvision.models.{module}"] = ModuleType(f"torchvision.models.{module}")
        for name in names:
            setattr(stub, name, type(name, (nn.Module,), {}))
    added = [name for name in stubs if name not in sys.modules]
    sys.modules.update({name: stubs[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


def zennit() -> Any:
    """The package ``zennit``; the test is skipped where it is not installed."""
    if importlib.util.find_spec("zennit") is None:
        pytest.skip("zennit is not installed: pip install --no-deps zennit==0.5.1")
    has_torchvision = importlib.util.find_spec("torchvision") is not None
    with ExitStack() as stack:
        if not has_torchvision and "zennit" not in sys.modules:
            stack.enter_context(_instead_of_torchvision())
        return importlib.import_module("zennit")


def zennit_relevance(net: nn.Sequential, hooks: Mapping[int, Any], inputs: Tensor, target: int) -> Tensor:
    """(N, T) relevance of the words of ``inputs`` (N, D, T) for one class, the score being the seed.

    ``hooks``: a rule of Zennit for each layer that has one, by its place in the net.
    """
    inputs = inputs.clone().requires_grad_()
    handles = [hook.register(net[place]) for place, hook in hooks.items()]
    try:
        scores = net(inputs)
        seed = torch.zeros_like(scores)
        seed[:, target] = scores[:, target].detach()
        (relevance,) = torch.autograd.grad(scores, inputs, seed)
    finally:
        for handle in handles:
            handle.remove()
    words: Tensor = relevance.detach().sum(dim=1)
    return words


# ---- Captum


def captum() -> Any:
    """The module ``captum.attr``; the test is skipped where it is not installed."""
    if importlib.util.find_spec("captum") is None:
        pytest.skip("captum is not installed: pip install captum")
    return importlib.import_module("captum.attr")


def captum_rules() -> Any:
    """The module with Captum's rules."""
    captum()
    return importlib.import_module("captum.attr._utils.lrp_rules")


def captum_route() -> Any:
    """A rule for Captum by which a pooling or a reshaping sends relevance where its gradient goes, unchanged."""

    class Route(captum_rules().PropagationRule):  # type: ignore[misc]
        def forward_hook(self, module: nn.Module, inputs: Any, outputs: Tensor) -> Tensor:
            return outputs.clone()

        def _manipulate_weights(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
            pass

    return Route()


def captum_relevance(net: nn.Sequential, rules: Mapping[int, Any], inputs: Tensor, target: int) -> Tensor:
    """(N, T) relevance of the words of ``inputs`` (N, D, T) for one class, by Captum's LRP."""
    for place, rule in rules.items():
        net[place].rule = rule
    relevance = captum().LRP(net).attribute(inputs.clone(), target=target)
    words: Tensor = relevance.detach().sum(dim=1)
    return words
