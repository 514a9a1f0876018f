"""Compare LRP rules by word deletion on validation posts, without using the test posts.

A CNN is trained on the earlier 60% of the training posts of each group of 20 Newsgroups, and words are deleted from
the later 40%, because the test posts are later than the training posts too. The table has the three protocols of
Arras et al. 2017 and their mean; higher is better (1 - area if accuracy should fall). Rules that do not differ
significantly from the best one (paired bootstrap, 95%) are marked.

    python benchmarks/choose_rule.py              # prints a table; --filters 600 --dimensions 300 for the default CNN
"""

import argparse
from collections import defaultdict

import numpy as np

import textlrp
from textlrp.evaluation.deletion import DELETION_PROTOCOLS, document_areas, protocol_documents, still_correct
from textlrp.evaluation.intervals import paired_interval
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus, word_relevances

RULES = (
    "Epsilon(1e-6)", "Epsilon(0.01)", "Epsilon(0.1)", "Epsilon(1.0)", "arras2017", "Gamma(0.1)", "Gamma(0.25)",
    "Gamma(1.0)", "epsilon-gamma", "Composite({-1: Epsilon(0.1)}, default=Gamma(0.1))", "alpha1-beta0",
    "alpha2-beta1", "epsilon-plus", "epsilon-alpha2-beta1", "z-plus", "epsilon-plus-flat", "w-square",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=200)
    parser.add_argument("--dimensions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    training, held_out = earlier_and_later(textlrp.load_20newsgroups("train").documents, 0.6)
    model = textlrp.CNNClassifier(
        filters=options.filters, embedding_dim=options.dimensions, random_state=options.seed
    ).fit(training, [post.label for post in training])
    corpus = score_corpus(model, held_out)
    print(f"accuracy on {len(held_out):,} validation posts: {(corpus.predicted == corpus.true_label).mean():.1%}")
    for protocol in DELETION_PROTOCOLS:
        print(f"{protocol.name}: {protocol_documents(corpus, protocol).sum()} posts, {protocol.title}")

    gains = {rule: gains_of(corpus, rule) for rule in RULES}
    best = max(gains, key=lambda rule: mean_gain(gains[rule]))
    print(
        "\n| rule | "
        + " | ".join(protocol.name for protocol in DELETION_PROTOCOLS)
        + " | mean | best minus this, 95% interval |"
    )
    print("|---|" + "---|" * (len(DELETION_PROTOCOLS) + 2))
    for rule, rule_gains in sorted(gains.items(), key=lambda item: -mean_gain(item[1])):
        areas = " | ".join(f"{np.mean(each):.4f}" for each in rule_gains)
        low, high = interval_of_difference(gains[best], rule_gains, options.seed)
        behind = (
            "" if rule == best else f"{low:.4f} to {high:.4f}" + (" (no significant difference)" if low <= 0 else "")
        )
        print(f"| {rule} | {areas} | {mean_gain(rule_gains):.4f} | {behind} |")


def earlier_and_later(posts, share):
    """Split the posts of each group by number, which increases with time, into the first ``share`` and the rest."""
    groups = defaultdict(list)
    for post in posts:
        groups[post.label].append(post)
    earlier, later = [], []
    for group in groups.values():
        ordered = sorted(group, key=lambda post: int(post.id.split("/")[-1]))
        cut = int(len(ordered) * share)
        earlier += ordered[:cut]
        later += ordered[cut:]
    return earlier, later


def gains_of(corpus, rule):
    """For each protocol, the area of each document (M,), or 1 - area if lower is better."""
    found = word_relevances(corpus, MethodSpec(rule, rule=rule))
    gains = []
    for protocol in DELETION_PROTOCOLS:
        areas = document_areas(
            still_correct(corpus, protocol, found.true_label if protocol.target == "true_label" else found.predicted)
        )
        gains.append(1 - areas if protocol.better == "lower" else areas)
    return gains


def mean_gain(gains):
    return float(np.mean([each.mean() for each in gains]))


def interval_of_difference(best, other, seed):
    """Mean bounds over protocols of the paired intervals: a conservative interval for the mean over protocols."""
    bounds = [paired_interval(a, b, seed=seed) for a, b in zip(best, other, strict=True)]
    return np.mean([bound.low for bound in bounds]), np.mean([bound.high for bound in bounds])


if __name__ == "__main__":
    main()
