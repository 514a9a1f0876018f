"""The fast engine of transformers: its laws, the recorded trace as second opinion, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from cases import every
from gradient_laws import all_classes, fast_pass, largest_difference, law_gap, of_document, on_tape
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from textlrp.errors import ModelError
from textlrp.lrp.composite import Composite
from textlrp.lrp.gradients import gradient_pass as engine
from textlrp.lrp.gradients.document_axis import DocumentAxis, axis_of, reshaped_axis, sum_by_document
from textlrp.lrp.gradients.gradient_rules import GradientRules, gradient_rules
from textlrp.lrp.gradients.row_products import RowProducts
from textlrp.lrp.presets import as_composite
from textlrp.lrp.product_rules import Halves, SourceOnly
from textlrp.lrp.rules import Epsilon, Zero
from textlrp.lrp.trace import one_hot_seed

WIDTH, VOCABULARY, CLASSES = 8, 20, 3
PRESETS = ("cp-lrp", "attnlrp")


class Encoder(nn.Module):
    """An embedding, any body of (N, L, D) -> (N, L, D), and a head on the mean over the pieces."""

    def __init__(self, body: Callable[[Tensor], Tensor], *layers: nn.Module, classes: int = CLASSES) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(16, WIDTH)
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, classes)
        self.body = body

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embedding(ids) + self.positions(torch.arange(ids.shape[1]))
        x = self.norm(self.body(x) if mask is None else self.body(x, mask))  # type: ignore[call-arg]
        if mask is None:
            return self.head(x.mean(dim=1))
        counted = mask.unsqueeze(-1).to(x.dtype)
        return self.head((x * counted).sum(dim=1) / counted.sum(dim=1))


def random_weights(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5
    return module.eval()


def transformer(*, first: bool = False, activation: str = "gelu") -> Encoder:
    layer = nn.TransformerEncoderLayer(
        WIDTH, 2, 12, batch_first=True, norm_first=first, activation=activation, dropout=0.0
    )
    stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def body(x: Tensor, mask: Tensor | None = None) -> Tensor:
        return stack(x, src_key_padding_mask=None if mask is None else ~mask)

    return Encoder(body, stack)


def gated(first: nn.Linear, second: nn.Linear, activation: Callable[[Tensor], Tensor]) -> Encoder:
    return Encoder(lambda x: activation(first(x)) * second(x), first, second)


def attention_of(**options: object) -> Encoder:
    projections = [nn.Linear(WIDTH, WIDTH) for _ in range(3)]

    def body(x: Tensor) -> Tensor:
        q, k, v = (layer(x).view(*x.shape[:2], 2, -1).transpose(1, 2) for layer in projections)
        if options.get("enable_gqa"):
            k, v = k[:, :1], v[:, :1]
        return F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).reshape(x.shape)  # type: ignore[arg-type]

    return Encoder(body, *projections)


def masked_rows() -> Tensor:
    """A mask to add to scores: some are infinite, and all in one row are the smallest number."""
    mask = torch.zeros(5, 5, dtype=torch.float64).masked_fill(torch.ones(5, 5).triu(2) > 0, -torch.inf)
    mask[2] = torch.finfo(mask.dtype).min
    return mask


def attention_changed_in_place() -> Encoder:
    return Encoder(lambda x: F.scaled_dot_product_attention(*(x.unsqueeze(1),) * 3).mul_(2).squeeze(1))


def position_added_twice() -> Encoder:
    """A second addition of the same positions, to a value that a later operation reads too."""
    encoder = Encoder(lambda x: (x + encoder.positions(torch.arange(5))) + x * 3)
    return encoder


def root_mean_square(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + 1e-6)


def handwritten_gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.04 * x.pow(3))))


def in_place(x: Tensor) -> Tensor:
    x = x * 2
    x += 1
    x.relu_()
    return F.relu(x - 0.5, inplace=True)


def unmerged(x: Tensor) -> Tensor:
    """Documents merged with other axes, and transposed."""
    n, length, width = x.shape
    heads = x.view(n, length, 2, width // 2).permute(0, 2, 1, 3).reshape(n * 2, length, width // 2)
    weights = torch.softmax(torch.bmm(heads, heads.transpose(1, 2)), dim=-1)
    mixed = torch.bmm(weights, heads).view(n, 2, length, -1).transpose(1, 2).flatten(2)
    return (mixed.transpose(0, 1).reshape(length * n, width) * 2).view(length, n, width).transpose(0, 1)


def moves(x: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    turned = torch.cat([-right, left], dim=-1) * 0.5 + x[..., : x.shape[-1]]
    return F.pad(turned, (0, 0, 1, 0))[:, :-1].unsqueeze(1).expand(-1, 2, -1, -1).mean(dim=1)


BODIES: dict[str, Callable[[], Encoder]] = {
    "an empty part": lambda: Encoder(lambda x: torch.cat([x[..., :WIDTH] * 2, x[..., WIDTH:]], dim=-1)),
    "transformer after": transformer,
    "transformer before": lambda: transformer(first=True, activation="relu"),
    "attention": attention_of,
    "causal attention": lambda: attention_of(is_causal=True, scale=0.7),
    "masked attention": lambda: attention_of(attn_mask=torch.ones(5, 5, dtype=torch.bool).tril(1)),
    "attention with added mask": lambda: attention_of(
        attn_mask=torch.arange(25.0, dtype=torch.float64).view(5, 5) / 9
    ),
    "attention with masked rows": lambda: attention_of(attn_mask=masked_rows()),
    "softmax with masked rows": lambda: Encoder(
        lambda x: torch.softmax(x @ x.mT + masked_rows().clamp_min(torch.finfo(x.dtype).min), dim=-1) @ x
    ),
    "softmax with infinite scores": lambda: Encoder(lambda x: torch.softmax(x @ x.mT + masked_rows(), dim=-1) @ x),
    "attention changed in place": attention_changed_in_place,
    "position added twice": position_added_twice,
    "grouped attention": lambda: attention_of(enable_gqa=True),
    "swiglu": lambda: gated(nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), F.silu),
    "sigmoid gate": lambda: gated(nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), torch.sigmoid),
    "root mean square": lambda: Encoder(root_mean_square),
    "rms_norm": lambda: Encoder(lambda x: F.rms_norm(x, (WIDTH,))),
    "normalize": lambda: Encoder(lambda x: F.normalize(x, dim=-1)),
    "normalize, axes in a tuple": lambda: Encoder(lambda x: F.normalize(x, dim=(-1,))),
    "length": lambda: Encoder(lambda x: x / x.norm(dim=-1, keepdim=True).clamp_min(1e-9)),
    "handwritten gelu": lambda: Encoder(handwritten_gelu),
    "tanh, elu": lambda: Encoder(lambda x: F.elu(torch.tanh(x))),
    "in place": lambda: Encoder(in_place),
    "merged documents": lambda: Encoder(unmerged),
    "moves": lambda: Encoder(moves),
    "convolution": lambda: (lambda layer: Encoder(lambda x: layer(x.mT).mT, layer))(
        nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
    ),
    "first piece": lambda: Encoder(lambda x: x[:, 0:1] + x[:, 1].unsqueeze(1)),
    "addmm": lambda: Encoder(
        lambda x: torch.addmm(torch.arange(8.0).double(), x.view(-1, WIDTH), torch.eye(WIDTH).to(x) + 1).view(x.shape)
    ),
}
IDS = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [5, 8, 9, 7, 9]])


@pytest.mark.parametrize("preset", PRESETS)
@every("name", [name for name in BODIES if name != "merged documents"])
def test_engine_equals_recorded_trace(name: str, preset: str) -> None:
    module = random_weights(BODIES[name]())
    found = all_classes(fast_pass(module, preset, IDS[:1]))
    assert largest_difference(found, on_tape(module, preset, IDS[:1])) < 1e-12


@pytest.mark.parametrize("preset", PRESETS)
@every("name", BODIES)
def test_batch_equals_single_documents_and_relevance_plus_absorbed_is_score(name: str, preset: str) -> None:
    module = random_weights(BODIES[name]())
    together = fast_pass(module, preset, IDS)
    found = all_classes(together)
    assert torch.allclose(together.scores, module(IDS).detach(), atol=1e-12)
    assert law_gap(together, found) < 1e-12
    for n in range(len(IDS)):
        alone = all_classes(fast_pass(module, preset, IDS[n : n + 1]))
        assert largest_difference(of_document(found, n, IDS.shape[1]), alone) < 1e-12


@pytest.mark.parametrize("preset", PRESETS)
@every("first", [True, False])
def test_padding_changes_nothing(first: bool, preset: str) -> None:
    module = random_weights(transformer(first=first))
    lengths = [5, 3, 1]
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    pieces = torch.where(mask, torch.arange(5), -1)
    forward = fast_pass(module, preset, IDS, call=lambda: module(IDS, mask), pieces=pieces)
    found = all_classes(forward)
    for n, length in enumerate(lengths):
        ids = IDS[n : n + 1, :length]
        alone = all_classes(fast_pass(module, preset, ids))
        assert largest_difference(of_document(found, n, length), alone) < 1e-12


@pytest.mark.parametrize("preset", PRESETS)
def test_forward_way_equals_backward_way(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, body in BODIES.items():
        module = random_weights(body())
        forward = fast_pass(module, preset, IDS, pieces=torch.tensor([[0, -1, 1, 2, -1]] * 3))
        backward = all_classes(forward)
        monkeypatch.setattr(engine.GradientPass, "_forward_is_faster", lambda self, targets: True)
        assert largest_difference(all_classes(forward), backward) < 1e-12, name
        monkeypatch.undo()


def test_forward_way_is_taken_for_many_classes_of_a_short_text() -> None:
    module = random_weights(BODIES["attention"]())
    forward = fast_pass(module, "cp-lrp", IDS)
    assert forward._forward_is_faster(500)
    assert not forward._forward_is_faster(1)


def held_constant(module: Encoder, ids: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """gradient × input of a handwritten attention block with softmax, deviation and gelu(x) / x held constant."""
    query, key, value, up, down = module.layers
    vectors = module.embedding(ids).detach().requires_grad_()
    x = vectors + module.positions(torch.arange(ids.shape[1]))
    weights = torch.softmax(query(x) @ key(x).mT, dim=-1).detach()
    x = x + weights @ value(x)
    hidden = up(x)
    x = x + down(hidden * (F.gelu(hidden) / hidden).detach())
    centered = x - x.mean(dim=-1, keepdim=True)
    deviation = (centered.square().mean(dim=-1, keepdim=True) + module.norm.eps).sqrt().detach()
    score = module.head((centered / deviation * module.norm.weight + module.norm.bias).mean(dim=1))[0, target]
    (gradient,) = torch.autograd.grad(score, vectors)
    return (gradient * vectors).sum(dim=-1).detach(), score.detach()


def block() -> Encoder:
    query, key, value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
    up, down = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)

    def body(x: Tensor) -> Tensor:
        x = x + torch.softmax(query(x) @ key(x).mT, dim=-1) @ value(x)
        return x + down(F.gelu(up(x)))

    return Encoder(body, query, key, value, up, down)


def test_cp_lrp_is_gradient_times_input_with_held_constants() -> None:
    module = random_weights(block())
    found = all_classes(fast_pass(module, "cp-lrp", IDS[:1]))
    for target in range(CLASSES):
        expected, score = held_constant(module, IDS[:1], target)
        assert torch.allclose(
            found.relevance[target], expected, atol=1e-12 * float(expected.abs().sum() + score.abs())
        )


def test_halves_of_softmax_and_products_as_plain_loops() -> None:
    """AttnLRP of softmax(x x^T) x on a text of 2 pieces and 2 features, written as loops over numbers."""
    x = torch.tensor([[0.3, -1.2], [0.8, 0.5]], dtype=torch.float64)
    module = SimpleNamespace(weight=torch.tensor([[0.7, -0.4]], dtype=torch.float64))
    logits = x @ x.T
    weights = torch.softmax(logits, dim=-1)
    relevance = [[0.0, 0.0], [0.0, 0.0]]
    absorbed = 0.0
    for i in range(2):
        of_weight = [0.0, 0.0]
        for d in range(2):
            for j in range(2):
                half = weights[i, j] * x[j, d] * module.weight[0, d] / 2  # LRP-0 of a sum: each product its own
                relevance[j][d] += float(half)
                of_weight[j] += float(half)
        total = sum(of_weight)
        for j in range(2):
            passed = float(logits[i, j]) * (of_weight[j] - float(weights[i, j]) * total)
            absorbed += of_weight[j] - passed
            for d in range(2):
                share = float(x[i, d] * x[j, d]) / float(logits[i, j]) * passed
                relevance[i][d] += share / 2
                relevance[j][d] += share / 2

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding.from_pretrained(x)

        def forward(self, ids: Tensor) -> Tensor:
            v = self.embedding(ids)
            return F.linear((torch.softmax(v @ v.mT, dim=-1) @ v).sum(dim=1), torch.cat([module.weight] * 2))

    found = all_classes(fast_pass(Attention().eval(), "attnlrp", torch.tensor([[0, 1]])))
    assert torch.allclose(found.relevance[0, 0], torch.tensor([sum(row) for row in relevance], dtype=torch.float64))
    assert float(found.ledger["softmax", "softmax"][0, 0]) == pytest.approx(absorbed)


# ---- targets


def test_targets_together_equal_targets_alone_and_contrasts_are_differences() -> None:
    forward = fast_pass(random_weights(transformer()), "attnlrp", IDS)
    found = all_classes(forward)
    for target in range(CLASSES):
        alone = forward.propagate(one_hot_seed(forward.scores, [target]))
        assert torch.allclose(alone.relevance[0], found.relevance[target], atol=1e-13)
    contrast = forward.propagate(one_hot_seed(forward.scores, [(0, 2)]))
    assert torch.allclose(contrast.relevance[0], found.relevance[0] - found.relevance[2], atol=1e-13)
    for key, entry in contrast.ledger.items():
        assert torch.allclose(entry[0], found.ledger[key][0] - found.ledger[key][2], atol=1e-13)


def test_chunks_of_targets_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = fast_pass(random_weights(transformer()), "attnlrp", IDS)
    whole = all_classes(forward)
    monkeypatch.setattr(engine, "_CACHED_ELEMENTS", 1)
    assert largest_difference(all_classes(forward), whole) < 1e-14


def test_probabilities_at_the_end_are_left_out() -> None:
    module = random_weights(transformer())
    probable = fast_pass(module, "cp-lrp", IDS, call=lambda: torch.softmax(module(IDS), dim=-1))
    assert torch.allclose(probable.scores, module(IDS).detach())
    assert largest_difference(all_classes(probable), all_classes(fast_pass(module, "cp-lrp", IDS))) < 1e-14


def test_single_output_is_the_score_of_two_classes() -> None:
    module = random_weights(Encoder(lambda x: x, classes=1))
    forward = fast_pass(module, "cp-lrp", IDS)
    assert torch.allclose(forward.scores[:, 1], module(IDS)[:, 0].detach())
    found = all_classes(forward)
    assert law_gap(forward, found) < 1e-13
    assert torch.allclose(found.relevance[0], -found.relevance[1])


def test_score_of_zero_has_no_relevance() -> None:
    module = random_weights(Encoder(lambda x: x))
    module.head.weight.data[0], module.head.bias.data[0] = 0, 0
    found = all_classes(fast_pass(module, "cp-lrp", IDS))
    assert not found.relevance[0].any()
    assert found.relevance[1].any()


# ---- the module is left alone


@every("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_any_grad_mode_and_an_unchanged_module(mode: Callable[[], object]) -> None:
    module = random_weights(transformer()).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    expected = all_classes(fast_pass(module, "attnlrp", IDS))
    with mode():  # type: ignore[attr-defined]
        found = all_classes(fast_pass(module, "attnlrp", IDS))
    assert largest_difference(found, expected) == 0
    assert all(part.training for part in module.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())


# ---- what it refuses


def view_changed(x: Tensor) -> Tensor:
    x = x * 1
    x[:, 0].mul_(2)
    return x + 1


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "unknown": (lambda x: torch.special.i0(x), "'special_i0'.*does not know|'i0'.*does not know"),
    "complex": (lambda x: torch.fft.fft(x).real, "'fft'.*does not know"),
    "integers": (lambda x: x * x.long(), "'long'|makes integers"),
    "random": (lambda x: F.dropout(x, 0.5, training=True), "random"),
    "numbers": (lambda x: x * x.tolist()[0][0][0], "outside of torch"),
    "division": (lambda x: x / (x + 3), "divides by a value"),
    "documents": (lambda x: x + x.flip(0), "mixes the documents"),
    "mean of documents": (lambda x: x - x.mean(dim=0, keepdim=True), "mixes the documents"),
    "view": (view_changed, "changed in place through a view"),
    "softmax as value": (lambda x: torch.softmax(x, dim=-1), "softmax may only be"),
    "two values": (lambda x: x[:, :1] * x, "attnlrp"),
}


@every("name", REFUSED)
def test_what_cannot_be_propagated_stops_with_an_error(name: str) -> None:
    body, message = REFUSED[name]
    module = random_weights(Encoder(body))
    with pytest.raises(ModelError, match=message):
        all_classes(fast_pass(module, "cp-lrp", IDS))


def test_tensor_changed_after_it_was_saved_stops_with_an_error() -> None:
    def body(x: Tensor) -> Tensor:
        gate = torch.sigmoid(x)
        y = x * gate
        gate.mul_(0)
        return y

    with pytest.raises(ModelError, match="changed a tensor in place"):
        all_classes(fast_pass(random_weights(Encoder(body)), "cp-lrp", IDS))


# ---- parts of the engine


@every(
    "composite,products",
    [
        (as_composite("cp-lrp"), SourceOnly()),
        (as_composite("attnlrp"), Halves()),
        (as_composite("zero"), SourceOnly()),
        (as_composite("epsilon"), None),
        (Composite({"head": Zero()}, default=Zero()), None),
        (Composite({"product": Halves()}, default=Epsilon()), None),
    ],
)
def test_composites_that_the_engine_covers(composite: Composite, products: object) -> None:
    assert gradient_rules(composite) == (None if products is None else GradientRules(products))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_document_axis_follows_every_change_of_shape(data: st.DataObject) -> None:
    documents = data.draw(st.integers(2, 4))
    others = data.draw(st.lists(st.integers(1, 3), max_size=3))
    place = data.draw(st.integers(0, len(others)))
    shape = [*others[:place], documents, *others[place:]]
    axis = DocumentAxis(place - len(shape), 1, documents)
    index = axis.owners(shape, torch.device("cpu"))
    for merged in ([-1], [shape[0], -1], [-1, shape[-1]], [*shape, 1], [1, *shape]):
        again = index.reshape(merged)
        moved = reshaped_axis(axis, shape, again.shape)
        assert moved is not None
        assert torch.equal(moved.owners(again.shape, index.device), again)
        assert axis_of(again, documents) is not None


@every(
    "shape,axis",
    [
        ((2, 3, 4), DocumentAxis(-3, 1, 2)),
        ((6, 4), DocumentAxis(-2, 3, 2)),
        ((6, 4), DocumentAxis(-2, 1, 2)),
        ((3, 4), None),
    ],
)
def test_sum_by_document_as_plain_loops(shape: tuple[int, ...], axis: DocumentAxis | None) -> None:
    values = torch.randn(2, *shape, dtype=torch.float64)
    count = 1 if axis is None else axis.documents
    expected = torch.zeros(2, count, shape[-1], dtype=torch.float64)
    index = torch.zeros(shape, dtype=torch.long) if axis is None else axis.owners(shape, values.device)
    for k in range(2):
        for at in torch.cartesian_prod(*(torch.arange(size) for size in shape)).tolist():
            expected[k, index[tuple(at)], at[-1]] += values[k][tuple(at)]
    assert torch.allclose(sum_by_document(values, axis, keep=1), expected)
    assert torch.allclose(sum_by_document(values, axis), expected.sum(dim=-1))


def test_packed_products_equal_plain_products() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(40, 12, generator=generator), torch.randn(12, 7, generator=generator)
    packed = RowProducts(rows=10**6)
    for _ in range(2):
        assert torch.allclose(packed(rows, weight), rows @ weight, atol=1e-5)
    doubled = rows.double(), weight.double()
    assert torch.equal(packed(*doubled), torch.mm(*doubled))
