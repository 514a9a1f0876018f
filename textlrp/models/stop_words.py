"""Words that a model must not use: the option ``stop_words`` of the classifiers that read words.

Open it for what a list of stop words must be, and for the form in which they are compared with the words of a text.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from textlrp.errors import OptionError, must_be
from textlrp.models.training import LOGGER
from textlrp.text.invisible import visible
from textlrp.text.surrogates import has_surrogate
from textlrp.text.tokens import Tokenizer

_HINT = "Pass stop_words=['word', ...], or None."
_NAMED = 5  # words in a warning


def check_stop_words(words: Any) -> None:
    """Raise :class:`OptionError` unless this is None or a sequence of words, each with a visible character."""
    if words is None:
        return
    if isinstance(words, (str, bytes)) or not isinstance(words, Sequence):
        raise OptionError(must_be("stop_words", "None or a list of words", words, _HINT))
    for word in words:
        # a lone surrogate cannot be saved
        if not isinstance(word, str) or has_surrogate(word) or not visible(word).strip():
            raise OptionError(must_be("stop_words", "a list of words without lone surrogates", word, _HINT))


@lru_cache(16)
def stop_forms(words: tuple[str, ...], lowercase: bool) -> frozenset[str]:
    """Return words as a model reads them: without invisible characters and, if ``lowercase``, in lower case."""
    return frozenset(visible(word).lower() if lowercase else visible(word) for word in words)


def report_stop_words(stop_words: frozenset[str], words: Sequence[Sequence[str]], tokenizer: Tokenizer) -> None:
    """Log how many stop words occur in the words of N texts, and warn about those that can occur in no text.

    These are stop words that the tokenizer splits into several words.
    """
    if not stop_words:
        return
    found = stop_words & set().union(*words)
    LOGGER.info("stop words: %s of %s occur in the training texts", f"{len(found):,}", f"{len(stop_words):,}")
    split = sorted(word for word in stop_words - found if len(tokenizer.spans(word)) > 1)
    if split:
        named = ", ".join(map(repr, split[:_NAMED])) + ", ..." * (len(split) > _NAMED)
        warnings.warn(
            f"{len(split):,} of {len(stop_words):,} stop_words are more than one word for the tokenizer and match no "
            f"word of a text: {named}. Pass their words one by one.",
            UserWarning,
            stacklevel=4,
        )
