"""Explain the shards of a corpus in the current process. Worker processes use the same class for their shards."""

from __future__ import annotations

from collections.abc import Generator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pyarrow as pa

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.explainer import BatchExplainer
from textlrp.bulk.messages import SharedProjections
from textlrp.bulk.shards import Shards, ShardSummary, explained_size, write_shard
from textlrp.bulk.shared_projections import attach
from textlrp.models.classifier import Classifier
from textlrp.models.loading import load_classifier


class SingleProcessEngine:
    """The engine that uses only the current process; see :class:`textlrp.bulk.run.Engine`.

    ``memory``: limit in bytes for the projections of frequent words. :meth:`prepare` computes them.
    """

    def __init__(self, model: Classifier | str, options: BulkOptions, *, memory: int) -> None:
        self.model = load_classifier(model) if isinstance(model, str) else model
        self.memory, self._options = memory, options
        # no projections yet: they take seconds to compute, and a finished run or a wrong option does not need them
        self._explainer = BatchExplainer(self.model, memory=0, **options.keywords())
        self._attached: list[SharedMemory] = []
        self.metadata = self._explainer.metadata

    def size(self, rows: pa.Table) -> int:
        """The size in bytes of a file with the explanations of these rows."""
        return explained_size(self._explainer, rows)

    def prepare(self, shared: SharedProjections | None = None) -> None:
        """Compute the projections of frequent words, or attach to the ones that another process shares."""
        kept, self._attached = attach(shared) if shared is not None else (None, [])
        self._explainer = BatchExplainer(self.model, memory=self.memory, kept=kept, **self._options.keywords())

    def write(self, shard: pa.Table, folder: Path) -> ShardSummary:
        """Explain a shard and write its file."""
        return write_shard(self._explainer, shard, folder)

    def explain(self, shards: Shards, folder: Path) -> Generator[ShardSummary, None, None]:
        """Explain the shards; yield the summary of each one after its file is written."""
        self.prepare()
        for shard in shards:
            yield self.write(shard, folder)
