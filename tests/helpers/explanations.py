"""Random explanations, for tests that need no model and no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import Phrase, Status, Target, Tokens

_TOKEN = re.compile(r"[^\W\d_]+|\d+|\S")


def split(text: str) -> Tokens:
    """Split a text into runs of letters, runs of digits, and single other visible characters."""
    spans = [match.span() for match in _TOKEN.finditer(text)]
    forms = tuple(text[start:end].lower() for start, end in spans)
    return Tokens(text, np.array(spans, dtype=np.int32).reshape(-1, 2), forms)


def make_explanation(
    text: str = "The doctor gave me a vaccine.\n\nNo orbit, 42 shuttles!",
    *,
    labels: Sequence[str] = ("sci.med", "sci.space", "rec.autos"),
    targets: Sequence[Target] = (0,),
    status: Sequence[int] | None = None,
    seed: int = 0,
    dtype: Any = np.float32,
    **fields: Any,
) -> Explanation:
    """A random explanation that is consistent: ignored tokens have no relevance, and words + absorbed == score."""
    random, tokens = np.random.default_rng(seed), split(text)
    letters = np.array([form.isalpha() for form in tokens.forms], dtype=np.bool_)
    status_array = np.where(letters, Status.READ, Status.NOT_A_WORD).astype(np.uint8)
    if status is not None:
        status_array = np.array(status, dtype=np.uint8)
    per_class = (random.normal(size=(len(labels), len(tokens))) * (status_array == Status.READ)).astype(dtype)
    bias = random.normal(size=len(labels)).astype(dtype)
    stabilizer = (random.normal(size=len(labels)) * 0.01).astype(dtype)
    scores = (per_class.sum(axis=1, dtype=np.float64) + bias + stabilizer).astype(dtype)

    def of(values: np.ndarray) -> np.ndarray:
        return np.array([values[t[0]] - values[t[1]] if isinstance(t, tuple) else values[t] for t in targets])

    explanation = Explanation(
        document_id="doc-1",
        tokens=tokens,
        labels=tuple(labels),
        scores=scores,
        probabilities=(np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()).astype(dtype),
        targets=tuple(targets),
        relevance=of(per_class).reshape(len(targets), len(tokens)).astype(dtype),
        status=status_array,
        counts=random.integers(0, 900, size=len(tokens)).astype(np.int32),
        ledger={("conv", "bias"): of(bias).astype(dtype), ("out", "stabilizer"): of(stabilizer).astype(dtype)},
        method="lrp",
        rule="Epsilon(epsilon=1e-06)",
        model="cnn-0123abcd",
        version="0.1.0",
    )
    return replace(explanation, **fields)


def with_phrases(explanation: Explanation) -> Explanation:
    """The explanation with two phrases."""
    count, dtype = len(explanation.targets), explanation.relevance.dtype
    return replace(
        explanation,
        phrases=tuple(
            Phrase(n, n + 2, "conv2", 7 * n, np.linspace(-1, 1, count).astype(dtype) + dtype.type(n))
            for n in range(2)
        ),
    )


def by_character(text: str, relevance: list[float] | None = None) -> Explanation:
    """An explanation in which each character is a token that the model reads."""
    spans = np.array([(n, n + 1) for n in range(len(text))], np.int32).reshape(-1, 2)
    values = relevance or [(-1.0) ** n * (n + 1) for n in range(len(text))]
    return replace(
        make_explanation("x"),
        tokens=Tokens(text, spans, tuple(text)),
        relevance=np.array([values], np.float32).reshape(1, -1),
        status=np.zeros(len(text), np.uint8),
        counts=np.zeros(len(text), np.int32),
        ledger={},
    )
