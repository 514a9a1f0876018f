"""The bag-of-words classifier: TF-IDF and a linear support vector machine, both scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from textlrp.errors import DataError, ModelError, OptionError
from textlrp.lrp.maps import Features
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear, Routing
from textlrp.models.base import TextClassifier
from textlrp.models.char_ngrams import LONGEST, CharNgrams, column_counts
from textlrp.models.differentiable import InputPoint
from textlrp.models.feature_shares import FeaturesToWords, char_shares, joined, word_shares
from textlrp.models.finite import check_scores
from textlrp.models.ngrams import Occurrences as WordOccurrences
from textlrp.models.ngrams import count_kept, frequent_keys, occurrences
from textlrp.models.options import TextInputs, check_flag, check_positive, check_whole, is_whole
from textlrp.models.packing import Ids
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.spelled_batch import SpelledBatch, spelled_of
from textlrp.models.text_options import TORCH_DTYPES, ClassWeight, Documents, SkipOption, Tokenizing
from textlrp.models.torch_nets import bow_point
from textlrp.records import Status
from textlrp.text.batches import Batch, end_to_end, following, joined_runs
from textlrp.text.vocabulary import Vocabulary

ANALYZERS = ("word", "char_wb", "both")
ENTRIES = 1 << 22
"""Occurrences of all alternatives of a text that are held at once."""
TEXTS_COUNTED_TOGETHER = 1 << 10
"""Texts whose character n-grams are counted at once."""


class BagOfWordsClassifier(TextClassifier):
    """Word and character n-grams, TF-IDF and a linear SVM (one against the rest).

    A scikit-learn estimator over strings or Documents, built on scikit-learn's ``TfidfTransformer`` and
    ``LinearSVC``; there is no ``predict_proba``. Its explanation is exact: an n-gram's relevance is shared
    equally over its words, or over its characters; a repeated feature's equally over its occurrences. A token's
    relevance is the sum over the words and characters in it.

    Parameters
    ----------
    analyzer : "word", "char_wb" (character n-grams that stay inside a word and the blanks around it, as in
        scikit-learn) or "both". Character n-grams also read what the training texts do not have as a whole word:
        compounds, inflections, misspellings, and scripts without spaces.
    ngrams : the longest word n-gram, 1 to 3. ``min_df_ngrams``: training documents a longer n-gram needs.
    char_ngrams : the shortest and longest character n-gram, 1 to 6. ``min_df_char_ngrams``: training documents that
        one needs.
    punctuation : whether numbers, symbols and punctuation marks are read like words.
    C, loss : of the SVM. ``sublinear_tf``: 1 + ln(count) in place of the count.
    idf_power : the inverse document frequency to this power; 1 is TF-IDF, 2 leans on rare words more.

    With "both", words and character n-grams each have half of a text's squared norm. The other parameters are those
    of :class:`CNNClassifier`.
    """

    kind = "svm"
    older_defaults = MappingProxyType({"analyzer": "word", "punctuation": False})
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
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.skip = skip
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state

    @classmethod
    def arras2017(cls, *, random_state: Any = 0) -> Self:
        """The paper's bag of words: lower-cased Treebank tokens (extra ``paper``), the first 400, raw counts."""
        return cls(
            analyzer="word",
            ngrams=1,
            punctuation=False,
            sublinear_tf=False,
            idf_power=1.0,
            C=1.0,
            loss="hinge",
            tokenizer="treebank",
            max_tokens=400,
            random_state=random_state,
        )

    def _check_options(self) -> None:
        if self.analyzer not in ANALYZERS:
            raise OptionError(f"analyzer must be 'word', 'char_wb' or 'both'; got {self.analyzer!r}.")
        if not is_whole(self.ngrams) or self.ngrams not in (1, 2, 3):
            raise OptionError(f"ngrams={self.ngrams!r} came; 1, 2 or 3 is wanted.")
        check_whole("min_df_ngrams", self.min_df_ngrams)
        check_whole("min_df_char_ngrams", self.min_df_char_ngrams)
        if not _is_range(self.char_ngrams):
            raise OptionError(
                f"char_ngrams must be two whole numbers from 1 to {LONGEST}, the smaller one first; "
                f"got {self.char_ngrams!r}. Pass char_ngrams=(2, 4)."
            )
        check_flag("punctuation", self.punctuation)
        check_flag("sublinear_tf", self.sublinear_tf)
        check_positive("C", self.C)
        check_positive("idf_power", self.idf_power, zero=True)
        if self.loss not in ("hinge", "squared_hinge"):
            raise OptionError(f"loss={self.loss!r} came; 'hinge' or 'squared_hinge' is wanted.")

    # ---- training

    def _warn_of_script(self, documents: Documents) -> None:
        if self.analyzer == "word":  # character n-grams read every script
            super()._warn_of_script(documents)

    def _fit_words(
        self, documents: Documents, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int
    ) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer  # late: only training needs them
        from sklearn.svm import LinearSVC

        vocabulary = self._build_vocabulary(words)
        weights: dict[str, NDArray[Any]] = {}
        blocks = []
        if self.analyzer != "char_wb":
            texts = [vocabulary.ids(forms) for forms in words]
            base = len(vocabulary) + 1
            for n in range(2, self.ngrams + 1):
                weights[f"keys{n}"] = frequent_keys(texts, n, base, self.min_df_ngrams)
            tables = _tables(vocabulary, weights, self.ngrams)
            blocks.append(_feature_counts(occurrences(texts, tables, base), len(texts), tables))
        if self.analyzer != "word":
            pieces = [own for _, own in self.reader().ids_and_pieces(documents, vocabulary)]
            found, counts = CharNgrams.fit(pieces, *self._char_range(), self.min_df_char_ngrams)
            if not len(found) and self.analyzer == "char_wb":
                raise DataError(
                    f"no character n-gram is in min_df_char_ngrams={self.min_df_char_ngrams} of the {len(pieces)} "
                    "texts; lower it or bring more texts."
                )
            weights["char_keys"] = found.keys
            blocks.append(counts)
        idfs = [TfidfTransformer().fit(counts).idf_ ** self.idf_power for counts in blocks if counts.shape[1]]
        idf = np.concatenate(idfs)
        svm = LinearSVC(C=self.C, loss=self.loss, class_weight=self.class_weight, random_state=seed)
        svm.fit(self._weighted(blocks, idf), classes[codes])
        coefficients, intercepts = svm.coef_, np.atleast_1d(svm.intercept_)
        if len(classes) == 2:
            coefficients, intercepts = (
                np.concatenate([-coefficients, coefficients]),
                np.concatenate([-intercepts, intercepts]),
            )
        self.vocabulary_ = vocabulary
        self.weights_ = weights | {
            "idf": idf.astype(self.dtype),
            "output.weight": coefficients.astype(self.dtype),
            "output.bias": intercepts.astype(self.dtype),
        }

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """The keys of the longer word n-grams and of character n-grams, then idf and coefficients of all features."""
        specs = {name: TensorSpec((sizes.length(name, 0),), integer=True) for name in self._word_keys()}
        features = sum(spec.shape[0] for spec in specs.values())
        if self.analyzer != "char_wb":
            features += sizes.words
        if self.analyzer != "word":
            specs["char_keys"] = TensorSpec((sizes.length("char_keys", 0), 2), integer=True)
            features += specs["char_keys"].shape[0]
        return specs | {
            "idf": TensorSpec((features,), layer=None),  # each text has unit norm, whatever these are
            "output.weight": TensorSpec((sizes.classes, features), inputs=features),
            "output.bias": TensorSpec((sizes.classes,)),
        }

    def _word_keys(self) -> list[str]:
        return [] if self.analyzer == "char_wb" else [f"keys{n}" for n in range(2, self.ngrams + 1)]

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` on keys out of order or of unknown words, and on an idf that is not positive."""
        for n, name in enumerate(self._word_keys(), start=2):
            keys = weights[name]
            if len(keys) and ((np.diff(keys) <= 0).any() or not _are_keys(keys, n, len(vocabulary) + 1)):
                raise ModelError(f"{name} must be ascending keys of {n} known words; they are not.")
        if self.analyzer != "word":
            hashes = CharNgrams.of(weights["char_keys"], *self._char_range()).hashes
            if (hashes[1:] <= hashes[:-1]).any():
                raise ModelError("char_keys must be distinct and in the order of their hash; they are not.")
        if weights["idf"].min() <= 0:
            raise ModelError("every number of idf must be above 0; got 0 or less.")

    def _char_range(self) -> tuple[int, int]:
        low, high = self.char_ngrams
        return int(low), int(high)

    # ---- features

    def _word_tables(self) -> list[NDArray[np.int64]]:
        return [] if self.analyzer == "char_wb" else _tables(self.vocabulary_, self.weights_, self.ngrams)

    def _char_ngrams(self) -> CharNgrams | None:
        """The character n-grams, whose hashes are kept; None where there are only words."""
        if self.analyzer == "word":
            return None
        keys = self.weights_["char_keys"]
        kept: tuple[Any, CharNgrams] | None = self.__dict__.get("_kept_char_ngrams")
        if kept is None or kept[0] is not keys:
            kept = (keys, CharNgrams.of(keys, *self._char_range()))
            self.__dict__["_kept_char_ngrams"] = kept
        return kept[1]

    def _found(self, texts: Sequence[Ids], tables: Sequence[NDArray[np.int64]]) -> WordOccurrences:
        """Every occurrence of a word n-gram in N texts."""
        base = len(self.vocabulary_) + 1
        return occurrences([np.where(ids < base, ids, 0) for ids in texts], tables, base)

    def _values(self, texts: Sequence[Ids], char_counts: Any, dtype: str) -> Any:
        """The TF-IDF values (N, J), CSR, of N texts and the counts (N, K) of their character n-grams."""
        blocks = []
        if tables := self._word_tables():
            blocks.append(_feature_counts(self._found(texts, tables), len(texts), tables))
        if char_counts is not None:
            blocks.append(char_counts)
        return self._weighted([block.astype(dtype) for block in blocks], self.weights_["idf"].astype(dtype))

    def _weighted(self, blocks: Sequence[Any], idf: NDArray[Any]) -> Any:
        """Counts (N, ...) side by side as TF-IDF (N, J); each block has the same part of a text's squared norm."""
        ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
        parts = [
            _tfidf(block, own, self.sublinear_tf) for block, own in zip(blocks, np.split(idf, ends), strict=True)
        ]
        values = sparse.hstack(parts, format="csr")
        values.data /= np.sqrt(len(parts)).astype(values.dtype)
        return values

    def features_of(self, batch: Batch) -> Any:
        """The TF-IDF values of the texts of a batch as a sparse matrix (N, J)."""
        return self._values(batch.texts(), self._char_counts(batch), self.dtype)

    def _char_counts(self, batch: Batch, keep: NDArray[np.bool_] | None = None) -> Any:
        """(N, K) of a batch; n-grams that a token with ``keep`` (N, T) False takes part in do not count."""
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

    # ---- scores

    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        return self._linear(self._values(texts, None, self.dtype))

    def _linear(self, values: Any) -> NDArray[Any]:
        return np.asarray(values @ self.output_weight.T + self.output_bias)

    def _scores_of(self, documents: Documents) -> NDArray[Any]:
        ngrams = self._char_ngrams()
        if ngrams is None:
            return super()._scores_of(documents)
        scores = [np.zeros((0, len(self.classes_)), dtype=self.dtype)]
        read = self.reader().ids_and_pieces(documents, self.vocabulary_)
        while some := list(islice(read, TEXTS_COUNTED_TOGETHER)):
            counts = ngrams.counts([pieces for _, pieces in some])
            scores.append(self._linear(self._values([ids for ids, _ in some], counts, self.dtype)))
        return np.concatenate(scores)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Pre-softmax scores (N, C); no n-gram counts that a token with ``keep`` (N, T) False takes part in."""
        texts = batch.texts() if keep is None else batch.kept(keep)
        values = self._values(texts, self._char_counts(batch, keep), self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by check_scores
            scores = self._linear(values)
        return check_scores(scores, self.classes_, lambda row: batch.readings[row].document_id)

    def thinned_scores(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Scores (S, C) of text ``n`` with some words left in it each time; its features are found once."""
        ids = batch.text(n)
        words = self._found([ids], self._word_tables())
        spelled = None if self.analyzer == "word" else spelled_of(batch)[n]
        features, feature_of = np.unique(words.column, return_inverse=True)
        columns, width = [features], sum(map(len, self._word_tables()))
        if spelled is not None:
            char_features, char_feature_of = np.unique(spelled.column, return_inverse=True)
            columns.append(width + char_features)
        present = np.concatenate(columns)
        idf, weight = self.weights_["idf"][present], self.output_weight[:, present]
        entries = max(1, len(words.column), 0 if spelled is None else len(spelled.column) + len(spelled.token))
        scores = [np.zeros((0, len(self.classes_)), dtype=self.dtype)]
        together = max(1, ENTRIES // entries)
        for begin in range(0, len(keep), together):
            some = keep[begin : begin + together]
            blocks = []
            if self.analyzer != "char_wb":
                blocks.append(
                    count_kept(_words_kept(words, some, self.ngrams), feature_of.reshape(-1), len(features))
                )
            if spelled is not None:
                blocks.append(count_kept(spelled.kept(some), char_feature_of.reshape(-1), len(char_features)))
            values = self._weighted([sparse.csr_matrix(block.astype(self.dtype)) for block in blocks], idf)
            scores.append(np.asarray(values @ weight.T + self.output_bias))
        return np.concatenate(scores)

    def closed_up_scores(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """As :meth:`thinned_scores`, but the words that are left move together; what was one word with a dropped
        token is two words."""
        ngrams = self._char_ngrams()
        if ngrams is None:
            return super().closed_up_scores(batch, n, keep)
        ids, reading = batch.text(n), batch.readings[n]
        spans = reading.tokens.spans[reading.positions]
        texts = [
            joined_runs([reading.forms[place] for place in np.flatnonzero(kept).tolist()], following(spans[kept]))
            for kept in keep
        ]
        return self._linear(self._values([ids[kept] for kept in keep], ngrams.counts(texts), self.dtype))

    def _margin(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scores[:, 1])

    def point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """The TF-IDF values (J, 1) of text ``n`` that are not zero, and the linear layer over them."""
        return bow_point(self, batch, n, dtype=dtype)

    # ---- relevance

    def encode(self, texts: TextInputs) -> Batch:
        """Texts as ids (N, T), with the tokens they came from.

        A token outside the vocabulary that a character n-gram covers is read, and has the id V + 1.
        """
        batch = super().encode(texts)
        ngrams = self._char_ngrams()
        if ngrams is None:
            return batch
        words, spelled = [], []
        for n, reading in enumerate(batch.readings):
            found = ngrams.occurrences(reading.forms, following(reading.tokens.spans[reading.positions]))
            spelled.append(found)
            covered, own = found.covered(len(reading.forms)), batch.text(n)
            read = covered if self.analyzer == "char_wb" else covered | (own > 0)
            words.append(np.where(read, np.where(own > 0, own, len(self.vocabulary_) + 1), 0))
            batch.status[n][reading.positions] = np.where(read, Status.READ, Status.UNKNOWN)
        return SpelledBatch(batch.readings, *end_to_end(words), batch.status, batch.counts, tuple(spelled))

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """The tape of the forward pass, in the model's ``dtype`` unless another is given."""
        dtype = dtype or self.dtype
        texts, tables = batch.texts(), self._word_tables()
        features = self._values(texts, self._char_counts(batch), dtype)
        parts = [word_shares(self._found(texts, tables))]
        if self.analyzer != "word":
            width = sum(map(len, tables))
            parts += [char_shares(n, found, width) for n, found in enumerate(spelled_of(batch))]
        counts = np.diff(features.indptr)
        inside = np.arange(max(1, counts.max(initial=0))) < counts[:, None]
        values = np.zeros(inside.shape, dtype=features.dtype)
        values[inside] = features.data
        weight = np.zeros((*inside.shape, len(self.classes_)), dtype=features.dtype)
        weight[inside] = self.output_weight.T[features.indices]
        entries = torch.from_numpy(values)
        entry_weights = torch.from_numpy(weight)
        bias = torch.from_numpy(self.output_bias).to(TORCH_DTYPES[dtype])
        scores = torch.einsum("nj,njo->no", entries, entry_weights) + bias
        mapped = Features(entries, entry_weights, torch.from_numpy(counts.astype(np.int64)), _unit_box)
        route = FeaturesToWords(joined(parts), features, max(1, int(batch.lengths.max(initial=0))))
        return Trace(
            (
                Routing("ngrams", "features", ("words",), "features", route),
                Linear("output", "dense", ("features",), "scores", mapped, bias, scores, mapped),
            ),
            scores,
            elements=weight.size // max(1, len(self.classes_)),
        )


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(is_whole(each) and not isinstance(each, bool) for each in value)
        and 1 <= value[0] <= value[1] <= LONGEST
    )


def _unit_box() -> Box:
    """TF-IDF lies in [0, 1]."""
    return Box(torch.tensor(0.0), torch.tensor(1.0))


def _tables(vocabulary: Vocabulary, weights: Mapping[str, NDArray[Any]], ngrams: int) -> list[NDArray[np.int64]]:
    """Sorted keys of the 1-grams, 2-grams, ..., in the order of the columns."""
    return [np.arange(1, len(vocabulary) + 1), *(weights[f"keys{n}"] for n in range(2, ngrams + 1))]


def _are_keys(keys: NDArray[np.int64], n: int, base: int) -> bool:
    """Whether each number is the key of an n-gram of words 1 to ``base`` - 1."""
    if base**n >= 1 << 63:  # keys of so many words wrap around
        return True
    left = keys
    for _ in range(n - 1):
        if (left % base == 0).any():
            return False
        left = left // base
    return bool((left > 0).all() and (left < base).all())


def _feature_counts(found: WordOccurrences, texts: int, tables: Sequence[NDArray[np.int64]]) -> Any:
    """(N, columns) how often each feature occurs."""
    ones = np.ones(len(found.text))
    shape = (texts, sum(len(table) for table in tables))
    counts = sparse.csr_matrix((ones, (found.text, found.column)), shape=shape)
    counts.sum_duplicates()
    return counts


def _tfidf(counts: Any, idf: NDArray[Any], sublinear: bool) -> Any:
    """Counts (N, J) as TF-IDF with the powers ``idf`` (J,), each text to unit L2 norm."""
    values = counts.copy()
    if sublinear:
        values.data = np.log(values.data) + 1
    values.data *= idf[values.indices]
    norms = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    values.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(values.indptr))
    return values


def _words_kept(found: WordOccurrences, keep: NDArray[np.bool_], ngrams: int) -> NDArray[np.bool_]:
    """(S, O) which word n-grams are there, where ``keep`` (S, L) says which words are."""
    there = keep[:, found.position]
    for offset in range(1, ngrams):
        longer = found.length > offset
        there[:, longer] &= keep[:, found.position[longer] + offset]
    return there
