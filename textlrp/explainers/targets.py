"""Which class to explain: from what the user wrote to positions in ``classes_``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError, TargetError
from textlrp.models.options import is_whole
from textlrp.records import Target


@dataclass(frozen=True, slots=True)
class Index:
    """A class by its position in ``classes_``, where a label could be mistaken for one: ``Index(3)``."""

    position: int


@dataclass(frozen=True, slots=True)
class Named:
    """A class by its label as text, whatever the labels are: ``Named("3")`` is the class 3 of whole numbers."""

    text: str


def targets_named(targets: Sequence[str], versus: str | None = None) -> list[Any]:
    """Targets from classes given as text: ``targets`` may hold ``"all"``, and ``versus`` is held against each.

    Raises :class:`OptionError` where ``versus`` has nothing to be compared with.
    """
    if versus is None:
        return [name if name == "all" else Named(name) for name in targets]
    if not targets:
        raise OptionError(f"versus {versus!r} needs a target: the class whose score it is held against.")
    return [(Named(name), Named(versus)) for name in targets]


def resolve_targets(target: Any, classes: NDArray[Any], scores: NDArray[Any]) -> list[tuple[Target, ...]]:
    """The K targets of each of N documents, as positions.

    ``target`` is None (the predicted class), a label, :class:`Index`, a tuple (A, B), ``"all"``, or a list
    of these; ``scores`` (N, C). Raises :class:`TargetError` on a class that does not exist.
    """
    if target is None:
        return [(int(row.argmax()),) for row in scores]
    if isinstance(target, list):
        if not target:
            raise TargetError('target=[] came; name at least one class, or pass None for the predicted one or "all".')
        per_document = [resolve_targets(single, classes, scores) for single in target]
        return [sum((single[n] for single in per_document), ()) for n in range(len(scores))]
    if isinstance(target, str) and target == "all" and target not in classes.tolist():
        return [tuple(range(len(classes)))] * len(scores)
    return [(one_target(target, classes),)] * len(scores)


def one_target(target: Any, classes: NDArray[Any]) -> Target:
    """A label, an :class:`Index` or a pair of these as positions; raises :class:`TargetError`."""
    if isinstance(target, tuple):
        if len(target) != 2:
            raise TargetError(f"{target!r} came; a pair (A, B) asks why A and not B, a list names several classes.")
        return position_of(target[0], classes), position_of(target[1], classes)
    return position_of(target, classes)


def position_of(label: Any, classes: NDArray[Any]) -> int:
    """The position of one label; raises :class:`TargetError` with the closest label there is."""
    known: Sequence[Any] = classes.tolist()
    names = [str(name) for name in known]
    if isinstance(label, Named):
        return names.index(label.text) if label.text in names else position_of(label.text, classes)
    if isinstance(label, Index):
        if is_whole(label.position) and -len(classes) <= label.position < len(classes):
            return int(label.position) % len(classes)
        raise TargetError(
            f"{label!r} came; this model has {len(classes)} classes, Index(0) to Index({len(classes) - 1})."
        )
    value = label.item() if isinstance(label, np.generic) else label
    for position, name in enumerate(known):
        if isinstance(value, type(name)) and name == value and isinstance(name, bool) == isinstance(value, bool):
            return position
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.0)
    force = f" Index({value}) asks for a position." if isinstance(value, int) and not isinstance(value, bool) else ""
    raise TargetError(f"the model knows no class {value!r}; the closest of its {len(names)} is {close[0]!r}.{force}")
