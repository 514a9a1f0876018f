"""Models of Hugging Face that classify texts: what ``textlrp.explain(model, texts, tokenizer=...)`` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from textlrp.errors import ModelError, OptionError
from textlrp.models.given_labels import labels_given
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.transformers.fast_tokenizer import fast_tokenizer
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.models.transformers.recognized import has_base, is_pipeline, model_inside
from textlrp.models.transformers.transformer_model import TransformerLink, TransformerModel

HEAD = "ForSequenceClassification"
"""The end of the names of models with a head that classifies texts."""


def hugging_face_model(
    model: Any, tokenizer: Any = None, *, classes: Sequence[Any] | None = None, windows: bool = False
) -> TransformerModel:
    """Return a sequence classifier of transformers with its tokenizer as a model for ``explain``.

    A pipeline has both. Models are explained without the wrappers of ``torch.compile`` and ``DataParallel``, whose
    weights are the same. ``classes`` are the labels, by default those of the model's configuration. With ``windows``
    long texts are read in overlapping windows.

    Raises :class:`OptionError` without a fast tokenizer, and for ``classes`` of another number than the scores.
    Raises :class:`ModelError` for a model without such a head, for one output without ``classes``, for another
    attention than eager and sdpa, and for a model that is not on the CPU.
    """
    if is_pipeline(model):
        if not has_base(model, "transformers", "TextClassificationPipeline"):
            raise ModelError(
                f"model must be a pipeline for text classification; got a {type(model).__name__}. Pass "
                "pipeline('text-classification', ...)."
            )
        model, tokenizer = model.model, model.tokenizer if tokenizer is None else tokenizer
    model = model_inside(model)
    if tokenizer is None:
        raise OptionError(
            f"tokenizer must be the tokenizer of the {type(model).__name__}; got None. Pass "
            "tokenizer=AutoTokenizer.from_pretrained(...)."
        )
    _check_model(model)
    config = model.config
    if config.num_labels == 1 and classes is None:
        raise ModelError(
            f"the {type(model).__name__} must have two or more classes; it has one output (regression). Pass "
            "classes=['low', 'high'], for example, to explain the output f as two classes with the scores -f and f."
        )
    labels = [config.id2label[c] for c in range(config.num_labels)] if classes is None else classes
    found = labels_given(labels, max(2, config.num_labels))
    several = config.problem_type == "multi_label_classification" and config.num_labels > 1
    link: TransformerLink = "sigmoid" if several or config.num_labels == 1 else "softmax"
    if config.problem_type == "regression":
        link = "none"
    thresholds = np.zeros(len(found)) if several else None  # a probability of 0.5
    reader = PieceReader(fast_tokenizer(tokenizer), longest_input(model), windows)
    return TransformerModel(model, reader, classes=found, link=link, thresholds=thresholds)


def longest_input(model: nn.Module) -> int | None:
    """Return the largest number of ids that a model has positions for; None if there is no limit.

    RoBERTa and its like count positions from the one after padding on.
    """
    config: Any = model.config
    most = getattr(config, "max_position_embeddings", None)
    for name, part in model.named_modules():
        if isinstance(part, nn.Embedding) and "position" in name and part.padding_idx is not None:
            return part.num_embeddings - part.padding_idx - 1
    return int(most) if most and most > 0 else None


def _check_model(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"model must be a PyTorch model, because LRP needs its layers; got a {type(model).__name__}. Pass a "
            "function from texts to scores with method='occlusion', 'lime' or 'shap'."
        )
    base: Any = getattr(model, "get_base_model", None)  # of PEFT
    if not any(each.__name__.endswith(HEAD) for each in type(base() if base else model).__mro__):
        raise ModelError(
            f"model must classify texts; got a {type(model).__name__}, which has no such head. Load it with "
            "AutoModelForSequenceClassification.from_pretrained(...), or fit a textlrp.EncoderClassifier("
            "encoder=...) on its vectors."
        )
    attention = getattr(model.config, "_attn_implementation", None)
    if attention not in (None, "eager", "sdpa"):
        raise ModelError(
            f"the attention of the model must be 'sdpa' or 'eager', which textlrp can observe; got {attention!r}. "
            "Call model.set_attn_implementation('sdpa')."
        )
    check_module(model)
