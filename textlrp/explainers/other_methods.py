"""Explain texts by a method other than LRP: one map per class, comparable across methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textlrp.explainers.attribution import BASELINE, Attribution, Case
from textlrp.explainers.closed import closed_form, has_closed_form
from textlrp.explainers.method_table import METHODS
from textlrp.explainers.methods import Method, Occlusion
from textlrp.explainers.perturbation import occlusions
from textlrp.models.classifier import Classifier
from textlrp.text.batches import Batch


def attribute(
    model: Classifier, batch: Batch, n: int, classes: Sequence[int], method: Method, *, dtype: str | None = None
) -> Attribution:
    """Explain text ``n`` of a batch for each of K classes: relevance (K, L) of the words the model reads, in float64.

    ``dtype`` is the dtype of gradients; None is the model's own. If the method is exact, relevance and ledger sum to
    the model's score. Raises :class:`ModelError` if the method does not apply to the model, and
    :class:`MissingExtraError` if its package is not installed.
    """
    case = Case(model, batch, n, tuple(classes), dtype)
    entry = METHODS[method.name]
    if case.known.any() or entry.without_words:
        return entry.explain(case, method)
    zeros = np.zeros((len(case.classes), len(case.known)))
    return Attribution(zeros, {BASELINE: case.scores()} if entry.exact else {}, entry.exact)


def attribute_batch(
    model: Classifier, batch: Batch, classes: Sequence[Sequence[int]], method: Method, *, dtype: str | None = None
) -> list[Attribution]:
    """Explain every text n of a batch for ``classes[n]``, in closed form if possible."""
    if has_closed_form(model, method):
        return closed_form(model, batch, classes, method, dtype=dtype)
    if isinstance(method, Occlusion):
        return occlusions(model, batch, classes)
    return [attribute(model, batch, n, each, method, dtype=dtype) for n, each in enumerate(classes)]
