"""Unmodified Hugging Face classifiers: the recorded trace agrees with gradients, occlusion and its own other ways."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded.record import record
from textlrp.lrp.recorded.untracked import check_all_tracked
from textlrp.lrp.trace import one_hot_seed, propagate

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
pytest.importorskip("transformers")

import transformer_agreement as agreement
from tiny_transformers import ARCHITECTURES, ATTENTION, TEXTS, tiny_classifier, tiny_tokenizer

pytestmark = pytest.mark.transformers


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_relevance_agrees_with_every_other_implementation(name: str) -> None:
    """Law 1, sdpa == eager, CP-LRP == held-constant gradient × input == occlusion, AttnLRP == halved gradients."""
    row = agreement.row(name, TEXTS[:1], seeds=1)
    headings = [*(opinion.heading for opinion in agreement.OPINIONS), "sdpa - eager"]
    assert (row[-1] is None) == (not ARCHITECTURES[name].sdpa)
    for heading, value in zip(headings, row, strict=True):
        assert value is None or value < 1e-12, heading


@pytest.mark.parametrize(("name", "attention"), ATTENTION)
def test_conversions_to_float32_inside_of_a_model_keep_the_law(name: str, attention: str) -> None:
    """Relevance + absorbed is the score to 1e-12, also where the model computes in float32 in between."""
    model = tiny_classifier(name, attention=attention)
    ids = torch.tensor([tiny_tokenizer(name)(TEXTS[1]).input_ids])
    trace = record(model, ids, forward=lambda ids: model(input_ids=ids).logits)
    torch.testing.assert_close(trace.scores, model(input_ids=ids).logits.detach(), rtol=0, atol=0)
    for rule in agreement.RULES:
        found = propagate(trace, PRESETS[rule], one_hot_seed(trace.scores, [0, 2]))
        absorbed = torch.stack([*found.ledger.values()])[..., 0]
        missing = found.relevance.sum(-1)[:, 0] + absorbed.sum(0) - trace.scores[0, [0, 2]]
        size = found.relevance.abs().sum(-1)[:, 0] + absorbed.abs().sum(0)
        assert float((missing.abs() / size).max()) < 1e-12


@pytest.mark.parametrize("name", ["bert", "distilbert", "deberta-v2", "roberta", "roformer"])
def test_padding_changes_nothing(name: str) -> None:
    model, tokenizer = tiny_classifier(name), tiny_tokenizer(name)
    ids = torch.tensor([tokenizer(TEXTS[0]).input_ids])

    def padded(ids: Tensor) -> Tensor:
        longer = torch.cat([ids, torch.full((1, 4), tokenizer.pad_token_id)], dim=1)
        mask = torch.cat([torch.ones_like(ids), torch.zeros(1, 4, dtype=torch.long)], dim=1)
        scores: Tensor = model(input_ids=longer, attention_mask=mask).logits
        return scores

    for rule in agreement.RULES:
        found = []
        for forward in (lambda ids: model(input_ids=ids).logits, padded):
            trace = record(model, ids, forward=forward)
            found.append(propagate(trace, PRESETS[rule], one_hot_seed(trace.scores, [1])))
            assert all(entry.isfinite().all() for entry in found[-1].ledger.values())
        torch.testing.assert_close(found[0].relevance, found[1].relevance, rtol=1e-10, atol=1e-13)


def test_the_ledger_of_bert_has_the_names_of_its_layers() -> None:
    model, ids = tiny_classifier("bert"), torch.tensor([tiny_tokenizer("bert")(TEXTS[0]).input_ids])

    def framed(inner: Tensor) -> Tensor:
        """The text without [CLS] and [SEP], which are put around it in the forward pass."""
        scores: Tensor = model(input_ids=torch.cat([ids[:, :1], inner, ids[:, -1:]], dim=1)).logits
        return scores

    trace = record(model, ids[:, 1:-1], forward=framed)
    found = propagate(trace, PRESETS["attnlrp"], one_hot_seed(trace.scores, range(3)))
    nonzero = {key for key, entry in found.ledger.items() if float(entry.abs().max()) > 1e-12}
    layer = [
        ("attention.self", "softmax"), ("attention.self.query", "bias"), ("attention.self.value", "bias"),
        ("attention.output.dense", "bias"), ("attention.output.LayerNorm", "bias"), ("intermediate.dense", "bias"),
        ("output.dense", "bias"), ("output.LayerNorm", "bias"),
    ]  # fmt: skip
    assert nonzero == {
        ("bert.embeddings.word_embeddings", "special"),
        ("bert.embeddings.position_embeddings", "position"),
        ("bert.embeddings.token_type_embeddings", "token type"),
        ("bert.embeddings.LayerNorm", "bias"),
        *((f"bert.encoder.layer.{n}.{part}", cause) for n in range(2) for part, cause in layer),
        ("bert.pooler.dense", "bias"),
        ("classifier", "bias"),
    }
    whole = record(model, ids, forward=lambda ids: model(input_ids=ids).logits)
    expected = propagate(whole, PRESETS["attnlrp"], one_hot_seed(whole.scores, range(3))).relevance[:, 0]
    torch.testing.assert_close(found.relevance[:, 0], expected[:, 1:-1], rtol=1e-10, atol=1e-13)
    special = found.ledger["bert.embeddings.word_embeddings", "special"][:, 0]
    torch.testing.assert_close(special, expected[:, 0] + expected[:, -1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ["bert", "modernbert", "gpt2"])
def test_a_model_is_the_same_before_and_after(name: str) -> None:
    model, ids = tiny_classifier(name), torch.tensor([tiny_tokenizer(name)(TEXTS[0]).input_ids])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    forward, hooks = torch.nn.LayerNorm.forward, sum(len(part._forward_hooks) for part in model.modules())
    model.train()
    record(model, ids, forward=lambda ids: model(input_ids=ids).logits)
    assert all(part.training for part in model.modules())
    assert torch.nn.LayerNorm.forward is forward
    assert sum(len(part._forward_hooks) for part in model.modules()) == hooks
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


@pytest.mark.parametrize(("name", "attention"), ATTENTION)
def test_no_value_escapes_the_trace(name: str, attention: str) -> None:
    model, ids = tiny_classifier(name, attention=attention), torch.tensor([tiny_tokenizer(name)(TEXTS[0]).input_ids])
    check_all_tracked(model, ids, lambda ids: model(input_ids=ids).logits)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "fnet": ({}, r"'fftn' in module 'fnet.encoder.layer.0.fourier.self' .* makes complex numbers"),
    "longformer": ({"attention_window": 4}, "no rule for the operation 'as_strided' in module 'longformer.encoder.*"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_architectures_are_refused_by_the_name_of_the_operation(name: str) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    options, message = REFUSED[name]
    config = AutoConfig.for_model(
        name, vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=66, **options,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config).double()
    with pytest.raises(ModelError, match=message):
        record(model, torch.arange(5, 13)[None], forward=lambda ids: model(input_ids=ids).logits)
