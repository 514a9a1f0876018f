"""Choose the cases of a test: all values of a table within one case, or a few tuples that cover every pair of values.

Use it for a test over a grid or over a table of values.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any

_Test = Callable[..., None]


def every(names: str, values: Iterable[Any]) -> Callable[[_Test], _Test]:
    """Run a test for all ``values`` within one case. A failure names the value.

    ``names`` is as in ``pytest.mark.parametrize``. Use this for tables of many values that are fast to test. All
    values share the fixtures, except for ``tmp_path``, which is a new folder for each value.
    """
    arguments = [name.strip() for name in names.split(",")]
    table = [_row(value, len(arguments)) for value in values]
    assert table, "a test over no values cannot fail"

    def decorate(test: _Test) -> _Test:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            folder = fixtures.get("tmp_path")
            for n, row in enumerate(table):
                if folder is not None:
                    fixtures["tmp_path"] = folder / f"value{n}"
                    fixtures["tmp_path"].mkdir()
                try:
                    test(**fixtures, **dict(zip(arguments, row, strict=True)))
                except BaseException as error:
                    error.add_note(f"with {', '.join(f'{a}={v!r}' for a, v in zip(arguments, row, strict=True))}")
                    raise

        signature = inspect.signature(test)
        kept = [parameter for name, parameter in signature.parameters.items() if name not in arguments]
        run.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return run

    return decorate


def _row(value: Any, width: int) -> tuple[Any, ...]:
    if hasattr(value, "marks"):  # a pytest.param
        assert not value.marks, "a value with a mark needs a separate case"
        return tuple(value.values)
    return tuple(value) if width > 1 else (value,)


def covering(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return a few tuples with one value per axis, so that any two values of two axes occur in the same tuple.

    The choice is greedy and deterministic. For example, it selects 32 of the 96 tuples of axes with 4, 8 and 3
    values.
    """
    everything = list(product(*(range(len(axis)) for axis in axes)))
    pairs = {row: frozenset(combinations(enumerate(row), 2)) for row in everything}
    missing = frozenset().union(*pairs.values())
    chosen = []
    while missing:
        best = max(everything, key=lambda row: len(pairs[row] & missing))
        missing -= pairs[best]
        chosen.append(best)
    return [tuple(axis[n] for axis, n in zip(axes, row, strict=True)) for row in sorted(chosen)]
