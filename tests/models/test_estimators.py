"""The estimators that users import are the classifiers plus scikit-learn's base classes, and nothing else."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from toys import KINDS, TEXTS, VARIANT_OF, fitted

import textlrp
from textlrp.models import loading
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import ESTIMATORS
from textlrp.models.model_kinds import classifier_class

BOUND_TO_THE_CLASS = {"arras2017", "averaged"}

pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_an_estimator_is_its_classifier_and_an_estimator(kind: str) -> None:
    plain, estimator = classifier_class(kind), ESTIMATORS[kind]
    assert not issubclass(plain, (BaseEstimator, ClassifierMixin))
    assert issubclass(estimator, plain)
    assert issubclass(estimator, BaseEstimator)
    assert issubclass(estimator, ClassifierMixin)
    assert getattr(textlrp, estimator.__name__) is estimator


def test_an_estimator_has_the_name_constructor_and_description_of_its_classifier(kind: str) -> None:
    plain, estimator = classifier_class(kind), ESTIMATORS[kind]
    assert estimator.__name__ == plain.__name__
    assert inspect.signature(estimator) == inspect.signature(plain)
    assert estimator.__doc__ == plain.__doc__
    owners = [owner for owner in plain.__mro__ if issubclass(owner, TextClassifier) and owner is not TextClassifier]
    defined = {name for owner in owners for name in vars(owner)}
    public = {name for name in defined if name == "__init__" or not name.startswith("_")}
    assert {"__init__", "kind", "tensor_specs"} <= public <= vars(estimator).keys()  # where pdoc looks for them


def test_scikit_learn_replaces_no_method_of_the_classifier(kind: str) -> None:
    plain, estimator = classifier_class(kind), ESTIMATORS[kind]
    own = {name for base in plain.__mro__[:-1] for name in vars(base)} - {"__doc__", "__module__", "__dict__"}
    own -= {"__weakref__", "__annotations__"}
    assert {name for name in own if getattr(estimator, name) != getattr(plain, name)} <= BOUND_TO_THE_CLASS


def test_a_saved_model_is_the_same_either_way(kind: str, tmp_path: Path) -> None:
    model = fitted(VARIANT_OF[kind])
    model.save(tmp_path / "m")
    plain, estimator = loading.load_classifier(tmp_path / "m"), textlrp.load(tmp_path / "m")
    assert type(plain) is classifier_class(kind)
    assert type(estimator) is ESTIMATORS[kind]
    assert plain.fingerprint_ == estimator.fingerprint_ == model.fingerprint_
    np.testing.assert_array_equal(plain.decision_function(TEXTS), estimator.decision_function(TEXTS))
    assert plain.options() == estimator.get_params(deep=False)
    for one, name in ((plain, "plain"), (estimator, "estimator")):
        one.save(tmp_path / name)
        for file in ("config.json", "model.safetensors"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "m" / file).read_bytes()
        again = pickle.loads(pickle.dumps(one))
        assert type(again) is type(one)
        assert again.fingerprint_ == model.fingerprint_


def test_an_unfitted_estimator_raises_scikit_learns_message(kind: str) -> None:
    with pytest.raises(NotFittedError) as expected:
        check_is_fitted(ESTIMATORS[kind]())
    for made in (classifier_class(kind)(), ESTIMATORS[kind]()):
        with pytest.raises(NotFittedError) as raised:
            made.predict(["a text"])
        assert str(raised.value) == str(expected.value)
