"""How fast an explanation is: against other tools, over size, and from text to file.

Everything runs in this one process, interleaved, on the same batches of 64 posts of like length and the same
threads; a ratio is the median over the rounds of (their time / ours), since both of a round meet the same machine.
Ours is all classes at once, from ids to the relevance of every word, packed for each document.

    python benchmarks/speed.py [--page docs/speed.md] [--quick]

Needs 20 Newsgroups (or, with --quick, only the sample posts) and the packages of the extras ``test``, ``rivals`` and
``ray``. The net has D = 300, F = 800, width 2, and is trained for one epoch: its weights do not change the time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import contenders
import numba
import numpy as np
import torch

import textlrp
from textlrp.bulk import BatchExplainer, CorpusSource, Workforce, explain_to_folder
from textlrp.bulk.parts import PART_ROWS, cut, encode
from textlrp.explainers.blocks import lead
from textlrp.explainers.explain import how_to_explain
from textlrp.explainers.methods import Lime, Shap
from textlrp.models.tracing import kept_projections, tracer
from textlrp.text.batches import Batch, Reading, bucket, pad
from textlrp.text.datasets import Corpus

BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="write the tables, and a picture beside it, as Markdown")
    parser.add_argument("--quick", action="store_true", help="sample posts, few rounds: to see that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(cores())
    page = Page()
    posts = corpus(options.quick)
    model = trained(options.quick)
    page.say(
        f"{cores()} threads; {len(posts):,} documents; textlrp {textlrp.__version__}, torch {torch.__version__}."
    )
    batches = batches_of(model, posts, 6 if options.quick else 12)
    rounds = 1 if options.quick else 3
    against(page, model, batches, rounds)
    thinned(page, model, batches, 1 if options.quick else 6)
    grown = growth(page, model, options.quick)
    phases(page, {"bundled CNN": textlrp.load("20newsgroups-cnn"), "D = 300, F = 800": model}, posts)
    to_parquet(page, {"bundled CNN": "20newsgroups-cnn", "D = 300, F = 800": model}, posts)
    on_ray(page, posts, options.quick)
    if options.page:
        page.write(options.page, grown)


class Page:
    """Lines that are printed at once and kept for a page."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.lines.append(line)

    def table(self, title: str, *heads: str) -> None:
        self.say(f"\n## {title}\n")
        self.row(*heads)
        self.row(*["---"] * len(heads))

    def row(self, *cells: object) -> None:
        self.say("| " + " | ".join(map(str, cells)) + " |")

    def write(self, path: Path, grown: dict[str, Any]) -> None:
        picture = path.with_suffix(".svg")
        draw(grown, picture)
        text = "\n".join(self.lines)
        path.write_text(f"# Speed\n\n`python benchmarks/speed.py` prints this.\n\n{text}\n\n![]({picture.name})\n")


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def corpus(quick: bool) -> Corpus:
    found = textlrp.load_sample_posts("all") if quick else textlrp.load_20newsgroups("all")
    assert found.documents
    return found


def trained(quick: bool) -> textlrp.CNNClassifier:
    train = textlrp.load_sample_posts("train") if quick else textlrp.load_20newsgroups("train")
    model = textlrp.CNNClassifier(widths=2, filters=800, max_epochs=1, vectors=None, validation_fraction=0.0)
    return model.fit(train.documents, train.labels)


def batches_of(model: textlrp.CNNClassifier, posts: Corpus, most: int) -> list[Batch]:
    """Batches of 64 of like length, evenly spaced over all lengths."""
    test = textlrp.load_20newsgroups("test") if len(posts) > 1000 else posts
    rows = np.random.default_rng(0).permutation(len(test))[: most * BATCH]
    batch = model.encode([test.documents[row] for row in rows.tolist()])
    return [batch.select(own.tolist()) for own in bucket(batch.lengths, BATCH)]


def padded(batch: Batch, at_least: int = 2) -> torch.Tensor:
    ids = torch.from_numpy(batch.ids)
    return torch.nn.functional.pad(ids, (0, max(0, at_least - ids.shape[1])))


def ours(model: Any, *, rule: str | None = None) -> Callable[[Batch], object]:
    """All classes of a batch, with the projections of the vocabulary made already."""
    how = how_to_explain(model, rule, "lrp")
    how = how._replace(trace=tracer(model, kept=kept_projections(model)))
    return lambda batch: lead(model, batch, "all", None, how)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratio_to_ours(
    own: Callable[[Batch], object], other: Callable[[Batch], object], batches: Sequence[Batch], rounds: int
) -> tuple[float, float, float]:
    """(their time / ours, ours and theirs in ms a document), medians over rounds of both in turn."""
    documents = sum(len(batch) for batch in batches)
    pairs = []
    for _ in range(rounds):
        before = seconds(lambda: [own(batch) for batch in batches])
        theirs = seconds(lambda: [other(batch) for batch in batches])
        pairs.append(((before + seconds(lambda: [own(batch) for batch in batches])) / 2, theirs))
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return ratio, mine / documents * 1e3, theirs / documents * 1e3


def against(page: Page, model: textlrp.CNNClassifier, batches: Sequence[Batch], rounds: int) -> None:
    """Other tools on the same net and batches."""
    kept = seconds(lambda: kept_projections(model))
    net, own, classes = contenders.plain_net(model), ours(model), len(model.classes_)
    few = batches[len(batches) // 2 :: max(1, len(batches) // 4)][:2]  # of middle length and more, for slow ones
    others: list[tuple[str, contenders.Contender, Sequence[Batch], float]] = [
        ("plain `nn.Module` forward pass (no_grad)", contenders.forward(net), batches, 1),
        ("forward pass as matrix products (no_grad)", contenders.forward_by_matrices(net), batches, 1),
        ("gradient × input, one class", contenders.gradient_times_input(net), batches, 1),
        (f"gradient × input, {classes} classes", contenders.gradient_times_input(net, classes), few, 1),
        ("Captum LRP, one class", contenders.captum_lrp(net), few, 1),
        (f"Captum LRP, {classes} classes", contenders.captum_lrp(net, classes), few[:1], 1),
        ("Zennit, one class", contenders.zennit_lrp(net), few, 1),
        (f"Zennit, {classes} classes", contenders.zennit_lrp(net, classes), few[:1], 1),
        (
            "Captum layer integrated gradients, 50 steps, one class",
            contenders.layer_integrated_gradients(net),
            few[:1],
            1,
        ),
    ]
    page.table(
        f"Against other tools: ours is all {classes} classes",
        "contender", "ours is so many times faster", "ours, ms a document", "theirs, ms a document",
    )  # fmt: skip
    for batch in batches:  # warm
        own(batch)
    contenders.forward(net)(padded(batches[0]))
    for name, other, chosen, _ in others:
        times = rounds if chosen is batches else max(1, rounds // 2)
        ratio, mine, theirs = ratio_to_ours(own, lambda batch, other=other: other(padded(batch)), chosen, times)
        page.row(name, f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}", f"{mine:.3f}", f"{theirs:,.2f}")
    for rule in ("zero", "gamma", "alpha2-beta1", "flat"):
        by_rule = ours(model, rule=rule)
        by_rule(batches[0])  # warm
        ratio, mine, theirs = ratio_to_ours(
            by_rule,
            lambda batch: contenders.forward(net)(padded(batch)),
            batches[::2],
            max(1, rounds // 2),
        )
        page.row(f"plain forward pass; ours by rule {rule}", f"{ratio:.1f}", f"{mine:.3f}", f"{theirs:,.2f}")
    page.say(f"\nBuilding the projections of all {len(model.vocabulary_):,} words took {kept:.2f} s, once.")


def thinned(page: Page, model: textlrp.CNNClassifier, batches: Sequence[Batch], documents: int) -> None:
    """LIME and SHAP, which score thousands of thinned-out texts.

    By their own packages over the plain net, and as ``method=`` of ours, which scores such texts many times faster.
    """
    texts = [
        batch.readings[0].tokens.text for batch in batches[:: max(1, len(batches) // documents)]
    ]  # of all lengths
    predict = contenders.predictor(contenders.plain_net(model), model.vocabulary_.id)
    ways: list[tuple[str, Callable[[str], object]]] = [
        ("LIME's package, 5,000 samples", lambda text: contenders.lime(predict, text)),
        ("SHAP's package, Partition", lambda text: contenders.shap_partition(predict, text)),
        (
            "LIME, 5,000 samples, as our `method=`",
            lambda text: textlrp.explain(model, text, method=Lime(samples=5000)),
        ),
        ("SHAP as our `method=`", lambda text: textlrp.explain(model, text, method=Shap())),
    ]
    own = ours(model)
    page.table("Against methods that score thinned-out texts", "method",
               "ours, all classes, is so many times faster", "theirs, s a document")  # fmt: skip
    for name, way in ways:
        before = seconds(lambda: [own(batch) for batch in batches])
        theirs = statistics.fmean(seconds(lambda: way(text)) for text in texts)  # noqa: B023
        after = seconds(lambda: [own(batch) for batch in batches])
        mine = (before + after) / 2 / sum(len(batch) for batch in batches)
        page.row(name, f"{theirs / mine:,.0f}", f"{theirs:.2f}")
    page.say(
        f"\nTheirs is the mean of {len(texts)} posts, the shortest to the longest; ours that of all posts above."
    )


def growth(page: Page, model: textlrp.CNNClassifier, quick: bool) -> dict[str, Any]:
    """How time grows with length, classes, filters and batch, beside the plain forward pass."""
    rng = np.random.default_rng(0)
    words = rng.integers(1, len(model.vocabulary_) + 1, size=5000)
    runs = 2 if quick else 3
    found: dict[str, Any] = {}

    def measure(title: str, unit: str, cases: Sequence[tuple[int, Any, int, int]]) -> None:
        page.table(title, unit, "ours, ms a document", "plain forward, ms a document", "ratio")
        rows = []
        for size, net, length, batch in cases:
            some = made_batch([words[rng.permutation(5000)[:length]] for _ in range(batch)])
            own, plain = ours(net), contenders.forward(contenders.plain_net(net))
            own(some), plain(padded(some))
            pairs = [(seconds(lambda: own(some)), seconds(lambda: plain(padded(some)))) for _ in range(runs)]  # noqa: B023
            mine, theirs = (statistics.median(column) / batch * 1e3 for column in zip(*pairs, strict=True))
            rows.append((size, mine, theirs))
            page.row(f"{size:,}", f"{mine:.3f}", f"{theirs:.2f}", f"{theirs / mine:.0f}")
        found[title] = {"unit": unit, "rows": rows}

    lengths = (50, 200, 800) if quick else (50, 100, 200, 500, 1000, 2000, 5000)
    measure("Time over length", "words", [(n, model, n, max(2, min(BATCH, 20000 // n))) for n in lengths])
    classes = (2, 20, 100) if quick else (2, 10, 20, 50, 100, 300, 1000)
    measure("Time over classes (200 words)", "classes", [(c, untrained(model, 800, c), 200, BATCH) for c in classes])
    filters = (100, 400) if quick else (100, 200, 400, 800, 1600)
    measure("Time over filters (200 words)", "filters", [(f, untrained(model, f, 20), 200, BATCH) for f in filters])
    sizes = (1, 16, 64) if quick else (1, 4, 16, 64, 256)
    measure("Time over batch (200 words)", "documents", [(b, model, 200, b) for b in sizes])
    return found


def made_batch(texts: Sequence[np.ndarray]) -> Batch:
    """A batch of ids alone."""
    ids, lengths = pad([text.astype(np.int64) for text in texts])
    nothing = tuple(Reading(str(n), None, None, None, ()) for n in range(len(texts)))  # type: ignore[arg-type]
    return Batch(nothing, ids, lengths, (None,) * len(texts), (None,) * len(texts))  # type: ignore[arg-type]


def untrained(model: textlrp.CNNClassifier, filters: int, classes: int) -> textlrp.CNNClassifier:
    """A net over the same words with other sizes and random weights."""
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


def phases(page: Page, models: dict[str, Any], posts: Corpus) -> None:
    """Where the time of one core goes, from text to file."""
    documents = list(posts.documents[:: max(1, len(posts) // 4096)])
    page.table(
        "From text to file on one thread: µs a document",
        "model",
        "text to ids",
        "ids to relevance",
        "rows and Parquet",
    )
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    for name, model in models.items():
        table = next(cut(CorpusSource(documents, "some")))
        texts = documents[: len(table)]
        model.encode(texts)  # every chunk has been met
        reading = seconds(lambda: [model.encode(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)])  # noqa: B023
        own = ours(model)
        encoded = [model.encode(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)]
        own(encoded[0])
        leading = seconds(lambda: [own(batch) for batch in encoded])  # noqa: B023
        explainer = BatchExplainer(model, target="all")
        with tempfile.TemporaryFile() as sink:
            encode(explainer, table, sink)
        with tempfile.TemporaryFile() as sink:
            whole = seconds(lambda: encode(explainer, table, sink))  # noqa: B023
        page.row(name, *(f"{part / len(texts) * 1e6:,.0f}" for part in (reading, leading, whole - reading - leading)))
    numba.set_num_threads(cores())
    torch.set_num_threads(cores())


def to_parquet(page: Page, models: dict[str, Any], posts: Corpus) -> None:
    """All posts, all classes, text in and Parquet out."""
    page.table(f"Text in, Parquet out: {len(posts):,} documents, all classes, {cores()} processes",
               "model", "documents a second", "seconds in all", "bytes a document")  # fmt: skip
    for name, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            run = explain_to_folder(model, CorpusSource(posts, "posts"), Path(folder) / "out", target="all")
            page.row(
                name, f"{run.explained / run.seconds:,.0f}", f"{run.seconds:.1f}", f"{run.bytes / run.explained:,.0f}"
            )
    page.say("\nThe seconds begin with the start of the processes and hold the building of the projections.")


def on_ray(page: Page, posts: Corpus, quick: bool) -> None:
    """Two Ray workers of one thread each against one."""
    page.table(
        "On Ray, workers of one thread (bundled CNN)",
        "workers",
        "documents a second, from the first part written to the last",
    )
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2) * (1 if quick else 3):
        with tempfile.TemporaryDirectory() as folder:
            times = parts_written(posts, Path(folder) / "out", workers)
        if len(times) < 5:
            page.say("\nToo few documents to tell.")
            return
        # every worker's first part is for it to begin
        speeds[workers].append((len(times) - workers) / (times[-1] - times[workers - 1]) * PART_ROWS)
    for workers, found in speeds.items():
        page.row(workers, ", ".join(f"{speed:,.0f}" for speed in found))
    ratios = [two / one for one, two in zip(speeds[1], speeds[2], strict=True)]
    page.row("2 against 1", f"{statistics.median(ratios):.2f} times (median)")


def parts_written(posts: Corpus, folder: Path, workers: int) -> list[float]:
    """When each part of a run on Ray was written, in seconds."""
    twice = CorpusSource([*posts.documents, *posts.documents], "posts, twice")
    explain_to_folder("20newsgroups-cnn", twice, folder, by=Workforce(workers, "ray"), target="all")
    return sorted(path.stat().st_mtime for path in folder.glob("part-*.parquet"))


def draw(grown: dict[str, Any], path: Path) -> None:
    """Four small curves: ours and the plain forward pass."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "textlrp"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(grown), figsize=(12, 3), sharey=True, layout="constrained")
    for axis, (title, curve) in zip(np.atleast_1d(axes), grown.items(), strict=True):
        size, mine, theirs = zip(*curve["rows"], strict=True)
        axis.loglog(size, theirs, "s--", color="#888", markersize=4, label="plain forward pass, no explanation")
        axis.loglog(size, mine, "o-", color="#b3261e", markersize=4, label="textlrp, all classes")
        axis.set(title=title, xlabel=curve["unit"])
        axis.grid(visible=True, which="major", color="#ddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(axes)[0].set_ylabel("ms a document")
    np.atleast_1d(axes)[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
