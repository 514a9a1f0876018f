"""The architecture does not get worse: what :mod:`house` counts stays at or below what it was."""

from __future__ import annotations

import house
import pytest

DEFINED_TWICE, LONG_MODULES, LARGEST, PUBLIC = 30, 7, 300, 60
RING = ("textlrp.explanation", "textlrp.reports.", "textlrp.store.")
"""Where the one circle lies: an explanation imports its pages and tables when they are asked for."""


def test_no_file_has_a_name_that_another_folder_has() -> None:
    assert house.same_file_names(house.modules()) == []


def test_few_names_are_defined_in_two_modules() -> None:
    assert len(house.names_defined_twice(house.modules())) < DEFINED_TWICE


def test_modules_stay_short() -> None:
    sizes = [house.lines(path) for path in house.modules().values()]
    assert max(sizes) <= LARGEST
    assert sum(size > house.LONG for size in sizes) <= LONG_MODULES


def test_only_explanations_and_their_pages_import_each_other() -> None:
    (ring,) = house.circles(house.imports(house.modules()))
    assert all(module.startswith(RING) for module in ring)


def test_few_names_are_documented() -> None:
    names = house.public_names()
    assert len(names["textlrp"]) <= 20
    assert len(set().union(*names.values())) < PUBLIC


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d", "a"}}, [["a", "b", "c"], ["d", "e"]]),
    ],
)
def test_circles_are_found(graph: house.Graph, expected: list[list[str]]) -> None:
    assert house.circles(graph) == expected
