"""Distribute the relevance of textlrp's tokens over the tokens of another tokenizer, so that the sum stays the same.

T tokens of textlrp, S tokens of the other tokenizer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    count = len(starts)
    used = np.flatnonzero(relevance)
    if not count or not len(used):
        return np.zeros(count)
    begins, ends = spans[used, 0].astype(np.int64), spans[used, 1].astype(np.int64)
    ends = np.maximum(ends, begins + 1)  # an empty token is placed as the character at its position
    first = np.searchsorted(starts, begins, side="right") - 1
    last = np.searchsorted(starts, ends, side="left") - 1
    first, last = np.maximum(first, 0), np.maximum(last, first)
    values = relevance[used].astype(np.float64)
    if (first == last).all():
        return np.asarray(np.bincount(first, values, minlength=count), dtype=np.float64)
    pairs = last - first + 1
    token = np.repeat(np.arange(len(used)), pairs)
    other = np.arange(len(token)) - np.repeat(np.cumsum(pairs) - pairs, pairs) + first[token]
    left, right = np.maximum(begins[token], starts[other]), np.minimum(ends[token], starts[other] + lengths[other])
    weights = np.maximum(right - left, 0).astype(np.float64)
    totals = np.bincount(token, weights, minlength=len(used))
    lonely = totals == 0
    weights[lonely[token] & (other == first[token])] = 1.0  # overlaps no character of a token
    totals[lonely] = 1.0
    weights /= totals[token]
    return np.asarray(np.bincount(other, values[token] * weights, minlength=count), dtype=np.float64)
