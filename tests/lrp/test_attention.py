"""Attention and its surroundings: two ways to write a net agree, and gradients with gates held constant agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import held_constant
import numpy as np
import pytest
import reference_attention as reference
import torch
import torch.nn.functional as F
from cases import every
from external_modules import CLASSES, SIZE, WORDS, Base
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import gap, trace_gap
from torch import Tensor, nn

from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded.record import record, recording
from textlrp.lrp.recorded.replaced_vectors import scores_with_vectors, squashes_in
from textlrp.lrp.trace import Propagated, Trace, one_hot_seed, propagate

IDS = torch.tensor([[3, 5, 2, 7, 5, 9]])
LENGTH, HEADS = IDS.shape[1], 2
RULES = ("cp-lrp", "attnlrp")
Forward = Callable[[Any, Tensor], Tensor]
Layers = Mapping[str, Callable[[], Any]]


class Net(Base):
    """Layers by name, and a forward pass given as a function of the net and the word vectors (1, T, D)."""

    def __init__(self, forward: Forward, layers: Layers) -> None:
        super().__init__()
        for name, make in layers.items():
            setattr(self, name, make())
        self.out = nn.Linear(SIZE, CLASSES)
        self.run = forward

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.run(self, self.embed(ids)).mean(1))


def net(forward: Forward, layers: Layers, seed: int = 0) -> Net:
    """Create a net in float64; biases and factors of normalization are random too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Net(forward, layers).double().eval()
        for name, parameter in made.named_parameters():
            if parameter.dim() == 1 or name.endswith("bias"):
                nn.init.normal_(parameter, mean=1.0 if name.endswith("weight") else 0.0, std=0.5)
    return made


def propagated(trace: Trace, rule: str, targets: Sequence[int] = (1,)) -> Propagated:
    return propagate(trace, PRESETS[rule], one_hot_seed(trace.scores, targets))


def relative(found: Propagated, difference: Any) -> float:
    """The largest |difference| (C, ...), relative to the relevance and the ledger of its class."""
    return max(
        gap(difference[k], found.relevance[k, 0], [float(entry[k, 0]) for entry in found.ledger.values()])
        for k in range(len(found.relevance))
    )


def by_cause(found: Propagated) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for (_, cause), entry in found.ledger.items():
        sums[cause] = sums.get(cause, 0) + entry[:, 0]
    return sums


# ---- two ways to write a net


def linears(*names: str) -> Layers:
    return {name: lambda: nn.Linear(SIZE, SIZE) for name in names}


PROJECTIONS = linears("query", "key", "value")


def by_hand(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, scale: float | None = None) -> Tensor:
    """softmax(scale q k^T + mask) v as separate operations."""
    scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale)
    return torch.softmax(scores if mask is None else scores + mask, dim=-1) @ v


def projected(n: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return n.query(x), n.key(x), n.value(x)


def heads(x: Tensor) -> Tensor:
    """(1, T, D) -> (1, heads, T, D / heads)."""
    return x.reshape(1, x.shape[1], HEADS, -1).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).reshape(1, x.shape[2], -1)


ALLOWED = torch.ones(LENGTH, LENGTH, dtype=torch.bool)
ALLOWED[:, 1] = ALLOWED[4, 2] = False
MASK = torch.zeros(LENGTH, LENGTH).double().masked_fill(~ALLOWED, -torch.inf)
BIASES = torch.linspace(-1, 1, LENGTH * LENGTH).reshape(LENGTH, LENGTH).double()
CAUSAL = torch.zeros(LENGTH, LENGTH).double().masked_fill(~torch.ones(LENGTH, LENGTH).tril().bool(), -torch.inf)
PADDING = torch.tensor([[False, False, False, True, False, True]])


class Twins(NamedTuple):
    """Two ways to write a net."""

    one: Forward
    other: Forward
    layers: Layers = PROJECTIONS


def sdpa(**options: Any) -> Forward:
    return lambda n, x: F.scaled_dot_product_attention(*projected(n, x), **options)


def handwritten(mask: Tensor | None = None, scale: float | None = None) -> Forward:
    return lambda n, x: by_hand(*projected(n, x), mask, scale)


def _one_row_masked(n: Any, x: Tensor) -> Tensor:
    """torch returns 0 for a query that may look at nothing."""
    rows = torch.arange(LENGTH)[:, None] != 2
    return torch.where(rows, by_hand(*projected(n, x)), 0.0)


def _grouped(n: Any, x: Tensor, attention: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """Two of four heads of the query share one of key and value."""
    q, k, v = (y.unflatten(-1, (-1, 3)).transpose(1, 2) for y in projected(n, x))
    return joined(attention(q, k, v))[..., :SIZE]


def _each_head_repeated(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return by_hand(q, k[:, [0, 0, 1, 1]], v[:, [0, 0, 1, 1]])


GROUPED = {"query": lambda: nn.Linear(SIZE, 12), **linears("key", "value")}

ATTENTION: dict[str, Twins] = {
    "sdpa": Twins(sdpa(), handwritten()),
    "sdpa, heads": Twins(
        lambda n, x: joined(F.scaled_dot_product_attention(*map(heads, projected(n, x)))),
        lambda n, x: torch.cat(
            [by_hand(*parts) for parts in zip(*(y.chunk(HEADS, -1) for y in projected(n, x)), strict=True)], -1
        ),
    ),
    "sdpa, scale": Twins(sdpa(scale=0.3), handwritten(scale=0.3)),
    "sdpa, bool mask": Twins(sdpa(attn_mask=ALLOWED), handwritten(MASK)),
    "sdpa, float mask": Twins(sdpa(attn_mask=MASK + BIASES), handwritten(BIASES + MASK)),
    "sdpa, causal": Twins(sdpa(is_causal=True), handwritten(CAUSAL)),
    "sdpa, a row that is masked": Twins(sdpa(attn_mask=torch.arange(LENGTH)[:, None] != 2), _one_row_masked),
    "sdpa, grouped heads": Twins(
        lambda n, x: _grouped(n, x, lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)),
        lambda n, x: _grouped(n, x, _each_head_repeated),
        GROUPED,
    ),
    "a mask added in place": Twins(
        lambda n, x: torch.softmax((n.query(x) @ n.key(x).mT).mul_(0.4).add_(MASK), -1) @ n.value(x),
        handwritten(MASK, 0.4),
    ),
    "a mask on the left": Twins(
        lambda n, x: torch.softmax(MASK + n.query(x) @ n.key(x).mT * 0.4, -1) @ n.value(x), handwritten(MASK, 0.4)
    ),
    "a mask that is subtracted": Twins(
        lambda n, x: torch.softmax(torch.sub(n.query(x) @ n.key(x).mT * 0.4, -MASK), -1) @ n.value(x),
        handwritten(MASK, 0.4),
    ),
    "a mask that is filled in": Twins(
        lambda n, x: (
            torch.softmax((n.query(x) @ n.key(x).mT * 0.4).masked_fill(~ALLOWED, torch.finfo(x.dtype).min), -1)
            @ n.value(x)
        ),
        handwritten(MASK, 0.4),
    ),
    "Einstein's sums": Twins(
        lambda n, x: torch.einsum(
            "bij,bjd->bid", torch.softmax(torch.einsum("bid,bjd->bij", n.query(x), n.key(x)), -1), n.value(x)
        ),
        handwritten(scale=1.0),
    ),
    "bmm and baddbmm": Twins(
        lambda n, x: torch.bmm(
            torch.softmax(torch.baddbmm(BIASES[None], n.query(x), n.key(x).mT, alpha=0.4), -1), n.value(x)
        ),
        handwritten(BIASES, 0.4),
    ),
    "baddbmm with beta": Twins(
        lambda n, x: (
            torch.softmax(torch.baddbmm(BIASES[None], n.query(x), n.key(x).mT, beta=0.5, alpha=0.4), -1) @ n.value(x)
        ),
        handwritten(BIASES * 0.5, 0.4),
    ),
    "addbmm and addmm": Twins(
        lambda n, x: (
            torch.softmax(torch.addmm(BIASES, n.query(x)[0], n.key(x)[0].mT), -1)
            @ torch.addbmm(n.value(x)[0], n.query(x).mT[:, :LENGTH], n.query(x), beta=1, alpha=0)
        )[None],
        handwritten(BIASES, 1.0),
    ),
    "matrices": Twins(
        lambda n, x: torch.mm(torch.softmax(n.query(x)[0].mm(n.key(x)[0].mT), -1), n.value(x)[0])[None],
        handwritten(scale=1.0),
    ),
    "attention pooling": Twins(
        lambda n, x: (torch.softmax(n.score(x), 1) * n.value(x)).sum(1, keepdim=True),
        lambda n, x: torch.softmax(n.score(x), 1).mT @ n.value(x),
        {**linears("value"), "score": lambda: nn.Linear(SIZE, 1)},
    ),
    "rotated": Twins(
        lambda n, x: by_hand(_rotated(n.query(x)), _rotated(n.key(x)), n.value(x)),
        lambda n, x: by_hand(_rotated_by_matrices(n.query(x)), _rotated_by_matrices(n.key(x)), n.value(x)),
    ),
    "relative positions": Twins(
        lambda n, x: by_hand(*projected(n, x), n.position_bias(_distances())[..., 0]),
        lambda n, x: by_hand(*projected(n, x), n.position_bias.weight[:, 0][_distances()].detach().clone()),
        {**PROJECTIONS, "position_bias": lambda: nn.Embedding(2 * LENGTH, 1)},
    ),
    "gathered positions": Twins(  # as DeBERTa: the scores of each query with the vectors of relative positions
        lambda n, x: _gathered(n, x, (n.query(x) @ n.positions.mT).gather(-1, _distances()[None])),
        lambda n, x: _gathered(n, x, torch.einsum("btd,tsd->bts", n.query(x), n.positions.detach()[_distances()])),
        {**PROJECTIONS, "positions": lambda: nn.Parameter(torch.randn(2 * LENGTH, SIZE))},
    ),
}


def _distances() -> Tensor:
    return torch.arange(LENGTH)[:, None] - torch.arange(LENGTH) + LENGTH


def _gathered(n: Any, x: Tensor, positions: Tensor) -> Tensor:
    return torch.softmax(n.query(x) @ n.key(x).mT + positions, -1) @ n.value(x)


ANGLES = torch.arange(LENGTH)[:, None] * torch.tensor([0.1, 0.7, 1.3]).double()


def _rotated(x: Tensor) -> Tensor:
    """Rotary embeddings (Su et al. 2021): dimension p and p + D/2 are rotated by an angle."""
    cos, sin = torch.cat([ANGLES, ANGLES], -1).cos(), torch.cat([ANGLES, ANGLES], -1).sin()
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


def _rotated_by_matrices(x: Tensor) -> Tensor:
    matrices = torch.zeros(LENGTH, SIZE, SIZE).double()
    for t in range(LENGTH):
        for p in range(3):
            cos, sin = math.cos(ANGLES[t, p]), math.sin(ANGLES[t, p])
            matrices[t, p, p], matrices[t, p + 3, p + 3] = cos, cos
            matrices[t, p, p + 3], matrices[t, p + 3, p] = -sin, sin
    return torch.einsum("tij,btj->bti", matrices, x)


# ---- torch's layers


def _multi_head(name: str = "layer", **options: Any) -> Layers:
    return {name: lambda: nn.MultiheadAttention(SIZE, HEADS, **options)}


def _called(batch_first: bool = False, **options: Any) -> Forward:
    def forward(n: Any, x: Tensor) -> Tensor:
        y = torch.tanh(x)
        inputs = (x, y, y) if batch_first else (x.transpose(0, 1), y.transpose(0, 1), y.transpose(0, 1))
        found, _ = n.layer(*inputs, **options)
        return found if batch_first else found.transpose(0, 1)

    return forward


def _from_its_weights(mask: Tensor | None = None) -> Forward:
    """nn.MultiheadAttention as separate operations; ``mask`` is added to the scores."""

    def forward(n: Any, x: Tensor) -> Tensor:
        layer, y = n.layer, torch.tanh(x)
        weights = (
            (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
            if layer.in_proj_weight is None
            else layer.in_proj_weight.split(SIZE)
        )
        biases = (None, None, None) if layer.in_proj_bias is None else layer.in_proj_bias.split(SIZE)
        q, k, v = (F.linear(z, w, b) for z, w, b in zip((x, y, y), weights, biases, strict=True))
        if layer.bias_k is not None:
            k, v = torch.cat([k, layer.bias_k.detach()], 1), torch.cat([v, layer.bias_v.detach()], 1)
        if layer.add_zero_attn:
            nothing = torch.zeros(1, 1, SIZE).double()
            k, v = torch.cat([k, nothing], 1), torch.cat([v, nothing], 1)
        parts = [by_hand(*each, mask) for each in zip(*(z.split(SIZE // HEADS, -1) for z in (q, k, v)), strict=True)]
        return layer.out_proj(torch.cat(parts, -1))

    return forward


_PADDED = torch.zeros(LENGTH, LENGTH).double().masked_fill(PADDING, -torch.inf)

MULTI_HEAD: dict[str, Twins] = {
    "plain": Twins(_called(), _from_its_weights(), _multi_head()),
    "batch first": Twins(_called(batch_first=True), _from_its_weights(), _multi_head(batch_first=True)),
    "without weights": Twins(_called(need_weights=False), _from_its_weights(), _multi_head()),
    "weights of each head": Twins(_called(average_attn_weights=False), _from_its_weights(), _multi_head()),
    "without biases": Twins(_called(), _from_its_weights(), _multi_head(bias=False)),
    "separate weights": Twins(_called(), _from_its_weights(), _multi_head(kdim=SIZE, vdim=SIZE)),
    "padding": Twins(_called(key_padding_mask=PADDING), _from_its_weights(_PADDED), _multi_head()),
    "a bool mask": Twins(_called(attn_mask=~ALLOWED), _from_its_weights(MASK), _multi_head()),
    "a float mask": Twins(_called(attn_mask=BIASES, need_weights=False), _from_its_weights(BIASES), _multi_head()),
    "both masks": Twins(
        _called(attn_mask=BIASES, key_padding_mask=_PADDED[:1]), _from_its_weights(BIASES + _PADDED), _multi_head()
    ),
    "a mask of each head": Twins(
        _called(attn_mask=BIASES.expand(HEADS, -1, -1)), _from_its_weights(BIASES), _multi_head()
    ),
    "causal": Twins(
        _called(attn_mask=CAUSAL, is_causal=True, need_weights=False), _from_its_weights(CAUSAL), _multi_head()
    ),
    "zero attention": Twins(_called(), _from_its_weights(), _multi_head(add_zero_attn=True)),
    "biases of key and value": Twins(
        _called(attn_mask=~ALLOWED),
        _from_its_weights(F.pad(MASK, (0, 2))),
        _multi_head(add_bias_kv=True, add_zero_attn=True),
    ),
    "one text without a batch": Twins(
        lambda n, x: n.layer(x[0], torch.tanh(x[0]), torch.tanh(x[0]), key_padding_mask=PADDING[0])[0][None],
        _from_its_weights(_PADDED),
        _multi_head(),
    ),
}


def _encoder(**options: Any) -> Layers:
    def make() -> nn.Module:
        layer = nn.TransformerEncoderLayer(SIZE, HEADS, 10, batch_first=True, **options)
        return nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(SIZE), enable_nested_tensor=not options)

    return {"encoder": make}


def _layer_by_layer(activation: Callable[[Tensor], Tensor], mask: Tensor | None = None) -> Forward:
    """nn.TransformerEncoder as separate operations."""

    def attention(layer: Any, x: Tensor) -> Tensor:
        q, k, v = F.linear(x, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=-1)
        return layer.out_proj(joined(by_hand(heads(q), heads(k), heads(v), mask)))

    def forward(n: Any, x: Tensor) -> Tensor:
        for layer in n.encoder.layers:
            if layer.norm_first:
                x = x + attention(layer.self_attn, layer.norm1(x))
                x = x + layer.linear2(activation(layer.linear1(layer.norm2(x))))
            else:
                x = layer.norm1(x + attention(layer.self_attn, x))
                x = layer.norm2(x + layer.linear2(activation(layer.linear1(x))))
        return n.encoder.norm(x)

    return forward


ENCODERS: dict[str, Twins] = {
    "post norm": Twins(lambda n, x: n.encoder(x), _layer_by_layer(F.relu), _encoder()),
    "pre norm": Twins(
        lambda n, x: n.encoder(x), _layer_by_layer(F.gelu), _encoder(norm_first=True, activation="gelu")
    ),
    "padding": Twins(
        lambda n, x: n.encoder(x, src_key_padding_mask=PADDING), _layer_by_layer(F.relu, _PADDED), _encoder()
    ),
    "a mask": Twins(lambda n, x: n.encoder(x, mask=CAUSAL), _layer_by_layer(F.relu, CAUSAL), _encoder()),
}  # fmt: skip


# ---- around attention


def _root_mean_square(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def _written_norm(n: Any, x: Tensor) -> Tensor:
    centered = x - x.mean(-1, keepdim=True)
    deviation = torch.sqrt(centered.pow(2).mean(-1, keepdim=True) + n.norm.eps)
    return centered / deviation * n.norm.weight.detach() + n.norm.bias.detach()


def _norm_by_variance(n: Any, x: Tensor) -> Tensor:
    inverse = 1 / (x.var(-1, unbiased=False, keepdim=True) + n.norm.eps) ** 0.5
    return n.norm.weight * ((x - x.mean(-1, keepdim=True)) * inverse) + n.norm.bias


def _tanh_gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


GATED = {"gate": lambda: nn.Linear(SIZE, SIZE), "up": lambda: nn.Linear(SIZE, SIZE)}
WIDE = {"wide": lambda: nn.Linear(SIZE, 2 * SIZE)}
NORM = {"norm": lambda: nn.LayerNorm(SIZE)}

AROUND: dict[str, Twins] = {
    "root mean square": Twins(
        lambda n, x: F.rms_norm(x, (SIZE,), n.weight, 1e-6),
        lambda n, x: n.weight * _root_mean_square(x),
        {"weight": lambda: nn.Parameter(torch.randn(SIZE))},
    ),
    "nn.RMSNorm": Twins(
        lambda n, x: n.norm(x), lambda n, x: _root_mean_square(x) * n.norm.weight,
        {"norm": lambda: nn.RMSNorm(SIZE, eps=1e-6)},
    ),
    "a written LayerNorm": Twins(lambda n, x: n.norm(x), _written_norm, NORM),
    "a LayerNorm by variance": Twins(lambda n, x: n.norm(x), _norm_by_variance, NORM),
    "length 1": Twins(
        lambda n, x: F.normalize(n.value(x), dim=-1),
        lambda n, x: n.value(x) / n.value(x).norm(dim=-1, keepdim=True).clamp(min=1e-12),
    ),
    "length 1 by squares": Twins(
        lambda n, x: F.normalize(n.value(x), dim=-1),
        lambda n, x: n.value(x) * (n.value(x) * n.value(x)).sum(-1, keepdim=True).rsqrt(),
    ),
    "length 1 by linalg": Twins(
        lambda n, x: F.normalize(n.value(x), dim=-1),
        lambda n, x: n.value(x) / torch.linalg.vector_norm(n.value(x), dim=-1)[..., None],
    ),
    "GELU": Twins(
        lambda n, x: F.gelu(n.value(x)),
        lambda n, x: _written_gelu(n.value(x)),
    ),
    "tanh GELU": Twins(
        lambda n, x: F.gelu(n.value(x), approximate="tanh"), lambda n, x: _tanh_gelu(n.value(x))
    ),
    "SiLU": Twins(
        lambda n, x: F.silu(n.value(x)), lambda n, x: (lambda y: y * torch.sigmoid(y))(n.value(x))
    ),
    "GEGLU": Twins(
        lambda n, x: n.up(x) * _written_gelu(n.gate(x)), lambda n, x: F.gelu(n.gate(x)) * n.up(x), GATED
    ),
    "SwiGLU of chunks": Twins(
        lambda n, x: (lambda a, b: F.silu(a) * b)(*n.wide(x).chunk(2, -1)),
        lambda n, x: (lambda y: F.silu(y[..., :SIZE]) * y[..., SIZE:])(n.wide(x)),
        WIDE,
    ),
    "GLU": Twins(
        lambda n, x: F.glu(n.wide(x)), lambda n, x: (lambda a, b: a * b.sigmoid())(*n.wide(x).chunk(2, -1)), WIDE
    ),
    "a mean with a mask": Twins(
        lambda n, x: (x * ~PADDING[..., None]).sum(1, keepdim=True) / (~PADDING).sum(1, keepdim=True),
        lambda n, x: x[:, ~PADDING[0]].mean(1, keepdim=True),
    ),
    "filled": Twins(
        lambda n, x: n.value(x).masked_fill(PADDING[..., None], 0.0), lambda n, x: n.value(x) * ~PADDING[..., None]
    ),
    "a tanh pooler": Twins(
        lambda n, x: torch.tanh(n.value(x[:, :1])), lambda n, x: torch.tanh(n.value(x).narrow(1, 0, 1))
    ),
}  # fmt: skip


def _written_gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


TWINS = {
    **{f"attention: {name}": twins for name, twins in ATTENTION.items()},
    **{f"nn.MultiheadAttention: {name}": twins for name, twins in MULTI_HEAD.items()},
    **{f"nn.TransformerEncoder: {name}": twins for name, twins in ENCODERS.items()},
    **AROUND,
}


@every("name", TWINS)
def test_two_ways_to_write_a_net_have_the_same_relevance(name: str) -> None:
    twins = TWINS[name]
    nets = [net(forward, twins.layers) for forward in (twins.one, twins.other)]
    traces = [record(each, IDS) for each in nets]
    torch.testing.assert_close(traces[0].scores, nets[0](IDS), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(traces[0].scores, traces[1].scores, rtol=1e-12, atol=1e-12)
    for rule in RULES:
        one, other = (propagated(trace, rule) for trace in traces)
        assert trace_gap(traces[0], one, [1]) < 1e-13  # relevance + absorbed is the score
        assert trace_gap(traces[1], other, [1]) < 1e-13
        assert relative(one, one.relevance[:, 0] - other.relevance[:, 0]) < 1e-12
        causes, others = by_cause(one), by_cause(other)
        for cause in causes.keys() | others.keys():
            if cause not in ("position", "bias"):  # a constant that is not looked up is a bias
                difference = causes.get(cause, torch.zeros(1)) - others.get(cause, torch.zeros(1))
                assert relative(one, difference) < 1e-12, cause


@every("name", [*(f"attention: {name}" for name in ATTENTION), *AROUND])
def test_relevance_is_gradient_x_input_with_gates_held_constant(name: str) -> None:
    """For CP-LRP also the decrease of the score without each word; for AttnLRP with halved gradients of products."""
    if name in ("GLU", "attention: a row that is masked"):  # the gate of glu() cannot be held by itself
        return
    module = net(TWINS[name].other, TWINS[name].layers)
    trace = record(module, IDS)

    def run() -> Tensor:
        scores: Tensor = module(IDS)
        return scores

    for rule in RULES:
        found = propagated(trace, rule, range(CLASSES))
        scores, expected = held_constant.relevance_of(module, module.embed.weight, run, halves=rule == "attnlrp")
        torch.testing.assert_close(scores, trace.scores[0], rtol=1e-12, atol=1e-12)
        assert relative(found, found.relevance[:, 0] - expected) < 1e-12
    found = propagated(trace, "cp-lrp", range(CLASSES))
    decreases = held_constant.occluded(module, module.embed.weight, run, LENGTH)
    assert relative(found, found.relevance[:, 0] - decreases) < 1e-12


# ---- the equations as plain loops


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans(), st.booleans())
def test_one_block_equals_the_equations(seed: int, length: int, masked: bool, halves: bool) -> None:
    generator = np.random.default_rng(seed)

    class Attention(Base):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(SIZE)
            self.query, self.key, self.value, self.out = (nn.Linear(SIZE, SIZE) for _ in range(4))
            self.head = nn.Linear(SIZE, CLASSES)
            self.mask = nn.Embedding(1, length * length)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            y = self.norm(x)
            biases = self.mask(torch.zeros(1, dtype=torch.long)).reshape(1, length, length)
            scores = 0.4 * (self.query(y) @ self.key(y).mT) + biases
            if masked:
                scores = scores.masked_fill(~torch.ones(length, length).tril().bool(), -torch.inf)
            return self.head((x + self.out(torch.softmax(scores, -1) @ self.value(y))).mean(1))

    module = Attention().double()
    for parameter in module.parameters():
        parameter.data = torch.tensor(generator.normal(size=parameter.shape))
    ids = torch.tensor(generator.integers(1, WORDS, (1, length)))
    trace = record(module, ids)
    found = propagated(trace, "attnlrp" if halves else "cp-lrp", range(CLASSES))
    values = {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}
    biases = values["mask.weight"].reshape(length, length).copy()
    if masked:
        biases[np.triu_indices(length, 1)] = -np.inf
    layers = {
        name: (values[f"{name}.weight"], values[f"{name}.bias"]) for name in ("query", "key", "value", "out", "head")
    }
    block = reference.Block(layers, values["norm.weight"], values["norm.bias"], 1e-5, 0.4, biases)
    for target in range(CLASSES):
        expected = reference.explain(block, values["embed.weight"][ids[0].numpy()], target, halves=halves)
        assert float(trace.scores[0, target]) == pytest.approx(expected.score, rel=1e-10)
        ledger = {key: float(entry[target, 0]) for key, entry in found.ledger.items()}
        ledger["mask", "position"] = ledger.pop(("add", "bias"), 0.0)
        size = expected.relevance, list(expected.ledger.values())
        assert gap(found.relevance[target, 0].numpy() - expected.relevance, *size) < 1e-10
        for key, entry in expected.ledger.items():
            assert gap(ledger[key] - entry, *size) < 1e-10, key


# ---- the end of the module


@every("end", [lambda scores: scores.softmax(-1), torch.sigmoid, lambda scores: F.log_softmax(scores, dim=1)])
def test_the_softmax_of_attention_is_not_taken_for_the_one_at_the_end(end: Callable[[Tensor], Tensor]) -> None:
    """Scores are those before the last softmax, and softmax operations within an attention function do not count."""

    class Probabilities(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net(lambda n, x: n.layer(x, x, x)[0] + sdpa()(n, x), {**_multi_head(), **PROJECTIONS})

        def forward(self, ids: Tensor) -> Tensor:
            return end(self.inner(ids))

    module = Probabilities()
    found = recording(module, IDS, module)
    torch.testing.assert_close(found.trace.scores, module.inner(IDS).detach(), rtol=1e-12, atol=1e-12)
    assert trace_gap(found.trace, propagated(found.trace, "attnlrp"), [1]) < 1e-13
    # other ways to run the module see an attention function as one operation
    assert found.squashes == squashes_in(module, IDS, module)
    assert found.squash is not None
    same = scores_with_vectors(module, IDS, module, lambda n, vectors, positions: vectors, found.squash.ordinal)
    torch.testing.assert_close(same.detach(), found.trace.scores, rtol=1e-12, atol=1e-12)
