"""The steps of a fitted scikit-learn pipeline before its classifier, from texts to features.

A step that keeps features separate, such as a selector, makes a :class:`.Stage`: each of its features belongs to
exactly one column of one vectorizer. A step that mixes or centers features makes a :class:`.Form`. Open it to support
another step, or for the messages that refuse one.

Letters: N texts, J features, V columns of a vectorizer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer, RobustScaler, StandardScaler

from textlrp.errors import ModelError
from textlrp.models.pipeline.form_steps import as_form, is_affine, joined_branches, step_form
from textlrp.models.pipeline.forms import Form
from textlrp.models.pipeline.stages import Stage, StepOutputs, ValueRange
from textlrp.models.pipeline.step_errors import OTHER_WAY, check_fitted
from textlrp.models.pipeline.step_values import Sources, TextColumn, Value
from textlrp.models.pipeline.table_columns import columns_value
from textlrp.models.pipeline.unwrapped import unwrapped
from textlrp.models.pipeline.vectorizers import VECTORIZERS, TextVectorizer, text_vectorizer

SUPPORTED_STEPS = (
    "CountVectorizer, TfidfVectorizer, HashingVectorizer, TfidfTransformer, FeatureUnion, Pipeline, selectors such "
    "as SelectKBest, Normalizer, StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, TruncatedSVD, PCA, "
    "IncrementalPCA, random projections and 'passthrough'"
)


def read_step(step: Any, name: str, before: Value, sources: Sources) -> Value:
    """Return the value of one step after the value ``before`` (None: the texts themselves).

    The step's vectorizers and what it learned are added to ``sources``. Raises :class:`ModelError` for a step that
    is not supported or not fitted.
    """
    value: Value = sources.shared(id(step), before, lambda: _new_value(step, name, before, sources))
    return value


def _new_value(step: Any, name: str, before: Value, sources: Sources) -> Value:
    step = unwrapped(step, name)
    if _is_passthrough(step):
        return before
    if isinstance(step, Pipeline):
        for inner, each in step.steps:
            before = read_step(each, inner, before, sources)
        return before
    if isinstance(step, FeatureUnion):
        return _union(step, name, before, sources)
    if isinstance(step, VECTORIZERS):
        if isinstance(before, (Stage, Form)):
            raise ModelError(
                f"step {name!r} must come before other vectorizers; got a {type(step).__name__} after one, which "
                "would read numbers. Put it first, or combine both in a FeatureUnion."
            )
        return _vectorizer_stage(step, name, before, sources.readers)
    if isinstance(step, ColumnTransformer):
        return columns_value(step, name, before, sources, read_step)
    if not isinstance(before, (Stage, Form)):
        raise ModelError(
            f"step {name!r} must be a text vectorizer, because it gets the texts; got a {type(step).__name__}. Use "
            "CountVectorizer, TfidfVectorizer or HashingVectorizer, and pass what this step does as preprocessor=."
        )
    if isinstance(before, Stage) and (stage := _feature_stage(step, name, before, sources.learned)) is not None:
        return stage
    return _mixing_step(step, name, before)


def _mixing_step(step: Any, name: str, before: Stage | Form) -> Form:
    if not is_affine(step):
        raise ModelError(
            f"step {name!r} must be linear in its features; got a {type(step).__name__}. Leave it out or replace it, "
            f"and fit the pipeline again. Supported before the classifier: {SUPPORTED_STEPS}. {OTHER_WAY}"
        )
    check_fitted(step, name)
    return step_form(step, as_form(before))


def _is_passthrough(step: Any) -> bool:
    """Whether a step returns its input; a fitted FeatureUnion has a FunctionTransformer for 'passthrough'."""
    named = step is None or (isinstance(step, str) and step == "passthrough")
    return named or (type(step) is FunctionTransformer and step.func is None)


# ---- the supported steps


def _vectorizer_stage(step: Any, name: str, before: TextColumn | None, readers: list[TextVectorizer]) -> Stage:
    number = len(readers)
    reader = replace(text_vectorizer(step, name), column=None if before is None else before.name)
    readers.append(reader)
    columns = np.arange(reader.width)
    return Stage(
        lambda outputs: outputs.texts[number], np.full_like(columns, number), columns, _vectorizer_bounds(reader)
    )


def _vectorizer_bounds(reader: TextVectorizer) -> ValueRange:
    vectorizer = reader.vectorizer
    if isinstance(vectorizer, TfidfVectorizer):
        return ValueRange(0.0, math.inf if vectorizer.norm is None else 1.0)
    if isinstance(vectorizer, HashingVectorizer):
        high = 1.0 if vectorizer.norm is not None or vectorizer.binary else math.inf
        return ValueRange(-high if vectorizer.alternate_sign and not vectorizer.binary else 0.0, high)
    return ValueRange(0.0, 1.0 if vectorizer.binary else math.inf)


def _union(step: Any, name: str, before: Value, sources: Sources) -> Stage | Form:
    weights = step.transformer_weights or {}
    branches, factors = [], []
    for inner, each in step.transformer_list:
        if isinstance(each, str) and each == "drop":
            continue
        branch = read_step(each, inner, before, sources)
        if not isinstance(branch, (Stage, Form)):
            raise ModelError(
                f"{inner!r} in the FeatureUnion {name!r} must be a vectorizer; got 'passthrough', which passes "
                "texts and no features. Use a vectorizer or 'drop'."
            )
        branches.append(branch)
        factors.append(float(weights.get(inner, 1.0)))
    if not branches:
        raise ModelError(f"the FeatureUnion {name!r} must have at least one vectorizer; got only 'drop'.")
    sources.learned.append(factors)
    return joined_branches(branches, factors)


def _feature_stage(step: Any, name: str, before: Stage, learned: list[Any]) -> Stage | None:
    """A step that keeps features separate, or None if this step does not."""
    kind = type(step)
    if isinstance(step, SelectorMixin) and kind.transform is SelectorMixin.transform:
        check_fitted(step, name)
        chosen = np.asarray(step.get_support(indices=True))
        learned.append(chosen)
        return Stage(
            lambda outputs: before.run(outputs)[:, chosen],
            before.vectorizer[chosen],
            before.column[chosen],
            before.bounds,
        )
    if kind is FunctionTransformer:
        return _unchanged(step, name, before)
    if kind not in _FEATURE_STEPS or _centers(step):
        return None
    check_fitted(step, name)
    learned.append({key: value for key, value in vars(step).items() if key.endswith("_")})

    def run(outputs: StepOutputs) -> Any:
        values = before.run(outputs)
        return sparse.csr_matrix(step.transform(values)) if values.shape[0] else values

    return Stage(run, before.vectorizer, before.column, _FEATURE_STEPS[kind](step, before.bounds))


def _unchanged(step: Any, name: str, before: Stage) -> Stage:
    """A user's function after the vectorizer, such as one that makes an array: it must not change values."""

    def run(outputs: StepOutputs) -> Any:
        values = before.run(outputs)
        changed = sparse.csr_matrix(step.transform(values)) if values.shape[0] else values
        if changed.shape != values.shape or (changed != values).nnz:
            raise ModelError(
                f"step {name!r} must not change the values of features; got a FunctionTransformer whose function "
                f"does. Leave it out, or use one of scikit-learn's own steps. {OTHER_WAY}"
            )
        return values

    return Stage(run, before.vectorizer, before.column, before.bounds)


def _centers(step: Any) -> bool:
    """Whether a scaler subtracts a constant: its sums then have a bias, and features that a text lacks count too."""
    return bool(getattr(step, "with_mean", False) or getattr(step, "with_centering", False))


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
