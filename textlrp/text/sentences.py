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

_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:\n[^\S\n]*\S(?:.*\S)?)*")


def sentence_spans(text: str) -> NDArray[np.int32]:
    """Return the (S, 2) character offsets of the sentences, in order and disjoint, without surrounding white space.

    A sentence ends at a blank line, and after the punctuation marks of the sentencizer of a blank English pipeline.
    """
    paragraphs = list(_PARAGRAPH.finditer(text))
    found = [
        (paragraph.start() + start, paragraph.start() + end)
        for paragraph, sentences in zip(paragraphs, sentences_of(p.group() for p in paragraphs), strict=True)
        for start, end in sentences
    ]
    return np.array(found, dtype=np.int32).reshape(-1, 2)


def sentences_of(texts: Iterable[str]) -> Iterator[list[tuple[int, int]]]:
    """Yield the (start, end) offsets of the sentences of each text, without surrounding white space."""
    # spaCy rejects lone surrogates; replacing each by one character keeps the offsets
    for text in map(without_surrogates, texts):
        starts = _sentence_starts(text, _spacy_tokenizer().spans(text).tolist())
        yield [_trimmed(text, start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=False)]


def _sentence_starts(text: str, spans: list[list[int]]) -> list[int]:
    """Return the starts of sentences, given the ``spans`` of spaCy's tokens without its whitespace tokens.

    A sentence starts at the first token after a sentence mark that is not punctuation. For spaCy, white space other
    than a single blank after a word is such a token, so the gaps between the spans are examined as well.
    """
    starts, ended, before, marks = [0], False, 0, sentence_marks()
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
