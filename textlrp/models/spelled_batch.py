"""A batch with the character n-grams of its texts, for a bag of words that reads characters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.models.char_ngrams import CharNgrams, CharOccurrences
from textlrp.text.batches import Batch, Reading, following


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


def not_in(left_out: Collection[str], forms: Sequence[str]) -> NDArray[np.bool_]:
    """Return (L,): whether each word is none of the words that are left out."""
    return np.fromiter((form not in left_out for form in forms), np.bool_, len(forms))


def occurrences_in(reading: Reading, ngrams: CharNgrams, left_out: Collection[str]) -> CharOccurrences:
    """Return the occurrences of n-grams in a text as if a blank were in the place of each word that is left out."""
    spans = reading.tokens.spans[reading.positions]
    kept = np.flatnonzero(not_in(left_out, reading.forms))
    found = ngrams.occurrences([reading.forms[place] for place in kept.tolist()], following(spans[kept]))
    return found._replace(token=np.append(kept, -1)[found.token])  # -1 is an added blank
