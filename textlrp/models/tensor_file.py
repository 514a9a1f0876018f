"""Check the tensors of a saved model against its options before anything is computed with them.

Every check raises :class:`ModelError`. Open it for what a forged or damaged ``model.safetensors`` is refused for.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import ModelError
from textlrp.models.schema import (
    COUNTS,
    FLOAT_DTYPES,
    MAX_SCORE,
    QUANTIZED,
    STORED_DTYPES,
    WORDS,
    StoredTensor,
    TensorSpec,
    is_shape,
    short_text,
    strict_json,
)

MAX_HEADER_BYTES = 1 << 20
"""Largest header of a ``model.safetensors`` that is read, in bytes; a tensor needs about 100."""


# ---- the header of model.safetensors


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Return number format and shape of each tensor in a safetensors file.

    Only the header is read. Raises :class:`ModelError` unless the tensors fill the file exactly, without gaps or
    overlaps, and each has a number format that textlrp stores.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > min(MAX_HEADER_BYTES, size - 8):
            limit = f"{MAX_HEADER_BYTES:,} bytes" if size > MAX_HEADER_BYTES else f"the {size} bytes of the file"
            raise ModelError(f"the header of {path.name} must fit into {limit}; it does not.")
        try:
            entries = strict_json(stream.read(length))
        except ValueError as broken:
            raise ModelError(f"the header of {path.name} must be valid JSON: {broken}.") from None
    if not isinstance(entries, dict):
        raise ModelError(f"the header of {path.name} must be a JSON object; got {short_text(entries)}.")
    about = entries.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(text, str) for text in about.values()):
        raise ModelError(f"__metadata__ in the header of {path.name} must map strings to strings.")
    found, places = {}, []
    for name, entry in entries.items():
        found[name], place = _entry(name, entry)
        places.append(place)
    end = 0
    for begin, stop in sorted(places):
        if begin != end:
            break
        end = stop
    else:
        if end == size - 8 - length:
            return found
    raise ModelError(f"the tensors of {path.name} must fill the file of {size} bytes exactly; they do not.")


def _entry(name: str, entry: Any) -> tuple[StoredTensor, tuple[int, int]]:
    """The header entry of a tensor, and where its bytes begin and end."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"the header entry of {short_text(name)} must have dtype, shape and data_offsets.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in STORED_DTYPES:
        raise ModelError(
            f"the dtype of {short_text(name)} must be one of {', '.join(STORED_DTYPES)}; got {short_text(dtype)}."
        )
    if not is_shape(shape) or not is_shape(offsets) or len(offsets) != 2:
        raise ModelError(
            f"shape and data_offsets of {short_text(name)} must be lists of lengths; got {short_text(entry)}."
        )
    if offsets[1] - offsets[0] != math.prod(shape) * STORED_DTYPES[dtype].itemsize:
        raise ModelError(
            f"data_offsets of {short_text(name)} must span its shape {short_text(shape)}; got {short_text(offsets)}."
        )
    return StoredTensor(dtype, tuple(shape)), (offsets[0], offsets[1])


def check_model_file(path: Path) -> None:
    """Raise :class:`ModelError` for a pipe, device or folder, which must not be opened; OSError if it is missing."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelError(f"{path} must be a regular file; got a pipe, device or folder. Save the model again.")


# ---- shapes


def words_in(header: Mapping[str, StoredTensor]) -> int:
    """Return V, the number of words, from the shape of the vocabulary's counts."""
    counts, words = header.get(COUNTS), header.get(WORDS)
    if counts is None or words is None:
        raise ModelError(f"a model must have the tensors {WORDS!r} and {COUNTS!r}; got {short_text(sorted(header))}.")
    if counts.dtype != "I32" or len(counts.shape) != 1 or counts.shape[0] < 1:
        raise ModelError(f"{COUNTS} must be I32 of shape (words,); got {counts.dtype} of shape {counts.shape}.")
    if words.dtype != "U8" or len(words.shape) != 1:
        raise ModelError(f"{WORDS} must be U8 of one axis; got {words.dtype} of shape {words.shape}.")
    return counts.shape[0]


def check_tensors(specs: Mapping[str, TensorSpec], header: Mapping[str, StoredTensor]) -> None:
    """Check that a header has exactly the tensors of ``specs`` and the vocabulary, with their formats and shapes.

    The embedding may be compressed: the header then has ``embedding.q8`` and ``embedding.scale`` instead.
    """
    left = dict(header)
    for name in (WORDS, COUNTS):
        left.pop(name, None)
    for name, spec in specs.items():
        _check_spec(name, spec)
        if name == QUANTIZED and f"{name}.q8" in left:
            _take(left, f"{name}.q8", spec.shape, ("I8",))
            _take(left, f"{name}.scale", (spec.shape[0], 1), ("F32",))
        else:
            _take(left, name, spec.shape, ("I64",) if spec.integer else FLOAT_DTYPES)
    if left:
        raise ModelError(f"a model of this kind with these options has no tensor {short_text(min(left))}.")


def check_shapes(specs: Mapping[str, TensorSpec], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that the shapes in a config, or of a fitted model's weights, are those of ``specs``."""
    for name in specs.keys() | shapes.keys():
        expected, got = specs.get(name), shapes.get(name)
        if expected is None or got != expected.shape:
            what = f"{name!r} with shape {expected.shape}" if expected else f"no {short_text(name)}"
            raise ModelError(f"shapes must have {what}; got {'nothing' if got is None else short_text(got)}.")


def _check_spec(name: str, spec: TensorSpec) -> None:
    if not spec.integer and min(spec.shape) < 1:
        raise ModelError(f"each length of {name} must be at least 1; got {spec.shape}.")


def _take(left: dict[str, StoredTensor], name: str, shape: tuple[int, ...], dtypes: Sequence[str]) -> None:
    """Remove a tensor from the header entries that are ``left``, after checking its format and shape."""
    got = left.pop(name, None)
    if got is None:
        raise ModelError(f"a model of this kind with these options must have a tensor {name!r}; it is missing.")
    if got.dtype not in dtypes or got.shape != shape:
        raise ModelError(
            f"{name} must be {' or '.join(dtypes)} of shape {shape}; got {got.dtype} of shape "
            f"{short_text(got.shape)}."
        )


# ---- values


def check_values(specs: Mapping[str, TensorSpec], weights: Mapping[str, NDArray[Any]]) -> None:
    """Check that weights are finite, and too small for a score or a relevance to overflow.

    Takes one pass over each tensor. The bound on scores is the product over layers of the largest sum that a layer
    can compute: its number of inputs times its largest weight.
    """
    layers: dict[int, float] = {}
    for name, spec in specs.items():
        if spec.integer:
            continue
        weight = weights[name]
        largest = max(-float(weight.min()), float(weight.max()))  # NaN and infinity propagate through min and max
        if not math.isfinite(largest):
            raise ModelError(f"every number of {name} must be finite; got NaN or infinity.")
        if spec.layer is None:
            layers[-1] = max(layers.get(-1, 1.0), largest)
        else:
            layers[spec.layer] = max(layers.get(spec.layer, 1.0), spec.inputs * largest)
    norm = layers.pop(-1, 1.0)
    if (reach := max(norm, math.prod(layers.values()))) > MAX_SCORE:
        raise ModelError(f"the weights must keep scores below {MAX_SCORE:g}; these allow scores up to {reach:.3g}.")


def decode_words(data: NDArray[np.uint8], words: int) -> tuple[str, ...]:
    """Return the words (V,) of a vocabulary from their stored bytes."""
    try:
        found = bytes(data).decode().split("\n")
    except UnicodeDecodeError as broken:
        raise ModelError(f"{WORDS} must be UTF-8; byte {broken.start} is not.") from None
    if len(found) != words:
        raise ModelError(f"{WORDS} must contain {words} words, one for each count; got {len(found)}.")
    return tuple(found)


def check_counts(counts: NDArray[np.int32], documents: int) -> None:
    """Check that each word is in 0 to ``documents`` training documents."""
    low, high = int(counts.min()), int(counts.max())
    if low < 0 or high > documents:
        raise ModelError(
            f"{COUNTS} must be from 0 to vocabulary_documents={documents}; got {low if low < 0 else high}."
        )
