"""Test accuracy of the classifiers at default settings, headers ignored and read, and the conservation error of LRP.

20 Newsgroups by date; mean and standard deviation over seeds. The default settings were chosen on the later 30% of
the training posts; only this script uses the test posts. The column with headers read is for comparison with figures
of the literature, which mostly read them; no setting was chosen for it.

    python benchmarks/accuracy.py [--seeds 0 1 2] [--models cnn boe svm] [--headers ignored read] [--encoder ENCODER]

ENCODER is the folder of a SentenceTransformer. Its row has a linear head on embeddings of truncated posts.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np

import textlrp
from textlrp.explanation import Explanation
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import ESTIMATORS

PAPER = {"cnn": "80.19 (Google News vectors)", "boe": "–", "svm": "80.10", "encoder": "–"}
SKIP = {"ignored": ("headers",), "read": ()}


class Train(Protocol):
    """A classifier's constructor."""

    def __call__(self, *, random_state: int, skip: tuple[str, ...]) -> TextClassifier: ...


def conservation_error(explanations: Iterable[Explanation]) -> tuple[float, int]:
    """The largest |relevance + absorbed - score| / (sum |relevance| + sum |ledger|), and the number of targets."""
    worst, checked = 0.0, 0
    for why in explanations:
        size = np.abs(why.relevance).sum(axis=1) + sum(np.abs(entry) for entry in why.ledger.values())
        error = np.abs(why.relevance.sum(axis=1) + why.absorbed - why.start_scores)
        worst = max(worst, float((error / np.where(size > 0, size, 1)).max()))
        checked += len(why.targets)
    return worst, checked


def accuracies(
    train: Any, test: Any, model: Train, skip: tuple[str, ...], seeds: Iterable[int]
) -> tuple[list[float], TextClassifier]:
    """The test accuracy in % of each seed, and the model of the first."""
    found: list[float] = []
    by_weights: dict[bytes, float] = {}
    first: TextClassifier | None = None
    for seed in seeds:
        fitted = model(random_state=seed, skip=skip).fit(train.texts, train.labels)
        weights = b"".join(fitted.weights_[name].tobytes() for name in sorted(fitted.weights_))
        if weights not in by_weights:  # a model without chance is the same for every seed
            by_weights[weights] = 100 * fitted.score(test.texts, test.labels)
        found.append(by_weights[weights])
        first = first or fitted
    assert first is not None
    return found, first


def summary(values: list[float]) -> str:
    each = ", ".join(f"{value:.2f}" for value in values)
    return f"**{np.mean(values):.2f}** ({np.std(values):.2f}): {each}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--models", nargs="*", choices=sorted({*ESTIMATORS} - {"encoder"}), default=["cnn", "boe", "svm"]
    )
    parser.add_argument("--headers", nargs="+", choices=sorted(SKIP), default=["ignored", "read"])
    parser.add_argument("--encoder", help="folder of a SentenceTransformer; adds its row")
    parser.add_argument("--no-laws", action="store_true", help="do not measure the conservation error")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    models: Mapping[str, Any] = {kind: ESTIMATORS[kind] for kind in options.models}
    if options.encoder:
        models = {**models, "encoder": partial(ESTIMATORS["encoder"], encoder=options.encoder, windows=False)}
    train, test = textlrp.load_20newsgroups("train"), textlrp.load_20newsgroups("test")
    columns = " | ".join(f"headers {which}: accuracy in % (sd): seeds" for which in options.headers)
    print(f"| model | reported by the paper | {columns} | conservation error, float32 | float64 |")
    print("|---|---|" + "---|" * (len(options.headers) + 2))
    for kind, model in models.items():
        cells, errors = [], ["–", "–"]
        for position, which in enumerate(options.headers):
            found, first = accuracies(train, test, model, SKIP[which], options.seeds)
            cells.append(summary(found))
            if not options.no_laws and not position and kind != "encoder":
                for place, dtype in enumerate(("float32", "float64")):
                    whys = textlrp.explain(first, test.documents, target="all", dtype=dtype)
                    worst, checked = conservation_error(whys)
                    errors[place] = f"{worst:.1e} ({checked:,} targets)"
        print(" | ".join([f"| {kind}", PAPER[kind], *cells, *errors]) + " |", flush=True)


if __name__ == "__main__":
    main()
