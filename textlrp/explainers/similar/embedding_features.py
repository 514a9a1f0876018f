"""The embedding of one text, and the relevance of its words for each feature of it.

Letters: N texts, L words that the model reads, T words with padding, M features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from textlrp.arrays import Array, IntArray
from textlrp.lrp.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRelevance:
    """The embedding of one text, and the relevance of its words for each feature.

    ``values`` (M,) is the embedding, and ``columns`` (M,) are the indices of its features, ascending; None if all
    texts have the same features. ``relevance`` (L, M) is a CSR matrix or an array. ``ledger`` {(step, cause): (M,)}
    is what was absorbed. For each feature, relevance and ledger sum to its value.
    """

    values: Array
    columns: IntArray | None
    relevance: Any
    ledger: Mapping[tuple[str, str], Array]


def embedding_of(trace: Trace) -> Tensor:
    """Return the inputs (N, M) of the last layer of a bag of embeddings or a CNN."""
    last = trace.steps[-1] if trace.windows is None else trace.windows.output
    found: Tensor = last.map.inputs  # type: ignore[attr-defined]  # of Dense
    return found


def words_and_ignored(
    values: Tensor, on_words: Tensor, ledger: Mapping[tuple[str, str], Tensor], lookup: str, ids: Tensor, length: int
) -> FeatureRelevance:
    """Put the relevance (T, M) of unknown words and padding into the ledger."""
    read = (ids > 0)[:, None]
    entries = {key: entry.expand_as(values)[0].numpy() for key, entry in ledger.items()}
    entries[lookup, "ignored"] = (on_words * ~read).sum(dim=0).numpy()
    return FeatureRelevance(values[0].numpy(), None, (on_words * read)[:length].numpy(), entries)
