"""The options, the training and the TF-IDF features of the bag-of-words classifier.

:mod:`textlrp.models.bow` has its scores and its trace.

Letters: N texts, V words, J features, K character n-grams, T tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, ModelError, OptionError, must_be
from textlrp.models.base import TextClassifier
from textlrp.models.char_ngrams import MAX_LENGTH, CharNgrams, column_counts
from textlrp.models.linear_rows import fitted_label_rows, fitted_rows, svm_thresholds
from textlrp.models.ngrams import WordOccurrences, frequent_keys, occurrences
from textlrp.models.options import check_flag, check_positive, check_whole, is_range, is_whole
from textlrp.models.packing import Ids
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.spelled_batch import spelled_of
from textlrp.models.text_options import ClassWeight, Documents, SkipOption, Tokenizing
from textlrp.models.tfidf import are_keys, feature_counts, joint_tfidf, word_tables
from textlrp.models.thresholds import ChosenThresholds
from textlrp.text.batches import Batch
from textlrp.text.vocabulary import Vocabulary

ANALYZERS = ("word", "char_wb", "both")


class BagOfWordsFeatures(TextClassifier):
    """The part of :class:`textlrp.BagOfWordsClassifier` that reads texts; see there for the options."""

    scoring_options = (
        *TextClassifier.scoring_options, "analyzer", "ngrams", "char_ngrams", "punctuation", "sublinear_tf",
    )  # fmt: skip
    training_options = (
        *TextClassifier.training_options,
        "min_df_ngrams",
        "min_df_char_ngrams",
        "C",
        "loss",
        "idf_power",
    )

    def __init__(
        self,
        *,
        analyzer: Literal["word", "char_wb", "both"] = "both",
        ngrams: int = 2,
        min_df_ngrams: int = 2,
        char_ngrams: tuple[int, int] = (2, 4),
        min_df_char_ngrams: int = 2,
        punctuation: bool = True,
        C: float = 1.0,
        loss: str = "squared_hinge",
        sublinear_tf: bool = True,
        idf_power: float = 1.5,
        min_df: int = 1,
        max_words: int | None = None,
        stop_words: Sequence[str] | None = None,
        max_tokens: int | None = None,
        tokenizer: Tokenizing = "auto",
        lowercase: bool = True,
        skip: SkipOption = ("headers",),
        class_weight: ClassWeight = None,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.analyzer = analyzer
        self.ngrams = ngrams
        self.min_df_ngrams = min_df_ngrams
        self.char_ngrams = char_ngrams
        self.min_df_char_ngrams = min_df_char_ngrams
        self.punctuation = punctuation
        self.C = C
        self.loss = loss
        self.sublinear_tf = sublinear_tf
        self.idf_power = idf_power
        self.min_df = min_df
        self.max_words = max_words
        self.stop_words = stop_words
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.skip = skip
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state

    def _check_options(self) -> None:
        if self.analyzer not in ANALYZERS:
            what = "'word', 'char_wb' or 'both'"
            raise OptionError(must_be("analyzer", what, self.analyzer, self._hint("analyzer")))
        if not is_whole(self.ngrams) or self.ngrams not in (1, 2, 3):
            raise OptionError(must_be("ngrams", "1, 2 or 3", self.ngrams, self._hint("ngrams")))
        for name in ("min_df_ngrams", "min_df_char_ngrams"):
            check_whole(name, getattr(self, name), hint=self._hint(name))
        if not is_range(self.char_ngrams, MAX_LENGTH):
            what = f"two whole numbers from 1 to {MAX_LENGTH}, the smaller one first"
            raise OptionError(must_be("char_ngrams", what, self.char_ngrams, self._hint("char_ngrams")))
        for name in ("punctuation", "sublinear_tf"):
            check_flag(name, getattr(self, name), self._hint(name))
        check_positive("C", self.C, hint=self._hint("C"))
        check_positive("idf_power", self.idf_power, zero=True, hint=self._hint("idf_power"))
        if self.loss not in ("hinge", "squared_hinge"):
            raise OptionError(must_be("loss", "'hinge' or 'squared_hinge'", self.loss, self._hint("loss")))

    # ---- training

    def _warn_of_script(self, documents: Documents) -> None:
        if self.analyzer == "word":  # character n-grams can read every script
            super()._warn_of_script(documents)

    def _fit_words(
        self, documents: Documents, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int
    ) -> ChosenThresholds | None:
        from sklearn.feature_extraction.text import TfidfTransformer  # imported late: only training needs them
        from sklearn.svm import LinearSVC

        vocabulary = self._build_vocabulary(words)
        weights: dict[str, NDArray[Any]] = {}
        blocks = []
        if self.analyzer != "char_wb":
            texts = [vocabulary.ids(forms) for forms in words]
            base = len(vocabulary) + 1
            for n in range(2, self.ngrams + 1):
                weights[f"keys{n}"] = frequent_keys(texts, n, base, self.min_df_ngrams)
            tables = word_tables(vocabulary, weights, self.ngrams)
            blocks.append(feature_counts(occurrences(texts, tables, base), len(texts), tables))
        if self.analyzer != "word":
            read = self.reader().ids_and_runs(documents, vocabulary, without=self.stop_set())
            pieces = [runs for _, runs in read]
            found, counts = CharNgrams.fit(pieces, *self._char_range(), self.min_df_char_ngrams)
            if not len(found) and self.analyzer == "char_wb":
                raise DataError(
                    f"no character n-gram is in min_df_char_ngrams={self.min_df_char_ngrams} or more of the "
                    f"{len(pieces)} texts. Lower min_df_char_ngrams or add texts."
                )
            weights["char_keys"] = found.keys
            blocks.append(counts)
        idfs = [TfidfTransformer().fit(counts).idf_ ** self.idf_power for counts in blocks if counts.shape[1]]
        idf = np.concatenate(idfs)
        svm = LinearSVC(C=self.C, loss=self.loss, class_weight=self.class_weight, random_state=seed)
        features = joint_tfidf(blocks, idf, self.sublinear_tf)
        chosen = None
        if codes.ndim == 1:
            coefficients, intercepts = fitted_rows(svm, features, classes[codes])
        else:
            balance = self._class_weights(classes, codes)
            chosen = svm_thresholds(svm, features, codes, balance, np.random.default_rng(seed))
            coefficients, intercepts = fitted_label_rows(svm, features, codes, balance)
        self.vocabulary_ = vocabulary
        self.weights_ = weights | {
            "idf": idf.astype(self.dtype),
            "output.weight": coefficients.astype(self.dtype),
            "output.bias": intercepts.astype(self.dtype),
        }
        return chosen

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """Return shape and type of the keys of n-grams (single words have none), the idf, and the coefficients."""
        specs = {name: TensorSpec((sizes.length(name, 0),), integer=True) for name in self._word_keys()}
        features = sum(spec.shape[0] for spec in specs.values())
        if self.analyzer != "char_wb":
            features += sizes.words
        if self.analyzer != "word":
            specs["char_keys"] = TensorSpec((sizes.length("char_keys", 0), 2), integer=True)
            features += specs["char_keys"].shape[0]
        return specs | {
            "idf": TensorSpec((features,), layer=None),  # a text has unit norm for any idf, so scores stay bounded
            "output.weight": TensorSpec((sizes.classes, features), inputs=features),
            "output.bias": TensorSpec((sizes.classes,)),
        }

    def _word_keys(self) -> list[str]:
        return [] if self.analyzer == "char_wb" else [f"keys{n}" for n in range(2, self.ngrams + 1)]

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` if keys are not in order or contain unknown words, or an idf is not positive."""
        for n, name in enumerate(self._word_keys(), start=2):
            keys = weights[name]
            if len(keys) and ((np.diff(keys) <= 0).any() or not are_keys(keys, n, len(vocabulary) + 1)):
                raise ModelError(f"{name} must be ascending keys of {n} words of the vocabulary; they are not.")
        if self.analyzer != "word":
            hashes = CharNgrams.of(weights["char_keys"], *self._char_range()).hashes
            if (hashes[1:] <= hashes[:-1]).any():
                raise ModelError("char_keys must be distinct and in the order of their hashes; they are not.")
        if weights["idf"].min() <= 0:
            raise ModelError("every number of idf must be above 0; got 0 or less.")

    def _char_range(self) -> tuple[int, int]:
        low, high = self.char_ngrams
        return int(low), int(high)

    # ---- features

    def _word_tables(self) -> list[NDArray[np.int64]]:
        return [] if self.analyzer == "char_wb" else word_tables(self.vocabulary_, self.weights_, self.ngrams)

    def _char_ngrams(self) -> CharNgrams | None:
        """The character n-grams, cached with their hashes; None if the model has only word n-grams."""
        if self.analyzer == "word":
            return None
        keys = self.weights_["char_keys"]
        cached: tuple[Any, CharNgrams] | None = self.__dict__.get("_cached_char_ngrams")
        if cached is None or cached[0] is not keys:
            cached = (keys, CharNgrams.of(keys, *self._char_range()))
            self.__dict__["_cached_char_ngrams"] = cached
        return cached[1]

    def reads_characters(self) -> bool:
        return self.analyzer != "word"

    def _found(self, texts: Sequence[Ids], tables: Sequence[NDArray[np.int64]]) -> WordOccurrences:
        """All occurrences of word n-grams in N texts."""
        base = len(self.vocabulary_) + 1
        return occurrences([np.where(ids < base, ids, 0) for ids in texts], tables, base)

    def _values(self, texts: Sequence[Ids], char_counts: Any, dtype: str) -> Any:
        """The TF-IDF values (N, J), CSR, of N texts, given the counts (N, K) of their character n-grams."""
        blocks = []
        if tables := self._word_tables():
            blocks.append(feature_counts(self._found(texts, tables), len(texts), tables))
        if char_counts is not None:
            blocks.append(char_counts)
        idf = self.weights_["idf"].astype(dtype)
        return joint_tfidf([block.astype(dtype) for block in blocks], idf, self.sublinear_tf)

    def tfidf_values(self, batch: Batch) -> Any:
        """Return the TF-IDF values of the texts of a batch as a sparse matrix (N, J)."""
        return self._values(batch.texts(), self._char_counts(batch), self.dtype)

    def _char_counts(self, batch: Batch, keep: NDArray[np.bool_] | None = None) -> Any:
        """Counts (N, K) of the character n-grams of a batch, except those with a token whose ``keep`` is False."""
        ngrams = self._char_ngrams()
        if ngrams is None:
            return None
        rows = []
        for n, found in enumerate(spelled_of(batch)):
            column = found.column
            if keep is not None:
                column = column[found.kept(keep[[n], : len(batch.text(n))])[0]]
            rows.append(column)
        return column_counts(rows, len(ngrams))
