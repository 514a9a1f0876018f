"""External torch modules, one for each kind of operation: word ids (1, T) -> scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WORDS, SIZE, CLASSES = 12, 6, 3


class Base(nn.Module):
    """An embedding; id 0 is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, SIZE, padding_idx=0)


class Branches(Base):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(SIZE, 4, width) for width in (1, 2, 3))
        self.out = nn.Linear(12, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids).transpose(1, 2)
        return self.out(torch.cat([F.relu(conv(x)).max(dim=2)[0] for conv in self.convs], dim=1))


class Images(Base):
    """The convolution of Kim 2014 over an image with one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1, 4, (width, SIZE)) for width in (2, 3))
        self.out = nn.Linear(8, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids).unsqueeze(1)
        x = [F.relu(conv(x)).squeeze(3) for conv in self.convs]
        x = [F.max_pool1d(part, part.size(2)).squeeze(2) for part in x]
        return self.out(torch.cat(x, 1))


class Stack(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Embedding(WORDS, SIZE),
            Swap(),
            nn.Conv1d(SIZE, 8, 3, stride=2, padding=2, groups=2),
            nn.LeakyReLU(),
            nn.MaxPool1d(2, stride=1),
            nn.Conv1d(8, 6, 2, dilation=2, padding="same", bias=False),
            nn.ELU(),
            nn.AdaptiveMaxPool1d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(12, CLASSES),
        )


class Swap(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class Residual(Base):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(SIZE, SIZE, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(SIZE)
        self.second = nn.Conv1d(SIZE, SIZE, 3, padding=1)
        self.last = nn.BatchNorm1d(SIZE)
        self.out = nn.Linear(SIZE, CLASSES)
        for norm in (self.norm, self.last):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids).permute(0, 2, 1)
        y = self.last(self.second(F.relu(self.norm(self.first(x)), inplace=True)))
        return self.out(F.relu(x + y).amax(-1))


class Norms(Base):
    """Normalizations that cannot be folded into a weighted layer, and averages."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Embedding(30, SIZE)
        self.inner = nn.LayerNorm(SIZE)
        self.batch = nn.BatchNorm1d(SIZE)
        nn.init.normal_(self.batch.running_mean)
        nn.init.normal_(self.inner.weight)
        nn.init.normal_(self.inner.bias)
        self.shrink = nn.AvgPool1d(2, padding=1)
        self.pool = nn.AdaptiveAvgPool1d(2)
        self.out = nn.Linear(3 * SIZE, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        mask = (ids != 0).unsqueeze(-1)
        x = self.embed(ids) * mask + self.places(torch.arange(ids.shape[1]))[None]
        x = torch.tanh(self.batch(self.inner(x).transpose(1, 2)))
        x = self.shrink(x)
        return self.out(torch.cat([self.pool(x).flatten(1), x.mean(-1)], dim=1))


class Gates(Base):
    """Gates, attention, a shared layer, a value read twice, arithmetic with constants, and a softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(SIZE, SIZE)
        self.gate = nn.Linear(SIZE, SIZE)
        self.attend = nn.Linear(SIZE, 1)
        self.matrix = nn.Parameter(torch.randn(SIZE, CLASSES))
        self.shift = nn.Parameter(torch.randn(CLASSES))
        self.unused = nn.Linear(SIZE, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = F.gelu(self.shared(self.embed(ids)))
        self.unused(x)
        g = torch.sigmoid(self.gate(x))
        x = g * self.shared(x) + (1 - g) * x
        scores = self.attend(x).squeeze(-1).masked_fill(ids == 0, -1e9)
        weights = torch.softmax(scores, dim=1)
        pooled = (weights.unsqueeze(-1) * x).sum(1) + torch.bmm(weights.unsqueeze(1), x).squeeze(1)
        y = 2.0 * (pooled - x[:, 0]) / 3
        y.add_(0.5)
        return torch.log_softmax(y @ self.matrix + self.shift, dim=-1)


class Bag(nn.Module):
    """An embedding bag and one output, which means two classes."""

    def __init__(self, mode: str = "mean", offsets: bool = False) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, SIZE, mode=mode, padding_idx=0)
        self.hidden = nn.Linear(SIZE, 4)
        self.out = nn.Linear(4, 1)
        self.offsets = offsets

    def forward(self, ids: Tensor) -> Tensor:
        bag = self.bag(ids.reshape(-1), torch.tensor([0])) if self.offsets else self.bag(ids)
        return torch.sigmoid(self.out(F.silu(self.hidden(bag)))).squeeze(-1)


class TwoTables(Base):
    """A static and a trained channel, padding in the forward pass, and top-k pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.static = nn.Embedding(WORDS, 4)
        self.conv = nn.Conv1d(SIZE + 4, 5, 3)
        self.out = nn.Linear(10, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        ids = F.pad(ids, (1, 1), value=0)
        x = torch.cat([self.embed(ids), self.static(ids)], dim=2).transpose(1, 2)
        x = F.pad(x, (0, 2))
        return self.out(F.relu(self.conv(x)).topk(2, dim=2).values.reshape(len(ids), -1))


class Reader(Base):
    """A recurrent layer with some of its options."""

    def __init__(self, kind: str = "LSTM", use: str = "last", packed: bool = False, **options: Any) -> None:
        super().__init__()
        layer: Callable[..., Any] = getattr(nn, kind)
        self.layer = layer(SIZE, 4, **options)
        self.use, self.packed = use, packed
        self.first = options.get("batch_first", False)
        self.out = nn.Linear(4 * (1 + self.layer.bidirectional), CLASSES)

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = self.embed(ids) if self.first else self.embed(ids).transpose(0, 1)
        if self.packed:
            lengths = torch.tensor([ids.shape[1]]) if lengths is None else lengths
            x = pack_padded_sequence(x, lengths, batch_first=self.first, enforce_sorted=False)
        out, state = self.layer(x)
        if self.packed:
            out, _ = pad_packed_sequence(out, batch_first=self.first)
        hidden = state[0] if isinstance(state, tuple) else state
        if self.use == "mean":
            return self.out(out.mean(1 if self.first else 0))
        if self.use == "cell":
            return self.out(torch.cat([*state[1]], dim=1))
        return self.out(torch.cat([*hidden[-(1 + self.layer.bidirectional) :]], dim=1))


FEEDFORWARD: dict[str, Callable[[], nn.Module]] = {
    "branches": Branches,
    "images": Images,
    "stack": Stack,
    "residual": Residual,
    "norms": Norms,
    "gates": Gates,
    "bag mean": Bag,
    "bag sum": lambda: Bag("sum", offsets=True),
    "bag max": lambda: Bag("max"),
    "two tables": TwoTables,
}
RECURRENT: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: Reader(batch_first=True),
    "bi-lstm packed": lambda: Reader(batch_first=True, bidirectional=True, packed=True),
    "two-layer lstm": lambda: Reader(num_layers=2, bidirectional=True, use="mean"),
    "lstm cell state": lambda: Reader(bias=False, use="cell"),
    "gru": lambda: Reader("GRU", batch_first=True, bidirectional=True),
    "gru packed": lambda: Reader("GRU", packed=True, use="mean"),
    "rnn": lambda: Reader("RNN", batch_first=True, num_layers=2),
    "rnn relu": lambda: Reader("RNN", nonlinearity="relu", use="mean"),
}
MODULES = FEEDFORWARD | RECURRENT


def made(name: str, seed: int = 0) -> nn.Module:
    """One of :data:`MODULES` in float64 with random weights, in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MODULES[name]().double()


def some_ids(length: int, seed: int = 0) -> Tensor:
    """Word ids (1, length), with repeated words and padding."""
    return torch.randint(0, WORDS, (1, length), generator=torch.Generator().manual_seed(seed))
