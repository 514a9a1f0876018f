"""The work of ``textlrp demo``: train a CNN, explain some test posts, write one page.

Open it to change the data, the settings of the model, or which posts are shown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textlrp.cli.predictions import Prediction, accuracy, predict
from textlrp.cli.training_run import vectors_of
from textlrp.errors import DataError
from textlrp.explainers.explain import explain
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output, check_suffix
from textlrp.models.estimators import CNNClassifier
from textlrp.models.given_files import inputs_of
from textlrp.records import Document, Label
from textlrp.reports.corpus.report_files import write_report
from textlrp.reports.numbers import percentage
from textlrp.text.corpora import Corpus
from textlrp.text.named_corpora import Log, silent
from textlrp.text.newsgroups import NEWSGROUPS_VARIABLE
from textlrp.text.post_corpora import load_20newsgroups, load_sample_posts
from textlrp.text.vectors import Vectors

SAMPLE_SETTINGS: Mapping[str, Any] = {"min_df": 1, "batch_size": 16, "validation_fraction": 0.1}
"""Settings of ``CNNClassifier`` for the 180 sample posts that differ from its defaults, besides ``vectors``."""

DEMO_CORRECT, DEMO_INCORRECT = 9, 3
"""Number of correctly and of incorrectly classified posts that the demo shows, at most."""

DEMO_CHARACTERS = range(500, 2500)
"""Length of the posts that the demo shows: long enough to be of interest, short enough to be read."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The result of :func:`demo`.

    ``accuracy`` is the test accuracy on ``corpus``, ``seconds`` the duration of the training, and ``shown`` the
    predictions for the posts on the page at ``path``.
    """

    path: Path
    corpus: str
    accuracy: float
    seconds: float
    shown: tuple[Prediction, ...]


def demo(path: str | Path = "demo/report.html", *, seed: int = 0, log: Log = silent, force: bool = False) -> Demo:
    """Train the default :class:`CNNClassifier` on 20 Newsgroups, explain some test posts, write one page.

    If 20 Newsgroups is not available and ``$TEXTLRP_20NEWS`` is not set, the demo uses the sample posts, with the
    word vectors of the bundled CNN. The folder of ``path`` is created. With ``force``, a file at ``path`` that is not
    a page of textlrp is moved to a backup name; without it, :class:`DataError` is raised.
    """
    check_suffix(path, (".html",))
    _make_folder(Path(path).parent)
    check_output(path, PAGES, inputs=inputs_of("20newsgroups"), force=force)
    started = time.perf_counter()
    train, test, model, posts = _demo_parts(seed, log)
    log(f"training a CNN on {len(train):,} {posts} ({len(train.label_names)} classes) ...")
    model.fit(train.documents, train.labels)
    seconds = time.perf_counter() - started
    predictions = list(predict(model, test))
    share = accuracy(predictions)
    correct = sum(prediction.correct is True for prediction in predictions)
    summary = f"test accuracy {percentage(share)} ({correct:,} of {len(test):,})"
    log(f"{summary}, trained in {seconds:.0f} s")
    chosen = choose_posts(test.documents, predictions)
    whys = explain(
        model,
        [test.documents[n] for n in chosen],
        # an incorrect prediction is explained together with the true label
        targets=[list(dict.fromkeys((predictions[n].predicted, predictions[n].true_label))) for n in chosen],
    )
    title = f"{posts[0].upper()}{posts[1:]}: {summary}. {len(chosen)} documents shown."
    page = write_report(whys, path, title=title, force=force)
    log(f"wrote {page}: {len(chosen)} test posts explained")
    return Demo(page, test.name, share, seconds, tuple(predictions[n] for n in chosen))


def starting_vectors() -> Vectors:
    """Word vectors from which the CNN for the sample posts starts: those of the bundled CNN."""
    return vectors_of("20newsgroups-cnn")


def _demo_parts(seed: int, log: Log) -> tuple[Corpus, Corpus, CNNClassifier, str]:
    try:
        parts = load_20newsgroups("train"), load_20newsgroups("test")
    except DataError:
        if os.environ.get(NEWSGROUPS_VARIABLE):  # the user named the archive, so do not replace it
            raise
        log(
            "20 Newsgroups is not on this machine and cannot be downloaded. The demo uses the sample posts that come "
            f"with textlrp. To use 20 Newsgroups, set {NEWSGROUPS_VARIABLE} to the path of 20news-bydate.tar.gz."
        )
        model = CNNClassifier(random_state=seed, vectors=starting_vectors(), **SAMPLE_SETTINGS)
        return load_sample_posts("train"), load_sample_posts("test"), model, "sample posts"
    return *parts, CNNClassifier(random_state=seed), "posts of 20 Newsgroups"


def choose_posts(documents: Sequence[Document], predictions: Sequence[Prediction]) -> list[int]:
    """Choose a dozen readable posts, each of another newsgroup; return their positions, ascending.

    :data:`DEMO_INCORRECT` of them are incorrectly classified: the most confident errors. The others are correctly
    classified: the one with the median probability of its newsgroup.
    """
    readable = [n for n, document in enumerate(documents) if len(document.text) in DEMO_CHARACTERS]
    by_confidence = sorted(readable, key=lambda n: (-(predictions[n].probability or 0.0), n))
    incorrect: dict[Label | None, int] = {}
    correct: dict[Label | None, list[int]] = {}
    for n in by_confidence:
        if predictions[n].correct:
            correct.setdefault(predictions[n].true_label, []).append(n)
        elif len(incorrect) < DEMO_INCORRECT:
            incorrect.setdefault(predictions[n].true_label, n)
    groups = sorted((group for group in correct if group not in incorrect), key=str)
    if len(groups) > DEMO_CORRECT:  # evenly spaced over the alphabet, so that all topics are represented
        groups = [groups[k * len(groups) // DEMO_CORRECT] for k in range(DEMO_CORRECT)]
    return sorted([*incorrect.values(), *(correct[group][len(correct[group]) // 2] for group in groups)])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise DataError(f"cannot create the folder {str(folder)!r}: {reason}. Name another.") from None
