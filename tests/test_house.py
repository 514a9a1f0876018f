"""The architecture does not degrade: the numbers that :mod:`house` counts stay at or below fixed limits."""

from __future__ import annotations

import house
import pytest

DEFINED_TWICE, LONG_MODULES, LARGEST, PUBLIC, AT_THE_DOOR = 30, 7, 300, 85, 23
CYCLES = (
    ("textlrp.explanation", "textlrp.reports.", "textlrp.store."),
    ("textlrp.similar_texts", "textlrp.reports.similar."),
)
"""The only import cycles: explanations and similarities import their pages and tables when a method requests them."""


def test_file_names_are_unique() -> None:
    assert house.same_file_names(house.modules()) == []


def test_few_names_are_defined_in_two_modules() -> None:
    assert len(house.names_defined_twice(house.modules())) < DEFINED_TWICE


def test_modules_stay_short() -> None:
    sizes = [house.lines(path) for path in house.modules().values()]
    assert max(sizes) <= LARGEST
    assert sum(size > house.LONG for size in sizes) <= LONG_MODULES


def test_only_results_and_their_pages_import_each_other() -> None:
    for cycle in house.cycles(house.imports(house.modules())):
        assert any(all(module.startswith(allowed) for module in cycle) for allowed in CYCLES)


def test_few_names_are_public() -> None:
    names = house.public_names()
    assert len(names["textlrp"]) <= AT_THE_DOOR
    assert len(set().union(*names.values())) < PUBLIC


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d", "a"}}, [["a", "b", "c"], ["d", "e"]]),
    ],
)
def test_cycles_are_found(graph: house.Graph, expected: list[list[str]]) -> None:
    assert house.cycles(graph) == expected
