"""The nets of textlrp as plain torch modules, such as a user would write."""

from __future__ import annotations

from typing import Any

from textlrp.models.nets import NetClassifier
from textlrp.models.torch_nets import torch_net


def plain_module(model: NetClassifier, *, dtype: str | None = None) -> Any:
    """A fitted CNN or bag of embeddings as a plain torch module over vocabulary ids, in evaluation mode."""
    return torch_net(model.fitted_net(dtype or model.dtype)).eval()
