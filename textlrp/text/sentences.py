"""The sentences of a text, as spaCy's rule-based sentencizer finds them, paragraph by paragraph.

Its rule is applied here to spaCy's tokens, so that a page with sentences is rendered without importing spaCy.
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
from textlrp.text.tokens import Tokenizer, make_tokenizer

_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:\n[^\S\n]*\S(?:.*\S)?)*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def sentence_spans(text: str) -> NDArray[np.int32]:
    """(S, 2) character offsets of the sentences, in order and disjoint, without the white space around them.

    A blank line ends a sentence; what follows the marks of the ``sentencizer`` of a blank English pipeline does too.
    """
    paragraphs = list(_PARAGRAPH.finditer(text))
    found = [
        (paragraph.start() + start, paragraph.start() + end)
        for paragraph, sentences in zip(paragraphs, sentences_of(p.group() for p in paragraphs), strict=True)
        for start, end in sentences
    ]
    return np.array(found, dtype=np.int32).reshape(-1, 2)


def sentences_of(texts: Iterable[str]) -> Iterator[list[tuple[int, int]]]:
    """The sentences of each text as the sentencizer has them, white space around them left out."""
    # spaCy takes no lone surrogates; one character for another keeps the offsets
    for text in (_SURROGATE.sub("\ufffd", text) for text in texts):
        starts = _starts(text, _tokenizer().spans(text).tolist())
        yield [_trimmed(text, start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=False)]


def _starts(text: str, spans: list[list[int]]) -> list[int]:
    """Where sentences start: at the first token after a mark that is no punctuation; ``spans`` are of spaCy's tokens.

    White space is a token of spaCy's too, but for the one blank after a word.
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
def _tokenizer() -> Tokenizer:
    return make_tokenizer("spacy")


@cache
def sentencizer() -> Any:
    """spaCy's own pipeline, for documents that spaCy parses anyway."""
    import spacy  # a second to import, and another to make the pipeline

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.max_length = 1 << 40  # the limit is for parsers, which need memory by the word
    return pipeline


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
