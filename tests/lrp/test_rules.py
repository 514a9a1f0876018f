"""Rules: what an output shares out sums to what it has."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from textlrp.errors import RuleError
from textlrp.lrp.rules import Epsilon, Part, Rule, Shares, Zero

RULES = [Zero(), Epsilon(0.0), Epsilon(), Epsilon(0.25), Epsilon(0.25, bias="spread"), Epsilon(0.0, bias="spread")]
SIZES = {torch.float32: 1e-6, torch.float64: 1e-14}

numbers = st.floats(-4, 4, width=32)


def shares_of(rule: Rule, products: Tensor, bias: Tensor) -> Shares:
    """The shares of outputs with these ``products`` (O, J) and ``bias`` (O,)."""
    return rule.shares(products.sum(dim=1) + bias, bias, torch.tensor(float(products.shape[1]), dtype=products.dtype))


def received(shares: Shares, products: Tensor) -> Tensor:
    """(O, J) what each input gets of an output's relevance of 1."""
    kinds = {Part.WEIGHTED: products, Part.EVEN: torch.ones_like(products)}
    total = torch.zeros_like(products)
    for part, factor in shares.flows:
        total = total + kinds[part] * factor[:, None]
    return total


@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize("rule", RULES, ids=repr)
@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(lambda j: st.lists(st.lists(numbers, min_size=j, max_size=j), min_size=1)),
    bias=numbers,
)
def test_fractions_sum_to_one(rule: Rule, dtype: torch.dtype, rows: list[list[float]], bias: float) -> None:
    products = torch.tensor(rows, dtype=dtype)
    shares = shares_of(rule, products, torch.full((len(rows),), bias, dtype=dtype))
    given_out = received(shares, products)
    absorbed = torch.stack(list(shares.absorbed.values()))
    size = given_out.abs().sum(dim=1) + absorbed.abs().sum(dim=0)
    assert all(part.dtype == dtype for _, part in shares.flows)
    assert absorbed.dtype == dtype
    assert ((given_out.sum(dim=1) + absorbed.sum(dim=0) - 1).abs() <= SIZES[dtype] * size).all()


eighths = st.integers(-32, 32).map(lambda n: n / 8)  # their sums are exact


@settings(max_examples=60, deadline=None)
@given(
    products=st.lists(eighths, min_size=1, max_size=5),
    bias=eighths,
    epsilon=st.sampled_from([0.0, 1e-6, 0.01, 0.5]),
    spread=st.booleans(),
)
def test_shares_are_those_of_the_plain_loops(
    products: list[float], bias: float, epsilon: float, spread: bool
) -> None:
    row = torch.tensor([products], dtype=torch.float64)
    rule = Epsilon(epsilon, bias="spread" if spread else "absorb")
    shares = shares_of(rule, row, torch.tensor([bias], dtype=torch.float64))
    fractions, causes = reference.share(products, bias, reference.Recipe(epsilon, spread))
    found = {cause: float(value[0]) for cause, value in shares.absorbed.items() if value[0] != 0}
    assert found == pytest.approx({cause: value for cause, value in causes.items() if value != 0}, rel=1e-13)
    np.testing.assert_allclose(received(shares, row)[0], fractions, rtol=1e-12, atol=1e-12 * max(map(abs, fractions)))


def test_zero_is_epsilon_without_epsilon() -> None:
    products = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bias = torch.linspace(-1, 1, 7, dtype=torch.float64)
    zero, epsilon = shares_of(Zero(), products, bias), shares_of(Epsilon(0.0), products, bias)
    assert torch.equal(received(zero, products), received(epsilon, products))
    assert all(torch.equal(zero.absorbed[cause], epsilon.absorbed[cause]) for cause in zero.absorbed)


def test_a_sign_of_zero_counts_as_positive() -> None:
    shares = shares_of(Epsilon(0.5), torch.tensor([[1.0, -1.0]]), torch.zeros(1))
    assert received(shares, torch.tensor([[1.0, -1.0]])).tolist() == [[2.0, -2.0]]
    assert shares.absorbed["stabiliser"].tolist() == [1.0]


@pytest.mark.parametrize("rule", [Zero(), Epsilon(0.0), Epsilon(0.0, bias="spread")], ids=repr)
@pytest.mark.parametrize("z", [0.0, -0.0, 1e-40, -1e-45])
def test_an_output_of_zero_absorbs_its_relevance_as_empty(rule: Rule, z: float) -> None:
    shares = rule.shares(torch.tensor([z]), torch.zeros(1), torch.tensor(2.0))
    assert shares.absorbed["empty"].tolist() == [1.0]
    assert all(factor.tolist() == [0.0] for _, factor in shares.flows)
    assert all(value.tolist() == [0.0] for cause, value in shares.absorbed.items() if cause != "empty")


def test_without_inputs_there_is_nobody_to_spread_the_bias_over() -> None:
    rule = Epsilon(0.01, bias="spread")
    shares = rule.shares(torch.tensor([2.0, -1.0]), torch.tensor([2.0, -1.0]), torch.tensor([0.0, 0.0]))
    total = torch.stack(list(shares.absorbed.values())).sum(dim=0)
    assert torch.allclose(total, torch.ones(2))
    assert all(torch.isfinite(factor).all() for _, factor in shares.flows)
    assert shares.absorbed["bias"].tolist() == pytest.approx([2 / 2.01, 1 / 1.01])


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_repr_pastes_back_and_values_compare(rule: Rule) -> None:
    again = eval(repr(rule), {"Zero": Zero, "Epsilon": Epsilon})
    assert again == rule
    assert hash(again) == hash(rule)


def test_rules_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Epsilon().epsilon = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("epsilon", [-1e-9, float("nan"), float("inf"), "much", None])
def test_an_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(
        RuleError, match=r"^epsilon=.* came; a finite number >= 0 is wanted, such as Epsilon\(1e-6\)\.$"
    ):
        Epsilon(epsilon)


def test_an_unknown_bias_is_refused() -> None:
    with pytest.raises(RuleError, match=r"^bias='even' came; 'absorb' or 'spread' is wanted.$"):
        Epsilon(bias="even")  # type: ignore[arg-type]
