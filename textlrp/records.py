"""Documents, tokens and their status: values that all parts of the package share. Only NumPy is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Label = str | int | bool
"""A class label, as given in the training data."""

Labels = tuple[Label, ...]
"""The labels of a text in multi-label classification; empty for a text without labels."""

Target = int | tuple[int, int]
"""An explained class as its position in ``classes_``, or a contrast: why the first class and not the second."""

STARTS = ("score", "centered")
"""What propagation starts from: the score of a class, or this score minus the mean of all scores of the document."""

BEFORE_SOFTMAX = "score before softmax"
"""What the scores of most models are, in words."""

MIN_DOCUMENTS = 20
"""Documents that a verdict or a shown interval needs: with fewer, a bootstrap interval is not reliable."""

Ranges = NDArray[np.int32]
"""(S, 2) character offsets: start and end of each range, sorted and disjoint."""

TEXTS_LEFT_OUT = "Texts are left out (--no-texts)."
"""What pages and results state if the texts of documents are left out of them."""

UNNAMED = "text"
"""The id of a single text that has no name."""


class Status(IntEnum):
    """Whether the model reads a token, or the reason why it ignores the token."""

    READ = 0
    """The model reads the token."""
    SKIPPED = 1
    """The token is in a skipped range, such as a header, a quote or a footer."""
    NOT_A_WORD = 2
    """The token is punctuation, a number, or something else that is not a word for the model."""
    UNKNOWN = 3
    """The word is not in the vocabulary of the model."""
    TRUNCATED = 4
    """The token is beyond the maximum number of words that the model reads."""


def no_ranges() -> Ranges:
    """Return an empty (0, 2) array of ranges."""
    return np.zeros((0, 2), dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A text with its id, its label, and the character ranges that a model must skip.

    ``text`` is the complete, unchanged text. ``label`` is None if it is unknown; in multi-label classification it is
    a tuple of labels, ``()`` for a text without labels. ``skip`` (S, 2) contains the character offsets of the ranges
    to skip.
    The estimators and :func:`textlrp.explain` accept a Document wherever they accept a string.
    """

    id: str
    text: str
    label: Label | Labels | None = None
    skip: Ranges = field(default_factory=no_ranges)

    def __repr__(self) -> str:
        size = f"{len(self.text)} characters, {len(self.skip)} skipped ranges"
        return f"Document(id={self.id!r}, label={self.label!r}, {size})"

    def read_text(self) -> str:
        """Return the text without its skipped ranges, as input for other tools; textlrp keeps the whole text."""
        pieces, position = [], 0
        for start, end in self.skip.tolist():
            pieces.append(self.text[position:start])
            position = end
        pieces.append(self.text[position:])
        return "".join(pieces)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of a text.

    ``spans`` (T, 2) int32 are character offsets into the original ``text``, so ``text[start:end]`` is the token as
    written. ``forms`` (T,) are the normalized words that the model looks up, for example in lower case. Iterating
    yields the tokens as written. Tokens and the gaps between them rebuild the text.
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
        """Return the words that the tokens form, in order, and for each token (T,) the index of its word.

        Usually each token is a word. If every character of the text is a token (a model with character n-grams), each
        run of letters and digits is a word, and so is each other character.
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


class Phrase(NamedTuple):
    """The phrase (n-gram) of a text that activates a filter of a CNN most: the window that wins the max-pooling.

    ``text[start:end]`` is the phrase. ``step`` is the name of the convolution, and ``filter`` the index of the filter
    in it. ``relevance`` (K,): what the words of the phrase receive through this filter, for each target.
    """

    start: int
    end: int
    step: str
    filter: int
    relevance: NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The P pieces of the words that a transformer reads of a text, without special tokens.

    ``forms`` (P,) are written as in the tokenizer's vocabulary, such as ``##ing``. ``spans`` (P, 2) int32 are
    character offsets; they are empty for a piece of blanks. ``words`` (P,) int32 is the token that each piece belongs
    to. ``relevance`` (K, P): the relevance of a token is the sum over its pieces.
    """

    forms: tuple[str, ...]
    spans: NDArray[np.int32]
    words: NDArray[np.int32]
    relevance: NDArray[np.floating[Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the pieces as plain data for JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("spans", "words", "relevance")}
        return {"forms": list(self.forms), **arrays}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], dtype: np.dtype[Any]) -> Pieces:
        """Restore pieces from the result of :meth:`to_dict`."""
        spans, words = (np.array(data[name], dtype=np.int32) for name in ("spans", "words"))
        relevance = np.array(data["relevance"], dtype=dtype)
        return cls(tuple(data["forms"]), spans.reshape(-1, 2), words, relevance.reshape(-1, len(words)))


class Listing(NamedTuple):
    """A table of text with a title and a note, for a terminal or a page."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def label_text(label: Label | Labels | None) -> str | None:
    """Return the true label of a document as text, None without one; several labels are joined by commas."""
    texts = label_texts(label)
    return None if texts is None else ", ".join(texts)


def label_texts(label: Label | Labels | None) -> tuple[str, ...] | None:
    """Return the true labels of a document as text, None if they are unknown."""
    if label is None:
        return None
    return tuple(map(str, label)) if isinstance(label, tuple) else (str(label),)


def target_names(labels: Sequence[str], targets: Sequence[Target]) -> tuple[str, ...]:
    """(K,) Return the targets as text, as :attr:`textlrp.Explanation.target_names` describes; ``labels`` (C,)."""
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
