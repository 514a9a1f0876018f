"""Distribute the relevance of textlrp's tokens over the tokens of another tokenizer, so that the sum stays the same.

T tokens of textlrp, S tokens of the other tokenizer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.class_words import overlaps

Integers = NDArray[np.int64]


def shared_relevance(
    relevance: NDArray[np.floating[Any]],
    spans: NDArray[np.integer[Any]],
    starts: Integers,
    lengths: Integers,
) -> NDArray[np.float64]:
    """Return the relevance (S,) of other tokens, in float64.

    ``relevance`` (T,) and ``spans`` (T, 2) are those of textlrp's tokens. Other token s covers ``lengths[s]``
    characters from ``starts[s]`` on. ``starts`` (S,) are sorted, and the first is 0.

    The relevance of a textlrp token is shared by the other tokens that overlap it, in proportion to the number of
    characters. A token that overlaps only blanks is given to the token before the blank, an empty one to the token at
    its position. So the sum is that of ``relevance``, up to the rounding of float64. If there is no other token, the
    result is empty.
    """
    used = np.flatnonzero(relevance)
    if not len(starts) or not len(used):
        return np.zeros(len(starts))
    values, spans = relevance[used].astype(np.float64), spans[used]
    at, ends = np.searchsorted(starts, spans[:, 0], side="right") - 1, starts + lengths
    if (spans[:, 1] <= ends[at]).all():  # each is within one other token, as for most texts
        return np.bincount(at, values, minlength=len(starts)).astype(np.float64)
    other, token, share = overlaps(np.column_stack([starts, ends]), spans)
    alone = np.flatnonzero(np.bincount(token, minlength=len(used)) == 0)
    positions, parts = np.concatenate([other, at[alone]]), np.concatenate([share * values[token], values[alone]])
    return np.bincount(positions, parts, minlength=len(starts)).astype(np.float64)
