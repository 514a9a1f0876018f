"""The options that every text classifier shares, and what they make: reader, vocabulary, class weights, seed."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError
from textlrp.models.options import check_whole, is_whole
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
"""Tokenizers that read what stands between two spaces as one word, whatever the script."""
TORCH_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class TextOptions:
    """The options themselves; a classifier sets them in its constructor, unchecked, as scikit-learn wants it."""

    tokenizer: Tokenizing
    lowercase: bool
    skip: SkipOption
    max_tokens: int | None
    min_df: int
    max_words: int | None
    class_weight: ClassWeight
    dtype: str
    random_state: Any

    @abstractmethod
    def _check_options(self) -> None:
        """Raise :class:`OptionError` on one of the subclass's own options out of its range."""

    def options(self) -> dict[str, Any]:
        """What the constructor took, by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def reader(self) -> Reader:
        """The reader of the present options; kept, because it remembers the chunks it has seen."""
        punctuation = bool(getattr(self, "punctuation", False))
        options = (self.tokenizer, self.lowercase, self.skip, self.max_tokens, punctuation)
        kept: tuple[Any, Reader] | None = self.__dict__.get("_kept_reader")
        if kept is None or kept[0] != options:
            tokenizer, skip = make_tokenizer(self.tokenizer), make_skip(self.skip)
            kept = (options, Reader(tokenizer, self.lowercase, skip, self.max_tokens, punctuation))
            self.__dict__["_kept_reader"] = kept
        return kept[1]

    def check_options(self) -> None:
        """Raise :class:`OptionError` on an option out of its range."""
        if not isinstance(self.dtype, str) or self.dtype not in TORCH_DTYPES:
            raise OptionError(f"dtype={self.dtype!r} came; 'float32' or 'float64' is wanted.")
        check_whole("min_df", self.min_df)
        for name in ("max_tokens", "max_words"):
            check_whole(name, getattr(self, name), none="no limit")
        if not isinstance(self.lowercase, (bool, np.bool_)):
            raise OptionError(f"lowercase={self.lowercase!r} came; True or False is wanted.")
        if not callable(self.skip) and not isinstance(self.skip, (str, Sequence)):
            raise OptionError(f"skip={self.skip!r} came; names such as ('headers',), a callable, or () is wanted.")
        self.reader()
        self._check_options()

    def _seed(self) -> int:
        """``random_state`` as a number; from None or a ``RandomState`` one is drawn."""
        state = self.random_state
        if is_whole(state) and 0 <= state < 2**32:
            return int(state)
        if state is None:
            return int(np.random.randint(2**31 - 1))  # noqa: NPY002  the generator that scikit-learn takes
        if isinstance(state, np.random.RandomState):
            return int(state.randint(2**31 - 1))
        raise OptionError(f"random_state={state!r} came; a whole number from 0 to 2**32 - 1, or None, is wanted.")

    def _class_weights(self, classes: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """(C,) as scikit-learn computes them from ``class_weight``; None where all are equal."""
        if self.class_weight is None:
            return None
        from sklearn.utils.class_weight import compute_class_weight  # late: see the class

        try:
            weights = compute_class_weight(self.class_weight, classes=classes, y=classes[codes])
        except (ValueError, TypeError):
            raise OptionError(
                f"class_weight={self.class_weight!r} came; None, 'balanced' or {{label: weight}} with labels out of "
                f"{', '.join(map(repr, classes[:5].tolist()))}{', ...' if len(classes) > 5 else ''} is wanted."
            ) from None
        return np.asarray(weights, dtype=np.float64)

    def _build_vocabulary(self, words: list[list[str]]) -> Vocabulary:
        """The words of the training texts; raises :class:`DataError` where ``min_df`` leaves none."""
        vocabulary = Vocabulary.build(words, min_df=self.min_df, max_words=self.max_words)
        if not len(vocabulary):
            raise DataError(
                f"no word is in min_df={self.min_df} of the {len(words)} texts; lower min_df or bring more texts."
            )
        return vocabulary

    def _warn_of_script(self, documents: Documents) -> None:
        """Warn, at ``fit``, where the script of the texts needs another option."""
        if self.tokenizer not in SPACE_TOKENIZERS and self.tokenizer != "auto":
            return  # a function of the user's, or spaCy's rules for one language
        texts = (document if isinstance(document, str) else document.text for document in documents)
        language = spaceless(texts)
        if language is not None:
            warnings.warn(advice(language, characters=self.tokenizer == "auto"), UserWarning, stacklevel=3)
