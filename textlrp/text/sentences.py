"""Find the sentences of a text with the rules of spaCy's sentencizer, paragraph by paragraph.

The rules are reimplemented here on spaCy's tokens, so that a page with sentences can be rendered without importing
spaCy. Open this module for relevance by sentence and for hybrid documents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.text.kept_rules import sentence_marks
from textlrp.text.surrogates import without_surrogates
from textlrp.text.tokens import Tokenizer, make_tokenizer

_COMMON_MARKS = frozenset(
    ".!?\u0589\u061f\u06d4\u0964\u0965\u203c\u203d\u2047\u2048\u2049\u3002\uff01\uff0e\uff1f\uff61"
)
"""The sentence marks without spaCy: those of the sentencizer in the most common scripts."""

_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:\n[^\S\n]*\S(?:.*\S)?)*")


def sentence_spans(text: str, tokens: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Return the (S, 2) character offsets of the sentences, in order and disjoint, without surrounding white space.

    A sentence ends at a blank line, and after the punctuation marks of the sentencizer of a blank English pipeline.
    ``tokens`` (T, 2) are offsets of the tokens of the text, which are used only where spaCy is not installed. If they
    are spaCy's, the sentences are the same. Without them, a missing spaCy raises ModuleNotFoundError.
    """
    paragraphs = [match.span() for match in _PARAGRAPH.finditer(text)]
    try:
        cuts = list(sentences_of(text[start:end] for start, end in paragraphs))
    except ModuleNotFoundError:
        if tokens is None:
            raise
        inside = [tokens[(tokens[:, 0] >= start) & (tokens[:, 1] <= end)] - start for start, end in paragraphs]
        cuts = [
            _cut(text[start:end], spans.tolist(), _COMMON_MARKS)
            for (start, end), spans in zip(paragraphs, inside, strict=True)
        ]
    found = [
        (offset + start, offset + end)
        for (offset, _), sentences in zip(paragraphs, cuts, strict=True)
        for start, end in sentences
    ]
    return np.array(found, dtype=np.int32).reshape(-1, 2)


def sentences_of(texts: Iterable[str]) -> Iterator[list[tuple[int, int]]]:
    """Yield the (start, end) offsets of the sentences of each text, without surrounding white space."""
    # spaCy rejects lone surrogates; replacing each by one character keeps the offsets
    for text in map(without_surrogates, texts):
        yield _cut(text, _spacy_tokenizer().spans(text).tolist(), sentence_marks())


def _cut(text: str, spans: list[list[int]], marks: frozenset[str]) -> list[tuple[int, int]]:
    starts = _sentence_starts(text, spans, marks)
    return [_trimmed(text, start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=False)]


def _sentence_starts(text: str, spans: list[list[int]], marks: frozenset[str]) -> list[int]:
    """Return the starts of sentences; ``spans`` are those of spaCy's tokens without its whitespace tokens.

    A sentence starts at the first token after a sentence mark that is not punctuation. For spaCy, white space other
    than a single blank after a word is such a token, so the gaps between the spans are examined as well.
    """
    starts, ended, before = [0], False, 0
    for start, end in spans:
        gap = text[before:start]
        if ended and gap not in ("", " "):
            starts.append(before)
            ended = False
        token, before = text[start:end], end
        if token in marks:
            ended = True
        elif ended and not all(unicodedata.category(character)[0] == "P" for character in token):
            starts.append(start)
            ended = False
    return starts


@cache
def _spacy_tokenizer() -> Tokenizer:
    return make_tokenizer("spacy")


@cache
def sentencizer() -> Any:
    """Return spaCy's own pipeline with a sentencizer, for documents that spaCy parses anyway."""
    import spacy  # imported here because the import takes a second; making the pipeline takes another

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.max_length = 1 << 40  # the default limit protects parsers, whose memory grows with the text
    return pipeline


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
