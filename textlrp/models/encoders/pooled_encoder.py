"""A sentence encoder, and a linear classifier on top of it, as one torch module: encoder, pooling, layers, scores.

Open it for how the vectors of the pieces of a text become one vector, also for a text of several windows.

Letters: N documents, M windows of documents, L pieces of a window, D dimensions, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn


class PooledEncoder(nn.Module):
    """Maps the pieces of texts to one vector (N, D) for each text.

    ``transformer`` returns the vectors (M, L, D) of the pieces as ``last_hidden_state``. ``modes`` are names of
    :data:`POOLINGS`; several are concatenated, as in sentence-transformers. ``layers`` are applied to the pooled
    vector: linear layers, activations and :class:`UnitLength`.

    The windows of a document are pooled one by one. ``layers`` are applied to the mean of their vectors, weighted by
    their numbers of pieces. For the mode "mean" this is the mean over all pieces of the document.
    """

    def __init__(self, transformer: nn.Module, modes: Sequence[str], layers: nn.Sequential) -> None:
        super().__init__()
        self.transformer = transformer
        self.modes = tuple(modes)
        self.layers = layers

    def extra_repr(self) -> str:
        """The poolings, for the representation of the module."""
        return f"modes={self.modes}"

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return the vectors (N, D) of documents of one window; all arguments are (N, L)."""
        return self.finish(self.pool(input_ids, attention_mask, token_type_ids))

    def pool(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return the pooled vectors (M, D) of windows; all arguments are (M, L)."""
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        result = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **more)
        states: Tensor = result.last_hidden_state
        inside = attention_mask.to(states.dtype)
        return torch.cat([_pool(states, inside, mode) for mode in self.modes], dim=1)

    def finish(self, pooled: Tensor) -> Tensor:
        """Apply the layers after the pooling to the pooled vectors (N, D) of documents."""
        vectors: Tensor = self.layers(pooled)
        return vectors


class EncoderScores(nn.Module):
    """A :class:`PooledEncoder` with a linear classifier on top: pieces (N, L) -> scores (N, C)."""

    def __init__(self, encoder: PooledEncoder, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.output = output

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return the scores (N, C); the arguments are those of :class:`PooledEncoder`."""
        scores: Tensor = self.output(self.encoder(input_ids, attention_mask, token_type_ids))
        return scores


class UnitLength(nn.Module):
    """Scale vectors (N, D) to length 1; a vector shorter than ``smallest`` stays shorter."""

    smallest = 1e-12

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scaled vectors (N, D)."""
        return nn.functional.normalize(vectors, dim=1, eps=self.smallest)


def linear_layer(weight: Any, bias: Any) -> nn.Linear:
    """Return a linear layer with these weights (C, D) and biases (C,), numpy arrays or tensors."""
    weight, bias = torch.as_tensor(weight), torch.as_tensor(bias)
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer.requires_grad_(False)


# ---- pooling: a weight for each piece of a window


def _mean(inside: Tensor) -> Tensor:
    return inside / inside.sum(dim=1, keepdim=True)


def _mean_by_root(inside: Tensor) -> Tensor:
    return inside / inside.sum(dim=1, keepdim=True).sqrt()


def _weighted_mean(inside: Tensor) -> Tensor:
    weights = inside * inside.cumsum(dim=1)
    return weights / weights.sum(dim=1, keepdim=True)


def _first_piece(inside: Tensor) -> Tensor:
    return inside * (inside.cumsum(dim=1) == 1)


def _last_piece(inside: Tensor) -> Tensor:
    return inside * (inside.cumsum(dim=1) == inside.sum(dim=1, keepdim=True))


LINEAR_POOLINGS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "mean": _mean,
        "mean_sqrt_len_tokens": _mean_by_root,
        "weightedmean": _weighted_mean,
        "cls": _first_piece,
        "lasttoken": _last_piece,
    }
)
"""The mask (M, L) of pieces, 1 or 0 -> their weights (M, L), by the names of sentence-transformers."""
POOLINGS = (*LINEAR_POOLINGS, "max")
"""The supported names of poolings."""


def _pool(states: Tensor, inside: Tensor, mode: str) -> Tensor:
    """The pooled vectors (M, D) of the vectors ``states`` (M, L, D) of the pieces."""
    if mode != "max":
        return (states * LINEAR_POOLINGS[mode](inside)[..., None]).sum(dim=1)
    winners = states.masked_fill(inside[..., None] == 0, float("-inf")).argmax(dim=1, keepdim=True)
    # a choice of the winners, so that relevance takes the same way in every engine: to the first of equals
    chosen = torch.zeros_like(states).scatter(1, winners, 1.0)
    return (states * chosen).sum(dim=1)
