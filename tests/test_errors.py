"""The sentences that error messages are built from, and the tree of exceptions."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textlrp import errors
from textlrp.errors import closest, must_be

NAMES = ["epsilon", "gamma", "alpha1-beta0", "LRP"]


def test_the_examples_of_the_docstrings_are_true() -> None:
    assert doctest.testmod(errors).failed == 0
    assert doctest.testmod(errors).attempted >= 3


@given(st.text(), st.text(), st.integers() | st.text(max_size=20) | st.none())
def test_a_message_names_the_parameter_the_requirement_and_the_value(name: str, what: str, got: object) -> None:
    assert must_be(name, what, got) == f"{name} must be {what}; got {got!r}."
    assert must_be(name, what, got, "Pass 1.") == f"{name} must be {what}; got {got!r}. Pass 1."


def test_a_name_with_one_wrong_letter_or_another_case_is_recognized() -> None:
    for name in NAMES:
        for wrong in (name.upper(), name.lower(), name[:-1], f"{name}x"):
            assert closest(wrong, NAMES) == f" The closest name is {name!r}."


@given(st.text(alphabet="zqjx0", max_size=20))
def test_a_name_like_no_other_gets_no_suggestion(name: str) -> None:
    assert closest(name, NAMES[:2]) == ""
    assert closest(name, []) == ""


def test_a_long_value_is_named_by_its_type() -> None:
    assert must_be("head", "left out", ["word"] * 100) == "head must be left out; got an object of type list."
    assert must_be("head", "left out", np.eye(2)) == "head must be left out; got an object of type ndarray."
