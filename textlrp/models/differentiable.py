"""What gradient methods ask of a model: one text as numbers, and a way from these numbers to the scores.

Letters: I inputs, D numbers each, L words read, S alternatives, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


def identity(values: Tensor) -> Tensor:
    """(K, I) -> (K, L) where each input is one word."""
    return values


@dataclass(frozen=True, slots=True, eq=False)
class InputPoint:
    """One text where a model stands.

    ``inputs`` (I, D): the vectors of the words read, or the feature values of a bag of words with D = 1;
    ``forward`` leads alternatives (S, I, D), each on its own, to pre-softmax scores (S, C), differentiably;
    ``to_words`` leads a number per input (K, I) to one per word read (K, L), and keeps their sum.
    """

    inputs: Tensor
    forward: Callable[[Tensor], Tensor]
    to_words: Callable[[Tensor], Tensor] = identity
