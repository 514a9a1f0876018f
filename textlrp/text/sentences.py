"""Where the sentences of a text stand: spaCy's rule-based sentencizer, paragraph by paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        # read from the token array at once: a Span object for each sentence would cost more than finding them
        places = sentencizer()(text).to_array(["IDX", "SENT_START"])
        starts = places[places[:, 1] == 1, 0].tolist()
        yield [_trimmed(text, start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=False)]


@cache
def sentencizer() -> Any:
    """The pipeline, made once."""
    import spacy  # a second to import, and another to make the pipeline

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.max_length = 1 << 40  # the limit is for parsers, which need memory by the word
    return pipeline


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
