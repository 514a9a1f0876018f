"""The sections of :mod:`speed` from text to file: phases on one thread, Parquet with several processes, Ray."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numba
import torch
from timing import BATCH, Page, cores, ours, seconds

from textlrp.bulk import BatchExplainer, CorpusSource, WorkerOptions, explain_to_folder
from textlrp.bulk.shards import SHARD_ROWS, explain_to_sink, split_into_shards
from textlrp.text.corpora import Corpus


def phases(page: Page, models: dict[str, Any], posts: Corpus) -> None:
    """Time of each phase on one core, from text to file."""
    some = list(posts.documents[:: max(1, len(posts) // 4096)])
    page.table(
        "From text to file on one thread: µs per document",
        "model",
        "text to ids",
        "ids to relevance",
        "rows and Parquet",
    )
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    for name, model in models.items():
        table = next(split_into_shards(CorpusSource(some, "some")))
        texts = some[: len(table)]
        model.encode(texts)  # warm up: caches the chunks of the tokenizer
        reading = seconds(lambda: [model.encode(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)])  # noqa: B023
        explain = ours(model)
        encoded = [model.encode(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)]
        explain(encoded[0])
        explaining = seconds(lambda: [explain(batch) for batch in encoded])  # noqa: B023
        explainer = BatchExplainer(model, target="all")
        with tempfile.TemporaryFile() as sink:
            explain_to_sink(explainer, table, sink)
        with tempfile.TemporaryFile() as sink:
            whole = seconds(lambda: explain_to_sink(explainer, table, sink))  # noqa: B023
        page.row(
            name, *(f"{part / len(texts) * 1e6:,.0f}" for part in (reading, explaining, whole - reading - explaining))
        )
    numba.set_num_threads(cores())
    torch.set_num_threads(cores())


def to_parquet(page: Page, models: dict[str, Any], posts: Corpus) -> None:
    """All posts and classes, from text to Parquet."""
    page.table(f"From text to Parquet: {len(posts):,} documents, all classes, {cores()} processes",
               "model", "documents per second", "total seconds", "bytes per document")  # fmt: skip
    for name, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            run = explain_to_folder(model, CorpusSource(posts, "posts"), Path(folder) / "out", target="all")
            page.row(
                name, f"{run.explained / run.seconds:,.0f}", f"{run.seconds:.1f}", f"{run.bytes / run.explained:,.0f}"
            )
    page.log("\nThe seconds include the start of the processes and the computation of the projections.")


def on_ray(page: Page, posts: Corpus, quick: bool) -> None:
    """Two Ray workers with one thread each, compared with one."""
    page.table(
        "On Ray, workers with one thread each (bundled CNN)",
        "workers",
        "documents per second, from the first shard written to the last",
    )
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2) * (1 if quick else 3):
        with tempfile.TemporaryDirectory() as folder:
            times = parts_written(posts, Path(folder) / "out", workers)
        if len(times) < 5:
            page.log("\nToo few documents to measure.")
            return
        # leave out the first shard of each worker, which includes its start
        speeds[workers].append((len(times) - workers) / (times[-1] - times[workers - 1]) * SHARD_ROWS)
    for workers, found in speeds.items():
        page.row(workers, ", ".join(f"{speed:,.0f}" for speed in found))
    ratios = [two / one for one, two in zip(speeds[1], speeds[2], strict=True)]
    page.row("2 compared with 1", f"{statistics.median(ratios):.2f} times (median)")


def parts_written(posts: Corpus, folder: Path, workers: int) -> list[float]:
    """The times in seconds at which the shards of a run on Ray were written."""
    twice = CorpusSource([*posts.documents, *posts.documents], "posts, twice")
    explain_to_folder("20newsgroups-cnn", twice, folder, workers=WorkerOptions(workers, "ray"), target="all")
    return sorted(path.stat().st_mtime for path in folder.glob("part-*.parquet"))
