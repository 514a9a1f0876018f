"""Tokenizers that the user passes as a function: where each of the words they return lies in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.text.placing import place, warn_unsure

Spans: TypeAlias = NDArray[np.int32]
"""(T, 2) character offsets of the tokens: sorted, disjoint, non-empty."""

OffsetPairs: TypeAlias = tuple[tuple[int, int], ...]
"""The same for one chunk, counted from its first character."""

UserTokenizer: TypeAlias = Callable[[str], Iterable[str] | Iterable[tuple[int, int]]]


# ---- a user's callable


def callable_path(function: UserTokenizer) -> str:
    named = function if hasattr(function, "__qualname__") else type(function)
    # a method of a built-in type has no module: str.split
    return f"{getattr(named, '__module__', None) or 'builtins'}:{named.__qualname__}"


def span_reader(function: UserTokenizer) -> Callable[[str], Spans]:
    def read(text: str) -> Spans:
        given = function(text)
        if not isinstance(given, Iterable):
            raise DataError(
                f"the callable tokenizer gave a {type(given).__name__}; strings, or (start, end) pairs of whole "
                "numbers, are wanted."
            )
        tokens: list[Any] = list(given)
        if all(isinstance(token, str) for token in tokens):
            return _locate(tokens, text)
        return _checked_pairs(tokens, text)

    return read


def _locate(tokens: list[str], text: str) -> Spans:
    placement = place(tokens, text)
    if placement is None:
        raise DataError(_not_there(tokens, text))
    if placement.unsure.any():
        warn_unsure("the callable tokenizer", "give (start, end) offsets")
    return placement.spans[placement.spans[:, 0] < placement.spans[:, 1]]


def _not_there(tokens: list[str], text: str) -> str:
    """The sentence about the first token that is not found from left to right."""
    position = number = 0
    while (start := text.find(tokens[number], position)) >= 0:
        position, number = start + len(tokens[number]), number + 1
    token = tokens[number]
    return (
        f"token {number + 1} of the callable tokenizer, {token!r}, does not occur in the text after character "
        f"{position}; give the tokens as they are written, in order, or (start, end) offsets."
    )


def _checked_pairs(pairs: list[Any], text: str) -> Spans:
    try:
        spans = np.array(pairs)
    except ValueError:
        spans = np.array(None)
    if spans.ndim != 2 or spans.shape[1] != 2 or spans.dtype.kind not in "iu":
        raise DataError(
            "the callable tokenizer gave neither strings nor (start, end) pairs of whole numbers; "
            f"its first token is {pairs[0]!r}."
        )
    edges = np.concatenate([[0], spans.reshape(-1), [len(text)]])
    bad = np.flatnonzero((np.diff(edges)[1::2] <= 0) | (np.diff(edges)[:-1:2] < 0) | (spans[:, 1] > len(text)))
    if len(bad):
        raise DataError(
            f"token {bad[0] + 1} of the callable tokenizer, {tuple(spans[bad[0]].tolist())}, is not a non-empty "
            f"stretch after the token before it and inside the text of {len(text)} characters."
        )
    return spans.astype(np.int32)


def span_array(pairs: Iterable[tuple[int, int]]) -> Spans:
    return np.fromiter(chain.from_iterable(pairs), dtype=np.int32).reshape(-1, 2)
