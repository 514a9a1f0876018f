"""The base class of the two neural classifiers: initial word vectors, training, scores, probabilities.

Letters: N texts, L words of one text, V words, D embedding dimensions, C classes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.errors import ModelError, OptionError
from textlrp.lrp.kernels.threads import threads_for_training
from textlrp.lrp.trace import Trace
from textlrp.models.base import TextClassifier
from textlrp.models.differentiable import InputPoint
from textlrp.models.net_scores import Net, scores_of
from textlrp.models.options import TextInputs, check_flag, check_fraction, check_positive, check_texts, check_whole
from textlrp.models.packing import Ids, Packed
from textlrp.models.subword_table import SubwordTable
from textlrp.models.text_options import TORCH_DTYPES, Documents
from textlrp.models.thresholds import ChosenThresholds
from textlrp.models.torch_nets import net_point
from textlrp.models.training import History, TrainingPlan, train
from textlrp.models.training_objectives import objective_of
from textlrp.text.batches import Batch
from textlrp.text.cooccurrence import ppmi_vectors
from textlrp.text.vector_files import load_vectors
from textlrp.text.vectors import Vectors
from textlrp.text.vocabulary import Vocabulary

VectorSource = str | Path | Vectors | None
VECTOR_SCALE = 0.1
"""Standard deviation to which word vectors are scaled before training."""


class TraceableNet(Net, Protocol):
    """A network that records its own trace in closed form."""

    def trace(self, packed: Packed) -> Trace:
        """Return the recorded trace of a batch."""
        ...


class NetClassifier(TextClassifier):
    """A neural classifier over word vectors, trained by :mod:`textlrp.models.training`."""

    training_options = (
        *TextClassifier.training_options,
        "vectors",
        "tune_vectors",
        "standardize_vectors",
        "embedding_dim",
        "max_epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
        "dropout",
        "word_dropout",
        "label_smoothing",
        "train_tokens",
        "validation_fraction",
        "patience",
    )

    vectors: VectorSource
    tune_vectors: bool
    standardize_vectors: bool
    embedding_dim: int
    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    word_dropout: float
    label_smoothing: float
    train_tokens: int | None
    validation_fraction: float
    patience: int

    history_: History

    @abstractmethod
    def _new_weights(self, table: Tensor, classes: int, seed: int) -> dict[str, Tensor]:
        """Initial weights of a network over a table of word vectors (V + 1, D)."""

    @abstractmethod
    def _net(self, table: Tensor, weights: dict[str, Tensor], vocabulary: Vocabulary) -> TraceableNet:
        """The network with these weights."""

    def _fit_words(
        self, documents: Documents, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int
    ) -> ChosenThresholds | None:
        outside = self._outside_vectors()
        vocabulary = self._build_vocabulary(words)
        if outside is not None:  # words that have a vector but are in no training document count 0 documents
            vocabulary = vocabulary.extended(outside.words, without=self.stop_set())
        ids = [vocabulary.ids(forms) for forms in words]
        with threads_for_training(sum(len(text[: self.train_tokens]) for text in ids)):
            start = self._starting_vectors(vocabulary, ids, outside, seed)
            table = torch.from_numpy(np.ascontiguousarray(start)).to(TORCH_DTYPES[self.dtype])
            net = self._net(table, self._new_weights(table, len(classes), seed), vocabulary)
            objective = objective_of(codes, self._class_weights(classes, codes), self.label_smoothing, table.dtype)
            net.weights["output.bias"] += torch.as_tensor(objective.initial_bias(), dtype=table.dtype)
            subwords = self._new_subwords(table, vocabulary)
            self.history_ = train(net, ids, objective, self.training_plan(), seed, subwords)
        self.vocabulary_ = vocabulary
        self.weights_ = {"embedding": table.numpy(), **{name: w.detach().numpy() for name, w in net.weights.items()}}
        if subwords is not None:
            self.weights_["subwords"] = subwords.table.numpy()
        return self.history_.chosen

    def _new_subwords(self, table: Tensor, vocabulary: Vocabulary) -> SubwordTable | None:
        """Character n-gram vectors to train with the words, or None; their means are subtracted from ``table``."""
        return None

    def _outside_vectors(self) -> Vectors | None:
        """Vectors that the user passed or that are read from a file; None if they are computed here."""
        if self.vectors is None or self.vectors == "ppmi":
            return None
        return self.vectors if isinstance(self.vectors, Vectors) else load_vectors(self.vectors)

    def _starting_vectors(
        self, vocabulary: Vocabulary, ids: Sequence[Ids], outside: Vectors | None, seed: int
    ) -> NDArray[np.float32]:
        """The initial word vectors (V + 1, D), scaled to the standard deviation :data:`VECTOR_SCALE`."""
        noise = np.random.default_rng(seed)
        if outside is not None:
            known, found = outside.lookup(vocabulary.words)
            known[~found] = noise.normal(size=(int((~found).sum()), known.shape[1])) * known.std()
            table = np.concatenate([np.zeros((1, known.shape[1])), known])
        elif self.vectors == "ppmi":
            vectors = ppmi_vectors(ids, len(vocabulary), dimensions=self.embedding_dim, random_state=seed)
            table = _rare_words_longer(vectors, vocabulary)
        else:
            table = noise.normal(size=(len(vocabulary) + 1, self.embedding_dim))
        if self.standardize_vectors:
            table = _standardized(table)
        table[0] = 0
        spread = float(table[1:].std()) or 1.0
        return (table * (VECTOR_SCALE / spread)).astype(np.float32)

    def training_plan(self) -> TrainingPlan:
        """Return the options of the training loop."""
        return TrainingPlan(
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            word_dropout=self.word_dropout,
            train_tokens=self.train_tokens,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            tune_vectors=self.tune_vectors,
        )

    def word_ids(self, forms: Sequence[str]) -> Ids:
        """Return the ids (L,) of words."""
        return self._read_with().ids(forms)

    def lookup_vectors(self, ids: Ids) -> NDArray[Any]:
        """Return the word vectors (..., D) of ids; zero for an unknown word."""
        return np.asarray(self.weights_["embedding"][ids])

    def inverse_document_frequencies(self, ids: Ids, power: float | None = None) -> NDArray[np.float64]:
        """Return the inverse document frequencies of ids to the exponent ``power`` (None: 1); 0 for id 0."""
        known = np.append(0.0, self.vocabulary_.inverse_frequencies() ** (1.0 if power is None else power))
        return np.asarray(known[ids])

    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        return scores_of(self.fitted_net(), texts)

    def _trace(self, packed: Packed, dtype: str) -> Trace:
        return self.fitted_net(dtype).trace(packed)

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the word vectors (L, D) of text ``n`` and the network as torch layers, for gradient methods."""
        return net_point(self, batch, n, dtype=dtype)

    def fitted_net(self, dtype: str | None = None) -> TraceableNet:
        """Return the network with the fitted weights, in the model's ``dtype`` unless another is given."""
        weights = {
            name: torch.from_numpy(weight).to(TORCH_DTYPES[dtype or self.dtype])
            for name, weight in self.weights_.items()
        }
        return self._net(weights.pop("embedding"), weights, self.vocabulary_)

    def predict_proba(self, X: TextInputs) -> NDArray[Any]:
        """Return the class probabilities (N, C): the softmax of the scores; multi-label: the sigmoid of each."""
        self.check_fitted()
        return self.probabilities(self._finite_scores_of(check_texts(X)))

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the softmax of scores (N, C); multi-label: their sigmoid."""
        found = torch.from_numpy(scores)
        return (torch.softmax(found, dim=1) if self.thresholds_ is None else torch.sigmoid(found)).numpy()

    @property
    def word_vectors_(self) -> Vectors:
        """The trained word vectors; pass them to another classifier as ``vectors=``."""
        self.check_fitted()
        return Vectors(self.vocabulary_.words, self.weights_["embedding"][1:].astype(np.float32))

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` unless the vector of unknown words is zero: masked words and padding use it."""
        if weights["embedding"][0].any():
            raise ModelError("row 0 of embedding, the vector of unknown words, must be zero; it is not.")

    def _check_options(self) -> None:
        for name in ("tune_vectors", "standardize_vectors"):
            check_flag(name, getattr(self, name), self._hint(name))
        for name in ("embedding_dim", "max_epochs", "batch_size", "patience"):
            check_whole(name, getattr(self, name), hint=self._hint(name))
        for name in ("dropout", "word_dropout", "label_smoothing", "validation_fraction"):
            check_fraction(name, getattr(self, name), self._hint(name))
        check_positive("learning_rate", self.learning_rate, hint=self._hint("learning_rate"))
        check_positive("weight_decay", self.weight_decay, zero=True, hint=self._hint("weight_decay"))
        check_whole("train_tokens", self.train_tokens, none="all words", hint=self._hint("train_tokens"))
        if self.vectors is not None and not isinstance(self.vectors, (str, Path, Vectors)):
            raise OptionError(
                "vectors must be 'ppmi', None, the path of a file of word vectors, the name of a spaCy pipeline or "
                f"Vectors; got an object of type {type(self.vectors).__name__}. {self._hint('vectors')}"
            )


def _rare_words_longer(table: NDArray[np.float64], vocabulary: Vocabulary) -> NDArray[np.float64]:
    """The vectors with the squared idf of each word as length: an SVD gives rare words too short vectors."""
    lengths = np.linalg.norm(table[1:], axis=1, keepdims=True)
    scaled = table.copy()
    scaled[1:] *= vocabulary.inverse_frequencies()[:, None] ** 2 / np.where(lengths > 0, lengths, 1)
    return scaled


def _standardized(table: NDArray[Any]) -> NDArray[np.float64]:
    """The vectors (V + 1, D) scaled to one length, then each dimension to mean 0 and standard deviation 1.

    Without it the first dimensions of an SVD, and frequent words, dominate if training does not change the vectors.
    """
    words = table[1:].astype(np.float64)
    lengths = np.linalg.norm(words, axis=1, keepdims=True)
    unit = words / np.where(lengths > 0, lengths, 1)
    spread = unit.std(axis=0)
    standard = (unit - unit.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.concatenate([np.zeros((1, table.shape[1])), standard])
