"""Random small transformers of supported operations: the laws of both engines, and what must not be lost silently."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from cases import every
from gradient_laws import all_classes, fast_pass, largest_difference, law_gap, of_document, on_tape, sizes
from random_transformers import WIDTH, WORDS, RandomTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from textlrp.errors import ModelError
from textlrp.lrp.gradients.gradient_pass import GradientPass
from textlrp.lrp.presets import as_composite
from textlrp.lrp.recorded.record import record
from textlrp.lrp.recorded.untracked import check_observable
from textlrp.lrp.trace import one_hot_seed, propagate

PRESETS = ("cp-lrp", "attnlrp")


def check_laws(seed: int, preset: str) -> bool:
    """Check the laws of one random transformer; return False if both engines refuse it."""
    module = RandomTransformer(seed)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    lengths = [1 + (seed * 7 + n * 3) % 6 for n in range(3)]
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(1, WORDS, (1, length), generator=generator) for length in lengths]
    ids = torch.cat([F.pad(text, (0, max(lengths) - text.shape[1])) for text in texts])
    pieces = torch.where(ids != 0, torch.arange(ids.shape[1]), -1)
    try:
        forward = fast_pass(module, preset, ids, pieces=pieces)
        found = all_classes(forward)
    except ModelError:
        with pytest.raises(ModelError, match="attnlrp"):
            on_tape(module, preset, texts[0])
        return False
    assert law_gap(forward, found) < 1e-11
    one = forward.propagate(one_hot_seed(forward.scores, [1]))
    assert float(((one.relevance[0] - found.relevance[1]).abs().amax(-1) / sizes(found)[1]).max()) < 1e-12
    assert largest_difference(parts_of(forward), found) < 1e-11
    for n, text in enumerate(texts):
        alone = of_document(found, n, text.shape[1])
        assert largest_difference(alone, all_classes(fast_pass(module, preset, text))) < 1e-11
        assert largest_difference(alone, on_tape(module, preset, text)) < 1e-10
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    return True


def parts_of(forward: GradientPass) -> object:
    """The relevance of all classes by propagating from the pieces to the scores."""
    return forward._propagate_forward(forward._multipliers(one_hot_seed(forward.scores, range(3))))


@pytest.mark.slow
@every("preset", PRESETS)
def test_random_transformers_obey_the_laws(preset: str) -> None:
    explained = sum(check_laws(seed, preset) for seed in range(12))
    assert explained >= 8


# ---- what a module can do to a tensor that is needed again


def changed_factor(x: Tensor) -> Tensor:
    factor = torch.arange(1.0, 1 + WIDTH, dtype=x.dtype)
    y = x * factor
    factor += torch.arange(WIDTH)
    return y


def changed_weight(x: Tensor) -> Tensor:
    weight = torch.eye(WIDTH, dtype=x.dtype)
    y = F.linear(x, weight)
    weight[0] *= 2
    return y


def changed_mask(x: Tensor) -> Tensor:
    mask = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype)
    y = F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], mask)[:, 0]
    mask += torch.arange(x.shape[1])
    return y


def changed_places(x: Tensor) -> Tensor:
    places = torch.zeros(x.shape[1], 1, dtype=torch.bool)
    y = x.masked_fill(places, 0.0)
    places[0] = True
    return y


def inserted(x: Tensor) -> Tensor:
    constant = torch.arange(WIDTH, dtype=x.dtype)
    x = torch.cat([constant.expand(len(x), 1, -1), F.pad(x, (0, 0, 0, 1), value=0.7)], dim=1)
    return torch.where(torch.arange(x.shape[1])[:, None] == 2, constant, x)


def zeros(x: Tensor) -> Tensor:
    return F.softplus(x * (torch.arange(WIDTH) % 2)) + torch.sigmoid(x.masked_fill(torch.arange(WIDTH) == 3, 0.0))


def one_row_masks(x: Tensor) -> Tensor:
    mask = torch.zeros(x.shape[1], dtype=x.dtype)
    mask[0] = -torch.inf
    return torch.softmax(x @ x.mT * 0.3 + mask, -1) @ (x * 2)


def nothing_allowed(x: Tensor) -> Tensor:
    mask = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype)
    mask[1] = torch.finfo(x.dtype).min
    return torch.softmax(x @ x.mT * 0.3 + mask, -1) @ (x * 2)


class Around(nn.Module):
    """An embedding, a function, and a head on the mean over the pieces."""

    def __init__(self, body: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head, self.body = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, 3), body
        self.double()

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.body(self.embedding(ids)).mean(1))


IDS = torch.tensor([[3, 5, 7], [3, 2, 2]])
CHANGED = {each.__name__: each for each in (changed_factor, changed_weight, changed_mask, changed_places)}


@every("preset", PRESETS)
@every("name", CHANGED)
def test_a_constant_that_changes_later_is_refused_and_never_read_again(name: str, preset: str) -> None:
    module = Around(CHANGED[name])
    with pytest.raises(ModelError, match="changed a tensor in place"):
        fast_pass(module, preset, IDS)
    if name not in ("changed_factor", "changed_mask"):  # the trace has copies of the numbers of these
        with pytest.raises(ModelError, match="changed a tensor in place"):
            record(module, IDS[:1])
        return
    trace = record(module, IDS[:1])
    found = propagate(trace, as_composite(preset), one_hot_seed(trace.scores, range(3)))
    total = found.relevance.sum(-1) + sum(found.ledger.values())
    torch.testing.assert_close(total, trace.scores.T, rtol=1e-10, atol=1e-12)


@every("preset", PRESETS)
@pytest.mark.parametrize("body", [inserted, zeros, one_row_masks, nothing_allowed])
def test_constants_zeros_and_masks_are_in_the_ledger(body: Callable[[Tensor], Tensor], preset: str) -> None:
    module = Around(body)
    forward = fast_pass(module, preset, IDS)
    found = all_classes(forward)
    assert law_gap(forward, found) < 1e-12
    assert largest_difference(parts_of(forward), found) < 1e-12
    if body is not zeros:  # the trace has relevance that no input receives at the operation before
        assert largest_difference(of_document(found, 0, 3), on_tape(module, preset, IDS[:1])) < 1e-12


def test_a_softmax_without_axis_is_refused() -> None:
    module = Around(lambda x: F.softmax(x @ x.mT) @ x)
    with pytest.warns(UserWarning, match="Implicit dimension"), pytest.raises(ModelError, match="dim"):
        fast_pass(module, "cp-lrp", IDS)


def test_operations_that_cannot_be_observed_are_refused() -> None:
    hidden = Around(lambda x: torch.func.vmap(lambda row: row * 2)(x) + x)
    with pytest.raises(ModelError, match="cannot observe"):
        check_observable(hidden, IDS[:1], hidden)
    check_observable(Around(zeros), IDS[:1], Around(zeros))
