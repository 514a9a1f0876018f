"""The work of ``textlrp train``: create a classifier from options, train it on a corpus, and save it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textlrp.cli.label_set_predictions import measures_line
from textlrp.cli.predictions import accuracy, predict
from textlrp.errors import DataError, ModelError, OptionError, must_be
from textlrp.models.base import TextClassifier
from textlrp.models.encoders.encoder_saving import save_encoder_model
from textlrp.models.estimators import ESTIMATORS, EncoderClassifier, TextEstimator
from textlrp.models.given_files import inputs_of
from textlrp.models.loading import load_folder
from textlrp.models.model_folder import bundled, check_replaceable
from textlrp.models.model_kinds import KINDS
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.models.saving import save_model
from textlrp.models.training import LOGGER
from textlrp.reports.numbers import percentage
from textlrp.text.corpora import Corpus
from textlrp.text.named_corpora import NAMED, FileOptions, Log, open_corpus, silent
from textlrp.text.tokens import make_tokenizer
from textlrp.text.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Training:
    """The result of :func:`train_corpus`: the model, saved at ``path``, and its accuracies, None if not measured."""

    model: TextClassifier
    path: Path
    documents: int
    seconds: float
    held_out_accuracy: float | None
    test_accuracy: float | None
    corpus: Corpus


def new_model(
    kind: str,
    *,
    seed: int = 0,
    epochs: int | None = None,
    vectors: VectorSource = None,
    skip: Sequence[str] = ("headers",),
    stop_words: Sequence[str] | None = None,
    tokenizer: str | None = None,
    encoder: str | None = None,
    include_encoder: bool = False,
) -> TextClassifier:
    """Create an untrained classifier by its short name, a key of :data:`KINDS`.

    Options that are None keep the default of the classifier. ``tokenizer`` is a name as in :func:`make_tokenizer`.
    ``vectors`` is a file or the name of a bundled model whose word vectors are used. ``encoder`` is the folder of a
    sentence encoder; it and ``include_encoder`` belong to that kind only. Raises :class:`OptionError`.
    """
    if kind not in KINDS:
        raise OptionError(must_be("model", f"one of {', '.join(KINDS)}", kind))
    if tokenizer is not None:
        make_tokenizer(tokenizer)  # refuse a wrong name before the corpus is read
    skip, words = tuple(skip), dict[str, Any]() if tokenizer is None else {"tokenizer": tokenizer}
    estimator = ESTIMATORS[kind]
    if (epochs is not None or vectors is not None) and not issubclass(estimator, NetClassifier):
        nets = " and ".join(name for name, each in ESTIMATORS.items() if issubclass(each, NetClassifier))
        raise OptionError(
            f"epochs and vectors apply to neural networks ({nets}); the {kind} has neither. Leave them out."
        )
    if issubclass(estimator, EncoderClassifier):
        if stop_words is not None:
            raise OptionError(
                "stop-words must be left out for the model encoder: a sentence encoder reads whole texts. Train a "
                "model of kind cnn, boe or svm."
            )
        return _new_encoder_model(encoder, tokenizer, skip, seed)
    if encoder is not None or include_encoder:
        name = "include-encoder" if encoder is None else "encoder"
        raise OptionError(f"{name} applies to the model encoder; the {kind} has none. Leave it out.")
    model: TextEstimator = estimator(skip=skip, stop_words=stop_words, random_state=seed, **words)
    if epochs is not None:
        model.set_params(max_epochs=epochs)
    if vectors is not None:
        model.set_params(vectors=vectors_of(str(vectors)) if str(vectors) in bundled() else vectors)
    return model


def _new_encoder_model(
    encoder: str | None, tokenizer: str | None, skip: tuple[str, ...], seed: int
) -> EncoderClassifier:
    if tokenizer is not None:
        raise OptionError("tokenizer must be left out for the model encoder: a sentence encoder has its own.")
    if encoder is None:
        raise OptionError(
            "encoder must be the folder of a SentenceTransformer for the model encoder; got None. Pass "
            "--encoder FOLDER."
        )
    model = EncoderClassifier(encoder=encoder, skip=skip, random_state=seed)
    model.check_encoder_and_head()  # before the corpus is read
    return model


def vectors_of(name: str) -> Vectors:
    """Return the word vectors of a saved or bundled net; raises :class:`ModelError`."""
    model = load_folder(name)
    if not isinstance(model, NetClassifier):
        raise ModelError(f"{name} is a bag of words, which has no word vectors. Name a model of kind cnn or boe.")
    return model.word_vectors_


def train_corpus(
    source: str | Path,
    path: str | Path,
    *,
    model: TextClassifier,
    files: FileOptions | None = None,
    include_encoder: bool = False,
    log: Log = silent,
    force: bool = False,
) -> Training:
    """Train ``model`` on a corpus and save it to the folder ``path``.

    A named corpus is split: the model is trained on its training part and tested on its test part; see
    :func:`open_corpus`. ``include_encoder`` saves a copy of the encoder with an EncoderClassifier. ``log`` gets
    each line of progress. With ``force``, other files at ``path`` are moved to a backup name; without it,
    :class:`ModelError` is raised before the training. Raises as the estimators do.
    """
    given = [getattr(model, name, None) for name in ("vectors", "encoder")]
    files_read = [each for each in given if isinstance(each, (str, Path))]
    check_model_folder(path, inputs=inputs_of(source, files=files_read), force=force)
    corpus = open_corpus(source, "train", files)
    check_labeled(corpus)
    labels = labels_to_train_on(corpus)
    if (
        files is not None
        and files.label_separator is not None
        and not any(isinstance(row, tuple) and len(row) > 1 for row in labels)
    ):
        raise DataError(
            f"label_separator must occur in the labels; {files.label_separator!r} occurs in none of the "
            f"{len(labels):,} texts of {corpus.name}. Pass the right one, or leave it out for one label per text."
        )
    classes = len(corpus.label_names)
    log(f"read {len(corpus):,} texts of {classes} class{'es' * (classes != 1)} from {corpus.name}")
    if 2 * classes > len(corpus):
        log(f"warning: {classes:,} classes for {len(corpus):,} texts. Check --label.")
    started = time.perf_counter()
    with _training_log(log):
        model.fit(corpus.documents, labels)
    seconds = time.perf_counter() - started
    log(f"trained in {seconds:.1f} s")
    held_out = None
    if model.held_out_labels_ is not None:
        held_out = model.held_out_labels_.subset_accuracy
        log(f"on the texts kept out of training to choose the thresholds: {measures_line(model.held_out_labels_)}")
    elif isinstance(model, NetClassifier) and model.history_.accuracies:
        held_out = model.history_.accuracies[model.history_.kept_epoch - 1]
        log(f"accuracy on the {model.history_.held_out:,} texts kept out of training: {percentage(held_out)}")
    tested = None
    if str(source) in NAMED:
        test = open_corpus(source, "test")
        tested = accuracy(predict(model, test))
        log(f"test accuracy: {percentage(tested)} ({len(test):,} posts)")
    card = {
        "corpus": corpus.name,
        "documents": len(corpus),
        "seed": model.random_state,
        "held_out_accuracy": held_out,
        "test_accuracy": tested,
    }
    if isinstance(model, EncoderClassifier):
        folder = save_encoder_model(model, path, card=card, force=force, include_encoder=include_encoder)
    else:
        folder = save_model(model, path, card=card, force=force)
    log(f"saved to {folder} ({_folder_size(folder)})")
    return Training(model, folder, len(corpus), seconds, held_out, tested, corpus)


class _Lines(logging.Handler):
    """A logging handler that passes each message to a function."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log(record.getMessage())


@contextmanager
def _training_log(log: Log) -> Iterator[None]:
    """Pass the log messages of the training, such as its expected duration, to ``log``."""
    handler, level = _Lines(log), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


def labels_to_train_on(corpus: Corpus) -> list[Any]:
    """Return the labels (N,); if a document has a list of labels, those of all documents as lists."""
    labels: list[Any] = corpus.labels
    if any(isinstance(label, tuple) for label in labels):
        return [label if isinstance(label, tuple) else (label,) for label in labels]
    return labels


def check_labeled(corpus: Corpus) -> None:
    """Raise :class:`DataError` for the first document without a label."""
    unlabeled = [document.id for document in corpus.documents if document.label is None]
    if len(unlabeled) == len(corpus):
        raise DataError(f"{corpus.name} has no labels to train on. Pass the name of their column as label=.")
    if unlabeled:
        others = f" (and of {len(unlabeled) - 1:,} more)" if len(unlabeled) > 1 else ""
        raise DataError(
            f"{corpus.name}: the label of document {unlabeled[0]!r}{others} is missing. Fill it in or drop the "
            "document. To skip such rows, pass skip_bad=True."
        )


def check_model_folder(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise :class:`ModelError` if a model cannot be saved at ``path``. Call it before the training, not after it."""
    check_replaceable(Path(path), inputs=inputs, force=force)


def _folder_size(folder: Path) -> str:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
