"""The same run on a Ray cluster: the parts are mapped by Ray Data, and the files written where the run was started.

Needs the extra ``ray``. One task of the cluster reads the input, so a file must lie where every machine can read it.
A worker that dies is replaced, and what it was about to do is done again: a part is written once, when it is whole.
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

from textlrp.bulk.alone import Alone
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.explainer import BatchExplainer
from textlrp.bulk.parts import Parts, Written, encode, part_of, write_bytes
from textlrp.errors import DataError, MissingExtraError, TextlrpError
from textlrp.lrp.kernels.projections import Kept
from textlrp.models.base import TextClassifier
from textlrp.models.tapes import kept_projections

TASKS_AHEAD = 2
"""Parts that a worker has at once: more, and the one that began first takes them all."""

EXPLAINED = {
    "part": pa.int64(),
    "documents": pa.int64(),
    "rejected": pa.int64(),
    "file": pa.large_binary(),
    "problem": pa.string(),  # an error of ours as data: Ray passes on no exception but its own
}
"""What comes back of a part."""


class ExplainPart:
    """What a Ray worker does: a part of the input in, one row with its Parquet file out. The model is loaded once."""

    def __init__(self, model: TextClassifier | str, options: BulkOptions, words: int, tables: dict[int, Any]) -> None:
        import ray

        kept = Kept(words, {width: ray.get(table) for width, table in tables.items()}) if tables else None
        self._explainer = BatchExplainer(model, memory=0, kept=kept, **options.keywords())

    def __call__(self, packed: pa.Table) -> pa.Table:
        """Explain parts, each packed in one row, into one row each."""
        rows = [self._explained(data) for data in packed["part"]]
        return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in EXPLAINED.items()})

    def _explained(self, data: pa.Scalar) -> dict[str, Any]:
        with pa.ipc.open_stream(data.as_buffer()) as stream:
            part = stream.read_all()
        file = io.BytesIO()
        try:
            done = encode(self._explainer, part, file)
        except TextlrpError as problem:
            nothing = Written(part_of(part), 0, 0, 0)
            return {**nothing._asdict(), "file": b"", "problem": str(problem)}
        return {**done._asdict(), "file": file.getvalue(), "problem": None}


class OnRay(Alone):
    """What explains parts on Ray; see :class:`textlrp.bulk.run.Engine`. This process has the model too, for a trial.

    ``workers`` is the number of actors, each with one core and its own model. Raises :class:`MissingExtraError`
    without Ray.
    """

    def __init__(
        self, model: TextClassifier | str, options: BulkOptions, *, workers: int, address: str | None, memory: int
    ) -> None:
        try:
            import ray
            import ray.data
        except ImportError:
            raise MissingExtraError("engine='ray' needs Ray; install it with pip install 'textlrp[ray]'.") from None
        super().__init__(model, options, memory=memory)
        self._ray, self._named = ray, model
        self._workers, self._address = workers, address

    def explain(self, parts: Parts, folder: Path) -> Generator[Written, None, None]:
        """Explain parts, and tell of each when its file is written; raises :class:`DataError` without a cluster."""
        ray = self._ray
        own = not ray.is_initialized()
        if own:
            _start_ray(ray, self._workers, self._address)
        try:
            written = self._mapped(parts.elsewhere(), folder)
            while True:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what Ray says of its own ways
                    done = next(written, None)
                if done is None:
                    break
                yield done
        finally:
            if own:
                ray.shutdown()
        parts.count()

    def _mapped(self, parts: Callable[[], Iterator[pa.Table]], folder: Path) -> Iterator[Written]:
        ray = self._ray
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.target_max_block_size = 1  # no two parts in one block: Ray splits and joins blocks, but never a row
        kept = kept_projections(self.model, self.memory)
        tables = {} if kept is None else {width: ray.put(np.asarray(table)) for width, table in kept.tables.items()}
        words = 0 if kept is None else kept.words
        # another share of a core than the workers': Ray would make one task of reading and explaining, on one worker
        rows = ray.data.read_datasource(_source(ray, parts), override_num_blocks=1, num_cpus=0.5)
        dataset = rows.map_batches(
            ExplainPart,
            fn_constructor_args=(self._named, self._options, words, tables),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=TASKS_AHEAD),
        )
        try:
            for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for done in batch.to_pylist():
                    if done["problem"] is not None:
                        raise DataError(done["problem"])
                    size = write_bytes(done["file"], done["part"], folder)
                    yield Written(done["part"], done["documents"], done["rejected"], size)
        except ray.exceptions.RayError as problem:
            cause = getattr(problem, "cause", None)
            if isinstance(cause, TextlrpError):
                raise cause from None
            raise DataError(f"Ray stopped: {str(problem).splitlines()[0]}. What is written stays.") from None


def _start_ray(ray: Any, workers: int, address: str | None) -> None:
    """Join the cluster at ``address``, or make one with a core for each worker and one to read, quietly."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # an error comes as an exception
    if address is not None:
        _check_somebody_listens(address)
    cores = {} if address else {"num_cpus": workers + 1, "include_dashboard": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **cores)
    except (ConnectionError, ValueError, RuntimeError) as problem:
        raise _nobody(address, problem) from None


def _check_somebody_listens(address: str) -> None:
    """Knock at HOST:PORT, for Ray itself tries for a quarter of an hour; other addresses are Ray's to know."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as problem:
        raise _nobody(address, problem) from None


def _nobody(address: str | None, problem: Exception) -> DataError:
    return DataError(
        f"no Ray cluster answers at {address!r} ({str(problem).splitlines()[0]}); give the address that "
        "ray start printed, or none."
    )


def _source(ray: Any, parts: Callable[[], Iterator[pa.Table]]) -> Any:
    """A source for Ray Data that reads the input in one task and hands out each part as one block."""

    class Parts(ray.data.Datasource):  # type: ignore[misc]
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[Any]:
            def read() -> Iterator[pa.Table]:
                for part in parts():
                    yield pa.table({"part": pa.array([_packed(part)], pa.large_binary())})

            metadata = ray.data.block.BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None)
            return [ray.data.ReadTask(read, metadata)]

    return Parts()


def _packed(part: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, part.schema) as stream:
        stream.write_table(part)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed
