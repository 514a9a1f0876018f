"""The convolutional network: word vectors, convolutions, pooling over time, one dense layer.

The forward pass does not compute a convolution over the embeddings. It projects each distinct word once and adds the
projections of the words of a window (:mod:`textlrp.lrp.kernels.windows`). The trace is recorded in closed form from
the same projections. Open it for the forward pass, the trace, and averaging of :class:`textlrp.CNNClassifier`.

Letters: N texts, V words, U distinct words of a batch, D embedding dimensions, H width, F filters, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.kernels import device
from textlrp.lrp.kernels import windows as kernels
from textlrp.lrp.kernels.projections import Kept, TableRows, project, table_rows
from textlrp.lrp.kernels.threads import torch_on_one_thread
from textlrp.lrp.maps import Dense, Grid, Mean, table_bounds
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Concat, LazySteps, Linear, Lookup, Routing, Step, Windows
from textlrp.lrp.window_maps import WinningWindows, WordWindows
from textlrp.models.packing import Packed
from textlrp.models.window_pooling import WindowMax, WindowMean

Pooling = Literal["max", "mean"]


class _Branch(NamedTuple):
    """The trace steps of one width, the pooled values (N, F), and the number of elements of the largest array."""

    steps: list[Step]
    pooled: Tensor
    elements: int


@dataclass(frozen=True, slots=True, eq=False)
class ConvNet:
    """The weights of a convolutional network.

    ``table`` (V + 1, D) has the word vectors, row 0 is the unknown word. ``weights`` has ``conv{H}.weight``
    (D, H × F), the weights of the first word of the window, then of the second and so on, ``conv{H}.bias`` (F,),
    ``output.weight`` (C, sum of F over widths) and ``output.bias`` (C,). With max pooling, the trace uses the
    projections in ``kept``, if there are any, instead of projecting the same words again.
    """

    table: Tensor
    weights: dict[str, Tensor]
    widths: tuple[int, ...]
    pooling: Pooling
    kept: Kept | None = None

    @property
    def convolutions(self) -> dict[int, Tensor]:
        """{width: weights (D, H × F)}."""
        return {width: self.weights[f"conv{width}.weight"] for width in self.widths}

    @property
    def features(self) -> int:
        return self.weights["output.weight"].shape[1]

    def forward(self, vectors: Tensor, packed: Packed, drop: Tensor | None) -> Tensor:
        pooled = torch.cat([self._pooled(vectors, packed, width) for width in self.widths], dim=1)
        if drop is not None:
            pooled = pooled * drop
        return pooled @ self.weights["output.weight"].T + self.weights["output.bias"]

    def _pooled(self, vectors: Tensor, packed: Packed, width: int) -> Tensor:
        projections = vectors @ self.weights[f"conv{width}.weight"]
        bias = self.weights[f"conv{width}.bias"]
        if self.pooling == "mean":
            return WindowMean.apply(projections, bias, packed, width)  # type: ignore[no-untyped-call,no-any-return]
        # all windows of a filter have the same bias, so that it can be added after the maximum
        return torch.relu(WindowMax.apply(projections, packed, width) + bias)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def trace(self, packed: Packed) -> Trace:
        """The trace of a batch: lookup, convolutions with pooling, concatenation, dense layer."""
        if self.pooling == "max" and self.table.device.type == "cpu":
            return self._trace_windows(packed)
        grid = torch.from_numpy(packed.padded(min_words=max(self.widths))).to(self.table.device)
        vectors = self.table[torch.from_numpy(packed.distinct).to(grid.device)]
        branch = self._mean_branch if self.pooling == "mean" else self._max_branch
        branches = [branch(width, packed, grid, vectors) for width in self.widths]
        features = torch.cat([each.pooled for each in branches], dim=1)
        elements = max(grid.numel(), *(each.elements for each in branches))
        output = self._output(features)
        steps = self._steps(lambda: grid, [each.steps for each in branches], output)
        return Trace(steps, output.outputs, elements=elements)

    def _trace_windows(self, packed: Packed) -> Trace:
        """The trace of a network with max pooling on the CPU, by the compiled loops."""
        # Without kept projections every distinct word of the batch is projected once: its number is its row.
        rows = TableRows(packed.ids, packed.distinct) if self.kept is None else table_rows(packed.words, self.kept)
        projected = project(self.table, rows, self.convolutions, self.kept)
        found = kernels.winners(projected, rows.ids, packed.starts)
        with torch_on_one_thread():
            biases = [self.weights[f"conv{width}.bias"] for width in self.widths]
            bias = biases[0] if len(biases) == 1 else torch.cat(biases)
            z = torch.from_numpy(found.values).add_(bias)
            output = self._output(torch.relu(z))
        products, start = torch.from_numpy(found.products), torch.from_numpy(found.where)
        filters = {f"conv{width}": len(self.weights[f"conv{width}.bias"]) for width in self.widths}

        def steps() -> tuple[Step, ...]:
            @cache
            def grid() -> Tensor:
                return torch.from_numpy(packed.padded_words(min_words=max(self.widths)))

            branches, first, begin = [], 0, 0
            for width in self.widths:
                last = first + filters[f"conv{width}"]
                end = begin + (last - first) * width
                of_width = products[:, begin:end].view(len(packed), last - first, width)
                branches.append(
                    self._winners(width, of_width, start[:, first:last], z[:, first:last], grid, self.table)
                )
                first, begin = last, end
            return self._steps(grid, branches, output)

        largest = max(packed.longest * len(packed), products.numel())
        windows = Windows(
            products, found.where, found.bounds, z, bias, packed.words, packed.starts, filters, "embedding", output
        )
        return Trace(LazySteps(steps), output.outputs, elements=largest, windows=windows)

    def _output(self, features: Tensor) -> Linear:
        """The step of the dense layer, over the features (N, F) of all widths."""
        weight, bias = self.weights["output.weight"], self.weights["output.bias"]
        scores = features @ weight.T + bias
        return Linear("output", "dense", ("features",), "scores", Dense(features, weight), bias, scores)

    def _steps(self, grid: Grid, branches: Sequence[Sequence[Step]], output: Linear) -> tuple[Step, ...]:
        """All steps of the trace, given those of each width and the last one."""
        sizes = tuple(len(self.weights[f"conv{width}.bias"]) for width in self.widths)
        return (
            Lookup("embedding", ("words",), "vectors", grid),
            *chain.from_iterable(branches),
            Concat("concat", tuple(f"pooled{width}" for width in self.widths), "features", sizes),
            output,
        )

    def _box(self) -> Box:
        return table_bounds(self.table)

    def _max_branch(self, width: int, packed: Packed, grid: Tensor, vectors: Tensor) -> _Branch:
        lengths = torch.from_numpy(packed.lengths).to(grid.device)
        projections = vectors @ self.weights[f"conv{width}.weight"]
        products, start = device.winning_windows_on_device(projections, grid, lengths, width)
        z = products.sum(dim=2) + self.weights[f"conv{width}.bias"]
        steps = self._winners(width, products, start, z, lambda: grid, vectors)
        return _Branch(steps, torch.relu(z), products.numel())

    def _winners(
        self, width: int, products: Tensor, start: Tensor, z: Tensor, grid: Grid, vectors: Tensor
    ) -> list[Step]:
        weight, bias = self.weights[f"conv{width}.weight"], self.weights[f"conv{width}.bias"]
        windows = WinningWindows(products, start, grid, vectors, weight, self._box)
        return [
            Linear(f"conv{width}", "convolution", ("vectors",), f"winners{width}", windows, bias, z),
            Routing(f"relu{width}", "relu", (f"winners{width}",), f"pooled{width}"),
        ]

    def _mean_branch(self, width: int, packed: Packed, grid: Tensor, vectors: Tensor) -> _Branch:
        flat = vectors @ self.weights[f"conv{width}.weight"]
        projections = flat.reshape(len(vectors), width, -1)
        bias = self.weights[f"conv{width}.bias"]
        windows = grid.shape[1] - width + 1
        z = bias + sum(projections[:, offset][grid[:, offset : offset + windows]] for offset in range(width))
        # windows over the padding of the batch do not count; a text shorter than the window has one padded window
        counts = (torch.from_numpy(packed.lengths).to(grid.device) - width + 1).clamp(min=1)
        inside = torch.arange(windows, device=grid.device) < counts[:, None]
        active = torch.relu(z) * inside[:, :, None]
        pooled = active.sum(dim=1) / counts[:, None]
        steps: list[Step] = [
            Linear(f"conv{width}", "convolution", ("vectors",), f"windows{width}",
                   WordWindows(vectors, self.weights[f"conv{width}.weight"], grid, width, self._box), bias, z),
            Routing(f"relu{width}", "relu", (f"windows{width}",), f"active{width}"),
            Linear(f"mean{width}", "mean", (f"active{width}",), f"pooled{width}",
                   Mean(active, counts), pooled.new_zeros(()), pooled),
        ]  # fmt: skip
        return _Branch(steps, pooled, z.numel())


def moved(net: ConvNet, place: str | torch.device) -> ConvNet:
    """Return the same network with its weights on a device, where it then records and propagates its traces."""
    weights = {name: weight.to(place) for name, weight in net.weights.items()}
    return replace(net, table=net.table.to(place), weights=weights, kept=None)


def new_convnet(
    table: Tensor, *, widths: Sequence[int], filters: Sequence[int], classes: int, pooling: Pooling, seed: int
) -> ConvNet:
    """Initialize a network: weights uniform in ±1 / sqrt(fan-in), biases zero."""
    noise = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, fan_in: int) -> Tensor:
        return (torch.rand(shape, generator=noise, dtype=table.dtype) * 2 - 1) / math.sqrt(fan_in)

    dimensions = table.shape[1]
    weights: dict[str, Tensor] = {}
    for width, count in zip(widths, filters, strict=True):
        weights[f"conv{width}.weight"] = uniform(dimensions, width * count, fan_in=width * dimensions)
        weights[f"conv{width}.bias"] = table.new_zeros(count)
    weights["output.weight"] = uniform(classes, sum(filters), fan_in=sum(filters))
    weights["output.bias"] = table.new_zeros(classes)
    return ConvNet(table, weights, tuple(widths), pooling)


def averaged(nets: Sequence[ConvNet]) -> ConvNet:
    """Return one network whose scores are the mean of the scores of several.

    They must have the same words, widths, pooling and classes. The word vectors are concatenated. The filters of each
    network read only its own part of a vector: the convolution weights are block-diagonal.
    """
    first = nets[0]
    weights: dict[str, Tensor] = {}
    for width in first.widths:
        blocks = [net.weights[f"conv{width}.weight"].reshape(net.table.shape[1], width, -1) for net in nets]
        by_offset = [
            torch.block_diag(*(block[:, h] for block in blocks))  # type: ignore[no-untyped-call]
            for h in range(width)
        ]
        weights[f"conv{width}.weight"] = torch.stack(by_offset, dim=1).flatten(1)
        weights[f"conv{width}.bias"] = torch.cat([net.weights[f"conv{width}.bias"] for net in nets])
    sizes = [[len(net.weights[f"conv{width}.bias"]) for width in first.widths] for net in nets]
    outputs = [
        torch.split(net.weights["output.weight"], of_widths, dim=1)
        for net, of_widths in zip(nets, sizes, strict=True)
    ]
    by_width = [part for parts in zip(*outputs, strict=True) for part in parts]
    weights["output.weight"] = torch.cat(by_width, dim=1) / len(nets)
    weights["output.bias"] = torch.stack([net.weights["output.bias"] for net in nets]).mean(dim=0)
    return replace(first, table=torch.cat([net.table for net in nets], dim=1), weights=weights, kept=None)


def plain_weights(weights: Mapping[str, Tensor], width: int) -> Tensor:
    """Return the weights of a convolution in the order of :class:`torch.nn.Conv1d`: (F, D, H)."""
    flat = weights[f"conv{width}.weight"]
    return flat.reshape(flat.shape[0], width, -1).permute(2, 0, 1).contiguous()
