"""One text by one of the other methods: a map per class, so that tables compare like with like."""

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
    """Text ``n`` of a batch explained for each of K classes: relevance (K, L) of the words read, in float64.

    ``dtype`` is what gradients are taken in, the model's own unless given. Where the method is exact, relevance and
    ledger sum to the model's score. Raises :class:`ModelError` where the method does not apply to the model,
    :class:`MissingExtraError` where its package is not installed.
    """
    case = Case(model, batch, n, tuple(classes), dtype)
    entry = METHODS[method.name]
    if case.known.any() or entry.without_words:
        return entry.explain(case, method)
    nothing = np.zeros((len(case.classes), len(case.known)))
    return Attribution(nothing, {BASELINE: case.scores()} if entry.exact else {}, entry.exact)


def attribute_batch(
    model: Classifier, batch: Batch, classes: Sequence[Sequence[int]], method: Method, *, dtype: str | None = None
) -> list[Attribution]:
    """Every text of a batch explained for its own ``classes[n]``; in closed form where there is one."""
    if has_closed_form(model, method):
        return closed_form(model, batch, classes, method, dtype=dtype)
    if isinstance(method, Occlusion):
        return occlusions(model, batch, classes)
    return [attribute(model, batch, n, own, method, dtype=dtype) for n, own in enumerate(classes)]
