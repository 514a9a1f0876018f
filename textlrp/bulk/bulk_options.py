"""The explanation options of a bulk run as one value, to pass to worker processes. Importable without torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlrp.explainers.methods import Method
    from textlrp.lrp.composite import Composite
    from textlrp.lrp.shares import Rule
    from textlrp.lrp.starts import Start
    from textlrp.store.columns import Precision


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How to explain documents: the options of :class:`textlrp.bulk.BatchExplainer`, which checks them."""

    target: Any = None
    rule: str | Rule | Composite | None = None
    start: Start | None = None
    method: str | Method = "lrp"
    top_k: int | None = None
    precision: Precision = "float16"
    device: str = "cpu"

    def keywords(self) -> dict[str, Any]:
        """The options as keyword arguments of :class:`textlrp.bulk.BatchExplainer`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
