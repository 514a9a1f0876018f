"""The convolutional classifier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self, TypeGuard, cast

import numpy as np
from torch import Tensor

from textlrp.errors import OptionError
from textlrp.models.convnet import ConvNet, Pooling, averaged, new_convnet
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.models.options import check_whole, is_whole
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.text_options import ClassWeight, SkipOption, Tokenizing
from textlrp.text.vocabulary import Vocabulary

ARRAS_NETS = {"CNN1": (1, 600), "CNN2": (2, 800), "CNN3": (3, 600)}
"""Width and filters of the three nets of Arras et al. 2017."""


READING_OPTIONS = ("widths", "pooling", "max_tokens", "tokenizer", "lowercase", "skip", "dtype")
"""Options that say what a model reads of a text, and how."""


class CNNClassifier(NetClassifier):
    """A convolutional net over word vectors: convolutions, ReLU, pooling over time, one dense layer.

    A scikit-learn estimator over strings or Documents. Model as in Kim 2014 (arXiv 1408.5882) and
    Arras et al. 2017.

    Parameters
    ----------
    widths : window widths H, one convolution each; a single int for one.
    filters : filters F per width, one number for all or one per width.
    embedding_dim : D, for vectors that are made here; outside vectors bring their own.
    pooling : "max" (the best window of each filter) or "mean" over time.
    vectors : "ppmi" (from the training texts, see :mod:`textlrp.text.cooccurrence`), None (random), the
        path of a word2vec, GloVe, fastText or npz file, a spaCy pipeline's name, or a ``Vectors``.
    tune_vectors : whether training moves the word vectors.
    standardize_vectors : whether the vectors are brought to one length, and each dimension to mean 0 and standard
        deviation 1, before training; worth it where training does not move them.
    max_epochs, batch_size, learning_rate, weight_decay : of AdamW under a one-cycle schedule.
    dropout : share of the pooled features silenced in each training step.
    word_dropout : share of the words silenced in each training step.
    label_smoothing : mass spread over all classes (Szegedy et al. 2016).
    train_tokens : words of a text read in training; ``max_tokens`` also limits prediction. None: all.
    validation_fraction : share of each class held out to pick the best epoch; 0 trains on everything.
    patience : epochs without a better held-out accuracy before training stops.
    min_df, max_words : training documents a word needs to be known; size limit of the vocabulary.
    tokenizer : "auto" (as "spacy", but single characters in scripts without spaces between words), "spacy",
        "spacy:<language>", "words", "treebank", or a callable.
    lowercase : whether words are looked up in lower case.
    skip : what the model does not read: "headers", "quotes", "footers", or a callable text -> (S, 2).
    class_weight : None, "balanced" or {label: weight}, as in scikit-learn.
    dtype : "float32" or "float64".
    random_state : seed; the same seed on the same machine gives the same model byte for byte.
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
        """One of the paper's nets: 300-d static vectors, cased Treebank tokens (extra ``paper``), 400 of them.

        The paper took Google News vectors; give their path as ``vectors``. They are standardized, as in the paper.
        """
        if net not in ARRAS_NETS:
            raise OptionError(f"no net of the paper is called {net!r}; there are {', '.join(ARRAS_NETS)}.")
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
        """One CNN whose scores are the mean of those of several: the same net trained from several seeds, say.

        It is a CNN like any other (explained as exactly, saved, run over millions): vectors side by side, the filters
        of all. Its options are those of the first, with the sizes of all. Raises :class:`OptionError` for models that
        differ in what they read, in their classes or windows, and NotFittedError for one that is not fitted.
        """
        models = list(models)
        if not models:
            raise OptionError(
                "no models came; fitted CNNClassifiers of the same texts are wanted, from several seeds."
            )
        for name in ("classes", "vocabulary", *READING_OPTIONS):
            different = [model for model in models if not _same_attribute(models[0], model, name)]
            if different:
                raise OptionError(
                    f"models that differ in their {name} came; fit all to the same texts, with other seeds alone."
                )
        net = averaged([cast(ConvNet, model.fitted_net()) for model in models])
        options = models[0].options()
        filters = tuple(len(net.weights[f"conv{width}.bias"]) for width in net.widths)
        made = cls(**options | {"filters": filters, "embedding_dim": net.table.shape[1]})
        made.vocabulary_, made.classes_ = models[0].vocabulary_, models[0].classes_
        made.n_documents_ = models[0].n_documents_
        made.weights_ = {"embedding": net.table.numpy(), **{name: own.numpy() for name, own in net.weights.items()}}
        return made

    def widths_and_filters(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Widths and filters per width."""
        widths = _whole_numbers("widths", self.widths)
        filters = _whole_numbers("filters", self.filters)
        if is_whole(self.filters):
            filters *= len(widths)
        return widths, filters

    def _check_options(self) -> None:
        super()._check_options()
        widths, filters = self.widths_and_filters()
        if not widths or len(set(widths)) != len(widths):
            raise OptionError(
                f"widths={self.widths!r} came; distinct whole numbers >= 1 are wanted, such as (1, 2, 3)."
            )
        if len(filters) != len(widths):
            raise OptionError(
                f"filters={self.filters!r} came for {len(widths)} widths; a number >= 1, or one per width, is wanted."
            )
        if self.pooling not in ("max", "mean"):
            raise OptionError(f"pooling={self.pooling!r} came; 'max' or 'mean' is wanted.")

    def _new_weights(self, table: Tensor, classes: int, seed: int) -> dict[str, Tensor]:
        widths, filters = self.widths_and_filters()
        return new_convnet(
            table, widths=widths, filters=filters, classes=classes, pooling=self.pooling, seed=seed
        ).weights

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """The word vectors, each width's convolution, and the dense layer."""
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
    """Whether a model is a CNN with max pooling: each filter's largest window alone carries its relevance.

    Everything that is quicker or possible only because of that asks here: closed forms, paths of deleted words, a
    device, phrases.
    """
    return isinstance(model, CNNClassifier) and model.pooling == "max"


def _same_attribute(model: CNNClassifier, other: CNNClassifier, name: str) -> bool:
    """Whether two fitted models have the same classes, vocabulary, or option of that name."""
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


def _whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    """One whole number >= 1 or several; raises :class:`OptionError` on anything else."""
    several = (value,) if is_whole(value) else value
    if isinstance(several, (str, bytes)) or not isinstance(several, Iterable):
        raise OptionError(f"{name}={value!r} came; a whole number >= 1, or several in a tuple, is wanted.")
    numbers = tuple(several)
    for number in numbers:
        check_whole(name, number)
    return tuple(map(int, numbers))
