"""The architecture does not get worse: what :mod:`house` counts stays at or below what it was."""

from __future__ import annotations

import house
import pytest

SAME_NAMES = {
    "batches.py", "comparing.py", "deleting.py", "folder.py", "in_bulk.py", "inputs.py", "measures.py", "options.py",
    "reading.py", "sharing.py", "showing.py", "stages.py", "training.py",
}  # fmt: skip
DEFINED_TWICE, LONG_MODULES, LARGEST = 149, 34, 500


def test_no_file_gets_a_name_that_another_folder_has() -> None:
    assert set(house.same_file_names(house.modules())) <= SAME_NAMES


def test_no_more_names_are_defined_twice() -> None:
    assert len(house.names_defined_twice(house.modules())) <= DEFINED_TWICE


def test_modules_stay_short() -> None:
    sizes = [house.lines(path) for path in house.modules().values()]
    assert max(sizes) <= LARGEST
    assert sum(size > house.LONG for size in sizes) <= LONG_MODULES


def test_no_module_joins_a_circle_of_imports() -> None:
    rings = house.circles(house.imports(house.modules()))
    assert len(rings) == 1  # explanations, which import their pages late
    assert all(len(ring) <= 10 for ring in rings)


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
