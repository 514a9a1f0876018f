"""Render the groups of :func:`textlrp.find_shortcuts` as one HTML page without scripts and network access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.explanation import Explanation
from textlrp.reports.balance import Fact
from textlrp.reports.numbers import percentage
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, today, write_page
from textlrp.reports.shortcuts.earlier_groups import compared_with
from textlrp.reports.shortcuts.shortcut_reasons import Reasons, reasons_of
from textlrp.reports.view import DocumentView, view
from textlrp.shortcut_groups import PART_MEANINGS, ShortcutGroup, Shortcuts
from textlrp.version import __version__

SUSPICIOUS = 0.5
"""The suspicion from which a group is called suspicious."""
SHOWN = 40
"""Groups with all their numbers and example documents; all others are listed by class."""


class PartRow(NamedTuple):
    """One part of the suspicion: its name, its value as a share and in percent, and its meaning."""

    name: str
    share: float
    percent: str
    meaning: str


class GroupView(NamedTuple):
    """A group as the page shows it; ``number`` counts from 1, ``examples`` are document views."""

    number: int
    group: ShortcutGroup
    words: str
    parts: tuple[PartRow, ...]
    reasons: Reasons
    examples: tuple[DocumentView, ...]


def shortcuts_page(
    found: Shortcuts,
    path: str | Path | None = None,
    *,
    examples: Mapping[int, Explanation] | None = None,
    earlier: Mapping[str, Any] | None = None,
    model_name: str = "",
    corpus_name: str = "",
    shown: int = SHOWN,
    palette: str = "red-blue",
    texts: bool = True,
    force: bool = False,
) -> str:
    """Return the groups of a model as a self-contained page, and write it to ``path`` if given.

    ``examples`` are explanations of documents by their position in the corpus; a group shows those that it contains.
    ``earlier`` are the groups of another model, such as one that was trained with more words, in the form of
    :meth:`.Shortcuts.to_dict`. Without ``texts`` the page has no text of a document. ``shown`` groups are shown in
    full, the others are listed. Raises as :func:`.document_page` does.
    """
    explained = (examples if texts else None) or {}
    groups = [_group_view(number, group, explained) for number, group in enumerate(found.groups, start=1)]
    page = rendered(
        "shortcuts.html",
        title=f"{model_name or 'a model'} on {corpus_name}" if corpus_name else model_name or "a model",
        found=found,
        accuracy=percentage(found.accuracy),
        groups=groups[:shown],
        comparison=None if earlier is None else compared_with(found, earlier, suspicious=SUSPICIOUS),
        suspicious=sum(group.suspicion >= SUSPICIOUS for group in found.groups),
        classes=[(label, [each for each in groups if each.group.label == label]) for label in found.labels],
        facts=_facts(found, model_name, corpus_name),
        palette=palette_of(palette),
        texts=texts,
    )
    if path is not None:
        write_page(page, path, force=force)
    return page


def example_positions(found: Shortcuts, *, groups: int = SHOWN, examples: int = 3) -> list[int]:
    """Return the documents to explain for the page: the first ``examples`` of each of the first ``groups``."""
    return sorted({row for group in found.groups[:groups] for row in group.documents[:examples]})


def words_of(group: ShortcutGroup) -> str:
    """Return the leading words of a group, separated by commas."""
    return ", ".join(word.word for word in group.words)


def _group_view(number: int, group: ShortcutGroup, explained: Mapping[int, Explanation]) -> GroupView:
    parts = tuple(
        PartRow(name, value, percentage(value), PART_MEANINGS[name]) for name, value in group.suspicion_parts.items()
    )
    examples: Sequence[Any] = [view(explained[row]) for row in group.documents if row in explained]
    return GroupView(number, group, words_of(group), parts, reasons_of(group), tuple(examples))


def _facts(found: Shortcuts, model_name: str, corpus_name: str) -> list[Fact]:
    facts = (
        Fact("model", model_name),
        Fact("fingerprint", found.model),
        Fact("corpus", corpus_name),
        Fact("documents", f"{found.n_documents:,}"),
        Fact("method", found.method),
        Fact("rule", found.rule),
        Fact("date", today()),
        Fact("textlrp", __version__),
    )
    return [fact for fact in facts if fact.value]
