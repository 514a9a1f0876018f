"""Turn what the user passes to ``explain`` into a :class:`Classifier`: the entry point for every kind of model.

Open it to accept another kind of model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from textlrp.errors import OptionError, must_be
from textlrp.models.base import TextClassifier
from textlrp.models.black_box import FunctionModel, is_text_function
from textlrp.models.classifier import Classifier
from textlrp.models.encoders.recognized_encoders import is_encoder
from textlrp.models.transformers.recognized import is_hugging_face


def _check_wrapped(model: object) -> None:
    """Raise :class:`OptionError` on a bare torch module, model of Hugging Face, sentence encoder, or function."""
    if is_encoder(model):
        raise OptionError(
            f"model must be wrapped; got a bare {type(model).__name__}. Pass textlrp.wrap(model), with head= for a "
            "SentenceTransformer."
        )
    if is_hugging_face(model):
        raise OptionError(
            f"model must be wrapped together with its tokenizer; got a bare {type(model).__name__}. Pass "
            "textlrp.wrap(model, tokenizer=AutoTokenizer.from_pretrained(...))."
        )
    if isinstance(model, nn.Module):
        raise OptionError(
            f"model must be a wrapped torch module, so that textlrp knows how it reads text; got a bare "
            f"{type(model).__name__}. Pass textlrp.wrap(module, tokenizer=str.split, vocabulary={{'word': 1, ...}})."
        )
    if is_text_function(model):
        raise OptionError(
            "model must be a wrapped function, so that textlrp knows its classes; got a bare function. Pass "
            "textlrp.wrap(function, classes=['no', 'yes'])."
        )


def as_classifier(
    model: Any,
    *,
    classes: Sequence[Any] | None = None,
    tokenizer: Any = None,
    windows: bool = False,
    head: Any = None,
) -> Classifier:
    """Return the model as a :class:`Classifier`; raise :class:`OptionError` if it cannot be explained.

    ``classes``, ``tokenizer`` and ``windows`` belong to functions and models of Hugging Face, ``head`` and
    ``windows`` to sentence encoders, as :func:`textlrp.wrap` describes.
    """
    if is_hugging_face(model) or is_text_function(model) or is_encoder(model):
        from textlrp.models.wrapping import wrap

        return wrap(model, classes=classes, tokenizer=tokenizer, windows=windows, head=head)
    found = _recognized(model)
    for name, value in (("classes", classes), ("tokenizer", tokenizer), ("windows", windows), ("head", head)):
        if value is not None and value is not False:
            kinds = "a SentenceTransformer" if name == "head" else "functions and models of Hugging Face"
            what = f"left out for a {type(model).__name__}: it is for {kinds}"
            raise OptionError(must_be(name, what, value, f"Leave out {name}=, or pass it to textlrp.wrap."))
    return found


def without_options(model: Any) -> Classifier:
    """Return a model that needs no options: one of scikit-learn that reads texts as a :class:`Classifier`.

    Any other object is returned unchanged. Raises :class:`OptionError` for a model that must be wrapped.
    """
    if isinstance(model, TextClassifier):
        return model
    _check_wrapped(model)
    from sklearn.base import BaseEstimator  # imported late: textlrp's own classifiers do not need scikit-learn

    from textlrp.models.pipeline.pipeline_model import pipeline_model
    from textlrp.models.pipeline.unwrapped import reads_texts

    is_pipeline = isinstance(model, BaseEstimator) and reads_texts(model)
    return cast(Classifier, pipeline_model(model) if is_pipeline else model)


def _recognized(model: Any) -> Classifier:
    found = without_options(model)
    if isinstance(found, TextClassifier):
        return found
    from sklearn.base import BaseEstimator

    from textlrp.models.pipeline.pipeline_model import PipelineModel
    from textlrp.models.torch_module.module_model import TorchTextModel
    from textlrp.models.transformers.transformer_model import TransformerModel

    if isinstance(found, (TorchTextModel, TransformerModel, PipelineModel, FunctionModel)):
        return found
    hint = " Put its vectorizer and it into a Pipeline." if isinstance(model, BaseEstimator) else ""
    raise OptionError(
        "model must be a fitted textlrp classifier, textlrp.load(...), textlrp.wrap(...), a scikit-learn Pipeline or "
        f"a function of texts; got a {type(model).__name__}.{hint}"
    )
