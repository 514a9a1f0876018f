"""Accuracy of the default bag of words against five plain scikit-learn pipelines, on labeled corpora of any kind.

Name CSV, TSV, JSON lines or Parquet files, or folders of them, and "20newsgroups" for 20 Newsgroups by date (headers
ignored, by the pipelines too). A file has a column with texts and one with labels, as ``textlrp.load_corpus`` finds
them. Rows whose column ``split`` is "test" are the test part; without that column one row in four is, stratified by
class. A corpus without labels or with a single class stops the run.

``--part validation`` never reads the test parts: it trains on seven tenths of each training part and scores the rest.
Choose options there, with ``--option``, and read the test parts once, at the end.

    python benchmarks/package_corpora.py packages lists -o corpora      (makes corpora: see there)
    python benchmarks/corpora.py corpora 20newsgroups [--page docs/corpora.md]
    python benchmarks/corpora.py corpora --part validation --option C=1 --option 'char_ngrams=[2, 4]' --ours
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

import textlrp
from textlrp.errors import DataError, TextlrpError
from textlrp.models.pipeline.provenance import blank

NEWSGROUPS = "20newsgroups"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet")
CHARACTERS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (2, 5)}
PLAIN: dict[str, Callable[[], Any]] = {
    "words, logistic regression": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)),
    "words 1-2, SVM": lambda: make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC(random_state=0)),
    "characters 2-5, SVM": lambda: make_pipeline(TfidfVectorizer(**CHARACTERS), LinearSVC(random_state=0)),
    "words + characters, SVM": lambda: make_pipeline(
        make_union(TfidfVectorizer(), TfidfVectorizer(**CHARACTERS)), LinearSVC(random_state=0)
    ),
    "counts, naive Bayes": lambda: make_pipeline(CountVectorizer(), ComplementNB()),
}
"""The pipelines, at scikit-learn's settings; characters are ``char_wb``, naive Bayes is ``ComplementNB``."""
ABOUT = """# The default bag of words on corpora of different kinds

Test accuracy in %, of `BagOfWordsClassifier()` at its defaults and of five plain scikit-learn pipelines at their
usual settings, on the same split. The options of our model were chosen on validation texts taken out of the training
parts; the test parts were read once. The last column has the 95% interval of the difference (paired over test texts).
The best pipeline of each row is picked on its test part, which favors the pipelines.

Corpora are files with the columns `text`, `label` and, if you like, `split`. `benchmarks/package_corpora.py` makes
those of this table out of text that public packages ship; its docstring has the commands. Your own files work too:

    python benchmarks/corpora.py FOLDER|FILES... 20newsgroups --page docs/corpora.md

"""


class Split(NamedTuple):
    """One corpus: texts to train on and to score, with their labels."""

    name: str
    train: list[str]
    train_labels: list[Any]
    test: list[str]
    test_labels: list[Any]


class Outcome(NamedTuple):
    """Which texts were right, (N,), and the seconds of fitting and of predicting."""

    right: NDArray[np.bool_]
    fitting: float
    predicting: float

    @property
    def accuracy(self) -> float:
        """In %."""
        return 100 * float(self.right.mean())


# ---- corpora


def corpora(names: Sequence[str], part: str) -> Iterator[Split]:
    """The corpora of the command line, one after another."""
    for name in names:
        if name == NEWSGROUPS:
            yield newsgroups(part)
        elif Path(name).is_dir():
            files = sorted(path for path in Path(name).iterdir() if path.name.lower().endswith(SUFFIXES))
            if not files:
                raise DataError(f"{name} has no corpus; the files must end in {', '.join(SUFFIXES)}.")
            yield from (of_file(path, part) for path in files)
        else:
            yield of_file(Path(name), part)


def of_file(path: Path, part: str) -> Split:
    """A file in its own split, or in a stratified one."""
    corpus = textlrp.load_corpus(path)
    texts, labels = corpus.texts, np.array(corpus.labels, dtype=object)
    if None in corpus.labels or len(corpus.label_names) < 2:
        raise DataError(f"every row of {path} must have a label, of two or more classes.")
    try:
        given = textlrp.load_corpus(path, label="split").labels
    except DataError:  # no such column
        test = np.zeros(len(texts), dtype=bool)
        test[_stratified(labels, 0.25)] = True
    else:
        test = np.array([each == "test" for each in given])
    train = np.flatnonzero(~test)
    return _split(path.name.split(".")[0], texts, labels, train, np.flatnonzero(test), part)


def newsgroups(part: str) -> Split:
    """20 Newsgroups by date with the headers as blanks; validation posts are the later three tenths of each group."""
    both = [textlrp.load_20newsgroups(half, remove=("headers",)) for half in ("train", "test")]
    documents = [document for corpus in both for document in corpus.documents]
    texts = [blank(document.text, document.skip) for document in documents]
    labels = np.array([document.label for document in documents], dtype=object)
    first = np.arange(len(both[0]))
    if part == "test":
        return _split(NEWSGROUPS, texts, labels, first, np.arange(len(first), len(texts)), part)
    later = np.zeros(len(first), dtype=bool)
    for label in set(labels[first]):
        own = [row for row in first.tolist() if labels[row] == label]  # in the order of their numbers
        later[own[len(own) - 3 * len(own) // 10 :]] = True
    return _split(NEWSGROUPS, texts, labels, first[~later], first[later], "test")


def _split(
    name: str, texts: list[str], labels: NDArray[Any], train: NDArray[Any], test: NDArray[Any], part: str
) -> Split:
    if part == "validation":
        held = np.zeros(len(train), dtype=bool)
        held[_stratified(labels[train], 0.3)] = True
        train, test = train[~held], train[held]
    if not len(test) or not len(train):
        raise DataError(f"{name} must have texts to train on and texts to test; got {len(train)} and {len(test)}.")
    return Split(
        name, [texts[n] for n in train], labels[train].tolist(), [texts[n] for n in test], labels[test].tolist()
    )


def _stratified(labels: NDArray[Any], share: float) -> NDArray[Any]:
    """Rows to hold out; a class with a single text stays whole."""
    _, of, counts = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[of] > 1)
    size = max(round(share * len(rows)), int((counts > 1).sum()))
    held: NDArray[Any] = train_test_split(rows, test_size=size, random_state=0, stratify=of[rows])[1]
    return held


# ---- measuring


def outcome(model: Any, split: Split) -> Outcome:
    """Fit a model, and see which texts it gets right."""
    begin = time.perf_counter()
    model.fit(split.train, split.train_labels)
    fitted = time.perf_counter()
    predicted = model.predict(split.test).tolist()
    done = time.perf_counter()
    right = np.array([a == b for a, b in zip(predicted, split.test_labels, strict=True)])
    return Outcome(right, fitted - begin, done - fitted)


def row(split: Split, ours: Outcome, plain: dict[str, Outcome]) -> str:
    """One line of the table."""
    sizes = f"{len(split.train):,} / {len(split.test):,}"
    start = f"| {split.name} | {sizes} | {len(set(split.train_labels))} | "
    own = f"**{ours.accuracy:.2f}** | {ours.fitting:.1f}"
    if not plain:
        return f"{start}{own} |"
    best = max(plain.values(), key=lambda each: each.accuracy)
    paired = ours.right.astype(float) - best.right
    half = 196 * paired.std() / np.sqrt(len(paired))
    numbers = " | ".join(f"{each.accuracy:.2f}" for each in plain.values())
    return f"{start}{numbers} | {best.accuracy:.2f} | {own} | {ours.accuracy - best.accuracy:+.2f} (± {half:.2f}) |"


def heading(plain: Sequence[str]) -> str:
    """The head of the table."""
    middle = [*plain, "best of these"] if plain else []
    titles = [
        "corpus",
        "train / test texts",
        "classes",
        *middle,
        "ours",
        "fit, s",
        *(["difference"] if plain else []),
    ]
    return f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"


def ours(options: Sequence[str]) -> textlrp.BagOfWordsClassifier:
    """The model at its defaults, but for options such as ``C=0.5``; values are JSON, or plain text."""
    model = textlrp.BagOfWordsClassifier()
    for option in options:
        name, _, value = option.partition("=")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        model.set_params(**{name: tuple(parsed) if isinstance(parsed, list) else parsed})
    model.check_options()
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", help=f"files, folders of files, or {NEWSGROUPS}")
    parser.add_argument("--part", choices=["test", "validation"], default="test")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of our model")
    parser.add_argument("--ours", action="store_true", help="leave the plain pipelines out")
    parser.add_argument("--page", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    plain = {} if options.ours else PLAIN
    lines = [heading(list(plain))]
    print(lines[0], flush=True)
    try:
        ours(options.option)
        for split in corpora(options.corpora, options.part):
            found = {name: outcome(make(), split) for name, make in plain.items()}
            lines.append(row(split, outcome(ours(options.option), split), found))
            print(lines[-1], flush=True)
    except (TextlrpError, ValueError) as problem:
        sys.exit(f"corpora.py: {problem}")
    if options.page is not None:
        options.page.write_text(ABOUT + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
