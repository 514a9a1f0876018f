"""Explain the parts of a corpus in this process; a worker process does the same with parts that it receives."""

from __future__ import annotations

from collections.abc import Generator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pyarrow as pa

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.explainer import BatchExplainer
from textlrp.bulk.messages import SharedProjections
from textlrp.bulk.parts import Parts, Written, size_of, write_part
from textlrp.bulk.shared_projections import attach
from textlrp.models.classifier import Classifier
from textlrp.models.loading import load


class Alone:
    """The engine of one process; see :class:`textlrp.bulk.run.Engine`.

    ``memory``: the most bytes that the projections of frequent words may take, once they are prepared.
    """

    def __init__(self, model: Classifier | str, options: BulkOptions, *, memory: int) -> None:
        self.model = load(model) if isinstance(model, str) else model
        self.memory, self._options = memory, options
        self._explainer = BatchExplainer(self.model, memory=0, **options.keywords())
        self._attached: list[SharedMemory] = []
        self.about = self._explainer.about

    def size(self, rows: pa.Table) -> int:
        """How many bytes the explanations of these rows take."""
        return size_of(self._explainer, rows)

    def prepare(self, shared: SharedProjections | None = None) -> None:
        """Project the frequent words, or use the projections that another process shares."""
        kept, self._attached = attach(shared) if shared is not None else (None, [])
        self._explainer = BatchExplainer(self.model, memory=self.memory, kept=kept, **self._options.keywords())

    def write(self, part: pa.Table, folder: Path) -> Written:
        """Explain a part into its file."""
        return write_part(self._explainer, part, folder)

    def explain(self, parts: Parts, folder: Path) -> Generator[Written, None, None]:
        """Explain parts; yield a summary of each when its file is written."""
        self.prepare()
        for part in parts:
            yield self.write(part, folder)
