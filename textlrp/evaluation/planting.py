"""Plant artificial shortcuts into a labeled corpus: made-up words that tell the label, whatever the text is about.

If a model that is trained on such a corpus learned the shortcut, a faithful explanation must mark the planted words.
Each shortcut has documents that carry it, and decoys that contain its words in a way that tells nothing.

Source: Bastings et al. 2022 (arXiv 2111.07367), section 3: a single token, a token in context, an ordered pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.records import Document, label_text
from textlrp.text.skip import Skip, inside, make_skip, merge_ranges

Kind = Literal["token", "context", "pair"]
"""A single word; two words that tell the label only together; two neighbors that tell it only in this order."""
KINDS: tuple[Kind, ...] = ("token", "context", "pair")
SHARE = 0.05
"""Planted documents, as a share of those of the label."""
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True, eq=False)
class Shortcut:
    """A planted shortcut: its ``words`` tell the ``label``.

    ``carriers`` are the positions of the documents that carry it; all have the label, and all had another one before.
    ``decoys`` are the positions of as many documents for each way to contain the words that tells nothing (one of
    both words, or the other order). They keep their label, which is another one.
    """

    kind: Kind
    label: str
    words: tuple[str, ...]
    carriers: NDArray[np.int64]
    decoys: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PlantedCorpus:
    """The ``documents`` of a corpus after planting, in the same order, and the planted ``shortcuts``."""

    documents: tuple[Document, ...]
    shortcuts: tuple[Shortcut, ...]


def plant_shortcuts(
    documents: Iterable[Document],
    labels: Sequence[str],
    *,
    kind: Kind = "token",
    share: float = SHARE,
    skip: Skip = ("headers",),
    seed: int = 0,
) -> PlantedCorpus:
    """Plant one shortcut for each of ``labels`` into documents with one label each.

    ``share`` times the number of documents of a label is the number of its carriers, at least 1. They are drawn from
    the documents of other labels and get the label, so that only the planted words tell it. No document is planted
    twice. Words are inserted at white space outside ``skip``, drawn at random; the two words of a pair are neighbors.
    Each word is made up and occurs nowhere in the corpus. The same seed plants the same words.

    Raises :class:`OptionError` for an unknown kind or label or a share that is not between 0 and 1, and
    :class:`DataError` if documents are missing a label or are too few.
    """
    planted = list(documents)
    names = np.array([one_label(document) for document in planted], dtype=object)
    if kind not in KINDS:
        raise OptionError(must_be("kind", f"one of {', '.join(KINDS)}", kind, "Pass kind='token'."))
    if not 0 < share < 1:
        raise OptionError(must_be("share", "between 0 and 1", share, f"Pass share={SHARE}."))
    for label in labels:
        if label not in names:
            raise OptionError(must_be("labels", "labels of the documents", label, "Pass one that documents have."))
    random, free = np.random.default_rng(seed), np.ones(len(planted), dtype=bool)
    words = unused_words(planted, 2 * len(labels), random)
    skipped, shortcuts = make_skip(skip), []
    for number, label in enumerate(labels):
        own = words[2 * number : 2 * number + (1 if kind == "token" else 2)]
        ways = _ways(kind, own)
        count = max(1, round(share * int((names == label).sum())))
        pool = np.flatnonzero(free & (names != label))
        if len(pool) < count * len(ways):
            raise DataError(
                f"documents must have {count * len(ways):,} that have another label than {label!r} and nothing "
                f"planted; got {len(pool):,}. Pass more documents, fewer labels or a smaller share."
            )
        drawn = random.permutation(pool)[: count * len(ways)]
        free[drawn] = False
        for position, chunks in zip(drawn.tolist(), [way for way in ways for _ in range(count)], strict=True):
            document = planted[position]
            ranges = merge_ranges(document.skip, skipped(document.text))
            planted[position] = replace(document, text=_inserted(document.text, chunks, ranges, random))
        for position in drawn[:count].tolist():
            planted[position] = replace(planted[position], label=label)
        shortcuts.append(Shortcut(kind, label, own, np.sort(drawn[:count]), np.sort(drawn[count:])))
    return PlantedCorpus(tuple(planted), tuple(shortcuts))


def probes(
    documents: Iterable[Document], shortcut: Shortcut, *, skip: Skip = ("headers",), seed: int = 0
) -> list[Document]:
    """Plant a shortcut into every document that has another label than the shortcut's; they keep their labels.

    A model took the bait if it predicts the label of the shortcut for many of them.
    """
    return _with_words(documents, shortcut, _ways(shortcut.kind, shortcut.words)[:1], skip, seed)


def decoy_probes(
    documents: Iterable[Document], shortcut: Shortcut, *, skip: Skip = ("headers",), seed: int = 0
) -> list[Document]:
    """Plant what tells nothing into every document that has another label than the shortcut's, once for each way.

    The ways are those of the decoys: each word alone, or the other order. A shortcut of one word has none. A model
    that learned the shortcut, and not only its words, predicts the label of the shortcut for few of them.
    """
    return _with_words(documents, shortcut, _ways(shortcut.kind, shortcut.words)[1:], skip, seed)


def _with_words(
    documents: Iterable[Document], shortcut: Shortcut, ways: Sequence[tuple[str, ...]], skip: Skip, seed: int
) -> list[Document]:
    """The documents that have another label, for each of ``ways``, with its words inserted."""
    random, skipped = np.random.default_rng(seed), make_skip(skip)
    others = [document for document in documents if label_text(document.label) != shortcut.label]
    return [
        replace(each, text=_inserted(each.text, way, merge_ranges(each.skip, skipped(each.text)), random))
        for way in ways
        for each in others
    ]


def one_label(document: Document) -> str:
    """Return the label of a document as text; raise :class:`DataError` unless it has exactly one."""
    if document.label is None or isinstance(document.label, tuple):
        raise DataError(
            f"document {document.id!r}: must have one label; got {label_text(document.label)}. Pass documents with "
            "one label each."
        )
    return str(document.label)


def _ways(kind: Kind, words: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What is inserted into carriers, then into each group of decoys; each string at a place of its own."""
    if kind == "token":
        return ((words[0],),)
    first, second = words
    if kind == "context":
        return ((first, second), (first,), (second,))
    return ((f"{first} {second}",), (f"{second} {first}",))


def _inserted(text: str, chunks: Sequence[str], skipped: NDArray[np.int32], random: np.random.Generator) -> str:
    """The text with each chunk inserted after white space that is not skipped, or else at its end."""
    spaces = np.array([at + 1 for at, character in enumerate(text) if character.isspace()], dtype=np.int64)
    spaces = spaces[~inside(spaces - 1, skipped)]
    if not len(spaces):
        return f"{text} {' '.join(chunks)}"
    places = random.choice(spaces, len(chunks), replace=len(spaces) < len(chunks))
    for place, chunk in sorted(zip(places.tolist(), chunks, strict=True), reverse=True):
        text = f"{text[:place]}{chunk} {text[place:]}"
    return text


def unused_words(documents: Sequence[Document], number: int, random: np.random.Generator) -> tuple[str, ...]:
    """Made-up words of four syllables that occur in no text."""
    texts = "\n".join(document.text for document in documents).lower()
    found: list[str] = []
    while len(found) < number:
        drawn = random.integers([[len(_CONSONANTS), len(_VOWELS)]] * 4)
        word = "".join(_CONSONANTS[consonant] + _VOWELS[vowel] for consonant, vowel in drawn.tolist())
        if word not in found and word not in texts:
            found.append(word)
    return tuple(found)
