"""The work of ``textlrp shortcuts``: find groups, explain example documents, and write the page and other files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError, must_be
from textlrp.evaluation.shortcuts.find import find_shortcuts
from textlrp.explainers.explain import explain
from textlrp.files.input_paths import check_regular, user_path
from textlrp.files.kinds import PAGES
from textlrp.files.stop_word_file import STOP_WORDS, write_stop_words
from textlrp.files.written_file import FileKind, atomic_file, check_file, check_output, json_text
from textlrp.machine import progress_bar
from textlrp.models.classifier import Classifier
from textlrp.records import Document
from textlrp.reports.shortcuts.shortcuts_page import example_positions, shortcuts_page
from textlrp.shortcut_groups import Shortcuts
from textlrp.text_free import text_free_earlier, text_free_groups


def _is_groups(path: Path) -> bool:
    found = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(found, dict) and {"groups", "labels", "predicted", "grouped", "model"} <= found.keys()


_GROUPS = {".json": FileKind("the groups of a shortcut search", _is_groups)}


def read_groups(path: str | Path) -> dict[str, Any]:
    """Return the groups that ``textlrp shortcuts --json`` wrote; raises :class:`DataError` for any other file."""
    source = user_path(path)
    check_regular(source)
    try:
        if _is_groups(source):
            found: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
            return found
        reason = "it has other content"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
    raise DataError(must_be("before", f"a file that textlrp shortcuts --json wrote ({reason})", str(path)))


class ShortcutFiles(NamedTuple):
    """The files to write: the page, all groups as JSON, and the leading words of the suspicious ones."""

    page: Path
    groups: Path | None = None
    words: Path | None = None

    def check(self, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
        """Raise :class:`DataError` if a file cannot be written, or is also another one or one of the ``inputs``."""
        read = list(inputs)
        check_output(self.page, PAGES, inputs=read, force=force)
        if self.groups is not None:
            check_output(self.groups, _GROUPS, inputs=[*read, self.page], force=force)
        if self.words is not None:
            others = [path for path in (self.page, self.groups) if path is not None]
            check_file(self.words, STOP_WORDS, inputs=[*read, *others], force=force)


def shortcuts_of_corpus(
    model: Classifier,
    documents: Iterable[Document],
    files: ShortcutFiles,
    *,
    suspicion: float,
    earlier: Mapping[str, Any] | None = None,
    model_name: str,
    corpus_name: str,
    method: str = "lrp",
    rule: str | None = None,
    texts: bool = True,
    force: bool = False,
    **options: Any,
) -> Shortcuts:
    """Find the shortcuts of a model and write the files; return the groups.

    The file of words has the leading words of all groups of at least this ``suspicion``; it is not written if there
    are none. Without ``texts`` the files have no text of a document. The page compares the groups with ``earlier``
    ones (:func:`read_groups`). ``options`` are further options of :func:`find_shortcuts`; raises as it does.
    """
    files.check(force=force)
    corpus = list(documents)
    with progress_bar(transient=True) as bar:
        task = bar.add_task("explaining", total=len(corpus), note="")
        found = find_shortcuts(
            model, corpus, method=method, rule=rule, progress=lambda done: bar.advance(task, done), **options
        )
    if not texts:
        found = text_free_groups(found)
        earlier = None if earlier is None else text_free_earlier(earlier)
    rows = example_positions(found) if texts else []
    examples = dict(zip(rows, explain(model, [corpus[row] for row in rows], method=method, rule=rule), strict=True))
    if files.groups is not None:
        with atomic_file(files.groups, _GROUPS[".json"], force=force) as unfinished:
            unfinished.write_text(json_text(found.to_dict()), encoding="utf-8")
    if files.words is not None and (chosen := found.words(suspicion=suspicion)):
        comment = (
            f"Leading words of groups with a suspicion of {suspicion:.2f} or more: {model_name} on {corpus_name}.\n"
            "Remove the words that are about the topic, then pass this file to textlrp train --stop-words."
        )
        write_stop_words(chosen, files.words, comment=comment, force=force)
    shortcuts_page(
        found,
        files.page,
        examples=examples,
        earlier=earlier,
        model_name=model_name,
        corpus_name=corpus_name,
        texts=texts,
        force=force,
    )
    return found
