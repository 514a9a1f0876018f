"""Composites: which layer of a model gets which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeGuard

from textlrp.errors import RuleError
from textlrp.lrp.rules import Epsilon, Zero
from textlrp.lrp.shares import Rule, has_fixed_sign, remark_on_text

__all__ = ["Composite", "Layer"]

UNWEIGHTED: Mapping[str, Rule] = {"mean": Zero(), "sum": Zero(), "bag": Zero()}
"""Kinds that only add up: Zero unless named (a stabilizer at a mean would swallow the score)."""

LAYER_KINDS = ("dense", "convolution", "recurrent", "norm", *UNWEIGHTED)
"""The kinds of layers that take a rule."""


class Layer(NamedTuple):
    """A layer as a composite sees it; ``depth`` is None for the kinds that only add up, and ``height`` may be.

    ``depth``: weighted layers between it and the words; ``height``: between it and the scores.
    """

    name: str
    kind: str
    depth: int | None
    height: int | None

    @property
    def keys(self) -> tuple[str | int, ...]:
        """What it may be called in a composite, the first that is there counts."""
        places = () if self.depth is None or self.height is None else (self.depth, -1 - self.height)
        return (self.name, *places, self.kind)


def is_rule(value: object) -> TypeGuard[Rule]:
    """Whether this is a rule, and not a rule's class."""
    return isinstance(value, Rule) and not isinstance(value, type)


@dataclass(frozen=True)
class Composite:
    """A map from layers to rules.

    A key of ``layers`` is a layer's name ("conv2", "output"), its position, or its kind ("convolution", "dense",
    "recurrent", "norm", "mean", "sum", "bag"), and they count in this order; every other layer takes ``default``.
    Position 0 is every weighted layer that reads the words themselves, 1 those behind it, -1 the layer that writes
    the scores, -2 those before it. Averages, sums and embedding bags have no position and take :class:`Zero` unless
    named (Montavon et al. 2019, section 10.3, on choosing rules by depth).

    >>> Composite({"output": Zero()}, default=Epsilon(0.01))
    Composite({'output': Zero()}, default=Epsilon(epsilon=0.01, bias='absorb'))
    """

    layers: Mapping[str | int, Rule] = field(default_factory=dict)
    default: Rule = field(default_factory=Epsilon)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Mapping):
            raise RuleError(
                f"layers={self.layers!r} came; a map from layers to rules is wanted, such as "
                "Composite({'output': Zero()}); one rule for all is Composite(default=Zero())."
            )
        for rule in (*self.layers.values(), self.default):
            if not is_rule(rule):
                raise RuleError(f"{rule!r} came as a rule in a Composite; a Rule such as Zero() is wanted.")
        for key in self.layers:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise RuleError(f"{key!r} came as a layer in a Composite; a name, a kind or a position is wanted.")
        object.__setattr__(self, "layers", dict(self.layers))

    def __repr__(self) -> str:
        return f"Composite({dict(self.layers)!r}, default={self.default!r})"

    @cached_property
    def printed(self) -> str:
        """The composite as it can be pasted back; a single rule for everything as that rule."""
        return repr(self) if self.layers else repr(self.default)

    def rule_for(self, layer: Layer) -> Rule:
        """The rule of a layer."""
        for key in layer.keys:
            if key in self.layers:
                return self.layers[key]
        return UNWEIGHTED.get(layer.kind, self.default)

    def fixed_sign(self, layers: Iterable[Layer]) -> bool:
        """Whether a layer that writes the scores (``height`` 0) has a rule with :func:`has_fixed_sign`.

        The sign of the relevance that leaves this layer is then the sign of what propagation starts from.
        """
        return any(layer.height == 0 and has_fixed_sign(self.rule_for(layer)) for layer in layers)

    def remarks_on_text(self, layers: Iterable[Layer]) -> tuple[str, ...]:
        """:func:`remark_on_text` of the rules at the layers that read the words (``depth`` 0), each once."""
        found = [remark_on_text(self.rule_for(layer)) for layer in layers if layer.depth == 0]
        return tuple(dict.fromkeys(remark for remark in found if remark))

    def check(self, layers: Sequence[Layer]) -> None:
        """Raise :class:`RuleError` if a key fits none of the ``layers`` and is no kind."""
        known = {key for layer in layers for key in layer.keys} | set(LAYER_KINDS)
        for key in self.layers:
            if key not in known:
                raise RuleError(f"no layer {key!r} in this model; it has {_layer_list(layers)}. Name one of these.")


def _layer_list(layers: Iterable[Layer]) -> str:
    """Each layer once: its name, and its position and kind in brackets."""
    return ", ".join(
        dict.fromkeys(
            f"{layer.name!r} ({layer.kind})"
            if layer.depth is None
            else f"{layer.name!r} ({layer.depth}, {layer.kind})"
            for layer in layers
        )
    )
