"""The base class of the three text classifiers: ``fit``, ``predict``, scores, the ``Classifier`` protocol, ``save``.

Open it for what all classifiers have in common; :mod:`textlrp.models.nets` and :mod:`textlrp.models.bow` add what
differs.

Letters: N documents, T tokens, L words read of one document, C classes, S alternatives of one document.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.trace import Trace
from textlrp.models.differentiable import InputPoint
from textlrp.models.finite import check_scores
from textlrp.models.fitted_state import FittedState
from textlrp.models.label_balance import warn_of_constant_labels
from textlrp.models.label_sets import training_labels
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.packing import Ids, Packed
from textlrp.models.saving import save_model
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.text_options import Documents
from textlrp.models.thresholds import ChosenThresholds
from textlrp.models.weights_fingerprint import fingerprint_of
from textlrp.text.batches import Batch
from textlrp.text.vocabulary import Vocabulary


class TextClassifier(FittedState):
    """Base class of the classifiers over strings or :class:`Document` objects.

    It does not derive from scikit-learn's base classes, so that a saved model can be used without importing
    scikit-learn. :mod:`textlrp.models.estimators` adds these base classes.

    Fitted attributes: ``classes_`` (C,), ``vocabulary_``, ``weights_`` {name: array}, ``n_documents_``.
    """

    kind: str
    """Short name of the kind of model: "cnn", "boe" or "svm"."""
    scoring_options: ClassVar[tuple[str, ...]] = ("tokenizer", "lowercase", "skip", "max_tokens")
    """Options that change the scores of a fitted model, and therefore its fingerprint. Each class adds its own."""
    training_options: ClassVar[tuple[str, ...]] = (
        "min_df", "max_words", "stop_words", "class_weight", "dtype", "random_state",
    )  # fmt: skip
    """Options that only ``fit`` uses. Each class adds its own."""
    legacy_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """{option: value} for models that were saved before the option existed."""
    max_texts_per_trace = 64
    """Largest number of texts in one trace."""

    # ---- for the subclasses

    @abstractmethod
    def _fit_words(
        self, documents: Documents, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int
    ) -> ChosenThresholds | None:
        """Set ``vocabulary_`` and ``weights_`` from N documents, the words of each, and their labels.

        ``codes`` are classes (N,) or, in multi-label classification, a 0/1 indicator matrix (N, C); only then does
        the method return thresholds.
        """

    @abstractmethod
    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        """Pre-softmax scores (N, C)."""

    @abstractmethod
    def _trace(self, packed: Packed, dtype: str) -> Trace:
        """The recorded trace of the forward pass."""

    @abstractmethod
    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return text ``n`` of a batch as an input to gradient methods."""

    @abstractmethod
    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """Return shape and type of each tensor in ``weights_`` for these options and sizes.

        Saving and loading check a model against it and know nothing else about its kind.
        """

    def check_weights(self, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary) -> None:
        """Raise :class:`ModelError` if finite weights of the correct shapes still cannot be used."""

    # ---- the methods of a scikit-learn classifier

    def fit(self, X: TextInputs, y: Any, *, classes: Sequence[Any] | None = None) -> Self:
        """Train on N texts ``X`` (strings or Documents) and their labels ``y`` (N,).

        For multi-label classification, ``y`` has a set of labels for each text (a list, tuple or set; empty for a
        text without labels), or is a 0/1 indicator matrix (N, C), dense, sparse or a DataFrame. ``classes`` (C,) are
        then the labels in the order of the scores; by default all labels in ``y``, sorted, or its column names.

        Texts without a word that the model can read are counted in one warning. They are predicted from the biases.

        Raises
        ------
        DataError
            If a row has no text or no label, if only some rows have a set of labels, or if there is only one class.
        OptionError
            If an option is out of its range.
        """
        self.check_options()
        seed = self._seed()
        documents = check_texts(X)
        labels, codes = training_labels(y, len(documents), classes)
        if codes.ndim == 2:
            warn_of_constant_labels(labels, codes)
        self._class_weights(labels, codes)  # checked before the texts are tokenized, which can take minutes
        reader = self.reader()
        words = list(reader.words_of_all(documents))
        self._warn_of_script(documents)
        self._check_words(words)
        chosen = self._fit_words(documents, words, codes, labels, seed)
        self.thresholds_ = None if chosen is None else chosen.values.astype(self.dtype)
        self.held_out_labels_ = None if chosen is None else chosen.counts
        self.classes_, self.n_documents_ = labels, len(documents)
        return self

    def decision_function(self, X: TextInputs) -> NDArray[Any]:
        """Return the pre-softmax scores (N, C); with two classes (N,), positive for ``classes_[1]``.

        The shapes are those of scikit-learn. Multi-label scores are always (N, C).
        """
        self.check_fitted()
        scores = self._finite_scores_of(check_texts(X))
        return self._margin(scores) if len(self.classes_) == 2 and self.thresholds_ is None else scores

    def predict(self, X: TextInputs) -> NDArray[Any]:
        """Return the class with the highest score for each text, (N,); of equal scores the first class.

        Multi-label: a 0/1 indicator matrix (N, C) of the labels whose scores are above ``thresholds_``.
        """
        self.check_fitted()
        scores = self._finite_scores_of(check_texts(X))
        if self.thresholds_ is not None:
            return np.asarray(scores > self.thresholds_, dtype=np.int64)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def _margin(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scores[:, 1] - scores[:, 0])

    # ---- the Classifier protocol, used by explain

    def encode(self, texts: TextInputs) -> Batch:
        """Return the word ids (N, T) of texts, together with the tokens of each text."""
        self.check_fitted()
        return self.reader().encode(check_texts(texts), self._read_with())

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return the pre-softmax scores (N, C) of a batch.

        A word with ``keep`` (N, T) False counts as unknown; the other words keep their positions.
        """
        texts = batch.texts() if keep is None else batch.kept(keep)
        return self._finite_scores(texts, lambda n: batch.readings[n].document_id)

    def scores_when_masked(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n`` with some words masked.

        Words with ``keep`` (S, L) False count as unknown; the other words keep their positions.
        """
        return self._scores(list(np.where(keep, batch.text(n), 0)))

    def scores_when_removed(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n`` without the words with ``keep`` (S, L) False.

        The remaining words become neighbors.
        """
        ids = batch.text(n)
        return self._scores([ids[kept] for kept in keep])

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Return the recorded trace of the forward pass, in the model's ``dtype`` unless another is given."""
        return self._trace(Packed(batch.words, batch.starts), dtype or self.dtype)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C) of scores (N, C), or None if the model has none."""
        return None

    @property
    def fingerprint_(self) -> str:
        """Hash of weights, vocabulary, classes and ``scoring_options``: twelve hexadecimal digits.

        The hash is cached while the fitted attributes are the same objects and the options are equal. It does not
        notice arrays that are changed in place: assign a new ``weights_`` instead.
        """
        self.check_fitted()
        return fingerprint_of(self)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the fitted model to the folder ``path`` and return it; :func:`textlrp.load` reads it again.

        The folder has two files, ``config.json`` and ``model.safetensors``. An older model at ``path`` is replaced.
        Any other file or folder raises :class:`ModelError`; with ``force=True`` it is renamed to a backup name.
        """
        return save_model(self, path, force=force)

    # ---- helpers

    def _finite_scores(
        self, texts: Sequence[Ids], name: Callable[[int], str] = lambda row: str(row + 1)
    ) -> NDArray[Any]:
        """Pre-softmax scores (N, C); raises :class:`ModelError` if one is not finite.

        ``name`` maps a row to the name of the text in the message.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # check_scores reports overflows
            scores = self._scores(texts)
        return check_scores(scores, self.classes_, name)

    def _finite_scores_of(self, documents: Documents) -> NDArray[Any]:
        """:meth:`_finite_scores` of texts that need not be encoded as a batch."""
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self._scores_of(documents)
        return check_scores(scores, self.classes_, lambda row: str(row + 1))

    def _read_with(self) -> Vocabulary:
        """The vocabulary that maps words to ids."""
        return self.vocabulary_

    def _read_ids(self, X: TextInputs) -> Iterator[Ids]:
        return self.reader().ids_of_all(check_texts(X), self._read_with())

    def _scores_of(self, documents: Documents) -> NDArray[Any]:
        """Pre-softmax scores (N, C) of texts, without the tokens that a batch keeps for an explanation."""
        return self._scores(list(self._read_ids(documents)))
