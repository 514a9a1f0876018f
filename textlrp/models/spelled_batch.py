"""A batch that keeps the character n-grams of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textlrp.errors import OptionError
from textlrp.models.char_ngrams import CharOccurrences
from textlrp.text.batches import Batch

# ---- batches


@dataclass(frozen=True, eq=False)
class SpelledBatch(Batch):
    """Readings with the character n-grams in them: ``spelled`` (N,)."""

    spelled: tuple[CharOccurrences, ...]

    def select(self, rows: Sequence[int]) -> SpelledBatch:
        """Some of the readings, in the order of ``rows``."""
        return replace(super().select(rows), spelled=tuple(self.spelled[row] for row in rows))


def spelled_of(batch: Batch) -> tuple[CharOccurrences, ...]:
    """(N,) the n-grams of a batch; raises :class:`OptionError` for another model's."""
    if not isinstance(batch, SpelledBatch):
        raise OptionError("batch must be what the encode() of this model returns; got another model's batch.")
    return batch.spelled
