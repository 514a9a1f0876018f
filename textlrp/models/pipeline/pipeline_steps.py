"""The steps of a fitted scikit-learn pipeline before its linear model; each feature is traced to a vectorizer column.

Every supported step keeps features separate: each output feature is one input feature with another value. So each
feature of the last step belongs to exactly one column of one vectorizer. Open it to support another step, or for the
messages that refuse one.

Letters: N texts, J features, V columns of a vectorizer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from textlrp.arrays import IntArray
from textlrp.errors import ModelError
from textlrp.models.pipeline.vectorizers import VECTORIZERS, TextVectorizer, text_vectorizer

SUPPORTED_STEPS = (
    "CountVectorizer, TfidfVectorizer, HashingVectorizer, TfidfTransformer, FeatureUnion, Pipeline, selectors such "
    "as SelectKBest, Normalizer, MaxAbsScaler, StandardScaler(with_mean=False), "
    "RobustScaler(with_centering=False) and 'passthrough'"
)


class ValueRange(NamedTuple):
    """The range of a stage's values, 0 included; infinite where no bound is known."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The steps of a pipeline up to and including one of them.

    ``run`` computes its features (N, J) from the outputs of the vectorizers, each (N, V). Feature j is column
    ``column[j]`` of vectorizer ``vectorizer[j]``, both (J,). The values lie in ``bounds``.
    """

    run: Callable[[Sequence[Any]], Any]
    vectorizer: IntArray
    column: IntArray
    bounds: ValueRange


def make_stage(
    step: Any, name: str, before: Stage | None, readers: list[TextVectorizer], fitted_parts: list[Any]
) -> Stage | None:
    """Return the stage of one step, or None if it gets and returns texts ('passthrough' before the vectorizers).

    ``before`` is None if the step gets the texts themselves. The step's vectorizers are appended to ``readers``, and
    what other steps learned to ``fitted_parts``. Raises :class:`ModelError` for a step that is not supported or not
    fitted.
    """
    if _is_passthrough(step):
        return before
    if isinstance(step, Pipeline):
        for inner, each in step.steps:
            before = make_stage(each, inner, before, readers, fitted_parts)
        return before
    if isinstance(step, FeatureUnion):
        return _union(step, name, before, readers, fitted_parts)
    if isinstance(step, VECTORIZERS):
        if before is not None:
            raise ModelError(
                f"step {name!r} must come before other vectorizers; got a {type(step).__name__} after one, which "
                "would read numbers. Put it first, or combine both in a FeatureUnion."
            )
        return _vectorizer_stage(step, name, readers)
    if isinstance(step, ColumnTransformer):
        raise _column_transformer_error(name, before)
    if before is None:
        raise ModelError(
            f"step {name!r} must be a text vectorizer, because it gets the texts; got a {type(step).__name__}. Use "
            "CountVectorizer, TfidfVectorizer or HashingVectorizer, and pass what this step does as preprocessor=."
        )
    return _feature_stage(step, name, before, fitted_parts)


def _is_passthrough(step: Any) -> bool:
    """Whether a step returns its input; a fitted FeatureUnion has a FunctionTransformer for 'passthrough'."""
    named = step is None or (isinstance(step, str) and step == "passthrough")
    return named or (type(step) is FunctionTransformer and step.func is None)


# ---- the supported steps


def _vectorizer_stage(step: Any, name: str, readers: list[TextVectorizer]) -> Stage:
    number = len(readers)
    reader = text_vectorizer(step, name)
    readers.append(reader)
    columns = np.arange(reader.width)
    return Stage(lambda outputs: outputs[number], np.full_like(columns, number), columns, _vectorizer_bounds(reader))


def _vectorizer_bounds(reader: TextVectorizer) -> ValueRange:
    vectorizer = reader.vectorizer
    if isinstance(vectorizer, TfidfVectorizer):
        return ValueRange(0.0, math.inf if vectorizer.norm is None else 1.0)
    if isinstance(vectorizer, HashingVectorizer):
        high = 1.0 if vectorizer.norm is not None or vectorizer.binary else math.inf
        return ValueRange(-high if vectorizer.alternate_sign and not vectorizer.binary else 0.0, high)
    return ValueRange(0.0, 1.0 if vectorizer.binary else math.inf)


def _union(
    step: Any, name: str, before: Stage | None, readers: list[TextVectorizer], fitted_parts: list[Any]
) -> Stage | None:
    weights = step.transformer_weights or {}
    branches, factors = [], []
    for inner, each in step.transformer_list:
        if isinstance(each, str) and each == "drop":
            continue
        branch = make_stage(each, inner, before, readers, fitted_parts)
        if branch is None:
            raise ModelError(
                f"{inner!r} in the FeatureUnion {name!r} must be a vectorizer; got 'passthrough', which passes "
                "texts and no features. Use a vectorizer or 'drop'."
            )
        branches.append(branch)
        factors.append(float(weights.get(inner, 1.0)))
    if not branches:
        raise ModelError(f"the FeatureUnion {name!r} must have at least one vectorizer; got only 'drop'.")
    fitted_parts.append(factors)
    ends = [factor * end for branch, factor in zip(branches, factors, strict=True) for end in branch.bounds if factor]

    def run(outputs: Sequence[Any]) -> Any:
        parts = [branch.run(outputs) for branch in branches]
        scaled = [part if factor == 1 else part * factor for part, factor in zip(parts, factors, strict=True)]
        return sparse.hstack(scaled, format="csr")

    return Stage(
        run,
        np.concatenate([branch.vectorizer for branch in branches]),
        np.concatenate([branch.column for branch in branches]),
        ValueRange(min([0.0, *ends]), max([0.0, *ends])),
    )


def _column_transformer_error(name: str, before: Stage | None) -> ModelError:
    """Return the error that explains why a ColumnTransformer is not supported."""
    if before is None:
        return ModelError(
            f"step {name!r} must read a text; got a ColumnTransformer, which reads the columns of a table. Make a "
            "Pipeline of the vectorizer of the text column and the classifier, fit it on the texts, and explain "
            "that."
        )
    return ModelError(
        f"step {name!r} must not be a ColumnTransformer. Use a feature selector such as SelectKBest, or combine "
        "vectorizers with a FeatureUnion."
    )


def _feature_stage(step: Any, name: str, before: Stage, fitted_parts: list[Any]) -> Stage:
    """A step from features to features."""
    kind = type(step)
    if isinstance(step, SelectorMixin) and kind.transform is SelectorMixin.transform:
        chosen = np.asarray(_fitted(step, name).get_support(indices=True))
        fitted_parts.append(chosen)
        return Stage(
            lambda outputs: before.run(outputs)[:, chosen],
            before.vectorizer[chosen],
            before.column[chosen],
            before.bounds,
        )
    if option := _centering_option(step):
        raise ModelError(
            f"step {name!r} must not center features; got {kind.__name__}({option}=True). It also changes features "
            f"that a text does not have, and their relevance would belong to no word. Pass {option}=False and fit "
            "the pipeline again."
        )
    if kind not in _FEATURE_STEPS:
        raise ModelError(
            f"step {name!r} must keep features separate, so that each one belongs to words; got a {kind.__name__}. "
            "Leave it out or replace it, and fit the pipeline again. Supported before the linear model: "
            f"{SUPPORTED_STEPS}."
        )
    if kind is not Normalizer:  # a Normalizer has no fitted state
        _fitted(step, name)
    fitted_parts.append({key: value for key, value in vars(step).items() if key.endswith("_")})

    def run(outputs: Sequence[Any]) -> Any:
        values = before.run(outputs)
        return sparse.csr_matrix(step.transform(values)) if values.shape[0] else values

    return Stage(run, before.vectorizer, before.column, _FEATURE_STEPS[kind](step, before.bounds))


def _centering_option(step: Any) -> str | None:
    """The option with which a scaler subtracts a constant, or None."""
    for kind, option in ((StandardScaler, "with_mean"), (RobustScaler, "with_centering")):
        if type(step) is kind and getattr(step, option):
            return option
    return None


def _fitted(step: Any, name: str) -> Any:
    try:
        check_is_fitted(step)
    except NotFittedError:
        raise ModelError(
            f"step {name!r} must be fitted; got a {type(step).__name__} that is not. Call pipeline.fit(texts, "
            "labels) first."
        ) from None
    return step


def _normalized_range(step: Any, bounds: ValueRange) -> ValueRange:
    """The range of values after a normalization, if there is one."""
    high = math.inf if step.norm is None else 1.0
    return ValueRange(-high if bounds.low < 0 else 0.0, high)


_FEATURE_STEPS: Mapping[type, Callable[[Any, ValueRange], ValueRange]] = {
    TfidfTransformer: _normalized_range,
    Normalizer: _normalized_range,
    MaxAbsScaler: lambda step, bounds: ValueRange(-math.inf if bounds.low < 0 else 0.0, math.inf),
    StandardScaler: lambda step, bounds: ValueRange(-math.inf if bounds.low < 0 else 0.0, math.inf),
    RobustScaler: lambda step, bounds: ValueRange(-math.inf if bounds.low < 0 else 0.0, math.inf),
}
"""Supported steps -> the range of their output, given that of their input. Subclasses may do anything: not included.
"""
