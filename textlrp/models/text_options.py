"""The options that all text classifiers share, and what follows from them: reader, vocabulary, class weights, seed.

Open it to add an option to every classifier.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.models.label_balance import label_weights
from textlrp.models.options import check_flag, check_whole, is_whole
from textlrp.models.stop_words import check_stop_words, report_stop_words, stop_forms
from textlrp.records import Document
from textlrp.text.encoding import Reader
from textlrp.text.scripts import advice, spaceless
from textlrp.text.skip import make_skip
from textlrp.text.tokens import make_tokenizer
from textlrp.text.vocabulary import Vocabulary

Documents = Sequence[str | Document]
SkipOption = str | Sequence[str] | Callable[[str], Any]
Tokenizing = str | Callable[[str], Any]
ClassWeight = str | dict[Any, float] | None
SPACE_TOKENIZERS = ("spacy", "words", "treebank")
"""Tokenizers that read the characters between two spaces as one word, also in scripts without spaces."""
TORCH_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class TextOptions:
    """The shared options. A classifier sets them unchecked in its constructor, as scikit-learn requires."""

    tokenizer: Tokenizing
    lowercase: bool
    skip: SkipOption
    max_tokens: int | None
    min_df: int
    max_words: int | None
    stop_words: Sequence[str] | None = None
    class_weight: ClassWeight
    dtype: str
    random_state: Any

    @abstractmethod
    def _check_options(self) -> None:
        """Raise :class:`OptionError` if an option of the subclass is out of its range."""

    def options(self) -> dict[str, Any]:
        """Return {name: value} of the constructor's parameters."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def _hint(self, name: str) -> str:
        """The end of a message about an option: what to pass."""
        return f"Pass {name}={signature(type(self)).parameters[name].default!r}, the default."

    def reader(self) -> Reader:
        """Return the reader for the present options; it is cached, because it caches the text chunks it has read."""
        punctuation = bool(getattr(self, "punctuation", False))
        options = (self.tokenizer, self.lowercase, self.skip, self.max_tokens, punctuation)
        cached: tuple[Any, Reader] | None = self.__dict__.get("_cached_reader")
        if cached is None or cached[0] != options:
            tokenizer, skip = make_tokenizer(self.tokenizer), make_skip(self.skip)
            cached = (options, Reader(tokenizer, self.lowercase, skip, self.max_tokens, punctuation))
            self.__dict__["_cached_reader"] = cached
        return cached[1]

    def stop_set(self) -> frozenset[str]:
        """Return the ``stop_words`` in the form in which words are looked up."""
        return stop_forms(tuple(self.stop_words or ()), bool(self.lowercase))

    def reads_characters(self) -> bool:
        """Whether the model reads words outside its vocabulary by their characters.

        Then stop words are left out of each text that is read, and not only of the vocabulary.
        """
        return False

    def check_options(self) -> None:
        """Raise :class:`OptionError` if an option is out of its range."""
        if not isinstance(self.dtype, str) or self.dtype not in TORCH_DTYPES:
            raise OptionError(must_be("dtype", "'float32' or 'float64'", self.dtype, self._hint("dtype")))
        check_whole("min_df", self.min_df, hint=self._hint("min_df"))
        for name in ("max_tokens", "max_words"):
            check_whole(name, getattr(self, name), none="no limit", hint=self._hint(name))
        check_stop_words(self.stop_words)
        check_flag("lowercase", self.lowercase, self._hint("lowercase"))
        if not callable(self.skip) and not isinstance(self.skip, (str, Sequence)):
            raise OptionError(
                f"skip must be names of parts of a text, a callable, or () to ignore nothing; got {self.skip!r}. "
                f"{self._hint('skip')}"
            )
        self.reader()
        self._check_options()

    def _seed(self) -> int:
        """The seed in ``random_state``; drawn at random if that is None or a ``RandomState``."""
        state = self.random_state
        if is_whole(state) and 0 <= state < 2**32:
            return int(state)
        if state is None:
            return int(np.random.randint(2**31 - 1))  # noqa: NPY002  the global generator, as in scikit-learn
        if isinstance(state, np.random.RandomState):
            return int(state.randint(2**31 - 1))
        what = "a whole number from 0 to 2**32 - 1, a RandomState or None"
        raise OptionError(must_be("random_state", what, state, self._hint("random_state")))

    def _class_weights(self, classes: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Weights (C,) that scikit-learn computes from ``class_weight``; None if all are equal.

        For an indicator matrix ``codes`` (N, C) they are (2, C): of texts without and with each label.
        """
        if self.class_weight is None:
            return None
        from sklearn.utils.class_weight import compute_class_weight  # imported late: only training needs it

        try:
            if codes.ndim == 2:
                return label_weights(self.class_weight, classes, codes)
            weights = compute_class_weight(self.class_weight, classes=classes, y=classes[codes])
        except (ValueError, TypeError):
            labels = f"{', '.join(map(repr, classes[:5].tolist()))}{', ...' if len(classes) > 5 else ''}"
            what = f"None, 'balanced' or {{label: weight}} with labels among {labels}"
            hint = "Pass class_weight='balanced'."
            raise OptionError(must_be("class_weight", what, self.class_weight, hint)) from None
        return np.asarray(weights, dtype=np.float64)

    def _build_vocabulary(self, words: list[list[str]]) -> Vocabulary:
        """The vocabulary of the training texts; raises :class:`DataError` if no word is left."""
        stop_words = self.stop_set()
        vocabulary = Vocabulary.build(words, min_df=self.min_df, max_words=self.max_words, without=stop_words)
        if not len(vocabulary):
            listed = " or is in stop_words" if stop_words else ""
            raise DataError(
                f"every word is in fewer than min_df={self.min_df} of the {len(words)} texts{listed}. Add texts, "
                f"{'shorten stop_words ' if stop_words else ''}or lower min_df."
            )
        return vocabulary

    def _check_words(self, words: list[list[str]]) -> None:
        """Warn in ``fit`` about texts without a word to read; raise :class:`DataError` if no text has one."""
        empty = sum(not forms for forms in words)
        if empty == len(words):
            raise DataError(
                f"none of the {len(words)} texts has a word to read with tokenizer={self.tokenizer!r} "
                f"and skip={self.skip!r}. Check the texts, or change tokenizer= or skip=."
            )
        if empty:
            warnings.warn(f"{empty} of {len(words)} texts have no word to read.", UserWarning, stacklevel=3)
        report_stop_words(self.stop_set(), words, self.reader().tokenizer)

    def _warn_of_script(self, documents: Documents) -> None:
        """Warn in ``fit`` if the script of the texts needs other options."""
        if self.tokenizer not in SPACE_TOKENIZERS and self.tokenizer != "auto":
            return  # the user's own function, or spaCy's rules for one language: chosen on purpose
        texts = (document if isinstance(document, str) else document.text for document in documents)
        language = spaceless(texts)
        if language is not None:
            warnings.warn(advice(language, characters=self.tokenizer == "auto"), UserWarning, stacklevel=3)
