"""Rules: equal to the equations of the literature as plain loops, and conserving relevance with the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import reference
import torch
from cases import every
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference import Recipe
from torch import Tensor

from textlrp.errors import RuleError
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Box, Part, Rule, Shares

LOW, HIGH = -3.0, 2.5
BOUNDS = Box(torch.tensor(LOW), torch.tensor(HIGH))
"""The bounds of the inputs of the neurons below."""

EQUATIONS: dict[Rule, Recipe] = {
    Zero(): Recipe(),
    Epsilon(0.0): Recipe(),
    Epsilon(): Recipe(1e-6),
    Epsilon(0.25): Recipe(0.25),
    Epsilon(0.25, bias="spread"): Recipe(0.25, spread=True),
    Epsilon(0.0, bias="spread"): Recipe(spread=True),
    Gamma(): Recipe(rule="gamma"),
    Gamma(0.0): Recipe(rule="gamma", gamma=0.0),
    Gamma(2.0, stabilizer=0.5): Recipe(0.5, rule="gamma", gamma=2.0),
    AlphaBeta(): Recipe(rule="alpha-beta"),
    AlphaBeta(1.0, 0.0): Recipe(rule="alpha-beta", alpha=1.0, beta=0.0),
    AlphaBeta(1.5, 0.5, stabilizer=0.125): Recipe(0.125, rule="alpha-beta", alpha=1.5, beta=0.5),
    AlphaBeta(bias="ignore"): Recipe(rule="alpha-beta", ignore_bias=True),
    AlphaBeta(1.0, 0.0, bias="ignore"): Recipe(rule="alpha-beta", alpha=1.0, beta=0.0, ignore_bias=True),
    AlphaBeta(bias="ignore", stabilizer=0.5): Recipe(0.5, rule="alpha-beta", ignore_bias=True),
    ZPlus(): Recipe(rule="z-plus"),
    ZPlus(0.5): Recipe(0.5, rule="z-plus"),
    WSquare(): Recipe(rule="w-square"),
    WSquare(0.5): Recipe(0.5, rule="w-square"),
    Flat(): Recipe(rule="flat"),
    Flat(0.5): Recipe(0.5, rule="flat"),
    ZBox(): Recipe(rule="z-box"),
    ZBox(LOW, HIGH): Recipe(rule="z-box"),
    ZBox(stabilizer=0.5): Recipe(0.5, rule="z-box"),
}
SIZES = {torch.float32: 2e-6, torch.float64: 1e-14}

each_rule = pytest.mark.parametrize("rule", EQUATIONS, ids=repr)


@dataclass(frozen=True)
class Neurons:
    """O outputs with separate ``inputs`` (O, J), ``weight`` (O, J) and ``bias`` (O,)."""

    inputs: Tensor
    weight: Tensor
    bias: Tensor
    bounds: Box | None = BOUNDS
    name: str = "dense"

    @property
    def outputs(self) -> Tensor:
        return (self.inputs * self.weight).sum(dim=1) + self.bias

    def total(self, part: Part | Box) -> Tensor:
        return self.parts(part).sum(dim=1)

    def parts(self, part: Part | Box) -> Tensor:
        """One part (O, J) of each product."""
        a, w = self.inputs, self.weight
        if isinstance(part, Box):
            low, high = part.low.to(a.dtype), part.high.to(a.dtype)
            return a * w - torch.where(w > 0, low * w, high * w)
        return {
            Part.PRODUCT: a * w,
            Part.POSITIVE: torch.where(a * w > 0, a * w, 0),
            Part.NEGATIVE: torch.where(a * w < 0, a * w, 0),
            Part.SQUARE: w * w,
            Part.EVEN: torch.ones_like(w),
        }[part]

    def received(self, shares: Shares) -> Tensor:
        """The share (O, J) that each input receives of an output with relevance 1."""
        total = torch.zeros_like(self.inputs)
        for part, factor in shares.flows:
            total = total + self.parts(part) * factor[:, None]
        return total


class Row(NamedTuple):
    """One output: its inputs, weights and bias."""

    inputs: list[float]
    weights: list[float]
    bias: float


def neurons(*rows: Row, dtype: torch.dtype = torch.float64) -> Neurons:
    return Neurons(
        torch.tensor([row.inputs for row in rows], dtype=dtype),
        torch.tensor([row.weights for row in rows], dtype=dtype),
        torch.tensor([row.bias for row in rows], dtype=dtype),
    )


def rows_of(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    def some(j: int) -> st.SearchStrategy[list[Row]]:
        side = st.lists(numbers, min_size=j, max_size=j)
        return st.lists(st.builds(Row, side, side, numbers), min_size=1, max_size=6)

    return st.integers(1, 4).flatmap(some)


eighths = st.integers(-24, 20).map(lambda n: n / 8)  # sums of their products are exact
floats = st.floats(LOW, HIGH, width=32)

ONE_SIDED = [
    Row([1.0, -2.0], [1.5, -0.5], 0.0),
    Row([1.0, -2.0], [-1.5, 0.5], 0.0),
    Row([1.0, 2.0], [1.5, 0.5], -1.0),
    Row([1.0, 2.0], [-1.5, -0.5], 1.0),
]
ZEROS = [
    Row([0.0, 0.0], [1.0, -1.0], 0.0),
    Row([1.0, 1.0], [0.0, 0.0], 0.0),
    Row([1.0, 1.0], [0.0, 0.0], 2.0),
    Row([1.0, 1.0], [1.0, -1.0], 0.0),
    Row([1.0, 2.0], [1.0, 1.0], -3.0),
    Row([1.0, 2.0], [1.0, -1.0], 1.0),
]


# ---- the equations


@each_rule
@settings(max_examples=20, deadline=None)
@given(rows=rows_of(eighths))
@example(rows=ONE_SIDED)
@example(rows=ZEROS)
def test_shares_equal_plain_loops(rule: Rule, rows: list[Row]) -> None:
    step = neurons(*rows)
    shares = rule.shares(step)
    received = step.received(shares).numpy()
    for o, row in enumerate(rows):
        bounds = [(LOW, HIGH)] * len(row.inputs)
        fractions, causes = reference.share(row.inputs, row.weights, row.bias, EQUATIONS[rule], bounds)
        size = 1e-13 * (sum(map(abs, fractions)) + sum(map(abs, causes.values())))
        np.testing.assert_allclose(received[o], fractions, rtol=0, atol=size)
        for cause in causes.keys() | shares.absorbed.keys():
            absorbed = float(shares.absorbed[cause][o]) if cause in shares.absorbed else 0.0
            assert abs(absorbed - causes.get(cause, 0.0)) <= size, cause


@each_rule
@settings(max_examples=16, deadline=None)
@given(rows=rows_of(floats), dtype=st.sampled_from(list(SIZES)))
@example(rows=ONE_SIDED, dtype=torch.float32)
@example(rows=ZEROS, dtype=torch.float64)
def test_fractions_sum_to_one(rule: Rule, dtype: torch.dtype, rows: list[Row]) -> None:
    step = neurons(*rows, dtype=dtype)
    shares = rule.shares(step)
    received = step.received(shares)
    absorbed = torch.stack(list(shares.absorbed.values()))
    size = received.abs().sum(dim=1) + absorbed.abs().sum(dim=0)
    assert {factor.dtype for _, factor in shares.flows} == {dtype}
    assert {factor.shape for _, factor in shares.flows} == {step.bias.shape}
    assert absorbed.dtype == dtype
    assert absorbed.shape[1:] == step.bias.shape
    missing = received.sum(dim=1) + absorbed.sum(dim=0) - 1
    assert (missing.abs() <= SIZES[dtype] * (size + pulled_apart(step, shares))).all()


def pulled_apart(step: Neurons, shares: Shares) -> Tensor:
    """The sum (O,) of |flow| before flows cancel, which rounding errors are relative to."""
    flows = sum(step.parts(part).abs().sum(dim=1) * factor.abs() for part, factor in shares.flows)
    return flows if isinstance(flows, Tensor) else step.bias * 0


# ---- the formulas computed manually for one small neuron: products 4, -3, 2 and bias -1, so z = 2


BY_HAND = Row([2.0, -1.0, 1.0], [2.0, 3.0, 2.0], -1.0)
EXPECTED: dict[Rule, tuple[list[float], dict[str, float]]] = {
    Zero(): ([4 / 2, -3 / 2, 2 / 2], {"bias": -1 / 2}),
    Epsilon(0.5): ([4 / 2.5, -3 / 2.5, 2 / 2.5], {"bias": -1 / 2.5, "stabilizer": 0.5 / 2.5}),
    Epsilon(1.0, bias="spread"): ([4 / 3, -3 / 3, 2 / 3], {}),  # bias and epsilon cancel
    Gamma(0.5): ([6 / 5, -3 / 5, 3 / 5], {"bias": -1 / 5}),
    AlphaBeta(2.0, 1.0): ([2 * 4 / 6, -3 / 4, 2 * 2 / 6], {"bias": -1 / 4}),
    AlphaBeta(2.0, 1.0, bias="ignore"): ([2 * 4 / 6, -1, 2 * 2 / 6], {}),
    AlphaBeta(1.0, 0.0): ([4 / 6, 0, 2 / 6], {}),
    ZPlus(): ([4 / 6, 0, 2 / 6], {}),
    WSquare(): ([4 / 17, 9 / 17, 4 / 17], {}),
    Flat(): ([1 / 3, 1 / 3, 1 / 3], {}),
    ZBox(-2.0, 4.0): ([8 / 17, 3 / 17, 6 / 17], {}),
}


@every("rule", EXPECTED)
def test_computed_manually(rule: Rule) -> None:
    step = neurons(BY_HAND)
    shares = rule.shares(step)
    fractions, causes = EXPECTED[rule]
    assert step.received(shares)[0].tolist() == pytest.approx(fractions, rel=1e-14)
    found = {cause: float(value[0]) for cause, value in shares.absorbed.items() if value[0] != 0}
    assert found == pytest.approx(causes, rel=1e-14)


# ---- signs, zeros, one-sided inputs


def only(shares: Shares) -> dict[str, float]:
    """The nonzero fractions that the first output absorbs, by cause."""
    return {cause: float(value[0]) for cause, value in shares.absorbed.items() if value[0] != 0}


def test_a_sign_of_zero_counts_as_positive() -> None:
    step = neurons(Row([1.0, -1.0], [1.0, 1.0], 0.0))
    shares = Epsilon(0.5).shares(step)
    assert step.received(shares).tolist() == [[2.0, -2.0]]
    assert only(shares) == {"stabilizer": 1.0}


@every("rule", EQUATIONS)
def test_negating_the_weights_negates_the_signs_that_matter(rule: Rule) -> None:
    row = Row([1.0, -0.5, 2.0], [1.0, 2.0, 0.5], 0.25)
    there, back = neurons(row), neurons(Row(row.inputs, [-w for w in row.weights], -row.bias))
    same = isinstance(rule, (Zero, Epsilon, Gamma, WSquare, Flat))  # they treat z and -z alike
    assert torch.allclose(there.received(rule.shares(there)), back.received(rule.shares(back))) == same


@every("rule", [Zero(), Epsilon(0.0), Epsilon(0.0, bias="spread"), Gamma()])
@every("z", [0.0, -0.0, 1e-40, -1e-45])
def test_an_output_of_zero_absorbs_its_relevance_as_empty(rule: Rule, z: float) -> None:
    step = neurons(Row([z], [1.0], 0.0), dtype=torch.float32)
    shares = rule.shares(step)
    assert only(shares) == {"empty": 1.0}
    assert all(factor.tolist() == [0.0] for _, factor in shares.flows)


@pytest.mark.parametrize("rule", [Gamma(), Gamma(stabilizer=0.5), Gamma(0.0, stabilizer=0.5)], ids=repr)
def test_gamma_distributes_nothing_from_an_output_of_zero_even_with_a_stabilizer(rule: Rule) -> None:
    step = neurons(Row([1.0, 1.0], [1.0, -1.0], 0.0))
    shares = rule.shares(step)
    assert not step.received(shares).any()
    assert shares.absorbed["empty"].tolist() == [1.0]


@every("rule", [AlphaBeta(), ZPlus(), WSquare(), Flat(), ZBox()])
def test_a_denominator_of_zero_absorbs_all_as_empty(rule: Rule) -> None:
    step = neurons(Row([], [], 0.0))
    shares = rule.shares(step)
    assert only(shares) == {"empty": 1.0}
    assert all(factor.tolist() == [0.0] for _, factor in shares.flows)


def test_a_sign_without_products_absorbs_its_weight_as_empty() -> None:
    positive, negative = neurons(Row([1.0, 2.0], [1.0, 0.5], 0.0)), neurons(Row([1.0, 2.0], [-1.0, -0.5], 0.0))
    assert only(AlphaBeta(3.0, 2.0).shares(positive)) == {"empty": -2.0}
    assert positive.received(AlphaBeta(3.0, 2.0).shares(positive)).tolist() == [[1.5, 1.5]]
    assert only(AlphaBeta(3.0, 2.0).shares(negative)) == {"empty": 3.0}
    assert negative.received(AlphaBeta(3.0, 2.0).shares(negative)).tolist() == [[-1.0, -1.0]]
    assert only(AlphaBeta(1.0, 0.0).shares(positive)) == {}
    assert only(AlphaBeta(1.0, 0.0).shares(negative)) == {"empty": 1.0}
    assert only(ZPlus().shares(negative)) == {"empty": 1.0}


def test_a_bias_gives_a_sign_a_denominator_unless_it_is_ignored() -> None:
    step = neurons(Row([1.0], [2.0], -1.0))
    assert only(AlphaBeta(2.0, 1.0).shares(step)) == {"bias": -1.0}
    assert only(AlphaBeta(2.0, 1.0, bias="ignore").shares(step)) == {"empty": -1.0}


def test_without_inputs_the_bias_is_absorbed_and_not_spread() -> None:
    rule = Epsilon(0.01, bias="spread")
    shares = rule.shares(neurons(Row([], [], 2.0), Row([], [], -1.0)))
    total = torch.stack(list(shares.absorbed.values())).sum(dim=0)
    assert torch.allclose(total, torch.ones(2, dtype=torch.float64))
    assert all(torch.isfinite(factor).all() for _, factor in shares.flows)
    assert shares.absorbed["bias"].tolist() == pytest.approx([2 / 2.01, 1 / 1.01])


def test_zero_is_epsilon_without_epsilon_and_gamma_without_gamma() -> None:
    draw = np.random.default_rng(0)
    inputs, weight, bias = (torch.tensor(draw.normal(size=shape)) for shape in ((7, 3), (7, 3), (7,)))
    step = Neurons(inputs, weight, bias)
    zero = step.received(Zero().shares(step))
    assert torch.equal(zero, step.received(Epsilon(0.0).shares(step)))
    torch.testing.assert_close(zero, step.received(Gamma(0.0).shares(step)), rtol=1e-14, atol=0)
    positive = Neurons(step.inputs.abs(), step.weight.abs(), step.bias * 0)
    large = positive.received(Gamma(1e9).shares(positive))
    torch.testing.assert_close(large, positive.received(AlphaBeta(1.0, 0.0).shares(positive)), rtol=1e-8, atol=0)


# ---- bounds


def test_zbox_uses_the_bounds_of_the_layer_by_default() -> None:
    step = neurons(BY_HAND)
    own = Neurons(step.inputs, step.weight, step.bias, Box(torch.tensor([-2.0, -1.0, 0.0]), torch.tensor(1.0)))
    parts = torch.tensor([[8.0, 0.0, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(own.received(ZBox().shares(own)), parts / parts.sum())
    assert torch.equal(own.received(ZBox(LOW, HIGH).shares(own)), step.received(ZBox().shares(step)))


def test_zbox_without_known_bounds_names_the_layer() -> None:
    step = neurons(BY_HAND)
    unknown = Neurons(step.inputs, step.weight, step.bias, None, "output")
    with pytest.raises(RuleError, match=r"largest possible input of layer 'output'.*ZBox\(low=..., high=...\)"):
        ZBox().shares(unknown)
    assert only(ZBox(-1.0, 1.0).shares(unknown)) == {}


# ---- values


NAMES: dict[str, Any] = {kind.__name__: kind for kind in RULES}


@every("rule", EQUATIONS)
def test_repr_pastes_back_and_values_compare(rule: Rule) -> None:
    again = eval(repr(rule), dict(NAMES))
    assert again == rule
    assert hash(again) == hash(rule)
    assert isinstance(rule, Rule)


def test_every_rule_is_compared_with_the_loops() -> None:
    assert {type(rule) for rule in EQUATIONS} == set(RULES) == {type(rule) for rule in EXPECTED}


@every("kind", RULES)
def test_rules_are_frozen(kind: Any) -> None:
    rule = kind()
    for name in [*kind.__dataclass_fields__, "anything"]:
        with pytest.raises((AttributeError, TypeError)):
            setattr(rule, name, 1.0)


SIZED = [
    (kind, name)
    for kind in RULES
    for name in kind.__dataclass_fields__
    if name in ("epsilon", "gamma", "alpha", "beta", "stabilizer")
]


@every("kind, name", SIZED)
@every("value", [-1e-9, float("nan"), float("inf"), "much", None, True])
def test_a_number_out_of_range_is_refused(kind: Any, name: str, value: Any) -> None:
    message = rf"^{name} must be a finite number >= 0; got .*\. Try {kind.__name__}\({name}=[0-9.e-]+\)\.$"
    with pytest.raises(RuleError, match=message):
        kind(**{name: value})


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (2.0, 0.0), (0.0, 1.0), (2.0, 1.0001)])
def test_alpha_minus_beta_must_be_one(alpha: float, beta: float) -> None:
    with pytest.raises(
        RuleError, match=r"^alpha - beta must equal 1; got alpha=.*, beta=.*\. Try AlphaBeta\(2, 1\)\.$"
    ):
        AlphaBeta(alpha, beta)
    assert AlphaBeta(1.3, 0.3) == AlphaBeta(alpha=1.3, beta=0.3)  # though 1.3 - 0.3 is not 1 in floats


@pytest.mark.parametrize(
    ("kind", "choices"), [(Epsilon, "'absorb' or 'spread'"), (AlphaBeta, "'absorb' or 'ignore'")]
)
def test_an_unknown_bias_is_refused(kind: Any, choices: str) -> None:
    with pytest.raises(RuleError, match=rf"^bias must be {choices}; got 'even'\. Pass bias='absorb'\.$"):
        kind(bias="even")


@every(
    "low, high, reason",
    [
        (0.1, 1.0, "low <= 0 <= high"),
        (-1.0, -0.1, "low <= 0 <= high"),
        (0.0, 0.0, "low <= 0 <= high"),
        (float("-inf"), 1.0, "low <= 0 <= high"),
        ("a", 1.0, "low <= 0 <= high"),
        (-1.0, None, "both be numbers or both be None"),
        (None, 1.0, "both be numbers or both be None"),
    ],
)
def test_invalid_bounds_are_refused(low: Any, high: Any, reason: str) -> None:
    with pytest.raises(RuleError, match=rf"^low and high must .*{reason}.*; got ZBox\(low="):
        ZBox(low, high)
