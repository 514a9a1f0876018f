"""The classifiers and ``load`` as users import them: scikit-learn estimators.

Each adds scikit-learn's base classes to the class of the same name in :mod:`textlrp.models.cnn`,
:mod:`textlrp.models.boe`, :mod:`textlrp.models.bow` or :mod:`textlrp.models.encoders`. Commands that only use a saved
model take those classes directly, because importing scikit-learn takes longer than explaining a short text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sklearn.base import BaseEstimator, ClassifierMixin

from textlrp.models import base, boe, bow, cnn, loading
from textlrp.models.encoders import encoder_classifier
from textlrp.models.label_sets import true_indicator
from textlrp.models.model_kinds import KINDS

if TYPE_CHECKING:
    from textlrp.models.pipeline.pipeline_model import PipelineModel


Estimator = TypeVar("Estimator", bound="TextEstimator")


class TextEstimator(ClassifierMixin, BaseEstimator, base.TextClassifier):  # type: ignore[misc]
    """A scikit-learn classifier over strings or :class:`Document` objects."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on texts and labels; multi-label: the share of texts whose labels are all correct."""
        if getattr(self, "thresholds_", None) is not None:
            y = true_indicator(y, self.classes_)
        return float(super().score(X, y, sample_weight))


def _documented_as(plain: type[Any]) -> Callable[[type[Estimator]], type[Estimator]]:
    """Return a decorator that copies the docstring and the public members of a classifier to its estimator.

    The estimator inherits the members anyway, but the API reference would list inherited names without signatures.
    """

    def give(estimator: type[Estimator]) -> type[Estimator]:
        estimator.__doc__ = plain.__doc__
        for owner in reversed(plain.__mro__):
            if issubclass(owner, base.TextClassifier) and owner is not base.TextClassifier:
                for name, member in vars(owner).items():
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


@_documented_as(encoder_classifier.EncoderClassifier)
class EncoderClassifier(TextEstimator, encoder_classifier.EncoderClassifier): ...


ESTIMATORS: Mapping[str, type[TextEstimator]] = {kind: globals()[entry.classifier] for kind, entry in KINDS.items()}
"""{short name: estimator}."""


def load(
    path: str | Path,
    *,
    tokenizer: Callable[[str], Any] | None = None,
    skip: Callable[[str], Any] | None = None,
    encoder: str | Path | None = None,
    trust_pickle: bool = False,
) -> TextEstimator | PipelineModel:
    """Load a saved model.

    Parameters
    ----------
    path : str or Path
        The folder of a saved model, the name of a bundled model ("20newsgroups-cnn" or "20newsgroups-boe"), or the
        file of a scikit-learn pipeline that ``skops.io.dump`` wrote (``.skops``, extra ``skops``).
    tokenizer, skip : callable or None, default=None
        The functions that the model was trained with, if they were your own. They are not stored with the model.
    encoder : str, Path or None, default=None
        The folder of the encoder of an :class:`EncoderClassifier`, if it is not where it was in training.
    trust_pickle : bool, default=False
        Whether to open the ``.joblib`` or ``.pkl`` file of a pipeline. Such a file can run any code.

    Raises
    ------
    ModelError
        If the folder or file is missing, damaged, not a model, or from a newer version.
    OptionError
        If ``tokenizer`` or ``skip`` is passed with a pipeline.
    """
    model = loading.load_classifier(
        path,
        tokenizer=tokenizer,
        skip=skip,
        encoder=encoder,
        trust_pickle=trust_pickle,
        class_of=ESTIMATORS.__getitem__,
    )
    return cast("TextEstimator | PipelineModel", model)
