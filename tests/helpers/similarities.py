"""Random similarities, for tests that need no model and no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from explanations import make_explanation

from textlrp.records import Status
from textlrp.similar_texts import Similarity


def make_similarity(
    first: str = "The doctor gave me a vaccine.\n\nNo orbit, 42 shuttles!",
    second: str = "A vaccine from the doctor, and the doctor is in orbit.",
    *,
    seed: int = 0,
    **fields: Any,
) -> Similarity:
    """A random similarity that is consistent: ignored tokens have no relevance, and pairs + absorbed == score."""
    sides = [make_explanation(text) for text in (first, second)]
    read = [side.status == Status.READ for side in sides]
    matrix = np.random.default_rng(seed).normal(size=(len(read[0]), len(read[1]))) * np.outer(*read)
    given: dict[str, Any] = {
        "document_ids": ("one", "two"),
        "ledger": {("conv2", "bias"): -0.5, ("conv3", "bias"): 0.25, ("conv2", "stabilizer"): 0.01},
        "embedding": "pooled filters",
        "rule": "Epsilon(epsilon=1e-06, bias='absorb')",
        "model": "0123456789ab",
        "version": "0.1.0",
        **fields,
    }
    return Similarity(
        tokens=(sides[0].tokens, sides[1].tokens),
        status=(sides[0].status, sides[1].status),
        matrix=matrix,
        score=float(matrix.sum() + sum(given["ledger"].values())),
        **given,
    )
