"""Run a complete bulk explanation: read a corpus, explain it, and write a folder of Parquet files.

Memory is bounded whatever the size of the corpus. A run can be stopped at any time, and continues when it is called
again. Open this module to change how a run starts, continues or reports progress.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.pool import worker_processes
from textlrp.bulk.run_folder import RunFolder, check_run
from textlrp.bulk.shards import SHARD_ROWS, Shards, ShardSummary
from textlrp.bulk.sources import FileSource, Source
from textlrp.errors import DataError, OptionError, StoppedError, must_be
from textlrp.machine import KEPT_BYTES, cores, progress_bar, usable_workers
from textlrp.store.columns import Precision, RunMetadata

if TYPE_CHECKING:
    from textlrp.explainers.methods import Method
    from textlrp.lrp.composite import Composite
    from textlrp.lrp.shares import Rule
    from textlrp.lrp.starts import Start
    from textlrp.models.base import TextClassifier


ENGINES = ("local", "ray")

SAMPLE_ROWS = 64
"""Rows that are explained before a run starts, to estimate the disk space that its files need."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The processes that explain a corpus.

    - ``workers``: number of worker processes; None is one per core.
    - ``engine``: ``"local"`` for processes of this machine, or ``"ray"`` for a Ray cluster.
    - ``address``: the address of a running Ray cluster; None starts one for this run.
    - ``memory``: limit in bytes for the cached projections of frequent words, which the processes of a machine share.

    Raises :class:`OptionError` for a value out of range, and for ``address`` with another engine than ``"ray"``.
    """

    workers: int | None = None
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    memory: int = KEPT_BYTES

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            hint = "Pass engine='local' for processes of this machine."
            raise OptionError(must_be("engine", "'local' or 'ray'", self.engine, hint))
        if self.workers is not None and self.workers < 1:
            raise OptionError(must_be("workers", "at least 1", self.workers, "Omit it to use one process per core."))
        if self.memory < 0:
            hint = "Pass a number of bytes, or 0 to cache no projections."
            raise OptionError(must_be("memory", "at least 0", self.memory, hint))
        if self.address is not None and self.engine != "ray":
            hint = "Pass engine='ray', or omit address."
            raise OptionError(must_be("address", "None unless engine is 'ray'", self.address, hint))

    @property
    def processes(self) -> int:
        """The number of worker processes: ``workers``, or one per core."""
        return self.workers or cores()


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a bulk run.

    - ``folder``: where the explanations are.
    - ``documents``, ``rejected``: all documents in it, and the number of rows that could not be read.
    - ``explained``, ``bytes``, ``seconds``: the documents that this call explained, the size of the files that it
      wrote, and its duration without loading the model. ``explained`` is 0 if the run was already complete.
    """

    folder: Path
    documents: int
    rejected: int
    explained: int
    bytes: int
    seconds: float


class Engine(Protocol):
    """What explains shards: this process (:mod:`~textlrp.bulk.alone`), a :mod:`~textlrp.bulk.pool`, or Ray."""

    @property
    def metadata(self) -> RunMetadata:
        """Metadata that all rows share."""
        ...

    def size(self, rows: pa.Table) -> int:
        """The size in bytes of a file with the explanations of these rows."""
        ...

    def explain(self, shards: Shards, folder: Path) -> Generator[ShardSummary, None, None]:
        """Explain the shards into files of a folder; yield the summary of each one after its file is written."""
        ...


def explain_to_folder(
    model: TextClassifier | str,
    source: Source,
    folder: str | Path,
    *,
    target: Any = None,
    rule: str | Rule | Composite | None = None,
    start: Start | None = None,
    method: str | Method = "lrp",
    top_k: int | None = None,
    precision: Precision = "float16",
    device: str = "cpu",
    workers: WorkerOptions | None = None,
    force: bool = False,
) -> Run:
    """Explain every document of ``source`` and write the explanations to Parquet files in ``folder``.

    - ``source``: see :func:`file_source` and :class:`CorpusSource`.
    - ``target`` to ``device``: as in :class:`BatchExplainer`.
    - ``workers``: the number and kind of processes; None is one process per core of this machine.
    - ``force``: move a folder that contains another run, or other files, to a backup name. Otherwise it is refused.

    If the folder contains an unfinished run with the same settings, the run is continued. Unreadable rows are skipped
    and written to ``rejected.jsonl`` with the reason. :func:`textlrp.store.read` reads the folder.

    Raises :class:`DataError` if the disk space is not sufficient or the folder is refused, and :class:`StoppedError`
    on Ctrl-C. The files written until then are kept.
    """
    options = BulkOptions(target, rule, start, method, top_k, precision, device)
    return explain_with(model, source, folder, options, workers=workers or WorkerOptions(), force=force)


def explain_with(
    model: TextClassifier | str,
    source: Source,
    folder: str | Path,
    options: BulkOptions,
    *,
    workers: WorkerOptions,
    force: bool,
) -> Run:
    """Do the work of :func:`explain_to_folder`, with the explanation options as one value."""
    check_run(folder, inputs=[source.path] if isinstance(source, FileSource) else [], force=force)
    shards = Shards(source)
    with _engine(model, options, workers, shards) as engine:
        # everything that the bytes of the files depend on
        settings = {
            "format": "run 3",
            "input": source.identity(),
            "shard_rows": SHARD_ROWS,
            "memory": workers.memory,
            "target": repr(options.target),
            **asdict(engine.metadata),
        }
        run = RunFolder(folder, settings, force=force)
        shards.done = run.shards
        started = time.perf_counter()
        documents, size = _explain_missing(engine, shards, source, run)
        seconds = time.perf_counter() - started
    total, rejected = run.finish(shards.seen)
    return Run(run.path, total, rejected, documents, size, seconds)


def _explain_missing(engine: Engine, shards: Shards, source: Source, run: RunFolder) -> tuple[int, int]:
    """Explain the shards that are not written yet, with a progress bar; return the numbers of documents and bytes."""
    first = shards.peek()
    if first is None:
        return 0, 0
    started = time.perf_counter()
    total = _check_disk_space(engine, first, source, run)
    found = len(run.shards) * SHARD_ROWS
    documents = size = 0
    with progress_bar() as progress, closing(engine.explain(shards, run.path)) as summaries:
        bar = progress.add_task("explaining", total=total and total - found, note="")
        try:
            for summary in summaries:
                documents, size = documents + summary.documents, size + summary.bytes
                progress.advance(bar, summary.documents + summary.rejected)
                speed = documents / (time.perf_counter() - started)
                progress.update(bar, note=f"{found + documents:,} documents, {speed:,.0f} per second")
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped: {found + documents:,} documents are explained in {str(run.path)!r}. Repeat the same "
                "command to continue."
            ) from None
    return documents, size


def _engine(
    model: TextClassifier | str, options: BulkOptions, workers: WorkerOptions, shards: Shards
) -> AbstractContextManager[Engine]:
    memory, count = workers.memory, workers.processes
    if workers.engine == "ray":
        from textlrp.bulk.on_ray import RayEngine  # late, because Ray is an optional package

        return nullcontext(RayEngine(model, options, workers=count, address=workers.address, memory=memory))
    # starting processes takes longer than explaining a single shard, so that needs an explicit number of workers
    several = count > 1 and (workers.workers is not None or shards.at_least_two())
    if several and (usable := usable_workers(count)) > 1:
        return worker_processes(model, options, workers=usable, memory=memory)
    from textlrp.bulk.alone import SingleProcessEngine  # late, because it imports torch

    return nullcontext(SingleProcessEngine(model, options, memory=memory))


def _check_disk_space(engine: Engine, shard: pa.Table, source: Source, run: RunFolder) -> int | None:
    """Return the estimated number of rows of the source, None if unknown.

    Raises :class:`DataError` if their explanations need more than the free disk space, extrapolated from a sample.
    """
    total = source.count(len(shard), sum(len(text or "") for text in shard["text"].to_pylist()))
    if total is None:
        return None
    sample = shard.slice(0, SAMPLE_ROWS)
    required = engine.size(sample) / len(sample) * max(0, total - len(run.shards) * SHARD_ROWS)
    free = shutil.disk_usage(run.path).free
    if required > free:
        raise DataError(
            f"the explanations of about {total:,} documents need about {required / 1e9:,.1f} GB; "
            f"{free / 1e9:,.1f} GB are free in {str(run.path)!r}. Free some space, or store fewer words (top_k=) or "
            "classes (target=)."
        )
    return total
