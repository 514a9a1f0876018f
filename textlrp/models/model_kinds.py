"""The kinds of classifier that can be trained, by their short names. Open it to add one.

Classes are imported when they are asked for, so that the command line can list the names without torch. A class has a
twin of the same name in :mod:`textlrp.models.estimators`, with scikit-learn's base classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier


class Kind(NamedTuple):
    """A kind of classifier: its ``module`` within :mod:`textlrp.models`, its class, and what it is in a few words."""

    module: str
    classifier: str
    what: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "cnn": Kind("cnn", "CNNClassifier", "a convolutional net"),
        "boe": Kind("boe", "BagOfEmbeddingsClassifier", "a bag of embeddings"),
        "svm": Kind("bow", "BagOfWordsClassifier", "a bag of words with a linear SVM"),
    }
)


def classifier_class(kind: str) -> type[TextClassifier]:
    """The class of a kind, one of :data:`KINDS`, without scikit-learn's base classes."""
    module, name, _ = KINDS[kind]
    found: type[TextClassifier] = getattr(import_module(f"textlrp.models.{module}"), name)
    return found
