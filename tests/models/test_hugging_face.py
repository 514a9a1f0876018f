"""Models of Hugging Face: the laws for every architecture, how texts are read, and errors in one sentence."""

from __future__ import annotations

import copy
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from laws import difference, score_gap

pytest.importorskip("transformers")

from tiny_transformers import ARCHITECTURES, LABELS, TEXTS, tiny_classifier, tiny_tokenizer
from transformers import BertConfig, BertModel, pipeline

import textlrp
from textlrp.errors import ModelError, OptionError
from textlrp.models.transformers.transformer_model import TransformerModel
from textlrp.records import Document, Status

pytestmark = pytest.mark.transformers

PRESETS = ("cp-lrp", "attnlrp")
SINGLE_INSIDE = ("modernbert", "llama", "qwen2", "qwen3")
"""Models that compute rotary embeddings or RMSNorm in float32, whatever the dtype of their weights."""
LONG = " ".join(TEXTS * 4)


def model_of(
    name: str = "bert", *, windows: bool = False, dtype: torch.dtype = torch.float64, **options: Any
) -> TransformerModel:
    found = textlrp.wrap(
        tiny_classifier(name, dtype=dtype, **options), tokenizer=tiny_tokenizer(name), windows=windows
    )
    assert isinstance(found, TransformerModel)
    return found


def test_a_tokenizer_that_is_changed_between_two_calls_is_read_anew() -> None:
    model, tokenizer = tiny_classifier("bert", dtype=torch.float64), copy.deepcopy(tiny_tokenizer("bert"))
    before = textlrp.explain(model, LONG, tokenizer=tokenizer)
    tokenizer.model_max_length = 16
    truncated = textlrp.explain(model, LONG, tokenizer=tokenizer)
    assert truncated.seen.sum() < before.seen.sum()
    tokenizer.backend_tokenizer.normalizer = None
    as_written = textlrp.wrap(model, tokenizer=tokenizer).encode([LONG.upper()])
    assert (
        as_written.text(0).tolist()
        != textlrp.wrap(model, tokenizer=tiny_tokenizer("bert"))
        .encode([LONG.upper()])
        .text(0)[: len(as_written.text(0))]
        .tolist()
    )


# ---- laws, for every architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_are_those_of_the_model_itself(name: str) -> None:
    model = model_of(name)
    scores = model.scores(model.encode(TEXTS))
    for text, found in zip(TEXTS, scores, strict=True):
        with torch.no_grad():
            own = model.module(**tiny_tokenizer(name)(text, return_tensors="pt")).logits[0]
        np.testing.assert_allclose(found, own, atol=1e-12)


@pytest.mark.parametrize("name", ARCHITECTURES)
@every("preset", PRESETS)
def test_relevance_plus_absorbed_is_score_and_a_batch_is_its_texts(name: str, preset: str) -> None:
    model = model_of(name)
    together = list(textlrp.explain(model, TEXTS, target="all", rule=preset))
    for text, found in zip(TEXTS, together, strict=True):
        assert score_gap(found) <= (1e-6 if name in SINGLE_INSIDE else 1e-12)
        alone = textlrp.explain(model, text, target="all", rule=preset)
        assert difference(alone, found) <= (1e-6 if name in SINGLE_INSIDE else 1e-9), text
        assert found.pieces is not None
        np.testing.assert_allclose(
            np.array([found.relevance[:, t] for t in found.pieces.words]).shape[0], len(found.pieces.forms)
        )


def test_padding_is_put_where_it_changes_nothing() -> None:
    for name, side in (("bert", "right"), ("roberta", "right"), ("xlnet", "left"), ("convbert", "none")):
        model = model_of(name)
        batch = model.encode(TEXTS)
        together = model.scores(batch)
        assert model._batches._side == side, name
        for n in range(len(batch)):
            np.testing.assert_allclose(together[n], model.scores(batch.select([n]))[0], atol=1e-12)


@pytest.mark.parametrize("name", ["bert", "roberta", "albert", "deberta-v2", "modernbert", "gpt2"])
@every("preset", PRESETS)
def test_the_fast_engine_is_the_recorded_trace(name: str, preset: str) -> None:
    fast, traced = model_of(name), model_of(name)
    traced._needs_trace = True
    for text in TEXTS[:3]:
        one, other = (textlrp.explain(model, text, target="all", rule=preset) for model in (fast, traced))
        assert not fast._needs_trace
        tolerance = 1e-6 if name in SINGLE_INSIDE else 1e-9
        assert difference(one, other) <= tolerance
        assert one.pieces is not None
        assert other.pieces is not None
        np.testing.assert_allclose(one.pieces.relevance, other.pieces.relevance, atol=tolerance)


@every("name", ["bert", "xlnet", "llama"])
def test_single_precision_is_near_double(name: str) -> None:
    single, double = model_of(name, dtype=torch.float32), model_of(name)
    for text in TEXTS:
        one, other = (textlrp.explain(model, text, target="all") for model in (single, double))
        assert one.relevance.dtype == np.float32
        assert score_gap(one) <= 3e-6
        assert difference(one, other) <= 1e-5


def test_a_contrast_is_the_difference_of_two_maps() -> None:
    model = model_of()
    both = textlrp.explain(model, TEXTS[0], target=["sports", "science", ("sports", "science")])
    np.testing.assert_allclose(both.relevance[2], both.relevance[0] - both.relevance[1], atol=1e-12)
    assert score_gap(both) <= 1e-12


# ---- reading


def test_words_have_the_sum_of_their_pieces() -> None:
    found = textlrp.explain(model_of(), TEXTS[1], target="all")
    pieces = found.pieces
    assert pieces is not None
    assert len(pieces.forms) > len(found.tokens)
    summed = np.zeros_like(found.relevance)
    np.add.at(summed.T, pieces.words, pieces.relevance.T)
    np.testing.assert_allclose(summed, found.relevance, atol=1e-12)
    for form, (start, end) in zip(pieces.forms, pieces.spans.tolist(), strict=True):
        assert found.text[start:end].lower() == form.removeprefix("##")


@every("windows", [False, True])
def test_long_texts(windows: bool) -> None:
    model = model_of(windows=windows)
    found = textlrp.explain(model, LONG, target="all")
    assert score_gap(found) <= 1e-12
    assert found.notes
    if windows:
        assert (found.status == Status.READ).all()
        assert "windows of at most 62 pieces" in found.notes[0]
        assert "at most 15 pieces" in found.notes[0]
    else:
        assert set(found.status.tolist()) == {Status.READ, Status.TRUNCATED}
        assert not found.relevance[:, found.status == Status.TRUNCATED].any()
        assert f"the last {int((found.status == Status.TRUNCATED).sum())} words were truncated" in found.notes[0]
        with torch.no_grad():
            tokenizer = tiny_tokenizer("bert")
            last = int(found.tokens.spans[found.status == Status.READ][-1, 1])
            own = model.module(**tokenizer(LONG[:last], return_tensors="pt")).logits[0]
        np.testing.assert_allclose(found.scores, own, atol=1e-12)


@every("preset", PRESETS)
def test_windows_are_means_over_texts_of_their_own(preset: str) -> None:
    """The equations as a plain loop: each window as a text, scores and relevance averaged."""
    model = model_of(windows=True)
    whole = textlrp.explain(model, LONG, target="all", rule=preset)
    batch = model.encode([LONG])
    (text,) = model._texts(batch, batch.texts())
    assert len(text.windows) > 3
    scores, relevance, absorbed = np.zeros(3), np.zeros_like(whole.relevance), np.zeros(3)
    for first, end in text.windows:
        words = text.word_of[first:end]
        spans = whole.tokens.spans[words[0] : words[-1] + 1]
        begin, stop = int(spans[0, 0]), int(spans[-1, 1])
        found = textlrp.explain(model, LONG[begin:stop], target="all", rule=preset)
        scores += found.scores / len(text.windows)
        absorbed += found.absorbed / len(text.windows)
        relevance[:, words[0] : words[-1] + 1] += found.relevance / len(text.windows)
    np.testing.assert_allclose(whole.scores, scores, atol=1e-12)
    np.testing.assert_allclose(whole.relevance, relevance, atol=1e-9)
    np.testing.assert_allclose(whole.absorbed, absorbed, atol=1e-9)


def test_many_windows_do_not_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(windows=True)
    held = textlrp.explain(model, LONG, target="all")
    monkeypatch.setattr("textlrp.models.transformers.window_passes.HELD", 0)
    assert difference(textlrp.explain(model, LONG, target="all"), held) <= 1e-12
    model._needs_trace = True
    assert difference(textlrp.explain(model, LONG, target="all"), held) <= 1e-9


@every("name", ["bert", "roberta", "xlm-roberta"])
def test_an_empty_text_has_the_score_of_the_special_tokens(name: str) -> None:
    model = model_of(name)
    skipped = Document("all", "From: me", skip=np.array([[0, 8]], dtype=np.int32))
    for text in ("", "  ", skipped):
        found = textlrp.explain(model, text, target="all")
        assert score_gap(found) <= 1e-12
        if text != "  ":
            assert not found.relevance.any()
    assert found.status.tolist() == [Status.SKIPPED] * len(found.tokens)


def test_an_empty_text_without_special_tokens_is_one_token_of_padding() -> None:
    model = model_of("gpt2")
    found = textlrp.explain(model, "", target="all")
    with torch.no_grad():
        ids = torch.tensor([[model.module.config.pad_token_id]])
        own = model.module(input_ids=ids).logits[0]
    np.testing.assert_allclose(found.scores, own, atol=1e-12)
    assert score_gap(found) <= 1e-12
    assert "one token of padding" in found.notes[0]
    model._needs_trace = True
    assert difference(textlrp.explain(model, "", target="all"), found) <= 1e-9


def test_unknown_words_are_named_in_a_note() -> None:
    found = textlrp.explain(model_of(), "the 😀 cat")
    assert any("no pieces for 1 word ('😀')" in note for note in found.notes)
    assert (found.status == Status.READ).all()


def test_unknown_words_are_named_as_written_and_not_at_full_length() -> None:
    found = textlrp.explain(model_of(), "ÉTÉ漢 " + "z" * 3000)
    (note,) = (note for note in found.notes if "no pieces" in note)
    assert "'漢'" in note
    assert "'" + "z" * 50 in note
    assert len(note) < 250
    assert "'STRAßE'" in textlrp.explain(model_of(), "STRAßE").notes[0]


def test_the_ledger_has_special_tokens_positions_and_token_types() -> None:
    found = textlrp.explain(model_of(), TEXTS[0], target="all")
    causes = {cause for _, cause in found.ledger}
    assert {"bias", "special", "position", "token type"} <= causes
    assert "softmax" in {cause for _, cause in textlrp.explain(model_of(), TEXTS[0], rule="attnlrp").ledger}


# ---- nothing left behind


def state_of(module: torch.nn.Module) -> dict[str, Any]:
    """Everything that an explanation could change, in values that are compared with ==."""
    state = module.state_dict(keep_vars=True)
    parts, parameters = list(module.modules()), list(module.parameters())
    return {
        "weights": [value.tolist() for value in state.values()],
        "identity": [(name, value._version, id(value)) for name, value in state.items()],
        "modes": [part.training for part in parts],
        "attributes": [sorted(vars(part)) for part in parts],
        "hooks": [
            len(part._forward_hooks) + len(part._forward_pre_hooks) + len(part._backward_hooks) for part in parts
        ],
        "gradients": [(parameter.grad, parameter.requires_grad) for parameter in parameters],
    }


@every("method", ["lrp", "gradient-x-input", "integrated-gradients", "occlusion"])
def test_the_model_is_the_same_afterwards(method: str) -> None:
    module = tiny_classifier("bert").train()
    module.bert.encoder.layer[0].eval()
    model = textlrp.wrap(module, tokenizer=tiny_tokenizer("bert"))
    before, layer_norm = state_of(module), torch.nn.LayerNorm.forward
    textlrp.explain(model, TEXTS[0], target="all", method=method)
    assert state_of(module) == before
    assert torch.nn.LayerNorm.forward is layer_norm


@every("dtype", [torch.float64, torch.bfloat16])
def test_threads_explain_one_model_in_training_mode(dtype: torch.dtype) -> None:
    module = tiny_classifier("bert", dtype=dtype, hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
    wrapped = [textlrp.wrap(module.train(), tokenizer=tiny_tokenizer("bert")) for _ in range(2)]
    expected = list(textlrp.explain(wrapped[0], TEXTS, target="all"))
    modes = [part.training for part in module.modules()]
    module.bert.register_forward_hook(lambda *_: time.sleep(0.001))  # so that other threads run in between
    texts = [n % len(TEXTS) for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda n: textlrp.explain(wrapped[n % 2], TEXTS[n], target="all"), texts)
        assert [difference(each, expected[n]) for n, each in zip(texts, found, strict=True)] == [0.0] * len(texts)
    assert [part.training for part in module.modules()] == modes


def test_training_mode_changes_nothing() -> None:
    module = tiny_classifier("bert", hidden_dropout_prob=0.5)
    how = {"tokenizer": tiny_tokenizer("bert"), "target": "all"}
    one = textlrp.explain(module.eval(), TEXTS[0], **how)
    other = textlrp.explain(module.train(), TEXTS[0], **how)
    assert difference(one, other) == 0.0


def test_inference_mode_changes_nothing() -> None:
    model = model_of()
    one = textlrp.explain(model, TEXTS[0])
    with torch.inference_mode():
        assert difference(textlrp.explain(model, TEXTS[0]), one) == 0.0


@every("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_explained_in_single_with_a_note(half: torch.dtype) -> None:
    module = tiny_classifier("bert", dtype=half)
    how = {"tokenizer": tiny_tokenizer("bert"), "target": "all"}
    found = textlrp.explain(module, TEXTS[0], **how)
    same = textlrp.explain(copy.deepcopy(module).float(), TEXTS[0], **how)
    assert found.relevance.dtype == np.float32
    assert difference(found, same) == 0.0
    assert any(str(half).removeprefix("torch.") in note for note in found.notes)
    assert not same.notes
    assert module.dtype == half


def test_double_precision_on_request() -> None:
    model = model_of(dtype=torch.float32)
    found = textlrp.explain(model, TEXTS[0], target="all", dtype="float64")
    assert found.relevance.dtype == np.float64
    assert score_gap(found) <= 1e-12
    half = model_of(dtype=torch.bfloat16)
    (note,) = textlrp.explain(half, TEXTS[0], dtype="float64").notes
    assert note.endswith("were computed in float32, or in the dtype that was passed.")


# ---- the fingerprint


def test_the_fingerprint_changes_with_weights_classes_and_tokenizer_only() -> None:
    module = tiny_classifier("bert")
    tokenizer = tiny_tokenizer("bert")

    def fingerprint(**options: Any) -> str:
        return textlrp.wrap(module, tokenizer=tokenizer, **options).fingerprint_

    first = fingerprint()
    assert fingerprint() == first
    assert textlrp.wrap(copy.deepcopy(module), tokenizer=tokenizer).fingerprint_ == first
    assert fingerprint(windows=True) != first
    assert fingerprint(classes=[1, 2, 3]) != first
    with torch.no_grad():
        module.classifier.bias[0] += 1
    second = fingerprint()
    assert second != first
    module.classifier.bias.data.mul_(2)  # torch does not count a change through data
    assert fingerprint() not in (first, second)


def test_weights_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from textlrp.models.torch_module import module_digest

    module = tiny_classifier("bert")
    calls = []
    computed = module_digest._computed
    monkeypatch.setattr(module_digest, "_computed", lambda *args: calls.append(1) or computed(*args))
    for text in TEXTS[:3]:
        textlrp.explain(module, text, tokenizer=tiny_tokenizer("bert"))
    assert len(calls) == 1


# ---- labels and probabilities


def test_labels_are_those_of_the_configuration_or_given() -> None:
    module, tokenizer = tiny_classifier("bert"), tiny_tokenizer("bert")
    assert textlrp.wrap(module, tokenizer=tokenizer).classes_.tolist() == list(LABELS)
    assert textlrp.wrap(module, tokenizer=tokenizer, classes=[10, 20, 30]).classes_.tolist() == [10, 20, 30]
    with pytest.raises(OptionError, match="classes must have one label for each score; got 2 labels for 3 scores"):
        textlrp.wrap(module, tokenizer=tokenizer, classes=["a", "b"])
    with pytest.raises(OptionError, match="at least two different labels"):
        textlrp.wrap(module, tokenizer=tokenizer, classes=["a", "a", "b"])
    found = textlrp.explain(module, TEXTS[0], tokenizer=tokenizer)
    np.testing.assert_allclose(found.probabilities, torch.softmax(torch.tensor(found.scores), 0), atol=1e-12)


def test_a_model_of_many_labels_has_a_probability_for_each() -> None:
    model = model_of(problem_type="multi_label_classification")
    found = textlrp.explain(model, TEXTS[0], target="all")
    np.testing.assert_allclose(found.probabilities, torch.sigmoid(torch.tensor(found.scores)), atol=1e-12)


def test_regression_is_refused_or_two_classes() -> None:
    module, tokenizer = (
        tiny_classifier("bert", num_labels=1, id2label={0: "f"}, label2id={"f": 0}),
        tiny_tokenizer("bert"),
    )
    with pytest.raises(ModelError, match=r"must have two or more classes; it has one output \(regression\)"):
        textlrp.wrap(module, tokenizer=tokenizer)
    found = textlrp.explain(
        textlrp.wrap(module, tokenizer=tokenizer, classes=["low", "high"]), TEXTS[0], target="all"
    )
    assert found.scores[0] == -found.scores[1]
    assert score_gap(found) <= 1e-12
    assert found.probabilities is not None
    assert found.probabilities.sum() == pytest.approx(1)
    several = model_of(problem_type="regression")
    assert textlrp.explain(several, TEXTS[0]).probabilities is None


# ---- what users pass


def test_a_pipeline_has_its_own_tokenizer() -> None:
    module, tokenizer = tiny_classifier("bert"), tiny_tokenizer("bert")
    classify = pipeline("text-classification", model=module, tokenizer=tokenizer, device="cpu")
    found = textlrp.explain(classify, TEXTS[0])
    assert difference(found, textlrp.explain(module, TEXTS[0], tokenizer=tokenizer)) == 0.0
    assert found.labels[found.predicted] == classify(TEXTS[0])[0]["label"]


def test_wrappers_of_a_model_are_explained_as_the_model() -> None:
    module, how = tiny_classifier("bert"), {"tokenizer": tiny_tokenizer("bert"), "target": "all"}

    class PeftModel(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base_model, self.config = module, module.config

        def get_base_model(self) -> torch.nn.Module:
            return self.base_model

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return self.base_model(*args, **kwargs)

    PeftModel.__module__ = "peft.peft_model"
    compiled, expected = torch.compile(module, backend="eager"), textlrp.explain(module, TEXTS[0], **how)
    for wrapper in (compiled, torch.nn.DataParallel(compiled), PeftModel()):
        found = textlrp.explain(wrapper, TEXTS[0], **how)
        assert (found.relevance == expected.relevance).all()
        assert score_gap(found) <= 1e-12


def test_an_error_of_the_model_is_one_sentence() -> None:
    class Single(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.dtype != torch.float32:
                raise RuntimeError("expected Float\nat line 3")
            return super().forward(x)

    module = tiny_classifier("bert", dtype=torch.float32)
    module.classifier = Single(16, 3)
    model = textlrp.wrap(module, tokenizer=tiny_tokenizer("bert"))
    assert score_gap(textlrp.explain(model, TEXTS[0])) <= 1e-6
    with pytest.raises(
        ModelError, match="BertForSequenceClassification raised an error: RuntimeError: expected Float"
    ):
        textlrp.explain(model, TEXTS[0], dtype="float64")
    with pytest.raises(ModelError, match="raised an error: RuntimeError: expected Float"):
        textlrp.explain(textlrp.wrap(module.double(), tokenizer=tiny_tokenizer("bert")), TEXTS[0], method="occlusion")


def test_attention_that_cannot_be_observed_is_refused() -> None:
    module = tiny_classifier("bert")
    module.set_attn_implementation("flex_attention")
    with pytest.raises(ModelError, match=r"must be 'sdpa' or 'eager', .* got 'flex_attention'. Call model\.set_attn"):
        textlrp.explain(module, TEXTS[0], tokenizer=tiny_tokenizer("bert"))


def test_other_pipelines_and_runtimes_are_refused() -> None:
    module, tokenizer = tiny_classifier("bert"), tiny_tokenizer("bert")
    zero_shot = pipeline("zero-shot-classification", model=module, tokenizer=tokenizer, device="cpu")
    with pytest.raises(ModelError, match="for text classification; got a ZeroShotClassificationPipeline"):
        textlrp.explain(zero_shot, TEXTS[0])

    class OptimizedModel:
        def __call__(self, **inputs: Any) -> None:
            raise AssertionError

    OptimizedModel.__module__ = "optimum.modeling_base"
    with pytest.raises(ModelError, match=r"must be a PyTorch model, .* method='occlusion'"):
        textlrp.explain(OptimizedModel(), TEXTS[0], tokenizer=tokenizer)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor")
def test_quantized_models_are_refused_except_for_methods_without_gradients() -> None:
    module = tiny_classifier("bert", dtype=torch.float32)
    module = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear}, dtype=torch.qint8)
    model = textlrp.wrap(module, tokenizer=tiny_tokenizer("bert"))
    for dtype in (None, "float64"):
        with pytest.raises(ModelError, match=r"must have floating-point weights; .* is quantized") as refused:
            textlrp.explain(model, TEXTS[0], dtype=dtype)
        assert "passes" not in str(refused.value)
    assert score_gap(textlrp.explain(model, TEXTS[0], method="occlusion")) <= 1e-6
    plain = tiny_classifier("bert", dtype=torch.float32)
    plain.classifier.weight = torch.nn.Parameter(torch.ones(3, 16, dtype=torch.int8), requires_grad=False)
    with pytest.raises(ModelError, match=r"its 'classifier' \(Linear\) is quantized"):
        textlrp.explain(plain, TEXTS[0], tokenizer=tiny_tokenizer("bert"))


def test_wrong_calls_are_refused_in_one_sentence() -> None:
    module, tokenizer = tiny_classifier("bert"), tiny_tokenizer("bert")
    with pytest.raises(
        OptionError, match="tokenizer must be the tokenizer of the BertForSequenceClassification; got None"
    ):
        textlrp.explain(module, TEXTS[0])
    with pytest.raises(OptionError, match="tokenizer must be the model's own tokenizer; got a method_descriptor"):
        textlrp.explain(module, TEXTS[0], tokenizer=str.split)
    with pytest.raises(OptionError, match="vocabulary must be left out"):
        textlrp.wrap(module, tokenizer=tokenizer, vocabulary={"a": 1})
    bare = BertModel(
        BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=99)
    )
    with pytest.raises(ModelError, match=r"model must classify texts; got a BertModel, .*EncoderClassifier"):
        textlrp.explain(bare, TEXTS[0], tokenizer=tokenizer)
    for name, value in (("tokenizer", tokenizer), ("windows", True)):
        with pytest.raises(OptionError, match=f"{name} must be left out for a BagOfWordsClassifier"):
            textlrp.explain(textlrp.BagOfWordsClassifier(), TEXTS[0], **{name: value})


# ---- methods and consumers


@every(
    "method", ["occlusion", "gradient-x-input", "integrated-gradients", "squared-gradient", "smoothgrad", "random"]
)
def test_other_methods(method: str) -> None:
    model = model_of()
    batch = list(textlrp.explain(model, [*TEXTS, ""], target="all", method=method))
    assert all(np.isfinite(each.relevance).all() for each in batch)
    if method == "integrated-gradients":
        assert max(map(score_gap, batch)) <= 1e-9


def test_occlusion_is_the_score_without_the_word() -> None:
    model = model_of()
    found = textlrp.explain(model, "the cat sat", target="all", method="occlusion")
    for t, rest in enumerate(("cat sat", "the sat", "the cat")):
        without = textlrp.explain(model, rest).scores
        np.testing.assert_allclose(found.relevance[:, t], found.scores - without, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    model = model_of(windows=True)
    batch = model.encode([LONG])
    point = model.input_point(batch, 0)
    np.testing.assert_allclose(point.forward(point.inputs[None]).detach()[0], model.scores(batch)[0], atol=1e-12)
    step = torch.zeros_like(point.inputs)
    step[3, 2] = 1e-5
    leaf = point.inputs[None].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(point.forward(leaf)[0, 1], leaf)
    with torch.no_grad():
        up, down = (point.forward((point.inputs + sign * step)[None])[0, 1] for sign in (1, -1))
    assert float(gradient[0, 3, 2]) == pytest.approx(float((up - down) / 2e-5), rel=1e-6)


@pytest.mark.slow
@every("method", ["Lime(samples=40)", "Shap(samples=40)", "KernelShap(samples=40)"])
def test_methods_of_other_packages(method: str) -> None:
    pytest.importorskip("lime")
    pytest.importorskip("shap")
    for name in ("bert", "gpt2"):
        found = textlrp.explain(model_of(name), "the cat sat on", target="all", method=method)
        assert score_gap(found) <= 1e-9


def test_a_wrapped_model_is_pickled() -> None:
    model = model_of()
    other = pickle.loads(pickle.dumps(model))
    assert other.fingerprint_ == model.fingerprint_
    assert difference(textlrp.explain(other, TEXTS[0]), textlrp.explain(model, TEXTS[0])) == 0.0


def test_an_operation_that_cannot_be_observed_is_refused() -> None:
    module = tiny_classifier("bert")
    layer = next(part for part in module.modules() if isinstance(part, torch.nn.Linear))
    layer.register_forward_hook(lambda _layer, _inputs, result: torch.func.vmap(lambda row: row * 2)(result) + result)
    with pytest.raises(ModelError, match="cannot observe"):
        textlrp.explain(module, TEXTS[0], tokenizer=tiny_tokenizer("bert"))
