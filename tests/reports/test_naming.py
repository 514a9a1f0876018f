"""Names of rules and methods, derived from what an explanation records."""

from __future__ import annotations

import pytest
from cases import every
from explanations import make_explanation

from textlrp.explainers.method_table import METHODS
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Gamma, ZBox, Zero
from textlrp.reports.naming import DisplayName, name_of
from textlrp.reports.view_titles import rule_title


def named(rule: object, method: str = "lrp") -> DisplayName:
    return name_of(make_explanation(rule=repr(rule) if not isinstance(rule, str) else rule, method=method))


@every("rule", RULES)
def test_every_rule_has_a_name_and_a_sentence(rule: type) -> None:
    name = named(rule())
    assert name.title.startswith("LRP-")
    assert name.sentence.endswith(".")


@every("preset", PRESETS)
def test_every_composite_has_a_name_and_a_sentence(preset: str) -> None:
    name = named(PRESETS[preset].printed)
    assert name.title.startswith("LRP-")
    assert name.sentence.endswith(".")
    assert "(epsilon=" not in name.title


@every("method", METHODS)
def test_every_method_has_a_name_and_a_sentence(method: str) -> None:
    name = named(repr(METHODS[method].value), method)
    assert name.title != method
    assert name.sentence.endswith(".")


def test_titles_carry_the_numbers() -> None:
    titles = [named(rule).title for rule in (Zero(), Epsilon(0.01), Gamma(0.5), AlphaBeta(2, 1), AlphaBeta(1, 0))]
    assert titles == ["LRP-0", "LRP-ε (ε = 0.01)", "LRP-γ (γ = 0.5)", "LRP-α2β1", "LRP-α1β0"]
    assert named(Epsilon(0.01, bias="spread")).title == "LRP-ε (ε = 0.01), bias spread"
    assert named(AlphaBeta(2, 1, bias="ignore")).title == "LRP-α2β1, no bias"
    assert named(ZBox(-1.0, 1.0)).title == "LRP-zᴮ"


def test_a_composite_says_where_each_rule_is() -> None:
    composite = Composite({"conv2": Gamma(0.5), -1: Zero()}, default=Epsilon())
    assert named(composite).title == (
        "LRP-γ (γ = 0.5) at conv2; LRP-0 at the last layer; LRP-ε (ε = 1e-06) elsewhere"
    )


@pytest.mark.parametrize(
    "rule", ["Mine(x=1)", "no (call", "Composite({0: Mine()}, default=Zero())", "__import__('os')"]
)
def test_an_unknown_rule_keeps_its_recorded_name(rule: str) -> None:
    assert named(rule) == DisplayName(rule)


def test_an_explanation_without_a_rule_has_a_name() -> None:
    assert named("").title == "LRP"
    assert named("", "my-own").title == "my-own"


def test_the_facts_of_a_page_name_a_composite_and_keep_its_code() -> None:
    code = repr(PRESETS["cp-lrp"])
    assert rule_title(make_explanation(rule=code)) == f"LRP-0 (CP-LRP): {code}"
    assert rule_title(make_explanation(rule="Epsilon(epsilon=1e-06)")) == "Epsilon(epsilon=1e-06)"
    assert rule_title(make_explanation(rule="Composite({0: Mine()}, default=Zero())")).startswith("Composite(")
