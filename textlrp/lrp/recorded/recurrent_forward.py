"""The forward pass of LSTM, GRU and plain RNN layers, kept for the way back through them.

The same numbers as torch's own layers give. Letters: N documents, T tokens, E inputs, H units, S states per unit (h
and c of an LSTM, h of the others). Time comes first and runs in the layer's own direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.maps import Dense, FactorPair
from textlrp.lrp.trace_steps import Linear


class Affine(NamedTuple):
    """A pre-activation ``outputs`` (T, N, H) of the inputs (T, N, E), the states before (T, N, H), or both."""

    inputs: FactorPair | None
    hidden: FactorPair | None
    bias: Tensor
    outputs: Tensor

    def linear(self, name: str) -> Linear:
        """As a step that a rule can decide on."""
        read = [side for side in (self.inputs, self.hidden) if side is not None]
        dense = Dense(torch.cat([side.inputs for side in read], -1), torch.cat([side.weight for side in read], -1))
        return Linear(name, "recurrent", ("",), "", dense, self.bias, self.outputs)


class Unrolled(NamedTuple):
    """What the forward pass leaves for the way back.

    ``states`` (T, N, S, H). ``state`` (T, N, H, 2) are the two terms of the state, kept and entered, or None where
    all has entered. ``affine`` are the pre-activations, and ``terms`` (T, N, H, 2) what is added up of two of them.
    """

    states: Tensor
    state: Tensor | None
    affine: tuple[Affine, ...]
    terms: Tensor | None = None


TensorPair = tuple[Tensor, Tensor]


def _lstm(inputs: Tensor, initial: TensorPair, weights: TensorPair, biases: TensorPair) -> Unrolled:
    """i, f, g, o in this order; c_t = f c_{t-1} + i g; h_t = o tanh c_t."""
    (w_ih, w_hh), bias = weights, biases[0] + biases[1]
    h, c = (_with_initial(inputs, state) for state in initial)
    z = inputs @ w_ih.T + bias
    for t in range(len(inputs)):
        z[t] += h[t] @ w_hh.T
        i, f, g, o = z[t].chunk(4, dim=-1)
        c[t + 1] = f.sigmoid() * c[t] + i.sigmoid() * g.tanh()
        h[t + 1] = o.sigmoid() * c[t + 1].tanh()
    i, f, g, _ = z.chunk(4, dim=-1)
    candidate = Affine(FactorPair(inputs, w_ih.chunk(4)[2]), FactorPair(h[:-1], w_hh.chunk(4)[2]), bias.chunk(4)[2], g)
    terms = torch.stack([f.sigmoid() * c[:-1], i.sigmoid() * g.tanh()], dim=-1)
    return Unrolled(torch.stack([h[1:], c[1:]], dim=2), terms, (candidate,))


def _gru(inputs: Tensor, initial: TensorPair, weights: TensorPair, biases: TensorPair) -> Unrolled:
    """r, z, n in this order; n = tanh(u + r m); h_t = z h_{t-1} + (1 - z) n."""
    (w_ih, w_hh), (b_ih, b_hh) = weights, biases
    h = _with_initial(inputs, initial[0])
    ahead = inputs @ w_ih.T + b_ih
    behind = torch.empty_like(ahead)
    for t in range(len(inputs)):
        behind[t] = h[t] @ w_hh.T + b_hh
        (r, z), u, m = _gru_gates(ahead[t], behind[t])
        h[t + 1] = z * h[t] + (1 - z) * (u + r * m).tanh()
    (r, z), u, m = _gru_gates(ahead, behind)
    terms = torch.stack([u, r * m], dim=-1)
    state = torch.stack([z * h[:-1], (1 - z) * (u + r * m).tanh()], dim=-1)
    affine = (
        Affine(FactorPair(inputs, w_ih.chunk(3)[2]), None, b_ih.chunk(3)[2], u),
        Affine(None, FactorPair(h[:-1], w_hh.chunk(3)[2]), b_hh.chunk(3)[2], m),
    )
    return Unrolled(h[1:, :, None], state, affine, terms)


def _gru_gates(ahead: Tensor, behind: Tensor) -> tuple[TensorPair, Tensor, Tensor]:
    """r and z, u and m, of what inputs and states before give."""
    (r_x, z_x, u), (r_h, z_h, m) = ahead.chunk(3, dim=-1), behind.chunk(3, dim=-1)
    return ((r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()), u, m


def _rnn(activation: Callable[[Tensor], Tensor]) -> RecurrentCell:
    def cell(inputs: Tensor, initial: TensorPair, weights: TensorPair, biases: TensorPair) -> Unrolled:
        (w_ih, w_hh), bias = weights, biases[0] + biases[1]
        h = _with_initial(inputs, initial[0])
        z = inputs @ w_ih.T + bias
        for t in range(len(inputs)):
            z[t] += h[t] @ w_hh.T
            h[t + 1] = activation(z[t])
        return Unrolled(h[1:, :, None], None, (Affine(FactorPair(inputs, w_ih), FactorPair(h[:-1], w_hh), bias, z),))

    return cell


RecurrentCell = Callable[[Tensor, TensorPair, TensorPair, TensorPair], Unrolled]
CELLS: Mapping[str, tuple[RecurrentCell, int]] = {
    "lstm": (_lstm, 4),
    "gru": (_gru, 3),
    "rnn_tanh": (_rnn(torch.tanh), 1),
    "rnn_relu": (_rnn(torch.relu), 1),
}
"""The recurrent layers of torch, and how many blocks of H rows their weights have."""


def _with_initial(inputs: Tensor, initial: Tensor) -> Tensor:
    """(T + 1, N, H) with the states before the first word in front."""
    states = inputs.new_empty((len(inputs) + 1, *initial.shape))
    states[0] = initial
    return states
