"""The bag-of-embeddings classifier: options and subword vectors. :mod:`textlrp.models.bagnet` has the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from textlrp.errors import ModelError, OptionError, must_be
from textlrp.lrp.kernels.projections import distinct_words
from textlrp.lrp.trace import Trace
from textlrp.models.bagnet import BagNet, new_bag_weights
from textlrp.models.net_scores import SCORING_BLOCK, scores_of
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.models.ngrams import count_kept
from textlrp.models.options import check_positive, check_whole, is_range
from textlrp.models.packing import Ids, Packed, pack
from textlrp.models.schema import MAX_SCORE, Sizes, TensorSpec
from textlrp.models.subword_table import SubwordTable
from textlrp.models.text_options import TORCH_DTYPES, ClassWeight, SkipOption, Tokenizing
from textlrp.text.batches import Batch, bucket
from textlrp.text.subwords import UNKNOWN_FROM, OpenVocabulary, composition, opened
from textlrp.text.vocabulary import PADDING, Vocabulary


class BagOfEmbeddingsClassifier(NetClassifier):
    """Bag of embeddings: a TF-IDF-weighted sum of word vectors and one dense layer.

    It ignores the order of words and is very fast: fastText (Joulin et al. 2017) with TF-IDF weights. A scikit-learn
    classifier whose input is a list of strings or of :class:`Document` objects. All parameters are keyword-only.

    Parameters
    ----------
    embedding_dim : int, default=200
        Length D of the word vectors.
    idf_power : float, default=2.0
        Exponent of the inverse document frequency in the weight of a word. 1 is
        ``TfidfVectorizer(sublinear_tf=True)``, larger values give more weight to rare words. The weights of a text
        have unit L2 norm.
    subwords : (int, int) or None, default=None
        Shortest and longest character n-gram. A word's vector is then its own plus the mean of the vectors of its
        n-grams (Bojanowski et al. 2017), and a word outside the vocabulary is read as the mean of its n-grams. Try
        (3, 6). None: no n-grams; the model ignores unknown words.
    buckets : int, default=32768
        Number of n-gram vectors; n-grams are hashed into them.
    max_epochs, batch_size, learning_rate, dropout, word_dropout, train_tokens, min_df and all others
        As in :class:`CNNClassifier`, but with the defaults 10, 32, 5e-3, 0.85, 0.3, None and 1.

    Attributes
    ----------
    classes_, vocabulary_, weights_, history_, word_vectors_, fingerprint_, n_documents_ : as in CNNClassifier.

    References
    ----------
    Joulin et al. (2017), "Bag of Tricks for Efficient Text Classification", arXiv 1607.01759.
    Bojanowski et al. (2017), "Enriching Word Vectors with Subword Information", arXiv 1607.04606.
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
        stop_words: Sequence[str] | None = None,
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
        self.stop_words = stop_words
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
        """Return shape and type of the word vectors, the n-gram vectors (if any) and the dense layer."""
        dimensions = sizes.length("embedding", 1)
        subwords = {} if self.subwords is None else {"subwords": TensorSpec((self.buckets, dimensions))}
        return subwords | {
            "embedding": TensorSpec((sizes.words + 1, dimensions)),
            "output.weight": TensorSpec((sizes.classes, dimensions), layer=1, inputs=dimensions),
            "output.bias": TensorSpec((sizes.classes,), layer=1),
        }

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` as the base class does, and if ``idf_power`` makes a word's weight too large."""
        super().check_weights(weights, vocabulary)
        with np.errstate(over="ignore"):
            largest = float(np.float64(np.log(1 + vocabulary.documents) + 1) ** self.idf_power)
        if not largest <= MAX_SCORE:
            raise ModelError(f"idf_power must keep word weights below {MAX_SCORE:g}; got {self.idf_power!r}.")

    def _net(self, table: Tensor, weights: dict[str, Tensor], vocabulary: Vocabulary) -> BagNet:
        return BagNet(table, weights, np.append(0.0, vocabulary.inverse_frequencies() ** self.idf_power))

    def scores_when_masked(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n`` with some words masked; see the base class.

        The distinct words of the text are found once for all alternatives.
        """
        words, word_of = np.unique(batch.text(n), return_inverse=True)
        counts = count_kept(keep, word_of, len(words))
        idf = self.inverse_document_frequencies(words)
        weights = (1 + np.log(np.maximum(counts, 1))) * (counts > 0) * idf
        norms = np.sqrt((weights**2).sum(axis=1, keepdims=True))
        bag = (weights / np.where(norms > 0, norms, 1)).astype(self.dtype) @ self.lookup_vectors(words)
        return np.asarray(bag @ self.output_weight.T + self.output_bias)

    # ---- words outside the vocabulary

    def lookup_vectors(self, ids: Ids) -> NDArray[Any]:
        """Return the word vectors (..., D) of ids; the vector of an unknown word is the mean of its n-grams."""
        table = self.weights_["embedding"]
        unknown = ids >= UNKNOWN_FROM
        if not unknown.any():
            return np.asarray(table[ids])
        others, places = np.unique(ids[unknown], return_inverse=True)
        words = [self._open_vocabulary().recent[other] for other in others.tolist()]
        mixing = composition(words, self._ngram_range(), self.buckets)
        vectors = table[np.where(unknown, 0, ids)]
        vectors[unknown] = (mixing @ self.weights_["subwords"]).astype(table.dtype)[places]
        return vectors

    def inverse_document_frequencies(self, ids: Ids, power: float | None = None) -> NDArray[np.float64]:
        """Return the inverse document frequencies of ids to ``power`` (None: ``idf_power``); 0 for id 0."""
        known = np.append(0.0, self.vocabulary_.inverse_frequencies())
        unknown = np.log(1 + self.vocabulary_.documents) + 1  # of a word in no training document
        inverse = np.where(ids < UNKNOWN_FROM, known[np.where(ids < UNKNOWN_FROM, ids, 0)], unknown)
        raised = inverse ** (self.idf_power if power is None else power)
        return np.asarray(np.where(ids == PADDING, 0.0, raised))

    def net_for_texts(self, texts: Sequence[Ids], dtype: str | None = None) -> tuple[BagNet, list[Ids]]:
        """Return a network that knows only the words of these texts, and the texts as ids of that network."""
        words, places = distinct_words(np.concatenate([np.zeros(0, np.int64), *texts]))
        torch_dtype = TORCH_DTYPES[dtype or self.dtype]
        weights = {
            name: torch.from_numpy(self.weights_[name]).to(torch_dtype) for name in ("output.weight", "output.bias")
        }
        both = np.concatenate([self.weights_["embedding"], self.weights_["subwords"]])
        bounds = torch.from_numpy(both).to(torch_dtype)
        table = torch.from_numpy(self.lookup_vectors(words)).to(torch_dtype)
        net = BagNet(table, weights, self.inverse_document_frequencies(words), bounds)
        return net, np.split(places, np.cumsum([len(ids) for ids in texts])[:-1]) if texts else []

    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        if self.subwords is None:
            return super()._scores(texts)
        scores = np.zeros((len(texts), len(self.classes_)), dtype=self.dtype)
        for rows in bucket([len(ids) for ids in texts], SCORING_BLOCK):
            net, local = self.net_for_texts([texts[row] for row in rows])
            scores[rows] = scores_of(net, local)
        return scores

    def _trace(self, packed: Packed, dtype: str) -> Trace:
        if self.subwords is None:
            return super()._trace(packed, dtype)
        net, local = self.net_for_texts(packed.texts(), dtype)
        return net.trace(pack(local))

    def _read_with(self) -> Vocabulary:
        return self._open_vocabulary() if self.reads_characters() else self.vocabulary_

    def reads_characters(self) -> bool:
        return self.subwords is not None

    def _open_vocabulary(self) -> OpenVocabulary:
        cached = opened(self.vocabulary_, self.stop_set(), self.__dict__.get("_cached_vocabulary"))
        self.__dict__["_cached_vocabulary"] = cached
        return cached

    def _ngram_range(self) -> tuple[int, int]:
        assert self.subwords is not None
        shortest, longest = self.subwords
        return int(shortest), int(longest)

    def _new_subwords(self, table: Tensor, vocabulary: Vocabulary) -> SubwordTable | None:
        if self.subwords is None:
            return None
        of_words = composition(vocabulary.words, self._ngram_range(), self.buckets)
        mixing = sparse.vstack([sparse.csr_matrix((1, self.buckets)), of_words], format="csr")
        # An n-gram starts as the mean of the vectors of its words. The table keeps the remainder of each word's
        # vector, so that remainder plus n-gram means is the vector that was given.
        share = (mixing > 0).astype(np.float64)
        sizes = np.maximum(np.asarray(share.sum(axis=0)).ravel(), 1)
        start = (share.T @ table.numpy()) / sizes[:, None]
        subwords = SubwordTable(mixing, torch.from_numpy(start).to(table.dtype))
        table.sub_(subwords.means())
        return subwords

    def _check_options(self) -> None:
        super()._check_options()
        check_positive("idf_power", self.idf_power, zero=True, hint=self._hint("idf_power"))
        check_whole("buckets", self.buckets, hint=self._hint("buckets"))
        if self.subwords is not None and not is_range(self.subwords):
            what = "None or two whole numbers >= 1, the smaller one first"
            raise OptionError(must_be("subwords", what, self.subwords, "Pass subwords=(3, 6)."))
