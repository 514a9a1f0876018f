"""A user's torch module as a classifier: its final softmax, its copies, and errors in it."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import pytest
import torch
from cases import every
from external_modules import CLASSES, SIZE, Base, Branches, made
from torch import Tensor, nn

from textlrp.errors import DataError, ModelError
from textlrp.explainers.explain import explain
from textlrp.models.wrapping import wrap
from textlrp.records import Document

WORDS = ("<pad>", "the", "oil", "car", "pump", "road", "moon")
HOW: dict[str, Any] = {"tokenizer": str.split, "vocabulary": {word: number for number, word in enumerate(WORDS)}}
TEXTS = ["the car", "oil pump road moon the car", "moon"]


class Loop(Base):
    """A manually written recurrent cell: a sigmoid for each word, and a softmax or a sigmoid at the end."""

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
    model = wrap(Loop(outputs).double(), **HOW)
    batch = model.encode(TEXTS)
    for n, scores in enumerate(model.scores(batch)):
        trace = model.trace(batch.select([n]))
        np.testing.assert_allclose(scores, trace.scores[0], rtol=1e-12)
        point = model.input_point(batch, n)
        np.testing.assert_allclose(point.forward(point.inputs[None]).detach()[0], scores, rtol=1e-12)
        with torch.no_grad():
            own = model.module(torch.from_numpy(batch.ids[n : n + 1, : batch.lengths[n]]))[0]
        probabilities = model.probabilities(scores[None])
        assert probabilities is not None
        np.testing.assert_allclose(probabilities[0, -outputs:], own, rtol=1e-12)


def test_the_softmax_at_the_end_is_found_with_batches() -> None:
    torch.manual_seed(0)
    module = Loop().double()
    alone, together = wrap(module, **HOW), wrap(module, batch=True, **HOW)
    texts = ["the car", "oil pump"]
    np.testing.assert_allclose(alone.scores(alone.encode(texts)), together.scores(together.encode(texts)), rtol=1e-12)


def test_a_copy_in_another_dtype_follows_the_weights() -> None:
    module = made("branches").float()
    model = wrap(module, **HOW)
    batch = model.encode(TEXTS[1:2])
    before = model.trace(batch, dtype="float64").scores
    assert before.dtype == torch.float64
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    with torch.no_grad():
        module.get_parameter("out.bias").add_(1.0)
    torch.testing.assert_close(model.trace(batch, dtype="float64").scores, before + 1, rtol=1e-6, atol=1e-6)


@every("half", [torch.float16, torch.bfloat16])
@every("method", ["lrp", "gradient-x-input", "occlusion"])
def test_half_precision_is_explained_in_single_precision(half: torch.dtype, method: str) -> None:
    module = made("branches").to(half)
    why = explain(wrap(module, **HOW), TEXTS[1], target="all", method=method)
    assert why.relevance.dtype == why.scores.dtype == np.float32
    np.testing.assert_array_equal(why.scores, explain(wrap(copy.deepcopy(module).float(), **HOW), TEXTS[1]).scores)
    assert {parameter.dtype for parameter in module.parameters()} == {half}
    if method == "lrp":
        np.testing.assert_allclose(why.relevance.sum(axis=1) + why.absorbed, why.scores, atol=1e-5)


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    module = made("branches").float()
    module.last = module.get_parameter("out.bias") * 2  # type: ignore[assignment]
    with pytest.raises(
        ModelError,
        match=r"must support copy\.deepcopy to be explained in float64; got .* yourself and leave out dtype=",
    ):
        explain(wrap(module, **HOW), TEXTS[1], dtype="float64")


def test_extra_state_of_a_module_changes_the_fingerprint() -> None:
    class Versioned(Branches):
        version = 1

        def get_extra_state(self) -> dict[str, int]:
            return {"version": self.version}

    torch.manual_seed(0)
    model = wrap(Versioned(), classes="abc", **HOW)
    first, Versioned.version = model.fingerprint_, 2
    assert model.fingerprint_ != first


def test_uninitialized_weights_and_weights_on_another_device_are_named() -> None:
    lazy = nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.LazyLinear(CLASSES))
    with pytest.raises(ModelError, match=r"its lazy parameter '2\.weight' has no values yet\. Call the module once"):
        explain(wrap(lazy, **HOW), TEXTS[0])
    with pytest.raises(ModelError, match=r"module must be on the CPU; its 'embed\.weight' is on 'meta'\. Pass copy"):
        explain(wrap(made("branches").to("meta"), **HOW), TEXTS[0])


@pytest.mark.parametrize("method", ["lrp", "lime"])
def test_a_score_that_is_not_a_number_is_named_with_its_text(method: str) -> None:
    class Shares(Base):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(SIZE, CLASSES)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.embed(ids).sum(1) / (ids > 1).sum(1, keepdim=True))

    model = wrap(Shares(), classes="abc", **HOW)
    with pytest.raises(DataError, match="text '1' has no word that is in the vocabulary"):
        explain(model, "nothing known", method=method)
    with pytest.raises(DataError, match=r"^the tokenizer found no word in document '1'\. Leave it out, or pass"):
        explain(model, "", method=method)
    with pytest.raises(DataError, match=r"^all words of document 'mail' are skipped: they are headers"):
        explain(model, Document("mail", "the moon", skip=np.array([[0, 8]], np.int32)), method=method)
    with pytest.warns(UserWarning, match="the tokenizer found no word in document '2'"):
        assert len(list(explain(model, ["the moon", ""], method=method, errors="skip"))) == 1
    with pytest.raises(
        ModelError, match=r"^scores must be finite; text '2' got nan for class 0\. A weight of the module"
    ):
        list(explain(model, ["the moon", "<pad>"], method=method))


def test_an_operation_without_a_rule_is_named_even_without_classes() -> None:
    class Strange(Branches):
        def forward(self, ids: Tensor) -> Tensor:
            return torch.cosh(super().forward(ids))

    with pytest.raises(ModelError, match="no rule for the operation 'cosh' in Strange"):
        explain(wrap(Strange(), **HOW), TEXTS[0])


def test_an_assertion_in_forward_is_reported_with_the_text() -> None:
    class Strict(Branches):
        def forward(self, ids: Tensor) -> Tensor:
            assert ids.shape[1] < 4, "too many words"
            return super().forward(ids)

    with pytest.raises(ModelError, match="text '2' of 6 words: AssertionError: too many words"):
        list(explain(wrap(Strict(), classes="abc", **HOW), ["the oil car", TEXTS[1]]))


def test_a_custom_train_method_is_never_called() -> None:
    class Counts(Branches):
        changes = 0

        def train(self, mode: bool = True) -> Self:
            type(self).changes += 1
            return super().train(mode)

    module = Counts()
    explain(wrap(module, **HOW), TEXTS[1])
    assert Counts.changes == 0
    assert module.training
