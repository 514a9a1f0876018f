"""From what users bring to what ``explain`` reads: a fitted estimator, a scikit-learn Pipeline, or a torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from textlrp.errors import OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.classifier import Classifier


def as_classifier(
    model: Any,
    *,
    tokenizer: str | Callable[[str], Any] | None = None,
    vocabulary: Mapping[str, int] | Callable[[str], int | None] | None = None,
    unknown: int | None = None,
    classes: Sequence[Any] | None = None,
    lengths: bool | str | None = None,
    batch: bool = False,
    padding: int = 0,
    scores: str | int | None = None,
    min_length: int = 0,
) -> Classifier:
    """The model behind the :class:`Classifier` protocol.

    The options belong to a ``torch.nn.Module``, which needs ``tokenizer`` and ``vocabulary``; see
    :func:`textlrp.explain`. Raises :class:`OptionError` where they are missing, or came with another model, or the
    model is none of these.
    """
    if isinstance(model, nn.Module):
        if tokenizer is None or vocabulary is None:
            raise OptionError(
                f"a {type(model).__name__} came without tokenizer= or vocabulary=; both are wanted for a torch "
                "module: explain(module, text, tokenizer=str.split, vocabulary={'word': 1, ...})."
            )
        from textlrp.models.torch_module.module_model import (
            torch_model,  # late: an adapter is imported for the model it adapts
        )

        return torch_model(
            model,
            tokenizer=tokenizer,
            vocabulary=vocabulary,
            unknown=unknown,
            classes=classes,
            lengths=lengths,
            batch=batch,
            padding=padding,
            scores=scores,
            min_length=min_length,
        )
    given = {
        "tokenizer": tokenizer, "vocabulary": vocabulary, "unknown": unknown, "classes": classes, "lengths": lengths,
        "scores": scores,
    }  # fmt: skip
    surplus = [name for name, value in given.items() if value is not None]
    surplus += [name for name, value in (("batch", batch), ("min_length", min_length)) if value]
    if surplus:
        raise OptionError(
            f"{surplus[0]}= came with a {type(model).__name__}; it belongs to a torch.nn.Module, "
            "other models know it themselves."
        )
    if isinstance(model, TextClassifier):
        return model
    from sklearn.base import BaseEstimator  # late: textlrp's own classifiers need none of scikit-learn
    from sklearn.pipeline import Pipeline

    from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
    from textlrp.models.torch_module.module_model import TorchTextModel

    if isinstance(model, Pipeline):
        return pipeline_model(model)
    if isinstance(model, (TorchTextModel, PipelineModel)):
        return model
    if hasattr(model, "best_estimator_"):
        hint = " Pass its best_estimator_."
    else:
        hint = " Put it behind its vectorizer in a Pipeline." if isinstance(model, BaseEstimator) else ""
    raise OptionError(
        f"a {type(model).__name__} came as the model; a fitted textlrp classifier, textlrp.load(...), a scikit-learn "
        f"Pipeline or a torch.nn.Module is wanted.{hint}"
    )
