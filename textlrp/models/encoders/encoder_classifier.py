"""The classifier over embeddings of a frozen sentence encoder: its options and its training.

:mod:`textlrp.models.encoders.encoder_scoring` has the scores, and :mod:`textlrp.models.encoders.encoder_saving` the
format of a saved model.

Letters: N texts, C classes, D dimensions of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.models.encoders.embedding import WindowsOfText, embed_texts
from textlrp.models.encoders.embedding_cache import EmbeddingCache
from textlrp.models.encoders.encoder_model import EncoderModel
from textlrp.models.encoders.encoder_saving import save_encoder_model
from textlrp.models.encoders.encoder_scoring import EncoderScoring
from textlrp.models.encoders.linear_heads import EncoderHead
from textlrp.models.encoders.loaded_encoder import LoadedEncoder, Unpickled, loaded_encoder
from textlrp.models.label_sets import has_label_sets
from textlrp.models.options import TextInputs, check_labels, check_texts
from textlrp.models.text_options import ClassWeight, Documents, SkipOption
from textlrp.text.vocabulary import Vocabulary

EncoderSource = Any
"""The folder of a SentenceTransformer, or a SentenceTransformer."""


class EncoderClassifier(EncoderScoring):
    """A linear classifier on the embeddings of a frozen sentence encoder, such as all-MiniLM-L6-v2.

    Needs the extra ``transformers``. A scikit-learn classifier whose input is a list of strings or of
    :class:`Document` objects. All parameters are keyword-only. Training computes the embedding of each text once and
    stores it in the user's cache folder; then it trains the linear classifier.

    Its explanations go through the whole encoder, back to the pieces of words.

    Parameters
    ----------
    encoder : str, Path or SentenceTransformer
        The folder of a SentenceTransformer, with weights in safetensors files, or the object. Nothing is downloaded.
    head : {"logistic", "svm"} or estimator, default="logistic"
        scikit-learn's LogisticRegression, LinearSVC, or your own linear classifier, which is cloned and fitted. It
        may be a pipeline with linear steps such as StandardScaler before the classifier.
    C : float or None, default=None
        Inverse strength of the regularization of the head. None: chosen by 3-fold cross-validation on the training
        texts, from 1, 3, 10 and 30 (logistic) or 0.1, 0.3, 1 and 3 (svm).
    windows : bool, default=True
        Whether a text that is longer than the encoder can read is read in windows side by side. Its embedding is the
        mean over all pieces of all windows. False: the rest of the text is truncated.
    normalize : bool or None, default=None
        Whether embeddings are scaled to length 1. None: as the encoder does.
    max_length : int or None, default=None
        Largest number of pieces that the encoder reads together, special tokens included. None: that of the encoder.
    batch_size : int, default=32
        Number of texts of the greatest length that the encoder reads together.
    cache : bool, default=True
        Whether embeddings of training texts are stored in, and taken from, the user's cache folder
        (``$TEXTLRP_CACHE_DIR``), at most 1 GB for each encoder. Texts themselves are not stored.
    skip, class_weight, dtype, random_state
        As in :class:`CNNClassifier`.

    Attributes
    ----------
    weights_ : dict {name: array}, "output.weight" (C, D) and "output.bias" (C,). With two classes the scores are
        (-f, f), where f is scikit-learn's decision function.
    vocabulary_ : Vocabulary, the words of the training texts. It only counts them: the encoder reads every word.
    C_ : float or None, the ``C`` of the head. ``classes_``, ``fingerprint_`` and ``n_documents_`` as in
        :class:`CNNClassifier`.
    """

    kind = "encoder"

    def __init__(
        self,
        *,
        encoder: EncoderSource = None,
        head: Any = "logistic",
        C: float | None = None,
        windows: bool = True,
        normalize: bool | None = None,
        max_length: int | None = None,
        batch_size: int = 32,
        cache: bool = True,
        skip: SkipOption = ("headers",),
        class_weight: ClassWeight = None,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.C = C
        self.windows = windows
        self.normalize = normalize
        self.max_length = max_length
        self.batch_size = batch_size
        self.cache = cache
        self.skip = skip
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state

    # ---- training

    def fit(self, X: TextInputs, y: Any, *, classes: Sequence[Any] | None = None) -> Self:
        """Embed N texts ``X`` (strings or Documents) and train the head on their labels ``y`` (N,).

        ``classes`` must be None, because multi-label classification is not supported. Raises as the other classifiers
        do, and :class:`MissingExtraError` without the package ``transformers``.
        """
        self.check_options()
        self.check_encoder_and_head()
        seed = self._seed()
        documents = check_texts(X)
        if classes is not None:
            what = "None: an EncoderClassifier has one label for each text"
            raise OptionError(must_be("classes", what, classes, "Leave it out, or train another classifier."))
        if has_label_sets(y):
            raise DataError(
                "y must have one label for each text, because an EncoderClassifier is not multi-label; got sets of "
                "labels. Train a classifier of kind cnn, boe or svm on them."
            )
        labels, codes = check_labels(y, len(documents))
        self._class_weights(labels, codes)  # checked before the texts are embedded, which can take minutes
        loaded = loaded_encoder(self.encoder)
        blank = self._model_of(loaded, EncoderHead(labels, np.zeros((1, loaded.encoder.dimensions)), np.zeros(1)))
        texts, vocabulary = self._read(blank, documents)
        embeddings = self._embeddings(blank, loaded, texts)
        from textlrp.models.encoders.head_training import train_head  # imported late: it needs scikit-learn

        fitted = train_head(self.head, embeddings, labels[codes], C=self.C, class_weight=self.class_weight, seed=seed)
        self.weights_ = {
            "output.weight": np.ascontiguousarray(fitted.head.weight, dtype=self.dtype),
            "output.bias": np.ascontiguousarray(fitted.head.bias, dtype=self.dtype),
        }
        self.vocabulary_, self.classes_, self.n_documents_ = vocabulary, labels, len(documents)
        self.C_, self.link_ = fitted.C, fitted.link
        self.encoder_digest_, self.encoder_files_ = loaded.digest, loaded.files
        self.__dict__["_loaded"] = Unpickled(self.encoder, loaded)
        return self

    def _read(self, model: EncoderModel, documents: Documents) -> tuple[list[WindowsOfText], Vocabulary]:
        """The windows and the vocabulary of N texts; raises :class:`DataError` if there is no word."""
        texts: list[WindowsOfText] = []
        words: list[list[str]] = []
        for batch in self._batches(model, documents):
            texts += model.windows_of(batch, batch.texts())
            words += [[form for form in each.forms if "\n" not in form] for each in batch.readings]
        if not any(words):
            raise DataError(
                f"none of the {len(words)} texts has a word to read with skip={self.skip!r}. Check the texts, or "
                "change skip=."
            )
        return texts, Vocabulary.build(words)

    def _embeddings(self, model: EncoderModel, loaded: LoadedEncoder, texts: Sequence[WindowsOfText]) -> NDArray[Any]:
        settings = {
            "encoder": loaded.digest, "normalize": self.normalize, "max_length": model.reader.max_length,
        }  # fmt: skip
        cache = EmbeddingCache(settings, loaded.encoder.dimensions, self.dtype) if self.cache else None
        module: Any = model.module
        return embed_texts(
            module.encoder, model.batches, texts, special=model.special, together=model.together, cache=cache
        )

    def save(self, path: str | Path, *, force: bool = False, include_encoder: bool = False) -> Path:
        """Write the fitted model to the folder ``path`` and return it; :func:`textlrp.load` reads it again.

        The folder contains ``config.json`` and the weights of the head. It names the encoder by its folder and a hash
        of its files; with ``include_encoder`` it contains a copy of it. A model whose encoder was passed as an object
        needs ``include_encoder=True``. An older model at ``path`` is replaced; any other file or folder raises
        :class:`ModelError`, or is renamed to a backup name with ``force=True``.
        """
        return save_encoder_model(self, path, force=force, include_encoder=include_encoder)
