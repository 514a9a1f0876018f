"""What the other methods are asked, and what they answer.

Letters: L words read of the text, C classes, K classes to explain, S alternatives of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.models.classifier import Classifier
from textlrp.models.word_paths import masked_scores
from textlrp.records import Status
from textlrp.text.batches import Batch

BASELINE = ("words", "baseline")
"""In the ledger: the score with no word read, or what a method has in its place."""
UNSUMMED = ("words", "unsummed")
"""In the ledger: what a numeric method leaves over of the score; a difference."""

WORDS_SCORED = 1 << 16
"""Alternatives of a text are scored together while they have fewer words than this in all."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """``relevance`` (K, L) of the words read, the ``ledger`` {(step, cause): (K,)}, and whether it is ``exact``:
    whether both together sum to the score."""

    relevance: Array
    ledger: Mapping[tuple[str, str], Array] = field(default_factory=dict)
    exact: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Text ``n`` of a batch, the model, and the K ``classes`` to explain."""

    model: Classifier
    batch: Batch
    n: int
    classes: tuple[int, ...]
    dtype: str | None

    @property
    def known(self) -> NDArray[np.bool_]:
        """(L,) which of the words read the model knows."""
        status = self.batch.status[self.n][self.batch.readings[self.n].positions]
        return np.asarray(status != Status.UNKNOWN)

    def scores(self) -> Array:
        """(K,) of the text as it is."""
        own: Array = self._of_classes(self.model.scores(self.batch.select([self.n])))[0]
        return own

    def scores_keeping(self, masks: NDArray[np.bool_]) -> Array:
        """(S, K) of alternatives (S, J), each with those of the J known words kept where it is True."""
        known = self.known
        together = max(1, WORDS_SCORED // max(1, len(known)))
        scores = [np.zeros((0, len(self.classes)))]
        for begin in range(0, len(masks), together):
            kept = masks[begin : begin + together]
            keep = np.ones((len(kept), len(known)), dtype=bool)
            keep[:, known] = kept
            scores.append(self._of_classes(masked_scores(self.model, self.batch, self.n, keep)))
        return np.concatenate(scores)

    def on_words(self, relevance: Array) -> Array:
        """(K, J) of the known words as (K, L) of the words read."""
        known = self.known
        everywhere = np.zeros((len(relevance), len(known)))
        everywhere[:, known] = relevance
        return everywhere

    def _of_classes(self, scores: Array) -> Array:
        return np.asarray(scores[:, list(self.classes)], dtype=np.float64)
