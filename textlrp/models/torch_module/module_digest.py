"""A hash of the weights of a PyTorch module, computed again only after the weights have changed.

Hashing 90 MB takes as long as reading a short text.
"""

from __future__ import annotations

import hashlib
from operator import is_
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

SAMPLES = 64
"""Numbers of each tensor that are compared, because a change through ``tensor.data`` is not counted by torch."""


class _Digest(NamedTuple):
    """A hash, the values that it was computed from, and what has changed if they were written to."""

    values: tuple[Any, ...]
    state: list[Any]
    digest: hashlib._Hash


_DIGESTS: WeakKeyDictionary[nn.Module, _Digest] = WeakKeyDictionary()


def digest_of(module: nn.Module) -> hashlib._Hash:
    """Return the SHA-256 of a module's class, its weights and its other state, to be updated with more."""
    entries = module.state_dict(keep_vars=True)
    values = tuple(entries.values())
    state = [_state(value) for value in values]
    known = _DIGESTS.get(module)
    if (
        known is None
        or len(known.values) != len(values)
        or not all(map(is_, known.values, values))
        or (known.state != state)
    ):
        known = _Digest(values, state, _computed(module, entries))
        _DIGESTS[module] = known
    return known.digest.copy()


def _computed(module: nn.Module, entries: dict[str, Any]) -> hashlib._Hash:
    digest = hashlib.sha256(f"{type(module).__module__}.{type(module).__qualname__}".encode())
    for name, value in entries.items():
        digest.update(name.encode())
        if isinstance(value, Tensor):
            digest.update(_bytes_of(value.detach().reshape(-1)))
        else:  # extra state of the module
            digest.update(repr(value).encode())
    return digest


def _state(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return repr(value)
    flat = value.detach().reshape(-1)
    version = 0 if value.is_inference() else value._version
    return value.shape, value.dtype, value.data_ptr(), version, _bytes_of(flat[:: max(1, len(flat) // SAMPLES)])


def _bytes_of(flat: Tensor) -> bytes:
    return flat.cpu().contiguous().view(torch.uint8).numpy().tobytes()
