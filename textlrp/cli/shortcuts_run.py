"""The work of ``textlrp shortcuts``: find groups, explain example documents, and write the page and the JSON file."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textlrp.evaluation.shortcuts.find import find_shortcuts
from textlrp.explainers.explain import explain
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import FileKind, atomic_file, check_output, json_text
from textlrp.machine import progress_bar
from textlrp.models.classifier import Classifier
from textlrp.records import Document
from textlrp.reports.shortcuts.shortcuts_page import example_positions, shortcuts_page
from textlrp.shortcut_groups import Shortcuts


def _is_groups(path: Path) -> bool:
    found = json_format.loads(path.read_text(encoding="utf-8"))
    return isinstance(found, dict) and {"groups", "labels", "predicted", "grouped", "model"} <= found.keys()


_GROUPS = {".json": FileKind("the groups of a shortcut search", _is_groups)}


def check_shortcuts(
    page: Path, groups: Path | None, *, inputs: Iterable[str | Path] = (), force: bool = False
) -> None:
    """Raise :class:`DataError` if the page or the JSON file cannot be written."""
    read = list(inputs)
    check_output(page, PAGES, inputs=read, force=force)
    if groups is not None:
        check_output(groups, _GROUPS, inputs=[*read, page], force=force)


def shortcuts_of_corpus(
    model: Classifier,
    documents: Iterable[Document],
    page: Path,
    groups: Path | None = None,
    *,
    model_name: str,
    corpus_name: str,
    method: str = "lrp",
    rule: str | None = None,
    force: bool = False,
    **options: Any,
) -> Shortcuts:
    """Find the shortcuts of a model, write the page and, if asked for, the JSON file; return the groups.

    ``options`` are further options of :func:`find_shortcuts`; raises as it does.
    """
    check_shortcuts(page, groups, force=force)
    texts = list(documents)
    with progress_bar(transient=True) as bar:
        task = bar.add_task("explaining", total=len(texts), note="")
        found = find_shortcuts(
            model, texts, method=method, rule=rule, progress=lambda done: bar.advance(task, done), **options
        )
    rows = example_positions(found)
    examples = dict(zip(rows, explain(model, [texts[row] for row in rows], method=method, rule=rule), strict=True))
    if groups is not None:
        with atomic_file(groups, _GROUPS[".json"], force=force) as unfinished:
            unfinished.write_text(json_text(found.to_dict()), encoding="utf-8")
    shortcuts_page(found, page, examples=examples, model_name=model_name, corpus_name=corpus_name, force=force)
    return found
