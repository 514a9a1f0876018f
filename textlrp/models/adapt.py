"""Turn what the user passes to ``explain`` into a :class:`Classifier`: the entry point for every kind of model.

Open it to accept another kind of model.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from textlrp.errors import OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.classifier import Classifier


def check_wrapped(model: object) -> None:
    """Raise :class:`OptionError` on a bare torch module."""
    if isinstance(model, nn.Module):
        raise OptionError(
            f"model must be a wrapped torch module, so that textlrp knows how it reads text; got a bare "
            f"{type(model).__name__}. Pass textlrp.wrap(module, tokenizer=str.split, vocabulary={{'word': 1, ...}})."
        )


def as_classifier(model: Any) -> Classifier:
    """Return the model as a :class:`Classifier`; raise :class:`OptionError` if it cannot be explained."""
    if isinstance(model, TextClassifier):
        return model
    check_wrapped(model)
    from sklearn.base import BaseEstimator  # imported late: textlrp's own classifiers do not need scikit-learn

    from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
    from textlrp.models.pipeline.unwrapped import reads_texts
    from textlrp.models.torch_module.module_model import TorchTextModel

    if isinstance(model, (TorchTextModel, PipelineModel)):
        return model
    if isinstance(model, BaseEstimator) and reads_texts(model):
        return pipeline_model(model)
    hint = " Put its vectorizer and it into a Pipeline." if isinstance(model, BaseEstimator) else ""
    raise OptionError(
        "model must be a fitted textlrp classifier, textlrp.load(...), textlrp.wrap(...) or a scikit-learn Pipeline; "
        f"got a {type(model).__name__}.{hint}"
    )
