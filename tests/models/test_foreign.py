"""A torch module of the user's own as a classifier: its softmax, copies of it, and what goes wrong in it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest
import torch
from foreign import CLASSES, SIZE, Base, Branches, made
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.explainers.explain import explain
from textlrp.models.foreign import torch_model

WORDS = ("<pad>", "the", "oil", "car", "pump", "road", "moon")
HOW: dict[str, Any] = {"tokenizer": str.split, "vocabulary": {word: number for number, word in enumerate(WORDS)}}
TEXTS = ["the car", "oil pump road moon the car", "moon"]


class Loop(Base):
    """A recurrent cell by hand: a sigmoid for each word, and a softmax or a sigmoid at the end."""

    def __init__(self, outputs: int = CLASSES) -> None:
        super().__init__()
        self.gate, self.enter = nn.Linear(2 * SIZE, SIZE), nn.Linear(2 * SIZE, SIZE)
        self.out = nn.Linear(SIZE, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        state = torch.zeros(len(ids), SIZE, dtype=self.out.weight.dtype)
        for x in self.embed(ids).unbind(1):
            both = torch.cat([x, state], dim=1)
            gate = torch.sigmoid(self.gate(both))
            state = gate * state + (1 - gate) * torch.tanh(self.enter(both))
        scores = self.out(state)
        return torch.sigmoid(scores) if scores.shape[1] == 1 else torch.softmax(scores, dim=1)


@pytest.mark.parametrize("outputs", [1, CLASSES])
def test_the_softmax_at_the_end_is_found_in_texts_of_any_length(outputs: int) -> None:
    torch.manual_seed(0)
    model = torch_model(Loop(outputs).double(), **HOW)
    batch = model.encode(TEXTS)
    for n, scores in enumerate(model.scores(batch)):
        trace = model.trace(batch.select([n]))
        np.testing.assert_allclose(scores, trace.scores[0], rtol=1e-12)
        point = model.point(batch, n)
        np.testing.assert_allclose(point.forward(point.inputs[None]).detach()[0], scores, rtol=1e-12)
        with torch.no_grad():
            own = model.module(torch.from_numpy(batch.ids[n : n + 1, : batch.lengths[n]]))[0]
        probabilities = model.probabilities(scores[None])
        assert probabilities is not None
        np.testing.assert_allclose(probabilities[0, -outputs:], own, rtol=1e-12)


def test_the_softmax_at_the_end_is_found_where_texts_are_read_together() -> None:
    torch.manual_seed(0)
    module = Loop().double()
    alone, together = torch_model(module, **HOW), torch_model(module, batch=True, **HOW)
    texts = ["the car", "oil pump"]
    np.testing.assert_allclose(alone.scores(alone.encode(texts)), together.scores(together.encode(texts)), rtol=1e-12)


def test_a_copy_in_another_dtype_follows_the_weights() -> None:
    module = made("branches").float()
    model = torch_model(module, **HOW)
    batch = model.encode(TEXTS[1:2])
    before = model.trace(batch, dtype="float64").scores
    assert before.dtype == torch.float64
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    with torch.no_grad():
        module.get_parameter("out.bias").add_(1.0)
    torch.testing.assert_close(model.trace(batch, dtype="float64").scores, before + 1, rtol=1e-6, atol=1e-6)


def test_half_precision_has_a_fingerprint_too() -> None:
    model = torch_model(made("branches").to(torch.bfloat16), classes="abc", **HOW)
    assert len(model.fingerprint_) == 12


def test_an_operation_without_a_rule_is_named_also_where_the_classes_are_not_known() -> None:
    class Strange(Branches):
        def forward(self, ids: Tensor) -> Tensor:
            return torch.cosh(super().forward(ids))

    with pytest.raises(ModelError, match="no rule for the operation 'cosh' in Strange"):
        explain(Strange(), TEXTS[0], **HOW)


def test_an_assertion_in_forward_is_told_with_the_text() -> None:
    class Strict(Branches):
        def forward(self, ids: Tensor) -> Tensor:
            assert ids.shape[1] < 4, "too many words"
            return super().forward(ids)

    with pytest.raises(ModelError, match="text '2' of 6 words: AssertionError: too many words"):
        list(explain(Strict(), ["the oil car", TEXTS[1]], classes="abc", **HOW))


def test_a_module_with_a_train_of_its_own_is_not_asked_to_change() -> None:
    class Counts(Branches):
        changes = 0

        def train(self, mode: bool = True) -> Self:
            type(self).changes += 1
            return super().train(mode)

    module = Counts()
    explain(module, TEXTS[1], **HOW)
    assert Counts.changes == 0
    assert module.training
