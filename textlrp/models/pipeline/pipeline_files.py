"""Load a scikit-learn pipeline from a file: skops' format with an allow-list, a pickle only where it is trusted.

skops stores an object as JSON and arrays, and builds it again from types that are named in the file. textlrp allows
the types that skops trusts by default (scikit-learn's estimators, numpy's numbers and functions) and :data:`TRUSTED`.
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

from textlrp.errors import MissingExtraError, ModelError, TextlrpError
from textlrp.models.base import TextClassifier
from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
from textlrp.models.tensor_file import check_model_file

SKOPS = ".skops"
TRUSTED = frozenset(
    {
        "scipy.sparse._csr.csr_matrix",  # checked by check_parts: scipy's loops do not check indices
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
    }
)
"""Types that a pipeline of text may hold beyond those that skops trusts."""
BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, NotImplementedError, OSError,
    RecursionError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile,
)  # fmt: skip
"""What reading or using a damaged file may stop with."""


def load_pipeline(path: Path, *, trust_pickle: bool = False) -> PipelineModel | TextClassifier:
    """The model in a ``.skops`` file, or with ``trust_pickle`` in a ``.joblib`` or ``.pkl`` file.

    Raises :class:`ModelError` where the file is damaged, holds types that are not allowed or something else than a
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
            f"{path} is a pickle, and opening a pickle can run any code. Store the pipeline with "
            f'skops.io.dump(pipeline, "{path.stem}.skops") and name that file; or, only if you trust where the '
            "pickle comes from, pass --trust-pickle (in Python, trust_pickle=True)."
        )
    if isinstance(found, TextClassifier):  # out of a pickle
        return found
    try:
        check_parts(found)
        model = pipeline_model(found)
        model.scores(model.encode(["a word, and another", ""]))
    except TextlrpError as reason:
        raise ModelError(f"{path} cannot be used: {reason}") from None
    except BROKEN as reason:
        raise _broken(path, reason) from None
    return model


def check_parts(found: Any) -> None:
    """Raise :class:`ModelError` on numbers that compiled code of scipy would take for places outside its arrays."""
    for owner, name, value in _attributes(found):
        if sparse.issparse(value):
            try:
                value.check_format(full_check=True)
            except ValueError as reason:
                raise ModelError(f"{name} of the {type(owner).__name__} must be a valid matrix; {reason}.") from None
        elif name == "vocabulary_":
            columns = list(value.values()) if isinstance(value, dict) else []
            if not all(isinstance(column, (int, np.integer)) for column in columns) or sorted(columns) != list(
                range(len(columns))
            ):
                raise ModelError(f"vocabulary_ of the {type(owner).__name__} must number its words from 0 upwards.")


def _attributes(found: Any) -> Iterator[tuple[Any, str, Any]]:
    """The attributes of an estimator and of the estimators in it, each with its owner."""
    waiting, seen = [found], set()
    while waiting:
        owner = waiting.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        if isinstance(owner, (list, tuple)):
            waiting += owner
        elif isinstance(owner, BaseEstimator):
            yield from ((owner, name, value) for name, value in vars(owner).items())
            waiting += vars(owner).values()


def _from_skops(path: Path) -> Any:
    try:
        from skops.io import get_untrusted_types, load
    except ImportError as error:
        raise MissingExtraError(
            f"{path} needs skops, which is not installed; run: pip install 'textlrp[skops]'"
        ) from error
    try:
        named = set(get_untrusted_types(file=path))
        if refused := sorted(named - TRUSTED):
            raise ModelError(
                f"{path} must hold scikit-learn's own types only; got {', '.join(refused)}. Use scikit-learn's "
                "options in place of functions of your own, or load the file yourself and pass the pipeline to "
                "textlrp.explain()."
            )
        return load(path, trusted=sorted(named))
    except TextlrpError:
        raise
    except BROKEN as reason:
        raise _broken(path, reason) from None


def _from_pickle(path: Path) -> Any:
    warnings.warn(f"{path} is a pickle: opening it runs whatever code it holds.", UserWarning, stacklevel=4)
    import joblib

    try:
        return joblib.load(path)
    except Exception as reason:  # noqa: BLE001  the code of a pickle may raise anything
        raise _broken(path, reason) from None


def _broken(path: Path, reason: Exception) -> ModelError:
    said = " ".join(str(reason).split()) or type(reason).__name__
    return ModelError(f"{path} is damaged, or holds no pipeline of text ({said[:300].rstrip('.')}). Store it again.")
