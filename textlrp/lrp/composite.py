"""Composites: maps from the layers of a model to LRP rules.

Open this module to see how a layer is addressed (by name, position or kind) and which rule it gets by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeGuard

from textlrp.errors import RuleError, must_be
from textlrp.lrp.product_rules import SourceOnly, is_product_rule
from textlrp.lrp.rules import Epsilon, Zero
from textlrp.lrp.shares import Rule, has_fixed_sign, remark_on_text

__all__ = ["Composite", "Layer"]

WEIGHTED_SUM = "weighted sum"
"""The kind of a sum that is weighted by a gate, such as attention: a product and a sum."""

UNWEIGHTED: Mapping[str, Rule] = {
    "mean": Zero(),
    "sum": Zero(),
    "bag": Zero(),
    "product": SourceOnly(),
    WEIGHTED_SUM: SourceOnly(),
}
"""Kinds of layers that only add up or multiply their inputs, with their default rule.

Sums follow LRP-0 unless a composite names them: the output of a mean is small, so that a stabilizer such as 0.01
would absorb much of the score.
"""

LAYER_KINDS = ("dense", "convolution", "recurrent", "norm", *UNWEIGHTED)
"""The kinds of layers that take a rule."""


class Layer(NamedTuple):
    """What a composite knows of a layer.

    ``depth`` is the number of weighted layers between it and the words, ``height`` the number between it and the
    scores. ``depth`` is None for the kinds without weights (:data:`UNWEIGHTED`), and ``height`` may be None.
    """

    name: str
    kind: str
    depth: int | None
    height: int | None

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The keys that address the layer in a composite, in order of precedence."""
        positions = () if self.depth is None or self.height is None else (self.depth, -1 - self.height)
        also = ("product", "sum") if self.kind == WEIGHTED_SUM else ()
        return (self.name, *positions, self.kind, *also)


def is_rule(value: object) -> TypeGuard[Rule]:
    """Whether a value is a rule; the class of a rule is not."""
    return isinstance(value, Rule) and not isinstance(value, type)


@dataclass(frozen=True)
class Composite:
    """A map from layers to rules.

    A key of ``layers`` is the name of a layer ("conv2", "output"), its position, or its kind ("convolution", "dense",
    "recurrent", "norm", "mean", "sum", "bag", "product", "weighted sum"). If several keys fit a layer, the name takes
    precedence over the position, and the position over the kind. All other layers get the rule ``default``.

    Position 0 is every weighted layer that reads the words, 1 the layers after it; -1 is the layer that writes the
    scores, -2 the layers before it. Averages, sums and embedding bags have no position and get :class:`Zero` unless
    they are named. Products of two values that depend on the words take a rule for products
    (:mod:`textlrp.lrp.product_rules`); :class:`~.SourceOnly` is the default. A sum weighted by a gate, such as
    attention, is both a product and a sum. Source: Montavon et al. 2019, section 10.3, on choosing rules by depth.

    Raises :class:`RuleError` if ``layers`` is not such a map, or ``default`` is not a rule.

    >>> Composite({"output": Zero()}, default=Epsilon(0.01))
    Composite({'output': Zero()}, default=Epsilon(epsilon=0.01, bias='absorb'))
    """

    layers: Mapping[str | int, Rule] = field(default_factory=dict)
    default: Rule = field(default_factory=Epsilon)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Mapping):
            raise RuleError(
                f"layers must be a map from layers to rules; got {self.layers!r}. "
                "Try Composite({'output': Zero()}), or Composite(default=Zero()) for one rule at all layers."
            )
        for rule in (*self.layers.values(), self.default):
            if not is_rule(rule):
                raise RuleError(must_be("each rule of a Composite", "a Rule", rule, "Pass one such as Zero()."))
        for key in self.layers:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise RuleError(
                    must_be(
                        "each layer of a Composite",
                        "a name, a position or a kind",
                        key,
                        "Try 'output', 0 or 'dense'.",
                    )
                )
        self._check_product_rules()
        object.__setattr__(self, "layers", dict(self.layers))

    def _check_product_rules(self) -> None:
        """Raise :class:`RuleError` if a rule for products is at another kind, or another rule at products."""
        if is_product_rule(self.default):
            raise RuleError(
                f"default must be a rule for layers with weights; got {self.default!r}, which is for products. "
                f"Pass Composite({{'product': {self.default!r}}}, default=Zero())."
            )
        for key, rule in self.layers.items():
            if key == "product" and not is_product_rule(rule):
                raise RuleError(
                    must_be("the rule of 'product'", "one for products", rule, "Pass SourceOnly() or Halves().")
                )
            other = key in LAYER_KINDS and key not in ("product", WEIGHTED_SUM)
            if is_product_rule(rule) and (other or isinstance(key, int)):
                raise RuleError(
                    must_be(
                        f"the rule of {key!r}", "one for layers with weights or sums", rule, "Pass it at 'product'."
                    )
                )

    def __repr__(self) -> str:
        return f"Composite({dict(self.layers)!r}, default={self.default!r})"

    @cached_property
    def printed(self) -> str:
        """The composite as text that :func:`.as_composite` reads; just the rule if all layers have one rule."""
        return repr(self) if self.layers else repr(self.default)

    def rule_for(self, layer: Layer) -> Rule:
        """Return the rule of a layer."""
        for key in layer.keys:
            if key in self.layers:
                return self.layers[key]
        return UNWEIGHTED.get(layer.kind, self.default)

    def fixed_sign(self, layers: Iterable[Layer]) -> bool:
        """Whether :func:`has_fixed_sign` is true of the rule of a layer that writes the scores (``height`` 0).

        The inputs of that layer then get the sign of the score that propagation starts from.
        """
        return any(layer.height == 0 and has_fixed_sign(self.rule_for(layer)) for layer in layers)

    def remarks_on_text(self, layers: Iterable[Layer]) -> tuple[str, ...]:
        """Return :func:`remark_on_text` of the rules at the layers that read the words (``depth`` 0), each once."""
        found = [remark_on_text(self.rule_for(layer)) for layer in layers if layer.depth == 0]
        return tuple(dict.fromkeys(remark for remark in found if remark))

    def check(self, layers: Sequence[Layer]) -> None:
        """Raise :class:`RuleError` if a key fits none of the ``layers`` and is not a kind of layer."""
        known = {key for layer in layers for key in layer.keys} | set(LAYER_KINDS)
        for key in self.layers:
            if key not in known:
                raise RuleError(f"no layer {key!r} in this model; it has {_layer_list(layers)}. Name one of these.")


def _layer_list(layers: Iterable[Layer]) -> str:
    """Each layer once, with its position and kind in parentheses."""
    return ", ".join(
        dict.fromkeys(
            f"{layer.name!r} ({layer.kind})"
            if layer.depth is None
            else f"{layer.name!r} ({layer.depth}, {layer.kind})"
            for layer in layers
        )
    )
