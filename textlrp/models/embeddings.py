"""The bag-of-embeddings classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textlrp.models.bagnet import BagNet, new_bag_weights
from textlrp.models.base import ClassWeight, Skip, Tokenizing, ids_of
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.models.ngrams import count_kept
from textlrp.models.options import check_positive
from textlrp.text.batches import Batch
from textlrp.text.vocabulary import Vocabulary


class BagOfEmbeddingsClassifier(NetClassifier):
    """A weighted sum of word vectors and one dense layer: no word order, very fast.

    A scikit-learn estimator over strings or Documents. Words weigh as in TF-IDF with sublinear counts, to
    unit L2 norm per text, the inverse document frequency taken to the power ``idf_power`` (1 is scikit-learn's
    ``TfidfVectorizer(sublinear_tf=True)``; 2 leans on rare words more). The model is Joulin et al. 2017
    (arXiv 1607.01759) with that weighting. The other parameters as in :class:`CNNClassifier`.
    """

    kind = "boe"
    scoring_options = (*NetClassifier.scoring_options, "idf_power")

    def __init__(
        self,
        *,
        embedding_dim: int = 200,
        vectors: VectorSource = "ppmi",
        tune_vectors: bool = True,
        standardise_vectors: bool = False,
        max_epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.01,
        dropout: float = 0.85,
        word_dropout: float = 0.3,
        idf_power: float = 2.0,
        label_smoothing: float = 0.1,
        train_tokens: int | None = None,
        validation_fraction: float = 0.05,
        patience: int = 5,
        min_df: int = 1,
        max_words: int | None = None,
        max_tokens: int | None = None,
        tokenizer: Tokenizing = "auto",
        lowercase: bool = True,
        skip: Skip = ("headers",),
        class_weight: ClassWeight = None,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.embedding_dim = embedding_dim
        self.vectors = vectors
        self.tune_vectors = tune_vectors
        self.standardise_vectors = standardise_vectors
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.idf_power = idf_power
        self.label_smoothing = label_smoothing
        self.train_tokens = train_tokens
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.min_df = min_df
        self.max_words = max_words
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.skip = skip
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state

    def _new_weights(self, table: Tensor, classes: int, seed: int) -> dict[str, Tensor]:
        return new_bag_weights(table, classes=classes, seed=seed)

    def _net(self, table: Tensor, weights: dict[str, Tensor], vocabulary: Vocabulary) -> BagNet:
        return BagNet(table, weights, np.append(0.0, vocabulary.inverse_frequencies() ** self.idf_power))

    def thinned_scores(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Scores (S, C) of text ``n`` with some words left in it each time; its words are told apart once."""
        words, word_of = np.unique(ids_of(batch, n), return_inverse=True)
        counts = count_kept(keep, word_of, len(words))
        idf = np.append(0.0, self.vocabulary_.inverse_frequencies() ** self.idf_power)[words]
        weights = (1 + np.log(np.maximum(counts, 1))) * (counts > 0) * idf
        norms = np.sqrt((weights**2).sum(axis=1, keepdims=True))
        bag = (weights / np.where(norms > 0, norms, 1)).astype(self.dtype) @ self.weights_["embedding"][words]
        return np.asarray(bag @ self.weights_["output.weight"].T + self.weights_["output.bias"])

    def _check_options(self) -> None:
        super()._check_options()
        check_positive("idf_power", self.idf_power, zero=True)
