"""The fitted attributes of the text classifiers, which ``fit`` and ``load`` set.

Letters: N texts, C classes.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from textlrp.label_measures import LabelCounts
from textlrp.models.text_options import TextOptions
from textlrp.text.vocabulary import Vocabulary


class FittedState(TextOptions):
    """The fitted attributes; a model is fitted if it has ``weights_``."""

    classes_: NDArray[Any]
    """(C,) the distinct training labels, sorted."""
    vocabulary_: Vocabulary
    """The words that the model reads, with the number of training documents that contain each."""
    weights_: dict[str, NDArray[Any]]
    """{name: array}: the weights of all layers; see :meth:`tensor_specs` for names and shapes."""
    n_documents_: int
    """Number of training documents."""
    thresholds_: NDArray[Any] | None = None
    """Multi-label: (C,) a label is predicted if its score is above its threshold. None with one label a text."""
    held_out_labels_: LabelCounts | None = None
    """Multi-label: counts on the training texts that were held out to choose the thresholds. Not saved."""

    @property
    def output_weight(self) -> NDArray[Any]:
        """Weights (C, features) of the last layer."""
        return self.weights_["output.weight"]

    @property
    def output_bias(self) -> NDArray[Any]:
        """Bias (C,) of the last layer."""
        return self.weights_["output.bias"]

    def check_fitted(self) -> None:
        """Raise scikit-learn's ``NotFittedError`` if the model is not fitted."""
        if "weights_" not in self.__dict__:
            from sklearn.exceptions import NotFittedError  # imported late: see the docstring of the class

            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments "
                "before using this estimator."
            )
