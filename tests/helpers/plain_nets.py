"""Our own nets as plain torch modules: what a user's module looks like to the recorder."""

from __future__ import annotations

from typing import Any

from textlrp.models.nets import NetClassifier
from textlrp.models.torch_nets import torch_net


def plain_module(model: NetClassifier, *, dtype: str | None = None) -> Any:
    """A fitted CNN or bag of embeddings as a plain torch module over vocabulary ids, in evaluation mode."""
    return torch_net(model.fitted_net(dtype or model.dtype)).eval()
