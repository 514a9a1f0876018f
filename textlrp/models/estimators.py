"""The classifiers as scikit-learn estimators, and ``load``, which returns them: what users import.

Each is the class of the same name in :mod:`textlrp.models`, which can train, predict and explain by itself, with
scikit-learn's base classes added. Commands that only use a saved model take that class, because scikit-learn takes
longer to import than a short text takes to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sklearn.base import BaseEstimator, ClassifierMixin

from textlrp.models import base, boe, bow, cnn, loading
from textlrp.models.model_kinds import KINDS

if TYPE_CHECKING:
    from textlrp.models.pipeline.pipeline_model import PipelineModel


Estimator = TypeVar("Estimator", bound="TextEstimator")


class TextEstimator(ClassifierMixin, BaseEstimator, base.TextClassifier):  # type: ignore[misc]
    """A scikit-learn classifier over strings or Documents."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _documented_as(plain: type[Any]) -> Callable[[type[Estimator]], type[Estimator]]:
    """Give an estimator the docstring and the members of its classifier, for ``help`` and the API reference.

    It inherits them anyway, but there they would be names without signatures.
    """

    def give(estimator: type[Estimator]) -> type[Estimator]:
        estimator.__doc__ = plain.__doc__
        for name, member in vars(plain).items():
            if name == "__init__" or not name.startswith("_"):
                setattr(estimator, name, member)
        return estimator

    return give


@_documented_as(cnn.CNNClassifier)
class CNNClassifier(TextEstimator, cnn.CNNClassifier): ...


@_documented_as(boe.BagOfEmbeddingsClassifier)
class BagOfEmbeddingsClassifier(TextEstimator, boe.BagOfEmbeddingsClassifier): ...


@_documented_as(bow.BagOfWordsClassifier)
class BagOfWordsClassifier(TextEstimator, bow.BagOfWordsClassifier): ...


ESTIMATORS: Mapping[str, type[TextEstimator]] = {kind: globals()[entry.classifier] for kind, entry in KINDS.items()}
"""Each estimator by its short name."""


def load(
    path: str | Path,
    *,
    tokenizer: Callable[[str], Any] | None = None,
    skip: Callable[[str], Any] | None = None,
    trust_pickle: bool = False,
) -> TextEstimator | PipelineModel:
    """Load a saved model from its folder, a bundled one by name, or a scikit-learn pipeline from its file.

    Bundled are "20newsgroups-cnn" and "20newsgroups-boe". ``tokenizer`` and ``skip`` give back the functions of a
    model that was trained with the user's own. A pipeline's file is one that ``skops.io.dump`` wrote (``.skops``,
    extra ``skops``); ``trust_pickle=True`` also opens a ``.joblib`` or ``.pkl`` file, which can run any code.
    Raises :class:`ModelError` where the folder or file is missing, damaged, from a newer version or no model, and
    :class:`OptionError` where ``tokenizer`` or ``skip`` come with a pipeline.
    """
    model = loading.load(
        path, tokenizer=tokenizer, skip=skip, trust_pickle=trust_pickle, class_of=ESTIMATORS.__getitem__
    )
    return cast("TextEstimator | PipelineModel", model)
