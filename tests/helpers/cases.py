"""Which cases a test runs: all values of a table in one case, or a few combinations that cover every pair.

Open it when a test is to run over a grid or over a table of values.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any

_Test = Callable[..., None]


def every(names: str, values: Iterable[Any]) -> Callable[[_Test], _Test]:
    """Run a test for all ``values`` within one case; a failure names the value.

    ``names`` is as in ``pytest.mark.parametrize``. It is for tables of many values that take no time each and
    need no fixtures of their own: fixtures are shared by all values, except that each has a new folder ``tmp_path``.
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
        assert not value.marks, "a value with a mark needs a case of its own"
        return tuple(value.values)
    return tuple(value) if width > 1 else (value,)


def covering(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Few tuples of one value of each axis, such that any two values of two axes meet in one of them.

    A greedy choice among all tuples, the same one each time: with axes of 4, 8 and 3 values 32 of 96 tuples.
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
