"""Sentences that several refusals of a step of a pipeline share."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from textlrp.errors import ModelError

OTHER_WAY = (
    "Or explain it by leaving out words: pass a function that returns the scores of texts, such as "
    "textlrp.explain(model.predict_proba, texts, method='occlusion', classes=model.classes_), or "
    "model.decision_function in its place."
)
"""The advice that ends the refusal of a model that LRP cannot explain."""


def check_fitted(step: Any, name: str) -> None:
    """Raise :class:`ModelError` if the step ``name`` is not fitted."""
    try:
        if hasattr(step, "fit"):
            check_is_fitted(step)
    except NotFittedError:
        raise ModelError(
            f"step {name!r} must be fitted; got a {type(step).__name__} that is not. Call "
            "pipeline.fit(texts, labels) first."
        ) from None
