"""Word vectors with a lookup by word. :mod:`textlrp.text.vector_files` reads them from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.text.invisible import visible, words_with_invisible


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """V words and their vectors: ``matrix`` (V, D) float32. If a word occurs twice, its first vector is used.

    Raises :class:`DataError` if the matrix does not have V rows, or contains NaN or infinity.
    """

    words: tuple[str, ...]
    matrix: NDArray[np.float32]
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float32)
        if matrix.ndim != 2 or len(matrix) != len(self.words):
            raise DataError(
                f"matrix must have one row for each of the {len(self.words)} words; got shape {matrix.shape}."
            )
        if not np.isfinite(matrix).all():
            bad = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            raise DataError(
                f"the vector of {self.words[bad]!r} must be finite; got NaN or infinity. Correct or remove the word."
            )
        rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            rows.setdefault(word, row)
        for word in words_with_invisible(self.words):
            rows.setdefault(visible(word), rows[word])
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def __repr__(self) -> str:
        return f"Vectors({len(self)} words x {self.dimensions})"

    @property
    def dimensions(self) -> int:
        """D, the length of each vector."""
        return int(self.matrix.shape[1])

    def lookup(
        self, words: Sequence[str], *, lowercase_fallback: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vectors of n words (n, D), zero for a word without a vector, and whether each has one (n,).

        With ``lowercase_fallback`` a word without a vector gets that of its lower-cased form.
        """
        get = self._rows.get
        rows = np.array([get(word, -1) for word in words], dtype=np.int64)
        if lowercase_fallback:
            for n in np.flatnonzero(rows < 0).tolist():
                rows[n] = get(words[n].lower(), -1)
        found = rows >= 0
        matrix = np.zeros((len(words), self.dimensions), dtype=np.float32)
        matrix[found] = self.matrix[rows[found]]
        return matrix, found
