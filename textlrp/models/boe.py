"""The bag-of-embeddings classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from textlrp.errors import ModelError, OptionError
from textlrp.lrp.kernels.projections import distinct_words
from textlrp.lrp.trace import Trace
from textlrp.models.bagnet import BagNet, new_bag_weights
from textlrp.models.net_scores import SCORING_BLOCK, scores_of
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.models.ngrams import count_kept
from textlrp.models.options import check_positive, check_whole, is_range
from textlrp.models.packing import Ids, Packed, pack
from textlrp.models.schema import REACH, Sizes, TensorSpec
from textlrp.models.subword_table import SubwordTable
from textlrp.models.text_options import TORCH_DTYPES, ClassWeight, SkipOption, Tokenizing
from textlrp.text.batches import Batch, bucket
from textlrp.text.subwords import UNKNOWN_FROM, OpenVocabulary, composition
from textlrp.text.vocabulary import PADDING, Vocabulary


class BagOfEmbeddingsClassifier(NetClassifier):
    """A weighted sum of word vectors and one dense layer: no word order, very fast.

    A scikit-learn estimator over strings or Documents. Words weigh as in TF-IDF with sublinear counts, to
    unit L2 norm per text, the inverse document frequency taken to the power ``idf_power`` (1 is scikit-learn's
    ``TfidfVectorizer(sublinear_tf=True)``; 2 leans on rare words more). The model is Joulin et al. 2017
    (arXiv 1607.01759) with that weighting. The other parameters as in :class:`CNNClassifier`.

    ``subwords=(3, 6)`` adds to each word's vector the mean of the vectors of its character n-grams of 3 to 6
    characters, hashed into ``buckets`` (Bojanowski et al. 2017, arXiv 1607.04606). A word that is not in the training
    texts is then read too, as the mean of its n-grams. None: no n-grams, and unknown words are not read.
    """

    kind = "boe"
    scoring_options = (*NetClassifier.scoring_options, "idf_power", "subwords", "buckets")

    def __init__(
        self,
        *,
        embedding_dim: int = 200,
        vectors: VectorSource = "ppmi",
        tune_vectors: bool = True,
        standardize_vectors: bool = False,
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
        skip: SkipOption = ("headers",),
        subwords: tuple[int, int] | None = None,
        buckets: int = 1 << 15,
        class_weight: ClassWeight = None,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.embedding_dim = embedding_dim
        self.vectors = vectors
        self.tune_vectors = tune_vectors
        self.standardize_vectors = standardize_vectors
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
        self.subwords = subwords
        self.buckets = buckets
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state

    def _new_weights(self, table: Tensor, classes: int, seed: int) -> dict[str, Tensor]:
        return new_bag_weights(table, classes=classes, seed=seed)

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """The word vectors, those of n-grams where there are any, and the dense layer."""
        dimensions = sizes.length("embedding", 1)
        subwords = {} if self.subwords is None else {"subwords": TensorSpec((self.buckets, dimensions))}
        return subwords | {
            "embedding": TensorSpec((sizes.words + 1, dimensions)),
            "output.weight": TensorSpec((sizes.classes, dimensions), layer=1, inputs=dimensions),
            "output.bias": TensorSpec((sizes.classes,), layer=1),
        }

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` as for every net, and where ``idf_power`` makes a word's weight too large."""
        super().check_weights(weights, vocabulary)
        with np.errstate(over="ignore"):
            largest = float(np.float64(np.log(1 + vocabulary.documents) + 1) ** self.idf_power)
        if not largest <= REACH:
            raise ModelError(f"idf_power must keep word weights below {REACH:g}; {self.idf_power!r} does not.")

    def _net(self, table: Tensor, weights: dict[str, Tensor], vocabulary: Vocabulary) -> BagNet:
        return BagNet(table, weights, np.append(0.0, vocabulary.inverse_frequencies() ** self.idf_power))

    def thinned_scores(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Scores (S, C) of text ``n`` with some words left in it each time; its words are told apart once."""
        words, word_of = np.unique(batch.text(n), return_inverse=True)
        counts = count_kept(keep, word_of, len(words))
        idf = self.idf_of(words)
        weights = (1 + np.log(np.maximum(counts, 1))) * (counts > 0) * idf
        norms = np.sqrt((weights**2).sum(axis=1, keepdims=True))
        bag = (weights / np.where(norms > 0, norms, 1)).astype(self.dtype) @ self.vectors_of(words)
        return np.asarray(bag @ self.output_weight.T + self.output_bias)

    # ---- words outside the vocabulary

    def vectors_of(self, ids: Ids) -> NDArray[Any]:
        """Word vectors (..., D) of ids, those of unknown words from their n-grams."""
        table = self.weights_["embedding"]
        unknown = ids >= UNKNOWN_FROM
        if not unknown.any():
            return np.asarray(table[ids])
        others, places = np.unique(ids[unknown], return_inverse=True)
        words = [self._open_vocabulary().met[other] for other in others.tolist()]
        mixing = composition(words, self._ngram_range(), self.buckets)
        vectors = table[np.where(unknown, 0, ids)]
        vectors[unknown] = (mixing @ self.weights_["subwords"]).astype(table.dtype)[places]
        return vectors

    def idf_of(self, ids: Ids, power: float | None = None) -> NDArray[np.float64]:
        """The inverse document frequency of ids, to ``idf_power`` unless another is given; 0 for id 0."""
        known = np.append(0.0, self.vocabulary_.inverse_frequencies())
        unknown = np.log(1 + self.vocabulary_.documents) + 1  # of no training document
        inverse = np.where(ids < UNKNOWN_FROM, known[np.where(ids < UNKNOWN_FROM, ids, 0)], unknown)
        raised = inverse ** (self.idf_power if power is None else power)
        return np.asarray(np.where(ids == PADDING, 0.0, raised))

    def local_net(self, texts: Sequence[Ids], dtype: str | None = None) -> tuple[BagNet, list[Ids]]:
        """The net over the words of some texts alone, and the texts in its ids."""
        words, places = distinct_words(np.concatenate([np.zeros(0, np.int64), *texts]))
        wanted = TORCH_DTYPES[dtype or self.dtype]
        weights = {
            name: torch.from_numpy(self.weights_[name]).to(wanted) for name in ("output.weight", "output.bias")
        }
        bounds = torch.from_numpy(np.concatenate([self.weights_["embedding"], self.weights_["subwords"]])).to(wanted)
        net = BagNet(torch.from_numpy(self.vectors_of(words)).to(wanted), weights, self.idf_of(words), bounds)
        return net, np.split(places, np.cumsum([len(ids) for ids in texts])[:-1]) if texts else []

    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        if self.subwords is None:
            return super()._scores(texts)
        scores = np.zeros((len(texts), len(self.classes_)), dtype=self.dtype)
        for rows in bucket([len(ids) for ids in texts], SCORING_BLOCK):
            net, local = self.local_net([texts[row] for row in rows])
            scores[rows] = scores_of(net, local)
        return scores

    def _trace(self, packed: Packed, dtype: str) -> Trace:
        if self.subwords is None:
            return super()._trace(packed, dtype)
        net, local = self.local_net(packed.texts(), dtype)
        return net.trace(pack(local))

    def _read_with(self) -> Vocabulary:
        return self.vocabulary_ if self.subwords is None else self._open_vocabulary()

    def _open_vocabulary(self) -> OpenVocabulary:
        kept: OpenVocabulary | None = self.__dict__.get("_kept_vocabulary")
        if kept is None or kept.words is not self.vocabulary_.words:
            known = self.vocabulary_
            kept = OpenVocabulary(known.words, known.counts, known.documents)
            self.__dict__["_kept_vocabulary"] = kept
        return kept

    def _ngram_range(self) -> tuple[int, int]:
        assert self.subwords is not None
        shortest, longest = self.subwords
        return int(shortest), int(longest)

    def _new_subwords(self, table: Tensor, vocabulary: Vocabulary) -> SubwordTable | None:
        if self.subwords is None:
            return None
        own = composition(vocabulary.words, self._ngram_range(), self.buckets)
        mixing = sparse.vstack([sparse.csr_matrix((1, self.buckets)), own], format="csr")
        # an n-gram starts as the mean of its words, a word as what that leaves of its own vector
        share = (mixing > 0).astype(np.float64)
        sizes = np.maximum(np.asarray(share.sum(axis=0)).ravel(), 1)
        start = (share.T @ table.numpy()) / sizes[:, None]
        subwords = SubwordTable(mixing, torch.from_numpy(start).to(table.dtype))
        table.sub_(subwords.means())
        return subwords

    def _check_options(self) -> None:
        super()._check_options()
        check_positive("idf_power", self.idf_power, zero=True)
        check_whole("buckets", self.buckets)
        if self.subwords is not None and not is_range(self.subwords):
            raise OptionError(
                "subwords must be None or two whole numbers from 1 up, the smaller one first; "
                f"got {self.subwords!r}. Pass subwords=(3, 6)."
            )
