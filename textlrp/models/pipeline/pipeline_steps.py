"""The steps of a fitted scikit-learn pipeline before its linear model, each feature followed back to a vectorizer.

Every step that is supported keeps features apart: a feature of its result is one feature of what it read, with
another value. So each feature of the last step belongs to one column of one vectorizer.

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
    """Where the values of a stage lie, 0 included; infinite where nothing is known."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Some steps of a pipeline, up to and including one of them.

    ``run`` makes its features (N, J) of the vectorizers' numbers, each (N, V). Feature j is column ``column[j]`` of
    vectorizer ``vectorizer[j]``, both (J,). The values lie in ``bounds``.
    """

    run: Callable[[Sequence[Any]], Any]
    vectorizer: IntArray
    column: IntArray
    bounds: ValueRange


def make_stage(
    step: Any, name: str, before: Stage | None, readers: list[TextVectorizer], features: list[Any]
) -> Stage | None:
    """The stage of one step, or None where nothing has been read yet ('passthrough' in front of the vectorizers).

    ``before`` is None where the step gets the texts themselves. Vectorizers are added to ``readers``, the fitted
    parts of the other steps that values depend on to ``features``. Raises :class:`ModelError` on a step that is not
    supported, or not fitted.
    """
    if _does_nothing(step):
        return before
    if isinstance(step, Pipeline):
        for inner, each in step.steps:
            before = make_stage(each, inner, before, readers, features)
        return before
    if isinstance(step, FeatureUnion):
        return _union(step, name, before, readers, features)
    if isinstance(step, VECTORIZERS):
        if before is not None:
            raise ModelError(f"the {type(step).__name__} {name!r} comes after another vectorizer; put it in front.")
        return _reading(step, name, readers)
    if isinstance(step, ColumnTransformer):
        raise _columns(name, before)
    if before is None:
        raise ModelError(
            f"the step {name!r}, a {type(step).__name__}, gets the texts themselves; only CountVectorizer, "
            "TfidfVectorizer and HashingVectorizer can be traced there: give them what it does as preprocessor=."
        )
    return _features(step, name, before, features)


def _does_nothing(step: Any) -> bool:
    """Whether a step hands on what it gets; a fitted FeatureUnion has a FunctionTransformer for 'passthrough'."""
    named = step is None or (isinstance(step, str) and step == "passthrough")
    return named or (type(step) is FunctionTransformer and step.func is None)


# ---- the kinds


def _reading(step: Any, name: str, readers: list[TextVectorizer]) -> Stage:
    place = len(readers)
    reader = text_vectorizer(step, name)
    readers.append(reader)
    columns = np.arange(reader.width)
    return Stage(lambda numbers: numbers[place], np.full_like(columns, place), columns, _vectorizer_bounds(reader))


def _vectorizer_bounds(reader: TextVectorizer) -> ValueRange:
    own = reader.vectorizer
    if isinstance(own, TfidfVectorizer):
        return ValueRange(0.0, math.inf if own.norm is None else 1.0)
    if isinstance(own, HashingVectorizer):
        high = 1.0 if own.norm is not None or own.binary else math.inf
        return ValueRange(-high if own.alternate_sign and not own.binary else 0.0, high)
    return ValueRange(0.0, 1.0 if own.binary else math.inf)


def _union(
    step: Any, name: str, before: Stage | None, readers: list[TextVectorizer], features: list[Any]
) -> Stage | None:
    weights = step.transformer_weights or {}
    branches, factors = [], []
    for inner, each in step.transformer_list:
        if isinstance(each, str) and each == "drop":
            continue
        branch = make_stage(each, inner, before, readers, features)
        if branch is None:
            raise ModelError(
                f"'passthrough' for {inner!r} in the FeatureUnion {name!r} puts the texts themselves beside "
                "features; give a vectorizer instead, or 'drop'."
            )
        branches.append(branch)
        factors.append(float(weights.get(inner, 1.0)))
    if not branches:
        raise ModelError(f"everything in the FeatureUnion {name!r} is dropped; at least one vectorizer is wanted.")
    features.append(factors)
    ends = [factor * end for branch, factor in zip(branches, factors, strict=True) for end in branch.bounds if factor]

    def run(numbers: Sequence[Any]) -> Any:
        parts = [branch.run(numbers) for branch in branches]
        scaled = [part if factor == 1 else part * factor for part, factor in zip(parts, factors, strict=True)]
        return sparse.hstack(scaled, format="csr")

    return Stage(
        run,
        np.concatenate([branch.vectorizer for branch in branches]),
        np.concatenate([branch.column for branch in branches]),
        ValueRange(min([0.0, *ends]), max([0.0, *ends])),
    )


def _columns(name: str, before: Stage | None) -> ModelError:
    """Why a ColumnTransformer is not supported."""
    if before is None:
        return ModelError(
            f"the ColumnTransformer {name!r} reads the columns of a table, and explain() gives one text at a time. "
            "Put the vectorizer and the classifier of the text column into a Pipeline of their own."
        )
    return ModelError(
        f"the ColumnTransformer {name!r} comes after a vectorizer; choose features with a selector such as "
        "SelectKBest, or combine vectorizers with a FeatureUnion."
    )


def _features(step: Any, name: str, before: Stage, features: list[Any]) -> Stage:
    """A step from features to features."""
    kind = type(step)
    if isinstance(step, SelectorMixin) and kind.transform is SelectorMixin.transform:
        chosen = np.asarray(_fitted(step, name).get_support(indices=True))
        features.append(chosen)
        return Stage(
            lambda numbers: before.run(numbers)[:, chosen],
            before.vectorizer[chosen],
            before.column[chosen],
            before.bounds,
        )
    if centring := _centring(step):
        raise ModelError(
            f"the {kind.__name__} {name!r} subtracts a constant from every feature ({centring}=True), also from "
            f"those that a text does not have, so that its relevance has no word. Pass {centring}=False, which keeps "
            "features sparse, and fit the pipeline again."
        )
    if kind not in _AFTER:
        raise ModelError(
            f"the step {name!r} is a {kind.__name__}, whose features cannot be followed back to words; "
            f"{SUPPORTED_STEPS} are supported before the linear model."
        )
    if kind is not Normalizer:  # which learns nothing
        _fitted(step, name)
    features.append({key: value for key, value in vars(step).items() if key.endswith("_")})

    def run(numbers: Sequence[Any]) -> Any:
        values = before.run(numbers)
        return sparse.csr_matrix(step.transform(values)) if values.shape[0] else values

    return Stage(run, before.vectorizer, before.column, _AFTER[kind](step, before.bounds))


def _centring(step: Any) -> str | None:
    """The option by which a scaler moves zeros, if it does."""
    for kind, option in ((StandardScaler, "with_mean"), (RobustScaler, "with_centering")):
        if type(step) is kind and getattr(step, option):
            return option
    return None


def _fitted(step: Any, name: str) -> Any:
    try:
        check_is_fitted(step)
    except NotFittedError:
        raise ModelError(
            f"the {type(step).__name__} {name!r} is not fitted; call pipeline.fit(texts, labels) first."
        ) from None
    return step


def _of_unit_length(step: Any, bounds: ValueRange) -> ValueRange:
    """Bounds after a norm, where there is one."""
    high = math.inf if step.norm is None else 1.0
    return ValueRange(-high if bounds.low < 0 else 0.0, high)


_AFTER: Mapping[type, Callable[[Any, ValueRange], ValueRange]] = {
    TfidfTransformer: _of_unit_length,
    Normalizer: _of_unit_length,
    MaxAbsScaler: lambda step, bounds: ValueRange(-math.inf if bounds.low < 0 else 0.0, math.inf),
    StandardScaler: lambda step, bounds: ValueRange(-math.inf if bounds.low < 0 else 0.0, math.inf),
    RobustScaler: lambda step, bounds: ValueRange(-math.inf if bounds.low < 0 else 0.0, math.inf),
}
"""Steps that give each feature another value, and the bounds of that. A subclass may do anything, so has no place."""
