"""Time of explanations: compared with predicting and with other tools, by size, and from text to file.

Everything runs in one process, interleaved, with the same number of threads. All tools get the same batches of posts
of similar length, with at most 64 posts and 32,768 positions including padding; the share of padding is printed. A
ratio is the median over rounds of one time divided by the other, measured in the same round. "textlrp" is the time
from ids to the relevance of every word for all classes.

    python benchmarks/speed.py [--page docs/results/speed.md] [--quick]

Needs 20 Newsgroups (with --quick, only the sample posts) and the packages of the extras ``test``, ``baselines``,
``ray`` and ``speed``. The net has D = 300, F = 800 and width 2, and is trained for one epoch; the time does not
depend on its weights.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import contenders
import numpy as np
import speed_files
import speed_models
import torch
from timing import BATCH, Page, batches_of, cores, made_batch, ours, padded, padding, ratio_of, scorer, seconds

import textlrp
from textlrp.explainers.methods import Lime, Shap
from textlrp.models.tapes import kept_projections
from textlrp.text.batches import Batch
from textlrp.text.corpora import Corpus

BANDS = ((1, 25), (26, 50), (51, 100), (101, 200), (201, 400), (401, 1000), (1001, 20000))
"""Ranges of the number of words of a post."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="write the tables to this Markdown file, and a figure next to it")
    parser.add_argument("--quick", action="store_true", help="use sample posts and few rounds, to test the script")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(cores())
    page = Page()
    posts = corpus(options.quick)
    model = trained(options.quick)
    page.log(
        f"{cores()} threads; {len(posts):,} documents; textlrp {textlrp.__version__}, torch {torch.__version__}."
    )
    rounds = 1 if options.quick else 5
    bands = banded(model, posts, 8 if options.quick else 256)
    predicting(page, {"D = 300, F = 800": model, "bundled CNN": textlrp.load("20newsgroups-cnn")}, posts, rounds)
    single_texts(page, 20 if options.quick else 200)
    forward_passes(page, model, bands, rounds, compiled=not options.quick)
    other_tools(page, model, bands, rounds)
    perturbation_methods(page, model, bands, 1 if options.quick else 6)
    speed_models.bags_of_words(page, posts, rounds)
    speed_models.bag_of_embeddings(page, posts, rounds)
    speed_models.recorded_module(page, rounds)
    scaling_results = scaling(page, model, options.quick)
    speed_files.phases(page, {"bundled CNN": textlrp.load("20newsgroups-cnn"), "D = 300, F = 800": model}, posts)
    speed_files.to_parquet(page, {"bundled CNN": "20newsgroups-cnn", "D = 300, F = 800": model}, posts)
    speed_files.on_ray(page, posts, options.quick)
    if options.page:
        picture = options.page.with_suffix(".svg")
        draw(scaling_results, picture)
        page.write(options.page, "Speed", "python benchmarks/speed.py", picture)


def corpus(quick: bool) -> Corpus:
    return textlrp.load_sample_posts("all") if quick else textlrp.load_20newsgroups("all")


def trained(quick: bool) -> textlrp.CNNClassifier:
    train = textlrp.load_sample_posts("train") if quick else textlrp.load_20newsgroups("train")
    model = textlrp.CNNClassifier(widths=2, filters=800, max_epochs=1, vectors=None, validation_fraction=0.0)
    return model.fit(train.documents, train.labels)


def banded(model: Any, posts: Corpus, max_posts: int) -> dict[str, list[Batch]]:
    """Batches of at most ``max_posts`` posts for each range of length, drawn with seed 0."""
    batch = model.encode([posts.documents[row] for row in np.random.default_rng(0).permutation(len(posts))[:4000]])
    found = {}
    for low, high in BANDS:
        rows = np.flatnonzero((batch.lengths >= low) & (batch.lengths <= high))[:max_posts]
        if len(rows):
            found[f"{low:,} to {high:,}"] = batches_of(batch.select(rows.tolist()))
    return found


def predicting(page: Page, models: dict[str, Any], posts: Corpus, rounds: int) -> None:
    """Explaining all classes compared with scoring, both with projections of the vocabulary computed in advance."""
    for name, model in models.items():
        kept = kept_projections(model)
        explain, score = ours(model, kept=kept), scorer(model, kept)
        page.table(
            f"Explaining all {len(model.classes_)} classes compared with predicting ({name})",
            "words per post", "posts", "padding", "predicting, ms per post", "explaining, ms per post", "ratio",
        )  # fmt: skip
        bands = banded(model, posts, 256)
        bands["all"] = [batch for batches in bands.values() for batch in batches]
        for band, batches in bands.items():
            ratio, mine, theirs = ratio_of(explain, score, batches, rounds)
            page.row(band, documents(batches), padding(batches), f"{theirs:.3f}", f"{mine:.3f}", f"{ratio:.2f}")
    page.log(
        "\nPredicting is `decision_function` from ids to scores. Both use the same projections, computed in advance."
    )


def documents(batches: Sequence[Batch]) -> str:
    return f"{sum(map(len, batches)):,}"


def single_texts(page: Page, rounds: int) -> None:
    """One text per call, from text to Explanation for all classes, compared with ``predict``."""
    model = textlrp.load("20newsgroups-cnn")
    page.table("One text: `explain(model, text, target=\"all\")` compared with `predict([text])` (bundled CNN)",
               "words", "predict, ms", "explain, ms", "ratio of medians")  # fmt: skip
    line = "my doctor thinks the shuttle launch was delayed by bad weather near the coast "
    for words in (12, 50, 200, 1000):
        text = " ".join((line * 100).split()[:words])
        pairs = []
        for _ in range(rounds):
            one = seconds(lambda: model.predict([text]))  # noqa: B023
            pairs.append((one, seconds(lambda: textlrp.explain(model, text, target="all"))))  # noqa: B023
        predict, explain = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
        page.row(f"{words:,}", f"{predict:.2f}", f"{explain:.2f}", f"{explain / predict:.2f}")


def forward_passes(
    page: Page, model: Any, bands: dict[str, list[Batch]], rounds: int, *, compiled: bool = True
) -> None:
    """Compare with the forward pass of the same net, without explanation, in four implementations, by length."""
    net, explain = contenders.plain_net(model), ours(model)
    ways: dict[str, contenders.Contender] = {
        "eager": contenders.forward(net),
        "matrix products": contenders.forward_by_matrices(net),
        "ONNX Runtime": contenders.forward_onnx(net),
    }
    if compiled:
        ways["torch.compile"] = contenders.forward_compiled(net)
    page.table(
        f"Speed-up over the forward pass of plain PyTorch: textlrp explains all {len(model.classes_)} classes",
        "words per post", "posts", "padding", "textlrp, ms per post", *ways, "fastest of these",
    )  # fmt: skip
    for band, batches in bands.items():
        ratios, mine = [], 0.0
        for way in ways.values():
            ratio, _, mine = ratio_of(lambda batch, way=way: way(padded(batch)), explain, batches, rounds)
            ratios.append(ratio)
        page.row(band, documents(batches), padding(batches), f"{mine:.3f}", *(f"{ratio:.1f}" for ratio in ratios),
                 f"**{min(ratios):.1f}**")  # fmt: skip


def other_tools(page: Page, model: Any, bands: dict[str, list[Batch]], rounds: int) -> None:
    """Compare with other tools on the same net and batches: posts of 101 to 200 and of 201 to 400 words."""
    kept = seconds(lambda: kept_projections(model))
    net, explain, classes = contenders.plain_net(model), ours(model), len(model.classes_)
    chosen = [batches[0] for band, batches in bands.items() if band in ("101 to 200", "201 to 400")]
    others: list[tuple[str, contenders.Contender]] = [
        ("gradient × input, one class", contenders.gradient_times_input(net)),
        (f"gradient × input, {classes} classes", contenders.gradient_times_input(net, classes)),
        ("Captum LRP, one class", contenders.captum_lrp(net)),
        (f"Captum LRP, {classes} classes as the batch", contenders.captum_lrp(net, classes)),
        ("Zennit, one class", contenders.zennit_lrp(net)),
        (f"Zennit, {classes} classes over one forward pass", contenders.zennit_lrp(net, classes)),
        ("Captum layer integrated gradients, 50 steps, one class", contenders.layer_integrated_gradients(net)),
    ]
    page.table(
        f"Speed-up over other tools: textlrp explains all {classes} classes ({documents(chosen)} posts of 101 to 400 "
        f"words, padding {padding(chosen)})",
        "tool", "speed-up", "textlrp, ms per post", "tool, ms per post",
    )  # fmt: skip
    for name, other in others:
        ratio, theirs, mine = ratio_of(
            lambda batch, other=other: other(padded(batch)), explain, chosen, max(1, rounds // 2)
        )
        page.row(name, f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}", f"{mine:.3f}", f"{theirs:,.2f}")
    page.table("Time by rule: all classes", "rule", "ms per post", "time relative to rule epsilon")
    for rule in ("zero", "gamma", "alpha2-beta1", "flat"):
        ratio, mine, _ = ratio_of(ours(model, rule=rule), explain, chosen, rounds)
        page.row(rule, f"{mine:.3f}", f"{ratio:.2f}")
    page.log(
        f"\nComputing the projections of all {len(model.vocabulary_):,} words took {kept:.2f} s, once per model."
    )


def perturbation_methods(page: Page, model: Any, bands: dict[str, list[Batch]], max_texts: int) -> None:
    """Compare with LIME and SHAP, which score thousands of perturbed texts.

    Measured with their own packages on the plain net, and as ``method=`` of textlrp, which scores such texts faster.
    """
    batches = [batches[0] for batches in bands.values()]
    batches = batches[1:-1] or batches
    texts = [batch.readings[0].tokens.text for batch in batches][:max_texts]
    predict = contenders.predictor(contenders.plain_net(model), model.vocabulary_.id)
    ways: list[tuple[str, Callable[[str], object]]] = [
        ("LIME's package, 5,000 samples", lambda text: contenders.lime(predict, text)),
        ("SHAP's package, Partition", lambda text: contenders.shap_partition(predict, text)),
        (
            "LIME, 5,000 samples, as `method=` of textlrp",
            lambda text: textlrp.explain(model, text, method=Lime(samples=5000)),
        ),
        ("SHAP as `method=` of textlrp", lambda text: textlrp.explain(model, text, method=Shap())),
    ]
    page.table("Speed-up over methods that score perturbed texts: one text per call, from text to result", "method",
               "speed-up of LRP, all classes", "method, s per text")  # fmt: skip
    for name, way in ways:
        mine = statistics.fmean(seconds(lambda: textlrp.explain(model, text, target="all")) for text in texts * 3)  # noqa: B023
        theirs = statistics.fmean(seconds(lambda: way(text)) for text in texts)  # noqa: B023
        page.row(name, f"{theirs / mine:,.0f}", f"{theirs:.2f}")
    page.log(f"\nMean over {len(texts)} posts, one from each range of length.")


def scaling(page: Page, model: Any, quick: bool) -> dict[str, Any]:
    """Time by length, classes, filters and batch size, without padding, compared with a plain forward pass."""
    rng = np.random.default_rng(0)
    words = rng.integers(1, len(model.vocabulary_) + 1, size=5000)
    runs = 2 if quick else 5
    found: dict[str, Any] = {}

    def measure(title: str, unit: str, cases: Sequence[tuple[int, Any, int, int]]) -> None:
        page.table(title, unit, "textlrp, ms per document", "plain forward, ms per document", "speed-up")
        rows = []
        for size, net, length, batch in cases:
            some = made_batch([words[rng.permutation(5000)[:length]] for _ in range(batch)])
            plain = contenders.forward_by_matrices(contenders.plain_net(net))
            ratio, theirs, mine = ratio_of(lambda batch: plain(padded(batch)), ours(net), [some], runs)  # noqa: B023
            rows.append((size, mine, theirs))
            page.row(f"{size:,}", f"{mine:.3f}", f"{theirs:.2f}", f"{ratio:.1f}")
        found[title] = {"unit": unit, "rows": rows}

    lengths = (50, 200, 800) if quick else (12, 25, 50, 100, 200, 500, 1000, 2000, 5000)
    measure("Time by length", "words", [(n, model, n, max(2, min(BATCH, 20000 // n))) for n in lengths])
    classes = (2, 20, 100) if quick else (2, 10, 20, 50, 100, 300, 1000)
    measure("Time by classes (200 words)", "classes", [(c, untrained(model, 800, c), 200, BATCH) for c in classes])
    filters = (100, 400) if quick else (100, 200, 400, 800, 1600)
    measure("Time by filters (200 words)", "filters", [(f, untrained(model, f, 20), 200, BATCH) for f in filters])
    sizes = (1, 16, 64) if quick else (1, 4, 16, 64, 256)
    measure("Time by batch size (200 words)", "documents", [(b, model, 200, b) for b in sizes])
    return found


def untrained(model: Any, filters: int, classes: int) -> textlrp.CNNClassifier:
    """A net with the same vocabulary, other sizes and random weights."""
    from sklearn.base import clone

    rng = np.random.default_rng(0)
    other = clone(model).set_params(filters=filters)
    table = model.weights_["embedding"]

    def draw(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)

    other.weights_ = {
        "embedding": table,
        "conv2.weight": draw(table.shape[1], 2 * filters),
        "conv2.bias": np.full(filters, 0.01, np.float32),
        "output.weight": draw(classes, filters),
        "output.bias": np.zeros(classes, np.float32),
    }
    other.vocabulary_, other.classes_ = model.vocabulary_, np.arange(classes)
    other.n_documents_ = model.n_documents_
    return other


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw four log-log plots: textlrp and the plain forward pass."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "textlrp"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(12, 3), sharey=True, layout="constrained")
    for axis, (title, curve) in zip(np.atleast_1d(axes), results.items(), strict=True):
        size, mine, theirs = zip(*curve["rows"], strict=True)
        axis.loglog(size, theirs, "s--", color="#888", markersize=4, label="plain forward pass, no explanation")
        axis.loglog(size, mine, "o-", color="#b3261e", markersize=4, label="textlrp, all classes")
        axis.set(title=title, xlabel=curve["unit"])
        axis.grid(visible=True, which="major", color="#ddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(axes)[0].set_ylabel("ms per document")
    np.atleast_1d(axes)[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
