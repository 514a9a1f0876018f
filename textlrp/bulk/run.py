"""A whole run: from the rows of a corpus to a folder of Parquet files, in bounded memory, to be stopped any time."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa

from textlrp.bulk.parts import PART_ROWS, Parts, Written
from textlrp.bulk.pool import processes
from textlrp.bulk.run_folder import RunFolder, check_run
from textlrp.bulk.sources import CorpusSource, FileSource, Source, file_source
from textlrp.errors import DataError, OptionError, StoppedError
from textlrp.explainers.targets import targets_named
from textlrp.machine import KEPT_BYTES, cores, progress_bar, usable
from textlrp.models.given_files import inputs_of
from textlrp.rows import About
from textlrp.text.formats import layout_of
from textlrp.text.named_corpora import NAMED, open_corpus, spread
from textlrp.text.readers import Columns

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier


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
    """What is in the ``folder``: ``documents`` explained, rows ``set_aside``.

    This call explained ``explained`` of them in ``seconds``, without loading the model, and wrote ``bytes``.
    """

    folder: Path
    documents: int
    set_aside: int
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
    by: Workforce | None = None,
    force: bool = False,
    **options: Any,
) -> Run:
    """Explain every document of ``source`` into Parquet files in ``folder``; called again, it goes on where it was.

    ``options`` are those of :class:`BatchExplainer`: ``target``, ``rule``, ``start``, ``method``, ``top_k``,
    ``precision``.
    Raises :class:`DataError` where there is no room or another run in the folder, and :class:`StoppedError` on
    Ctrl-C: what is written stays. With ``force`` a folder of another run, or of something else, is moved to a backup
    name.
    """
    check_run(folder, inputs=[source.path] if isinstance(source, FileSource) else [], force=force)
    by = by or Workforce()
    parts = Parts(source)
    with _engine(model, options, by, parts) as engine:
        settings = {
            "format": "run 1",
            "input": source.identity(),
            "part_rows": PART_ROWS,
            "memory": by.memory,
            "target": repr(options.get("target")),
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
                progress.advance(bar, done.documents + done.set_aside)
                speed = documents / (time.perf_counter() - started)
                progress.update(bar, note=f"{found + documents:,} documents, {speed:,.0f} a second")
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {found + documents:,} documents are in {str(run.path)!r}. The same command goes on from "
                "there."
            ) from None
    return documents, size


def _engine(
    model: TextClassifier | str, options: dict[str, Any], by: Workforce, parts: Parts
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


def explain_in_bulk(
    model: str,
    source: str | Path,
    folder: str | Path,
    *,
    targets: Sequence[str] = (),
    versus: str | None = None,
    by: Workforce | None = None,
    limit: int | None = None,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
    force: bool = False,
    **options: Any,
) -> Run:
    """Explain a corpus by name or path with the model saved or bundled as ``model``, into ``folder``.

    ``targets`` and ``versus`` as in :func:`explain_corpus`; ``by`` and ``options`` as in :func:`explain_to_folder`. A
    row of a file that cannot be read is set aside. Called again, it goes on where it was. Raises as those do.
    """
    check_run(folder, inputs=inputs_of(source, models=[model]), force=force)
    names = targets_named(targets, versus)
    layout: dict[str, Any] = {
        "delimiter": delimiter,
        "header": header,
        "columns": columns,
        "max_row_length": max_row_length,
    }
    named = str(source) in NAMED
    rows: Source
    if not named:
        rows = file_source(source, Columns(text, label, id), encoding or "utf-8", layout_of(**layout))
    if named or limit is not None:
        corpus = open_corpus(source, "test", text=text, label=label, id=id, encoding=encoding, **layout)
        what = {"corpus": str(source)} if named else rows.identity()
        documents = corpus if limit is None else list(spread(corpus, limit))
        rows = CorpusSource(documents, json.dumps(what | {"limit": limit}))
    return explain_to_folder(model, rows, folder, by=by, force=force, target=names or None, **options)
