"""Composites: the rule of each layer, by name, position and kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
import torch
from cases import every

from textlrp.errors import RuleError
from textlrp.lrp.composite import LAYER_KINDS, Composite, Layer, is_rule
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.product_rules import PRODUCT_RULES, Halves, SourceOnly
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, Zero, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Trace, layers_of
from textlrp.lrp.trace_steps import Step

CONVOLUTION, OUTPUT = Layer("conv2", "convolution", 0, 1), Layer("output", "dense", 1, 0)
NAMES: dict[str, Any] = {kind.__name__: kind for kind in (*RULES, *PRODUCT_RULES)} | {"Composite": Composite}


# ---- precedence


def test_a_name_comes_before_a_position_before_a_kind_before_the_default() -> None:
    rules: dict[str | int, Rule] = {"conv2": Zero(), 0: Flat(), -2: ZPlus(), "convolution": Gamma()}
    for key in list(rules):
        assert Composite(rules).rule_for(CONVOLUTION) == rules.pop(key)
    assert Composite(rules).rule_for(CONVOLUTION) == Epsilon()
    assert Composite(rules, default=Epsilon(0.1)).rule_for(CONVOLUTION) == Epsilon(0.1)


def test_a_key_counts_for_its_layer_alone() -> None:
    composite = Composite({"conv2": Zero(), 1: Flat(), "recurrent": Gamma()}, default=Epsilon(0.1))
    assert composite.rule_for(CONVOLUTION) == Zero()
    assert composite.rule_for(CONVOLUTION._replace(name="conv3")) == Epsilon(0.1)
    assert composite.rule_for(OUTPUT) == Flat()
    assert composite.rule_for(Layer("lstm", "recurrent", 0, 1)) == Gamma()


@every("kind", ["mean", "sum", "bag"])
def test_layers_that_only_add_up_get_zero_unless_named(kind: str) -> None:
    layer = Layer("step", kind, None, None)
    assert Composite(default=Epsilon(0.1)).rule_for(layer) == Zero()
    assert Composite({0: Flat(), -1: Flat()}).rule_for(layer) == Zero()
    assert Composite({kind: Epsilon(0.2)}).rule_for(layer) == Epsilon(0.2)
    assert Composite({"step": Epsilon(0.3), kind: Epsilon(0.2)}).rule_for(layer) == Epsilon(0.3)


def test_products_get_the_source_only_unless_named() -> None:
    product, attention = Layer("mul", "product", None, None), Layer("matmul", "weighted sum", None, None)
    for composite in (Composite(default=Epsilon(0.1)), Composite({0: Flat(), "sum": Flat()})):
        assert composite.rule_for(product) == SourceOnly()
    assert Composite(default=Epsilon(0.1)).rule_for(attention) == SourceOnly()
    for layer in (product, attention):
        assert Composite({"product": Halves(), "sum": Flat()}).rule_for(layer) == Halves()
        assert Composite({layer.name: SourceOnly(), "product": Halves()}).rule_for(layer) == SourceOnly()


def test_attention_is_a_sum_if_no_rule_for_products_is_given() -> None:
    attention = Layer("matmul", "weighted sum", None, None)
    assert Composite({"sum": Flat()}).rule_for(attention) == Flat()
    assert Composite({"weighted sum": Gamma(), "sum": Flat(), "product": Halves()}).rule_for(attention) == Gamma()


@every(
    "layers, default",
    [
        ({"product": Zero()}, Epsilon()),
        ({"dense": Halves()}, Epsilon()),
        ({"sum": SourceOnly()}, Epsilon()),
        ({0: SourceOnly()}, Epsilon()),
        ({}, Halves()),
    ],
)
def test_rules_for_products_and_other_rules_are_not_confused(layers: Any, default: Any) -> None:
    with pytest.raises(RuleError, match=r"must be .*; got .*\. Pass "):
        Composite(layers, default=default)


# ---- positions


@dataclass(frozen=True)
class Stand:
    """A step with a name, a kind and its inputs and outputs, which propagates nothing."""

    name: str
    kind: str
    reads: tuple[str, ...]
    writes: str
    ruled: bool = True


def places(*steps: Stand) -> dict[str, tuple[int | None, int | None]]:
    trace = Trace(cast(tuple[Step, ...], steps), torch.zeros(1, 1))
    return {layer.name: (layer.depth, layer.height) for layer in layers_of(trace) if layer is not None}


LOOKUP = Stand("embedding", "lookup", ("words",), "vectors", ruled=False)


def test_positions_in_a_chain() -> None:
    assert places(
        LOOKUP,
        Stand("a", "convolution", ("vectors",), "one"),
        Stand("relu", "relu", ("one",), "two", ruled=False),
        Stand("mean", "mean", ("two",), "three"),
        Stand("b", "norm", ("three",), "four"),
        Stand("c", "dense", ("four",), "scores"),
    ) == {"a": (0, 2), "mean": (None, 2), "b": (1, 1), "c": (2, 0)}


def test_positions_in_branches_of_different_depth() -> None:
    found = places(
        LOOKUP,
        Stand("short", "convolution", ("vectors",), "left"),
        Stand("long1", "recurrent", ("vectors",), "right1"),
        Stand("long2", "dense", ("right1",), "right2"),
        Stand("bag", "bag", ("vectors",), "middle"),
        Stand("late", "dense", ("middle",), "right3"),
        Stand("sum", "sum", ("right2", "right3"), "right"),
        Stand("concat", "concat", ("left", "right"), "features", ruled=False),
        Stand("hidden", "dense", ("features",), "hidden"),
        Stand("output", "dense", ("hidden",), "scores"),
    )
    assert found == {
        "short": (0, 2),
        "long1": (0, 3),
        "long2": (1, 2),
        "bag": (None, 3),
        "late": (0, 2),  # only a bag is between it and the words
        "sum": (None, 2),
        "hidden": (2, 1),  # the longest path counts
        "output": (3, 0),
    }
    composite = Composite({0: Flat(), 1: Gamma(), -1: Zero(), -2: ZPlus()}, default=Epsilon(0.5))
    rules = {
        name: composite.rule_for(Layer(name, "dense", depth, height))
        for name, (depth, height) in found.items()
        if depth is not None
    }
    assert rules == {
        "short": Flat(),
        "long1": Flat(),
        "long2": Gamma(),
        "late": Flat(),
        "hidden": ZPlus(),
        "output": Zero(),
    }


def test_a_position_from_the_words_comes_before_one_from_the_scores() -> None:
    composite = Composite({-1: Zero(), 0: Flat()})
    assert composite.rule_for(Layer("output", "dense", 0, 0)) == Flat()
    assert composite.rule_for(Layer("output", "dense", 1, 0)) == Zero()


def test_a_value_read_twice_and_a_layer_used_twice() -> None:
    assert places(
        LOOKUP,
        Stand("a", "dense", ("vectors",), "one"),
        Stand("b", "dense", ("one",), "two"),
        Stand("residual", "sum", ("one", "two"), "three"),
        Stand("c", "dense", ("three",), "scores"),
    ) == {"a": (0, 2), "b": (1, 1), "residual": (None, 1), "c": (2, 0)}


# ---- keys that do not fit


@every("key", ["conv7", 2, -3, "lookup", "relu"])
def test_the_error_of_an_unknown_layer_lists_all_layers(key: str | int) -> None:
    with pytest.raises(RuleError) as refusal:
        Composite({key: Zero()}).check([CONVOLUTION, Layer("mean2", "mean", None, None), OUTPUT, OUTPUT])
    assert str(refusal.value) == (
        f"no layer {key!r} in this model; it has 'conv2' (0, convolution), 'mean2' (mean), 'output' (1, dense). "
        "Name one of these."
    )


@every("key", ["conv2", "mean2", 0, 1, -1, -2, *LAYER_KINDS])
def test_names_positions_and_all_kinds_are_known(key: str | int) -> None:
    rule = SourceOnly() if key == "product" else Zero()
    Composite({key: rule}).check([CONVOLUTION, Layer("mean2", "mean", None, None), OUTPUT])


@every(
    "layers, default",
    [
        (Epsilon(), Epsilon()),
        ([("output", Zero())], Epsilon()),
        ({"output": "zero"}, Epsilon()),
        ({"output": Zero}, Epsilon()),
        ({}, "zero"),
        ({}, Epsilon),
        ({True: Zero()}, Epsilon()),
        ({0.0: Zero()}, Epsilon()),
        ({None: Zero()}, Epsilon()),
    ],
)
def test_a_composite_of_other_values_than_rules_is_refused(layers: Any, default: Any) -> None:
    with pytest.raises(RuleError, match=r"must be .*; got .*\. (Try|Pass) "):
        Composite(layers, default=default)


@every("rule", [kind() for kind in (*RULES, *PRODUCT_RULES)])
def test_a_rule_is_a_rule_and_its_class_is_not(rule: Rule) -> None:
    assert is_rule(rule)
    assert not is_rule(type(rule))
    assert not is_rule("epsilon")


# ---- values


@every(
    "composite",
    [*PRESETS.values(), Composite({"output": Epsilon(0.25, bias="spread"), -2: AlphaBeta(1.0, 0.0)})],
)
def test_repr_pastes_back(composite: Composite) -> None:
    assert eval(repr(composite), dict(NAMES)) == composite


def test_a_composite_keeps_its_rules_when_the_map_it_was_given_changes() -> None:
    layers: dict[str | int, Rule] = {"output": Zero()}
    composite = Composite(layers)
    layers["output"] = Epsilon()
    assert composite.rule_for(OUTPUT) == Zero()


def test_a_composite_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Composite().default = Zero()  # type: ignore[misc]
