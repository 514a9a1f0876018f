"""LSTM, GRU and plain RNN layers as one step of the tape.

In gate × source the source takes all (Arras et al. 2017, WASSA, arXiv 1706.07206, section 3.2). What is left of a
cell is the same for all of them, so there is one way back. The relevance R of a state (c_t of an LSTM, which also
takes over all that arrives at h_t = o tanh c_t; h_t of the others) splits by the layer's rule, and at each position

    state = kept + entered     of an LSTM: f c_{t-1} + i g; of a GRU: z h_{t-1} + (1 - z) n; of an RNN: entered alone
    entered                    a gate times tanh or ReLU of a pre-activation, to which all of it passes
    pre-activation             affine in [x_t, h_{t-1}]; of a GRU: u + r m, with u affine in x_t and m in h_{t-1}

How each of these shares out is known before any relevance arrives. It is worked out for all positions at once, and
the loop over time, from last to first, only runs

    R_{t-1} = arriving_{t-1} + kept share of R_t + what the pre-activation hands to h_{t-1}.

Letters: N documents, T tokens, E inputs, H units, S states per unit (h and c of an LSTM, h of the others), K targets.
Inside, time comes first (T, N, ...) and runs in the layer's own direction, so that padding is always behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from textlrp.errors import ModelError, RuleError
from textlrp.lrp.maps import Added, factor_pairs, sum_tensors
from textlrp.lrp.recorded.recurrent_forward import CELLS, TensorPair, Unrolled
from textlrp.lrp.shares import Rule, Shares
from textlrp.lrp.trace_steps import Absorbed, Linear, sum_outputs

Weights = Sequence[Tensor | None]
"""``w_ih`` (gates × H, E), ``w_hh`` (gates × H, H), ``b_ih`` and ``b_hh`` (gates × H,) or None, as torch has them."""


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent:
    """One direction of one recurrent layer: reads (N, T, E), writes its states (N, T, S, H).

    ``order`` (N, T) says which position the layer read when, and is its own inverse; ``inside`` (N, T) where a
    document has words. What lands elsewhere or on the states before the first word is absorbed as ``ignored``.

    With ``AlphaBeta`` and β > 0 relevance grows with the number of positions, because α and β count at each anew;
    :class:`RuleError` is raised where it outgrows its dtype.
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
        arriving = relevance.sum(dim=3)
        outside = sum_outputs(arriving * ~self.inside[:, :, None])
        row = torch.arange(len(self.order), device=self.order.device)[:, None]
        in_time = (arriving * self.inside[:, :, None])[:, row, self.order].transpose(1, 2)
        split = _split(self.unrolled, self.name, rule)
        met, initial = _through_time(in_time, split)
        absorbed = {cause: torch.einsum("ktnh,tnh->kn", met, share) for cause, share in split.absorbed.items()}
        absorbed["ignored"] = outside + sum_outputs(initial)
        received = sum_tensors([((met * factor) @ weight) * side for factor, side, weight in split.inputs])
        if relevance.isfinite().all() and not (received.isfinite().all() and initial.isfinite().all()):
            raise RuleError(
                f"relevance outgrew {str(relevance.dtype).removeprefix('torch.')} on its way through the "
                f"{self.order.shape[1]} positions of layer {self.name!r}, because {rule!r} lets it grow at each; use "
                "float64, or a rule that does not, such as Epsilon(0.01) or AlphaBeta(1, 0)."
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
    """One direction of one layer, run over ``inputs`` (N, T, E): its step and the states (N, T, S, H) it writes.

    ``kind``: "lstm", "gru", "rnn_tanh" or "rnn_relu". ``initial``: h (N, H) before the first word, and c (N, H) of an
    LSTM, None for zeros. ``lengths`` (N,): how many words are real; the states beyond are zero. ``reverse``: each
    document is read from its own last word to its first.

    Raises :class:`ModelError` on another kind, and on an LSTM with projections.
    """
    if kind not in CELLS:
        raise ModelError(f"{kind!r} came as layer {name!r}; one of {', '.join(CELLS)} is wanted.")
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
    """The two weights and the two biases, zeros where there are none."""
    w_ih, w_hh, b_ih, b_hh = (None if weight is None else weight.detach() for weight in weights)
    assert w_ih is not None
    assert w_hh is not None
    if len(w_hh) != gates * w_hh.shape[1]:
        raise ModelError(
            f"layer {name!r} projects its {len(w_hh) // gates} units to {w_hh.shape[1]}, and relevance is not led "
            "through projections; use a layer without proj_size."
        )
    none = w_hh.new_zeros(len(w_hh))
    return (w_ih, w_hh), (none if b_ih is None else b_ih, none if b_hh is None else b_hh)


def _reading_order(tokens: int, lengths: Tensor, reverse: bool) -> TensorPair:
    """Which position each document reads when (N, T), and where it has words (N, T)."""
    time = torch.arange(tokens, device=lengths.device)
    inside = time < lengths[:, None]
    back_to_front = torch.where(inside, lengths[:, None] - 1 - time, time)
    return back_to_front if reverse else time.expand_as(inside), inside


# ---- the way back


class Pull(NamedTuple):
    """Each input j receives ``inputs_j`` × sum_h ``weight_hj`` × ``factor_h`` × R_h; factor (T, N, H)."""

    factor: Tensor
    inputs: Tensor
    weight: Tensor


class Split(NamedTuple):
    """How the relevance of the states splits: ``kept`` (T, N, H) stays with the state, ``absorbed`` is lost by cause,
    and the rest is pulled to the ``inputs`` and to the ``hidden`` states before.
    """

    kept: Tensor | None
    inputs: list[Pull]
    hidden: list[Pull]
    absorbed: Absorbed


def _split(unrolled: Unrolled, name: str, rule: Rule) -> Split:
    """Work out for all positions how the states share out."""
    whole = torch.ones_like(unrolled.affine[0].outputs)
    absorbed: Absorbed = {}
    kept, entered = None, whole
    if unrolled.state is not None:
        kept, entered = _split_sum(unrolled.state, name, rule, whole, absorbed)
    parts = [entered] if unrolled.terms is None else _split_sum(unrolled.terms, name, rule, entered, absorbed)
    split = Split(kept, [], [], absorbed)
    for affine, fraction in zip(unrolled.affine, parts, strict=True):
        shares = rule.shares(affine.linear(name))
        _absorb(absorbed, shares, fraction)
        for part, factor in shares.flows:
            for side, pulls in ((affine.inputs, split.inputs), (affine.hidden, split.hidden)):
                if side is not None:
                    pulls += [Pull(fraction * factor, *pair) for pair in factor_pairs(part, *side)]
    return split


def _split_sum(terms: Tensor, name: str, rule: Rule, fraction: Tensor, absorbed: Absorbed) -> tuple[Tensor, ...]:
    """What each of the two terms (T, N, H, 2) of a sum gets, where ``fraction`` of the relevance reaches the sum."""
    outputs = terms.sum(dim=-1)
    added = Added(terms)
    shares = rule.shares(Linear(name, "recurrent", ("",), "", added, outputs.new_zeros((1, 1, 1)), outputs))
    _absorb(absorbed, shares, fraction)
    received = sum_tensors([added.pull(part, (fraction * factor)[None])[0] for part, factor in shares.flows])
    return received.unbind(dim=-1)


def _absorb(absorbed: Absorbed, shares: Shares, fraction: Tensor) -> None:
    """Add what a rule absorbs of ``fraction`` (T, N, H) of the relevance."""
    for cause, share in shares.absorbed.items():
        absorbed[cause] = absorbed.get(cause, torch.zeros_like(fraction)) + fraction * share


def _through_time(arriving: Tensor, split: Split) -> tuple[Tensor, Tensor]:
    """The relevance (K, T, N, H) that the states have, and (K, N, H) what reaches those before the first word.

    ``arriving`` (K, T, N, H) comes from outside the layer.
    """
    relevance = arriving.clone()
    behind = relevance.new_zeros((*relevance.shape[:1], *relevance.shape[2:]))
    for t in reversed(range(relevance.shape[1])):
        relevance[:, t] += behind
        here = relevance[:, t]
        pulled = [((here * factor[t]) @ weight) * side[t] for factor, side, weight in split.hidden]
        behind = sum_tensors(pulled if split.kept is None else [here * split.kept[t], *pulled])
    return relevance, behind
