"""Documents, their tokens, and what happened to each token: values that every part shares. Only numpy is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Label = str | int | bool
"""A class as the user wrote it in the labels of the training texts."""

Target = int | tuple[int, int]
"""A position in ``classes_``, or the contrast (why the first and not the second)."""

STARTS = ("score", "centered")
"""What propagation starts from: the score of a class, or the score minus the mean of all scores of the document."""

Ranges = NDArray[np.int32]
"""(S, 2) character offsets: start and end of each range, sorted and disjoint."""


class Status(IntEnum):
    """What became of a token on its way into the model."""

    READ = 0
    SKIPPED = 1
    NOT_A_WORD = 2
    UNKNOWN = 3
    CUT_OFF = 4


def no_ranges() -> Ranges:
    """An empty (0, 2) array of ranges."""
    return np.zeros((0, 2), dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A text with its name, its label and the ranges that a model is not to read.

    ``text`` is never cut: ``skip`` (S, 2) marks character ranges instead.
    Accepted wherever the estimators and ``explain`` take a string.
    """

    id: str
    text: str
    label: Label | None = None
    skip: Ranges = field(default_factory=no_ranges)

    def __repr__(self) -> str:
        size = f"{len(self.text)} characters, {len(self.skip)} skipped ranges"
        return f"Document(id={self.id!r}, label={self.label!r}, {size})"

    def read_text(self) -> str:
        """The text without its skipped ranges, for other tools; textlrp itself never cuts."""
        pieces, position = [], 0
        for start, end in self.skip.tolist():
            pieces.append(self.text[position:start])
            position = end
        pieces.append(self.text[position:])
        return "".join(pieces)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of a text: ``spans`` (T, 2) int32 character offsets into the untouched ``text``.

    ``forms`` (T,) are the normalized words the model looks up (lower-cased, say);
    ``text[start:end]`` is the token as written. Tokens plus gaps rebuild the text.
    """

    text: str
    spans: NDArray[np.int32]
    forms: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.spans)

    def __iter__(self) -> Iterator[str]:
        text = self.text
        return (text[start:end] for start, end in self.spans.tolist())

    def words(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """The words the tokens make up, in order, and which of them each token (T,) belongs to.

        A token is a word, but where every character of the text is a token (a model of character n-grams), runs of
        letters and digits are words.
        """
        if len(self) != len(self.text) or not len(self):
            return self.forms, np.arange(len(self))
        starts = [
            t == 0 or not (self.text[t].isalnum() and self.text[t - 1].isalnum()) for t in range(len(self.text))
        ]
        word_of = np.cumsum(starts) - 1
        words = [""] * int(word_of[-1] + 1)
        for word, form in zip(word_of.tolist(), self.forms, strict=True):
            words[word] += form
        return tuple(words), word_of

    def __repr__(self) -> str:
        return f"Tokens({len(self)} tokens of {len(self.text)} characters)"


class Listing(NamedTuple):
    """A titled table of text, for a terminal or a page."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def target_names(labels: Sequence[str], targets: Sequence[Target]) -> tuple[str, ...]:
    """(K,) targets as text, as :attr:`textlrp.Explanation.target_names` describes; ``labels`` (C,)."""
    return tuple(_target_name(labels, target) for target in targets)


def _target_name(labels: Sequence[str], target: Target) -> str:
    if not isinstance(target, tuple):
        name = labels[target]
        return name if labels.count(name) == 1 else f"{name} [{target}]"
    one, other = (_target_name(labels, each) for each in target)
    plain = f"{one}, not {other}"
    same = {_target_name(labels, each) for each in range(len(labels)) if ", not " in labels[each]}
    if plain not in same and ", not " not in one and ", not " not in other:
        return plain
    quoted = f"{one!r}, not {other!r}"
    return quoted if quoted not in same else f"{quoted} {list(target)}"
