"""Are planted shortcuts among the first groups of their class that textlrp.find_shortcuts finds?

Plants shortcuts into the training posts of 20 Newsgroups, for three labels each, trains, and searches the same posts.
A shortcut is found if one of the five first groups of its class consists mostly of its carriers and contains most of
those that the model predicts as the class. ``bait``: the share of test posts of other labels that are predicted as
the label once the shortcut is planted into them. ``suspicion``: that of the groups that were found. The row without
planting counts the groups among the five first of each class, over all classes, with at least the smallest suspicion
of a group that was found: some of them are the corpus' own shortcuts.

    python benchmarks/find_shortcuts.py [--model bow|boe|cnn] [--kinds token context pair] [--seeds 0 1 2]
        [--classes 20] [--clustering hdbscan spectral]
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

import textlrp
from textlrp.evaluation.planting import KINDS, PlantedCorpus, plant_shortcuts, probes
from textlrp.models.base import TextClassifier
from textlrp.records import Document
from textlrp.shortcut_groups import Shortcuts

MODELS = {
    "bow": textlrp.BagOfWordsClassifier,
    "boe": textlrp.BagOfEmbeddingsClassifier,
    "cnn": textlrp.CNNClassifier,
}
LABELS, FIRST = 3, 5


def hits(found: Shortcuts, corpus: PlantedCorpus, predicted: np.ndarray) -> list[float | None]:
    """The suspicion of the group of each planted shortcut; None for one that was not found."""
    result: list[float | None] = []
    for each in corpus.shortcuts:
        carriers = each.carriers[predicted[each.carriers] == each.label]
        suspicion = None
        for group in found.of_class(each.label)[:FIRST]:
            common = np.isin(group.documents, each.carriers).sum()
            if 2 * common > len(group.documents) and 2 * np.isin(carriers, group.documents).sum() > len(carriers):
                suspicion = group.suspicion
        result.append(suspicion)
    return result


def bait(model: TextClassifier, test: list[Document], corpus: PlantedCorpus) -> float:
    """The mean share of probes that are predicted as the label of their shortcut."""
    return float(np.mean([(model.predict(probes(test, each)) == each.label).mean() for each in corpus.shortcuts]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default="bow")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--clustering", nargs="+", default=["hdbscan"])
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    posts = {part: textlrp.load_20newsgroups(part).documents for part in ("train", "test")}
    names = sorted({str(each.label) for each in posts["train"]})
    names = names[:: max(1, len(names) // options.classes)][: options.classes]
    train, test = ([each for each in posts[part] if each.label in names] for part in ("train", "test"))
    print(f"{options.model}, {len(train):,} posts of {len(names)} classes", flush=True)
    print("| kind | seed | clustering | bait | found | suspicion | groups | train, s | find, s |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    least = 1.0
    for kind in [*options.kinds, None]:
        for seed in options.seeds if kind else options.seeds[:1]:
            chosen = np.random.default_rng(seed).permutation(names)[:LABELS].tolist()
            corpus = PlantedCorpus(tuple(train), ())
            if kind:
                corpus = plant_shortcuts(train, chosen, kind=kind, seed=seed)
            began = time.process_time()
            model = MODELS[options.model](random_state=seed)
            model.fit(corpus.documents, [each.label for each in corpus.documents])
            fitted = time.process_time() - began
            taken = f"{bait(model, test, corpus):.2f}" if kind else "–"
            predicted = np.asarray(model.predict(corpus.documents))
            for clustering in options.clustering:
                began = time.process_time()
                found = textlrp.find_shortcuts(model, corpus.documents, clustering=clustering)
                seconds = time.process_time() - began
                if kind:
                    suspicions = hits(found, corpus, predicted)
                    there = [each for each in suspicions if each is not None]
                    least = min([least, *there])
                    text = f"{len(there)} of {len(suspicions)} | {', '.join(f'{each:.2f}' for each in there)}"
                else:
                    firsts = [each for name in found.labels for each in found.of_class(name)[:FIRST]]
                    alarms = sum(each.suspicion >= least for each in firsts)
                    text = f"{alarms} of {len(firsts)} at {least:.2f} or more | –"
                row = (kind or "nothing planted", seed, clustering, taken, text, len(found.groups))
                print("", *row, f"{fitted:.0f}", f"{seconds:.0f}", sep=" | ", end=" |\n", flush=True)


if __name__ == "__main__":
    main()
