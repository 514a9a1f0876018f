"""What the three classifiers share: reading texts, labels, scikit-learn's face, and the fingerprint.

Letters: N documents, T tokens, C classes.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.lrp.trace import Trace
from textlrp.models.differentiable import InputPoint
from textlrp.models.finite import check_scores
from textlrp.models.options import TextInputs, check_labels, check_texts
from textlrp.models.packing import Ids, Packed
from textlrp.models.saving import save_model
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.text_options import (
    Documents,
    TextOptions,
)
from textlrp.models.weights_fingerprint import fingerprint_of
from textlrp.text.batches import Batch
from textlrp.text.vocabulary import Vocabulary


class TextClassifier(TextOptions):
    """A classifier over strings or Documents; the nets and the bag of words fill in the rest.

    It has no base class of scikit-learn's, so that a saved model is used without importing it;
    :mod:`textlrp.models.estimators` adds them.

    Fitted attributes: ``classes_`` (C,), ``vocabulary_``, ``weights_`` {name: array}, ``n_documents_``.
    """

    kind: str
    """The model's short name: "cnn", "boe" or "svm"."""
    scoring_options: ClassVar[tuple[str, ...]] = ("tokenizer", "lowercase", "skip", "max_tokens")
    """Options that a fitted model's scores still depend on, as does its fingerprint; each class adds its own."""
    training_options: ClassVar[tuple[str, ...]] = ("min_df", "max_words", "class_weight", "dtype", "random_state")
    """Options that decide the fitted attributes and nothing after that; each class adds its own."""
    legacy_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What an option was before it existed: for models that were saved without it."""
    max_texts_per_trace = 64
    """How many texts one trace holds at most."""

    classes_: NDArray[Any]
    vocabulary_: Vocabulary
    weights_: dict[str, NDArray[Any]]
    n_documents_: int

    @property
    def output_weight(self) -> NDArray[Any]:
        """(C, features) the weights of the last layer."""
        return self.weights_["output.weight"]

    @property
    def output_bias(self) -> NDArray[Any]:
        """(C,) the bias of the last layer."""
        return self.weights_["output.bias"]

    # ---- for the subclasses

    @abstractmethod
    def _fit_words(
        self, documents: Documents, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int
    ) -> None:
        """Set ``vocabulary_`` and ``weights_`` from N documents, their words and their classes (N,)."""

    @abstractmethod
    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        """Pre-softmax scores (N, C)."""

    @abstractmethod
    def _trace(self, packed: Packed, dtype: str) -> Trace:
        """The tape of the forward pass."""

    @abstractmethod
    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Text ``n`` as gradient methods need it."""

    @abstractmethod
    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """What each tensor in ``weights_`` must be, given these options and sizes.

        It is all that saving and loading know of a kind of model.
        """

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` on weights of the right shapes, all finite, that the model still cannot use."""

    # ---- scikit-learn's face

    def fit(self, X: TextInputs, y: Any) -> Self:
        """Train on N texts and their labels (N,).

        Raises :class:`DataError` on rows without text or label, several labels a row or a single class,
        and :class:`OptionError` on an option out of its range. Texts without a word are counted in one
        warning; they are answered from the biases.
        """
        self.check_options()
        seed = self._seed()
        documents = check_texts(X)
        classes, codes = check_labels(y, len(documents))
        self._class_weights(classes, codes)  # a bad one is refused before the texts are read
        reader = self.reader()
        words = list(reader.words_of_all(documents))
        self._warn_of_script(documents)
        empty = sum(not forms for forms in words)
        if empty == len(words):
            raise DataError(
                f"none of the {len(words)} texts has a word to read with tokenizer={self.tokenizer!r} "
                f"and skip={self.skip!r}."
            )
        if empty:
            warnings.warn(f"{empty} of {len(words)} texts have no word to read.", UserWarning, stacklevel=2)
        self._fit_words(documents, words, codes, classes, seed)
        self.classes_, self.n_documents_ = classes, len(documents)
        return self

    def decision_function(self, X: TextInputs) -> NDArray[Any]:
        """Pre-softmax scores (N, C); for two classes (N,), positive for ``classes_[1]``, as in scikit-learn."""
        self.check_fitted()
        scores = self._finite_scores_of(check_texts(X))
        return self._margin(scores) if len(self.classes_) == 2 else scores

    def predict(self, X: TextInputs) -> NDArray[Any]:
        """The class with the highest score for each text (N,); the first of equals."""
        self.check_fitted()
        scores = self._finite_scores_of(check_texts(X))
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def _margin(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scores[:, 1] - scores[:, 0])

    # ---- the Classifier protocol

    def encode(self, texts: TextInputs) -> Batch:
        """Texts as ids (N, T), with the tokens they came from."""
        self.check_fitted()
        return self.reader().encode(check_texts(texts), self._read_with())

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Pre-softmax scores (N, C); a word with ``keep`` (N, T) False counts as unknown, its position stays."""
        texts = batch.texts() if keep is None else batch.kept(keep)
        return self._finite_scores(texts, lambda n: batch.readings[n].document_id)

    def scores_when_masked(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Scores (S, C) of text ``n`` with some of its L words left each time, where ``keep`` (S, L) is True."""
        return self._scores(list(np.where(keep, batch.text(n), 0)))

    def scores_when_removed(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """As :meth:`scores_when_masked`, but the words that are left move together."""
        ids = batch.text(n)
        return self._scores([ids[kept] for kept in keep])

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """The tape of the forward pass, in the model's ``dtype`` unless another is given."""
        return self._trace(Packed(batch.words, batch.starts), dtype or self.dtype)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Class probabilities (N, C) of scores (N, C), or None where the model has none."""
        return None

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits: a hash of weights, vocabulary, classes and ``scoring_options``.

        The hash is computed once and kept while the fitted attributes are the same objects and the options equal.
        Arrays that are changed in place keep the old fingerprint: assign a new ``weights_`` instead.
        """
        self.check_fitted()
        return fingerprint_of(self)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the fitted model to a folder (``config.json``, ``model.safetensors``); see :func:`textlrp.load`.

        A saved model at ``path`` is replaced. Anything else is refused; with ``force=True`` it is moved to a backup
        name.
        """
        return save_model(self, path, force=force)

    # ---- helpers

    def check_fitted(self) -> None:
        """Raise scikit-learn's NotFittedError before ``fit``."""
        if "weights_" not in self.__dict__:
            from sklearn.exceptions import NotFittedError  # late: see the class

            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments "
                "before using this estimator."
            )

    def _finite_scores(
        self, texts: Sequence[Ids], name: Callable[[int], str] = lambda row: str(row + 1)
    ) -> NDArray[Any]:
        """Pre-softmax scores (N, C); raises :class:`ModelError` where one is not finite. ``name``: row -> text."""
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by check_scores
            scores = self._scores(texts)
        return check_scores(scores, self.classes_, name)

    def _finite_scores_of(self, documents: Documents) -> NDArray[Any]:
        """As :meth:`_finite_scores`, of texts that nothing else is asked about."""
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self._scores_of(documents)
        return check_scores(scores, self.classes_, lambda row: str(row + 1))

    def _read_with(self) -> Vocabulary:
        """The vocabulary that gives words their ids."""
        return self.vocabulary_

    def _read_ids(self, X: TextInputs) -> Iterator[Ids]:
        return self.reader().ids_of_all(check_texts(X), self._read_with())

    def _scores_of(self, documents: Documents) -> NDArray[Any]:
        """Pre-softmax scores (N, C) of texts that nothing else is asked about."""
        return self._scores(list(self._read_ids(documents)))
