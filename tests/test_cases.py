"""The helpers that choose test cases: all pairs of values are covered, and every value of a table is run."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from cases import covering, every


def test_few_tuples_cover_every_pair_of_values() -> None:
    axes = ("abcd", range(8), (True, False, None))
    chosen = covering(*axes)
    assert len(chosen) == len(set(chosen)) == 32
    for one, other in combinations(range(3), 2):
        assert {(row[one], row[other]) for row in chosen} == set(product(axes[one], axes[other]))


@pytest.mark.parametrize("third", ["x", "y"])
def test_every_value_is_run_and_a_failing_value_is_named(third: str) -> None:
    seen = []

    @every("first, second", [(1, 2), pytest.param(3, 4, id="more")])
    def test(first: int, second: int, third: str) -> None:
        seen.append((first, second, third))
        assert first < 3

    with pytest.raises(AssertionError) as caught:
        test(third=third)
    assert seen == [(1, 2, third), (3, 4, third)]
    assert caught.value.__notes__ == ["with first=3, second=4"]


@every("value", [1, 2])
def test_the_other_arguments_are_fixtures(value: int, request: pytest.FixtureRequest) -> None:
    assert "value" not in request.fixturenames
    assert value in (1, 2)
