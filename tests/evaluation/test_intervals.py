"""Bootstrap intervals: against plain numpy, and their statistical properties."""

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.evaluation.intervals import (
    MIN_DOCUMENTS,
    bootstrap_band,
    bootstrap_interval,
    bootstrap_means,
    kept_interval,
    paired_difference,
    paired_interval,
)

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def test_the_means_are_those_of_the_documents_drawn():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    drawn = np.random.default_rng(3).integers(4, size=(50, 4))
    np.testing.assert_allclose(bootstrap_means(values, seed=3, n_resamples=50), values[drawn].mean(axis=1))
    low, high = bootstrap_interval(values, seed=3, n_resamples=50)
    assert (low, high) == pytest.approx(np.quantile(values[drawn].mean(axis=1), [0.025, 0.975]))


def test_columns_are_resampled_together_and_match_single_columns():
    values = np.random.default_rng(0).normal(size=(30, 3))
    low, high = bootstrap_band(values)
    for column in range(3):
        assert (low[column], high[column]) == pytest.approx(bootstrap_interval(values[:, column]))


def test_an_interval_of_many_coin_throws_is_that_of_the_normal_distribution():
    hits = np.arange(2000) < 500
    low, high = bootstrap_interval(hits)
    spread = 1.96 * np.sqrt(0.25 * 0.75 / 2000)
    assert (low, high) == pytest.approx((0.25 - spread, 0.25 + spread), abs=0.002)


@every("seed", range(5))
def test_95_percent_of_intervals_contain_the_mean(seed):
    random = np.random.default_rng(seed)
    contains = [
        low <= 0 <= high
        for low, high in (bootstrap_interval(random.normal(size=50), seed=k, n_resamples=300) for k in range(200))
    ]
    assert 0.87 <= np.mean(contains) <= 0.99


@settings(deadline=None, max_examples=50)
@given(st.lists(FINITE, min_size=1, max_size=30), st.integers(0, 1000))
def test_bounds_are_in_order_and_within_the_values(values, seed):
    low, high = bootstrap_interval(values, seed=seed, n_resamples=40)
    tolerance = 1e-9 * (1 + max(map(abs, values)))
    assert min(values) - tolerance <= low <= high <= max(values) + tolerance


def test_equal_values_have_no_width():
    assert bootstrap_interval([0.1] * 7) == (0.1, 0.1)
    assert bootstrap_interval([3.0]) == (3.0, 3.0)


def test_a_higher_confidence_level_gives_a_wider_interval():
    values = np.random.default_rng(1).normal(size=40)
    wide, narrow = bootstrap_interval(values, confidence_level=0.99), bootstrap_interval(values, confidence_level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_paired_intervals_detect_differences_that_single_intervals_do_not():
    random = np.random.default_rng(2)
    a = random.normal(size=100)
    b = a - 0.05 + random.normal(size=100) * 0.01
    assert paired_interval(a, b).low > 0
    assert bootstrap_interval(a).low < bootstrap_interval(b).high
    assert paired_interval(a, b) == pytest.approx([-bound for bound in reversed(paired_interval(b, a))], abs=1e-3)
    assert paired_interval(a, a) == (0, 0)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rounding_is_not_a_difference(scale: float) -> None:
    random = np.random.default_rng(0)
    values = scale * random.uniform(0.5, 1, size=400)
    rounded = paired_difference(values * (1 - 1e-6 * random.uniform(size=400)), values)
    assert rounded.interval.high < 0
    assert (rounded.p_value, rounded.verdict("higher")) == (1.0, "no significant difference")
    small = paired_difference(values * (1 - 1e-4 * random.uniform(size=400)), values)
    assert small.verdict("higher") == "significantly worse"


def test_a_verdict_needs_enough_documents_and_an_interval_without_zero():
    noise = np.random.default_rng(3).normal(size=MIN_DOCUMENTS)
    above = paired_difference(noise + 9, noise**2)
    assert (above.n_documents, above.interval.low > 0) == (MIN_DOCUMENTS, True)
    assert (above.verdict("higher"), above.verdict("lower")) == ("significantly better", "significantly worse")
    below = paired_difference(noise**2, noise + 9)
    assert (below.verdict("higher"), below.verdict("lower")) == ("significantly worse", "significantly better")
    assert paired_difference(noise, -noise).verdict("higher") == "no significant difference"
    assert paired_difference(noise, noise).verdict("lower") == "no significant difference"  # equal in every document
    assert above.results("higher") == {
        "difference": above.difference, "interval": [*above.interval], "documents": MIN_DOCUMENTS,
        "p_value": above.p_value, "p_corrected": above.p_value, "effect_size": above.effect_size,
        "verdict": "significantly better",
    }  # fmt: skip
    assert above.p_value < 0.001


@every("better", ["higher", "lower"])
@every("size", [1, 3, MIN_DOCUMENTS - 1])
def test_too_few_documents_get_no_verdict_however_far_apart(size, better):
    noise = np.random.default_rng(size).normal(size=size)
    for values in (noise + 99, noise - 99, noise, np.zeros(size)):
        found = paired_difference(values, np.zeros(size))
        assert found.results(better) == {
            "difference": found.difference, "interval": None, "documents": size, "p_value": None,
            "p_corrected": None, "effect_size": None, "verdict": "too few documents",
        }  # fmt: skip


def test_an_interval_is_kept_only_if_there_are_enough_documents():
    assert kept_interval((1.0, 2.0), MIN_DOCUMENTS - 1) is None
    assert kept_interval((1.0, 2.0), MIN_DOCUMENTS) == [1.0, 2.0]
    assert kept_interval(bootstrap_interval([0.1] * 50), 50) is None  # equal values: the interval has no width


def test_a_difference_that_is_the_same_in_every_document_gets_no_verdict():
    same = "same difference in every document"
    assert paired_difference(np.ones(50), np.zeros(50)).verdict("higher") == same
    tenths = np.arange(50) / 10
    assert paired_difference(tenths + 0.3, tenths).verdict("higher") == same  # equal but for rounding
    assert paired_difference([1] * 49 + [0.9], np.zeros(50)).verdict("higher") == "significantly better"


def test_the_seed_decides():
    values = np.random.default_rng(4).normal(size=20)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


@every("values", [[], np.zeros((0, 3)), 1.0, [1.0, np.nan], [np.inf]])
def test_empty_or_non_finite_values_raise_errors(values):
    with pytest.raises(DataError):
        bootstrap_means(values)


def test_invalid_arguments_raise_errors():
    with pytest.raises(DataError, match="got 2 and 3 values"):
        paired_interval([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match=r"shape \(2, 2\)"):
        bootstrap_interval(np.zeros((2, 2)))
    with pytest.raises(OptionError, match="n_resamples must be a whole number >= 1; got 0"):
        bootstrap_interval([1.0], n_resamples=0)
    with pytest.raises(OptionError, match="confidence_level must be between 0 and 1; got 95"):
        bootstrap_interval([1.0], confidence_level=95)
