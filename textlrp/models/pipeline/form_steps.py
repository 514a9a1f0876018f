"""Steps of a pipeline that mix or center features: each is a matrix and a bias, or a norm.

Open it to support another step of this kind.

Letters: J features of a step, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from torch import Tensor

from textlrp.arrays import Array, IntArray
from textlrp.models.pipeline.forms import Form, affine, identity_form, joined_form, normalized_form
from textlrp.models.pipeline.stages import Stage, StepOutputs, ValueRange

Matrix = tuple[Any, Array | None]
"""A weight (O, J), an array or a sparse matrix, and a bias (O,) or None."""


def is_affine(step: Any) -> bool:
    """Whether :func:`step_form` supports a step."""
    if isinstance(step, MinMaxScaler):
        return type(step) is MinMaxScaler and not step.clip
    return type(step) in _MATRICES or type(step) is Normalizer or _selects(step)


def step_form(step: Any, form: Form) -> Form:
    """Return the form of a fitted step that reads the outputs of ``form``."""
    if type(step) is Normalizer:
        return normalized_form(form, _FACTORS[step.norm])
    if _selects(step):
        return chosen_outputs(form, step.get_support(indices=True))
    return affine(form, *_MATRICES[type(step)](step))


def _selects(step: Any) -> bool:
    return isinstance(step, SelectorMixin) and type(step).transform is SelectorMixin.transform


def chosen_outputs(form: Form, chosen: IntArray) -> Form:
    """Return the form with only some outputs, in the order of their positions ``chosen``."""
    return affine(form, sparse.eye_array(form.width, format="csr")[np.asarray(chosen)])


def scaled_form(form: Form, factor: float) -> Form:
    """Return the form times a number."""
    return affine(form, sparse.diags_array(np.full(form.width, float(factor)), format="csr"))


def as_form(value: Stage | Form) -> Form:
    """Return features as a form."""
    return identity_form(value) if isinstance(value, Stage) else value


def joined_branches(branches: Sequence[Stage | Form], factors: Sequence[float]) -> Stage | Form:
    """Return the features of several branches side by side, each multiplied by its factor."""
    stages = [branch for branch in branches if isinstance(branch, Stage)]
    if len(stages) < len(branches):
        return joined_form(
            [scaled_form(as_form(branch), factor) for branch, factor in zip(branches, factors, strict=True)]
        )
    ends = [factor * end for stage, factor in zip(stages, factors, strict=True) for end in stage.bounds if factor]

    def run(outputs: StepOutputs) -> Any:
        parts = [stage.run(outputs) for stage in stages]
        scaled = [part if factor == 1 else part * factor for part, factor in zip(parts, factors, strict=True)]
        return sparse.hstack(scaled, format="csr")

    return Stage(
        run,
        np.concatenate([stage.vectorizer for stage in stages]),
        np.concatenate([stage.column for stage in stages]),
        ValueRange(min([0.0, *ends]), max([0.0, *ends])),
    )


def sum_to_1(form: Form) -> Form:
    """Return numbers of one sign divided by their sum, which counts as a constant of the text."""
    return normalized_form(form, _FACTORS["l1"])


def _components(step: Any) -> Matrix:
    return step.components_, None


def _principal_components(step: Any) -> Matrix:
    components = np.asarray(step.components_, dtype=np.float64)
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        components = components / np.maximum(deviation, np.finfo(deviation.dtype).eps)[:, None]
    return components, -components @ step.mean_


def _centered_and_scaled(center: str, with_center: str) -> Callable[[Any], Matrix]:
    """The matrix of a scaler: minus its ``center``, if its option ``with_center`` is set, divided by its scale."""

    def matrix(step: Any) -> Matrix:
        middle = getattr(step, center) if getattr(step, with_center) else None
        width = step.n_features_in_
        scale = np.ones(width) if step.scale_ is None else np.asarray(step.scale_)
        bias = None if middle is None else -np.asarray(middle) / scale
        return sparse.diags_array(1 / scale, format="csr"), bias

    return matrix


_MATRICES: Mapping[type, Callable[[Any], Matrix]] = {
    TruncatedSVD: _components,
    GaussianRandomProjection: _components,
    SparseRandomProjection: _components,
    PCA: _principal_components,
    IncrementalPCA: _principal_components,
    StandardScaler: _centered_and_scaled("mean_", "with_mean"),
    RobustScaler: _centered_and_scaled("center_", "with_centering"),
    MaxAbsScaler: lambda step: (sparse.diags_array(1 / step.scale_, format="csr"), None),
    MinMaxScaler: lambda step: (sparse.diags_array(step.scale_, format="csr"), step.min_),
}
"""Supported steps -> the matrix of a fitted one. Subclasses may do anything: not included."""


def _inverse(norm: Tensor) -> Tensor:
    """1 / norm, and 1 for a norm of 0, as scikit-learn does."""
    return 1 / norm.where(norm != 0, 1)


_FACTORS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda values: _inverse(values.abs().sum(dim=-1, keepdim=True)),
    "l2": lambda values: _inverse(values.norm(dim=-1, keepdim=True)),
    "max": lambda values: _inverse(values.abs().amax(dim=-1, keepdim=True)),
}
