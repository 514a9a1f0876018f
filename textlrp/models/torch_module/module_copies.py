"""Copies of a user's PyTorch module in another dtype; the module itself is never changed."""

from __future__ import annotations

import copy
from itertools import chain

import torch
from torch import nn

from textlrp.errors import ModelError
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.models.torch_module.refusals import on_one_line

State = tuple[tuple[int, int], ...]
"""Identity and version of each parameter and buffer."""


class ModuleCopies:
    """A module, and one copy of it for each dtype that was asked for and is not its own."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._copies: dict[str, tuple[State, nn.Module]] = {}

    def in_dtype(self, dtype: str | None = None) -> nn.Module:
        """The module itself where ``dtype`` is None or its own, else a copy of it as it is now.

        A module in half precision, where the stabilizer would be zero, is copied to float32. A module made in
        inference mode is copied, too, since no gradient can be taken through its weights.
        """
        own = {parameter.dtype for parameter in self.module.parameters() if parameter.is_floating_point()}
        if dtype is None and own & {torch.float16, torch.bfloat16}:
            dtype = "float32"
        tensors = list(chain(self.module.parameters(), self.module.buffers()))
        if (dtype is None or own <= {TORCH_DTYPES[dtype]}) and not any(tensor.is_inference() for tensor in tensors):
            return self.module
        dtype = dtype or next((name for name, each in TORCH_DTYPES.items() if each in own), "float32")
        # an inference tensor counts no versions
        state = tuple((id(tensor), 0 if tensor.is_inference() else tensor._version) for tensor in tensors)
        if self._copies.get(dtype, ((), None))[0] != state:  # the module may have been trained in the meantime
            self._copies[dtype] = state, self._copy(dtype)
        return self._copies[dtype][1]

    def _copy(self, dtype: str) -> nn.Module:
        try:
            with torch.inference_mode(False):  # so that gradients can be taken through the copy
                return copy.deepcopy(self.module).to(TORCH_DTYPES[dtype])
        except (RuntimeError, TypeError) as problem:
            raise ModelError(
                f"the module cannot be copied ({on_one_line(problem)}); bring it to {dtype} yourself, without dtype=."
            ) from problem
