"""Relevance by the dimensions of the word vectors sums to the relevance of the words, for every rule."""

from __future__ import annotations

import pytest
import torch
from cases import every
from toys import READ, fitted, scrambled

from textlrp.errors import RuleError
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.trace import by_dimension, one_hot_seed, propagate


@every("preset", PRESETS)
@every("variant", ["cnn-max", "cnn-mean", "boe"])
def test_dimensions_sum_to_words(variant: str, preset: str) -> None:
    model = scrambled(fitted(variant, "float64"), 1)
    trace = model.trace(model.encode(list(READ)))
    seed = one_hot_seed(trace.scores, [0, (1, 2)])
    whole = propagate(trace, PRESETS[preset], seed, watch=("vectors",))
    by_dimensions, value = by_dimension(trace)
    separate = propagate(by_dimensions, PRESETS[preset], seed, watch=(value,))
    dimensions = separate.watched[value]
    assert dimensions.shape == (*whole.watched["vectors"].shape, 5)
    scale = whole.watched["vectors"].abs().sum() + 1
    assert (dimensions.sum(dim=-1) - whole.watched["vectors"]).abs().max() / scale < 1e-12
    torch.testing.assert_close(separate.relevance, whole.relevance, rtol=1e-9, atol=1e-9)
    assert separate.ledger.keys() == whole.ledger.keys()


def test_lrp_0_by_dimension_is_vector_times_gradient() -> None:
    model = scrambled(fitted("cnn-max", "float64"), 2)
    batch = model.encode([READ[0]])
    trace = model.trace(batch)
    by_dimensions, value = by_dimension(trace)
    found = propagate(by_dimensions, PRESETS["zero"], one_hot_seed(trace.scores, [1]), watch=(value,)).watched[value][
        0, 0
    ]
    point = model.input_point(batch, 0)
    leaf = point.inputs[None].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(point.forward(leaf)[0, 1], leaf)
    torch.testing.assert_close(found, gradient[0] * point.inputs, rtol=1e-10, atol=1e-12)


def test_a_bag_of_words_has_no_dimensions() -> None:
    model = fitted("svm")
    with pytest.raises(RuleError, match="does not look up word vectors in closed form"):
        by_dimension(model.trace(model.encode(["the car"])))
