"""Rules: how the relevance of an output is shared out among its inputs.

A rule is a frozen value. It looks at a step's outputs ``z`` (N, ...) and says, for each output k,
what fraction of its relevance R_k goes where:

- *flows*: to the inputs, in proportion to a part of the products (input × weight);
- *absorbed*: to nobody, with its cause (``bias``, ``stabiliser``, ``empty``).

For every output the fractions sum to one; that is the law of conservation in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from textlrp.errors import RuleError


class Part(Enum):
    """Which product of input a_j and weight w_jk is shared out."""

    WEIGHTED = "a_j w_jk"
    EVEN = "1"


class Flow(NamedTuple):
    """Input j receives ``part_jk × factor_k × R_k`` from each output k."""

    part: Part
    factor: Tensor


class Shares(NamedTuple):
    """What a rule decided for one step: tensors of the outputs' shape (N, ...)."""

    flows: tuple[Flow, ...]
    absorbed: dict[str, Tensor]


@runtime_checkable
class Rule(Protocol):
    """Anything that turns a linear step's outputs into shares."""

    def shares(self, z: Tensor, bias: Tensor, fan_in: Tensor) -> Shares:
        """Shares of each output.

        ``z`` (N, ...) = sum_j a_j w_jk + b_k; ``bias`` and ``fan_in`` (the number of inputs of an
        output, 0 where there are none) broadcast against it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Zero:
    """LRP-0: share_jk = a_j w_jk / z_k; the bias absorbs b_k / z_k.

    Conserves R_k up to the bias. An output z_k = 0 (or too small to divide by) gives nothing and
    absorbs all of R_k as ``empty``. On ReLU and max-pool nets it equals gradient × input
    (Shrikumar et al. 2016; Ancona et al. 2018). Source: Bach et al. 2015, eq. 56; Montavon et al. 2019, section 10.2.
    """

    def shares(self, z: Tensor, bias: Tensor, fan_in: Tensor) -> Shares:
        return _stabilised(z, bias, fan_in, epsilon=0.0, spread=False)


@dataclass(frozen=True, slots=True)
class Epsilon:
    """LRP-epsilon: share_jk = a_j w_jk / (z_k + ε sign z_k), with sign 0 = +1.

    ``epsilon`` >= 0 keeps small z_k from blowing up relevance; it absorbs ε sign z_k of the
    denominator (cause ``stabiliser``), the bias absorbs b_k (cause ``bias``). With
    ``bias="spread"`` both are instead spread evenly over the inputs of the output, as
    Arras et al. 2017 (eqs. 5 and 6) do: relevance is then conserved exactly, but words that an
    output never looked at receive some. Where there is no input they are absorbed after all.
    Source: Bach et al. 2015, eq. 58.

    Raises :class:`RuleError` on a negative ``epsilon`` or an unknown ``bias``.
    """

    epsilon: float = 1e-6
    bias: Literal["absorb", "spread"] = "absorb"

    def __post_init__(self) -> None:
        if not (isinstance(self.epsilon, (int, float)) and 0 <= self.epsilon < float("inf")):
            raise RuleError(f"epsilon={self.epsilon!r} came; a finite number >= 0 is wanted, such as Epsilon(1e-6).")
        if self.bias not in ("absorb", "spread"):
            raise RuleError(f"bias={self.bias!r} came; 'absorb' or 'spread' is wanted.")

    def shares(self, z: Tensor, bias: Tensor, fan_in: Tensor) -> Shares:
        return _stabilised(z, bias, fan_in, epsilon=self.epsilon, spread=self.bias == "spread")


def _stabilised(z: Tensor, bias: Tensor, fan_in: Tensor, *, epsilon: float, spread: bool) -> Shares:
    """The shares of Zero and Epsilon: numerators a_j w_jk, b_k and ε sign z_k over z_k + ε sign z_k."""
    step = z.new_tensor(epsilon)  # two plain numbers in torch.where would make it float32
    stabiliser = torch.where(z >= 0, step, -step)
    denominator = z + stabiliser
    empty = denominator.abs() < torch.finfo(z.dtype).tiny  # the inverse of anything smaller may be infinite
    inverse = torch.where(empty, 0, 1 / torch.where(empty, 1, denominator))
    weighted = Flow(Part.WEIGHTED, inverse)
    absorbed = {"empty": empty.to(z.dtype), "bias": bias * inverse, "stabiliser": stabiliser * inverse}
    if not spread:
        return Shares((weighted,), absorbed)
    alone = fan_in == 0
    even = Flow(Part.EVEN, torch.where(alone, 0, (bias + stabiliser) * inverse / fan_in.clamp(min=1)))
    return Shares((weighted, even), absorbed | {cause: absorbed[cause] * alone for cause in ("bias", "stabiliser")})
