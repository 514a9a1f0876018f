"""Turn what the user passes to ``explain`` into a :class:`Classifier`: the entry point for every kind of model.

Open it to accept another kind of model.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from textlrp.errors import OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.classifier import Classifier
from textlrp.models.encoders.recognized_encoders import is_sentence_transformer, is_setfit
from textlrp.models.transformers.recognized import is_hugging_face


def check_wrapped(model: object) -> None:
    """Raise :class:`OptionError` on a bare torch module, model of Hugging Face or sentence encoder."""
    if is_sentence_transformer(model) or is_setfit(model):
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


def as_classifier(model: Any, *, tokenizer: Any = None, windows: bool = False, head: Any = None) -> Classifier:
    """Return the model as a :class:`Classifier`; raise :class:`OptionError` if it cannot be explained.

    ``tokenizer`` and ``windows`` belong to a model of Hugging Face, ``head`` and ``windows`` to a sentence encoder, as
    :func:`textlrp.wrap` describes.
    """
    if is_sentence_transformer(model) or is_setfit(model):
        from textlrp.models.encoders.sentence_model import sentence_model

        return sentence_model(model, head, tokenizer=tokenizer, windows=windows)
    if head is not None:
        raise OptionError(
            f"head must be left out for a {type(model).__name__}: it is for a SentenceTransformer. Leave out head=."
        )
    if is_hugging_face(model):
        from textlrp.models.transformers.hugging_face import hugging_face_model

        return hugging_face_model(model, tokenizer, windows=windows)
    for name, value in (("tokenizer", tokenizer), ("windows", windows)):
        if value is not None and value is not False:
            raise OptionError(
                f"{name} must be left out for a {type(model).__name__}: it is for models of Hugging Face. Leave out "
                f"{name}=, or pass textlrp.wrap(module, {name}=...)."
            )
    if isinstance(model, TextClassifier):
        return model
    check_wrapped(model)
    from sklearn.base import BaseEstimator  # imported late: textlrp's own classifiers do not need scikit-learn
    from sklearn.pipeline import Pipeline

    from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
    from textlrp.models.torch_module.module_model import TorchTextModel
    from textlrp.models.transformers.transformer_model import TransformerModel

    if isinstance(model, Pipeline):
        return pipeline_model(model)
    if isinstance(model, (TorchTextModel, TransformerModel, PipelineModel)):
        return model
    if hasattr(model, "best_estimator_"):
        hint = " Pass its best_estimator_."
    else:
        hint = " Put its vectorizer and it into a Pipeline." if isinstance(model, BaseEstimator) else ""
    raise OptionError(
        "model must be a fitted textlrp classifier, textlrp.load(...), textlrp.wrap(...) or a scikit-learn Pipeline; "
        f"got a {type(model).__name__}.{hint}"
    )
