"""Products of many rows with the weights of a layer.

Letters: M rows, D inputs of the layer, F outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

_PACKED_ROWS = 2048
"""From this number of rows on, packing a weight (about the time of 25 rows) is worth it."""


@dataclass(slots=True, eq=False)
class RowProducts:
    """Multiplies rows (M, F) with weights (F, D).

    For many rows in float32 on a CPU, weights are packed once for oneDNN, whose products are 10 to 15% faster than
    those of MKL on some processors. ``rows`` is the number of rows that each weight will be multiplied with.
    """

    rows: int = 0
    _packed: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def __call__(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Return rows @ weight."""
        if _linear is None or _pack is None:
            return torch.mm(rows, weight)
        usable = self.rows >= _PACKED_ROWS and rows.dtype == weight.dtype == torch.float32 and rows.is_cpu
        if not usable:
            return torch.mm(rows, weight)
        found = self._packed.get(id(weight))
        if found is None:  # the weight is kept, because the id() of a deleted tensor may be used again
            found = self._packed[id(weight)] = weight, _pack(weight.t().contiguous(), len(rows))
        return _linear(rows.contiguous(), found[1], None, "none", [], "")


def _onednn() -> tuple[Callable[..., Tensor], Callable[..., Tensor]] | tuple[None, None]:
    """The operations of torch that pack a weight and multiply with it, or None if this build has none."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None, None
    try:
        return torch.ops.mkldnn._linear_pointwise.default, torch.ops.mkldnn._reorder_linear_weight.default
    except AttributeError:
        return None, None


_linear, _pack = _onednn()
