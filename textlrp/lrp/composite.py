"""Composites: which step of a trace gets which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from textlrp.errors import RuleError
from textlrp.lrp.rules import Epsilon, Rule, Zero

UNWEIGHTED: Mapping[str, Rule] = {"mean": Zero(), "sum": Zero(), "bag": Zero()}
"""Kinds that only add up: Zero unless named (a stabiliser at a mean would swallow the score)."""


def is_rule(value: object) -> TypeGuard[Rule]:
    """Whether this is a rule, and not a rule's class."""
    return isinstance(value, Rule) and not isinstance(value, type)


@dataclass(frozen=True)
class Composite:
    """A map from steps to rules, looked up by the step's name, then its kind, then ``default``.

    ``layers`` maps a name ("conv2", "output") or a kind ("convolution", "dense", "mean") to a rule.
    Averages, sums and embedding bags take :class:`Zero` unless named.

    >>> Composite({"output": Zero()}, default=Epsilon(0.01))
    Composite({'output': Zero()}, default=Epsilon(epsilon=0.01, bias='absorb'))
    """

    layers: Mapping[str, Rule] = field(default_factory=dict)
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
        object.__setattr__(self, "layers", dict(self.layers))

    def __repr__(self) -> str:
        return f"Composite({dict(self.layers)!r}, default={self.default!r})"

    def rule_for(self, name: str, kind: str) -> Rule:
        """The rule of the step ``name`` of this ``kind``."""
        for key in (name, kind):
            if key in self.layers:
                return self.layers[key]
        return UNWEIGHTED.get(kind, self.default)

    def check(self, steps: Iterable[tuple[str, str]]) -> None:
        """Raise :class:`RuleError` if a key of ``layers`` fits none of the (name, kind) ``steps``."""
        names = [name for pair in steps for name in pair]
        for key in self.layers:
            if key not in names:
                known = ", ".join(repr(name) for name in dict.fromkeys(names))
                raise RuleError(
                    f"no layer {key!r} in this model; it has {known}. Name one of these in Composite({{...}})."
                )


PRESETS: Mapping[str, Composite] = {
    "zero": Composite(default=Zero()),
    "epsilon": Composite(default=Epsilon()),
    "arras2017": Composite(default=Epsilon(0.01, bias="spread")),
}
"""Composites by name: LRP-0 everywhere, LRP-epsilon everywhere, and Arras et al. 2017."""


def as_composite(rule: str | Rule | Composite) -> Composite:
    """A preset's name, a rule for every weighted layer, or a composite, as a composite.

    Raises :class:`RuleError` on anything else.
    """
    if isinstance(rule, Composite):
        return rule
    if isinstance(rule, str):
        if rule in PRESETS:
            return PRESETS[rule]
        raise RuleError(f"no rule is called {rule!r}; there are {', '.join(map(repr, PRESETS))}.")
    if is_rule(rule):
        return Composite(default=rule)
    raise RuleError(f"rule={rule!r} came; a name ({', '.join(PRESETS)}), a Rule or a Composite is wanted.")
