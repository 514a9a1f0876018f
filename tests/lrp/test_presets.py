"""Composites by name."""

from __future__ import annotations

from typing import Any

import outside
import pytest
from cases import every

from textlrp.errors import RuleError
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.presets import PRESETS, as_composite
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Rule

ALPHA_1, ALPHA_2 = AlphaBeta(1.0, 0.0), AlphaBeta(2.0, 1.0)

INNVESTIGATE = (
    "lrp.z",
    "lrp.epsilon",
    "lrp.w_square",
    "lrp.flat",
    "lrp.alpha_beta",
    "lrp.alpha_2_beta_1",
    "lrp.alpha_2_beta_1_IB",
    "lrp.alpha_1_beta_0",
    "lrp.alpha_1_beta_0_IB",
    "lrp.z_plus",
    "lrp.z_plus_fast",
    "lrp.sequential_preset_a",
    "lrp.sequential_preset_b",
    "lrp.sequential_preset_a_flat",
    "lrp.sequential_preset_b_flat",
    "deep_taylor",
    "deep_taylor.bounded",
)
ZENNIT = (
    "epsilon_plus",
    "epsilon_plus_flat",
    "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat",
    "epsilon_gamma_box",
    "excitation_backprop",
)
GRADIENTS = {"deconvnet", "guided_backprop", "beta_smooth"}
"""Composites of Zennit that are not LRP."""

FIRST_CONVOLUTION = Layer("conv2", "convolution", 0, 2)
SECOND_CONVOLUTION = Layer("conv3", "convolution", 1, 1)
OUTPUT = Layer("output", "dense", 2, 0)
ONLY = Layer("output", "dense", 0, 0)


@every("name", [*INNVESTIGATE, *ZENNIT])
def test_the_names_of_other_toolkits_are_known(name: str) -> None:
    assert isinstance(as_composite(name), Composite)


def test_all_composites_of_zennit_are_covered() -> None:
    zennit = outside.zennit()
    names = set(zennit.composites.COMPOSITES)
    assert set(ZENNIT) <= names
    for name in names - GRADIENTS:
        assert isinstance(as_composite(name), Composite), name


@every(
    "name, first, second, top, only",
    [
        ("zero", Zero(), Zero(), Zero(), Zero()),
        ("epsilon", Epsilon(1e-6), Epsilon(1e-6), Epsilon(1e-6), Epsilon(1e-6)),
        ("gamma", Gamma(0.25), Gamma(0.25), Gamma(0.25), Gamma(0.25)),
        ("arras2017", *[Epsilon(0.01, bias="spread")] * 4),
        ("alpha1-beta0", *[ALPHA_1] * 4),
        ("alpha2-beta1", *[ALPHA_2] * 4),
        ("z-plus", *[ZPlus()] * 4),
        ("w-square", *[WSquare()] * 4),
        ("flat", *[Flat()] * 4),
        ("epsilon-gamma", Gamma(0.25), Gamma(0.25), Epsilon(), Epsilon()),
        ("epsilon_gamma_box", ZBox(), Gamma(0.25), Epsilon(), ZBox()),
        ("epsilon_plus", ALPHA_1, ALPHA_1, Epsilon(), Epsilon()),
        ("epsilon_plus_flat", Flat(), ALPHA_1, Epsilon(), Flat()),
        ("epsilon_alpha2_beta1", ALPHA_2, ALPHA_2, Epsilon(), Epsilon()),
        ("epsilon_alpha2_beta1_flat", Flat(), ALPHA_2, Epsilon(), Flat()),
        ("excitation_backprop", *[ZPlus()] * 4),
        ("lrp.z", *[Zero()] * 4),
        ("lrp.epsilon", *[Epsilon(1e-7)] * 4),
        ("lrp.alpha_2_beta_1_IB", *[AlphaBeta(2.0, 1.0, bias="ignore")] * 4),
        ("lrp.alpha_1_beta_0_IB", *[AlphaBeta(1.0, 0.0, bias="ignore")] * 4),
        ("lrp.sequential_preset_a", ALPHA_1, ALPHA_1, Epsilon(), Epsilon()),
        ("lrp.sequential_preset_b", ALPHA_2, ALPHA_2, Epsilon(), Epsilon()),
        ("lrp.sequential_preset_a_flat", Flat(), ALPHA_1, Epsilon(), Flat()),
        ("lrp.sequential_preset_b_flat", Flat(), ALPHA_2, Epsilon(), Flat()),
        ("deep_taylor", WSquare(), ZPlus(), ZPlus(), WSquare()),
        ("deep_taylor.bounded", ZBox(), ZPlus(), ZPlus(), ZBox()),
    ],
)
def test_presets_have_the_rules_of_their_names(name: str, first: Rule, second: Rule, top: Rule, only: Rule) -> None:
    composite = as_composite(name)
    found = [composite.rule_for(layer) for layer in (FIRST_CONVOLUTION, SECOND_CONVOLUTION, OUTPUT, ONLY)]
    assert found == [first, second, top, only]
    for kind in ("mean", "sum", "bag"):
        assert composite.rule_for(Layer("step", kind, None, None)) == Zero()


def test_zennits_names_may_be_written_either_way() -> None:
    for name in ZENNIT:
        assert as_composite(name) is as_composite(name.replace("_", "-"))


def test_a_rule_or_a_name_becomes_a_composite() -> None:
    composite = Composite({"output": Zero()})
    assert as_composite(composite) is composite
    assert as_composite(Zero()) == Composite(default=Zero())
    assert as_composite("zero") is PRESETS["zero"]


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["mine"] = Composite()  # type: ignore[index]


@every(
    "name, closest",
    [
        ("gama", "gamma"),
        ("epsilon-gama", "epsilon-gamma"),
        ("LRP.Z", "lrp.z"),
        ("lrp.z_pluss", "lrp.z_plus"),
        ("deep-taylor", "deep_taylor"),
    ],
)
def test_the_error_of_an_unknown_name_has_the_closest_name(name: str, closest: str) -> None:
    with pytest.raises(RuleError) as refusal:
        as_composite(name)
    assert str(refusal.value) == (
        f"no rule is called {name!r}. The closest name is {closest!r}. "
        f"'textlrp rules' lists all {len(PRESETS)} names."
    )


@pytest.mark.parametrize("name", ["", "?", "🚀"])
def test_the_error_of_a_name_like_no_other_has_no_suggestion(name: str) -> None:
    with pytest.raises(RuleError, match=r"^no rule is called '.*'\. 'textlrp rules' lists all"):
        as_composite(name)


@pytest.mark.parametrize("rule", [None, 0.01, Epsilon, {"output": Zero()}], ids=repr)
def test_a_value_that_is_not_a_rule_is_refused(rule: Any) -> None:
    with pytest.raises(
        RuleError,
        match=r"^rule must be a name, a Rule or a Composite; got .*\. Try 'epsilon', Epsilon\(0.01\) or Composite",
    ):
        as_composite(rule)
