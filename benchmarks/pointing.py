"""Compare CNN settings by the pointing game on hybrid documents (Poerner et al. 2018).

Settings are compared on validation posts. CNNs with 200 filters of each width and 200 dimensions are trained on the
earlier 60% of the training posts of each group of 20 Newsgroups, with several seeds; hybrid documents are created
from the later 40%. Each CNN is measured, and the average of the CNNs of all seeds (CNNClassifier.averaged). The
default settings and the settings with the best average are then trained on all training posts and measured once on
the test posts.

    python benchmarks/pointing.py --page docs/results/pointing.md       # --no-test: validation posts only
"""

import argparse
import warnings
from pathlib import Path

from choose_rule import earlier_and_later

import textlrp
from textlrp.evaluation import hybrid_documents, pointing_game

SETTINGS = {
    "default": {},
    "word dropout 0.1": {"word_dropout": 0.1},
    "word dropout 0.4": {"word_dropout": 0.4},
    "word dropout 0.1, label smoothing 0.2": {"word_dropout": 0.1, "label_smoothing": 0.2},
}
SIZES = {"filters": 200, "embedding_dim": 200}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hybrids", type=int, help="maximum number of hybrid documents; default: all")
    parser.add_argument("--no-test", action="store_true", help="do not use the test posts")
    parser.add_argument("--page", type=Path, help="write the results to this Markdown file")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts have no known word

    game = Game(options.seeds, options.hybrids)
    training = textlrp.load_20newsgroups("train").documents
    game.log("## Validation posts\n")
    averages = game.play(list(SETTINGS), *earlier_and_later(training, 0.6))
    best = max(averages, key=lambda name: averages[name])
    game.log(f"\nBest average: {best}.")
    if not options.no_test:
        game.log("\n## Test posts\n")
        game.play([*dict.fromkeys(["default", best])], training, textlrp.load_20newsgroups("test").documents)
    if options.page:
        options.page.write_text("\n".join([*HEAD, *game.lines]) + "\n", encoding="utf-8")


class Game:
    """Train CNNs and measure them in the pointing game; keep the printed lines for the page."""

    def __init__(self, seeds, max_hybrids) -> None:
        self.seeds, self.max_hybrids = seeds, max_hybrids
        self.lines = []

    def log(self, line) -> None:
        print(line, flush=True)
        self.lines.append(line)

    def play(self, names, training, held_out):
        """Print a table, and return the share of hits of the average over seeds for each setting."""
        hybrids = hybrid_documents(held_out, max_hybrids=self.max_hybrids)
        self.log(
            f"{len(training):,} training posts, {len(held_out):,} other posts, "
            f"{len(hybrids):,} hybrid documents from the other posts.\n"
        )
        self.log("| setting | seed | accuracy in % | share of hits | 95% interval | hybrid documents |")
        self.log("|---|---|---|---|---|---|")
        averages = {}
        for name in names:
            members = []
            for seed in range(self.seeds):
                model = textlrp.CNNClassifier(**SETTINGS[name] | SIZES, random_state=seed)
                members.append(model.fit(training, [post.label for post in training]))
                self.row(name, seed, members[-1], held_out, hybrids)
            averaged = textlrp.CNNClassifier.averaged(members)
            averages[name] = self.row(name, f"average of {self.seeds}", averaged, held_out, hybrids)
        return averages

    def row(self, name, seed, model, held_out, hybrids):
        accuracy = model.score(held_out, [post.label for post in held_out])
        found = pointing_game(model, hybrids, by="token")  # as in the paper
        low, high = found.interval
        hits = f"{found.accuracy:.4f} | {low:.4f} to {high:.4f} | {found.n_included:,}"
        self.log(f"| {name} | {seed} | {100 * accuracy:.2f} | {hits} |")
        return found.accuracy


HEAD = [
    "# Pointing game on hybrid documents",
    "",
    "A hybrid document joins ten sentences of different posts. Its predicted class is explained by LRP epsilon. It",
    "is a hit if the word with the largest relevance is in a sentence from a post of the predicted class (Poerner,",
    "Roth, Schütze 2018; they report .89 for another CNN). Hybrid documents without such a sentence are left out.",
    "Settings are chosen on validation posts by the average of the CNNs of all seeds, which is a single CNN too",
    "(`CNNClassifier.averaged`). All CNNs have 200 filters of each width and word vectors of 200 dimensions.",
    "`python benchmarks/pointing.py --page docs/results/pointing.md` writes this page.",
    "",
]


if __name__ == "__main__":
    main()
