"""Stages: the features of a pipeline that each belong to one column of one vectorizer.

Letters: N texts, J features, V columns of a vectorizer, S stages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from textlrp.arrays import IntArray


class ValueRange(NamedTuple):
    """The range of a stage's values, 0 included; infinite where no bound is known."""

    low: float
    high: float


class StepOutputs(NamedTuple):
    """What the steps that read the input return: each of the vectorizers, (N, V), and each step of other columns."""

    texts: Sequence[Any]
    others: Sequence[Any] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The steps of a pipeline up to and including one of them.

    ``run`` computes its features (N, J) from the outputs of the vectorizers. Feature j is column ``column[j]`` of
    vectorizer ``vectorizer[j]``, both (J,); a negative number -1 - q is other column q of a table, which has no
    words. The values lie in ``bounds``.
    """

    run: Callable[[StepOutputs], Any]
    vectorizer: IntArray
    column: IntArray
    bounds: ValueRange


@dataclass(frozen=True, eq=False)
class JointFeatures:
    """The features of several stages, one after the other: all that a model reads."""

    stages: tuple[Stage, ...]

    @cached_property
    def vectorizer(self) -> IntArray:
        """(J,): the vectorizer that each feature belongs to."""
        return np.concatenate([stage.vectorizer for stage in self.stages])

    @cached_property
    def column(self) -> IntArray:
        """(J,): the column of that vectorizer."""
        return np.concatenate([stage.column for stage in self.stages])

    def places(self, stage: Stage) -> slice:
        """Return the columns of one of the stages."""
        number = next(n for n, each in enumerate(self.stages) if each is stage)
        start = sum(len(each.column) for each in self.stages[:number])
        return slice(start, start + len(stage.column))

    def run(self, outputs: StepOutputs) -> Any:
        """Return the features (N, J), CSR with only non-zero entries, from the outputs of the vectorizers."""
        parts = [stage.run(outputs) for stage in self.stages]
        features = sparse.csr_matrix(parts[0]) if len(parts) == 1 else sparse.hstack(parts, format="csr")
        features.eliminate_zeros()
        features.sort_indices()
        return features
