"""Several texts concatenated without padding: the input of a network.

Letters: N texts, L words of all texts, U distinct words, T words of the longest text.
"""

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
    """N concatenated texts.

    ``words`` (L,) are vocabulary ids; text n is ``words[starts[n]:starts[n + 1]]``. ``distinct`` (U,) are the
    distinct vocabulary ids, the first always 0, and ``ids`` (L,) the position of each word in ``distinct``. The last
    two are computed when they are first needed.
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
        """Return the vocabulary ids of each text."""
        return [self.words[start:end] for start, end in pairwise(self.starts.tolist())]

    @cached_property
    def lengths(self) -> Ids:
        """Number of words of each text (N,)."""
        return self.starts[1:] - self.starts[:-1]

    @property
    def longest(self) -> int:
        """Number of words of the longest text."""
        return int(self.lengths.max(initial=0))

    def padded(self, min_words: int = 1) -> Ids:
        """Return positions in ``distinct`` (N, T), padded with 0 at the right; T is at least ``min_words``."""
        return grid(self.ids, self.starts, min_words=min_words)

    def padded_words(self, min_words: int = 1) -> Ids:
        """Return vocabulary ids (N, T), padded with 0 at the right; T is at least ``min_words``."""
        return grid(self.words, self.starts, min_words=min_words)


def pack(texts: Sequence[Ids]) -> Packed:
    """Concatenate texts, given as vocabulary ids."""
    return Packed(*end_to_end(texts))
