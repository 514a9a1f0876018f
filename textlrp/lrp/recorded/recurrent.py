"""Relevance propagation through LSTM, GRU and plain RNN layers: each direction of a layer is one step of a trace.

Of gate × source the source gets all relevance (Arras et al. 2017, WASSA, arXiv 1706.07206, section 3.2). With that
rule all three kinds of cells have the same structure, and one implementation serves them. The state is c_t in an
LSTM and h_t in the others. In an LSTM, relevance of h_t = o tanh c_t passes to c_t. The relevance R_t of the state
is distributed by the rule of the layer at each position:

    state = kept + entered     LSTM: f c_{t-1} + i g; GRU: z h_{t-1} + (1 - z) n; RNN: entered only
    entered                    a gate times tanh or ReLU of a pre-activation, which gets all its relevance
    pre-activation             affine in [x_t, h_{t-1}]; GRU: u + r m, with u affine in x_t and m affine in h_{t-1}

All these fractions depend on the forward pass only. They are computed for all positions together, before any
relevance arrives. The loop over time, from the last position to the first, is then linear in the relevance:

    R_{t-1} = arriving_{t-1} + kept fraction × R_t + relevance that the pre-activation passes to h_{t-1}.

Letters: N documents, T tokens, E inputs, H units, S states per unit (h and c of an LSTM, h of the others), K targets.
Internally, time is the first axis (T, N, ...) and runs in the direction of the layer, so that padding is always last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from textlrp.errors import ModelError, RuleError, must_be
from textlrp.lrp.maps import Added, factor_pairs, sum_tensors
from textlrp.lrp.recorded.recurrent_forward import CELLS, TensorPair, Unrolled
from textlrp.lrp.shares import Rule, Shares
from textlrp.lrp.trace_steps import Absorbed, Linear, sum_outputs

Weights = Sequence[Tensor | None]
"""``w_ih`` (gates × H, E), ``w_hh`` (gates × H, H), ``b_ih`` and ``b_hh`` (gates × H,) or None, as torch has them."""


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent:
    """One direction of one recurrent layer: reads inputs (N, T, E) and writes states (N, T, S, H).

    ``order`` (N, T) is the position that the layer reads at each time; the permutation is its own inverse. ``inside``
    (N, T) is True where a document has words. Relevance that reaches padding or the states before the first word is
    absorbed (cause ``ignored``).

    With ``AlphaBeta`` and β > 0, α and β multiply relevance at each position anew, so that its size can grow
    exponentially with the length of a text. A :class:`RuleError` is raised if it overflows its dtype.
    """

    name: str
    reads: tuple[str]
    writes: str
    unrolled: Unrolled
    order: Tensor
    inside: Tensor
    kind: str = "recurrent"
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        # the output gate and tanh pass relevance unchanged, so h_t and c_t of an LSTM add up to one state
        arriving = relevance.sum(dim=3)
        outside = sum_outputs(arriving * ~self.inside[:, :, None])
        row = torch.arange(len(self.order), device=self.order.device)[:, None]
        # (K, N, T, H) by position -> (K, T, N, H) by time; Boolean masks keep the dtype of the relevance
        in_time = (arriving * self.inside[:, :, None])[:, row, self.order].transpose(1, 2)
        split = _split(self.unrolled, self.name, rule)
        states, initial = _through_time(in_time, split)
        absorbed = {cause: torch.einsum("ktnh,tnh->kn", states, share) for cause, share in split.absorbed.items()}
        absorbed["ignored"] = outside + sum_outputs(initial)
        received = sum_tensors([((states * factor) @ weight) * inputs for factor, inputs, weight in split.inputs])
        if relevance.isfinite().all() and not (received.isfinite().all() and initial.isfinite().all()):
            raise RuleError(
                f"relevance exceeds the largest {str(relevance.dtype).removeprefix('torch.')} number in layer "
                f"{self.name!r}: {rule!r} increases it at each of the {self.order.shape[1]} positions. Use "
                "dtype='float64', or a rule that does not increase it, such as Epsilon(0.01) or AlphaBeta(1, 0)."
            )
        return [received.transpose(1, 2)[:, row, self.order]], absorbed


def recurrent_steps(
    kind: str,
    name: str,
    reads: str,
    writes: str,
    inputs: Tensor,
    weights: Weights,
    initial: tuple[Tensor, Tensor | None],
    *,
    reverse: bool,
    lengths: Tensor,
) -> tuple[Recurrent, Tensor]:
    """Run one direction of one layer over ``inputs`` (N, T, E); return its step and its states (N, T, S, H).

    ``kind`` is "lstm", "gru", "rnn_tanh" or "rnn_relu". ``initial`` is h (N, H) before the first word, and c (N, H)
    of an LSTM; c is 0 if None. ``lengths`` (N,) is the number of words without padding; states of padding are 0. If
    ``reverse``, each document is read from its last word to its first.

    Raises :class:`ModelError` if the kind is unknown, or an LSTM has projections.
    """
    if kind not in CELLS:
        raise ModelError(
            must_be(f"the kind of layer {name!r}", f"one of {', '.join(CELLS)}", kind, "Pass one of these.")
        )
    cell, gates = CELLS[kind]
    order, inside = _reading_order(inputs.shape[1], lengths.to(inputs.device), reverse)
    row = torch.arange(len(inputs), device=inputs.device)[:, None]
    h, c = initial
    with torch.no_grad():
        unrolled = cell(
            inputs.detach()[row, order].transpose(0, 1),
            (h.detach(), torch.zeros_like(h) if c is None else c.detach()),
            *_parameters(name, weights, gates),
        )
        states = unrolled.states.transpose(0, 1)[row, order] * inside[:, :, None, None]
    return Recurrent(name, (reads,), writes, unrolled, order, inside), states


def _parameters(name: str, weights: Weights, gates: int) -> tuple[TensorPair, TensorPair]:
    """The two weights and the two biases; a missing bias is 0."""
    w_ih, w_hh, b_ih, b_hh = (None if weight is None else weight.detach() for weight in weights)
    assert w_ih is not None
    assert w_hh is not None
    if len(w_hh) != gates * w_hh.shape[1]:
        raise ModelError(
            f"layer {name!r} projects its {len(w_hh) // gates} units to {w_hh.shape[1]} (proj_size), and relevance "
            "cannot be propagated through this projection. Use a layer without proj_size."
        )
    none = w_hh.new_zeros(len(w_hh))
    return (w_ih, w_hh), (none if b_ih is None else b_ih, none if b_hh is None else b_hh)


def _reading_order(tokens: int, lengths: Tensor, reverse: bool) -> TensorPair:
    """The position that is read at each time (N, T), and where a document has words (N, T).

    In reverse direction only the words are reversed, and padding stays last. So the initial states meet the last word
    and not the padding, as in a packed sequence.
    """
    time = torch.arange(tokens, device=lengths.device)
    inside = time < lengths[:, None]
    back_to_front = torch.where(inside, lengths[:, None] - 1 - time, time)
    return back_to_front if reverse else time.expand_as(inside), inside


# ---- relevance


class Pull(NamedTuple):
    """One flow of relevance: input j receives ``inputs_j`` × sum_h ``weight_hj`` × ``factor_h`` × R_h.

    ``factor`` is (T, N, H).
    """

    factor: Tensor
    inputs: Tensor
    weight: Tensor


class Split(NamedTuple):
    """The fractions by which the relevance of the states is distributed.

    ``kept`` (T, N, H) passes to the state before, None if the cell keeps nothing. ``inputs`` and ``hidden`` are the
    flows to the inputs and to h_{t-1}. ``absorbed`` has the fractions (T, N, H) by cause.
    """

    kept: Tensor | None
    inputs: list[Pull]
    hidden: list[Pull]
    absorbed: Absorbed


def _split(unrolled: Unrolled, name: str, rule: Rule) -> Split:
    """Compute the fractions for all positions."""
    whole = torch.ones_like(unrolled.affine[0].outputs)
    absorbed: Absorbed = {}
    kept, entered = None, whole
    if unrolled.state is not None:
        kept, entered = _split_sum(unrolled.state, name, rule, whole, absorbed)
    parts = [entered] if unrolled.terms is None else _split_sum(unrolled.terms, name, rule, entered, absorbed)
    split = Split(kept, [], [], absorbed)
    for affine, fraction in zip(unrolled.affine, parts, strict=True):
        # the rule sees x_t and h_{t-1} as one input, because they share the denominator; the flows are then separate
        shares = rule.shares(affine.linear(name))
        _absorb(absorbed, shares, fraction)
        for part, factor in shares.flows:
            for pair, pulls in ((affine.inputs, split.inputs), (affine.hidden, split.hidden)):
                if pair is not None:
                    pulls += [Pull(fraction * factor, *signed) for signed in factor_pairs(part, *pair)]
    return split


def _split_sum(terms: Tensor, name: str, rule: Rule, fraction: Tensor, absorbed: Absorbed) -> tuple[Tensor, ...]:
    """The fraction that each of the two terms (T, N, H, 2) of a sum receives, of which ``fraction`` is the whole."""
    outputs = terms.sum(dim=-1)
    added = Added(terms)
    shares = rule.shares(Linear(name, "recurrent", ("",), "", added, outputs.new_zeros((1, 1, 1)), outputs))
    _absorb(absorbed, shares, fraction)
    received = sum_tensors([added.pull(part, (fraction * factor)[None])[0] for part, factor in shares.flows])
    return received.unbind(dim=-1)


def _absorb(absorbed: Absorbed, shares: Shares, fraction: Tensor) -> None:
    """Add what a rule absorbs of ``fraction`` (T, N, H) of the relevance to ``absorbed``."""
    for cause, share in shares.absorbed.items():
        absorbed[cause] = absorbed.get(cause, torch.zeros_like(fraction)) + fraction * share


def _through_time(arriving: Tensor, split: Split) -> tuple[Tensor, Tensor]:
    """The relevance (K, T, N, H) of the states, and that (K, N, H) of the states before the first word.

    ``arriving`` (K, T, N, H) is the relevance that arrives from outside the layer. Time is the only loop: R_{t-1}
    needs the complete R_t. The terms are added in a fixed order (kept, then each flow), which fixes the last bits.
    """
    relevance = arriving.clone()
    # the relevance that position t + 1 passes to the state at t
    previous = relevance.new_zeros((*relevance.shape[:1], *relevance.shape[2:]))
    for t in reversed(range(relevance.shape[1])):
        relevance[:, t] += previous
        current = relevance[:, t]
        pulled = [((current * factor[t]) @ weight) * hidden[t] for factor, hidden, weight in split.hidden]
        previous = sum_tensors(pulled if split.kept is None else [current * split.kept[t], *pulled])
    return relevance, previous
