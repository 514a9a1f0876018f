"""How many words should a CNN not see in training? Accuracy and the hybrid pointing game on validation posts.

A CNN is trained on the earlier 60 % of the training posts of each group of 20 Newsgroups for each share of words
silenced; the later 40 % are classified, and their sentences make the hybrid documents. No test post is read.

    python benchmarks/choose_dropout.py           # --filters 600 --dimensions 300 for the default CNN
"""

import argparse
import warnings

from choose_rule import earlier_and_later

import textlrp
from textlrp.evaluation import hybrid_documents, pointing_game


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.4, 0.7])
    parser.add_argument("--filters", type=int, default=200)
    parser.add_argument("--dimensions", type=int, default=200)
    parser.add_argument("--hybrids", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts hold no word

    training, held_out = earlier_and_later(textlrp.load_20newsgroups("train").documents, 0.6)
    hybrids = hybrid_documents(held_out, most=options.hybrids)
    print(f"{len(training):,} posts to train on, {len(held_out):,} to validate, {len(hybrids):,} hybrids of these")
    print("| word dropout | accuracy | pointing game | 95 % interval |")
    print("|---|---|---|---|")
    for share in options.shares:
        model = textlrp.CNNClassifier(
            filters=options.filters,
            embedding_dim=options.dimensions,
            word_dropout=share,
            random_state=options.seed,
        ).fit(training, [post.label for post in training])
        right = model.score(held_out, [post.label for post in held_out])
        found = pointing_game(model, hybrids)
        low, high = found.interval
        print(f"| {share} | {right:.4f} | {found.accuracy:.4f} | {low:.4f} to {high:.4f} |", flush=True)


if __name__ == "__main__":
    main()
