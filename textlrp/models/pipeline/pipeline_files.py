"""Load a scikit-learn pipeline from a file: skops' format with an allow-list, or a pickle if the user trusts it.

skops stores an object as JSON and arrays, and rebuilds it from types that the file names. textlrp allows the types
that skops trusts by default (scikit-learn's estimators, numpy's numbers and functions) and :data:`TRUSTED`.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from textlrp.errors import ModelError, TextlrpError, missing_extra
from textlrp.models.base import TextClassifier
from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
from textlrp.models.tensor_file import check_model_file

SKOPS = ".skops"
TRUSTED = frozenset(
    {
        # check_parts validates the matrix, because scipy's compiled loops do not check indices
        "scipy.sparse._csr.csr_matrix",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
        "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.utils._bunch.Bunch",
    }
)
"""Types that a pipeline may contain in addition to those that skops trusts."""
FOLD = "_CalibratedClassifier"
"""The class of a fold of a CalibratedClassifierCV: it contains an estimator and is none itself."""
BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, NotImplementedError, OSError,
    RecursionError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile,
)  # fmt: skip
"""Exceptions that reading or using a damaged file may raise."""


def load_pipeline(path: Path, *, trust_pickle: bool = False) -> PipelineModel | TextClassifier:
    """Load the model in a ``.skops`` file, or with ``trust_pickle`` in a ``.joblib`` or ``.pkl`` file.

    Raises :class:`ModelError` if the file is damaged, contains types that are not allowed or something other than a
    fitted pipeline that can be explained, and for a pickle that is not trusted; :class:`MissingExtraError` without
    skops.
    """
    check_model_file(path)
    if path.suffix.lower() == SKOPS:
        found = _from_skops(path)
    elif trust_pickle:
        found = _from_pickle(path)
    else:
        raise ModelError(
            f"{path} must be in the skops format; got a pickle, and loading a pickle can run any code. Store the "
            f"pipeline with skops.io.dump(pipeline, \"{path.stem}.skops\") (pip install 'textlrp[skops]') and pass "
            "that file. Only if you trust the source of the pickle, pass --trust-pickle (in Python, "
            "trust_pickle=True)."
        )
    if isinstance(found, TextClassifier):  # a textlrp classifier in a pickle
        return found
    try:
        check_parts(found)
        model = pipeline_model(found)
        if not model.inputs.text_columns:  # the other columns of a table may be of any type
            model.scores(model.encode(["a word, and another", ""]))
    except TextlrpError as reason:
        raise ModelError(f"{path} cannot be used: {reason}") from None
    except BROKEN as reason:
        raise _broken(path, reason) from None
    return model


def check_parts(found: Any) -> None:
    """Raise :class:`ModelError` for values that compiled code of scipy would use as indices outside its arrays."""
    for owner, name, value in _attributes(found):
        if sparse.issparse(value):
            try:
                value.check_format(full_check=True)
            except ValueError as reason:
                raise ModelError(
                    f"{name} of the {type(owner).__name__} must be a valid sparse matrix; {reason}. Store the "
                    "pipeline again."
                ) from None
        elif name == "vocabulary_":
            columns = list(value.values()) if isinstance(value, dict) else []
            if not all(isinstance(column, (int, np.integer)) for column in columns) or sorted(columns) != list(
                range(len(columns))
            ):
                raise ModelError(
                    f"vocabulary_ of the {type(owner).__name__} must number its words from 0 upwards without gaps. "
                    "Store the pipeline again."
                )


def _attributes(found: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield (owner, name, value) for the attributes of an estimator and of the estimators in it."""
    waiting, seen = [found], set()
    while waiting:
        owner = waiting.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        if isinstance(owner, (list, tuple)):
            waiting += owner
        elif isinstance(owner, BaseEstimator) or type(owner).__name__ == FOLD:
            yield from ((owner, name, value) for name, value in vars(owner).items())
            waiting += vars(owner).values()


def _from_skops(path: Path) -> Any:
    try:
        from skops.io import get_untrusted_types, load
    except ImportError as error:
        raise missing_extra(str(path), "skops", "skops") from error
    try:
        named = set(get_untrusted_types(file=path))
        if refused := sorted(named - TRUSTED):
            raise ModelError(
                f"{path} must contain only types that are safe to load; got {', '.join(refused)}. Use scikit-learn's "
                "options instead of your own functions, store the best_estimator_ of a search, or load the file "
                "yourself and pass the pipeline to textlrp.explain()."
            )
        return load(path, trusted=sorted(named))
    except TextlrpError:
        raise
    except BROKEN as reason:
        raise _broken(path, reason) from None


def _from_pickle(path: Path) -> Any:
    warnings.warn(f"{path} is a pickle: loading it runs any code that it contains.", UserWarning, stacklevel=4)
    import joblib

    try:
        return joblib.load(path)
    except Exception as reason:  # noqa: BLE001  the code of a pickle may raise anything
        raise _broken(path, reason) from None


def _broken(path: Path, reason: Exception) -> ModelError:
    detail = " ".join(str(reason).split()) or type(reason).__name__
    return ModelError(
        f"{path} must contain a fitted text pipeline; it is damaged, or contains something else "
        f"({detail[:300].rstrip('.')}). Store the pipeline again."
    )
