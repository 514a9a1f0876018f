"""Which composites the fast engine covers: LRP-0 at all layers, with one of two rules for products."""

from __future__ import annotations

from dataclasses import dataclass

from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import Zero


@dataclass(frozen=True, slots=True)
class GradientRules:
    """What the fast engine needs to know of a composite.

    ``halves`` is whether both factors of a product of two tracked values take half, and relevance passes through the
    softmax by Taylor expansion (AttnLRP, Achtibat et al. 2024). Otherwise the source takes all and the softmax is a
    constant (CP-LRP, Ali et al. 2022).
    """

    halves: bool


def gradient_rules(composite: Composite) -> GradientRules | None:
    """Return what the engine needs to know of ``composite``; None if the engine does not cover it."""
    if composite.default != Zero():
        return None
    return GradientRules(halves=False)
