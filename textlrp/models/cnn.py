"""The convolutional classifier: its options, their checks, and the mean of several models.

:mod:`textlrp.models.convnet` has the network and its trace, :mod:`textlrp.models.training` the training loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self, TypeGuard, cast

import numpy as np
from torch import Tensor

from textlrp.errors import OptionError, must_be
from textlrp.models.convnet import ConvNet, Pooling, averaged, new_convnet
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.models.options import is_whole, whole_numbers
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.text_options import ClassWeight, SkipOption, Tokenizing
from textlrp.text.vocabulary import Vocabulary

ARRAS_NETS = {"CNN1": (1, 600), "CNN2": (2, 800), "CNN3": (3, 600)}
"""Window width and number of filters of the three networks of Arras et al. 2017."""

READING_OPTIONS = ("widths", "pooling", "max_tokens", "tokenizer", "lowercase", "skip", "dtype")
"""Options that models must share to be averaged: how they read a text and what they compute of it."""


class CNNClassifier(NetClassifier):
    """Convolutional neural network over word vectors.

    Convolutions over windows of words, ReLU, pooling over time and one dense layer (Kim 2014; Arras et al. 2017).
    A scikit-learn classifier whose input is a list of strings or of :class:`Document` objects. All parameters are
    keyword-only.

    Parameters
    ----------
    widths : int or sequence of int, default=(1, 2, 3)
        Window widths H in words, one convolution each.
    filters : int or sequence of int, default=600
        Number of filters F: one for all widths, or one per width.
    embedding_dim : int, default=300
        Length D of the word vectors. Vectors from a file or a ``Vectors`` keep their own length.
    pooling : {"max", "mean"}, default="max"
        Pooling over time: the largest window of each filter, or the mean over all windows.
    vectors : "ppmi", None, str, Path or Vectors, default="ppmi"
        Word vectors at the start of training: "ppmi" computes them from the co-occurrences in the training texts
        (:mod:`textlrp.text.cooccurrence`), None draws them at random. Otherwise the path of a word2vec, GloVe,
        fastText or npz file, the name of a spaCy pipeline, or a ``Vectors``.
    tune_vectors : bool, default=True
        Whether training changes the word vectors.
    standardize_vectors : bool, default=False
        Whether to scale the vectors to the same length, and each dimension to mean 0 and standard deviation 1,
        before training. Useful with ``tune_vectors=False``.
    max_epochs : int, default=15
        Largest number of passes over the training texts.
    batch_size : int, default=64
        Texts per training step.
    learning_rate : float, default=3e-3
        Highest learning rate of AdamW under the one-cycle schedule.
    weight_decay : float, default=0.01
        Weight decay of AdamW.
    dropout : float, default=0.5
        Fraction of the pooled features set to 0 in each training step, from 0 up to (not including) 1.
    word_dropout : float, default=0.2
        Fraction of the words replaced by the unknown word in each training step.
    label_smoothing : float, default=0.1
        Probability mass spread over all classes in the training targets (Szegedy et al. 2016).
    train_tokens : int or None, default=400
        Number of words of each text used in training. None: all.
    validation_fraction : float, default=0.05
        Fraction of each class held out to choose the best epoch. 0 trains on all texts.
    patience : int, default=5
        Epochs without a better held-out accuracy after which training stops.
    min_df : int, default=2
        A word must be in at least this many training documents to enter the vocabulary.
    max_words : int or None, default=None
        Largest size of the vocabulary. None: no limit.
    stop_words : sequence of str or None, default=None
        Words that the model must not use. It treats them as unknown words, which keep their place in the text and
        have no relevance. Each must be one word for the tokenizer; ``lowercase`` applies to them too.
    max_tokens : int or None, default=None
        Number of words of each text used in training and prediction. None: all.
    tokenizer : str or callable, default="auto"
        "spacy", "spacy:<language>", "words", "treebank", or "auto": as "spacy", but with single characters in
        scripts without spaces between words. A callable maps a text to its tokens: strings in the order of the text,
        or (start, end) offsets.
    lowercase : bool, default=True
        Whether words are looked up in lower case.
    skip : sequence of str or callable, default=("headers",)
        Parts of a text that the model ignores: "headers", "quotes" or "footers". ``()``: none. A callable maps a text
        to the character ranges (S, 2) to ignore.
    class_weight : None, "balanced" or dict {label: weight}, default=None
        Weights of the classes in training, as in scikit-learn.
    dtype : {"float32", "float64"}, default="float32"
        Number format of weights, scores and relevance.
    random_state : int, RandomState or None, default=0
        Seed. The same seed on the same machine gives the same model, byte for byte.

    Attributes
    ----------
    classes_ : array (C,), the labels, sorted.
    vocabulary_ : Vocabulary, the words that the model reads.
    weights_ : dict {name: array}, word vectors, filters and dense layer; shapes in :mod:`textlrp.models.convnet`.
    history_ : History, the held-out accuracy after each epoch, and the epoch whose weights were kept.
    word_vectors_ : Vectors, the trained word vectors.
    fingerprint_ : str, a hash of everything that the scores depend on.
    n_documents_ : int, the number of training documents.

    References
    ----------
    Kim (2014), "Convolutional Neural Networks for Sentence Classification", arXiv 1408.5882.
    Arras et al. (2017), "What is relevant in a text document?", PLOS ONE 12(8), arXiv 1612.07843.
    """

    kind = "cnn"
    scoring_options = (*NetClassifier.scoring_options, "widths", "pooling")
    training_options = (*NetClassifier.training_options, "filters")

    def __init__(
        self,
        *,
        widths: int | Sequence[int] = (1, 2, 3),
        filters: int | Sequence[int] = 600,
        embedding_dim: int = 300,
        pooling: Pooling = "max",
        vectors: VectorSource = "ppmi",
        tune_vectors: bool = True,
        standardize_vectors: bool = False,
        max_epochs: int = 15,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        dropout: float = 0.5,
        word_dropout: float = 0.2,
        label_smoothing: float = 0.1,
        train_tokens: int | None = 400,
        validation_fraction: float = 0.05,
        patience: int = 5,
        min_df: int = 2,
        max_words: int | None = None,
        stop_words: Sequence[str] | None = None,
        max_tokens: int | None = None,
        tokenizer: Tokenizing = "auto",
        lowercase: bool = True,
        skip: SkipOption = ("headers",),
        class_weight: ClassWeight = None,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.widths = widths
        self.filters = filters
        self.embedding_dim = embedding_dim
        self.pooling = pooling
        self.vectors = vectors
        self.tune_vectors = tune_vectors
        self.standardize_vectors = standardize_vectors
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.word_dropout = word_dropout
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
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state

    @classmethod
    def arras2017(
        cls, net: Literal["CNN1", "CNN2", "CNN3"] = "CNN2", *, vectors: VectorSource = "ppmi", random_state: Any = 0
    ) -> Self:
        """Return an untrained network as in Arras et al. 2017: "CNN1", "CNN2" or "CNN3".

        It reads the first 400 Treebank tokens in their original case (extra ``paper``), and does not train the 300-d
        word vectors. The paper used the Google News vectors: pass their path as ``vectors``. They are standardized,
        as in the paper.
        """
        if net not in ARRAS_NETS:
            raise OptionError(must_be("net", "'CNN1', 'CNN2' or 'CNN3'", net, "Pass net='CNN2'."))
        width, filters = ARRAS_NETS[net]
        return cls(
            widths=(width,),
            filters=filters,
            embedding_dim=300,
            vectors=vectors,
            tune_vectors=False,
            standardize_vectors=True,
            tokenizer="treebank",
            lowercase=False,
            max_tokens=400,
            word_dropout=0.4,
            random_state=random_state,
        )

    @classmethod
    def averaged(cls, models: Sequence[CNNClassifier]) -> Self:
        """Return one CNN whose scores are the mean of the scores of several, such as one network from several seeds.

        The result is an ordinary CNN that can be explained exactly and saved. Its word vectors are those of all
        models, concatenated, and it has the filters of all models. The other options are those of the first model; it
        has no ``history_``.
        Raises :class:`OptionError` if the models differ in how they read texts, in their classes or in their window
        widths, and ``NotFittedError`` if one is not fitted.
        """
        models = list(models)
        if not models:
            raise OptionError(
                "models must be one or more fitted CNNClassifiers; got none. Pass models trained from several seeds."
            )
        for name in ("classes", "vocabulary", *READING_OPTIONS):
            different = [model for model in models if not _same_attribute(models[0], model, name)]
            if different:
                raise OptionError(
                    f"models must have the same {name}; got models that differ. "
                    "Fit all of them to the same texts with the same options, except random_state."
                )
        net = averaged([cast(ConvNet, model.fitted_net()) for model in models])
        options = models[0].options()
        filters = tuple(len(net.weights[f"conv{width}.bias"]) for width in net.widths)
        model = cls(**options | {"filters": filters, "embedding_dim": net.table.shape[1]})
        model.vocabulary_, model.classes_ = models[0].vocabulary_, models[0].classes_
        model.n_documents_ = models[0].n_documents_
        weights = {"embedding": net.table, **net.weights}
        model.weights_ = {name: weight.numpy() for name, weight in weights.items()}
        return model

    def widths_and_filters(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the window widths, and the number of filters of each width."""
        widths = whole_numbers("widths", self.widths, self._hint("widths"))
        filters = whole_numbers("filters", self.filters, self._hint("filters"))
        if is_whole(self.filters):
            filters *= len(widths)
        return widths, filters

    def _check_options(self) -> None:
        super()._check_options()
        widths, filters = self.widths_and_filters()
        if not widths or len(set(widths)) != len(widths):
            raise OptionError(must_be("widths", "distinct whole numbers >= 1", self.widths, self._hint("widths")))
        if len(filters) != len(widths):
            what = f"a whole number >= 1, or a sequence of {len(widths)}, one per width"
            raise OptionError(must_be("filters", what, self.filters, self._hint("filters")))
        if self.pooling not in ("max", "mean"):
            raise OptionError(must_be("pooling", "'max' or 'mean'", self.pooling, self._hint("pooling")))

    def _new_weights(self, table: Tensor, classes: int, seed: int) -> dict[str, Tensor]:
        widths, filters = self.widths_and_filters()
        return new_convnet(
            table, widths=widths, filters=filters, classes=classes, pooling=self.pooling, seed=seed
        ).weights

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """Return shape and type of the word vectors, the convolution of each width, and the dense layer."""
        dimensions = sizes.length("embedding", 1)
        widths, filters = self.widths_and_filters()
        specs = {"embedding": TensorSpec((sizes.words + 1, dimensions))}
        for width, count in zip(widths, filters, strict=True):
            shape = (dimensions, width * count)
            specs[f"conv{width}.weight"] = TensorSpec(shape, layer=1, inputs=width * dimensions)
            specs[f"conv{width}.bias"] = TensorSpec((count,), layer=1)
        features = sum(filters)
        specs["output.weight"] = TensorSpec((sizes.classes, features), layer=2, inputs=features)
        specs["output.bias"] = TensorSpec((sizes.classes,), layer=2)
        return specs

    def _net(self, table: Tensor, weights: dict[str, Tensor], vocabulary: Vocabulary) -> ConvNet:
        return ConvNet(table, weights, self.widths_and_filters()[0], self.pooling)


def has_winning_windows(model: object) -> TypeGuard[CNNClassifier]:
    """Whether a model is a CNN with max pooling, so that each filter's relevance comes from its largest window alone.

    Closed forms, fast word deletion, explaining on a GPU and phrases (n-grams) are only possible for such a model.
    """
    return isinstance(model, CNNClassifier) and model.pooling == "max"


def _same_attribute(model: CNNClassifier, other: CNNClassifier, name: str) -> bool:
    """Whether two fitted models have the same classes, the same vocabulary, or the same value of an option."""
    model.check_fitted()
    other.check_fitted()
    match name:
        case "classes":
            return bool(np.array_equal(model.classes_, other.classes_))
        case "vocabulary":
            return model.vocabulary_.words == other.vocabulary_.words
        case "widths":
            return model.widths_and_filters()[0] == other.widths_and_filters()[0]
    return bool(getattr(model, name) == getattr(other, name))
