"""Tokenizers that the user passes as a function: find the offsets of the strings that the function returns."""

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
"""(start, end) of the tokens of one chunk, counted from its first character."""

UserTokenizer: TypeAlias = Callable[[str], Iterable[str] | Iterable[tuple[int, int]]]

_MUST_RETURN = "the callable tokenizer must return strings or (start, end) pairs of whole numbers"


def callable_path(function: object) -> str:
    """Return ``module:name`` of a function, or of the class of a callable object."""
    named: Any = function if hasattr(function, "__qualname__") else type(function)
    # the methods of built-in types, such as str.split, have no module
    return f"{getattr(named, '__module__', None) or 'builtins'}:{named.__qualname__}"


def span_reader(function: UserTokenizer) -> Callable[[str], Spans]:
    """Return a function text -> spans for a user's tokenizer.

    It raises :class:`DataError` if the tokenizer returns neither strings of the text in order nor valid offsets. It
    warns if the offsets of some strings are ambiguous.
    """

    def read(text: str) -> Spans:
        returned = function(text)
        if not isinstance(returned, Iterable):
            raise DataError(f"{_MUST_RETURN}; got a value of type {type(returned).__name__}.")
        tokens: list[Any] = list(returned)
        if all(isinstance(token, str) for token in tokens):
            return _locate(tokens, text)
        return _checked_pairs(tokens, text)

    return read


def _locate(tokens: list[str], text: str) -> Spans:
    placement = place(tokens, text)
    if placement is None:
        raise DataError(_not_there(tokens, text))
    if placement.unsure.any():
        warn_unsure("the callable tokenizer", "return (start, end) offsets")
    return placement.spans[placement.spans[:, 0] < placement.spans[:, 1]]


def _not_there(tokens: list[str], text: str) -> str:
    """Return the message about the first token that is not found when searching from left to right."""
    position = number = 0
    while (start := text.find(tokens[number], position)) >= 0:
        position, number = start + len(tokens[number]), number + 1
    token = tokens[number]
    return (
        f"token {number + 1} of the callable tokenizer, {token!r}, does not occur in the text after character "
        f"{position}. Return the tokens unchanged and in order, or (start, end) offsets."
    )


def _checked_pairs(pairs: list[Any], text: str) -> Spans:
    try:
        spans = np.array(pairs)
    except ValueError:
        spans = np.array(None)
    if spans.ndim != 2 or spans.shape[1] != 2 or spans.dtype.kind not in "iu":
        raise DataError(f"{_MUST_RETURN}; got {pairs[0]!r} as the first token.")
    # 0, start, end, start, end, ..., length: differences from start to end must be positive, the others not negative
    edges = np.concatenate([[0], spans.reshape(-1), [len(text)]])
    bad = np.flatnonzero((np.diff(edges)[1::2] <= 0) | (np.diff(edges)[:-1:2] < 0) | (spans[:, 1] > len(text)))
    if len(bad):
        raise DataError(
            f"token {bad[0] + 1} of the callable tokenizer must be a non-empty range after the previous token and "
            f"inside the text of {len(text)} characters; got {tuple(spans[bad[0]].tolist())}."
        )
    return spans.astype(np.int32)


def span_array(pairs: Iterable[tuple[int, int]]) -> Spans:
    """Return (start, end) pairs as an array (T, 2)."""
    return np.fromiter(chain.from_iterable(pairs), dtype=np.int32).reshape(-1, 2)
