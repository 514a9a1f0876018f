"""The bag-of-words classifier: TF-IDF and a linear support vector machine, both scikit-learn's."""

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
from textlrp.models.spelled_batch import SpelledBatch, spelled_of
from textlrp.models.text_options import TORCH_DTYPES, Documents
from textlrp.models.tfidf import joint_tfidf, words_kept_of
from textlrp.models.torch_nets import bow_point
from textlrp.records import Status
from textlrp.text.batches import Batch, end_to_end, following, joined_runs

ENTRIES = 1 << 22
"""Occurrences of all alternatives of a text that are held at once."""
TEXTS_COUNTED_TOGETHER = 1 << 10
"""Texts whose character n-grams are counted at once."""


class BagOfWordsClassifier(BagOfWordsFeatures):
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
        read = self.reader().ids_and_runs(documents, self.vocabulary_)
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
                    count_kept(words_kept_of(words, some, self.ngrams), feature_of.reshape(-1), len(features))
                )
            if spelled is not None:
                blocks.append(count_kept(spelled.kept(some), char_feature_of.reshape(-1), len(char_features)))
            values = joint_tfidf(
                [sparse.csr_matrix(block.astype(self.dtype)) for block in blocks], idf, self.sublinear_tf
            )
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
    """TF-IDF lies in [0, 1]."""
    return Box(torch.tensor(0.0), torch.tensor(1.0))
