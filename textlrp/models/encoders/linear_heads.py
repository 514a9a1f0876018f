"""The linear classifier on top of a sentence encoder: of scikit-learn, or the head of a SetFit model.

Letters: N texts, C classes, D dimensions of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from textlrp.arrays import Array
from textlrp.errors import ModelError, OptionError
from textlrp.models.pipeline.forms import Form, identity_form
from textlrp.models.pipeline.stages import Stage, ValueRange

HEADS = ("logistic", "svm")
"""The heads that EncoderClassifier trains, by name."""
Probabilities = Callable[[Array], Array]
"""Scores (N, C) -> class probabilities (N, C)."""


@dataclass(frozen=True, slots=True, eq=False)
class EncoderHead:
    """Scores (N, C) = embeddings (N, D) @ ``weight``.T + ``bias``; for two classes the scores are (-f, f).

    ``probabilities`` is None for a classifier without ``predict_proba``.
    """

    classes: Array
    weight: Array
    bias: Array
    probabilities: Probabilities | None = None


def encoder_head(estimator: Any, dimensions: int) -> EncoderHead:
    """Convert a fitted classifier of scikit-learn that was trained on embeddings of ``dimensions`` numbers.

    Its decision must be linear in the embedding: a linear classifier, or a pipeline of linear steps that ends with
    one. Of a search, such as ``GridSearchCV``, the best estimator is read.

    Raises :class:`ModelError` if it is not fitted or not linear, :class:`OptionError` if it reads other features.
    """
    # imported late: these need scikit-learn
    from sklearn.pipeline import Pipeline

    from textlrp.models.pipeline.classifiers import decision
    from textlrp.models.pipeline.linear import SUPPORTED_HEADS
    from textlrp.models.pipeline.step_values import Sources
    from textlrp.models.pipeline.unwrapped import unwrapped

    estimator = unwrapped(estimator, "head")
    kind = type(estimator).__name__
    if not isinstance(estimator, (*SUPPORTED_HEADS, Pipeline)):
        raise _not_linear(kind)
    if not hasattr(estimator, "classes_"):
        raise ModelError(
            f"head must be fitted; got a {kind} that is not. Call head.fit(encoder.encode(texts), labels) first."
        )
    fitted_on = getattr(estimator, "n_features_in_", dimensions)
    if fitted_on != dimensions:
        raise OptionError(
            f"head must be fitted on the embeddings of the encoder, which have {dimensions} numbers; it was fitted "
            f"on {fitted_on}. Fit it on encoder.encode(texts)."
        )
    embedding = identity_form(_embedding_stage(dimensions))
    found = decision(estimator, "head", embedding, Sources())
    weights = _weights_of(found.form, embedding)
    if weights is None or found.note or found.thresholds is not None:  # a note: it predicts by other numbers
        raise _not_linear(kind)
    return EncoderHead(np.asarray(found.classes), *weights, found.probabilities)


def _not_linear(kind: str) -> ModelError:
    return ModelError(
        f"head must be linear in the embedding; got a {kind} that is not. Use LogisticRegression or LinearSVC, "
        "or pass a function that returns the scores of texts, with method='occlusion', 'lime' or 'shap'."
    )


def _embedding_stage(dimensions: int) -> Stage:
    """The embedding (N, D) as the features that a classifier reads."""
    numbers = np.arange(dimensions)
    return Stage(lambda outputs: outputs.texts[0], np.zeros_like(numbers), numbers, ValueRange(-np.inf, np.inf))


def _weights_of(form: Form, embedding: Form) -> tuple[Array, Array] | None:
    """The weights (C, D) and biases (C,) of a form; None if it is not linear in the embedding."""
    source = embedding.terms[0].source
    weight, bias = np.zeros((form.width, embedding.width)), np.zeros(form.width)
    for term in form.terms:
        if term.norms or term.absent or not (term.source is None or term.source is source):
            return None
        values = np.asarray(term.weight.toarray() if sparse.issparse(term.weight) else term.weight)
        if term.source is None:
            bias[term.rows] += values[:, 0]
        else:
            weight[term.rows] += values
    return weight, bias


# ---- SetFit


def setfit_head(model: Any, dimensions: int) -> EncoderHead:
    """Return the head of a ``SetFitModel``, with the names of its classes where it has them.

    Raises :class:`ModelError` for a model with several labels for each text.
    """
    head, labels = model.model_head, model.labels
    if model.multi_target_strategy is not None or getattr(head, "multitarget", False):
        raise ModelError(
            "model must have one label for each text; got a SetFitModel with several. Train one for each."
        )
    if isinstance(head, nn.Module):
        return _torch_head(head, labels)
    found = encoder_head(head, dimensions)
    if labels is None or found.classes.dtype.kind not in "iu":
        return found
    return EncoderHead(_labels_at(found.classes, labels), found.weight, found.bias, found.probabilities)


def _torch_head(head: Any, labels: Any) -> EncoderHead:
    """The differentiable head: a linear layer whose scores are divided by a temperature."""
    scale = 1 / (head.temperature + head.eps)
    weight = head.linear.weight.detach().cpu().double().numpy() * scale
    bias = (
        np.zeros(len(weight))
        if head.linear.bias is None
        else head.linear.bias.detach().cpu().double().numpy() * scale
    )
    classes = np.arange(len(weight))
    return EncoderHead(classes if labels is None else _labels_at(classes, labels), weight, bias, softmax_of_scores)


def softmax_of_scores(scores: Array) -> Array:
    """Return the softmax of scores (N, C)."""
    return torch.softmax(torch.from_numpy(scores), dim=1).numpy()


def _labels_at(classes: Array, labels: Any) -> Array:
    return np.array([labels[int(number)] for number in classes])


# ---- probabilities of a saved head


def link_function(link: str, classes: int) -> Probabilities | None:
    """Return how scores become probabilities: "softmax" (two classes: of the decision function), or "none"."""
    if link == "none":
        return None
    # two scores (-f, f): scikit-learn's probability is the sigmoid of f, the softmax of (-f / 2, f / 2)
    return softmax_of_scores if classes > 2 else lambda scores: softmax_of_scores(scores / 2)
