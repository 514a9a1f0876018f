"""Rules and composites as text, and back."""

from __future__ import annotations

from typing import Any

import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import RuleError
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS, as_composite
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, ZBox

sizes = st.floats(0, 1e6, allow_nan=False)
rules = st.one_of(
    st.sampled_from([rule() for rule in RULES]),
    st.builds(Epsilon, sizes, st.sampled_from(["absorb", "spread"])),
    st.builds(Gamma, sizes, sizes),
    st.builds(
        lambda beta, bias: AlphaBeta(1 + beta, beta, bias), st.floats(0, 9), st.sampled_from(["absorb", "ignore"])
    ),
    st.builds(lambda low, high: ZBox(-low, high), sizes, st.floats(0.1, 9)),
)
composites = st.builds(
    Composite, st.dictionaries(st.one_of(st.text(max_size=9), st.integers(-9, 9)), rules, max_size=4), rules
)


@given(composites)
def test_a_composite_comes_back_from_what_it_prints_as(composite: Composite) -> None:
    assert as_composite(repr(composite)) == composite


@given(rules)
def test_a_rule_comes_back_from_what_it_prints_as(rule: Any) -> None:
    assert as_composite(f" {rule!r} ") == Composite(default=rule)


@every("name", PRESETS)
def test_every_preset_can_be_pasted(name: str) -> None:
    assert as_composite(repr(PRESETS[name])) == PRESETS[name]


def test_positions_and_defaults_may_be_left_out() -> None:
    assert as_composite("Composite({0: Flat(), -1: Gamma(0.5)})") == Composite({0: Flat(), -1: Gamma(0.5)})


@every(
    "text, said",
    [
        ("Gama(0.5)", "'Gama\\(0.5\\)' .* is not known; there are Zero, "),
        ("Gamma(gama=1)", "cannot be made: .*gama"),
        ("Gamma(-1.0)", "gamma=-1.0 came; a finite number >= 0"),
        ("Gamma(open('x'))", "is not known"),
        ("__import__('os').system('true')", "is not known"),
        ("Epsilon(1).__class__()", "is not known"),
        ("Gamma(**{'gamma': 1})", "is not known"),
        ("Gamma(0.5", "no rule is called"),
        ("Gamma(0.5))", "cannot be read"),
        ("(" * 500 + ")" * 500, "cannot be read|is not known"),
        ("Gamma", "no rule is called 'Gamma'; the closest name is 'gamma'"),
    ],
)
def test_what_is_no_rule_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        as_composite(text)
