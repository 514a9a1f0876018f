"""Measure which methods find shortcuts that are planted into 20 Newsgroups (Bastings et al. 2022).

Made-up words are planted into 5% as many posts as a label has, for three labels, and these posts get the label. The
three classifiers are trained on the training posts, and the words are planted into test posts of other labels. The
posts whose prediction changes to the label are explained.

    python benchmarks/planted_shortcuts.py                                     # everything: 27 trainings, hours
    python benchmarks/planted_shortcuts.py --groups 4 --models svm --kinds token
"""

import argparse
import time
import warnings

import textlrp
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.planted_shortcuts import TFIDF, find_planted, largest_labels
from textlrp.evaluation.planting import KINDS, SHARE
from textlrp.evaluation.running.measured_planted import plain_found, planted_results
from textlrp.evaluation.running.plan import RANDOM, default_methods
from textlrp.explainers.methods import Random

MODELS = {
    "svm": ("bag of words", textlrp.BagOfWordsClassifier, {}),
    "boe": ("bag of embeddings", textlrp.BagOfEmbeddingsClassifier, {}),
    "cnn": ("CNN", textlrp.CNNClassifier, {"filters": 200, "embedding_dim": 200}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--groups", type=int, default=20, help="number of newsgroups, the first by name; default: all"
    )
    parser.add_argument("--limit", type=int, help="number of training posts, evenly spaced; default: all")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=300, help="test posts for each shortcut")
    parser.add_argument("--filters", type=int, default=200, help="filters of each width of the CNN")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts have no word to read

    groups = textlrp.load_20newsgroups("train").label_names[: options.groups]
    training, test = (
        [post for post in textlrp.load_20newsgroups(part).documents if post.label in groups]
        for part in ("train", "test")
    )
    if options.limit is not None and options.limit < len(training):
        training = [training[round(n * len(training) / options.limit)] for n in range(options.limit)]
    labels = largest_labels(training)
    print(
        f"{len(training):,} training posts of {len(groups)} groups, {len(test):,} test posts; shortcuts for "
        f"{', '.join(labels)} in {SHARE:.0%} of the posts; seeds 0 to {options.seeds - 1}\n"
    )
    for kind in options.kinds:
        print(f"\n### {kind}\n")
        print(
            "| model | method | precision@k | sd | lowest | mean rank | learned | changed | decoys resisted | posts |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
        for name in options.models:
            measure(name, kind, training, test, labels, options)


def measure(name, kind, training, test, labels, options) -> None:
    """Print the rows of one model and one kind of shortcut."""
    title, estimator, settings = MODELS[name]
    model = estimator(**settings | ({"filters": options.filters} if name == "cnn" else {}))
    specs = [*default_methods(model), MethodSpec(RANDOM, Random(0))]
    began, found = time.perf_counter(), []
    for seed in range(options.seeds):
        measured = find_planted(
            model,
            training,
            specs,
            held_out=test,
            labels=labels,
            kind=kind,
            max_documents=options.documents,
            seed=seed,
        )
        found += [plain_found(each, seed) for each in measured]
    results = planted_results(kind, found, [*(spec.title for spec in specs), TFIDF])
    changed = sum(each["changed"] for each in found) / len(found)
    resisted = [each["resisted"] for each in found if each["resisted"] is not None]
    shown = f"{sum(resisted) / len(resisted):.1%}" if resisted else "–"
    bait = f"{results['taken']} of {len(found)} | {changed:.1%} | {shown} | {results['documents']}"
    for row in results["rows"]:
        print(
            f"| {title} | {row['method']} | {row['precision']:.3f} | {row['sd']:.3f} | {row['lowest']:.3f} | "
            f"{row['rank']:.1f} | {bait} |"
        )
    if not results["rows"]:
        print(f"| {title} | – | – | – | – | – | {bait} |")
    print(f"<!-- {title}: {time.perf_counter() - began:,.0f} seconds -->", flush=True)


if __name__ == "__main__":
    main()
