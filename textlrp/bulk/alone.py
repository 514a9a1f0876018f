"""This process alone explains the parts."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow as pa

from textlrp.bulk.explainer import BatchExplainer
from textlrp.bulk.parts import Parts, Written, size_of, write_part
from textlrp.models.base import Classifier
from textlrp.models.loading import load


class Alone:
    """What explains parts in this process; see :class:`textlrp.bulk.run.Engine`."""

    def __init__(self, model: Classifier | str, options: dict[str, Any], *, memory: int) -> None:
        self.model = load(model) if isinstance(model, str) else model
        self._options, self._memory = options, memory
        self._trial = BatchExplainer(self.model, memory=0, **options)
        self.about = self._trial.about

    def size(self, rows: pa.Table) -> int:
        """How many bytes the explanations of these rows take."""
        return size_of(self._trial, rows)

    def explain(self, parts: Parts, folder: Path) -> Generator[Written, None, None]:
        """Explain parts, and tell of each when its file is written."""
        explainer = BatchExplainer(self.model, memory=self._memory, **self._options)
        for part in parts:
            yield write_part(explainer, part, folder)
