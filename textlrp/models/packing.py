"""Several texts end to end: what a net reads in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from textlrp.lrp.kernels.projections import distinct_words
from textlrp.lrp.kernels.windows import Ids as Ids
from textlrp.text.batches import end_to_end, grid


@dataclass(frozen=True, eq=False)
class Packed:
    """N texts end to end.

    ``words`` (L,) vocabulary ids; ``starts`` (N + 1,) where each text begins. Only what touches the vectors of words
    numbers the distinct ones: ``distinct`` (U,) vocabulary ids, the first always 0, and ``ids`` (L,) positions in it.
    """

    words: Ids
    starts: Ids

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def distinct(self) -> Ids:
        return self._numbered[0]

    @property
    def ids(self) -> Ids:
        return self._numbered[1]

    @cached_property
    def _numbered(self) -> tuple[Ids, Ids]:
        return distinct_words(self.words)

    def texts(self) -> list[Ids]:
        """The ids (L,) of each text."""
        return [self.words[start:end] for start, end in pairwise(self.starts.tolist())]

    @cached_property
    def lengths(self) -> Ids:
        """(N,) words per text."""
        return self.starts[1:] - self.starts[:-1]

    @property
    def longest(self) -> int:
        """Words of the longest text."""
        return int(self.lengths.max(initial=0))

    def padded(self, min_words: int = 1) -> Ids:
        """(N, T) positions in ``distinct``, filled with 0 at the right; T is ``min_words`` that long."""
        return grid(self.ids, self.starts, min_words=min_words)

    def padded_words(self, min_words: int = 1) -> Ids:
        """(N, T) vocabulary ids, as :meth:`padded`."""
        return grid(self.words, self.starts, min_words=min_words)


def pack(texts: Sequence[Ids]) -> Packed:
    """Put texts end to end."""
    return Packed(*end_to_end(texts))
