"""Gradient methods in closed form equal autograd."""

from __future__ import annotations

import numpy as np
import torch
from cases import every
from toys import READ, fitted, scrambled

from textlrp.explainers.closed import closed_form, gradients_by_dimension, has_closed_form
from textlrp.explainers.methods import (
    Deconvnet,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    Method,
    Occlusion,
    SmoothGrad,
    SquaredGradient,
)
from textlrp.explainers.other_methods import attribute

METHODS: tuple[Method, ...] = (
    SquaredGradient(), GradientTimesInput(), IntegratedGradients(1), IntegratedGradients(7), Deconvnet(),
    GuidedBackprop(), GradCAM(),
)  # fmt: skip


@every("method", METHODS)
@every("seed", range(6))
def test_the_closed_form_equals_autograd(method: Method, seed: int) -> None:
    model = scrambled(fitted("cnn-max", "float64"), seed)
    batch = model.encode(list(READ))
    classes = [((0, 1, 2), (2,), (1, 0))[n % 3] for n in range(len(batch))]
    for n, own in enumerate(closed_form(model, batch, classes, method)):
        other = attribute(model, batch, n, classes[n], method)
        assert own.exact == other.exact
        scale = np.abs(other.relevance).sum() + sum(np.abs(entry).sum() for entry in other.ledger.values()) or 1.0
        assert np.abs(own.relevance - other.relevance).max(initial=0) / scale < 1e-12
        for key in {*own.ledger, *other.ledger}:
            assert np.abs(own.ledger.get(key, 0) - other.ledger.get(key, 0)).max() / scale < 1e-12


def test_gradients_by_dimension_equal_autograd() -> None:
    model = scrambled(fitted("cnn-max", "float64"), 5)
    batch = model.encode(list(READ))
    found = gradients_by_dimension(model, batch)  # type: ignore[arg-type]
    best = model.scores(batch).argmax(axis=1)
    for n, length in enumerate(batch.lengths.tolist()):
        point = model.input_point(batch, n)
        leaf = point.inputs[None].detach().requires_grad_()
        (expected,) = torch.autograd.grad(point.forward(leaf)[0, best[n]], leaf)
        torch.testing.assert_close(found[n, :length], expected[0], rtol=1e-12, atol=1e-12)


def test_methods_with_a_closed_form() -> None:
    assert all(has_closed_form(fitted("cnn-max"), method) for method in METHODS)
    assert not any(has_closed_form(fitted("cnn-max"), method) for method in (SmoothGrad(), Occlusion()))
    assert not any(has_closed_form(fitted(variant), METHODS[0]) for variant in ("cnn-mean", "boe", "svm"))
