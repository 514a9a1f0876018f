"""Write all outputs of textlrp for a few sample posts to a folder, to compare two versions of the code.

Run it before and after a change that must not affect any output. It uses only public names and commands, so it runs
on every version that has them:

    python tests/golden.py write OUT [--only NAME ...]      write all outputs (75 seconds), or some of them
    python tests/golden.py compare BEFORE AFTER             list the files that differ; exit 1 if there are any

There are five models: the two bundled ones, a support vector machine trained here, a scikit-learn pipeline and a
wrapped torch module. Files are compared byte for byte, except for durations and the intermediate results of an
evaluation. The same version writes the same files again on the same machine. On another machine the last digits may
differ.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import textlrp

RULES = ("epsilon", "gamma", "alpha2-beta1", "epsilon-gamma-box")
LIMIT = "8"
CNN, BOE = "20newsgroups-cnn", "20newsgroups-boe"
COMMANDS: dict[str, tuple[str, ...]] = {
    "page": ("report", CNN, "sample", "-o", "page.html", "--limit", LIMIT),
    "folder": ("report", CNN, "sample", "-o", "folder", "--limit", LIMIT),
    "folder-boe": ("report", BOE, "sample", "-o", "folder-boe", "--limit", LIMIT, "--rule", "alpha1-beta0"),
    "comparison": ("report", CNN, "sample", "-o", "comparison.html", "--against", BOE, "--limit", LIMIT),
    "comparison-rules": (
        "report", CNN, "sample", "-o", "comparison-rules.html", "--against-rule", "gamma", "--limit", LIMIT,
    ),
    "gallery": ("explain", CNN, "sample", "-o", "gallery.html", "--rules", "epsilon,gamma,flat", "--limit", "1"),
    "page-phrases": ("explain", CNN, "sample", "-o", "page-phrases.html", "--phrases", "5", "--limit", "1"),
    "page-versus": (
        "explain", BOE, "sample", "-o", "page-versus.html", "--target", "sci.med", "--versus", "sci.space", "--limit",
        "1",
    ),
    "jsonl": ("explain", CNN, "sample", "-o", "explained.jsonl", "--target", "all", "--limit", LIMIT),
    "parquet": ("explain", BOE, "sample", "-o", "explained.parquet", "--target", "all", "--limit", LIMIT),
    "shards": ("explain", CNN, "sample", "-o", "shards", "--target", "all", "--limit", LIMIT, "--workers", "1"),
    "shards-exact": (
        "explain", BOE, "sample", "-o", "shards-exact", "--precision", "float32", "--top-k", "5", "--workers", "1",
    ),
    "evaluation": (
        "evaluate", CNN, "sample", "-o", "evaluation", "--limit", "24", "--sample", "12", "--steps", "5",
        "--min-words", "5",
    ),
    "predictions": ("predict", BOE, "sample", "-o", "predictions.jsonl"),
    "words": ("words", BOE, "sample", "-o", "words.csv", "--limit", LIMIT),
    "filters": ("filters", CNN, "sample", "--limit", LIMIT, "--max-filters", "5"),
    "rules": ("rules",),
    "terminal": ("explain", CNN, "sample", "--limit", "3", "--width", "100", "--target", "sci.med"),
    "terminal-text": ("explain", BOE, "--text", "The shuttle reached orbit, my doctor was on it.", "--width", "80"),
}  # fmt: skip
"""Name of the output -> command. The terminal output of each command is stored too."""


def write(out: Path, only: list[str]) -> None:
    """Write all outputs, or ``only`` those with these names, to a new folder."""
    out.mkdir(parents=True)
    for name, arguments in COMMANDS.items():
        if not only or name in only:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "textlrp", *arguments], cwd=out, capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(f"{name} failed with exit code {done.returncode}:\n{done.stderr}")
            (out / f"{name}.txt").write_text(done.stdout.replace(str(out), "OUT"), encoding="utf-8")
    for name, explain in explained_models().items():
        if not only or name in only:
            lines = [json.dumps(each, ensure_ascii=False) for each in explain()]
            (out / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def explained_models() -> dict[str, Callable[[], Iterator[dict[str, Any]]]]:
    """Name -> function that yields a model's explanations of a few posts, for all classes and several rules."""
    posts = textlrp.load_sample_posts("test").documents[:4]

    def of(model: Any, *, rules: tuple[str, ...] = RULES) -> Iterator[dict[str, Any]]:
        for rule in rules:
            for explanation in textlrp.explain(model, posts, target="all", rule=rule):
                yield explanation.to_dict()

    return {
        "explained-cnn": lambda: of(textlrp.load(CNN)),
        "explained-boe": lambda: of(textlrp.load(BOE)),
        "explained-svm": lambda: of(_support_vector_machine()),
        "explained-pipeline": lambda: of(_pipeline()),
        "explained-module": lambda: of(_module(), rules=RULES[:2]),
    }


def _support_vector_machine() -> Any:
    train = textlrp.load_sample_posts("train")
    return textlrp.BagOfWordsClassifier(analyzer="word", random_state=0).fit(train.documents, train.labels)


def _pipeline() -> Any:
    train = textlrp.load_sample_posts("train")
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()).fit(train.texts, train.labels)


def _module() -> Any:
    """A wrapped module with random weights, whose vocabulary is the words of the sample posts."""
    words = sorted({word.lower() for text in textlrp.load_sample_posts("train").texts for word in text.split()})
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(len(words) + 1, 16)
            self.lstm = torch.nn.LSTM(16, 8, batch_first=True, bidirectional=True)
            self.out = torch.nn.Linear(16, 4)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            states, _ = self.lstm(self.embed(ids))
            return self.out(torch.relu(states).mean(dim=1))  # type: ignore[no-any-return]

    numbers = {word: number for number, word in enumerate(words, start=1)}
    return textlrp.wrap(
        Net().eval(),
        tokenizer=str.split,
        vocabulary=lambda word: numbers.get(word.lower()),
        unknown=0,
        classes=["a", "b", "c", "d"],
    )


TIMES = re.compile(r'[\d.,]+ (?:µs|ms|s|a second|per second)\b|"seconds_per_document": [\d.e-]+')


def _content(path: Path) -> bytes:
    """The bytes of a file. Durations in text files are replaced."""
    if path.suffix in (".html", ".json", ".txt"):
        return TIMES.sub("TIME", path.read_text(encoding="utf-8")).encode()
    return path.read_bytes()


def compare(before: Path, after: Path) -> int:
    """Print the files that differ, and return their number."""
    names = sorted({path.relative_to(root) for root in (before, after) for path in root.rglob("*") if path.is_file()})
    names = [name for name in names if "stages" not in name.parts]
    changed = 0
    for name in names:
        old, new = (root / name for root in (before, after))
        if not (old.exists() and new.exists()):
            print(f"{name}: only in {before if old.exists() else after}")
        elif _content(old) != _content(new):
            print(f"{name}: {_first_difference(old, new)}")
        else:
            continue
        changed += 1
    print(f"{len(names) - changed} of {len(names)} files are the same byte for byte")
    return changed


def _first_difference(old: Path, new: Path) -> str:
    one, other = (_content(path).decode("utf-8", "replace").splitlines() for path in (old, new))
    for number, (first, second) in enumerate(zip_longest(one, other, fillvalue=""), start=1):
        if first != second:
            place = next(n for n, pair in enumerate(zip_longest(first, second)) if len(set(pair)) > 1)
            around = slice(max(0, place - 30), place + 50)
            return f"line {number}: ...{first[around]!r} became ...{second[around]!r}"
    return "different line endings"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    writing = verbs.add_parser("write")
    writing.add_argument("out", type=Path)
    writing.add_argument("--only", nargs="+", default=[], metavar="NAME")
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.verb == "write":
        warnings.simplefilter("ignore")
        write(options.out.absolute(), options.only)
    elif compare(options.before, options.after):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
