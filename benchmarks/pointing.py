"""Which CNN's strongest word points best at a sentence of its class? The hybrid pointing game of Poerner et al. 2018.

Settings are compared on validation posts: CNNs of 200 filters of each width and 200 dimensions are trained on the
earlier 60 % of the training posts of each group of 20 Newsgroups, from several seeds; the later 40 % are classified,
and their sentences make the hybrids. Each CNN plays alone, and so does the average of all seeds
(CNNClassifier.averaged). The default settings and those whose average points best are then trained on all training
posts, and play once on the test posts.

    python benchmarks/pointing.py --page docs/pointing.md       # --no-test: the validation posts alone
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
    parser.add_argument("--hybrids", type=int, help="the first so many; else all")
    parser.add_argument("--no-test", action="store_true", help="read no test post")
    parser.add_argument("--page", type=Path, help="a Markdown file for the results")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # some posts hold no word

    game = Game(options.seeds, options.hybrids)
    training = textlrp.load_20newsgroups("train").documents
    game.say("## Validation posts\n")
    averages = game.played(list(SETTINGS), *earlier_and_later(training, 0.6))
    best = max(averages, key=lambda name: averages[name])
    game.say(f"\nThe average that points best: {best}.")
    if not options.no_test:
        game.say("\n## Test posts\n")
        game.played([*dict.fromkeys(["default", best])], training, textlrp.load_20newsgroups("test").documents)
    if options.page:
        options.page.write_text("\n".join([*HEAD, *game.lines]) + "\n", encoding="utf-8")


class Game:
    """Trains CNNs and lets them play; keeps the lines that it prints."""

    def __init__(self, seeds, max_hybrids) -> None:
        self.seeds, self.max_hybrids = seeds, max_hybrids
        self.lines = []

    def say(self, line) -> None:
        print(line, flush=True)
        self.lines.append(line)

    def played(self, names, training, held_out):
        """The share of hits of the average of all seeds, for each of the settings."""
        hybrids = hybrid_documents(held_out, max_hybrids=self.max_hybrids)
        self.say(
            f"{len(training):,} posts to train on, {len(held_out):,} others, {len(hybrids):,} hybrids of these.\n"
        )
        self.say("| setting | seed | accuracy % | hits | 95 % interval | of |")
        self.say("|---|---|---|---|---|---|")
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
        right = model.score(held_out, [post.label for post in held_out])
        found = pointing_game(model, hybrids, by="token")  # the game of the paper
        low, high = found.interval
        hits = f"{found.accuracy:.4f} | {low:.4f} to {high:.4f} | {found.n_included:,}"
        self.say(f"| {name} | {seed} | {100 * right:.2f} | {hits} |")
        return found.accuracy


HEAD = [
    "# Does the strongest word point at the right sentence?",
    "",
    "Ten sentences of different posts are glued together, the class that the model predicts is explained (LRP",
    "epsilon), and the word with the largest relevance should stand in a sentence of a post of that class (Poerner,",
    "Roth, Schütze 2018; reported there for another CNN: .89). Hybrids without such a sentence do not count.",
    "Settings are chosen on validation posts by the average of all seeds, which is one CNN as well",
    "(`CNNClassifier.averaged`). 200 filters of each width, vectors of 200 dimensions.",
    "`python benchmarks/pointing.py --page docs/pointing.md` prints this.",
    "",
]


if __name__ == "__main__":
    main()
