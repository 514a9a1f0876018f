"""What a scikit-learn text vectorizer saw in a text: its units with their places, and the features made of them.

A *unit* is what n-grams are made of: a word of a word analyzer, a character of a character analyzer. An
*occurrence* is a run of units that is one of the vectorizer's features.

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

Places = Callable[[Sequence[str]], tuple[IntArray, IntArray]]
"""Features -> the column of each (-1: none) and its sign."""

VECTORIZERS = (CountVectorizer, HashingVectorizer)
"""Vectorizers that can be traced, with their subclasses such as ``TfidfVectorizer``."""


class Analysis(NamedTuple):
    """What a vectorizer saw in one text.

    ``spans``, ``forms`` and ``stopped`` as in :class:`Units`. Of each occurrence: its ``columns``, ``signs``, and
    the units ``first`` to ``last`` (not included), all (O,) int64.
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
    """A fitted vectorizer (a copy), with what reading a text with it takes.

    ``units`` cuts a text up, ``places`` tells the columns of features, ``joint`` stands between the units of an
    n-gram. ``present``: a feature counts once, however often it occurs.
    """

    name: str
    vectorizer: Any
    width: int
    units: Callable[[str], Units]
    places: Places
    joint: str
    present: bool

    @property
    def characters(self) -> bool:
        """Whether its units are characters."""
        return self.joint == ""


def text_vectorizer(vectorizer: Any, name: str) -> TextVectorizer:
    """Prepare a fitted vectorizer for reading texts; raises :class:`ModelError` where that cannot be done.

    ``name`` is what its step is called, for messages.
    """
    own = copy.copy(vectorizer)  # scikit-learn notes on it which stop words it has checked
    name = f"the {type(own).__name__} {name!r}"
    if own.input != "content":
        raise ModelError(f"{name} reads input={own.input!r}; only 'content', the texts themselves, can be traced.")
    if isinstance(own, HashingVectorizer):
        width, places = own.n_features, _hashed(own.n_features, own.alternate_sign)
    else:
        width, places = _vocabulary_places(own, name)
    own.build_analyzer()  # what it has to say about its options it says here, and at once
    characters = own.analyzer in ("char", "char_wb")
    joint = "" if characters else " "
    return TextVectorizer(name, own, width, make_units(own, name), places, joint, bool(own.binary))


def analyze(reader: TextVectorizer, text: str) -> Analysis:
    """The units of a text and the occurrences of features that have a column."""
    units = reader.units(text)
    forms, join = units.forms, reader.joint.join
    runs = zip(units.first.tolist(), units.last.tolist(), strict=True)
    columns, signs = reader.places([join(forms[start:end]) for start, end in runs])
    known = columns >= 0
    return Analysis(
        units.spans, forms, units.stopped, columns[known], signs[known], units.first[known], units.last[known]
    )


def count_columns(reader: TextVectorizer, found: Sequence[tuple[IntArray, IntArray]]) -> Any:
    """The vectorizer's own numbers (N, V), CSR, from the columns and signs of each text's occurrences."""
    counts = [len(columns) for columns, _ in found]
    rows = np.repeat(np.arange(len(found)), counts)
    columns = np.concatenate([np.zeros(0, np.int64), *(columns for columns, _ in found)])
    signs = np.concatenate([np.zeros(0, np.int64), *(signs for _, signs in found)])
    matrix = sparse.csr_matrix(
        (signs.astype(reader.vectorizer.dtype), (rows, columns)), shape=(len(found), reader.width)
    )
    matrix.sum_duplicates()
    if reader.present:
        matrix.data.fill(1)
    return _vectorizer_weights(reader.vectorizer, matrix)


def own_numbers(reader: TextVectorizer, texts: Sequence[str]) -> Any:
    """What the vectorizer itself makes of N texts: (N, V), CSR."""
    if not texts:  # scikit-learn refuses to transform none
        return sparse.csr_matrix((0, reader.width))
    return sparse.csr_matrix(reader.vectorizer.transform(texts))


def check_rebuilt_counts(reader: TextVectorizer, own: Any, rebuilt: Any) -> None:
    """Raise :class:`ModelError` unless the numbers rebuilt from occurrences are the vectorizer's own (N, V)."""
    difference = abs(own - rebuilt)
    size = abs(own).max() if own.nnz else 0.0
    precision = 1e-5 if own.dtype == np.float32 else 1e-10
    if own.nnz + rebuilt.nnz and not difference.max() <= precision * max(size, 1.0):
        row = int(np.asarray(difference.max(axis=1).todense()).argmax())
        raise ModelError(
            f"{reader.name} cannot be traced exactly: in text {row} of this batch its features are not the n-grams "
            "of what its own preprocessor, tokenizer and stop words make of the text. Overridden methods are the "
            "usual reason; pass preprocessor= and tokenizer= instead."
        )


# ---- columns and numbers


def _hashed(width: int, alternate: bool) -> Places:
    """Columns and signs as scikit-learn's FeatureHasher has them."""

    def places(features: Sequence[str]) -> tuple[IntArray, IntArray]:
        hashes = np.array([murmurhash3_32(feature, seed=0) for feature in features], dtype=np.int64)
        # the smallest hash has no positive counterpart in 32 bits, and is treated apart there
        columns = np.where(hashes == -(2**31), (2**31 - width) % width, np.abs(hashes) % width)
        return columns, np.where(hashes >= 0, 1, -1) if alternate else np.ones_like(hashes)

    return places


def _vocabulary_places(vectorizer: Any, name: str) -> tuple[int, Places]:
    try:
        if not hasattr(vectorizer, "vocabulary_"):
            vectorizer.transform([""])  # a vocabulary that was given is taken over here
    except NotFittedError:
        raise ModelError(f"{name} is not fitted; call pipeline.fit(texts, labels) first.") from None
    vocabulary = vectorizer.vocabulary_

    def places(features: Sequence[str]) -> tuple[IntArray, IntArray]:
        columns = np.array([vocabulary.get(feature, -1) for feature in features], dtype=np.int64)
        return columns, np.ones_like(columns)

    return len(vocabulary), places


def _vectorizer_weights(vectorizer: Any, counts: Any) -> Any:
    if isinstance(vectorizer, TfidfVectorizer):
        if not counts.shape[0]:
            return counts
        return sparse.csr_matrix(vectorizer._tfidf.transform(counts))  # its public parameters may have changed since
    if isinstance(vectorizer, HashingVectorizer) and vectorizer.norm is not None and counts.shape[0]:
        return normalize(counts, norm=vectorizer.norm)
    return counts
