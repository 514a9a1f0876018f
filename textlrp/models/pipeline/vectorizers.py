"""Read a text with a fitted scikit-learn vectorizer: its units with offsets, and the features made of them.

A *unit* is what n-grams consist of: a word of a word analyzer, a character of a character analyzer. An *occurrence*
is a run of units that is one of the vectorizer's features.

Letters: N texts, M units of a text, O occurrences in a text, V columns of the vectorizer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils import murmurhash3_32

from textlrp.arrays import IntArray
from textlrp.errors import ModelError
from textlrp.models.pipeline.ngram_units import Units, make_units
from textlrp.text.placing import Offsets

ColumnLookup = Callable[[Sequence[str]], tuple[IntArray, IntArray]]
"""A function: features -> the column of each (-1: none) and its sign."""

VECTORIZERS = (CountVectorizer, HashingVectorizer)
"""Supported vectorizers; subclasses such as ``TfidfVectorizer`` are included."""


class Analysis(NamedTuple):
    """The units and occurrences of one text.

    ``spans``, ``forms`` and ``stopped`` as in :class:`Units`. For each occurrence: its ``columns``, ``signs``, and
    the units ``first`` to ``last`` (exclusive), all (O,) int64.
    """

    spans: Offsets
    forms: tuple[str, ...]
    stopped: Offsets
    columns: IntArray
    signs: IntArray
    first: IntArray
    last: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class TextVectorizer:
    """A copy of a fitted vectorizer, with what is needed to locate its features in a text.

    ``units`` splits a text, ``columns_of`` looks up the columns of features, ``separator`` joins the units of an
    n-gram. ``present``: a feature counts once, however often it occurs. ``column`` is the column of a table that it
    reads, None if it reads the texts themselves.
    """

    name: str
    vectorizer: Any
    width: int
    units: Callable[[str], Units]
    columns_of: ColumnLookup
    separator: str
    present: bool
    column: Any = None

    @property
    def characters(self) -> bool:
        """Whether its units are characters."""
        return self.separator == ""


def text_vectorizer(vectorizer: Any, name: str) -> TextVectorizer:
    """Prepare a fitted vectorizer for reading texts; ``name`` is that of its step, for messages.

    Raises :class:`ModelError` if the vectorizer is not supported or not fitted.
    """
    fitted = copy.copy(vectorizer)  # a copy, because scikit-learn stores on it which stop words it has checked
    name = f"the {type(fitted).__name__} {name!r}"
    if fitted.input != "content":
        raise ModelError(
            f"{name} must have input='content', because textlrp passes the texts themselves; got {fitted.input!r}. "
            "Pass input='content' and fit the pipeline again."
        )
    if isinstance(fitted, HashingVectorizer):
        width, columns_of = fitted.n_features, _hashed_columns(fitted.n_features, fitted.alternate_sign)
    else:
        width, columns_of = _vocabulary_columns(fitted, name)
    fitted.build_analyzer()  # raises or warns about its options now, not at the first text
    characters = fitted.analyzer in ("char", "char_wb")
    separator = "" if characters else " "
    return TextVectorizer(name, fitted, width, make_units(fitted, name), columns_of, separator, bool(fitted.binary))


def analyze(reader: TextVectorizer, text: str) -> Analysis:
    """Return the units of a text, and the occurrences of features that have a column."""
    units = reader.units(text)
    forms, join = units.forms, reader.separator.join
    runs = zip(units.first.tolist(), units.last.tolist(), strict=True)
    columns, signs = reader.columns_of([join(forms[start:end]) for start, end in runs])
    known = columns >= 0
    return Analysis(
        units.spans, forms, units.stopped, columns[known], signs[known], units.first[known], units.last[known]
    )


def count_columns(reader: TextVectorizer, occurrences: Sequence[tuple[IntArray, IntArray]]) -> Any:
    """Compute the vectorizer's output (N, V), CSR, from the columns and signs of each text's occurrences."""
    counts = [len(columns) for columns, _ in occurrences]
    rows = np.repeat(np.arange(len(occurrences)), counts)
    columns = np.concatenate([np.zeros(0, np.int64), *(columns for columns, _ in occurrences)])
    signs = np.concatenate([np.zeros(0, np.int64), *(signs for _, signs in occurrences)])
    matrix = sparse.csr_matrix(
        (signs.astype(reader.vectorizer.dtype), (rows, columns)), shape=(len(occurrences), reader.width)
    )
    matrix.sum_duplicates()
    if reader.present:
        matrix.data.fill(1)
    return _vectorizer_weights(reader.vectorizer, matrix)


def vectorize(reader: TextVectorizer, texts: Sequence[str]) -> Any:
    """Return the vectorizer's own output for N texts: (N, V), CSR."""
    if not texts:  # scikit-learn raises for an empty list
        return sparse.csr_matrix((0, reader.width))
    return sparse.csr_matrix(reader.vectorizer.transform(texts))


def check_rebuilt_counts(reader: TextVectorizer, actual: Any, rebuilt: Any) -> None:
    """Raise :class:`ModelError` unless the output rebuilt from occurrences is the ``actual`` one, both (N, V).

    This guards the exactness of explanations: a subclass of a vectorizer may override any method.
    """
    difference = abs(actual - rebuilt)
    largest = abs(actual).max() if actual.nnz else 0.0
    precision = 1e-5 if actual.dtype == np.float32 else 1e-10
    if actual.nnz + rebuilt.nnz and not difference.max() <= precision * max(largest, 1.0):
        row = int(np.asarray(difference.max(axis=1).todense()).argmax())
        raise ModelError(
            f"{reader.name} must make its features from n-grams of its own preprocessor, tokenizer and stop words; "
            f"in text {row} of this batch it makes others. This usually means that a subclass overrides a method: "
            "pass preprocessor= and tokenizer= instead."
        )


# ---- columns and values


def _hashed_columns(width: int, alternate: bool) -> ColumnLookup:
    """Columns and signs as in scikit-learn's FeatureHasher."""

    def columns_of(features: Sequence[str]) -> tuple[IntArray, IntArray]:
        hashes = np.array([murmurhash3_32(feature, seed=0) for feature in features], dtype=np.int64)
        # abs(-2**31) overflows in 32 bits, so scikit-learn has a special case for it, which is repeated here
        columns = np.where(hashes == -(2**31), (2**31 - width) % width, np.abs(hashes) % width)
        return columns, np.where(hashes >= 0, 1, -1) if alternate else np.ones_like(hashes)

    return columns_of


def _vocabulary_columns(vectorizer: Any, name: str) -> tuple[int, ColumnLookup]:
    try:
        if not hasattr(vectorizer, "vocabulary_"):
            vectorizer.transform([""])  # this copies a vocabulary= that was passed to vocabulary_
    except NotFittedError:
        raise ModelError(f"{name} must be fitted. Call pipeline.fit(texts, labels) first.") from None
    vocabulary = vectorizer.vocabulary_

    def columns_of(features: Sequence[str]) -> tuple[IntArray, IntArray]:
        columns = np.array([vocabulary.get(feature, -1) for feature in features], dtype=np.int64)
        return columns, np.ones_like(columns)

    return len(vocabulary), columns_of


def _vectorizer_weights(vectorizer: Any, counts: Any) -> Any:
    if isinstance(vectorizer, TfidfVectorizer):
        if not counts.shape[0]:
            return counts
        # _tfidf, and not the public parameters, because these may have changed since the fit
        return sparse.csr_matrix(vectorizer._tfidf.transform(counts))
    if isinstance(vectorizer, HashingVectorizer) and vectorizer.norm is not None and counts.shape[0]:
        return normalize(counts, norm=vectorizer.norm)
    return counts
