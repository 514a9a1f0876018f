"""The fast engine on Hugging Face classifiers: it equals the recorded trace, and batches equal single texts."""

from __future__ import annotations

import pytest
import torch
from gradient_laws import all_classes, fast_pass, largest_difference, law_gap, of_document, on_tape
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.gradients import gradient_pass as engine
from textlrp.lrp.trace import Propagated

pytest.importorskip("transformers")
import tiny_transformers as tiny

pytestmark = [
    pytest.mark.transformers,
    pytest.mark.slow,
    # transformers builds position ids with a function that this version of torch has deprecated
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

PRESETS = ("cp-lrp", "attnlrp")
LOW_PRECISION = ("modernbert", "llama", "qwen2", "qwen3")
"""Models that convert some values to float32, whatever their dtype."""

MIXES_NEIGHBORS = ("convbert", "mobilebert")
"""Models whose scores change with the padding, because they read neighbors of a piece without a mask."""

NOT_KNOWN = ("xlnet",)
"""Models with an operation that only the recorded trace knows."""

CASES = [case for case in tiny.ATTENTION if case[0] not in NOT_KNOWN]


class Framed(nn.Module):
    """A classifier of the pieces (1, L) of one text; special tokens are added in its forward pass."""

    def __init__(self, model: nn.Module, before: list[int], after: list[int]) -> None:
        super().__init__()
        self.model = model
        self.before, self.after = (torch.tensor([ids], dtype=torch.long) for ids in (before, after))

    def forward(self, ids: Tensor) -> Tensor:
        whole = torch.cat([self.before.expand(len(ids), -1), ids, self.after.expand(len(ids), -1)], dim=1)
        return self.model(input_ids=whole, attention_mask=torch.ones_like(whole)).logits


def framed(name: str, attention: str) -> tuple[Framed, Tensor]:
    tokenizer = tiny.tiny_tokenizer(name)
    ids = tokenizer(tiny.TEXTS[0])["input_ids"]
    special = tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
    first, end = special.index(0), len(ids) - special[::-1].index(0)
    model = tiny.tiny_classifier(name, seed=3, attention=attention)
    return Framed(model, ids[:first], ids[end:]).eval(), torch.tensor([ids[first:end]])


def padded(name: str, texts: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The ids, the mask and the pieces (N, L) of a batch of texts."""
    tokenizer = tiny.tiny_tokenizer(name)
    batch = tokenizer(list(texts), return_tensors="pt", padding=True)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    special = [tokenizer.get_special_tokens_mask(row, already_has_special_tokens=True) for row in ids.tolist()]
    is_piece = (torch.tensor(special) == 0) & (mask == 1)
    return ids, mask, torch.where(is_piece, is_piece.cumsum(dim=1) - 1, -1)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("name", "attention"), CASES)
def test_engine_equals_recorded_trace(name: str, attention: str, preset: str) -> None:
    module, ids = framed(name, attention)
    forward = fast_pass(module, preset, ids)
    found = all_classes(forward)
    tolerance = 1e-6 if name in LOW_PRECISION else 1e-12
    assert law_gap(forward, found) < tolerance
    if name == "convbert" and preset == "attnlrp":  # the trace counts a bias that follows a layer as that layer's
        return
    assert largest_difference(found, on_tape(module, preset, ids)) < tolerance


def of_batch(model: nn.Module, preset: str, batch: tuple[Tensor, Tensor, Tensor]) -> Propagated:
    """The relevance of all classes for the ids, the mask and the pieces of a batch."""
    ids, mask, pieces = batch
    return all_classes(
        fast_pass(model, preset, ids, call=lambda: model(input_ids=ids, attention_mask=mask), pieces=pieces)
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("name", "attention"), CASES)
def test_batch_equals_single_texts(name: str, attention: str, preset: str, dtype: torch.dtype) -> None:
    if name in MIXES_NEIGHBORS or (name, attention) == ("modernbert", "eager"):
        pytest.skip("the scores of this model depend on the padding")
    model = tiny.tiny_classifier(name, seed=3, attention=attention, dtype=dtype)
    batch = padded(name, tiny.TEXTS)
    found = of_batch(model, preset, batch)
    tolerance = 5e-6 if name in LOW_PRECISION else 1e-6 if dtype == torch.float32 else 1e-12
    for n, mask in enumerate(batch[1]):
        alone = of_batch(model, preset, tuple(each[n : n + 1, mask == 1] for each in batch))
        whole = of_document(found, n, int(batch[2][n].max()) + 1)
        masks = {key: entry for key, entry in whole.ledger.items() if key not in alone.ledger}
        assert all(key[0].startswith(("add", "masked_fill")) and not entry.any() for key, entry in masks.items())
        assert largest_difference(whole, alone) < tolerance


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_forward_way_equals_backward_way(name: str, preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, ids = framed(name, "eager")
    forward = fast_pass(module, preset, ids)
    backward = all_classes(forward)
    monkeypatch.setattr(engine.GradientPass, "_forward_is_faster", lambda self, targets: True)
    assert largest_difference(all_classes(forward), backward) < (1e-6 if name in LOW_PRECISION else 1e-12)


@pytest.mark.parametrize(("name", "attention"), [case for case in CASES if case[1] == "sdpa"])
def test_both_implementations_of_attention_give_the_same(name: str, attention: str) -> None:
    for preset in PRESETS:
        (fused, ids), (eager, _) = framed(name, attention), framed(name, "eager")
        found, other = (all_classes(fast_pass(module, preset, ids)) for module in (fused, eager))
        assert torch.allclose(found.relevance, other.relevance, atol=1e-6 if name in LOW_PRECISION else 1e-12)


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_unknown_operations_stop_with_their_name(name: str) -> None:
    module, ids = framed(name, "eager")
    with pytest.raises(ModelError, match="einsum"):
        fast_pass(module, "cp-lrp", ids)
