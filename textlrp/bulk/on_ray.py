"""Explain a corpus on a Ray cluster. Ray Data maps the shards; the machine that started the run writes the files.

Requires the extra ``ray``. One task of the cluster reads the input, so the input file must be readable from every
machine. Ray replaces an actor that dies and explains its shards again. A shard is written once, when it is complete.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from textlrp.bulk.alone import SingleProcessEngine
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.explainer import BatchExplainer
from textlrp.bulk.shards import Shards, ShardSummary, explain_to_sink, shard_number, write_shard_bytes
from textlrp.errors import DataError, TextlrpError, missing_extra
from textlrp.lrp.kernels.projections import Kept
from textlrp.models.base import TextClassifier
from textlrp.models.tapes import kept_projections

TASKS_AHEAD = 2
"""Shards queued per actor. With more, the actor that starts first would take all shards of a small corpus."""

RESULT_COLUMNS = {
    "shard": pa.int64(),
    "documents": pa.int64(),
    "rejected": pa.int64(),
    "file": pa.large_binary(),  # the Parquet file
    "problem": pa.string(),  # the message of a TextlrpError, as data: Ray wraps exceptions in types of its own
}
"""The columns that an actor returns, one row per shard."""


class ExplainShard:
    """The callable that each Ray actor runs on packed shards. It loads the model once, when it is created."""

    def __init__(self, model: TextClassifier | str, options: BulkOptions, words: int, tables: dict[int, Any]) -> None:
        import ray

        kept = Kept(words, {width: ray.get(table) for width, table in tables.items()}) if tables else None
        self._explainer = BatchExplainer(model, memory=0, kept=kept, **options.keywords())

    def __call__(self, packed: pa.Table) -> pa.Table:
        """Explain shards: one row per packed shard in, one row of :data:`RESULT_COLUMNS` per shard out."""
        rows = [self._explained(data) for data in packed["shard"]]
        return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in RESULT_COLUMNS.items()})

    def _explained(self, data: pa.Scalar) -> dict[str, Any]:
        with pa.ipc.open_stream(data.as_buffer()) as stream:
            shard = stream.read_all()
        file = io.BytesIO()
        try:
            summary = explain_to_sink(self._explainer, shard, file)
        except TextlrpError as problem:
            nothing = ShardSummary(shard_number(shard), 0, 0, 0)
            return {**nothing._asdict(), "file": b"", "problem": str(problem)}
        return {**summary._asdict(), "file": file.getvalue(), "problem": None}


class RayEngine(SingleProcessEngine):
    """The engine that explains shards on Ray; see :class:`textlrp.bulk.run.Engine`.

    ``workers``: the number of actors, each with one core and its own copy of the model. ``address``: a running
    cluster; None starts one for this run. The current process loads the model too, to estimate the output size.
    Raises :class:`MissingExtraError` if Ray is not installed.
    """

    def __init__(
        self, model: TextClassifier | str, options: BulkOptions, *, workers: int, address: str | None, memory: int
    ) -> None:
        try:
            import ray
            import ray.data
        except ImportError:
            raise missing_extra("engine='ray'", "ray", "ray") from None
        super().__init__(model, options, memory=memory)
        self._ray, self._model_to_send = ray, model
        self._workers, self._address = workers, address

    def explain(self, shards: Shards, folder: Path) -> Generator[ShardSummary, None, None]:
        """Explain the shards; yield the summary of each one after its file is written.

        Raises :class:`DataError` if no cluster can be reached, or an actor fails.
        """
        ray = self._ray
        started_here = not ray.is_initialized()
        if started_here:
            _start_ray(ray, self._workers, self._address)
        try:
            summaries = self._mapped(shards.reader(), folder)
            while True:
                # not around the yield: the caller's warnings must stay visible
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # warnings of Ray about its own code
                    summary = next(summaries, None)
                if summary is None:
                    break
                yield summary
        finally:
            if started_here:
                ray.shutdown()
        shards.read_to_end()  # another process read the shards, so they are not counted here yet

    def _mapped(self, read: Callable[[], Iterator[pa.Table]], folder: Path) -> Iterator[ShardSummary]:
        ray = self._ray
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # one byte per block, so that no block contains two shards: Ray splits and joins blocks, but never a row
        context.target_max_block_size = 1
        kept = kept_projections(self.model, self.memory)
        tables = {} if kept is None else {width: ray.put(np.asarray(table)) for width, table in kept.tables.items()}
        words = 0 if kept is None else kept.words
        # num_cpus must differ from that of map_batches: otherwise Ray fuses reading and explaining into one task,
        # and a single actor does all the work
        rows = ray.data.read_datasource(_source(ray, read), override_num_blocks=1, num_cpus=0.5)
        dataset = rows.map_batches(
            ExplainShard,
            fn_constructor_args=(self._model_to_send, self._options, words, tables),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=TASKS_AHEAD),
        )
        try:
            for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for row in batch.to_pylist():
                    if row["problem"] is not None:
                        raise DataError(row["problem"])
                    size = write_shard_bytes(row["file"], row["shard"], folder)
                    yield ShardSummary(row["shard"], row["documents"], row["rejected"], size)
        except ray.exceptions.RayError as problem:
            cause = getattr(problem, "cause", None)
            if isinstance(cause, TextlrpError):
                raise cause from None
            raise DataError(
                f"Ray failed: {str(problem).splitlines()[0]}. The files written so far are kept. Repeat the call to "
                "continue the run."
            ) from None


def _start_ray(ray: Any, workers: int, address: str | None) -> None:
    """Connect to the cluster at ``address``, or start one with a core per worker and one for reading; no logs."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised as exceptions
    if address is not None:
        _check_reachable(address)
    cores = {} if address else {"num_cpus": workers + 1, "include_dashboard": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **cores)
    except (ConnectionError, ValueError, RuntimeError) as problem:
        raise _no_cluster(address, problem) from None


def _check_reachable(address: str) -> None:
    """Try to connect to HOST:PORT, because Ray retries for 15 minutes. Ray itself resolves all other addresses."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as problem:
        raise _no_cluster(address, problem) from None


def _no_cluster(address: str | None, problem: Exception) -> DataError:
    return DataError(
        f"address must be that of a running Ray cluster; got {address!r} ({str(problem).splitlines()[0]}). Pass the "
        "address that `ray start` printed, or no address to start a cluster on this machine."
    )


def _source(ray: Any, read: Callable[[], Iterator[pa.Table]]) -> Any:
    """A data source for Ray Data that reads the input in one task and yields each shard as one block of one row."""

    class ShardSource(ray.data.Datasource):  # type: ignore[misc]
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[Any]:
            def read_packed() -> Iterator[pa.Table]:
                for shard in read():
                    yield pa.table({"shard": pa.array([_packed(shard)], pa.large_binary())})

            metadata = ray.data.block.BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None)
            return [ray.data.ReadTask(read_packed, metadata)]

    return ShardSource()


def _packed(shard: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, shard.schema) as stream:
        stream.write_table(shard)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed
