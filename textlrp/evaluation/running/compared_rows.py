"""Rows of a table of methods, each compared with the first one over the same documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from textlrp.evaluation.intervals import Better, paired_differences


def compared_rows(
    rows: Sequence[Mapping[str, Any]],
    values: Mapping[str, Sequence[ArrayLike]],
    better: Mapping[str, Better],
    seed: int,
) -> list[dict[str, Any]]:
    """The rows of a table, all but the first with ``differences``: measure -> entry of :func:`paired_differences`.

    ``rows`` have a ``method``. ``values`` maps each measure to the values (N,) of each row's method, over the same
    documents, and ``better`` to which are better. The methods of one measure are corrected together.
    """
    titles = [str(row["method"]) for row in rows]
    compared = {
        name: paired_differences(
            dict(zip(titles, of_rows, strict=True)), reference=titles[0], better=better[name], seed=seed
        )
        for name, of_rows in values.items()
    }
    first, *others = (dict(row) for row in rows)
    return [
        first,
        *(row | {"differences": {name: compared[name][row["method"]] for name in values}} for row in others),
    ]
