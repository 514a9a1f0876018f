"""The bag-of-words classifier: TF-IDF and a linear support vector machine, both scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.svm import LinearSVC
from torch import Tensor

from textlrp.errors import ModelError, OptionError
from textlrp.lrp.maps import Features
from textlrp.lrp.rules import Box
from textlrp.lrp.trace import Linear, Routing, Trace
from textlrp.models.base import DTYPES, ClassWeight, Skip, TextClassifier, Tokenizing
from textlrp.models.ngrams import Occurrences, count_kept, frequent_keys, occurrences
from textlrp.models.options import check_flag, check_positive, check_whole, is_whole
from textlrp.models.packing import Ids
from textlrp.models.plain import bow_point
from textlrp.models.points import Point
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.text.batches import Batch, unpadded
from textlrp.text.vocabulary import Vocabulary


class BagOfWordsClassifier(TextClassifier):
    """Word n-grams, TF-IDF and a linear SVM (one against the rest).

    A scikit-learn estimator over strings or Documents, built on scikit-learn's ``TfidfTransformer`` and
    ``LinearSVC``; there is no ``predict_proba``. Its explanation is exact: an n-gram's relevance is shared
    equally over its words, a repeated feature equally over its occurrences.

    Parameters
    ----------
    ngrams : the longest word n-gram, 1 to 3. ``min_df_ngrams``: training documents a longer n-gram needs.
    C, loss : of the SVM. ``sublinear_tf``: 1 + ln(count) in place of the count.
    idf_power : the inverse document frequency to this power; 1 is TF-IDF, 2 leans on rare words more.

    The others as in :class:`CNNClassifier`.
    """

    kind = "svm"
    scoring_options = (*TextClassifier.scoring_options, "ngrams", "sublinear_tf")
    training_options = (*TextClassifier.training_options, "min_df_ngrams", "C", "loss", "idf_power")

    def __init__(
        self,
        *,
        ngrams: int = 1,
        min_df_ngrams: int = 2,
        C: float = 0.5,
        loss: str = "squared_hinge",
        sublinear_tf: bool = True,
        idf_power: float = 2.0,
        min_df: int = 1,
        max_words: int | None = None,
        max_tokens: int | None = None,
        tokenizer: Tokenizing = "spacy",
        lowercase: bool = True,
        skip: Skip = ("headers",),
        class_weight: ClassWeight = None,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.ngrams = ngrams
        self.min_df_ngrams = min_df_ngrams
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
    def arras2017(cls, *, random_state: Any = 0) -> BagOfWordsClassifier:
        """The paper's bag of words: lower-cased Treebank tokens (extra ``paper``), the first 400, raw counts."""
        return cls(
            ngrams=1,
            sublinear_tf=False,
            idf_power=1.0,
            C=1.0,
            loss="hinge",
            tokenizer="treebank",
            max_tokens=400,
            random_state=random_state,
        )

    def _check_options(self) -> None:
        if not is_whole(self.ngrams) or self.ngrams not in (1, 2, 3):
            raise OptionError(f"ngrams={self.ngrams!r} came; 1, 2 or 3 is wanted.")
        check_whole("min_df_ngrams", self.min_df_ngrams)
        check_flag("sublinear_tf", self.sublinear_tf)
        check_positive("C", self.C)
        check_positive("idf_power", self.idf_power, zero=True)
        if self.loss not in ("hinge", "squared_hinge"):
            raise OptionError(f"loss={self.loss!r} came; 'hinge' or 'squared_hinge' is wanted.")

    def _fit_words(self, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int) -> None:
        vocabulary = self._build_vocabulary(words)
        texts = [vocabulary.ids(forms) for forms in words]
        base = len(vocabulary) + 1
        keys = {f"keys{n}": frequent_keys(texts, n, base, self.min_df_ngrams) for n in range(2, self.ngrams + 1)}
        tables = _tables(vocabulary, keys, self.ngrams)
        counts = _counts(occurrences(texts, tables, base), len(texts), tables)
        idf = TfidfTransformer().fit(counts).idf_ ** self.idf_power
        svm = LinearSVC(C=self.C, loss=self.loss, class_weight=self.class_weight, random_state=seed)
        svm.fit(_weighted(counts, idf, self.sublinear_tf), classes[codes])
        coefficients, intercepts = svm.coef_, np.atleast_1d(svm.intercept_)
        if len(classes) == 2:
            coefficients, intercepts = (
                np.concatenate([-coefficients, coefficients]),
                np.concatenate([-intercepts, intercepts]),
            )
        self.vocabulary_ = vocabulary
        self.weights_ = keys | {
            "idf": idf.astype(self.dtype),
            "output.weight": coefficients.astype(self.dtype),
            "output.bias": intercepts.astype(self.dtype),
        }

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """The sorted keys of the longer n-grams, then idf and coefficients of all features."""
        specs = {
            f"keys{n}": TensorSpec((sizes.length(f"keys{n}", 0),), integer=True) for n in range(2, self.ngrams + 1)
        }
        features = sizes.words + sum(spec.shape[0] for spec in specs.values())
        return specs | {
            "idf": TensorSpec((features,), layer=None),  # each text has unit norm, whatever these are
            "output.weight": TensorSpec((sizes.classes, features), inputs=features),
            "output.bias": TensorSpec((sizes.classes,)),
        }

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` on keys out of order or of unknown words, and on an idf that is not positive."""
        for n in range(2, self.ngrams + 1):
            keys = weights[f"keys{n}"]
            if len(keys) and ((np.diff(keys) <= 0).any() or not _are_keys(keys, n, len(vocabulary) + 1)):
                raise ModelError(f"keys{n} must be ascending keys of {n} known words; they are not.")
        if weights["idf"].min() <= 0:
            raise ModelError("every number of idf must be above 0; got 0 or less.")

    def _features(self, texts: Sequence[Ids], dtype: str) -> tuple[Occurrences, Any]:
        """Every feature's occurrences and the TF-IDF matrix (N, J)."""
        tables = _tables(self.vocabulary_, self.weights_, self.ngrams)
        found = occurrences(texts, tables, len(self.vocabulary_) + 1)
        counts = _counts(found, len(texts), tables).astype(dtype)
        return found, _weighted(counts, self.weights_["idf"].astype(dtype), self.sublinear_tf)

    def features_of(self, batch: Batch) -> Any:
        """The TF-IDF values of the texts of a batch as a sparse matrix (N, J)."""
        return self._features(unpadded(batch.ids, batch.lengths), self.dtype)[1]

    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        values = self._features(texts, self.dtype)[1]
        return np.asarray(values @ self.weights_["output.weight"].T + self.weights_["output.bias"])

    def thinned_scores(self, ids: Ids, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Scores (S, C) of one text with some words left in it each time; its features are found once."""
        found = occurrences([ids], _tables(self.vocabulary_, self.weights_, self.ngrams), len(self.vocabulary_) + 1)
        there = keep[:, found.position]
        for offset in range(1, self.ngrams):
            longer = found.length > offset
            there[:, longer] &= keep[:, found.position[longer] + offset]
        features, feature_of = np.unique(found.column, return_inverse=True)
        counts = sparse.csr_matrix(count_kept(there, feature_of, len(features)).astype(self.dtype))
        values = _weighted(counts, self.weights_["idf"].astype(self.dtype)[features], self.sublinear_tf)
        return np.asarray(values @ self.weights_["output.weight"][:, features].T + self.weights_["output.bias"])

    def _margin(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scores[:, 1])

    def point(self, batch: Batch, n: int, *, dtype: str | None = None) -> Point:
        """The TF-IDF values (J, 1) of text ``n`` that are not zero, and the linear layer over them."""
        return bow_point(self, batch, n, dtype=dtype)

    def _trace(self, texts: Sequence[Ids], dtype: str) -> Trace:
        found, features = self._features(texts, dtype)
        counts = np.diff(features.indptr)
        inside = np.arange(max(1, counts.max(initial=0))) < counts[:, None]
        values = np.zeros(inside.shape, dtype=features.dtype)
        values[inside] = features.data
        weight = np.zeros((*inside.shape, len(self.classes_)), dtype=features.dtype)
        weight[inside] = self.weights_["output.weight"].T[features.indices]
        entries = torch.from_numpy(values)
        entry_weights = torch.from_numpy(weight)
        bias = torch.from_numpy(self.weights_["output.bias"]).to(DTYPES[dtype])
        scores = torch.einsum("nj,njo->no", entries, entry_weights) + bias
        route = _to_words(found, features, max(1, *(len(ids) for ids in texts)) if texts else 1)
        return Trace(
            (
                Routing("ngrams", "features", ("words",), "features", route),
                Linear("output", "dense", ("features",), "scores",
                       Features(entries, entry_weights, torch.from_numpy(counts.astype(np.int64)), _unit_box),
                       bias, scores, direct=True),
            ),
            scores,
            elements=weight.size // max(1, len(self.classes_)),
        )  # fmt: skip


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


def _counts(found: Occurrences, texts: int, tables: Sequence[NDArray[np.int64]]) -> Any:
    """(N, columns) how often each feature occurs."""
    ones = np.ones(len(found.text))
    shape = (texts, sum(len(table) for table in tables))
    counts = sparse.csr_matrix((ones, (found.text, found.column)), shape=shape)
    counts.sum_duplicates()
    return counts


def _weighted(counts: Any, idf: NDArray[Any], sublinear: bool) -> Any:
    """Counts (N, J) as TF-IDF with the powers ``idf`` (J,), each text to unit L2 norm."""
    values = counts.copy()
    if sublinear:
        values.data = np.log(values.data) + 1
    values.data *= idf[values.indices]
    norms = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    values.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(values.indptr))
    return values


class _to_words:
    """Relevance (K, N, J) of features -> (K, N, T) of words: equal shares over occurrences and over their words."""

    def __init__(self, found: Occurrences, features: Any, longest: int) -> None:
        texts = features.shape[0]
        order = np.lexsort((found.column, found.text))
        cell = found.text[order] * features.shape[1] + found.column[order]
        cells, cell_of, times = np.unique(cell, return_inverse=True, return_counts=True)
        entry = np.arange(len(cells)) - np.asarray(features.indptr)[cells // features.shape[1]]
        rows, starts, lengths = found.text[order], found.position[order], found.length[order]
        repeat = np.repeat(np.arange(len(order)), lengths)
        offset = np.arange(len(repeat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        self.text = torch.from_numpy(rows[repeat])
        self.entry = torch.from_numpy(entry[cell_of.reshape(-1)][repeat])
        self.place = torch.from_numpy(rows[repeat] * longest + starts[repeat] + offset)
        self.share = torch.from_numpy(1.0 / (lengths * times[cell_of.reshape(-1)])[repeat])
        self.shape = (texts, longest)

    def __call__(self, relevance: Tensor) -> Tensor:
        landed = relevance.new_zeros((relevance.shape[0], self.shape[0] * self.shape[1]))
        landed.index_add_(1, self.place, relevance[:, self.text, self.entry] * self.share.to(relevance.dtype))
        return landed.reshape(relevance.shape[0], *self.shape)
