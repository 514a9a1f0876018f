"""ColumnTransformers: vectorizers of text columns, and steps that read other columns.

The features of a text column are those of its vectorizer. Those of other columns belong to no word: their relevance
is an entry of the ledger for each column.

Letters: N rows of a table, J features, Q other columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from textlrp.errors import DataError, ModelError
from textlrp.models.pipeline.form_steps import joined_branches
from textlrp.models.pipeline.forms import Form
from textlrp.models.pipeline.stages import Stage, StepOutputs, ValueRange
from textlrp.models.pipeline.step_errors import check_fitted
from textlrp.models.pipeline.step_values import OtherColumns, ReadStep, Sources, TextColumn, Value
from textlrp.models.pipeline.unwrapped import unwrapped
from textlrp.models.pipeline.vectorizers import VECTORIZERS


def columns_value(step: Any, name: str, before: Value, sources: Sources, read: ReadStep) -> Stage | Form:
    """Return the features of a ColumnTransformer, which reads a table; ``read`` reads each of its steps.

    Raises :class:`ModelError` if it has no vectorizer of a text column, or a step is not supported or not fitted.
    """
    if before is not None:
        raise ModelError(
            f"step {name!r} must read the table itself; got a ColumnTransformer after other steps. Put it first, use "
            "a feature selector such as SelectKBest, or combine vectorizers with a FeatureUnion."
        )
    weights = step.transformer_weights or {}
    branches: list[Stage | Form] = []
    factors = []
    check_fitted(step, name)
    for inner, each, chosen in step.transformers_:
        places = step.output_indices_[inner]
        if (isinstance(each, str) and each == "drop") or places.start == places.stop:
            continue
        columns, single = _column_names(step, name, chosen)
        if single and _starts_with_vectorizer(each, inner):
            features = read(each, inner, TextColumn(columns[0]), sources)
            assert isinstance(features, (Stage, Form))
            branches.append(features)
        else:
            block = OtherColumns(inner, each, columns[0] if single else tuple(columns), places.stop - places.start)
            branches.append(_other_columns(block, columns, sources))
        factors.append(float(weights.get(inner, 1.0)))
    if not any(reader.column is not None for reader in sources.readers):
        raise ModelError(
            f"the ColumnTransformer {name!r} must have a vectorizer for a text column; got none. Add one, such as "
            "('text', TfidfVectorizer(), 'text')."
        )
    sources.learned.append(factors)
    return joined_branches(branches, factors)


def _other_columns(block: OtherColumns, columns: list[Any], sources: Sources) -> Stage:
    step, name = block.step, block.name
    if _has_vectorizer(step):
        raise ModelError(
            f"step {name!r} must be a vectorizer of one text column; got a {type(step).__name__} of "
            f"{', '.join(map(repr, columns))} in a list. Give each text column a vectorizer of its own, and its name "
            f"without a list: ({name!r}, TfidfVectorizer(), {columns[0]!r})."
        )
    causes = []
    for column in _columns_of_features(step, columns, block.width, name):
        if column not in sources.other_names:
            sources.other_names.append(column)
        causes.append(sources.other_names.index(column))
    sources.others.append(block)
    sources.learned.append({key: value for key, value in vars(step).items() if key.endswith("_")})
    return _other_stage(block, len(sources.others) - 1, causes)


def _column_names(transformer: Any, name: str, chosen: Any) -> tuple[list[Any], bool]:
    """Return the names of the columns that one step of a fitted ColumnTransformer reads, and whether it is one text.

    ``chosen`` is the ColumnTransformer's own description of them: a name or a position (then the step gets one column
    as texts), or several. Raises :class:`ModelError` if it was not fitted on a DataFrame.
    """
    names = getattr(transformer, "feature_names_in_", None)
    if names is None:
        raise ModelError(
            f"step {name!r} must be fitted on a DataFrame, so that its columns have names; got a ColumnTransformer "
            "fitted on an array. Fit the pipeline again on a DataFrame."
        )
    if isinstance(chosen, (str, int, np.integer)):
        return [chosen if isinstance(chosen, str) else names[chosen]], True
    import pandas as pd  # imported late: only tables need it

    empty = pd.DataFrame(columns=names)
    if isinstance(chosen, slice):
        by_name = isinstance(chosen.start, str) or isinstance(chosen.stop, str)
    else:
        by_name = np.asarray(chosen).dtype.kind in "OUTb"
    return [*(empty.loc[:, chosen] if by_name else empty.iloc[:, chosen]).columns], False


def _starts_with_vectorizer(step: Any, name: str) -> bool:
    """Whether a step reads texts: a vectorizer, or a pipeline that begins with one."""
    step = unwrapped(step, name)
    if isinstance(step, Pipeline):
        return bool(step.steps) and _starts_with_vectorizer(step.steps[0][1], name)
    if isinstance(step, FeatureUnion):
        return any(_starts_with_vectorizer(each, name) for _, each in step.transformer_list)
    return isinstance(step, VECTORIZERS)


def _has_vectorizer(step: Any) -> bool:
    """Whether a step contains a vectorizer anywhere."""
    inner = step.get_params(deep=True).values() if isinstance(step, BaseEstimator) else ()
    return isinstance(step, VECTORIZERS) or any(isinstance(each, VECTORIZERS) for each in inner)


def _other_stage(block: OtherColumns, number: int, causes: Sequence[int]) -> Stage:
    """Return the features of other columns; the output of the step is number ``number`` of all such outputs.

    ``causes`` (J,) are the positions of the features' columns among all other columns of the model.
    """

    def run(outputs: StepOutputs) -> Any:
        return outputs.others[number]

    # negative numbers are no vectorizers: see ``Stage.vectorizer``
    of_columns = -1 - np.asarray(causes, dtype=np.int64)
    return Stage(run, of_columns, np.zeros(block.width, dtype=np.int64), ValueRange(-np.inf, np.inf))


def _columns_of_features(step: Any, columns: Sequence[Any], width: int, name: str) -> list[Any]:
    """Return the column that each of the features of a step was made from; the step's name where that is not known.

    A step with as many features as columns is taken to keep them separate; otherwise the names of the features tell,
    such as ``color_red`` of a OneHotEncoder.
    """
    if len(columns) == 1:
        return list(columns) * width
    if width == len(columns):
        return list(columns)
    made = getattr(step, "get_feature_names_out", None)
    names = [] if made is None else [str(each) for each in made()]
    if len(names) != width:
        return [name] * width
    found = []
    for feature in names:
        fitting = [column for column in columns if feature == str(column) or feature.startswith(f"{column}_")]
        found.append(max(fitting, key=lambda column: len(str(column))) if fitting else name)
    return found


def features_of_rows(block: OtherColumns, rows: Sequence[Any]) -> Any:
    """Return the features (N, J), CSR, of the values of N rows.

    Raises :class:`DataError` for values that the step cannot read.
    """
    if not rows:
        return sparse.csr_matrix((0, block.width))
    import pandas as pd  # imported late: only tables need it

    frame = pd.DataFrame.from_records(rows)
    chosen = frame[list(block.columns) if isinstance(block.columns, tuple) else block.columns]
    try:
        return sparse.csr_matrix(block.step.transform(chosen), dtype=np.float64)
    except (ValueError, TypeError) as reason:
        detail = " ".join(str(reason).split()).rstrip(".")
        raise DataError(
            f"the columns of step {block.name!r} must have values as in training; scikit-learn reports: {detail}. "
            "Change the values, or fit the pipeline again."
        ) from None
