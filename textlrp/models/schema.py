"""The format of a saved model: shapes of its tensors, strict JSON, and checks of ``config.json``.

Open it for what may be in ``config.json``; :mod:`textlrp.models.tensor_file` checks the tensors.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textlrp.errors import ModelError

MAX_CONFIG_BYTES = 16 << 20
"""Largest ``config.json`` that is read, in bytes."""
MAX_DEPTH = 50
"""Largest number of nested lists and objects in a JSON file."""
MAX_DOCUMENTS = 1 << 53
"""Largest number of documents, and largest length of a tensor: exact as a float64."""
MAX_SCORE = 1e15
"""Largest score, or intermediate value, that the weights of a model may be able to produce.

The largest float32 is 3.4e38, so that the squares that some rules and methods compute of such values stay finite.
"""
STORED_DTYPES: Mapping[str, np.dtype[Any]] = {
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "I32": np.dtype(np.int32),
    "I64": np.dtype(np.int64),
}
"""Number formats of stored tensors, by their names in a safetensors header."""
FLOAT_DTYPES = ("F16", "F32", "F64")
WORDS, COUNTS = "vocabulary.words", "vocabulary.counts"
QUANTIZED = "embedding"
"""Tensor that a compressed model stores as 8-bit integers with one scale per row."""

short_text = reprlib.repr


class TensorSpec(NamedTuple):
    """What one tensor of a fitted model must be.

    ``integer``: an int64 tensor, which may be empty; otherwise floating point with every length at least 1.
    ``layer``: its number in the forward pass; None for a tensor that does not multiply values (such as a norm).
    ``inputs``: the number of products with its numbers that are added for one output of its layer.
    """

    shape: tuple[int, ...]
    integer: bool = False
    layer: int | None = 0
    inputs: int = 1


class StoredTensor(NamedTuple):
    """Number format and shape of one tensor in the header of the file."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that determine the shapes of tensors: C classes, V words, and the ``shapes`` in ``config.json``."""

    classes: int
    words: int
    shapes: Mapping[str, tuple[int, ...]]

    def length(self, name: str, axis: int) -> int:
        """Return a length that only ``shapes`` has, such as D; raise :class:`ModelError` if it is missing."""
        shape = self.shapes.get(name, ())
        if len(shape) <= axis:
            raise ModelError(f"shapes must have {axis + 1} or more lengths for {name!r}; got {short_text(shape)}.")
        return shape[axis]


# ---- JSON


def strict_json(data: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Stricter than Python's own reader. Raises ValueError for a name that is twice in one object, NaN and infinity,
    numbers beyond 64 bits, lone surrogates, and more than :data:`MAX_DEPTH` levels.
    """
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_once_each,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    waiting = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        if isinstance(part, str):
            part.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
        elif isinstance(part, dict):
            waiting += [(entry, depth + 1) for pair in part.items() for entry in pair]
        elif isinstance(part, list):
            waiting += [(entry, depth + 1) for entry in part]
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"it has {short_text(twice)} twice")
    return names


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {short_text(digits)} is too large")
    return number


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) < 25 else 1 << 64
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"the number {short_text(digits)} is too large")
    return number


# ---- config.json


def check_config(config: Mapping[str, Any]) -> None:
    """Raise :class:`ModelError` unless every field of a config has the correct type and range.

    The options are not checked here: the estimator checks them itself.
    """
    _check_field(isinstance(config.get("options"), dict), "options", "an object of the model's options", config)
    for name in ("documents", "vocabulary_documents"):
        _check_field(_is_count(config.get(name)), name, "a whole number from 0 to 2**53", config)
    _check_field(isinstance(config.get("textlrp", ""), str), "textlrp", "the version as a string", config)
    _check_field(isinstance(config.get("card", {}), dict), "card", "an object", config)
    _check_field(
        isinstance(config.get("sha256", ""), (str, type(None))), "sha256", "a checksum in hexadecimal", config
    )
    classes = config.get("classes")
    kinds = {type(label) for label in classes} if isinstance(classes, list) else set()
    _check_field(
        isinstance(classes, list)
        and len(kinds) == 1
        and kinds <= {str, int, bool}
        and "" not in classes
        and len(set(classes)) == len(classes) >= 2
        and np.array(classes).tolist() == classes,
        "classes",
        "a list of two or more distinct labels, all strings, all whole numbers or all booleans",
        config,
    )
    thresholds = config.get("thresholds")
    _check_field(
        thresholds is None
        or (
            isinstance(thresholds, list)
            and len(thresholds) == len(classes or ())
            and all(map(_is_threshold, thresholds))
        ),
        "thresholds",
        "a list of one number for each class",
        config,
    )
    shapes = config.get("shapes")
    _check_field(
        isinstance(shapes, dict) and all(map(is_shape, shapes.values())), "shapes", "lists of lengths", config
    )


def _check_field(correct: bool, name: str, what: str, config: Mapping[str, Any]) -> None:
    if not correct:
        got = short_text(config[name]) if name in config else "nothing"
        raise ModelError(f"{name} in config.json must be {what}; got {got}.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_DOCUMENTS


def _is_threshold(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_SCORE


def is_shape(value: Any) -> bool:
    """Whether this is a list of lengths."""
    return isinstance(value, list) and all(map(_is_count, value))


def shapes_of(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes in a checked config."""
    return {name: tuple(shape) for name, shape in config["shapes"].items()}


def damaged(path: Path, reason: object) -> ModelError:
    """Return the error for a model folder, or a file in one, that is damaged."""
    return ModelError(f"{path} is damaged: {str(reason).rstrip('.')}. Save the model again.")
