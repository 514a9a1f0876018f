"""Constants that a trace reads again when relevance is propagated, and that must have the same numbers then."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from textlrp.errors import ModelError


class KeptConstants:
    """Tensors that do not depend on the words, with their version when an operation read them."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Tensor, int]] = {}

    def keep(self, tensors: Iterable[Tensor]) -> None:
        """Note that an operation read these tensors; torch counts no changes of tensors made in inference mode."""
        for tensor in tensors:
            if not tensor.is_inference():
                self._kept.setdefault(id(tensor), (tensor, tensor._version))

    def check(self) -> None:
        """Raise :class:`ModelError` if one of the tensors was changed in place since."""
        if any(tensor._version != version for tensor, version in self._kept.values()):
            raise ModelError(
                "the module changed a tensor in place after an operation had read it, and textlrp needs the earlier "
                "numbers to propagate relevance. Write the result to a new tensor."
            )
