"""Measure recursive ROAR on 20 Newsgroups (Madsen et al. 2022): mask the most relevant words, train again.

python benchmarks/roar.py                                  # four newsgroups, one seed: 38 trainings
python benchmarks/roar.py --groups 20 --seeds 3 --model svm
"""

import argparse
import time
import warnings

import numpy as np

import textlrp
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.retraining import trained
from textlrp.evaluation.roar import recursive_roar
from textlrp.evaluation.running.measured_roar import roar_rows
from textlrp.evaluation.running.plan import RANDOM, default_methods
from textlrp.explainers.methods import Random

MODELS = {
    "words": ("bag of words, words only", textlrp.BagOfWordsClassifier, {"analyzer": "word", "ngrams": 1}),
    "svm": ("bag of words", textlrp.BagOfWordsClassifier, {}),
    "boe": ("bag of embeddings", textlrp.BagOfEmbeddingsClassifier, {}),
    "cnn": ("CNN", textlrp.CNNClassifier, {"filters": 200, "embedding_dim": 200}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=4, help="number of newsgroups, the first by name")
    parser.add_argument("--limit", type=int, help="number of training and of test posts, evenly spaced; default: all")
    parser.add_argument("--model", choices=MODELS, default="words")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts have no word to read

    groups = textlrp.load_20newsgroups("train").label_names[: options.groups]
    training, test = (
        some([post for post in textlrp.load_20newsgroups(part).documents if post.label in groups], options.limit)
        for part in ("train", "test")
    )
    title, estimator, settings = MODELS[options.model]
    model = estimator(**settings)
    print(
        f"{title}; {len(training):,} training posts of {len(groups)} groups, {len(test):,} test posts\n", flush=True
    )
    began = time.perf_counter()
    curves = {}
    bases = {seed: trained(model, training, seed=seed) for seed in range(options.seeds)}
    for spec in (*default_methods(model), MethodSpec(RANDOM, Random(0))):
        curves[spec.title] = [
            recursive_roar(
                model,
                training,
                spec,
                held_out=test,
                steps=options.steps,
                seed=seed,
                base=lambda seed=seed: bases[seed],
            )
            for seed in range(options.seeds)
        ]
    shares = next(iter(curves.values()))[0].shares
    print("| method | RACU | sd | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    print("|---|---|---|" + "---|" * len(shares))
    for row in roar_rows(curves):
        racu = [row.get("racu"), row.get("racu_sd")]
        shown = ["–" if each is None else f"{each:.1%}" for each in racu]
        print(f"| {row['method']} | {' | '.join(shown)} | {' | '.join(f'{each:.3f}' for each in row['accuracy'])} |")
    print(f"\n{time.perf_counter() - began:,.0f} seconds")


def some(posts, limit):
    """At most ``limit`` posts, evenly spaced."""
    if limit is None or limit >= len(posts):
        return posts
    return [posts[n] for n in np.linspace(0, len(posts) - 1, limit).round().astype(int)]


if __name__ == "__main__":
    main()
