"""Reproduce the tables and figures of Arras et al. 2017, "What is relevant in a text document?".

Trains the paper's nets and bag of words on 20 Newsgroups, evaluates their explanations on the test posts, and writes
a Markdown page with SVG figures. Models and stages are kept in the work folder, so that the same command continues
after an interruption.

    python benchmarks/arras2017.py --vectors vectors.npz --vectors-name "..." --page docs/results/arras2017.md
    python benchmarks/arras2017.py --quick          # sample posts instead of 20 Newsgroups, in a minute
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from arras2017_page import write_page
from pointing import SETTINGS, SIZES

import textlrp
from textlrp.evaluation.deletion import DELETION_PROTOCOLS, deletion_order, protocol_documents, still_correct
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus, word_relevances
from textlrp.evaluation.running.evaluate_corpus import evaluate
from textlrp.evaluation.running.plan import SLOW_METHODS, EvaluationPlan, default_methods
from textlrp.models.word_paths import path_scores

PAPER = frozenset({"deletion", "vectors"})
FULL = PAPER | {"eraser", "pointing", "words", "sanity", "ledger"}
AVERAGE = "our CNN, average of 3"
"""The CNN that is best in the pointing game of ``pointing.py`` on validation posts."""

HEATMAP_CLASSES = ["sci.space", "sci.med", "comp.graphics", "talk.politics.guns"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--vectors",
        help="a file of word vectors for an additional CNN2; the other nets use vectors made from the posts",
    )
    parser.add_argument("--vectors-name", default="vectors of a file", help="their name on the page")
    parser.add_argument("--work", type=Path, default=Path("build/arras2017"))
    parser.add_argument("--page", type=Path, default=Path("build/arras2017/page/arras2017.md"))
    parser.add_argument("--seeds", type=int, default=3, help="number of CNN2 models")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models to measure, CNN2 first; default: all")
    parser.add_argument("--quick", action="store_true", help="use sample posts and small nets")
    options = parser.parse_args()
    bench = Bench(options)
    names = options.models or list(bench.models)
    if unknown := set(names) - set(bench.models):
        parser.error(f"--models must be some of {', '.join(bench.models)}; got {', '.join(sorted(unknown))}")
    results = {name: bench.measured(name) for name in names}
    missing = [name for name in bench.models if name not in results]
    write_page(options.page, results, missing=missing, speed=bench.speed(), quick=options.quick)
    bench.heatmaps(options.page.with_suffix("") / "heatmaps.html")
    print(f"wrote {options.page}")


class Bench:
    """The models, trained when they are first used, and their results."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        load = textlrp.load_sample_posts if options.quick else textlrp.load_20newsgroups
        self.train, self.test = load("train"), load("test")
        self.models = self._recipes()

    def _recipes(self) -> Mapping[str, Callable[[], Any]]:
        small: dict[str, Any] = {"filters": 20, "max_epochs": 4, "min_df": 1} if self.options.quick else {}

        def fitted(model: Any) -> Any:
            return model.fit(self.train.documents, self.train.labels)

        def net(name: Any, seed: int = 0, vectors: str = "ppmi") -> Callable[[], Any]:
            made = textlrp.CNNClassifier.arras2017(name, vectors=vectors, random_state=seed)
            return lambda: fitted(made.set_params(**small))

        def ours(**settings: Any) -> Any:
            return fitted(textlrp.CNNClassifier(**settings | small))

        def average() -> Any:
            settings = SETTINGS["word dropout 0.1"] | SIZES
            return textlrp.CNNClassifier.averaged([ours(**settings, random_state=seed) for seed in range(3)])

        recipes: dict[str, Callable[[], Any]] = {
            "CNN2": net("CNN2"),
            "BoW/SVM": lambda: fitted(textlrp.BagOfWordsClassifier.arras2017()),
            "CNN1": net("CNN1"),
            "CNN3": net("CNN3"),
        }
        recipes |= {f"CNN2, seed {seed}": net("CNN2", seed) for seed in range(1, self.options.seeds)}
        if self.options.vectors:
            recipes[f"CNN2, {self.options.vectors_name}"] = net("CNN2", vectors=self.options.vectors)
        return recipes | {
            "our CNN": ours,
            AVERAGE: average,
            "our bag of embeddings": lambda: fitted(textlrp.BagOfEmbeddingsClassifier(min_df=1)),
            "our BoW/SVM": lambda: fitted(
                # only words, as in the paper; by default the model uses character n-grams too
                textlrp.BagOfWordsClassifier(
                    analyzer="word", ngrams=1, punctuation=False, C=0.5, idf_power=2.0, tokenizer="spacy"
                )
            ),
        }

    def model(self, name: str) -> Any:
        folder = self.options.work / "models" / _file_name(name)
        if not (folder / "config.json").exists():
            print(f"training {name} ...", flush=True)
            began = time.perf_counter()
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.models[name]().save(folder)
            print(f"  {time.perf_counter() - began:.0f} s")
        return textlrp.load(folder)

    def measured(self, name: str) -> dict[str, Any]:
        """The results of a model, read from the work folder if they are there, otherwise computed."""
        folder = self.options.work / "results" / _file_name(name)
        model = self.model(name)
        found = folder / "results.json"
        if found.exists() and json.loads(found.read_text())["model"] == model.fingerprint_:
            return json.loads(found.read_text())
        print(f"evaluating {name} ...", flush=True)
        began = time.perf_counter()
        result = evaluate(
            model,
            self.test.documents,
            folder,
            plan=self._plan(name, model),
            model_name=name,
            corpus_name=f"{self.test.name} test",
            log=lambda line: print(f"  {line}", flush=True),
        )
        print(f"  {time.perf_counter() - began:.0f} s")
        return result

    def _plan(self, name: str, model: Any) -> EvaluationPlan:
        plan = EvaluationPlan(default_methods(model), n_random_orders=3, protocols=DELETION_PROTOCOLS, measures=PAPER)
        if name in ("CNN2", "BoW/SVM"):
            plan = replace(plan, slow_methods=SLOW_METHODS, measures=PAPER | {"words"})
        if name == "CNN2":
            plan = replace(plan, n_random_orders=10, protocols=EvaluationPlan(()).protocols, measures=FULL)
        if name in ("our CNN", AVERAGE):
            plan = replace(plan, measures=PAPER | {"pointing"})
        if name in ("our bag of embeddings", "our BoW/SVM"):
            plan = replace(plan, measures=frozenset({"vectors"}))
        if self.options.quick:
            plan = replace(plan, min_words=20, steps=10, n_random_orders=2, max_documents=30, n_slow_documents=5)
        return plan

    def speed(self) -> dict[str, float]:
        """Seconds of word deletion on the test set (LRP, CNN2), and the speed-up over one forward pass per text."""
        corpus = score_corpus(self.model("CNN2"), self.test.documents)
        spec = MethodSpec("LRP")
        min_words, steps = (20, 10) if self.options.quick else (100, 50)
        began = time.perf_counter()
        found = word_relevances(corpus, spec)
        documents = 0
        for protocol in DELETION_PROTOCOLS:
            relevances = found.true_label if protocol.target == "true_label" else found.predicted
            documents += len(still_correct(corpus, protocol, relevances, steps=steps, min_words=min_words))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "documents": documents} | _speed_up(corpus, found.predicted, min_words, steps)

    def heatmaps(self, page: Path) -> None:
        """Write heatmaps of one post about space for several classes, by CNN2 and the bag of words.

        The page gets a sample post; a page with a real post is written to the work folder only.
        """
        sample = next(post for post in textlrp.load_sample_posts("test").documents if post.label == "sci.space")
        real = next(post for post in self.test.documents if post.label == "sci.space" and len(post.text) < 2000)
        for post, path in ((sample, page), (real, self.options.work / "heatmaps.html")):
            whys = []
            for name in ("CNN2", "BoW/SVM"):
                named = replace(post, id=f"{name}: a post of {post.label}")
                whys.append(textlrp.explain(self.model(name), named, target=HEATMAP_CLASSES))
            textlrp.write_report(whys, path, title="A post about space, explained for several classes")


def _speed_up(corpus: Any, relevances: Any, min_words: int, steps: int) -> dict[str, float]:
    """Ratio of median times on the same posts: one forward pass per shortened text / a batch with shared windows."""
    chosen = protocol_documents(corpus, DELETION_PROTOCOLS[0], min_words)
    batch, rows = next((b, r) for b, r in corpus.iter_batches(chosen) if len(r) >= 16 or corpus.lengths.max() < 400)
    batch, rows = batch.select(range(min(16, len(rows)))), rows[:16]
    orders = [
        deletion_order(relevances[row], batch.ids[n, : batch.lengths[n]] > 0, steps, most_relevant_first=True)
        for n, row in enumerate(rows.tolist())
    ]
    times: dict[str, list[float]] = {"batch": [], "single": []}
    path_scores(corpus.model, batch, orders)
    for _ in range(5):
        began = time.perf_counter()
        quick = path_scores(corpus.model, batch, orders)
        times["batch"].append(time.perf_counter() - began)
        began = time.perf_counter()
        for n, order in enumerate(orders):
            keep = np.ones((1, int(batch.lengths[n])), dtype=bool)
            text = batch.select([n])
            single = [corpus.model.scores(text, keep=keep)[0]]
            for position in order:
                keep[0, position] = False
                single.append(corpus.model.scores(text, keep=keep)[0])
            assert np.allclose(single, quick[n], atol=1e-4)
        times["single"].append(time.perf_counter() - began)
    return {"ratio": float(np.median(times["single"]) / np.median(times["batch"]))}


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())


if __name__ == "__main__":
    main()
