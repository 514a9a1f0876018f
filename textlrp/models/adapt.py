"""Turn what the user passes to ``explain`` into a :class:`Classifier`: the entry point for every kind of model.

Open it to accept another kind of model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from textlrp.errors import OptionError, must_be
from textlrp.models.base import TextClassifier
from textlrp.models.black_box import FunctionModel, is_text_function
from textlrp.models.classifier import Classifier
from textlrp.models.wrapping import wrap
from textlrp.text.user_tokenizers import UserTokenizer


def check_wrapped(model: object) -> None:
    """Raise :class:`OptionError` on a bare torch module or function."""
    if isinstance(model, nn.Module):
        raise OptionError(
            f"model must be a wrapped torch module, so that textlrp knows how it reads text; got a bare "
            f"{type(model).__name__}. Pass textlrp.wrap(module, tokenizer=str.split, vocabulary={{'word': 1, ...}})."
        )
    if is_text_function(model) and not isinstance(model, Classifier):
        raise OptionError(
            "model must be a wrapped function, so that textlrp knows its classes; got a bare function. Pass "
            "textlrp.wrap(function, classes=['no', 'yes'])."
        )


def as_classifier(
    model: Any, *, classes: Sequence[Any] | None = None, tokenizer: str | UserTokenizer | None = None
) -> Classifier:
    """Return the model as a :class:`Classifier`; raise :class:`OptionError` if it cannot be explained.

    ``classes`` and ``tokenizer`` are options of :func:`textlrp.wrap` for a function.
    """
    if is_text_function(model) and not isinstance(model, Classifier):
        return wrap(model, classes=classes, tokenizer="auto" if tokenizer is None else tokenizer)
    for name, value in (("classes", classes), ("tokenizer", tokenizer)):
        if value is not None:
            hint = "Leave it out, or pass it to textlrp.wrap."
            raise OptionError(must_be(name, "left out unless model is a function", value, hint))
    if isinstance(model, TextClassifier):
        return model
    check_wrapped(model)
    from sklearn.base import BaseEstimator  # imported late: textlrp's own classifiers do not need scikit-learn
    from sklearn.pipeline import Pipeline

    from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
    from textlrp.models.torch_module.module_model import TorchTextModel

    if isinstance(model, Pipeline):
        return pipeline_model(model)
    if isinstance(model, (TorchTextModel, PipelineModel, FunctionModel)):
        return model
    if hasattr(model, "best_estimator_"):
        hint = " Pass its best_estimator_."
    else:
        hint = " Put its vectorizer and it into a Pipeline." if isinstance(model, BaseEstimator) else ""
    raise OptionError(
        "model must be a fitted textlrp classifier, textlrp.load(...), textlrp.wrap(...), a scikit-learn Pipeline or "
        f"a function of texts; got a {type(model).__name__}.{hint}"
    )
