"""Resolve the classes to explain: from what the user passes as ``target`` to positions in ``classes_``.

Letters: N documents, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import OptionError, TargetError, closest
from textlrp.models.options import is_whole
from textlrp.predicted import highest_position, predicted_positions
from textlrp.records import Document, Target


@dataclass(frozen=True, slots=True)
class Index:
    """A class by its position in ``classes_``, for labels that are numbers themselves: ``Index(3)``."""

    position: int


@dataclass(frozen=True, slots=True)
class Named:
    """A class by its label as text: ``Named("3")`` is the class 3 of a model with whole-number labels."""

    text: str


def targets_from_text(targets: Sequence[str], versus: str | None = None) -> list[Any]:
    """Convert classes given as text to targets; each is contrasted with ``versus`` if that is given.

    ``targets`` may contain ``"all"``. Raises :class:`OptionError` for ``versus`` without a target.
    """
    if versus is None:
        return [name if name == "all" else Named(name) for name in targets]
    if not targets:
        raise OptionError(
            f"versus must be used with a target; got versus={versus!r} alone. Pass target=, too: the class to "
            "compare it with."
        )
    return [(Named(name), Named(versus)) for name in targets]


def resolve_targets(
    target: Any,
    classes: NDArray[Any],
    scores: NDArray[Any],
    thresholds: NDArray[Any] | None = None,
    own: NDArray[np.int64] | None = None,
) -> list[tuple[Target, ...]]:
    """Return the targets of each of N documents, as positions in ``classes``.

    ``target`` is None (the predicted class), a label, :class:`Index`, a tuple (A, B), ``"all"``, or a list of these;
    ``scores`` (N, C). With ``thresholds`` (C,) of a multi-label model, None is all predicted labels, or the label
    with the highest score relative to its threshold if none is predicted. ``own`` (N,) are the classes that the model
    itself predicts, if these may not have the highest scores. Raises :class:`TargetError` for a class
    that does not exist.
    """
    if target is None and own is not None:
        return [(position,) for position in own.tolist()]
    if target is None:
        return [predicted_positions(row, thresholds) or (highest_position(row, thresholds),) for row in scores]
    if isinstance(target, list):
        if not target:
            raise TargetError(
                'target must name at least one class; got []. Pass a label, "all", or None for the predicted class.'
            )
        per_document = [resolve_targets(single, classes, scores, thresholds, own) for single in target]
        return [sum((single[n] for single in per_document), ()) for n in range(len(scores))]
    if isinstance(target, str) and target == "all" and target not in classes.tolist():
        return [tuple(range(len(classes)))] * len(scores)
    return [(resolve_target(target, classes),)] * len(scores)


def resolve_target(target: Any, classes: NDArray[Any]) -> Target:
    """Return the position of a label or :class:`Index`, or those of a pair; raises :class:`TargetError`."""
    if isinstance(target, tuple):
        if len(target) != 2:
            raise TargetError(
                f"target must be a label or a pair (A, B) for why A and not B; got the tuple {target!r}. Pass a "
                "list for several classes."
            )
        return position_of(target[0], classes), position_of(target[1], classes)
    return position_of(target, classes)


def position_of(label: Any, classes: NDArray[Any]) -> int:
    """Return the position of one label; the :class:`TargetError` for an unknown one names the closest label."""
    labels: Sequence[Any] = classes.tolist()
    names = [str(name) for name in labels]
    if isinstance(label, Named):
        return names.index(label.text) if label.text in names else position_of(label.text, classes)
    if isinstance(label, Index):
        if is_whole(label.position) and -len(classes) <= label.position < len(classes):
            return int(label.position) % len(classes)
        raise TargetError(
            f"target must be from Index(0) to Index({len(classes) - 1}) for this model with {len(classes)} classes; "
            f"got {label!r}."
        )
    value = label.item() if isinstance(label, np.generic) else label
    for position, name in enumerate(labels):
        # bool is a subclass of int, and True == 1: a label must also agree in being a bool
        if isinstance(value, type(name)) and name == value and isinstance(name, bool) == isinstance(value, bool):
            return position
    first = ", ".join(map(repr, names[:3]))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    by_position = f" Pass Index({value}) for the class at that position." if is_number else ""
    raise TargetError(
        f"target must be one of the model's {len(names)} classes ({first}{', ...' * (len(names) > 3)}); got "
        f"{value!r}.{closest(str(value), names)}{by_position}"
    )


def checked_targets(targets: Iterable[Any], texts: object) -> Iterable[Any]:
    """Return ``targets``; raise if their number is wrong, as far as both can be counted without iterating."""
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        raise TargetError(
            f"targets must be an iterable with one target for each document; got {targets!r}. Pass target= for one "
            "target of all documents."
        )
    documents = 1 if isinstance(texts, (str, Document)) else len(texts) if isinstance(texts, Sized) else None
    if documents is not None and isinstance(targets, Sized) and len(targets) != documents:
        raise TargetError(
            f"targets must have one target for each document; got {len(targets)} for {documents} documents. Pass "
            "target= for one target of all documents."
        )
    return targets


# ---- from targets to the classes that they need


class ClassesOfTargets:
    """The distinct ``classes`` that some targets need; :meth:`combine` makes the maps of the targets from theirs.

    The map of a contrast (A, B) is that of A minus that of B. ``is_identity``: the targets are the classes.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.classes = list(dict.fromkeys(c for t in targets for c in (t if isinstance(t, tuple) else (t,))))
        row = {c: k for k, c in enumerate(self.classes)}
        self._plus = [row[t[0] if isinstance(t, tuple) else t] for t in targets]
        self._minus = [(k, row[t[1]]) for k, t in enumerate(targets) if isinstance(t, tuple)]
        self.is_identity = not self._minus and self._plus == list(range(len(targets)))

    def combine(self, maps: Array, dtype: Any) -> Array:
        """Maps of the classes (classes, ...) -> maps of the K targets (K, ...)."""
        if self.is_identity:
            combined = maps[: len(self._plus)]
        else:
            combined = maps[self._plus]
            for k, other in self._minus:
                combined[k] -= maps[other]
        return combined if combined.dtype == dtype else combined.astype(dtype)


@lru_cache(maxsize=64)
def classes_of_targets(targets: tuple[Target, ...]) -> ClassesOfTargets:
    """Return the distinct classes that some targets need; cached, because most documents have the same targets."""
    return ClassesOfTargets(targets)
