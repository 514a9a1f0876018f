"""Sentences on a group of documents: what looks like a shortcut, and what looks like the topic of the class.

Each sentence is the plain reading of one number of the group. Open this module to add one.
"""

from __future__ import annotations

from typing import NamedTuple

from textlrp.reports.numbers import percentage
from textlrp.shortcut_groups import ShortcutGroup

HIGH, LOW = 0.4, 0.15
"""A part of the suspicion from HIGH on looks like a shortcut; below LOW it looks like the topic."""


class Reasons(NamedTuple):
    """Sentences for "looks like a shortcut" and for "looks topical"; either may be empty."""

    shortcut: tuple[str, ...]
    topic: tuple[str, ...]


def reasons_of(group: ShortcutGroup) -> Reasons:
    """Return the sentences on a group."""
    found = [_dependence(group), _source(group), _place(group), _form(group), _rest(group)]
    return Reasons(
        tuple(text for is_shortcut, text in found if is_shortcut is True),
        tuple(text for is_shortcut, text in found if is_shortcut is False),
    )


SidedText = tuple[bool | None, str]
"""Whether a sentence is for a shortcut (True), for the topic (False) or not shown (None), and the sentence."""


def _dependence(group: ShortcutGroup) -> SidedText:
    changed, total = group.deleted.changed, len(group.documents)
    if 2 * changed >= total:
        return True, f"Without these words, {changed} of the {total} predictions change."
    if changed <= LOW * total:
        return False, f"Without these words, {total - changed} of the {total} predictions stay the same."
    return None, ""


def _source(group: ShortcutGroup) -> SidedText:
    origins, total = group.origins, len(group.documents)
    if (largest := origins.largest_author or 0) >= HIGH * total:
        return True, f"One author wrote {largest} of the {total} documents."
    if (copies := origins.near_duplicates) >= HIGH * total:
        return True, f"{copies} of the {total} documents are nearly the same as another one."
    if origins.authors is not None and group.suspicion_parts["one source"] < LOW:
        return False, f"{origins.authors} different authors wrote the {total} documents."
    return None, ""


def _place(group: ShortcutGroup) -> SidedText:
    share, parts = group.suspicion_parts["outside the body"], group.origins.parts
    if share >= HIGH:
        return True, f"{percentage(share)} of the occurrences are in headers or signatures."
    if share < LOW and len(parts) > 1:
        return False, f"{percentage(1 - share)} of the occurrences are in the text itself or in quotes."
    return None, ""


def _form(group: ShortcutGroup) -> SidedText:
    if group.suspicion_parts["names and codes"] >= HIGH:
        return True, "Leading words are names of authors, addresses, numbers or symbols."
    if group.suspicion_parts["names and codes"] < LOW:
        return False, "The leading words are plain words."
    return None, ""


def _rest(group: ShortcutGroup) -> SidedText:
    if group.suspicion_parts["unlike the class"] >= HIGH:
        share = percentage(group.suspicion_parts["unlike the class"])
        return True, f"The other words of {share} of the documents are more like those of another class."
    if group.suspicion_parts["unlike the class"] < LOW:
        return False, "The other words of these documents are like those of the class."
    return None, ""
