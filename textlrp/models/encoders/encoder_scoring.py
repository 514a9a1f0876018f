"""Scores and traces of a fitted EncoderClassifier, by the model that it builds from its encoder and its weights.

Letters: N texts, L words of one text, S alternatives of one text, C classes, D dimensions of an embedding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.trace import Trace
from textlrp.models.differentiable import InputPoint
from textlrp.models.encoders.encoder_model import EncoderModel, encoder_model
from textlrp.models.encoders.encoder_options import EncoderOptions
from textlrp.models.encoders.linear_heads import EncoderHead, link_function
from textlrp.models.encoders.loaded_encoder import LoadedEncoder, Unpickled, loaded_encoder
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.packing import Ids, Packed
from textlrp.models.schema import Sizes, TensorSpec
from textlrp.models.text_options import Documents
from textlrp.records import Document, Ranges
from textlrp.text.batches import TEXTS_TOGETHER, Batch
from textlrp.text.skip import make_skip, merge_ranges


class EncoderScoring(EncoderOptions):
    """The fitted attributes and the ``Classifier`` protocol."""

    default_rule = EncoderModel.default_rule
    max_texts_per_trace = EncoderModel.max_texts_per_trace
    batch_limits = EncoderModel.batch_limits

    encoder_digest_: str
    """A hash of everything in the encoder that embeddings depend on."""
    encoder_files_: str | None
    """A hash of the files of the encoder; None if it was passed as an object."""
    C_: float | None
    """The ``C`` of the head; None if the head is an estimator of the user."""
    link_: str
    """How scores become probabilities; see :func:`link_function`."""

    # ---- the model of the encoder and the weights

    def encoder_model(self) -> EncoderModel:
        """Return the model that reads, scores and explains texts; its encoder is loaded only once.

        Raises :class:`ModelError` if the encoder is missing or has changed since the training.
        """
        self.check_fitted()
        key = (id(self.weights_), self.encoder, self.windows, self.normalize, self.max_length, self.batch_size)
        cached: Unpickled | None = self.__dict__.get("_cached_model")
        if cached is None or cached.source != key:
            link = link_function(self.link_, len(self.classes_))
            head = EncoderHead(self.classes_, self.output_weight, self.output_bias, link)
            cached = Unpickled(key, self._model_of(self._loaded_encoder(), head))
            self.__dict__["_cached_model"] = cached
        model: EncoderModel = cached.value
        return model

    def _loaded_encoder(self) -> LoadedEncoder:
        kept: Unpickled | None = self.__dict__.get("_loaded")
        if kept is None or kept.value is None or kept.source is not self.encoder:
            digest = self.encoder_digest_ if self.encoder_files_ else None
            loaded = loaded_encoder(self.encoder, expected=self.encoder_files_, digest=digest)
            kept = self.__dict__["_loaded"] = Unpickled(self.encoder, loaded)
        found: LoadedEncoder = kept.value
        return found

    def _model_of(self, loaded: LoadedEncoder, head: EncoderHead) -> EncoderModel:
        return encoder_model(
            loaded.encoder.with_normalize(self.normalize).in_dtype(self.dtype),
            head,
            windows=self.windows,
            max_length=self.max_length,
            texts_together=self.batch_size,
        )

    def _batches(self, model: EncoderModel, documents: Documents) -> Iterator[Batch]:
        """Encoded texts, some at a time. Their words are not yet counted."""
        skip, rest = make_skip(self.skip), enumerate(documents)
        while block := list(islice(rest, TEXTS_TOGETHER)):
            yield model.encode([_with_skipped(skip, document, number) for number, document in block])

    # ---- the Classifier protocol

    def encode(self, texts: TextInputs) -> Batch:
        """Return the words of texts; the number of training documents with each word is that of the vocabulary."""
        model, skip = self.encoder_model(), make_skip(self.skip)
        documents = [_with_skipped(skip, text, number) for number, text in enumerate(check_texts(texts))]
        batch = model.encode(documents)
        vocabulary = self.vocabulary_
        counts = tuple(vocabulary.counts_of(vocabulary.ids(each.tokens.forms)) for each in batch.readings)
        return replace(batch, counts=counts)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return the pre-softmax scores (N, C) of a batch. A word with ``keep`` (N, L) False is removed."""
        return self.encoder_model().scores(batch, keep=keep)

    def scores_when_masked(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n``; words with ``keep`` (S, L) False are removed.

        An encoder has no vector for a missing word, so the remaining words become neighbors.
        """
        return self.scores_when_removed(batch, n, keep)

    def scores_when_removed(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the scores (S, C) of S alternatives of text ``n`` without the words with ``keep`` (S, L) False."""
        words = batch.text(n)
        return self.encoder_model().scores_of_words(batch, [words[kept] for kept in keep])

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Record the trace of the forward pass of one text, in the model's ``dtype`` unless another is given."""
        return self.encoder_model().trace(batch, dtype=dtype)

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the vectors of the pieces of text ``n`` as an input to gradient methods."""
        return self.encoder_model().input_point(batch, n, dtype=dtype)

    def predict_proba(self, X: TextInputs) -> NDArray[Any]:
        """Return the class probabilities (N, C) of the head.

        Raises AttributeError, as scikit-learn does, if the head has none.
        """
        self.check_fitted()
        if self.link_ == "none":
            raise AttributeError("predict_proba needs head='logistic'; this head has no probabilities.")
        found = self.probabilities(self._finite_scores_of(check_texts(X)))
        assert found is not None
        return found

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C) of scores (N, C), or None if the head has none."""
        link = link_function(self.link_, len(self.classes_))
        return None if link is None else link(scores)

    @property
    def fingerprint_(self) -> str:
        """Hash of the head, the vocabulary, the options that change scores, and the encoder: twelve digits."""
        return hashlib.sha256(f"{super().fingerprint_} {self.encoder_digest_}".encode()).hexdigest()[:12]

    def tensor_specs(self, sizes: Sizes) -> dict[str, TensorSpec]:
        """Return shape and type of each tensor in ``weights_`` for these sizes."""
        dimensions = sizes.length("output.weight", 1)
        return {
            "output.weight": TensorSpec((sizes.classes, dimensions), inputs=dimensions),
            "output.bias": TensorSpec((sizes.classes,)),
        }

    # ---- optional abilities

    def gradient_pass(self, batch: Batch, rules: GradientRules, *, dtype: str | None = None) -> Any:
        """Return a forward pass of the fast engine; None if the engine does not know an operation of the encoder."""
        return self.encoder_model().gradient_pass(batch, rules, dtype=dtype)

    def notes(self, batch: Batch, n: int) -> tuple[str, ...]:
        """Return sentences on how text ``n`` of a batch was read, for its explanation."""
        return self.encoder_model().notes(batch, n)

    # ---- helpers

    def _margin(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scores[:, 1])

    def _scores_of(self, documents: Documents) -> NDArray[Any]:
        model = self.encoder_model()
        found = [np.zeros((0, len(self.classes_)), dtype=self.dtype)]
        found += [model.scores_of_words(batch, batch.texts()) for batch in self._batches(model, documents)]
        return np.concatenate(found)

    def _scores(self, texts: Sequence[Ids]) -> NDArray[Any]:
        raise NotImplementedError("an encoder has no ids of words outside a batch")

    def _trace(self, packed: Packed, dtype: str) -> Trace:
        raise NotImplementedError("an encoder has no ids of words outside a batch")

    def _fit_words(
        self, documents: Documents, words: list[list[str]], codes: NDArray[np.int64], classes: NDArray[Any], seed: int
    ) -> None:
        raise NotImplementedError("an encoder is trained on embeddings, not on words")

    def _check_options(self) -> None:
        raise NotImplementedError("check_options is replaced as a whole")


def _with_skipped(skip: Callable[[str], Ranges], text: str | Document, number: int) -> Document:
    """The text as a Document that also skips what ``skip`` finds in it."""
    document = text if isinstance(text, Document) else Document(str(number), text)
    return replace(document, skip=merge_ranges(document.skip, skip(document.text)))
