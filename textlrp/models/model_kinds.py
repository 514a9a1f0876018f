"""The kinds of classifier that textlrp trains, by their short names. Open it to add one.

A class is imported only when it is needed, so that the command line can list the names without importing torch. For
each class, :mod:`textlrp.models.estimators` has one of the same name with scikit-learn's base classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier


class Kind(NamedTuple):
    """A kind of classifier: its ``module`` in :mod:`textlrp.models`, its class, and ``what`` describes it."""

    module: str
    classifier: str
    what: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "cnn": Kind("cnn", "CNNClassifier", "a convolutional neural network"),
        "boe": Kind("boe", "BagOfEmbeddingsClassifier", "a bag of embeddings"),
        "svm": Kind("bow", "BagOfWordsClassifier", "a bag of words with a linear SVM"),
        "encoder": Kind(
            "encoders.encoder_classifier",
            "EncoderClassifier",
            "a linear classifier on a sentence encoder; extra transformers",
        ),
    }
)


def classifier_class(kind: str) -> type[TextClassifier]:
    """Return the class of a kind, one of :data:`KINDS`, without scikit-learn's base classes."""
    module, name, _ = KINDS[kind]
    found: type[TextClassifier] = getattr(import_module(f"textlrp.models.{module}"), name)
    return found
