"""P-values, Holm's correction and effect sizes: against plain loops, scipy, and simulated data."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from textlrp.evaluation.intervals import paired_differences
from textlrp.evaluation.significance import (
    SIGNIFICANCE_LEVEL,
    holm_corrected,
    sign_flip_p_value,
    standardized_difference,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def holm_by_steps(p_values: list[float], level: float) -> set[int]:
    """The rejected hypotheses, by Holm's own procedure: compare the smallest p-value with level / M, and so on."""
    rejected: set[int] = set()
    remaining = list(range(len(p_values)))
    while remaining:
        smallest = min(remaining, key=lambda n: p_values[n])
        if p_values[smallest] > level / len(remaining):
            break
        rejected.add(smallest)
        remaining.remove(smallest)
    return rejected


# ---- Holm's correction


def test_holm_equals_an_example_by_hand() -> None:
    # sorted: .005 × 4, .01 × 3, .03 × 2, .04 × 1 = .02, .03, .06, .04; the last is at least the one before it
    assert holm_corrected([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_corrected([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm_corrected([0.02]) == pytest.approx([0.02])
    assert holm_corrected([]).shape == (0,)


@settings(deadline=None, max_examples=200)
@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.1]))
def test_holm_rejects_what_the_stepwise_procedure_rejects(p_values: list[float], level: float) -> None:
    found = holm_corrected(p_values)
    if np.abs(found - level).min() > 1e-9:  # a product at the level itself can round to either side
        assert set(np.flatnonzero(found <= level).tolist()) == holm_by_steps(p_values, level)


@settings(deadline=None, max_examples=200)
@given(P_VALUES, st.randoms())
def test_holm_keeps_the_order_and_lies_between_the_p_values_and_bonferroni(p_values: list[float], random) -> None:
    found = holm_corrected(p_values)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert (found >= np.array(p_values)).all()
    assert (found <= np.minimum(1, len(p_values) * np.array(p_values)) + 1e-12).all()
    shuffled = random.sample(range(len(p_values)), len(p_values))
    np.testing.assert_array_equal(holm_corrected([p_values[n] for n in shuffled]), found[shuffled])


# ---- the permutation test


@every("seed", range(4))
def test_the_p_value_is_that_of_all_sign_flips(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.4, 1, size=10)
    means = [np.mean(values * signs) for signs in product([-1, 1], repeat=10)]
    exact = np.mean(np.abs(means) >= abs(values.mean()) - 1e-12)
    assert sign_flip_p_value(values, seed=seed) == pytest.approx(exact, abs=4 * np.sqrt(exact / 9999))
    by_scipy = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert exact == pytest.approx(by_scipy)


def test_equal_differences_tie_with_the_observed_ones() -> None:
    # hits of the pointing game differ by -1, 0 or 1, so most flips tie with others: 3 of 4 documents favor one method
    values = np.array([1, 1, 1, -1] + [0] * 30) * 0.1
    exact = np.mean([abs(sum(signs)) >= 2 for signs in product([-1, 1], repeat=4)])
    assert sign_flip_p_value(values) == pytest.approx(exact, abs=0.02)
    assert exact == 10 / 16


def test_the_p_value_ignores_scale_and_direction_and_is_never_0() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, size=40)
    assert sign_flip_p_value(-values) == pytest.approx(sign_flip_p_value(values), abs=0.02)
    assert sign_flip_p_value(values * 1e-9) == sign_flip_p_value(values)
    assert sign_flip_p_value(np.abs(values)) == 1 / 10_000
    assert sign_flip_p_value(np.zeros(40)) == 1.0


# ---- the effect size


def test_the_standardized_difference_is_in_units_of_the_standard_deviation() -> None:
    values = [1.0, 2.0, 3.0]
    assert standardized_difference(values) == pytest.approx(2.0)  # mean 2, standard deviation 1
    assert standardized_difference(np.array(values) * -7) == pytest.approx(-2.0)
    assert standardized_difference(values * 50) == pytest.approx(
        2.0, rel=0.25
    )  # more documents do not make it larger
    assert standardized_difference(np.zeros(5)) == 0
    assert standardized_difference([-1.0, 1.0]) == 0
    assert np.isnan(standardized_difference([0.1 + 0.2, 0.3, 0.3]))  # equal but for the last bit


# ---- several methods in one table


def family(seed: int, n_documents: int, n_methods: int) -> dict[str, np.ndarray]:
    """Methods whose values differ from those of the first only by noise: half of it of this method alone."""
    random = np.random.default_rng(seed)
    shared = random.exponential(size=n_documents)
    return {f"m{k}": shared + random.exponential(size=n_documents) for k in range(n_methods + 1)}


def test_the_order_of_the_methods_changes_nothing() -> None:
    values = family(0, 40, 6)
    values["m3"] = values["m3"] + 0.9
    found = paired_differences(values, reference="m0", better="higher")
    reordered = paired_differences({name: values[name] for name in reversed(values)}, reference="m0", better="higher")
    assert found == reordered
    assert list(found) == list(values)[1:]
    assert found["m3"]["verdict"] == "significantly better"


def test_a_correction_can_remove_a_verdict() -> None:
    values = family(3, 60, 8)
    values["m1"] = values["m0"] + np.random.default_rng(0).normal(0.25, 1, 60)
    alone = paired_differences({name: values[name] for name in ("m0", "m1")}, reference="m0", better="lower")["m1"]
    among = paired_differences(values, reference="m0", better="lower")["m1"]
    assert alone["p_value"] == among["p_value"] == alone["p_corrected"]
    assert alone["p_value"] <= SIGNIFICANCE_LEVEL < among["p_corrected"]
    assert (alone["verdict"], among["verdict"]) == ("significantly worse", "no significant difference")


def test_methods_without_a_verdict_do_not_count_for_the_correction() -> None:
    values = family(1, 30, 2)
    values["m1"] = values["m0"] + np.random.default_rng(0).normal(0.5, 1, 30)
    constant = {f"c{k}": values["m0"] + k for k in range(1, 9)}
    few = paired_differences(values, reference="m0", better="higher")
    many = paired_differences(values | constant, reference="m0", better="higher")
    assert {name: many[name] for name in few} == few
    assert few["m1"]["p_value"] < few["m1"]["p_corrected"] < 0.2
    assert many["c1"]["verdict"] == "same difference in every document"
    assert many["c1"]["p_value"] is many["c1"]["p_corrected"] is many["c1"]["effect_size"] is None


@pytest.mark.slow
@every("n_documents", [20, 200])
def test_without_a_difference_one_table_in_twenty_has_a_verdict(n_documents: int) -> None:
    tables = [
        paired_differences(family(seed, n_documents, 6), reference="m0", better="higher") for seed in range(600)
    ]
    wrong = [any(each["verdict"] != "no significant difference" for each in table.values()) for table in tables]
    uncorrected = [any(each["p_value"] <= SIGNIFICANCE_LEVEL for each in table.values()) for table in tables]
    # the methods share a reference, so Holm's correction is a little conservative; 0.05 + 3 standard errors = 0.077
    assert 0.02 <= np.mean(wrong) <= 0.077
    assert np.mean(uncorrected) > 0.12
