"""Report how long measures take that train models: how many trainings before the first, the time left after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from textlrp.text.named_corpora import Log


@dataclass(slots=True)
class TrainingTime:
    """Logs the cost of ``trainings`` trainings on ``documents`` documents each; ``what`` explains their number."""

    log: Log
    trainings: int
    documents: int
    what: str
    _finished: int = field(default=0, init=False)
    _seconds: float = field(default=0.0, init=False)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Time one training together with its measurements. Kept stages do not train and are not counted."""
        if not self._finished:
            self.log(
                f"  trains the model up to {self.trainings:,} times on {self.documents:,} documents: {self.what}"
            )
        began = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - began
        self._finished += 1
        if self._finished == 1 and self.trainings > 1:
            minutes = self._seconds * (self.trainings - 1) / 60
            self.log(
                f"  the first training and its measurements took {self._seconds:,.0f} seconds; the others take "
                f"about {minutes:,.1f} minutes"
            )
