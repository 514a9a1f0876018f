"""Fitted scikit-learn objects that contain the estimator which they predict with: searches and frozen estimators.

Open it to support another object of this kind.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from textlrp.errors import ModelError
from textlrp.models.pipeline.step_errors import check_fitted


def unwrapped(step: Any, name: str) -> Any:
    """Return the fitted estimator in a search such as ``GridSearchCV`` or in a ``FrozenEstimator``, however deep.

    Any other step is returned as it is; ``name`` is that of the step, for messages. Raises :class:`ModelError` for a
    search that is not fitted, or that did not fit its best estimator.
    """
    while True:
        if is_search(step):
            step = _best_estimator(step, name)
        elif isinstance(step, FrozenEstimator):
            step = step.estimator
        else:
            return step


def is_search(step: Any) -> bool:
    """Whether this is a search over parameters: by its attributes, so that those of other packages are included."""
    refits = hasattr(step, "refit") and hasattr(step, "estimator")
    # a fitted TunedThresholdClassifierCV has refit= too, but its classifier is not all of it
    return hasattr(step, "best_estimator_") or (refits and not hasattr(step, "estimator_"))


def reads_texts(model: BaseEstimator) -> bool:
    """Whether an estimator is a pipeline, or contains one, as a search over a pipeline does."""
    if isinstance(model, FrozenEstimator):  # it hides the parameters of its estimator
        return isinstance(model.estimator, BaseEstimator) and reads_texts(model.estimator)
    return isinstance(model, Pipeline) or any(
        isinstance(value, Pipeline) or (isinstance(value, FrozenEstimator) and reads_texts(value))
        for value in model.get_params(deep=True).values()
    )


def _best_estimator(search: Any, name: str) -> Any:
    if hasattr(search, "best_estimator_"):
        return search.best_estimator_
    check_fitted(search, name)
    raise ModelError(
        f"step {name!r} must have a best estimator; got a {type(search).__name__}(refit=False), which fits none. "
        "Pass refit=True and fit it again."
    )
