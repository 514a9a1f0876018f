"""A whole run: from the rows of a corpus to a folder of Parquet files, in bounded memory, to be stopped any time."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from textlrp.bulk.batches import BatchExplainer
from textlrp.bulk.folder import RunFolder
from textlrp.bulk.parts import PART_ROWS, Written, cut, encode, write_part
from textlrp.bulk.pool import PRELOAD, Task, explain_parts
from textlrp.bulk.sharing import shared_projections
from textlrp.bulk.sources import Source
from textlrp.errors import DataError, OptionError, StoppedError
from textlrp.lrp.projections import MEMORY
from textlrp.models.base import TextClassifier
from textlrp.models.bundle import load
from textlrp.processes import cores, warm_up
from textlrp.progress import progress_bar

Engine = Literal["local", "ray"]
ENGINES = ("local", "ray")

TRIED_ROWS = 64
"""Rows that are explained before a run starts, to tell how much room its files will take."""


@dataclass(frozen=True, slots=True)
class Workforce:
    """Who does the work.

    ``workers``: processes, one for each core unless given. ``engine``: "local", or "ray" on the cluster at
    ``address`` or, without one, on a cluster made for this run. ``memory``: bytes that the projections of frequent
    words may take; the processes of one machine share them. Raises :class:`OptionError` on what does not fit.
    """

    workers: int | None = None
    engine: Engine = "local"
    address: str | None = None
    memory: int = MEMORY

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
    """What is in the ``folder``: ``documents`` explained, rows ``set_aside``.

    This call explained ``explained`` of them in ``seconds``, without loading the model, and wrote ``bytes``.
    """

    folder: Path
    documents: int
    set_aside: int
    explained: int
    bytes: int
    seconds: float


def explain_to_folder(
    model: TextClassifier | str, source: Source, folder: str | Path, *, by: Workforce | None = None, **options: Any
) -> Run:
    """Explain every document of ``source`` into Parquet files in ``folder``; called again, it goes on where it was.

    ``options`` are those of :class:`BatchExplainer`: ``target``, ``rule``, ``method``, ``top_k``, ``precision``.
    Raises :class:`DataError` where there is no room or another run in the folder, and :class:`StoppedError` on
    Ctrl-C: what is written stays.
    """
    by = by or Workforce()
    if by.engine == "local" and by.processes > 1:
        warm_up(PRELOAD)
    loaded = load(model) if isinstance(model, str) else model
    trial = BatchExplainer(loaded, memory=0, **options)
    settings = {
        "format": "run 1",
        "input": source.identity(),
        "part_rows": PART_ROWS,
        "memory": by.memory,
        "target": repr(options.get("target")),
        **asdict(trial.about),
    }
    run = RunFolder(folder, settings)
    parts = _Parts(source, run)
    started = time.perf_counter()
    documents = size = 0
    if (first := parts.first()) is not None:
        total = _check_room(trial, first, source, run)
        with progress_bar() as progress, closing(_work(parts, loaded, model, options, run, by)) as written:
            found = len(run.parts) * PART_ROWS
            bar = progress.add_task("explaining", total=total and total - found, note="")
            try:
                for done in written:
                    documents, size = documents + done.documents, size + done.bytes
                    progress.advance(bar, done.documents + done.set_aside)
                    speed = documents / (time.perf_counter() - started)
                    progress.update(bar, note=f"{found + documents:,} documents, {speed:,.0f} a second")
            except KeyboardInterrupt:
                raise StoppedError(
                    f"stopped; {found + documents:,} documents are in {str(run.path)!r}. The same command goes on "
                    "from there."
                ) from None
    seconds = time.perf_counter() - started
    whole, aside = run.finish(parts.seen)
    return Run(run.path, whole, aside, documents, size, seconds)


class _Parts:
    """The parts of a corpus that are still to be explained, read as they are asked for."""

    def __init__(self, source: Source, run: RunFolder) -> None:
        self.seen = 0
        self._source, self._done = source, run.parts
        self._parts = cut(source, skip=self._skip)
        self._first: pa.Table | None = None
        self._second: pa.Table | None = None

    def first(self) -> pa.Table | None:
        """The first of them, which stays the first to be handed out; None where all is done."""
        self._first = next(self._parts, None)
        return self._first

    def is_last(self) -> bool:
        """Whether no other part comes after the first."""
        if self._second is None:
            self._second = next(self._parts, None)
        return self._second is None

    def __iter__(self) -> Iterator[pa.Table]:
        while self._first is not None:
            first, self._first, self._second = self._first, self._second, None
            yield first
        yield from self._parts

    def elsewhere(self) -> Callable[[], Iterator[pa.Table]]:
        """What reads the same parts in another process."""
        return partial(_rest, self._source, frozenset(self._done))

    def count(self) -> None:
        """Read on to the end of the input, for the number of parts alone."""
        for _ in self:
            pass

    def _skip(self, part: int) -> bool:
        self.seen = part + 1
        return part in self._done


def _rest(source: Source, done: frozenset[int]) -> Iterator[pa.Table]:
    return cut(source, skip=done.__contains__)


def _work(
    parts: _Parts,
    model: TextClassifier,
    named: TextClassifier | str,
    options: dict[str, Any],
    run: RunFolder,
    by: Workforce,
) -> Generator[Written, None, None]:
    if by.engine == "ray":
        from textlrp.bulk.on_ray import explain_parts_on_ray  # late: an extra

        yield from explain_parts_on_ray(
            parts.elsewhere(), named, options, run.path, workers=by.processes, address=by.address, memory=by.memory
        )
        parts.count()
    elif by.processes == 1 or (by.workers is None and parts.is_last()):
        explainer = BatchExplainer(model, memory=by.memory, **options)
        for part in parts:
            yield write_part(explainer, part, run.path)
    else:
        with shared_projections(model, by.memory) as shared:
            yield from explain_parts(iter(parts), Task(named, options, shared, by.memory, run.path), by.processes)


def _check_room(trial: BatchExplainer, part: pa.Table, source: Source, run: RunFolder) -> int | None:
    """About how many rows there are; raises :class:`DataError` where their explanations will not fit on the disk."""
    total = source.count(len(part), sum(len(text or "") for text in part["text"].to_pylist()))
    if total is None:
        return None
    tried = io.BytesIO()
    some = part.slice(0, TRIED_ROWS)
    encode(trial, some, tried)
    wanted = tried.tell() / len(some) * max(0, total - len(run.parts) * PART_ROWS)
    free = shutil.disk_usage(run.path).free
    if wanted > free:
        raise DataError(
            f"the explanations of about {total:,} documents take about {wanted / 1e9:,.1f} GB, and "
            f"{free / 1e9:,.1f} GB are free at {str(run.path)!r}; make room, or keep fewer words (top_k=) or classes."
        )
    return total
