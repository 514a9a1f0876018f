"""Find the class scores among the outputs of an external torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from textlrp.errors import ModelError, OptionError

LOGITS = "logits"
"""Name of the output with the class scores, where outputs have names."""

Shapes = Sequence[tuple[str, tuple[int, ...]]]
"""(name or position, shape) of each output."""


def named_outputs(result: Any) -> dict[str, Tensor]:
    """Return the floating-point tensors of a module's result by name or position ("1", or "1.0" if nested)."""
    if isinstance(result, Tensor):
        return {"": result} if result.is_floating_point() else {}
    parts: list[tuple[str, Any]] = []
    if isinstance(result, Mapping):
        parts = [(str(name), part) for name, part in result.items()]
    elif isinstance(result, (tuple, list)):
        parts = [(str(name), part) for name, part in zip(_names(result), result, strict=True)]
    elif isinstance(getattr(result, LOGITS, None), Tensor):
        parts = [(LOGITS, getattr(result, LOGITS))]
    found = {}
    for name, part in parts:
        for inner, tensor in named_outputs(part).items():
            found[f"{name}.{inner}" if inner else name] = tensor
    return found


def choose_output(shapes: Shapes, longer: Shapes | None, classes: int | None) -> str:
    """Return the name of the output with the class scores.

    ``shapes`` are the outputs for one text, ``longer`` those for a longer text or None: class scores have the same
    size for both. ``classes`` is the number of classes, or None if it is unknown. Raises :class:`OptionError` if
    several outputs may be the class scores, and :class:`ModelError` if none may.
    """
    names = [name for name, _ in shapes]
    if LOGITS in names:
        return LOGITS
    other = dict(longer or shapes)
    fixed = [(name, shape) for name, shape in shapes if other.get(name, shape) == shape]
    if not fixed:
        changes = "; ".join(f"{shape} and {other[name]}" for name, shape in shapes)
        raise ModelError(
            f"the module's output must have the same size for every text; got {changes} for texts of different "
            "lengths. Return one score for each class: (1, C)."
        )
    if len(shapes) == 1:
        return names[0]
    vectors = [(name, shape) for name, shape in fixed if _element_count(shape) == max(shape, default=1)]
    sizes = (classes, 1) if classes == 2 else (classes,)
    fitting = [(name, shape) for name, shape in vectors if _element_count(shape) in sizes]
    for candidates in (fitting, vectors, fixed):
        if len(candidates) == 1:
            return candidates[0][0]
    raise OptionError(
        f"scores must be the name or position of the class scores among the module's outputs; got None. The module "
        f"returns {outputs_with_shapes(shapes)}. Pass, for example, scores={_shown_output(fixed[0][0])}."
    )


def outputs_with_shapes(shapes: Shapes) -> str:
    """Return the outputs with their shapes as text for messages."""
    return ", ".join(f"{_shown_output(name)} {shape}" for name, shape in shapes)


def _shown_output(name: str) -> str:
    return name if name.isdigit() else repr(name)


def _names(values: Any) -> Sequence[Any]:
    return getattr(values, "_fields", range(len(values)))


def _element_count(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
