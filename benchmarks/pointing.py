"""Which CNN's strongest word points best at the sentence of its class? The hybrid pointing game (Poerner et al. 2018).

Settings are compared on validation posts: CNNs are trained on the earlier 60 % of the training posts of each group of
20 Newsgroups from several seeds; the later 40 % are classified, and their sentences make the hybrid documents. Each
CNN plays alone, and so does the average of all seeds (CNNClassifier.averaged). Then, with --test, the settings that
are named play on the test posts, at the sizes of the default CNN.

    python benchmarks/pointing.py                                              # no test post is read
    python benchmarks/pointing.py --test --settings default "word dropout 0.1, smoothing 0.2"
"""

import argparse
import time
import warnings

from choose_rule import earlier_and_later

import textlrp
from textlrp.evaluation import hybrid_documents, pointing_game

SETTINGS = {
    "default": {},
    "word dropout 0": {"word_dropout": 0.0},
    "word dropout 0.1": {"word_dropout": 0.1},
    "word dropout 0.4": {"word_dropout": 0.4},
    "word dropout 0.1, smoothing 0.2": {"word_dropout": 0.1, "label_smoothing": 0.2},
    "word dropout 0.1, weight decay 0.3": {"word_dropout": 0.1, "weight_decay": 0.3},
}
SMALL = {"filters": 200, "embedding_dim": 200}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS), metavar="NAME")
    parser.add_argument("--test", action="store_true", help="the test posts, all training posts, the default's sizes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hybrids", type=int, help="the first so many; else all")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts hold no word

    training = textlrp.load_20newsgroups("train").documents
    if options.test:
        held_out = textlrp.load_20newsgroups("test").documents
    else:
        training, held_out = earlier_and_later(training, 0.6)
    hybrids = hybrid_documents(held_out, most=options.hybrids)
    what = "test" if options.test else "validation"
    print(f"{len(training):,} posts to train on, {len(held_out):,} {what} posts, {len(hybrids):,} hybrids of these\n")
    print("| setting | seed | accuracy % | pointing game | 95 % interval | of | seconds to train |")
    print("|---|---|---|---|---|---|---|")
    for name in options.settings:
        members, took = [], 0.0
        for seed in range(options.seeds):
            start = time.perf_counter()
            model = textlrp.CNNClassifier(**SETTINGS[name] | ({} if options.test else SMALL), random_state=seed)
            members.append(model.fit(training, [post.label for post in training]))
            took += (own := time.perf_counter() - start)
            play(name, str(seed), members[-1], held_out, hybrids, own)
        if len(members) > 1:
            averaged = textlrp.CNNClassifier.averaged(members)
            play(name, f"average of {len(members)}", averaged, held_out, hybrids, took)


def play(name, seed, model, held_out, hybrids, took):
    right = model.score(held_out, [post.label for post in held_out])
    found = pointing_game(model, hybrids)
    low, high = found.interval
    print(
        f"| {name} | {seed} | {right:.2%} | {found.accuracy:.4f} | {low:.4f} to {high:.4f} | {found.counted:,} "
        f"| {took:.0f} |", flush=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
