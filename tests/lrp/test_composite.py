"""Composites: which step gets which rule."""

from __future__ import annotations

from typing import Any

import pytest

from textlrp.errors import RuleError
from textlrp.lrp.composite import PRESETS, Composite, as_composite
from textlrp.lrp.rules import Epsilon, Zero

STEPS = [("embedding", "lookup"), ("conv2", "convolution"), ("output", "dense")]


def test_a_name_comes_before_a_kind_and_a_kind_before_the_default() -> None:
    composite = Composite({"conv2": Zero(), "convolution": Epsilon(0.5)}, default=Epsilon(0.1))
    assert composite.rule_for("conv2", "convolution") == Zero()
    assert composite.rule_for("conv3", "convolution") == Epsilon(0.5)
    assert composite.rule_for("output", "dense") == Epsilon(0.1)


@pytest.mark.parametrize("kind", ["mean", "sum", "bag"])
def test_what_only_adds_up_takes_zero_unless_named(kind: str) -> None:
    assert Composite(default=Epsilon(0.1)).rule_for("step", kind) == Zero()
    assert Composite({kind: Epsilon(0.2)}).rule_for("step", kind) == Epsilon(0.2)
    assert Composite({"step": Epsilon(0.3)}).rule_for("step", kind) == Epsilon(0.3)


def test_an_unknown_layer_is_named_with_those_there_are() -> None:
    composite = Composite({"conv7": Zero()})
    with pytest.raises(RuleError) as refusal:
        composite.check(STEPS)
    assert str(refusal.value) == (
        "no layer 'conv7' in this model; it has 'embedding', 'lookup', 'conv2', 'convolution', 'output', 'dense'. "
        "Name one of these in Composite({...})."
    )
    Composite({"conv2": Zero(), "dense": Zero()}).check(STEPS)


@pytest.mark.parametrize(
    "composite", [*PRESETS.values(), Composite({"output": Epsilon(0.25, bias="spread")})], ids=repr
)
def test_repr_pastes_back(composite: Composite) -> None:
    assert eval(repr(composite), {"Composite": Composite, "Zero": Zero, "Epsilon": Epsilon}) == composite


def test_presets_are_what_their_names_say() -> None:
    assert PRESETS["zero"].rule_for("output", "dense") == Zero()
    assert PRESETS["epsilon"].rule_for("output", "dense") == Epsilon(1e-6)
    for kind in ("dense", "convolution", "linear"):
        assert PRESETS["arras2017"].rule_for("step", kind) == Epsilon(0.01, bias="spread")


def test_a_rule_or_a_name_becomes_a_composite() -> None:
    composite = Composite({"output": Zero()})
    assert as_composite(composite) is composite
    assert as_composite(Zero()) == Composite(default=Zero())
    assert as_composite("zero") == PRESETS["zero"]


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(RuleError, match=r"^no rule is called 'gama'; there are 'zero', 'epsilon', 'arras2017'.$"):
        as_composite("gama")


@pytest.mark.parametrize("rule", [None, 0.01, Epsilon, {"output": Zero()}], ids=repr)
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    with pytest.raises(RuleError, match=r"^rule=.* came; a name \(zero, epsilon, arras2017\), a Rule or a Composite"):
        as_composite(rule)


@pytest.mark.parametrize(
    ("layers", "default"),
    [(Epsilon(), Epsilon()), ({"output": "zero"}, Epsilon()), ({}, "zero"), ({}, Epsilon)],
    ids=repr,
)
def test_a_composite_of_something_else_than_rules_is_refused(layers: Any, default: Any) -> None:
    with pytest.raises(RuleError, match=r"wanted"):
        Composite(layers, default=default)


def test_a_composite_keeps_its_rules_when_the_map_it_was_given_changes() -> None:
    layers = {"output": Zero()}
    composite = Composite(layers)
    layers["output"] = Epsilon()  # type: ignore[assignment]
    assert composite.rule_for("output", "dense") == Zero()
