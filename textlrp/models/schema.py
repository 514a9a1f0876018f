"""Checks of a saved model: its JSON, the header of its tensors, and the values of its weights.

Nothing in a model folder is trusted. Each kind of model declares its tensors in one method
(:meth:`textlrp.models.base.TextClassifier.tensor_specs`); everything here follows from that declaration. Every check
raises :class:`ModelError` with one sentence; :func:`textlrp.load` puts the name of the folder before it.
"""

from __future__ import annotations

import json
import math
import reprlib
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import ModelError

LONGEST_CONFIG = 16 << 20
"""Bytes of the largest ``config.json`` that is read."""
LONGEST_HEADER = 1 << 20
"""Bytes of the largest header of a tensors' file that is read; a tensor needs about 100."""
DEEPEST = 50
"""Levels of nested lists and objects in a JSON file."""
MOST_DOCUMENTS = 1 << 53
REACH = 1e15
"""The largest score, or intermediate value, that the weights of a model may be able to produce.

float32 ends at 3.4e38; the squares that some rules and methods form of such values are still finite.
"""
DTYPES: Mapping[str, np.dtype[Any]] = {
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "I32": np.dtype(np.int32),
    "I64": np.dtype(np.int64),
}
"""The number formats of stored tensors, by their names in a safetensors header."""
FLOATS = ("F16", "F32", "F64")
WORDS, COUNTS = "vocabulary.words", "vocabulary.counts"
QUANTIZED = "embedding"
"""The tensor that a compressed model stores as 8-bit integers, with one scale per row."""

_short = reprlib.repr


class TensorSpec(NamedTuple):
    """What one tensor of a fitted model must be.

    ``integer``: int64 numbers, which may be none at all; otherwise floating point, with every length at least 1.
    ``layer``: where it is in the forward pass; None for a tensor that does not multiply values (such as a norm).
    ``inputs``: how many products with its numbers are added up for one value of its layer.
    """

    shape: tuple[int, ...]
    integer: bool = False
    layer: int | None = 0
    inputs: int = 1


class Stored(NamedTuple):
    """What a header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the shapes of tensors follow from: C classes, V words, and the ``shapes`` in ``config.json``."""

    classes: int
    words: int
    shapes: Mapping[str, tuple[int, ...]]

    def length(self, name: str, axis: int) -> int:
        """A length that only the model's shapes state, such as D; raises :class:`ModelError` if they do not."""
        shape = self.shapes.get(name, ())
        if len(shape) <= axis:
            raise ModelError(f"shapes must have {axis + 1} or more lengths for {name!r}; got {_short(shape)}.")
        return shape[axis]


# ---- JSON


def strict_json(data: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises ValueError for what Python's own reader lets pass or stumbles over: a name twice in one object, NaN and
    infinity, numbers beyond 64 bits, characters that UTF-8 does not have, more than :data:`DEEPEST` levels.
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
        if depth > DEEPEST:
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
        raise ValueError(f"it has {_short(twice)} twice")
    return names


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {_short(digits)} is too large")
    return number


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) < 25 else 1 << 64
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"the number {_short(digits)} is too large")
    return number


# ---- config.json


def check_config(config: Mapping[str, Any]) -> None:
    """Check the types and ranges of everything in a config but the options, which the estimator checks itself."""
    _must(isinstance(config.get("options"), dict), "options", "an object of the model's options", config)
    for name in ("documents", "vocabulary_documents"):
        _must(_is_count(config.get(name)), name, "a whole number from 0 to 2**53", config)
    _must(isinstance(config.get("textlrp", ""), str), "textlrp", "the version as a string", config)
    _must(isinstance(config.get("card", {}), dict), "card", "an object", config)
    _must(isinstance(config.get("sha256", ""), (str, type(None))), "sha256", "a checksum in hexadecimal", config)
    classes = config.get("classes")
    kinds = {type(label) for label in classes} if isinstance(classes, list) else set()
    _must(
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
    shapes = config.get("shapes")
    _must(isinstance(shapes, dict) and all(map(_is_shape, shapes.values())), "shapes", "lists of lengths", config)


def _must(holds: bool, name: str, what: str, config: Mapping[str, Any]) -> None:
    if not holds:
        came = _short(config[name]) if name in config else "nothing"
        raise ModelError(f"{name} in config.json must be {what}; got {came}.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DOCUMENTS


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def shapes_of(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of a checked config."""
    return {name: tuple(shape) for name, shape in config["shapes"].items()}


# ---- the header of the tensors' file


def read_header(path: Path) -> dict[str, Stored]:
    """Number format and shape of each tensor in a safetensors file.

    Reads the header alone. Raises :class:`ModelError` unless the tensors fill the file exactly, end to end, and each
    has a format that textlrp stores.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > min(LONGEST_HEADER, size - 8):
            most = f"{LONGEST_HEADER} bytes" if size > LONGEST_HEADER else f"the file's {size} bytes"
            raise ModelError(f"the header of {path.name} must fit into {most}; it does not.")
        try:
            entries = strict_json(stream.read(length))
        except ValueError as broken:
            raise ModelError(f"the header of {path.name} must be valid JSON; {broken}.") from None
    if not isinstance(entries, dict):
        raise ModelError(f"the header of {path.name} must be a JSON object; got {_short(entries)}.")
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


def _entry(name: str, entry: Any) -> tuple[Stored, tuple[int, int]]:
    """A tensor's header entry, and where its bytes begin and end."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"the header entry of {_short(name)} must have dtype, shape and data_offsets.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ModelError(f"the dtype of {_short(name)} must be one of {', '.join(DTYPES)}; got {_short(dtype)}.")
    if not _is_shape(shape) or not _is_shape(offsets) or len(offsets) != 2:
        raise ModelError(f"shape and data_offsets of {_short(name)} must be lists of lengths; got {_short(entry)}.")
    if offsets[1] - offsets[0] != math.prod(shape) * DTYPES[dtype].itemsize:
        raise ModelError(
            f"data_offsets of {_short(name)} must span its shape {_short(shape)}; got {_short(offsets)}."
        )
    return Stored(dtype, tuple(shape)), (offsets[0], offsets[1])


def check_model_file(path: Path) -> None:
    """Raise :class:`ModelError` for a pipe, device or folder, which must not be opened; OSError if it is missing."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelError(f"{path} must be a regular file; got something else. Save the model again.")


# ---- shapes


def words_in(header: Mapping[str, Stored]) -> int:
    """V, from the counts of the vocabulary."""
    counts, words = header.get(COUNTS), header.get(WORDS)
    if counts is None or words is None:
        raise ModelError(f"a model must have the tensors {WORDS!r} and {COUNTS!r}; got {_short(sorted(header))}.")
    if counts.dtype != "I32" or len(counts.shape) != 1 or counts.shape[0] < 1:
        raise ModelError(f"{COUNTS} must be I32 of shape (words,); got {counts.dtype} of shape {counts.shape}.")
    if words.dtype != "U8" or len(words.shape) != 1:
        raise ModelError(f"{WORDS} must be U8 of one axis; got {words.dtype} of shape {words.shape}.")
    return counts.shape[0]


def check_tensors(specs: Mapping[str, TensorSpec], header: Mapping[str, Stored]) -> None:
    """Check that a header has exactly the tensors of ``specs`` and the vocabulary, each as it must be.

    The embedding may be compressed: ``embedding.q8`` and ``embedding.scale`` in its place.
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
            _take(left, name, spec.shape, ("I64",) if spec.integer else FLOATS)
    if left:
        raise ModelError(f"this kind of model with these options has no tensor {_short(min(left))}.")


def check_shapes(specs: Mapping[str, TensorSpec], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that the shapes of a config, or of a fitted model's weights, are those of ``specs``."""
    for name in specs.keys() | shapes.keys():
        wanted, came = specs.get(name), shapes.get(name)
        if wanted is None or came != wanted.shape:
            what = f"{name!r} with shape {wanted.shape}" if wanted else f"no {_short(name)}"
            raise ModelError(f"shapes must have {what}; got {'nothing' if came is None else _short(came)}.")


def _check_spec(name: str, spec: TensorSpec) -> None:
    if not spec.integer and min(spec.shape) < 1:
        raise ModelError(f"each length of {name} must be at least 1; got {spec.shape}.")


def _take(left: dict[str, Stored], name: str, shape: tuple[int, ...], dtypes: Sequence[str]) -> None:
    came = left.pop(name, None)
    if came is None:
        raise ModelError(f"this kind of model with these options must have a tensor {name!r}; it is missing.")
    if came.dtype not in dtypes or came.shape != shape:
        raise ModelError(
            f"{name} must be {' or '.join(dtypes)} of shape {shape}; got {came.dtype} of shape {_short(came.shape)}."
        )


# ---- values


def check_values(specs: Mapping[str, TensorSpec], weights: Mapping[str, NDArray[Any]]) -> None:
    """Check that weights are finite, and too small to make a score or a relevance overflow.

    One pass over each tensor. The bound is a product over layers of the largest sum that a layer can form.
    """
    layers: dict[int, float] = {}
    for name, spec in specs.items():
        if spec.integer:
            continue
        weight = weights[name]
        largest = max(-float(weight.min()), float(weight.max()))  # NaN and infinity come through both
        if not math.isfinite(largest):
            raise ModelError(f"every number of {name} must be finite; got NaN or infinity.")
        if spec.layer is None:
            layers[-1] = max(layers.get(-1, 1.0), largest)
        else:
            layers[spec.layer] = max(layers.get(spec.layer, 1.0), spec.inputs * largest)
    norm = layers.pop(-1, 1.0)
    if (reach := max(norm, math.prod(layers.values()))) > REACH:
        raise ModelError(f"the weights must keep scores below {REACH:g}; with these they may reach {reach:.3g}.")


def read_words(data: NDArray[np.uint8], words: int) -> tuple[str, ...]:
    """The V words of a vocabulary from their stored bytes."""
    try:
        found = bytes(data).decode().split("\n")
    except UnicodeDecodeError as broken:
        raise ModelError(f"{WORDS} must be UTF-8; byte {broken.start} is not.") from None
    if len(found) != words:
        raise ModelError(f"{WORDS} must hold {words} words, as many as there are counts; got {len(found)}.")
    return tuple(found)


def check_counts(counts: NDArray[np.int32], documents: int) -> None:
    """Check that each word has between 0 and ``documents`` training documents."""
    low, high = int(counts.min()), int(counts.max())
    if low < 0 or high > documents:
        raise ModelError(
            f"{COUNTS} must be from 0 to vocabulary_documents={documents}; got {low if low < 0 else high}."
        )


def damaged(folder: Path, reason: object) -> ModelError:
    """The one sentence on a folder that does not fit together."""
    return ModelError(f"{folder} is damaged: {str(reason).rstrip('.')}. Save the model again.")
