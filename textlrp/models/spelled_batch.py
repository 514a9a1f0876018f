"""A batch with the character n-grams of its texts, for a bag of words that reads characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textlrp.errors import OptionError
from textlrp.models.char_ngrams import CharOccurrences
from textlrp.text.batches import Batch


@dataclass(frozen=True, eq=False)
class SpelledBatch(Batch):
    """A batch of N texts; ``spelled`` (N,) has the occurrences of character n-grams in each."""

    spelled: tuple[CharOccurrences, ...]

    def select(self, rows: Sequence[int]) -> SpelledBatch:
        """Return the batch of these texts, in the order of ``rows``."""
        return replace(super().select(rows), spelled=tuple(self.spelled[row] for row in rows))


def spelled_of(batch: Batch) -> tuple[CharOccurrences, ...]:
    """Return the n-gram occurrences of a batch (N,); raise :class:`OptionError` for a batch of another model."""
    if not isinstance(batch, SpelledBatch):
        raise OptionError(
            "batch must be the result of this model's encode(); got a batch of another model. "
            "Pass model.encode(texts)."
        )
    return batch.spelled
