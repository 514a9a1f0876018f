"""Modules with unusual behavior: random numbers, several outputs, cut gradients, minimum lengths."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from laws import score_gap
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torch.nn import functional as F

from textlrp.errors import ModelError, OptionError
from textlrp.explainers.explain import explain
from textlrp.lrp.composite import Composite
from textlrp.lrp.recorded.record import record
from textlrp.lrp.recorded.untracked import check_all_tracked
from textlrp.lrp.rules import Zero
from textlrp.lrp.trace import one_hot_seed, propagate
from textlrp.models.estimators import BagOfWordsClassifier
from textlrp.models.wrapping import wrap

HOW: dict[str, Any] = {"tokenizer": str.split, "vocabulary": {"the": 1, "oil": 2, "car": 3, "moon": 4}}
TEXT = "the oil car"


class Around(nn.Module):
    """A linear module with some operation on its word vectors."""

    def __init__(self, change: Callable[[Tensor], Any], *, own: bool = True) -> None:
        super().__init__()
        self.change, self.own = change, own
        self.embed, self.out = nn.Embedding(6, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Any:
        x = self.embed(ids)
        changed = self.change(x)
        return self.out(((x if self.own else 0) + changed).mean(1))


# ---- random numbers

DRAWING: dict[str, Callable[[Tensor], Any]] = {
    "dropout": lambda x: F.dropout(x, 0.5),
    "torch.dropout": lambda x: torch.dropout(x, 0.5, True),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.5, True),
    "module in training": lambda x: nn.Dropout(0.5)(x),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "rand": lambda x: torch.rand(4),
    "rand_like": torch.rand_like,
    "randn": lambda x: torch.randn(1, 3, 4),
    "randint": lambda x: torch.randint(0, 1000, (1, 3, 4)),
    "bernoulli": lambda x: torch.bernoulli(torch.full((4,), 0.5)) + torch.rand(1),
    "multinomial": lambda x: torch.multinomial(torch.ones(1000), 4),
    "normal": lambda x: torch.normal(0.0, 1.0, (4,)),
    "in place": lambda x: torch.zeros(4).normal_() + torch.zeros(4).uniform_(),
    "own generator": lambda x: torch.randn(4, generator=GENERATOR),
    "numpy": lambda x: float(np.random.rand()),  # noqa: NPY002
    "python": lambda x: random.random(),
}
GENERATOR = torch.Generator()


@every("method", ["lrp", "gradient-x-input", "occlusion", "lime"])
@every("name", DRAWING)
def test_random_numbers_in_eval_mode_are_refused(name: str, method: str) -> None:
    if method == "lime":
        pytest.importorskip("lime")
    with pytest.raises(ModelError, match="draws random numbers in eval mode"):
        explain(wrap(Around(DRAWING[name]), classes=["a", "b"], **HOW), TEXT, method=method)


def test_random_numbers_that_change_nothing_are_fine() -> None:
    def seeded(x: Tensor) -> Tensor:
        return torch.randn(4, generator=torch.Generator().manual_seed(0))

    one, other = (explain(wrap(Around(seeded), **HOW), TEXT, method="occlusion") for _ in range(2))
    assert one.labels == other.labels
    explain(wrap(Around(lambda x: F.dropout(x, 0.0)), **HOW), TEXT)
    explain(
        wrap(nn.Sequential(nn.Embedding(6, 4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 2)), classes="ab", **HOW),
        TEXT,
    )


# ---- numbers that are no constants


CONSTANTS: dict[str, Callable[[Tensor], Any]] = {
    "comparison": lambda x: (x > 0).float(),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "masked": lambda x: x.masked_fill(x < 0, 0.0),
    "boolean index": lambda x: x[x > 0].sum(),
    "gate": lambda x: x * (x > 0),
    "argmax": lambda x: x.gather(1, x.argmax(1, keepdim=True)),
    "topk": lambda x: x.topk(2, dim=1).values.sum(1, keepdim=True),
    "branch": lambda x: x if x.sum() > 0 else -x,
    "detached": lambda x: x.detach() * 2,
    "detached whole numbers": lambda x: (x.detach() * 10).long(),
    "iteration": lambda x: torch.stack(list(x[0]))[None],
}
REFUSED: dict[str, Callable[[Tensor], Any]] = {
    "fft": lambda x: torch.fft.fft(x, dim=-1).real,
    "complex": lambda x: torch.view_as_real(torch.complex(x, x)).sum(-1),
    "item": lambda x: x.sum().item(),
    "tolist": lambda x: torch.tensor(x.tolist()),
    "float()": lambda x: float(x.sum()),
    "int()": lambda x: int(x.sum() * 10),
    "numpy": lambda x: torch.from_numpy(x.detach().numpy() if x.requires_grad else x.numpy()),
    "long": lambda x: (x * 10).long(),
    "to": lambda x: (x * 10).to(torch.int8).float(),
    "type": lambda x: x.type(torch.LongTensor),
    "bucketize": lambda x: torch.bucketize(x, torch.tensor([0.0, 1.0])),
    "copied": lambda x: torch.zeros(x.shape, dtype=torch.long).copy_(x * 10),
    "round": torch.round,
    "full_like": lambda x: torch.full_like(x, x.sum()),
    "vmap": lambda x: torch.func.vmap(lambda row: row * 2)(x),
    "subclass": lambda x: x.as_subclass(torch.Tensor) * 2,
}


@every("name", CONSTANTS)
def test_comparisons_and_choices_are_constants_as_for_the_gradient(name: str) -> None:
    torch.manual_seed(0)
    module, ids = Around(CONSTANTS[name]).double(), torch.tensor([[1, 2, 3]])
    check_all_tracked(module, ids, module)
    trace = record(module, ids)
    found = propagate(trace, Composite({}, Zero()), one_hot_seed(trace.scores, [0]))
    vectors = module.embed(ids).detach().requires_grad_()
    score = module.out((vectors + CONSTANTS[name](vectors)).mean(1))[0, 0]
    (gradient,) = torch.autograd.grad(score, vectors)
    torch.testing.assert_close(found.relevance[0], (gradient * vectors).sum(-1).detach(), rtol=1e-9, atol=1e-12)


@every("name", REFUSED)
def test_operations_that_drop_relevance_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        explain(wrap(Around(REFUSED[name]), **HOW), TEXT)


# ---- gradients

MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "off": lambda: torch.set_grad_enabled(False),
    "inference": torch.inference_mode,
}
GRADIENTS = (
    "squared-gradient", "gradient-x-input", "integrated-gradients", "smoothgrad", "deconvnet", "guided-backprop",
)  # fmt: skip


@pytest.fixture(scope="module")
def models() -> tuple[Callable[[], Any], ...]:
    texts, labels = ["the oil car", "the moon"] * 3, ["a", "b"] * 3
    pipeline = make_pipeline(CountVectorizer(), LinearSVC()).fit(texts, labels)
    bag, module = BagOfWordsClassifier(skip=()).fit(texts, labels), Around(torch.relu)
    return (lambda: pipeline, lambda: bag, lambda: wrap(module, **HOW))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["lrp", *GRADIENTS])
def test_the_callers_grad_mode_changes_nothing(method: str, mode: str, models: Any) -> None:
    for make in models:
        expected, model = explain(make(), TEXT, method=method), make()
        with MODES[mode]():
            found = explain(model, TEXT, method=method)
            (streamed,) = explain(model, [TEXT], method=method)
            assert torch.is_grad_enabled() is False
        for other in (found, streamed, explain(model, TEXT, method=method)):
            np.testing.assert_array_equal(other.relevance, expected.relevance)


def test_a_module_made_in_inference_mode_has_gradients() -> None:
    with torch.inference_mode():
        module = Around(torch.relu)
    assert explain(wrap(module, **HOW), TEXT, method="gradient-x-input").relevance.any()


@pytest.mark.parametrize("cut", [torch.no_grad, torch.inference_mode])
def test_a_module_that_cuts_its_gradient_is_refused(cut: Callable[[], AbstractContextManager[Any]]) -> None:
    def change(x: Tensor) -> Tensor:
        with cut():
            return x * 2

    for method in GRADIENTS:
        with pytest.raises(ModelError, match=r"module must pass gradients .* or use method='occlusion'"):
            explain(wrap(Around(change, own=False), **HOW), TEXT, method=method)
    for method in ("lrp", "occlusion"):
        assert explain(wrap(Around(change, own=False), **HOW), TEXT, method=method).relevance.any()


# ---- which output, and which texts


class Several(nn.Module):
    """An embedding and class scores; ``give`` computes further outputs from vectors and scores."""

    def __init__(self, give: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.give = give
        self.embed, self.out = nn.Embedding(6, 4), nn.Linear(4, 3)

    def forward(self, ids: Tensor) -> Any:
        x = self.embed(ids)
        return self.give(x, self.out(x.mean(1)))


class Output(dict[str, Tensor]):
    """A dictionary whose entries are also attributes."""


OUTPUTS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "scores": lambda x, scores: scores,
    "scores, attention": lambda x, scores: (scores, x.sum(2).softmax(1)),
    "attention, scores": lambda x, scores: (x.sum(2).softmax(1), scores),
    "logits": lambda x, scores: Output(loss=scores.sum(), logits=scores, hidden=x.mean(1)),
    "loss": lambda x, scores: (scores.new_zeros(()), scores),
}


@every("name", OUTPUTS)
@every("classes", [None, ["a", "b", "c"]])
@every("text", ["the oil", TEXT, "the oil car moon"])
def test_the_scores_are_those_that_do_not_change_their_size(name: str, classes: Any, text: str) -> None:
    if name == "loss" and classes is None:
        return
    module = Several(OUTPUTS[name])
    ids = torch.tensor([[HOW["vocabulary"][word] for word in text.split()]])
    found = explain(wrap(module, classes=classes, **HOW), text)
    own = module.out(module.embed(ids).mean(1))[0]
    np.testing.assert_allclose(found.scores, own.detach().numpy(), rtol=1e-5)


def test_several_outputs_of_one_size_are_chosen_by_name_or_position() -> None:
    module = Several(lambda x, scores: (x.mean(1), scores))
    with pytest.raises(OptionError, match=r"scores must be .* returns 0 \(1, 4\), 1 \(1, 3\). Pass, for exam"):
        explain(wrap(module, **HOW), TEXT)
    assert len(explain(wrap(module, scores=1, **HOW), TEXT).scores) == 3
    assert len(explain(wrap(module, scores=0, **HOW), TEXT).scores) == 4
    assert len(explain(wrap(module, classes=["a", "b", "c"], **HOW), TEXT).scores) == 3
    with pytest.raises(OptionError, match="got 'x'"):
        explain(wrap(module, scores="x", **HOW), TEXT)


@pytest.mark.parametrize("text", ["the oil", TEXT])
@pytest.mark.parametrize("min_length", [0, 5])
def test_an_output_that_grows_with_the_text_is_refused(text: str, min_length: int) -> None:
    with pytest.raises(ModelError, match="output must have the same size for every text; got "):
        explain(wrap(Several(lambda x, scores: x.sum(2)), min_length=min_length, **HOW), text)


class Windows(nn.Module):
    """A convolution over three words."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.conv, self.out = nn.Embedding(6, 4, padding_idx=0), nn.Conv1d(4, 5, 3), nn.Linear(5, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(torch.relu(self.conv(self.embed(ids).transpose(1, 2))).amax(2))


@pytest.mark.parametrize("method", ["lrp", "gradient-x-input", "occlusion"])
def test_short_texts_are_padded_to_min_length(method: str) -> None:
    torch.manual_seed(0)
    module, texts = Windows(), ["the oil car", "the oil", ""]
    model = wrap(module, **HOW)
    with pytest.raises(
        ModelError, match=r"an error for text '2' of 2 words.*pass min_length=3 to textlrp\.wrap, and padding="
    ):
        list(explain(model, texts[:2], method=method))
    with pytest.warns(UserWarning, match="text '[23]' was skipped: "):
        found = list(explain(model, texts, method=method, errors="skip"))
    assert [each.document_id for each in found] == ["1"]
    whys = list(explain(wrap(module, min_length=3, **HOW), texts, method=method))
    assert [len(why.tokens) for why in whys] == [3, 2, 0]
    ids = torch.tensor([[1, 2, 0]])
    np.testing.assert_allclose(whys[1].scores, module(ids)[0].detach().numpy(), rtol=1e-5)
    if method == "lrp":
        for why in whys:
            np.testing.assert_allclose(why.relevance.sum(1) + why.absorbed, why.target_scores, rtol=1e-4, atol=1e-6)


def test_texts_that_cannot_be_explained_are_skipped_if_requested(models: Any) -> None:
    for make in models:
        with pytest.warns(UserWarning, match="text '2' was skipped: row 1: text must be a string; got None"):
            found = list(explain(make(), [TEXT, None, "moon"], errors="skip", target="all"))
        assert [each.document_id for each in found] == ["1", "3"]
    with pytest.raises(ModelError, match="no rule"), pytest.warns(UserWarning, match="skipped"):
        list(explain(wrap(Around(torch.round), classes=["a", "b"], **HOW), [TEXT, "moon"], errors="skip"))
    with pytest.raises(OptionError, match="errors must be 'raise' or 'skip'; got 'ignore'"):
        explain(wrap(Around(torch.relu), **HOW), [TEXT], errors="ignore")  # type: ignore[call-overload]


# ---- a score of zero


@every("bias", [0.0, 1e-7, -1e-7])
@every("rule", ["zero", "epsilon"])
def test_a_linear_models_relevance_is_gradient_times_input_also_at_zero(rule: str, bias: float) -> None:
    pipeline = make_pipeline(CountVectorizer(), LinearSVC()).fit(["good film", "bad film"] * 3, ["n", "p"] * 3)
    pipeline[-1].coef_, pipeline[-1].intercept_ = np.array([[-0.8, 0.0, 0.8]]), np.array([bias])
    module = nn.Sequential(nn.EmbeddingBag(4, 2, mode="sum"), nn.Linear(2, 2)).double()
    bag, layer = module
    with torch.no_grad():
        bag.weight.copy_(torch.tensor([[0.0, 0.0], [0.8, 0.1], [-0.8, -0.1], [0.0, 0.0]]))
        layer.weight.copy_(torch.tensor([[-1.0, 2.0], [1.0, 1.0]]))
        layer.bias.copy_(torch.tensor([-bias, bias]))
    wrapped = wrap(module, tokenizer=str.split, vocabulary={"good": 1, "bad": 2, "film": 3}, classes=["n", "p"])
    for model in (pipeline, wrapped):
        for target in ("all", [("n", "p")]):
            found = explain(model, "good bad", target=target, rule=rule)
            slope = explain(model, "good bad", target=target, method="gradient-x-input")
            np.testing.assert_allclose(found.relevance, slope.relevance, rtol=1e-6)
            np.testing.assert_allclose(found.relevance.sum(1) + found.absorbed, found.target_scores, atol=1e-12)
            assert np.abs(found.relevance).min() > 0.1
            centered = explain(model, "good bad", target=target, rule=rule, start="centered")
            assert score_gap(centered) < 1e-12


# ---- messages about operations


def test_the_hint_for_an_operation_of_several_values() -> None:
    with pytest.raises(ModelError, match=r"'lerp' .* reads 2 values .* call\.sums"):
        explain(wrap(Around(lambda x: torch.lerp(x, 2 * x, 0.5)), **HOW), TEXT)
    with pytest.raises(ModelError, match=r"If relevance passes through it unchanged"):
        explain(wrap(Around(torch.round), **HOW), TEXT)


@every(
    "change",
    [
        lambda x: torch.add(x, x * 2, alpha=3),
        lambda x: torch.sub(x, x * 2, alpha=3),
        lambda x: torch.add(x, torch.ones(4), alpha=-2),
        lambda x: torch.add(torch.ones(4), x, alpha=0.5),
        lambda x: torch.sub(torch.ones(4), x, alpha=0.5),
    ],
)
def test_sums_with_a_factor_are_linear(change: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    module, ids = Around(change, own=False).double(), torch.tensor([[1, 2, 3]])
    trace = record(module, ids)
    found = propagate(trace, Composite({}, Zero()), one_hot_seed(trace.seed_scores, [0]))
    vectors = module.embed(ids).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(module.out(change(vectors.double()).mean(1))[0, 0], vectors)
    torch.testing.assert_close(found.relevance[0], (gradient * vectors).sum(-1).detach())
    torch.testing.assert_close(found.relevance.sum() + sum(found.ledger.values()).sum(), trace.scores[0, 0].detach())


def test_offsets_that_are_lengths_are_explained() -> None:
    class Bags(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag, self.out = nn.EmbeddingBag(6, 4), nn.Linear(4, 2)

        def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
            return self.out(self.bag(ids.flatten(), offsets))[-1:]

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Bags()

        def forward(self, ids: Tensor) -> Tensor:
            return self.inner(ids.flatten(), torch.tensor([0]))

    class Halves(Whole):
        def forward(self, ids: Tensor) -> Tensor:
            return self.inner(ids.flatten(), torch.tensor([0, 1]))

    with pytest.raises(ModelError, match=r"offsets.*wrap a module whose forward\(ids\)"):
        explain(wrap(Bags(), lengths=True, classes=["a", "b"], **HOW), TEXT)
    with pytest.raises(ModelError, match=r"offsets must be \[0\], one bag of all 3 ids; got \[0, 1\]"):
        explain(wrap(Halves(), classes=["a", "b"], **HOW), TEXT)
    assert explain(wrap(Whole(), **HOW), TEXT).relevance.any()


@pytest.mark.parametrize("rule", ["zero", "epsilon"])
def test_a_centered_start_of_a_linear_model_keeps_the_law(rule: str) -> None:
    texts, labels = ["good film", "bad film", "so so plot"] * 3, ["p", "n", "o"] * 3
    pipeline = make_pipeline(CountVectorizer(), LinearSVC()).fit(texts, labels)
    bag = BagOfWordsClassifier(skip=(), dtype="float64").fit(texts, labels)
    for model in (pipeline, bag):
        found = explain(model, "good plot", target="all", rule=rule, start="centered")
        assert score_gap(found) < 1e-9
