"""The networks as ordinary torch modules over token ids, and the inputs of gradient methods.

The modules consist of torch's own layers, so that autograd and other tools can read them. Tests compare them with
the closed form.

Letters: N texts, L words, D embedding dimensions, F filters, C classes, W windows, J features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.lrp.maps import Features
from textlrp.lrp.trace_steps import Linear, Routing
from textlrp.models.bagnet import BagNet
from textlrp.models.convnet import ConvNet, plain_weights
from textlrp.models.differentiable import InputPoint
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.text.batches import Batch

if TYPE_CHECKING:
    from textlrp.models.bow import BagOfWordsClassifier
    from textlrp.models.nets import NetClassifier

WeightedLayer = TypeVar("WeightedLayer", nn.Linear, nn.Conv1d)

TIE_ROUNDINGS = 64
"""Windows count as equal if their values differ by at most this many roundings of the largest value."""


class PlainConvNet(nn.Module):
    """The convolutional network made of ``Embedding``, ``Conv1d`` and ``Linear``: ids (N, L) -> scores (N, C).

    Id 0 is the unknown word. A text shorter than a window is padded to one window of that width. If the texts of a
    batch differ in length, pass ``lengths`` (N,), so that no window covers the padding behind a text.
    """

    def __init__(self, net: ConvNet) -> None:
        super().__init__()
        self.widths, self.pooling = net.widths, net.pooling
        table = net.table.clone()
        self.embedding = nn.Embedding.from_pretrained(table, padding_idx=0)  # type: ignore[no-untyped-call]
        for width in net.widths:
            layer = nn.Conv1d(net.table.shape[1], len(net.weights[f"conv{width}.bias"]), width, device="meta")
            self.add_module(
                f"conv{width}", _filled(layer, plain_weights(net.weights, width), net.weights[f"conv{width}.bias"])
            )
        self.output = _linear(net.weights["output.weight"], net.weights["output.bias"])

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the pre-softmax scores (N, C) of ids (N, L)."""
        return self.from_vectors(self.embedding(ids), lengths)

    def from_vectors(self, vectors: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the pre-softmax scores (N, C) of word vectors (N, L, D)."""
        across = vectors.transpose(1, 2)
        pooled = [self._pooled(across, width, lengths) for width in self.widths]
        scores: Tensor = self.output(torch.cat(pooled, dim=1))
        return scores

    def _pooled(self, vectors: Tensor, width: int, lengths: Tensor | None) -> Tensor:
        """Vectors (N, D, L) -> pooled features (N, F) of one width."""
        missing = max(0, width - vectors.shape[2])
        windows = self.get_submodule(f"conv{width}")(nn.functional.pad(vectors, (0, missing)))
        counts = None if lengths is None else (lengths - width + 1).clamp(min=1)
        inside = None if counts is None else torch.arange(windows.shape[2]) < counts[:, None, None]
        if self.pooling == "max":
            return torch.relu(first_of_the_largest(windows, inside))
        active = torch.relu(windows)
        if inside is None or counts is None:
            return active.mean(dim=2)
        return (active * inside).sum(dim=2) / counts[:, None]


def first_of_the_largest(windows: Tensor, inside: Tensor | None = None) -> Tensor:
    """Return the largest (N, F) of W windows (N, F, W), the first of equal ones; only windows ``inside`` count.

    A convolution may add the same products in another order at other positions, so that windows over the same words
    differ by rounding. Without the tolerance the gradient could go to any of them.
    """
    values = windows.detach()
    slack = values.abs().amax(dim=2, keepdim=True) * (TIE_ROUNDINGS * torch.finfo(values.dtype).eps)
    if inside is not None:
        values = values.masked_fill(~inside, -torch.inf)
    near = values >= values.amax(dim=2, keepdim=True) - slack
    return windows.gather(2, near.to(torch.int64).argmax(dim=2, keepdim=True))[:, :, 0]


class PlainBagNet(nn.Module):
    """The bag of embeddings made of ``EmbeddingBag`` and ``Linear``: ids (N, L) -> scores (N, C).

    Id 0 is the unknown word and padding. The weight of each occurrence is computed from the ids.
    """

    idf: Tensor

    def __init__(self, net: BagNet) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag.from_pretrained(net.table.clone(), mode="sum", padding_idx=0)
        self.output = _linear(net.weights["output.weight"], net.weights["output.bias"])
        self.register_buffer("idf", torch.from_numpy(net.idf.copy()))

    def forward(self, ids: Tensor) -> Tensor:
        """Return the pre-softmax scores (N, C) of ids (N, L)."""
        if not ids.shape[1]:  # EmbeddingBag does not accept texts without words
            ids = ids.new_zeros((len(ids), 1))
        weights = self.occurrence_weights(ids).to(self.bag.weight.dtype)
        scores: Tensor = self.output(self.bag(ids, per_sample_weights=weights))
        return scores

    def from_vectors(self, vectors: Tensor, weights: Tensor) -> Tensor:
        """Return the pre-softmax scores (N, C) of word vectors (N, L, D) and the weight of each occurrence (L,)."""
        scores: Tensor = self.output(weights.to(vectors.dtype) @ vectors)
        return scores

    def occurrence_weights(self, ids: Tensor) -> Tensor:
        """Return the weight (N, L) of each occurrence.

        A word weighs (1 + ln count) × idf, scaled to unit L2 norm over the distinct words of its text, and divided
        equally among its occurrences.
        """
        # in numpy, so that a tool that traces the module sees constants and the EmbeddingBag as only use of the ids
        return torch.from_numpy(np.stack([_occurrence_weights(row, self.idf.numpy()) for row in ids.numpy()]))


def net_point(model: NetClassifier, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
    """Return the word vectors of text ``n`` of a batch and the network over them, for gradient methods."""
    torch_dtype = TORCH_DTYPES[dtype or model.dtype]
    if "subwords" in model.weights_:
        return _subword_point(model, batch, n, dtype)
    ids = torch.from_numpy(batch.text(n).copy())
    weights = {name: torch.from_numpy(w).to(torch_dtype) for name, w in model.weights_.items() if name != "embedding"}
    vectors = torch.from_numpy(model.weights_["embedding"][ids.numpy()]).to(torch_dtype)
    # the module starts from word vectors, so that a table with the words of this text is enough
    module = torch_net(model._net(vectors, weights, model.vocabulary_)).requires_grad_(False)
    if isinstance(module, PlainConvNet):
        return InputPoint(vectors, module.from_vectors)
    occurrences = module.occurrence_weights(ids[None])[0]
    return InputPoint(vectors, lambda alternatives: module.from_vectors(alternatives, occurrences))


def _subword_point(model: Any, batch: Batch, n: int, dtype: str | None) -> InputPoint:
    """:func:`net_point` for a bag of embeddings that reads unknown words by their n-grams."""
    net, (ids,) = model.net_for_texts([batch.text(n)], dtype)
    module = PlainBagNet(net).requires_grad_(False)
    occurrences = module.occurrence_weights(torch.from_numpy(ids)[None])[0]
    return InputPoint(net.table[torch.from_numpy(ids)], lambda vectors: module.from_vectors(vectors, occurrences))


def bow_point(model: BagOfWordsClassifier, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
    """Return the nonzero TF-IDF values (J, 1) of text ``n`` of a batch and the linear layer, for gradient methods.

    ``to_words`` distributes the share of a feature as LRP does: equally over its occurrences, then over their words.
    """
    route, output = model.trace(batch.select([n]), dtype=dtype).steps
    assert isinstance(route, Routing)
    assert isinstance(output, Linear)
    assert isinstance(output.map, Features)
    entries = int(output.map.counts[0])
    values, weight, bias = output.map.values[0, :entries], output.map.weight[0, :entries], output.bias

    def forward(alternatives: Tensor) -> Tensor:
        return alternatives[..., 0] @ weight + bias

    def to_words(shares: Tensor) -> Tensor:
        return route.move(shares[:, None])[:, 0, : int(batch.lengths[n])]

    return InputPoint(values[:, None], forward, to_words)


# ---- parts


def torch_net(net: Any) -> PlainConvNet | PlainBagNet:
    """Return a network of textlrp as an ordinary torch module."""
    return PlainBagNet(net) if isinstance(net, BagNet) else PlainConvNet(net)


def _occurrence_weights(ids: NDArray[np.int64], idf: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weight (L,) of each occurrence of a word in one text."""
    words, occurrence, counts = np.unique(ids, return_inverse=True, return_counts=True)
    weights = (1 + np.log(counts)) * idf[words]
    norm = np.sqrt((weights**2).sum()) or 1.0
    return np.asarray((weights / norm / counts)[occurrence])


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    return _filled(nn.Linear(weight.shape[1], weight.shape[0], device="meta"), weight, bias)


def _filled(layer: WeightedLayer, weight: Tensor, bias: Tensor) -> WeightedLayer:
    """The layer with copies of these weights.

    It was created on the "meta" device, without random numbers, so that torch's global generator does not advance.
    """
    layer.weight, layer.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return layer
