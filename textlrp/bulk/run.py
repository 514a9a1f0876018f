"""A whole run: from the rows of a corpus to a folder of Parquet files, in bounded memory, to be stopped any time."""

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
from textlrp.bulk.parts import PART_ROWS, Parts, Written
from textlrp.bulk.pool import processes
from textlrp.bulk.run_folder import RunFolder, check_run
from textlrp.bulk.sources import FileSource, Source
from textlrp.errors import DataError, OptionError, StoppedError
from textlrp.machine import KEPT_BYTES, cores, progress_bar, usable
from textlrp.store.columns import About, Precision

if TYPE_CHECKING:
    from textlrp.explainers.methods import Method
    from textlrp.lrp.composite import Composite
    from textlrp.lrp.shares import Rule
    from textlrp.lrp.starts import Start
    from textlrp.models.base import TextClassifier


ENGINES = ("local", "ray")

TRIED_ROWS = 64
"""Rows that are explained before a run starts, to tell how much room its files will take."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Who does the work.

    ``workers``: processes, one for each core unless given. ``engine``: "local", or "ray" on the cluster at
    ``address`` or, without one, on a cluster made for this run. ``memory``: bytes that the projections of frequent
    words may take; the processes of one machine share them. Raises :class:`OptionError` on what does not fit.
    """

    workers: int | None = None
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    memory: int = KEPT_BYTES

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise OptionError(f"engine={self.engine!r} came; 'local' or 'ray' is wanted.")
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers={self.workers!r} came; at least 1 is wanted.")
        if self.memory < 0:
            raise OptionError(f"memory={self.memory!r} came; bytes, or 0 to keep no projections, are wanted.")
        if self.address is not None and self.engine != "ray":
            raise OptionError(f"address={self.address!r} came without engine='ray'; it says where a Ray cluster is.")

    @property
    def processes(self) -> int:
        """How many processes work on this machine."""
        return self.workers or cores()


@dataclass(frozen=True, slots=True)
class Run:
    """What is in the ``folder``: ``documents`` explained, rows ``rejected``.

    This call explained ``explained`` of them in ``seconds``, without loading the model, and wrote ``bytes``.
    """

    folder: Path
    documents: int
    rejected: int
    explained: int
    bytes: int
    seconds: float


class Engine(Protocol):
    """What explains parts: this process (:mod:`textlrp.bulk.alone`), processes beside it, or Ray."""

    @property
    def about(self) -> About:
        """What all rows share."""
        ...

    def size(self, rows: pa.Table) -> int:
        """How many bytes the explanations of these rows take in a file."""
        ...

    def explain(self, parts: Parts, folder: Path) -> Generator[Written, None, None]:
        """Explain parts into files of a folder, and tell of each when it is whole."""
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
    by: WorkerOptions | None = None,
    force: bool = False,
) -> Run:
    """Explain every document of ``source`` into Parquet files in ``folder``; called again, it goes on where it was.

    ``target`` to ``device`` as in :class:`BatchExplainer`.
    Raises :class:`DataError` where there is no room or another run in the folder, and :class:`StoppedError` on
    Ctrl-C: what is written stays. With ``force`` a folder of another run, or of something else, is moved to a backup
    name.
    """
    options = BulkOptions(target, rule, start, method, top_k, precision, device)
    return explain_with(model, source, folder, options, by=by or WorkerOptions(), force=force)


def explain_with(
    model: TextClassifier | str,
    source: Source,
    folder: str | Path,
    options: BulkOptions,
    *,
    by: WorkerOptions,
    force: bool,
) -> Run:
    """As :func:`explain_to_folder`, with the options as one value."""
    check_run(folder, inputs=[source.path] if isinstance(source, FileSource) else [], force=force)
    parts = Parts(source)
    with _engine(model, options, by, parts) as engine:
        settings = {
            "format": "run 2",
            "input": source.identity(),
            "part_rows": PART_ROWS,
            "memory": by.memory,
            "target": repr(options.target),
            **asdict(engine.about),
        }
        run = RunFolder(folder, settings, force=force)
        parts.done = run.parts
        started = time.perf_counter()
        documents, size = _explained(engine, parts, source, run)
        seconds = time.perf_counter() - started
    whole, aside = run.finish(parts.seen)
    return Run(run.path, whole, aside, documents, size, seconds)


def _explained(engine: Engine, parts: Parts, source: Source, run: RunFolder) -> tuple[int, int]:
    """Explain what is still to be done, and show how far it is; how many documents, in how many bytes."""
    first = parts.first()
    if first is None:
        return 0, 0
    started = time.perf_counter()
    total = _check_room(engine, first, source, run)
    found = len(run.parts) * PART_ROWS
    documents = size = 0
    with progress_bar() as progress, closing(engine.explain(parts, run.path)) as written:
        bar = progress.add_task("explaining", total=total and total - found, note="")
        try:
            for done in written:
                documents, size = documents + done.documents, size + done.bytes
                progress.advance(bar, done.documents + done.rejected)
                speed = documents / (time.perf_counter() - started)
                progress.update(bar, note=f"{found + documents:,} documents, {speed:,.0f} a second")
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {found + documents:,} documents are in {str(run.path)!r}. The same command goes on from "
                "there."
            ) from None
    return documents, size


def _engine(
    model: TextClassifier | str, options: BulkOptions, by: WorkerOptions, parts: Parts
) -> AbstractContextManager[Engine]:
    if by.engine == "ray":
        from textlrp.bulk.on_ray import OnRay  # late: an extra

        return nullcontext(OnRay(model, options, workers=by.processes, address=by.address, memory=by.memory))
    if by.processes > 1 and (by.workers is not None or parts.are_several()) and (workers := usable(by.processes)) > 1:
        return processes(model, options, workers=workers, memory=by.memory)
    from textlrp.bulk.alone import Alone  # late: torch comes with it

    return nullcontext(Alone(model, options, memory=by.memory))


def _check_room(engine: Engine, part: pa.Table, source: Source, run: RunFolder) -> int | None:
    """About how many rows there are; raises :class:`DataError` where their explanations will not fit on the disk."""
    total = source.count(len(part), sum(len(text or "") for text in part["text"].to_pylist()))
    if total is None:
        return None
    some = part.slice(0, TRIED_ROWS)
    wanted = engine.size(some) / len(some) * max(0, total - len(run.parts) * PART_ROWS)
    free = shutil.disk_usage(run.path).free
    if wanted > free:
        raise DataError(
            f"the explanations of about {total:,} documents take about {wanted / 1e9:,.1f} GB, and "
            f"{free / 1e9:,.1f} GB are free at {str(run.path)!r}; make room, or keep fewer words (top_k=) or classes."
        )
    return total
