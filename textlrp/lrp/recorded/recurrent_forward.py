"""The forward pass of LSTM, GRU and plain RNN layers, with the intermediate values that relevance propagation needs.

It computes the same states as torch's layers, which return no intermediate values. Letters: N documents, T tokens,
E inputs, H units, S states per unit (h and c of an LSTM, h of the others). Time is the first axis and runs in the
direction of the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.maps import Dense, FactorPair
from textlrp.lrp.trace_steps import Linear


class Affine(NamedTuple):
    """A pre-activation ``outputs`` (T, N, H), affine in inputs (T, N, E), previous states (T, N, H), or both."""

    inputs: FactorPair | None
    hidden: FactorPair | None
    bias: Tensor
    outputs: Tensor

    def linear(self, name: str) -> Linear:
        """Return it as a linear step, which a rule can be applied to."""
        read = [pair for pair in (self.inputs, self.hidden) if pair is not None]
        dense = Dense(torch.cat([pair.inputs for pair in read], -1), torch.cat([pair.weight for pair in read], -1))
        return Linear(name, "recurrent", ("",), "", dense, self.bias, self.outputs)


class Unrolled(NamedTuple):
    """The values of a forward pass that relevance propagation needs.

    ``states`` (T, N, S, H). ``state`` (T, N, H, 2) has the two terms of the state, kept and entered; None if the cell
    keeps nothing. ``affine`` are the pre-activations. If there are two of them (GRU), ``terms`` (T, N, H, 2) are the
    two terms of their sum.
    """

    states: Tensor
    state: Tensor | None
    affine: tuple[Affine, ...]
    terms: Tensor | None = None


TensorPair = tuple[Tensor, Tensor]


def _lstm(inputs: Tensor, initial: TensorPair, weights: TensorPair, biases: TensorPair) -> Unrolled:
    """c_t = f c_{t-1} + i g; h_t = o tanh c_t. The weights have the rows of i, f, g, o in this order."""
    (w_ih, w_hh), bias = weights, biases[0] + biases[1]
    h, c = (_with_initial(inputs, state) for state in initial)
    z = inputs @ w_ih.T + bias
    for t in range(len(inputs)):
        z[t] += h[t] @ w_hh.T
        i, f, g, o = z[t].chunk(4, dim=-1)
        c[t + 1] = f.sigmoid() * c[t] + i.sigmoid() * g.tanh()
        h[t + 1] = o.sigmoid() * c[t + 1].tanh()
    i, f, g, _ = z.chunk(4, dim=-1)
    candidate = Affine(
        FactorPair(inputs, w_ih.chunk(4)[2]), FactorPair(h[:-1], w_hh.chunk(4)[2]), bias.chunk(4)[2], g
    )
    # the gates i, f and o receive no relevance, so that only the pre-activation of g is needed
    terms = torch.stack([f.sigmoid() * c[:-1], i.sigmoid() * g.tanh()], dim=-1)
    return Unrolled(torch.stack([h[1:], c[1:]], dim=2), terms, (candidate,))


def _gru(inputs: Tensor, initial: TensorPair, weights: TensorPair, biases: TensorPair) -> Unrolled:
    """n = tanh(u + r m); h_t = z h_{t-1} + (1 - z) n. The weights have the rows of r, z, n in this order."""
    (w_ih, w_hh), (b_ih, b_hh) = weights, biases
    h = _with_initial(inputs, initial[0])
    from_inputs = inputs @ w_ih.T + b_ih
    from_states = torch.empty_like(from_inputs)
    for t in range(len(inputs)):
        from_states[t] = h[t] @ w_hh.T + b_hh
        (r, z), u, m = _gru_gates(from_inputs[t], from_states[t])
        h[t + 1] = z * h[t] + (1 - z) * (u + r * m).tanh()
    (r, z), u, m = _gru_gates(from_inputs, from_states)
    terms = torch.stack([u, r * m], dim=-1)
    state = torch.stack([z * h[:-1], (1 - z) * (u + r * m).tanh()], dim=-1)
    affine = (
        Affine(FactorPair(inputs, w_ih.chunk(3)[2]), None, b_ih.chunk(3)[2], u),
        Affine(None, FactorPair(h[:-1], w_hh.chunk(3)[2]), b_hh.chunk(3)[2], m),
    )
    return Unrolled(h[1:, :, None], state, affine, terms)


def _gru_gates(from_inputs: Tensor, from_states: Tensor) -> tuple[TensorPair, Tensor, Tensor]:
    """The gates r and z and the pre-activations u and m, from the affine maps of inputs and of previous states."""
    (r_x, z_x, u), (r_h, z_h, m) = from_inputs.chunk(3, dim=-1), from_states.chunk(3, dim=-1)
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
"""The cell of each kind of recurrent layer of torch, and the number of blocks of H rows in its weights."""


def _with_initial(inputs: Tensor, initial: Tensor) -> Tensor:
    """An empty tensor (T + 1, N, H) of states, whose first entry is the state before the first word."""
    states = inputs.new_empty((len(inputs) + 1, *initial.shape))
    states[0] = initial
    return states
