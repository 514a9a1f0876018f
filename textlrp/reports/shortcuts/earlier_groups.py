"""Compare the groups of a model with those of an earlier one, such as the model before words were dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from textlrp.shortcut_groups import Shortcuts

LISTED = 30
"""Groups of the earlier model that are listed, those with the highest suspicion first."""


class Followed(NamedTuple):
    """A group of the earlier model, and the largest group now with the same class and one of its leading words.

    ``now`` is the suspicion of that group and ``documents_now`` its number of documents; None and 0 without one.
    """

    label: str
    words: str
    suspicion: float
    documents: int
    now: float | None
    documents_now: int


class Comparison(NamedTuple):
    """Accuracy and number of suspicious groups before and now, and what became of the earlier groups."""

    accuracy: float
    suspicious: int
    suspicious_now: int
    groups: tuple[Followed, ...]
    n_groups: int


def compared_with(found: Shortcuts, earlier: Mapping[str, Any], *, suspicious: float) -> Comparison:
    """Compare with ``earlier`` groups, in the form of :meth:`.Shortcuts.to_dict`, from this suspicion on."""
    groups = [group for group in earlier["groups"] if group["suspicion"] >= suspicious]
    followed = [_followed(found, group) for group in sorted(groups, key=lambda group: -group["suspicion"])]
    now = sum(group.suspicion >= suspicious for group in found.groups)
    return Comparison(float(earlier["accuracy"]), len(groups), now, tuple(followed[:LISTED]), len(followed))


def _followed(found: Shortcuts, group: Mapping[str, Any]) -> Followed:
    words = [str(each["word"]) for each in group["words"]]
    same = [
        each for each in found.of_class(str(group["label"])) if {word.word for word in each.words}.intersection(words)
    ]
    largest = max(same, key=lambda each: len(each.documents), default=None)
    return Followed(
        str(group["label"]),
        ", ".join(words),
        float(group["suspicion"]),
        len(group["documents"]),
        None if largest is None else largest.suspicion,
        0 if largest is None else len(largest.documents),
    )
