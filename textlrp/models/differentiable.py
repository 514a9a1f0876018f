"""The interface between a model and gradient methods: the inputs of one text and a differentiable function to scores.

Letters: I inputs, D numbers each, L words read, S alternatives, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


def identity(values: Tensor) -> Tensor:
    """Return (K, I) as (K, L): each input is one word."""
    return values


@dataclass(frozen=True, slots=True, eq=False)
class InputPoint:
    """The point in input space at which a gradient method differentiates the model: one text.

    ``inputs`` (I, D) are the vectors of the words read, or the feature values of a bag of words with D = 1.
    ``forward`` maps alternatives (S, I, D), each independently, to pre-softmax scores (S, C) and is differentiable.
    ``to_words`` maps one number per input (K, I) to one per word read (K, L) and keeps the sum. ``baseline`` (D,) is
    the vector of an input without content, None for zeros: the padding token of a transformer, which a zero vector is
    far from.
    """

    inputs: Tensor
    forward: Callable[[Tensor], Tensor]
    to_words: Callable[[Tensor], Tensor] = identity
    baseline: Tensor | None = None
