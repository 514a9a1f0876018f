"""What other attribution methods than LRP get and return: :class:`Case` and :class:`Attribution`.

Open it before you write a method; :mod:`textlrp.explainers.method_table` lists them.

Letters: L words the model reads, J known words among them, C classes, K classes to explain, S alternatives of the
text (some words left out).
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
"""Ledger key: the score of the text without any word, or what a method uses in its place (LIME: the intercept)."""
UNSUMMED = ("words", "unsummed")
"""Ledger key: the part of the score that a numerical method does not account for. It is computed as a difference."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """The result of a method for one text: ``relevance`` (K, L) of the words the model reads, and a ledger.

    ``ledger`` maps (step, cause) to (K,). ``exact``: relevance and ledger together sum to the score.
    """

    relevance: Array
    ledger: Mapping[tuple[str, str], Array] = field(default_factory=dict)
    exact: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One text to explain: text ``n`` of a batch, the model, and the K ``classes`` to explain."""

    model: Classifier
    batch: Batch
    n: int
    classes: tuple[int, ...]
    dtype: str | None

    @property
    def known(self) -> NDArray[np.bool_]:
        """(L,) which of the words are in the model's vocabulary."""
        status = self.batch.status[self.n][self.batch.readings[self.n].positions]
        return np.asarray(status != Status.UNKNOWN)

    def scores(self) -> Array:
        """(K,) scores of the unchanged text."""
        scores: Array = self._of_classes(self.model.scores(self.batch.select([self.n])))[0]
        return scores

    def scores_keeping(self, masks: NDArray[np.bool_]) -> Array:
        """(S, K) scores of S alternatives: ``masks`` (S, J) is False for each known word to leave out."""
        known = self.known
        keep = np.ones((len(masks), len(known)), dtype=bool)
        keep[:, known] = masks
        return self._of_classes(masked_scores(self.model, self.batch, self.n, keep))

    def on_words(self, relevance: Array) -> Array:
        """Expand values (K, J) of the known words to (K, L), with 0 for unknown words."""
        known = self.known
        on_all_words = np.zeros((len(relevance), len(known)))
        on_all_words[:, known] = relevance
        return on_all_words

    def _of_classes(self, scores: Array) -> Array:
        return np.asarray(scores[:, list(self.classes)], dtype=np.float64)
