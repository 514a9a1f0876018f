"""Whole-corpus runs: what the commands of the command line do, as functions.

Functions that take a while tell how far they are through ``say``, which gets one line of text at a time.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from textlrp.errors import DataError, ModelError, OptionError
from textlrp.explainers.explain import BLOCK, explain
from textlrp.files import written_beside
from textlrp.models.base import TextClassifier
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.models.bundle import KINDS, bundled, load, save_model
from textlrp.models.cnn import CNNClassifier
from textlrp.models.embeddings import BagOfEmbeddingsClassifier
from textlrp.models.nets import NetClassifier, VectorSource
from textlrp.records import Document, Explanation, Label
from textlrp.reports.html import write_report
from textlrp.reports.marks import percentage
from textlrp.store import write
from textlrp.text.datasets import (
    NEWSGROUPS_VARIABLE,
    Corpus,
    Subset,
    load_20newsgroups,
    load_corpus,
    load_sample_posts,
)
from textlrp.text.vectors import Vectors

NAMED = {"20newsgroups": load_20newsgroups, "sample": load_sample_posts}
"""Corpora that are asked for by name; ``./sample`` is a path."""

Say = Callable[[str], object]


def silent(line: str) -> None:
    """Say nothing."""


# ---- reading


def open_corpus(
    source: str | Path,
    subset: Subset,
    *,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str | None = None,
) -> Corpus:
    """A corpus by name (``20newsgroups`` or ``sample``: its ``subset``) or from a path (all of it).

    The options are those of :func:`textlrp.load_corpus`. Raises :class:`DataError` where there is none,
    :class:`OptionError` where a corpus with a name comes with options of files.
    """
    if str(source) in NAMED:
        if text or label or id or encoding:
            raise OptionError(
                f"{source} is read as it is; columns and encodings belong to files "
                f"(a folder of that name is ./{source})."
            )
        return NAMED[str(source)](subset)
    if not Path(source).expanduser().exists():
        raise DataError(
            f"there is no file or folder {str(source)!r}; a corpus is a .csv, .tsv, .jsonl or .parquet file, "
            f"a folder of class folders, or one of the names {' and '.join(NAMED)}."
        )
    return load_corpus(source, text=text, label=label, id=id, encoding=encoding or "utf-8")


def spread(corpus: Corpus, limit: int) -> Iterator[Document]:
    """At most ``limit`` documents, evenly spaced: corpora are often sorted by class."""
    total = len(corpus)
    wanted = {position * total // limit for position in range(limit)} if limit < total else range(total)
    return (document for position, document in enumerate(corpus) if position in wanted)


# ---- training


@dataclass(frozen=True, slots=True)
class Training:
    """What :func:`train_corpus` did: the saved model, and its accuracies where there are any."""

    model: TextClassifier
    path: Path
    documents: int
    seconds: float
    held_out_accuracy: float | None
    test_accuracy: float | None


def new_model(
    kind: str,
    *,
    seed: int = 0,
    epochs: int | None = None,
    vectors: VectorSource = None,
    skip: Sequence[str] = ("headers",),
) -> TextClassifier:
    """An untrained classifier by its short name, "cnn", "boe" or "svm"; what is None stays at its default.

    ``vectors`` may name a bundled model, whose word vectors are taken. Raises :class:`OptionError`.
    """
    if kind not in KINDS:
        raise OptionError(f"no model is called {kind!r}; there are {', '.join(KINDS)}.")
    skip = tuple(skip)
    if kind == BagOfWordsClassifier.kind:
        if epochs is not None or vectors is not None:
            raise OptionError("epochs and word vectors are for the nets (cnn and boe); the svm has neither.")
        return BagOfWordsClassifier(skip=skip, random_state=seed)
    net = CNNClassifier if kind == CNNClassifier.kind else BagOfEmbeddingsClassifier
    model: TextClassifier = net(skip=skip, random_state=seed)
    if epochs is not None:
        model.set_params(max_epochs=epochs)
    if vectors is not None:
        model.set_params(vectors=vectors_of(str(vectors)) if str(vectors) in bundled() else vectors)
    return model


def vectors_of(name: str) -> Vectors:
    """The word vectors of a saved or bundled net; raises :class:`ModelError`."""
    model = load(name)
    if not isinstance(model, NetClassifier):
        raise ModelError(f"{name} is a bag of words and has no word vectors; name a cnn or boe.")
    return model.word_vectors_


def train_corpus(
    source: str | Path,
    path: str | Path,
    *,
    model: TextClassifier,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str | None = None,
    say: Say = silent,
) -> Training:
    """Train ``model`` on a corpus and save it to the folder ``path``.

    A corpus with a name is trained on its train part and measured on its test part; see :func:`open_corpus`.
    Raises as the estimators do, and :class:`ModelError` before the training if ``path`` cannot be taken.
    """
    check_model_folder(path)
    corpus = open_corpus(source, "train", text=text, label=label, id=id, encoding=encoding)
    check_labelled(corpus)
    classes = len(corpus.label_names)
    say(f"read {len(corpus):,} texts of {classes} class{'es' * (classes != 1)} from {corpus.name}")
    started = time.perf_counter()
    model.fit(corpus.documents, corpus.labels)
    seconds = time.perf_counter() - started
    say(f"trained in {seconds:.1f} s")
    held_out = _held_out_accuracy(model)
    if held_out is not None:
        say(f"accuracy on held-out texts of these: {percentage(held_out)}")
    tested = None
    if str(source) in NAMED:
        test = open_corpus(source, "test")
        tested = _accuracy(test, predict(model, test))
        say(f"accuracy on the {len(test):,} test posts: {percentage(tested)}")
    card = {
        "corpus": corpus.name,
        "documents": len(corpus),
        "seed": model.random_state,
        "held_out_accuracy": held_out,
        "test_accuracy": tested,
    }
    folder = save_model(model, path, card=card)
    say(f"saved to {folder} ({_size(folder)})")
    return Training(model, folder, len(corpus), seconds, held_out, tested)


def check_labelled(corpus: Corpus) -> None:
    """Raise :class:`DataError` for the first document without a label."""
    bare = [document.id for document in corpus.documents if document.label is None]
    if len(bare) == len(corpus):
        raise DataError(f"{corpus.name} has no labels to train on; name their column with label=.")
    if bare:
        others = f" (and {len(bare) - 1:,} more)" if len(bare) > 1 else ""
        raise DataError(f"{corpus.name}: document {bare[0]!r}{others} has no label; remove it or give it one.")


def check_model_folder(path: str | Path) -> None:
    """Raise :class:`ModelError` if a model cannot be saved here: found out before the training, not after it."""
    target = Path(path)
    if target.is_dir() and any(target.iterdir()) and not (target / "config.json").is_file():
        raise ModelError(f"{target} is a folder with other things in it; name a new folder or an older model.")
    standing = next(folder for folder in (target, *target.absolute().parents) if folder.exists())
    if not standing.is_dir():
        raise ModelError(f"{standing} is a file; a model is saved as a folder.")
    if not os.access(standing, os.W_OK):
        raise ModelError(f"the folder {standing} cannot be written to; name another place for the model.")


def _held_out_accuracy(model: TextClassifier) -> float | None:
    if not isinstance(model, NetClassifier) or not model.history_.accuracies:
        return None
    return model.history_.accuracies[model.history_.kept_epoch - 1]


def _size(folder: Path) -> str:
    size = sum(file.stat().st_size for file in folder.iterdir())
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


# ---- predicting


class Prediction(NamedTuple):
    """The class a model names for a document; ``score`` is pre-softmax, ``gold`` the document's own label."""

    id: str
    predicted: Label
    score: float
    probability: float | None
    gold: Label | None

    @property
    def right(self) -> bool | None:
        """Whether it is the document's own label, compared as text; None where there is none."""
        return None if self.gold is None else str(self.gold) == str(self.predicted)


def predict(model: TextClassifier, documents: Iterable[Document]) -> Iterator[Prediction]:
    """The predicted class of each document, lazily and in order."""
    rest = iter(documents)
    classes = model.classes_.tolist()
    while block := list(islice(rest, BLOCK)):
        scores = model.scores(model.encode(block))
        probabilities = model.probabilities(scores)
        for n, document in enumerate(block):
            best = int(scores[n].argmax())
            probability = None if probabilities is None else float(probabilities[n, best])
            yield Prediction(document.id, classes[best], float(scores[n, best]), probability, document.label)


PREDICTION_COLUMNS = ("id", "predicted", "score", "probability")
PREDICTION_FILES = (".jsonl", ".csv")


def write_predictions(predictions: Iterable[Prediction], path: str | Path) -> Path:
    """Write to ``.jsonl`` or ``.csv``, one document a line; raises :class:`DataError`."""
    suffix = check_output(path, PREDICTION_FILES)
    with written_beside(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".csv":
            stream_table(predictions, file)
        else:
            for prediction in predictions:
                values = dict(zip(PREDICTION_COLUMNS, prediction, strict=False))
                file.write(json.dumps(values) + "\n")
    return Path(path)


def stream_table(predictions: Iterable[Prediction], file: IO[str], *, delimiter: str = ",") -> None:
    """Write a header line and one line a document, as they come."""
    table = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    table.writerow(PREDICTION_COLUMNS)
    for id, predicted, score, probability, _ in predictions:
        table.writerow([id, predicted, f"{score:.6g}", "" if probability is None else f"{probability:.6g}"])


# ---- explaining

EXPLANATION_FILES = (".html", ".jsonl", ".parquet")


def explain_corpus(
    model: TextClassifier,
    documents: Iterable[Document],
    *,
    targets: Sequence[str] = (),
    versus: str | None = None,
    rule: str = "epsilon",
) -> Iterator[Explanation]:
    """:func:`textlrp.explain` with classes given as text: ``"3"`` is the class 3 of a model of whole numbers.

    ``targets`` may hold ``"all"``; none is the predicted class. ``versus`` B asks of each target A why A and not B.
    Raises :class:`TargetError`, :class:`RuleError`, and :class:`OptionError` where ``versus`` has nothing to
    be compared with.
    """
    names: list[Any] = [class_named(model, name) for name in targets]
    if versus is not None:
        if not names:
            raise OptionError(f"versus {versus!r} needs a target: the class whose score it is held against.")
        other = class_named(model, versus)
        names = [(name, other) for name in names]
    return explain(model, documents, target=names or None, rule=rule)


def class_named(model: TextClassifier, name: str) -> Label:
    """The class that is written ``name``, or ``name`` itself where there is none."""
    return next((label for label in model.classes_.tolist() if str(label) == name), name)


def write_explanations(explanations: Iterable[Explanation], path: str | Path, *, title: str | None = None) -> Path:
    """Write to ``.html``, ``.jsonl`` or ``.parquet``: the page of one document, or a list of several.

    Raises :class:`DataError` for any other name, and where the place cannot be written to.
    """
    if check_output(path, EXPLANATION_FILES) != ".html":
        return write(explanations, path)
    rest = iter(explanations)
    first = list(islice(rest, 2))
    return write_report(first[0] if len(first) == 1 else chain(first, rest), path, title=title)


def check_output(path: str | Path, suffixes: Sequence[str]) -> str:
    """The suffix of a file to write; else :class:`DataError`: another suffix, or no such folder."""
    suffix, folder = check_suffix(path, suffixes), Path(path).parent
    if not folder.is_dir():
        raise DataError(f"cannot write {str(path)!r}: the folder {str(folder)!r} does not exist. Make it first.")
    return suffix


def check_suffix(path: str | Path, suffixes: Sequence[str]) -> str:
    """The suffix of a file to write; raises :class:`DataError` if it is none of these."""
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise DataError(f"cannot tell the format of {str(path)!r}; end the name in {' or '.join(suffixes)}.")
    return suffix


# ---- the demo

SAMPLE_SETTINGS: Mapping[str, Any] = {"min_df": 1, "batch_size": 16, "validation_fraction": 0.1}
"""Where ``CNNClassifier`` leaves its defaults for the 180 sample posts, beside the :func:`starting_vectors`."""

DEMO_RIGHT, DEMO_WRONG = 9, 3
DEMO_CHARACTERS = range(500, 2500)
"""Length of the posts that the demo shows, so that they can be read."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What :func:`demo` did."""

    path: Path
    corpus: str
    accuracy: float
    seconds: float
    shown: tuple[Prediction, ...]


def demo(path: str | Path = "demo/report.html", *, seed: int = 0, say: Say = silent) -> Demo:
    """Train the default :class:`CNNClassifier` on 20 Newsgroups, explain some test posts, write one page.

    Where 20 Newsgroups cannot be had and ``$TEXTLRP_20NEWS`` is not set, the sample posts stand in, with the
    bundled model's word vectors. The folder of ``path`` is made. Raises :class:`DataError`.
    """
    check_suffix(path, (".html",))
    _make_folder(Path(path).parent)
    started = time.perf_counter()
    train, test, model, posts = _demo_parts(seed, say)
    say(f"training a CNN on {len(train):,} {posts}, {len(train.label_names)} groups ...")
    model.fit(train.documents, train.labels)
    seconds = time.perf_counter() - started
    predictions = list(predict(model, test))
    accuracy = _accuracy(test, predictions)
    say(f"test accuracy: {percentage(accuracy)} of {len(test):,} posts, after {seconds:.0f} s")
    chosen = choose_posts(test.documents, predictions)
    whys = explain(
        model,
        [test.documents[n] for n in chosen],
        # a wrong answer is explained beside the right one
        targets=[list(dict.fromkeys((predictions[n].predicted, predictions[n].gold))) for n in chosen],
    )
    named = f"the model names {percentage(accuracy)} of them rightly"
    page = write_report(whys, path, title=f"{len(chosen)} of {len(test):,} {posts} kept for the test; {named}")
    say(f"explained {len(chosen)} of them: {page}")
    return Demo(page, test.name, accuracy, seconds, tuple(predictions[n] for n in chosen))


def starting_vectors() -> Vectors:
    """The word vectors that the demo on the sample posts starts from: those of the bundled CNN."""
    return vectors_of("20newsgroups-cnn")


def _demo_parts(seed: int, say: Say) -> tuple[Corpus, Corpus, CNNClassifier, str]:
    try:
        parts = load_20newsgroups("train"), load_20newsgroups("test")
    except DataError:
        if os.environ.get(NEWSGROUPS_VARIABLE):  # asked for by the user: nothing else will do
            raise
        say(
            "20 Newsgroups is not on this machine and cannot be downloaded, so this demo runs on the sample posts "
            f"that come with textlrp; set {NEWSGROUPS_VARIABLE} to 20news-bydate.tar.gz for the real ones."
        )
        model = CNNClassifier(random_state=seed, vectors=starting_vectors(), **SAMPLE_SETTINGS)
        return load_sample_posts("train"), load_sample_posts("test"), model, "sample posts"
    return *parts, CNNClassifier(random_state=seed), "posts of 20 Newsgroups"


def choose_posts(documents: Sequence[Document], predictions: Sequence[Prediction]) -> list[int]:
    """Positions of a dozen readable posts, each of another group, in order: right ones and a few wrong ones.

    Wrong are those the model was surest of; the right one of a group is the middle one by probability.
    """
    readable = [n for n, document in enumerate(documents) if len(document.text) in DEMO_CHARACTERS]
    by_sureness = sorted(readable, key=lambda n: (-(predictions[n].probability or 0.0), n))
    wrong: dict[Label | None, int] = {}
    right: dict[Label | None, list[int]] = {}
    for n in by_sureness:
        if predictions[n].right:
            right.setdefault(predictions[n].gold, []).append(n)
        elif len(wrong) < DEMO_WRONG:
            wrong.setdefault(predictions[n].gold, n)
    others = sorted((group for group in right if group not in wrong), key=str)
    groups = (
        [others[k * len(others) // DEMO_RIGHT] for k in range(DEMO_RIGHT)] if len(others) > DEMO_RIGHT else others
    )
    return sorted([*wrong.values(), *(right[group][len(right[group]) // 2] for group in groups)])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"cannot make the folder {str(folder)!r}: {problem.strerror}.") from None


def _accuracy(corpus: Corpus, predictions: Iterable[Prediction]) -> float:
    return sum(bool(prediction.right) for prediction in predictions) / len(corpus)
