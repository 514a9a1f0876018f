"""Random small transformers of supported operations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, HEADS, WORDS = 8, 2, 12


class Block(nn.Module):
    """A random part of a transformer, (N, L, D) -> (N, L, D); ``mask`` (N, L) is True at pieces of the text."""

    def __init__(self, choose: torch.Generator) -> None:
        super().__init__()

        def one_of(*names: str) -> str:
            return names[int(torch.randint(len(names), (1,), generator=choose))]

        self.linear = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(6))
        self.scale = nn.Parameter(torch.ones(WIDTH))
        self.kind = one_of("sdpa", "eager", "grouped", "rotary", "feed", "gated", "multi-head", "convolution", "mean")
        self.norm = one_of("before", "after", "root mean square", "by hand", "none")
        self.masking = one_of("bool", "smallest", "infinite")
        self.activation: Callable[[Tensor], Tensor] = {
            "gelu": F.gelu, "relu": F.relu, "silu": F.silu, "tanh": torch.tanh, "softplus": F.softplus,
            "tanh gelu": lambda x: 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.04 * x.pow(3)))),
        }[one_of("gelu", "relu", "silu", "tanh", "softplus", "tanh gelu")]  # fmt: skip
        self.residual = one_of("plain", "scaled", "in place", "none")
        self.heads = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.convolution = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        inner = self.part(self.normalized(x) if self.norm in ("before", "root mean square", "by hand") else x, mask)
        if self.residual == "scaled":
            inner = x + inner * self.scale
        elif self.residual == "in place":
            inner = inner * 1.0
            inner += x
        elif self.residual == "plain":
            inner = x + inner
        return F.layer_norm(inner, (WIDTH,), self.scale, self.linear[0].bias) if self.norm == "after" else inner

    def normalized(self, x: Tensor) -> Tensor:
        if self.norm == "before":
            return F.layer_norm(x, (WIDTH,), self.scale, self.linear[0].bias)
        if self.norm == "root mean square":
            return self.scale * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))
        return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)

    def part(self, x: Tensor, mask: Tensor) -> Tensor:
        a, b, c, d, *_ = self.linear
        if self.kind == "feed":
            return b(self.activation(a(x)))
        if self.kind == "gated":
            return c(F.silu(a(x)) * b(x))
        if self.kind == "multi-head":
            return self.heads(x, x, x, key_padding_mask=~mask, need_weights=False)[0]
        counted = mask.unsqueeze(-1).to(x.dtype)
        if self.kind == "convolution":
            return self.convolution((x * counted).transpose(1, 2)).transpose(1, 2)
        if self.kind == "mean":
            return a((x * counted).sum(1, keepdim=True) / counted.sum(1, keepdim=True)).expand_as(x)
        q, k, v = (layer(x).view(*x.shape[:2], HEADS, -1).transpose(1, 2) for layer in (a, b, c))
        if self.kind == "rotary":
            angles = torch.arange(x.shape[1], dtype=x.dtype)[:, None] * 0.3
            q, k = (
                each * angles.cos() + torch.cat([-each[..., 2:], each[..., :2]], -1) * angles.sin() for each in (q, k)
            )
        if self.kind == "grouped":
            k, v = k[:, :1], v[:, :1]
        allowed = mask[:, None, None, :]
        low = torch.finfo(x.dtype).min if self.masking == "smallest" else -torch.inf
        added = torch.zeros(allowed.shape, dtype=x.dtype).masked_fill(~allowed, low)
        if self.kind == "eager":
            scores = q @ k.transpose(-2, -1) / 2
            scores = scores.masked_fill(~allowed, low) if self.masking == "bool" else scores + added
            mixed = torch.softmax(scores, -1) @ v
        else:
            mixed = F.scaled_dot_product_attention(
                q, k, v, allowed if self.masking == "bool" else added, enable_gqa=self.kind == "grouped"
            )
        return d(mixed.transpose(1, 2).reshape(x.shape))


class RandomTransformer(nn.Module):
    """Embeddings, two random blocks, a pooling and a head; id 0 is padding."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        choose = torch.Generator().manual_seed(seed)
        self.words, self.positions = nn.Embedding(WORDS, WIDTH), nn.Embedding(16, WIDTH)
        self.blocks = nn.ModuleList(Block(choose) for _ in range(2))
        self.shared = int(torch.randint(4, (1,), generator=choose)) == 0
        self.pooling = ("first", "mean", "tanh", "weights")[int(torch.randint(4, (1,), generator=choose))]
        self.in_place = bool(torch.randint(2, (1,), generator=choose))
        self.pool, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=choose, dtype=torch.float64) * 0.5
        self.eval()

    def forward(self, ids: Tensor) -> Tensor:
        mask, positions = ids != 0, self.positions(torch.arange(ids.shape[1]))
        x = self.words(ids)
        if self.in_place:
            x += positions
        else:
            x = x + positions
        for block in self.blocks:
            x = (self.blocks[0] if self.shared else block)(x, mask)
        counted = mask.unsqueeze(-1).to(x.dtype)
        if self.pooling == "weights":
            weights = torch.softmax(self.pool(x)[..., :1].masked_fill(~mask.unsqueeze(-1), -torch.inf), 1)
            return self.head((weights * x).sum(1))
        pooled = x[:, 0] if self.pooling in ("first", "tanh") else (x * counted).sum(1) / counted.sum(1)
        return self.head(torch.tanh(self.pool(pooled)) if self.pooling == "tanh" else pooled)
