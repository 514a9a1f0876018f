"""The demo: train, explain, write one page."""

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
from textlrp.text.corpora import Corpus, load_20newsgroups, load_sample_posts
from textlrp.text.named_corpora import Log, silent
from textlrp.text.newsgroups import NEWSGROUPS_VARIABLE
from textlrp.text.vectors import Vectors

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


def demo(path: str | Path = "demo/report.html", *, seed: int = 0, log: Log = silent, force: bool = False) -> Demo:
    """Train the default :class:`CNNClassifier` on 20 Newsgroups, explain some test posts, write one page.

    Where 20 Newsgroups cannot be had and ``$TEXTLRP_20NEWS`` is not set, the sample posts stand in, with the
    bundled model's word vectors. The folder of ``path`` is made. Raises :class:`DataError`; with ``force`` a file at
    ``path`` that is not a page of textlrp is moved to a backup name.
    """
    check_suffix(path, (".html",))
    _make_folder(Path(path).parent)
    check_output(path, PAGES, inputs=inputs_of("20newsgroups"), force=force)
    started = time.perf_counter()
    train, test, model, posts = _demo_parts(seed, log)
    log(f"training a CNN on {len(train):,} {posts}, {len(train.label_names)} groups ...")
    model.fit(train.documents, train.labels)
    seconds = time.perf_counter() - started
    predictions = list(predict(model, test))
    share_right = accuracy(predictions)
    log(f"test accuracy: {percentage(share_right)} of {len(test):,} posts, after {seconds:.0f} s")
    chosen = choose_posts(test.documents, predictions)
    whys = explain(
        model,
        [test.documents[n] for n in chosen],
        # a wrong answer is explained beside the right one
        targets=[list(dict.fromkeys((predictions[n].predicted, predictions[n].true_label))) for n in chosen],
    )
    named = f"the model names {percentage(share_right)} of them rightly"
    page = write_report(
        whys, path, title=f"{len(chosen)} of {len(test):,} {posts} kept for the test; {named}", force=force
    )
    log(f"explained {len(chosen)} of them: {page}")
    return Demo(page, test.name, share_right, seconds, tuple(predictions[n] for n in chosen))


def starting_vectors() -> Vectors:
    """The word vectors that the demo on the sample posts starts from: those of the bundled CNN."""
    return vectors_of("20newsgroups-cnn")


def _demo_parts(seed: int, log: Log) -> tuple[Corpus, Corpus, CNNClassifier, str]:
    try:
        parts = load_20newsgroups("train"), load_20newsgroups("test")
    except DataError:
        if os.environ.get(NEWSGROUPS_VARIABLE):  # asked for by the user: nothing else will do
            raise
        log(
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
            right.setdefault(predictions[n].true_label, []).append(n)
        elif len(wrong) < DEMO_WRONG:
            wrong.setdefault(predictions[n].true_label, n)
    others = sorted((group for group in right if group not in wrong), key=str)
    groups = (
        [others[k * len(others) // DEMO_RIGHT] for k in range(DEMO_RIGHT)] if len(others) > DEMO_RIGHT else others
    )
    return sorted([*wrong.values(), *(right[group][len(right[group]) // 2] for group in groups)])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise DataError(f"cannot make the folder {str(folder)!r}: {reason}.") from None
