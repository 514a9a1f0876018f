"""Test accuracy of EncoderClassifier on 20 Newsgroups, headers ignored: windows and truncated texts, with cost.

Each seed draws its own training and test posts. No option is chosen by the test posts.

    python benchmarks/encoder_accuracy.py ENCODER [--train 2000] [--test 1000] [--seeds 0 1 2]

ENCODER is the folder of a SentenceTransformer. ``--train 0 --test 0`` uses all posts.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence

import numpy as np

import textlrp
from textlrp.models.base import TextClassifier
from textlrp.records import Document


def drawn(documents: Sequence[Document], number: int, seed: int) -> list[Document]:
    """``number`` documents drawn without replacement; all if it is 0."""
    if not number:
        return list(documents)
    rows = np.random.default_rng(seed).choice(len(documents), number, replace=False)
    return [documents[row] for row in sorted(rows.tolist())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="folder of a SentenceTransformer")
    parser.add_argument("--train", type=int, default=2000, help="training posts; 0: all")
    parser.add_argument("--test", type=int, default=1000, help="test posts; 0: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    models: dict[str, TextClassifier] = {
        "encoder, windows": textlrp.EncoderClassifier(encoder=options.encoder, cache=False),
        "encoder, truncated": textlrp.EncoderClassifier(encoder=options.encoder, windows=False, cache=False),
        "BagOfWordsClassifier": textlrp.BagOfWordsClassifier(),
    }
    corpus = {part: textlrp.load_20newsgroups(part).documents for part in ("train", "test")}
    print("| model | accuracy in % (sd): seeds | fit, s | predict, s |\n|---|---|---|---|", flush=True)
    for name, model in models.items():
        accuracies, fitting, predicting = [], 0.0, 0.0
        for seed in options.seeds:
            train, test = drawn(corpus["train"], options.train, seed), drawn(corpus["test"], options.test, seed)
            began = time.process_time()
            model.fit(train, [document.label for document in train])
            between = time.process_time()
            predicted = model.predict(test)
            fitting, predicting = fitting + between - began, predicting + time.process_time() - between
            accuracies.append(100 * np.mean(predicted == np.array([document.label for document in test])))
        each = ", ".join(f"{accuracy:.2f}" for accuracy in accuracies)
        seconds = " | ".join(f"{value / len(options.seeds):.0f}" for value in (fitting, predicting))
        print(f"| {name} | {np.mean(accuracies):.2f} ({np.std(accuracies):.2f}): {each} | {seconds} |", flush=True)


if __name__ == "__main__":
    main()
