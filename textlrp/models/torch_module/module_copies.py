"""Copies of a user's PyTorch module in another dtype, so that the module itself is never changed."""

from __future__ import annotations

import copy
from itertools import chain

import torch
from torch import nn

from textlrp.errors import ModelError
from textlrp.lrp.recorded.untracked import check_not_quantized
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.models.torch_module.refusals import on_one_line

HALF = frozenset({torch.float16, torch.bfloat16})
"""The dtypes of half precision."""

State = tuple[tuple[int, int], ...]
"""Identity and version of each parameter and buffer. It changes when the module is trained."""


class ModuleCopies:
    """A module, and one cached copy of it for each other dtype that was requested."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._copies: dict[str, tuple[State, nn.Module]] = {}

    def in_dtype(self, dtype: str | None = None) -> nn.Module:
        """Return the module in ``dtype``: itself if it has that dtype (or if None), else an up-to-date copy.

        A module in half precision is copied to float32, because the stabilizer of a rule would round to zero. A
        module made in inference mode is also copied, because no gradient can be taken through its weights.

        Raises :class:`ModelError` if the module cannot be copied.
        """
        own_dtypes = self._own_dtypes()
        if dtype is None and own_dtypes & HALF:
            dtype = "float32"
        tensors = list(chain(self.module.parameters(), self.module.buffers()))
        if (dtype is None or own_dtypes <= {TORCH_DTYPES[dtype]}) and not any(
            tensor.is_inference() for tensor in tensors
        ):
            return self.module
        dtype = dtype or next((name for name, each in TORCH_DTYPES.items() if each in own_dtypes), "float32")
        # an inference tensor has no version counter
        state = tuple((id(tensor), 0 if tensor.is_inference() else tensor._version) for tensor in tensors)
        if self._copies.get(dtype, ((), None))[0] != state:  # the module may have been trained since
            self._copies[dtype] = state, self._copy(dtype)
        return self._copies[dtype][1]

    def own_half(self) -> str | None:
        """The dtype of the module's weights if it is half precision, such as ``"float16"``, else None."""
        return next((str(dtype).removeprefix("torch.") for dtype in self._own_dtypes() & HALF), None)

    def _own_dtypes(self) -> set[torch.dtype]:
        return {parameter.dtype for parameter in self.module.parameters() if parameter.is_floating_point()}

    def _copy(self, dtype: str) -> nn.Module:
        check_not_quantized(self.module)
        try:
            with torch.inference_mode(False):  # so that gradients can be taken through the copy
                return copy.deepcopy(self.module).to(TORCH_DTYPES[dtype])
        except (RuntimeError, TypeError) as problem:
            raise ModelError(
                f"module must support copy.deepcopy to be explained in {dtype}; got {on_one_line(problem)}. Convert "
                "it with module.to(...) yourself and leave out dtype=."
            ) from problem
