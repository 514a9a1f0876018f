"""Rules and composites are read from the text that they print as."""

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
def test_a_composite_is_read_from_its_repr(composite: Composite) -> None:
    assert as_composite(repr(composite)) == composite


@given(rules)
def test_a_rule_is_read_from_its_repr(rule: Any) -> None:
    assert as_composite(f" {rule!r} ") == Composite(default=rule)


@every("name", PRESETS)
def test_every_preset_can_be_pasted(name: str) -> None:
    assert as_composite(repr(PRESETS[name])) == PRESETS[name]


def test_positions_and_defaults_may_be_left_out() -> None:
    assert as_composite("Composite({0: Flat(), -1: Gamma(0.5)})") == Composite({0: Flat(), -1: Gamma(0.5)})


@every(
    "text, message",
    [
        ("Gama(0.5)", "'Gama\\(0.5\\)' .* is not allowed here. Use only Zero, "),
        ("Gamma(gama=1)", "cannot be created: .*gama"),
        ("Gamma(-1.0)", "gamma must be a finite number >= 0; got -1.0"),
        ("Gamma(open('x'))", "is not allowed"),
        ("__import__('os').system('true')", "is not allowed"),
        ("Epsilon(1).__class__()", "is not allowed"),
        ("Gamma(**{'gamma': 1})", "is not allowed"),
        ("Gamma(0.5", "no rule is called"),
        ("Gamma(0.5))", "cannot be read"),
        ("(" * 500 + ")" * 500, "cannot be read|is not allowed"),
        ("Gamma", "no rule is called 'Gamma'. The closest name is 'gamma'"),
    ],
)
def test_text_that_is_not_a_rule_is_refused(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        as_composite(text)
