"""Test accuracy of the three classifiers at default settings, and the conservation error of LRP.

20 Newsgroups by date, headers ignored; mean and standard deviation over seeds. The default settings were chosen on
the later 30% of the training posts; only this script uses the test posts.

    python benchmarks/accuracy.py [--seeds 0 1 2] [--models cnn boe svm]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable

import numpy as np

import textlrp
from textlrp.explanation import Explanation
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import ESTIMATORS

PAPER = {"cnn": "80.19 (Google News vectors)", "boe": "–", "svm": "80.10"}


def conservation_error(explanations: Iterable[Explanation]) -> tuple[float, int]:
    """The largest |relevance + absorbed - score| / (sum |relevance| + sum |ledger|), and the number of targets."""
    worst, checked = 0.0, 0
    for why in explanations:
        size = np.abs(why.relevance).sum(axis=1) + sum(np.abs(entry) for entry in why.ledger.values())
        error = np.abs(why.relevance.sum(axis=1) + why.absorbed - why.start_scores)
        worst = max(worst, float((error / np.where(size > 0, size, 1)).max()))
        checked += len(why.targets)
    return worst, checked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=sorted(ESTIMATORS), default=["cnn", "boe", "svm"])
    parser.add_argument("--no-laws", action="store_true", help="do not measure the conservation error")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    train, test = textlrp.load_20newsgroups("train"), textlrp.load_20newsgroups("test")
    print("| model | reported by the paper | accuracy in % (sd): seeds | conservation error, float32 | float64 |")
    print("|---|---|---|---|---|")
    for kind in options.models:
        accuracies, first = [], None
        for seed in options.seeds:
            model: TextClassifier = ESTIMATORS[kind](random_state=seed)
            model.fit(train.texts, train.labels)
            accuracies.append(100 * model.score(test.texts, test.labels))
            first = first or model
        errors = ["–", "–"]
        if not options.no_laws and first is not None:
            for position, dtype in enumerate(("float32", "float64")):
                worst, checked = conservation_error(textlrp.explain(first, test.documents, target="all", dtype=dtype))
                errors[position] = f"{worst:.1e} ({checked:,} targets)"
        each = ", ".join(f"{accuracy:.2f}" for accuracy in accuracies)
        print(
            f"| {kind} | {PAPER[kind]} | **{np.mean(accuracies):.2f}** ({np.std(accuracies):.2f}): {each} "
            f"| {errors[0]} | {errors[1]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
