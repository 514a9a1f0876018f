"""Accuracy of the default bag of words compared with five plain scikit-learn pipelines, on labeled corpora.

Pass CSV, TSV, JSON Lines or Parquet files or folders of them, and "20newsgroups" for 20 Newsgroups by date (headers
ignored, by the pipelines too). A file has a column with texts and a column with labels, as ``textlrp.load_corpus``
finds them. Rows with "test" in the column ``split`` are the test part; without that column, a quarter of the rows is
drawn, stratified by class. A corpus without labels or with a single class stops the run.

``--part validation`` does not use the test parts: it trains on 70% of each training part and measures accuracy on the
rest. Choose options there, with ``--option``, and use the test parts once, at the end.

    python benchmarks/package_corpora.py packages lists -o corpora      (creates the corpora; see its docstring)
    python benchmarks/corpora.py corpora 20newsgroups [--page docs/results/corpora.md]
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
"""The pipelines, with scikit-learn's default settings; "characters" is ``char_wb``, naive Bayes ``ComplementNB``."""
ABOUT = """# The default bag of words on corpora of different kinds

Test accuracy in % of `BagOfWordsClassifier()` with default options ("ours") and of five plain scikit-learn pipelines
with default settings, on the same split. The options of our model were chosen on validation texts taken from the
training parts; the test parts were used once. The last column is the difference between our model and the best
pipeline with its 95% interval (paired over test texts). The best pipeline of each row is chosen on its test part,
which favors the pipelines.

Corpora are files with the columns `text`, `label` and optionally `split`. `benchmarks/package_corpora.py` creates
those of this table from text that public packages contain; its docstring has the commands. Your own files work too:

    python benchmarks/corpora.py FOLDER|FILES... 20newsgroups --page docs/results/corpora.md

"""


class Split(NamedTuple):
    """One corpus: texts to train on and to score, with their labels."""

    name: str
    train: list[str]
    train_labels: list[Any]
    test: list[str]
    test_labels: list[Any]


class Outcome(NamedTuple):
    """Whether the prediction of each text (N,) is correct, and the seconds for fitting and for predicting."""

    correct: NDArray[np.bool_]
    fitting: float
    predicting: float

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100 * float(self.correct.mean())


# ---- corpora


def corpora(names: Sequence[str], part: str) -> Iterator[Split]:
    """Yield the corpora of the command line."""
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
    """Load a file and split it by its column ``split``, or stratified by class."""
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
    """20 Newsgroups by date with headers blanked out; validation posts are the last 30% of each group."""
    both = [textlrp.load_20newsgroups(half, remove=("headers",)) for half in ("train", "test")]
    documents = [document for corpus in both for document in corpus.documents]
    texts = [blank(document.text, document.skip) for document in documents]
    labels = np.array([document.label for document in documents], dtype=object)
    first = np.arange(len(both[0]))
    if part == "test":
        return _split(NEWSGROUPS, texts, labels, first, np.arange(len(first), len(texts)), part)
    later = np.zeros(len(first), dtype=bool)
    for label in set(labels[first]):
        group = [row for row in first.tolist() if labels[row] == label]  # in order of time
        later[group[len(group) - 3 * len(group) // 10 :]] = True
    return _split(NEWSGROUPS, texts, labels, first[~later], first[later], "test")


def _split(
    name: str, texts: list[str], labels: NDArray[Any], train: NDArray[Any], test: NDArray[Any], part: str
) -> Split:
    if part == "validation":
        validation = np.zeros(len(train), dtype=bool)
        validation[_stratified(labels[train], 0.3)] = True
        train, test = train[~validation], train[validation]
    if not len(test) or not len(train):
        raise DataError(f"{name} must have texts to train on and texts to test; got {len(train)} and {len(test)}.")
    return Split(
        name, [texts[n] for n in train], labels[train].tolist(), [texts[n] for n in test], labels[test].tolist()
    )


def _stratified(labels: NDArray[Any], share: float) -> NDArray[Any]:
    """Rows for the test part, ``share`` of each class; a class with a single text stays in the training part."""
    _, of, counts = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[of] > 1)
    size = max(round(share * len(rows)), int((counts > 1).sum()))
    held_out: NDArray[Any] = train_test_split(rows, test_size=size, random_state=0, stratify=of[rows])[1]
    return held_out


# ---- measuring


def outcome(model: Any, split: Split) -> Outcome:
    """Fit a model, and predict the test part."""
    begin = time.perf_counter()
    model.fit(split.train, split.train_labels)
    fitted = time.perf_counter()
    predicted = model.predict(split.test).tolist()
    done = time.perf_counter()
    correct = np.array([a == b for a, b in zip(predicted, split.test_labels, strict=True)])
    return Outcome(correct, fitted - begin, done - fitted)


def row(split: Split, ours: Outcome, plain: dict[str, Outcome]) -> str:
    """One row of the table."""
    sizes = f"{len(split.train):,} / {len(split.test):,}"
    start = f"| {split.name} | {sizes} | {len(set(split.train_labels))} | "
    our_cells = f"**{ours.accuracy:.2f}** | {ours.fitting:.1f}"
    if not plain:
        return f"{start}{our_cells} |"
    best = max(plain.values(), key=lambda each: each.accuracy)
    paired = ours.correct.astype(float) - best.correct
    half = 196 * paired.std() / np.sqrt(len(paired))
    numbers = " | ".join(f"{each.accuracy:.2f}" for each in plain.values())
    difference = f"{ours.accuracy - best.accuracy:+.2f} (± {half:.2f})"
    return f"{start}{numbers} | {best.accuracy:.2f} | {our_cells} | {difference} |"


def heading(plain: Sequence[str]) -> str:
    """The head of the table, as two Markdown lines."""
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
    """The model with default options, changed by options such as ``C=0.5``; values are JSON or plain text."""
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
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="an option of our model; may be repeated"
    )
    parser.add_argument("--ours", action="store_true", help="measure our model only")
    parser.add_argument("--page", type=Path, help="also write the table to this Markdown file")
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
