"""Which composites the fast engine covers: LRP-0 at all layers, with either rule for products."""

from __future__ import annotations

from dataclasses import dataclass

from textlrp.lrp.composite import UNWEIGHTED, Composite
from textlrp.lrp.product_rules import Halves, SourceOnly
from textlrp.lrp.rules import Zero


@dataclass(frozen=True, slots=True)
class GradientRules:
    """What the fast engine needs to know of a composite: its rule for products."""

    products: SourceOnly | Halves

    @property
    def halves(self) -> bool:
        """Whether each factor of a product receives half (AttnLRP), and not the source all (CP-LRP)."""
        return isinstance(self.products, Halves)


def gradient_rules(composite: Composite) -> GradientRules | None:
    """Return the rules of a composite for the fast engine; None if the engine does not cover the composite.

    It covers :class:`.Zero` at all layers and one rule for all products, as in the presets ``cp-lrp`` and
    ``attnlrp``.
    """
    if composite.default != Zero() or not composite.layers.keys() <= {"product"}:
        return None
    products = composite.layers.get("product", UNWEIGHTED["product"])
    return GradientRules(products) if isinstance(products, (SourceOnly, Halves)) else None
