"""NLTK's Penn Treebank tokenizer with character offsets, to reproduce Arras et al. 2017.

Sentences come from NLTK's Punkt algorithm without a trained model, so nothing is downloaded. It splits only at dots,
question marks and exclamation marks that end a sentence. A final dot is a token only at the end of a sentence.
On the bodies of the by-date training posts of 20 Newsgroups this gives 70,636 distinct words in the first 400 words
of each post (70,631 in Arras et al. 2017), and 4,963 test posts of at least 100 words (4,963 there).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, missing_extra

# shorter pieces, because NLTK raises an error for a text that takes longer than five seconds
_PIECE = re.compile(r".{1,50000}(?=\s|\Z)|.{1,50000}", re.DOTALL)


def treebank_spans() -> Callable[[str], NDArray[np.int32]]:
    """Return a function text -> (T, 2) int32 offsets of its Treebank words.

    Raises :class:`MissingExtraError` if NLTK is not installed.
    """
    try:
        from nltk.tokenize.punkt import PunktSentenceTokenizer
        from nltk.tokenize.treebank import TreebankWordTokenizer
    except ImportError as error:
        raise missing_extra("the tokenizer 'treebank'", "nltk", "paper") from error
    sentences = PunktSentenceTokenizer().span_tokenize
    tokenize = TreebankWordTokenizer().tokenize

    def read(text: str) -> NDArray[np.int32]:
        flat: list[int] = []
        for piece in _PIECE.finditer(text):
            for start, end in sentences(piece[0]):
                for span in align(tokenize(piece[0][start:end]), text, piece.start() + start):
                    flat += span
        return np.array(flat, dtype=np.int32).reshape(-1, 2)

    return read


def align(tokens: Iterable[str], text: str, position: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) in ``text`` of each Treebank token, starting at ``position``.

    The tokenizer only inserts spaces and rewrites quotes: ``"`` or two single quotes become two single quotes or two
    backquotes. Therefore each token starts at the next character that is not white space. Raises
    :class:`DataError` if a token is not there.
    """
    for token in tokens:
        while text[position].isspace():
            position += 1
        if text.startswith(token, position):
            end = position + len(token)
        elif token in ("``", "''"):
            end = position + (1 if text[position] == '"' else 2)
        else:
            raise DataError(
                f"the Treebank token {token!r} was not found at character {position} of the text. Use another "
                "tokenizer for this text."
            )
        yield position, end
        position = end
