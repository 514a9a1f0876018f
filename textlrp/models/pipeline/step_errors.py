"""Sentences that several refusals of a step of a pipeline share."""

from __future__ import annotations

from typing import Any

from textlrp.errors import ModelError

OTHER_WAY = (
    "Or explain it by leaving out words: pass a function that returns the scores of texts, such as "
    "textlrp.explain(model.predict_proba, texts, method='occlusion', classes=model.classes_), or "
    "model.decision_function in its place."
)
"""The advice that ends the refusal of a model that LRP cannot explain."""


def not_fitted(name: str, step: Any) -> ModelError:
    """Return the error for the step ``name`` that is not fitted."""
    kind = type(step).__name__
    return ModelError(
        f"step {name!r} must be fitted; got a {kind} that is not. Call pipeline.fit(texts, labels) first."
    )
