"""The bag-of-words classifier: scores and the trace of a linear SVM over TF-IDF features.

:mod:`textlrp.models.bow_features` has the options, the training and the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from textlrp.lrp.maps import Features
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear, Routing
from textlrp.models.bow_features import BagOfWordsFeatures
from textlrp.models.differentiable import InputPoint
from textlrp.models.feature_shares import FeaturesToWords, char_shares, joined, word_shares
from textlrp.models.finite import check_scores
from textlrp.models.ngrams import count_kept
from textlrp.models.options import TextInputs
from textlrp.models.packing import Ids
from textlrp.models.sparse_tape import padded_entries
from textlrp.models.spelled_batch import SpelledBatch, not_in, occurrences_in, spelled_of
from textlrp.models.text_options import TORCH_DTYPES, Documents
from textlrp.models.tfidf import joint_tfidf, words_kept_of
from textlrp.models.torch_nets import bow_point
from textlrp.records import Status
from textlrp.text.batches import Batch, end_to_end, following, joined_runs

MAX_OCCURRENCES = 1 << 22
"""Largest number of feature occurrences, over the alternatives of a text, in memory at a time."""
TEXTS_PER_COUNT = 1 << 10
"""Number of texts whose character n-grams are counted together."""


class BagOfWordsClassifier(BagOfWordsFeatures):
    """Word and character n-grams, TF-IDF and a linear SVM (one-vs-rest).

    Uses scikit-learn's ``TfidfTransformer`` and ``LinearSVC``; there is no ``predict_proba``. A scikit-learn
    classifier whose input is a list of strings or of :class:`Document` objects. All parameters are keyword-only.

    Its explanations are exact: the relevance of a feature is distributed equally over its occurrences in the text,
    that of a word n-gram equally over its words, and that of a character n-gram equally over its characters. The
    relevance of a token is the sum over the words and characters in it.

    Parameters
    ----------
    analyzer : {"word", "char_wb", "both"}, default="both"
        Word n-grams, character n-grams inside words and the blanks around them (scikit-learn's "char_wb"), or both;
        each then has half of a text's squared norm. Character n-grams can read words that are not in the training
        texts: compounds, inflections, misspellings, and text in scripts without spaces.
    ngrams : int, default=2
        Length of the longest word n-gram: 1, 2 or 3.
    min_df_ngrams : int, default=2
        A word n-gram of two or more words must be in at least this many training documents.
    char_ngrams : (int, int), default=(2, 4)
        Shortest and longest character n-gram, from 1 to 6 characters.
    min_df_char_ngrams : int, default=2
        A character n-gram must be in at least this many training documents.
    punctuation : bool, default=True
        Whether numbers, symbols and punctuation marks are read like words.
    C : float, default=1.0
        Inverse strength of the regularization of the SVM.
    loss : {"hinge", "squared_hinge"}, default="squared_hinge"
        Loss of the SVM.
    sublinear_tf : bool, default=True
        Whether a count is replaced by 1 + ln(count).
    idf_power : float, default=1.5
        Exponent of the inverse document frequency. 1 is TF-IDF, larger values give more weight to rare words.
    min_df : int, default=1
        A word must be in at least this many training documents to enter the vocabulary.
    stop_words : sequence of str or None, default=None
        As in :class:`CNNClassifier`. No n-gram contains them; for character n-grams, a blank takes their place. A
        longer word that contains a stop word is another word, and is read with all its characters.
    max_words, max_tokens, tokenizer, lowercase, skip, class_weight, dtype, random_state
        As in :class:`CNNClassifier`.

    Attributes
    ----------
    weights_ : dict {name: array}, the keys of the n-grams, "idf" (J,), "output.weight" (C, J) and "output.bias" (C,)
        for J features. ``classes_``, ``vocabulary_``, ``fingerprint_`` and ``n_documents_`` as in
        :class:`CNNClassifier`.
    """

    kind = "svm"
    legacy_defaults = MappingProxyType({"analyzer": "word", "punctuation": False})

    @classmethod
    def arras2017(cls, *, random_state: Any = 0) -> Self:
        """Return an untrained bag of words as in Arras et al. 2017.

        It reads the first 400 lower-cased Treebank tokens (extra ``paper``) and uses raw counts.
        """
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
        read = self.reader().ids_and_runs(documents, self.vocabulary_, without=self.stop_set())
        while block := list(islice(read, TEXTS_PER_COUNT)):
            counts = ngrams.counts([pieces for _, pieces in block])
            scores.append(self._linear(self._values([ids for ids, _ in block], counts, self.dtype)))
        return np.concatenate(scores)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return the scores (N, C) of a batch without the n-grams that contain a token with ``keep`` (N, T) False."""
        texts = batch.texts() if keep is None else batch.kept(keep)
        values = self._values(texts, self._char_counts(batch, keep), self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # check_scores reports overflows
            scores = self._linear(values)
        return check_scores(scores, self.classes_, lambda row: batch.readings[row].document_id)

    def scores_when_masked(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n`` with some words masked; see the base class.

        The features of the text are found once for all alternatives.
        """
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
        block = max(1, MAX_OCCURRENCES // entries)
        for begin in range(0, len(keep), block):
            block_keep = keep[begin : begin + block]
            blocks = []
            if self.analyzer != "char_wb":
                blocks.append(
                    count_kept(words_kept_of(words, block_keep, self.ngrams), feature_of.reshape(-1), len(features))
                )
            if spelled is not None:
                blocks.append(count_kept(spelled.kept(block_keep), char_feature_of.reshape(-1), len(char_features)))
            values = joint_tfidf(
                [sparse.csr_matrix(block.astype(self.dtype)) for block in blocks], idf, self.sublinear_tf
            )
            scores.append(np.asarray(values @ weight.T + self.output_bias))
        return np.concatenate(scores)

    def scores_when_removed(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n`` without some words; see the base class.

        Where a token inside a word is removed, the two parts become two words.
        """
        ngrams = self._char_ngrams()
        if ngrams is None:
            return super().scores_when_removed(batch, n, keep)
        ids, reading = batch.text(n), batch.readings[n]
        spelled = keep & not_in(self.stop_set(), reading.forms)
        spans = reading.tokens.spans[reading.positions]
        texts = [
            joined_runs([reading.forms[place] for place in np.flatnonzero(kept).tolist()], following(spans[kept]))
            for kept in spelled
        ]
        return self._linear(self._values([ids[kept] for kept in keep], ngrams.counts(texts), self.dtype))

    def _margin(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scores[:, 1])

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the nonzero TF-IDF values (J, 1) of text ``n`` and the linear layer, for gradient methods."""
        return bow_point(self, batch, n, dtype=dtype)

    # ---- relevance

    def encode(self, texts: TextInputs) -> Batch:
        """Return the word ids (N, T) of texts, together with the tokens of each text.

        A token outside the vocabulary that a character n-gram covers has the id V + 1 and counts as read.
        """
        batch = super().encode(texts)
        ngrams = self._char_ngrams()
        if ngrams is None:
            return batch
        words, spelled, stop_words = [], [], self.stop_set()
        for n, reading in enumerate(batch.readings):
            found = occurrences_in(reading, ngrams, stop_words)
            spelled.append(found)
            covered, word_ids = found.covered(len(reading.forms)), batch.text(n)
            read = covered if self.analyzer == "char_wb" else covered | (word_ids > 0)
            words.append(np.where(read, np.where(word_ids > 0, word_ids, len(self.vocabulary_) + 1), 0))
            batch.status[n][reading.positions] = np.where(read, Status.READ, Status.UNKNOWN)
        return SpelledBatch(batch.readings, *end_to_end(words), batch.status, batch.counts, tuple(spelled))

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Return the recorded trace of the forward pass, in the model's ``dtype`` unless another is given."""
        dtype = dtype or self.dtype
        texts, tables = batch.texts(), self._word_tables()
        features = self._values(texts, self._char_counts(batch), dtype)
        parts = [word_shares(self._found(texts, tables))]
        if self.analyzer != "word":
            width = sum(map(len, tables))
            parts += [char_shares(n, found, width) for n, found in enumerate(spelled_of(batch))]
        counts, values, weight = padded_entries(features, self.output_weight)
        entries = torch.from_numpy(values)
        entry_weights = torch.from_numpy(weight)
        bias = torch.from_numpy(self.output_bias).to(TORCH_DTYPES[dtype])
        scores = torch.einsum("nj,njo->no", entries, entry_weights) + bias
        mapped = Features(entries, entry_weights, torch.from_numpy(counts), _unit_box)
        route = FeaturesToWords(joined(parts), features, max(1, int(batch.lengths.max(initial=0))))
        return Trace(
            (
                Routing("ngrams", "features", ("words",), "features", route),
                Linear("output", "dense", ("features",), "scores", mapped, bias, scores, mapped),
            ),
            scores,
            elements=weight.size // max(1, len(self.classes_)),
        )


def _unit_box() -> Box:
    """Bounds of a TF-IDF value: 0 and 1."""
    return Box(torch.tensor(0.0), torch.tensor(1.0))
