"""The other attribution methods, compared with plain loops and with the original tools, and their own laws."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from cases import every
from laws import gap
from lime.lime_text import LimeTextExplainer
from numpy.typing import NDArray
from reference import Convolution, PlainCNN, convolve
from torch import Tensor, nn
from toys import NAMES, READ, TEXTS, VARIANTS, fitted, scrambled

from textlrp.errors import MissingExtraError, ModelError
from textlrp.explainers import gradients as gradients_module
from textlrp.explainers.attribution import Attribution
from textlrp.explainers.explain import explain
from textlrp.explainers.method_table import METHODS
from textlrp.explainers.methods import (
    CAM,
    Deconvnet,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    KernelShap,
    Lime,
    Method,
    Occlusion,
    Random,
    Shap,
    SmoothGrad,
    SquaredGradient,
)
from textlrp.explainers.other_methods import attribute
from textlrp.explainers.perturbation import balanced_tree
from textlrp.models import word_paths as word_paths_module
from textlrp.models.classifier import Classifier
from textlrp.models.convnet import plain_weights
from textlrp.models.differentiable import InputPoint, identity
from textlrp.records import Status
from textlrp.text.batches import Batch

Array = NDArray[np.float64]

KNOWN = (
    "the doctor gave me a pill for the pain",
    "the car needs oil",
    "engine",
    "a launch costs more than the probe and the rocket burns for nine minutes",
)
"""Texts whose words are all in the vocabulary of the toy models."""
REPEATED = "the probe the probe the probe the probe"
LIME, SHAP = Lime(samples=60), Shap(samples=60)
GRADIENTS: tuple[Method, ...] = (
    SquaredGradient(), GradientTimesInput(), IntegratedGradients(5), SmoothGrad(3), Deconvnet(), GuidedBackprop(),
)  # fmt: skip
CASES: list[tuple[str, Method]] = [
    *((variant, method) for variant in VARIANTS for method in (*GRADIENTS, Occlusion(), Random(), LIME)),
    ("cnn-mean", CAM()), ("cnn-mean", GradCAM()), ("cnn-max", GradCAM()),
]  # fmt: skip

each_case = pytest.mark.parametrize(("variant", "method"), CASES, ids=repr)
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def found(model: Any, text: Any, method: Method, classes: Sequence[int] = (0, 1, 2), **options: Any) -> Attribution:
    return attribute(model, model.encode([text]), 0, classes, method, **options)


def models(variant: str, seeds: int = 3) -> Iterator[Any]:
    for seed in range(seeds):
        yield scrambled(fitted(variant, "float64"), seed)


def check_sum(answer: Attribution, scores: Any, tolerance: float) -> None:
    """Relevance and ledger of each class sum to its score."""
    assert answer.exact
    for k, score in enumerate(scores):
        entries = [float(entry[k]) for entry in answer.ledger.values()]
        assert gap(answer.relevance[k].sum() + sum(entries) - score, answer.relevance[k], entries) < tolerance


# ---- a model by hand


@dataclass
class Hand:
    """A model over the words of another one, from vectors (S, L, D) to scores (S, C)."""

    words: Any
    table: Tensor
    forward: Callable[[Tensor], Tensor]
    to_words: Callable[[Tensor], Tensor] = identity
    max_texts_per_trace: int = 64

    def encode(self, texts: Any) -> Batch:
        return cast(Batch, self.words.encode(texts))

    def scores(self, batch: Batch, *, keep: Any = None) -> Array:
        ids = batch.ids if keep is None else np.where(keep, batch.ids, 0)
        rows = [
            self.forward(self.table[row[:length]][None])[0] for row, length in zip(ids, batch.lengths, strict=True)
        ]
        return torch.stack(rows).detach().numpy()

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        return InputPoint(self.table[batch.ids[n, : batch.lengths[n]]], self.forward, self.to_words)


def hand(forward: Callable[[Tensor], Tensor], seed: int = 0, dimensions: int = 3) -> Any:
    words = fitted("boe", "float64")
    table = torch.randn(len(words.vocabulary_) + 1, dimensions, generator=noise(seed), dtype=torch.float64)
    table[0] = 0
    return Hand(words, table, forward)


def drawn_so_far() -> str:
    """The state of numpy's global generator."""
    return repr([part if isinstance(part, (str, int, float)) else part.tolist() for part in np.random.get_state()])  # noqa: NPY002


def noise(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear_scores(vectors: Tensor) -> Tensor:
    """Each word adds its first three numbers to the three scores; there is also a bias."""
    return vectors[..., :3].sum(dim=1) + torch.tensor([0.5, -1.0, 2.0], dtype=vectors.dtype)


def smooth_scores(vectors: Tensor) -> Tensor:
    mixed = torch.tanh(vectors.cumsum(dim=1)).sum(dim=1)
    return torch.stack([mixed.prod(dim=1), torch.sigmoid(mixed).sum(dim=1), mixed[:, 0] ** 2], dim=1)


# ---- what holds for all


@each_case
def test_unknown_words_get_nothing_and_the_shape_is_that_of_the_words(variant: str, method: Method) -> None:
    model = fitted(variant, "float64")
    batch = model.encode(READ)
    for n, reading in enumerate(batch.readings):
        answer = attribute(model, batch, n, (2, 0), method)
        assert answer.relevance.shape == (2, len(reading.positions))
        assert answer.relevance.dtype == np.float64
        assert np.isfinite(answer.relevance).all()
        assert not answer.relevance[:, batch.status[n][reading.positions] == Status.UNKNOWN].any()
        for entry in answer.ledger.values():
            assert entry.shape == (2,)


@pytest.mark.slow
@every("variant, method", CASES)
def test_a_class_gets_the_same_map_alone_and_among_others(variant: str, method: Method) -> None:
    model = fitted(variant, "float64")
    batch = model.encode(READ)
    for n in (0, 5, 6, 11):
        everything = attribute(model, batch, n, (0, 1, 2), method)
        again = attribute(model, batch, n, (0, 1, 2), method)
        assert everything.relevance.tobytes() == again.relevance.tobytes()
        for c in range(3):
            single = attribute(model, batch, n, (c,), method)
            np.testing.assert_allclose(single.relevance[0], everything.relevance[c], rtol=1e-12, atol=1e-13)
            assert single.ledger.keys() == everything.ledger.keys()
            for key, entry in single.ledger.items():
                np.testing.assert_allclose(entry[0], everything.ledger[key][c], rtol=1e-12, atol=1e-12)


@every("variant, method", CASES)
def test_a_contrast_is_the_difference_of_its_two_maps(variant: str, method: Method) -> None:
    model = fitted(variant, "float64")
    for why in explain(model, READ[:7], target=[("space", "autos"), "space", "autos"], method=method):
        difference = why.relevance[1] - why.relevance[2]
        np.testing.assert_allclose(why.relevance[0], difference, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(why.absorbed[0], why.absorbed[1] - why.absorbed[2], rtol=1e-12, atol=1e-12)
        assert why.method == method.name
        assert why.rule == repr(method)


@pytest.mark.parametrize(
    ("variant", "method"),
    [*((variant, method) for variant in VARIANTS for method in (IntegratedGradients(7), LIME)), ("cnn-mean", CAM())],
    ids=repr,
)
def test_exact_methods_sum_to_the_score(variant: str, method: Method) -> None:
    for model in models(variant):
        batch = model.encode(READ)
        scores = model.scores(batch)
        for n in range(len(batch)):
            check_sum(attribute(model, batch, n, (0, 1, 2), method), scores[n], 1e-12)
    single = fitted(variant, "float32")
    for why in explain(single, READ, target="all", method=method):
        left_over = why.relevance.sum(axis=1) + why.absorbed - why.scores
        assert why.relevance.dtype == why.scores.dtype == np.float32
        for k in range(3):
            assert gap(left_over[k], why.relevance[k], [entry[k] for entry in why.ledger.values()]) < 5e-6


@every("method", [entry.value for name, entry in METHODS.items() if "cam" not in name])
def test_a_text_without_a_known_word_is_all_baseline(method: Method) -> None:
    for text in ("", "xylophone zebra quux"):
        model = fitted("cnn-max", "float64")
        answer = found(model, text, method)
        assert not answer.relevance.any()
        assert answer.exact == bool(answer.ledger)
        if answer.exact:
            assert answer.ledger == {("words", "baseline"): pytest.approx(model.decision_function([text])[0])}


@pytest.mark.parametrize("method", [SmoothGrad(2), Random(), LIME], ids=repr)
def test_random_numbers_depend_only_on_the_seed(method: Any) -> None:
    model = fitted("cnn-max", "float64")
    states = drawn_so_far(), torch.get_rng_state()
    first = found(model, READ[0], method).relevance
    assert drawn_so_far() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    assert not np.array_equal(found(model, READ[0], type(method)(seed=9)).relevance, first)


@each_variant
def test_the_batch_size_of_alternatives_changes_nothing(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(variant, "float64")
    methods = (IntegratedGradients(9), SmoothGrad(5), Occlusion(), LIME)
    before = [found(model, READ[0], method).relevance for method in methods]
    monkeypatch.setattr(gradients_module, "INPUT_NUMBERS_TOGETHER", 200)
    monkeypatch.setattr(word_paths_module, "MAX_WORDS", 40)
    for method, relevance in zip(methods, before, strict=True):
        np.testing.assert_allclose(found(model, READ[0], method).relevance, relevance, rtol=1e-10, atol=1e-11)


# ---- gradients


@pytest.mark.parametrize("variant", ["cnn-max", "boe", "svm"])
def test_gradient_times_input_is_lrp_0(variant: str) -> None:
    for model in models(variant, seeds=6):
        for text in (*KNOWN, REPEATED, *TEXTS[:6]):
            why = explain(model, text, rule="zero", target="all")
            assert (why.status == Status.READ).all()
            answer = found(model, text, GradientTimesInput())
            for k in range(3):
                size = why.relevance[k], [entry[k] for entry in why.ledger.values()]
                assert gap(answer.relevance[k] - why.relevance[k], *size) < 1e-10


def reference_net(model: Any) -> PlainCNN:
    tensors = {name: torch.tensor(weight) for name, weight in model.weights_.items()}
    convolutions = {
        width: Convolution(plain_weights(tensors, width).numpy(), model.weights_[f"conv{width}.bias"])
        for width in model.widths
    }
    return PlainCNN(convolutions, model.weights_["output.weight"], model.weights_["output.bias"], model.pooling)


@pytest.mark.parametrize("variant", ["cnn-max", "cnn-mean"])
def test_squared_gradient_equals_finite_differences(variant: str) -> None:
    for model in models(variant, seeds=2):
        net = reference_net(model)
        for text in KNOWN[:3]:
            ids = model.encode([text]).ids[0]
            vectors = torch.tensor(model.weights_["embedding"][ids])
            expected = np.zeros((3, len(ids)))
            with torch.no_grad():
                for t in range(len(ids)):
                    for d in range(vectors.shape[1]):
                        step = torch.zeros_like(vectors)
                        step[t, d] = 1e-6
                        slope = (net(vectors + step) - net(vectors - step)) / 2e-6
                        expected[:, t] += slope.numpy() ** 2
            answer = found(model, text, SquaredGradient())
            np.testing.assert_allclose(answer.relevance, expected, rtol=1e-6, atol=1e-6)


def test_squared_gradient_of_a_bag_of_words_is_the_squared_weight_of_the_word() -> None:
    model = fitted("svm", "float64")
    (word,) = model.encode(["engine"]).ids[0]
    expected = model.weights_["output.weight"][:, word - 1] ** 2
    np.testing.assert_allclose(found(model, "engine", SquaredGradient()).relevance[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("variant", ["boe", "svm"])
def test_integrated_gradients_are_exact_on_linear_models(variant: str) -> None:
    for model in models(variant):
        for text in READ:
            answer = found(model, text, IntegratedGradients(3))
            plain = found(model, text, GradientTimesInput())
            np.testing.assert_allclose(answer.relevance, plain.relevance, rtol=1e-12, atol=1e-12)
            score = model.scores(model.encode([text]))[0]
            np.testing.assert_allclose(
                answer.relevance.sum(axis=1), score - model.weights_["output.bias"], atol=1e-12
            )
            if ("words", "unsummed") in answer.ledger:
                assert np.abs(answer.ledger["words", "unsummed"]).max() < 1e-12


def test_integrated_gradients_sum_to_the_difference_from_zero_vectors() -> None:
    model = hand(smooth_scores)
    for text in KNOWN:
        point = model.input_point(model.encode([text]), 0)
        with torch.no_grad():
            whole = point.forward(torch.stack([point.inputs, torch.zeros_like(point.inputs)]))
        answer = found(model, text, IntegratedGradients(60))
        np.testing.assert_allclose(answer.relevance.sum(axis=1), whole[0] - whole[1], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(answer.ledger["words", "baseline"], whole[1], atol=1e-12)


def test_ignored_inputs_and_the_numerical_error_are_separate_entries() -> None:
    model = hand(linear_scores)
    model.to_words = lambda shares: shares * (torch.arange(shares.shape[1]) > 0)  # the first input belongs to no word
    batch = model.encode([KNOWN[0]])
    answer = found(model, KNOWN[0], IntegratedGradients(4))
    check_sum(answer, model.scores(batch)[0], 1e-12)
    np.testing.assert_allclose(answer.ledger["words", "ignored"], model.table[batch.ids[0, 0]], atol=1e-12)
    assert np.abs(answer.ledger["words", "unsummed"]).max() < 1e-12


def test_more_steps_make_integrated_gradients_more_exact() -> None:
    for model in models("cnn-max"):
        for text in READ[5:8]:
            rest = [
                np.abs(found(model, text, IntegratedGradients(steps)).ledger["words", "unsummed"]).max()
                for steps in (4, 800)
            ]
            assert rest[1] < 0.02
            assert rest[1] < rest[0]


def test_integrated_gradients_equal_captum() -> None:
    """The tolerance is that of float32, because Captum keeps the steps in it."""
    for model in models("cnn-max"):
        for text in (*KNOWN, READ[6]):
            point = model.input_point(model.encode([text]), 0)
            answer = found(model, text, IntegratedGradients(20))
            for c in range(3):
                theirs = CaptumIntegratedGradients(point.forward).attribute(
                    point.inputs[None], target=c, n_steps=20, method="gausslegendre"
                )
                np.testing.assert_allclose(answer.relevance[c], theirs[0].sum(dim=1), rtol=1e-7, atol=1e-7)


def test_smoothgrad_is_the_mean_gradient_at_noisy_inputs() -> None:
    method = SmoothGrad(samples=4, noise=0.3, seed=5)
    for model in models("cnn-max"):
        net = reference_net(model)
        for text in (KNOWN[0], READ[6]):
            batch = model.encode([text])
            vectors = torch.tensor(model.weights_["embedding"][batch.ids[0]])
            draw, total = noise(5), torch.zeros(3, *vectors.shape, dtype=torch.float64)
            spread = 0.3 * (vectors.max() - vectors.min())
            for _ in range(4):
                moved = torch.randn(vectors.shape, generator=draw, dtype=torch.float64) * spread
                moved[torch.from_numpy(batch.ids[0] == 0)] = 0
                leaf = (vectors + moved).requires_grad_()
                for c in range(3):
                    total[c] += torch.autograd.grad(net(leaf)[c], leaf)[0] / 4
            expected = (total * vectors).sum(dim=2)
            np.testing.assert_allclose(found(model, text, method).relevance, expected, rtol=1e-10, atol=1e-10)
            still = found(model, text, SmoothGrad(samples=2, noise=0.0)).relevance
            np.testing.assert_allclose(still, found(model, text, GradientTimesInput()).relevance, atol=1e-12)


# ---- another way back through the ReLU

FIRST = torch.tensor([[1.0, 2.0], [-1.0, 1.0]], dtype=torch.float64)  # two hidden units of two inputs
SECOND = torch.tensor([[1.0, -1.0], [-2.0, 3.0]], dtype=torch.float64)
LAST = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, 1.0]], dtype=torch.float64)  # three classes


def two_layers(relu: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda vectors: relu(relu(vectors.sum(dim=1) @ FIRST.T) @ SECOND.T) @ LAST.T


def by_hand(x: Sequence[float], guided: bool | None) -> list[float]:
    """Signal × input of the three classes; ``guided`` None is the gradient itself, False deconvnet."""
    hidden = [sum(w * a for w, a in zip(row, x, strict=True)) for row in FIRST.tolist()]
    upper = [sum(w * max(h, 0.0) for w, h in zip(row, hidden, strict=True)) for row in SECOND.tolist()]

    def back(signal: float, z: float) -> float:
        if guided is None:
            return signal if z > 0 else 0.0
        return max(signal, 0.0) if z > 0 or not guided else 0.0

    totals = []
    for row in LAST.tolist():
        at_upper = [back(w, z) for w, z in zip(row, upper, strict=True)]
        at_hidden = [back(sum(s * SECOND[k, j].item() for k, s in enumerate(at_upper)), hidden[j]) for j in range(2)]
        signals = [sum(s * FIRST[j, i].item() for j, s in enumerate(at_hidden)) for i in range(2)]
        totals.append(sum(s * a for s, a in zip(signals, x, strict=True)))
    return totals


@every("x", [(1.0, 0.5), (1.0, -2.0), (-1.0, 3.0), (-2.0, -1.0), (3.0, 1.0)])
def test_deconvnet_and_guided_backprop_equal_a_manual_calculation(x: tuple[float, float]) -> None:
    model = hand(two_layers(torch.relu), dimensions=2)
    model.table[:] = torch.tensor(x, dtype=torch.float64)
    methods: list[tuple[Method, bool | None]] = [
        (GradientTimesInput(), None), (Deconvnet(), False), (GuidedBackprop(), True),
    ]  # fmt: skip
    for method, guided in methods:
        np.testing.assert_allclose(found(model, "engine", method).relevance[:, 0], by_hand(x, guided), atol=1e-12)


def test_the_manual_cases_differ_between_the_methods() -> None:
    assert by_hand((1.0, 0.5), False) != by_hand((1.0, 0.5), None)
    assert by_hand((1.0, -2.0), False) != by_hand((1.0, -2.0), True)


def in_place(relu: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    """What was changed, not the result."""

    def changed(values: Tensor) -> Tensor:
        copied = values.clone()
        relu(copied)
        return copied

    return changed


@every(
    "relu",
    [
        torch.Tensor.relu,
        nn.functional.relu,
        nn.ReLU(),
        nn.ReLU(inplace=True),
        in_place(torch.relu_),
        in_place(torch.Tensor.relu_),
        in_place(lambda values: nn.functional.relu(input=values, inplace=True)),
        in_place(lambda values: nn.functional.relu(values, True)),
    ],
)
def test_every_way_to_write_a_relu_is_modified(relu: Callable[[Tensor], Tensor]) -> None:
    for method in (Deconvnet(), GuidedBackprop()):
        expected = found(hand(two_layers(torch.relu), dimensions=2), KNOWN[1], method)
        written = found(hand(two_layers(relu), dimensions=2), KNOWN[1], method)
        np.testing.assert_allclose(written.relevance, expected.relevance, atol=1e-13)


@pytest.mark.parametrize("method", [Deconvnet(), GuidedBackprop()], ids=repr)
def test_without_a_relu_it_is_gradient_times_input(method: Method) -> None:
    for model in (hand(smooth_scores), fitted("svm", "float64"), fitted("boe", "float64")):
        expected = found(model, KNOWN[0], GradientTimesInput()).relevance
        np.testing.assert_allclose(found(model, KNOWN[0], method).relevance, expected, atol=1e-13)


# ---- class activation maps


def windows_of(model: Any, text: str, width: int) -> tuple[Array, NDArray[np.int64]]:
    """Pre-activations (windows, F) by plain loops, and the ids of the text."""
    batch = model.encode([text])
    ids = batch.ids[0, : batch.lengths[0]]
    tensors = {name: torch.tensor(weight) for name, weight in model.weights_.items()}
    conv = Convolution(plain_weights(tensors, width).numpy(), model.weights_[f"conv{width}.bias"])
    return convolve(model.weights_["embedding"][ids], conv, width), ids


def map_by_loops(model: Any, text: str, c: int, positive: bool) -> tuple[list[float], float]:
    """Distribute each window's part of the score over its known words; also return the rest."""
    relevance, ignored, begin = [0.0] * len(windows_of(model, text, 1)[1]), 0.0, 0
    for width in model.widths:
        z, ids = windows_of(model, text, width)
        for t in range(len(z)):
            value = 0.0
            for f in range(z.shape[1]):
                value += model.weights_["output.weight"][c, begin + f] * max(z[t, f], 0.0) / len(z)
            value = max(value, 0.0) if positive else value
            words = [place for place in range(t, min(t + width, len(ids))) if ids[place] > 0]
            for place in words:
                relevance[place] += value / len(words)
            ignored += 0.0 if words else value
        begin += z.shape[1]
    return relevance, ignored


@pytest.mark.parametrize("method", [CAM(), GradCAM()], ids=repr)
def test_with_mean_pooling_a_windows_part_is_shared_over_its_words(method: Method) -> None:
    for model in models("cnn-mean"):
        for text in (*KNOWN, REPEATED, "quux zebra the car", "the quux quux quux zebra orbit", READ[6]):
            answer = found(model, cast(str, text), method)
            for c in range(3):
                relevance, ignored = map_by_loops(model, cast(str, text), c, positive=isinstance(method, GradCAM))
                np.testing.assert_allclose(answer.relevance[c], relevance, rtol=1e-11, atol=1e-12)
                if isinstance(method, CAM):
                    assert answer.ledger["embedding", "ignored"][c] == pytest.approx(ignored, abs=1e-12)


def test_cam_sums_to_the_score_less_the_bias_of_the_output() -> None:
    for model in models("cnn-mean"):
        for text in KNOWN:
            expected = model.decision_function([text])[0] - model.weights_["output.bias"]
            np.testing.assert_allclose(found(model, text, CAM()).relevance.sum(axis=1), expected, atol=1e-12)


def test_with_max_pooling_each_word_of_a_winning_window_gets_the_positive_evidence() -> None:
    for model in models("cnn-max"):
        for text in (*KNOWN, REPEATED, READ[6]):
            expected, begin = np.zeros((3, len(windows_of(model, cast(str, text), 1)[1]))), 0
            for width in model.widths:
                z, ids = windows_of(model, cast(str, text), width)
                for f in range(z.shape[1]):
                    winner = next(t for t in range(len(z)) if z[t, f] >= z[:, f].max() - 1e-12)
                    for c in range(3):
                        value = max(model.weights_["output.weight"][c, begin + f], 0.0) * max(z[winner, f], 0.0)
                        for place in range(winner, min(winner + width, len(ids))):
                            expected[c, place] += value if ids[place] > 0 else 0.0
                begin += z.shape[1]
            answer = found(model, text, GradCAM())
            np.testing.assert_allclose(answer.relevance, expected, rtol=1e-11, atol=1e-12)
            assert not answer.exact


@pytest.mark.parametrize(
    ("variant", "method", "message"),
    [
        ("cnn-max", CAM(), r"^method 'cam' needs a CNNClassifier with pooling='mean'; got pooling='max'\. Use"),
        ("boe", CAM(), r"^method 'cam' needs a CNNClassifier, .*; got a BagOfEmbeddingsClassifier\. Use"),
        ("svm", GradCAM(), r"^method 'grad-cam' needs a CNNClassifier, .*; got a BagOfWordsClassifier\. Use"),
    ],
)
def test_a_map_of_activations_needs_a_convolutional_net(variant: str, method: Method, message: str) -> None:
    for text in (KNOWN[0], ""):
        with pytest.raises(ModelError, match=message):
            found(fitted(variant), text, method)


# ---- chance and occlusion


def test_random_depends_on_seed_class_name_and_text() -> None:
    model = fitted("boe", "float64")
    batch = model.encode([KNOWN[0], KNOWN[0]])
    maps = attribute(model, batch, 0, (0, 1, 2), Random())
    assert (np.abs(maps.relevance) <= 1).all()
    assert len({maps.relevance[k].tobytes() for k in range(3)}) == 3
    others = [
        attribute(model, batch, 1, (0,), Random()),
        attribute(model, batch, 0, (0,), Random(1)),
        attribute(model, model.encode([KNOWN[0] + " "]), 0, (0,), Random()),
    ]
    for other in others:
        assert not np.array_equal(other.relevance[0], maps.relevance[0])
    many = found(model, " ".join(["car"] * 4000), Random(), (0,)).relevance
    assert abs(many.mean()) < 0.05
    assert many.min() < -0.99 < 0.99 < many.max()


@each_variant
def test_occlusion_is_the_score_less_that_of_the_text_without_the_word(variant: str) -> None:
    for model in models(variant):
        for text in (*KNOWN, REPEATED, "xylophone the car quux the doctor"):
            words = text.split()
            whole = model.decision_function([text])[0]
            expected = []
            for t in range(len(words)):
                without = " ".join([*words[:t], "quux", *words[t + 1 :]])  # an unknown word
                expected.append(whole - model.decision_function([without])[0])
            np.testing.assert_allclose(
                found(model, text, Occlusion()).relevance, np.array(expected).T, rtol=1e-11, atol=1e-12
            )


# ---- lime


@pytest.mark.parametrize("variant", ["cnn-max", "svm"])
def test_lime_equals_limes_own_text_explainer(variant: str) -> None:
    model = fitted(variant, "float64")
    for text in (KNOWN[0], KNOWN[3], REPEATED):
        words = text.split()
        theirs = LimeTextExplainer(
            bow=False, mask_string="quux", split_expression=r"\s+", random_state=np.random.RandomState(4),
            feature_selection="none",
        ).explain_instance(text, model.decision_function, labels=(0, 1, 2), num_samples=80)  # fmt: skip
        answer = found(model, text, Lime(samples=80, seed=4))
        for c in range(3):
            weights = dict(theirs.local_exp[c])
            np.testing.assert_allclose(answer.relevance[c], [weights[t] for t in range(len(words))], atol=1e-9)
            assert answer.ledger["words", "baseline"][c] == pytest.approx(theirs.intercept[c], abs=1e-9)


def test_lime_finds_the_weights_of_a_linear_bag_of_words() -> None:
    model = hand(linear_scores)
    for text in (KNOWN[0], "the zebra orbit of quux the moon"):
        batch = model.encode([text])
        weights = model.table[batch.ids[0]].T.numpy()
        answer = found(model, text, Lime(samples=2000))
        np.testing.assert_allclose(answer.relevance, weights, atol=0.05)
        for k in range(3):
            order = np.argsort(weights[k])
            clear = [(a, b) for a, b in pairwise(order.tolist()) if weights[k, b] - weights[k, a] > 0.05]
            assert clear
            assert all(answer.relevance[k, a] < answer.relevance[k, b] for a, b in clear)


# ---- shap


def owen_values(score: Callable[[Sequence[bool]], float], words: int) -> list[float]:
    """The contribution of each word, averaged over the orders that keep the halves of each group together."""

    def orders(begin: int, end: int) -> Iterator[list[int]]:
        if end - begin == 1:
            yield [begin]
            return
        middle = (begin + end) // 2
        for left in orders(begin, middle):
            for right in orders(middle, end):
                yield left + right
                yield right + left

    total, count = [0.0] * words, 0
    for order in orders(0, words):
        here = [False] * words
        for word in order:
            before = score(here)
            here[word] = True
            total[word] += score(here) - before
        count += 1
    return [value / count for value in total]


@pytest.mark.slow
def test_shap_gives_owen_values_with_enough_samples() -> None:
    for model in models("cnn-max", seeds=2):
        for text in ("the car needs oil now", "the doctor quux fever", "engine", "engine oil"):
            batch = model.encode([text])
            known = np.flatnonzero(batch.ids[0]).tolist()

            def score(here: Sequence[bool], batch: Batch = batch, known: Any = known, model: Any = model) -> float:
                keep = np.ones((1, len(batch.ids[0])), dtype=bool)
                keep[0, known] = here
                return float(model.scores(batch, keep=keep)[0, 1])

            expected = np.zeros(len(batch.ids[0]))
            expected[known] = owen_values(score, len(known))
            answer = found(model, text, Shap(samples=1000))
            np.testing.assert_allclose(answer.relevance[1], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@each_variant
def test_shap_sums_to_the_score_minus_that_of_the_empty_text_for_any_samples(variant: str) -> None:
    drawn = drawn_so_far()
    for model in models(variant, seeds=2):
        batch = model.encode(READ)
        scores, nothing = model.scores(batch), model.scores(batch, keep=np.zeros(batch.ids.shape, dtype=bool))
        for n in range(len(batch)):
            for method in (Shap(samples=4), Shap(samples=50), Shap(samples=50, seed=1)):
                answer = attribute(model, batch, n, (0, 1, 2), method)
                check_sum(answer, scores[n], 1e-12)
                np.testing.assert_allclose(answer.ledger["words", "baseline"], nothing[n], atol=1e-12)
                assert not answer.relevance[:, batch.ids[n, : batch.lengths[n]] == 0].any()
                again = attribute(model, batch, n, (0, 1, 2), method)
                assert answer.relevance.tobytes() == again.relevance.tobytes()
    assert drawn_so_far() == drawn
    whys = explain(fitted(variant), READ[:4], target=[("space", "autos"), *NAMES], method=SHAP)
    for why in whys:
        np.testing.assert_allclose(why.relevance[0], why.relevance[3] - why.relevance[1], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_shap_finds_the_weights_of_a_linear_bag_of_words() -> None:
    model = hand(linear_scores)
    batch = model.encode([KNOWN[3]])
    answer = found(model, KNOWN[3], Shap(samples=400))
    np.testing.assert_allclose(answer.relevance, model.table[batch.ids[0]].T.numpy(), atol=1e-12)


@pytest.mark.slow
def test_shap_breaks_ties_by_its_seed() -> None:
    model = hand(linear_scores)
    car, the = model.encode(["car the"]).ids[0].tolist()
    model.table[car], model.table[the] = 3.0, 0.0
    text = "car the the the the the the car"  # both halves add the same; the samples are enough for one of them
    first = {seed: found(model, text, Shap(samples=6, seed=seed)).relevance.tobytes() for seed in range(8)}
    assert len(set(first.values())) > 1
    for seed, relevance in first.items():
        assert found(model, text, Shap(samples=6, seed=seed)).relevance.tobytes() == relevance


@every("words", [2, 3, 4, 5, 8, 13])
def test_the_tree_of_positions_halves_every_group(words: int) -> None:
    tree = balanced_tree(words)
    assert tree.shape == (words - 1, 4)
    leaves = {node: [node] for node in range(words)}
    for row, (left, right, distance, size) in enumerate(tree):
        group = leaves[int(left)] + leaves[int(right)]
        assert group == list(range(group[0], group[0] + len(group)))
        assert len(leaves[int(right)]) - len(leaves[int(left)]) in (0, 1)
        assert size == distance == len(group)
        leaves[words + row] = group
    assert leaves[2 * words - 2] == list(range(words))


# ---- extras


@pytest.mark.parametrize(
    ("method", "module"), [(LIME, "lime.lime_base"), (SHAP, "shap.explainers"), (KernelShap(), "shap.explainers")]
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    method: Method, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(
        MissingExtraError,
        match=rf"^method '{method.name}' needs the package {package}, which is not installed\. "
        r"Run: pip install 'textlrp\[baselines\]'$",
    ):
        found(fitted("boe"), KNOWN[0], method)


def test_the_toy_model_has_the_methods_of_a_classifier() -> None:
    assert {"encode", "scores", "input_point"} <= set(dir(Classifier)) & set(dir(Hand))
