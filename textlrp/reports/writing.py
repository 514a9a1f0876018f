"""Reports of many documents: one page, or a folder with a page for each.

Explanations are read one at a time; what waits for the end is a row of each, and on one page its finished part.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.file_kinds import PAGE, first_line
from textlrp.files import FolderKind, folder_beside
from textlrp.processes import context, usable, warm_up
from textlrp.records import Explanation, Status
from textlrp.reports.deleting import deletion_section
from textlrp.reports.html import Steps, document_page
from textlrp.reports.mapping import FEWEST, document_map
from textlrp.reports.marks import percentage
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page
from textlrp.reports.summary import Row, Summary
from textlrp.reports.view import view

MANY = 40
"""Documents from which on a report begins with what they say together, and the list of them comes last."""


_REPORT_NAMES = {"index.html", "documents", "words.js"}


def _is_unmarked_report(folder: Path) -> bool:
    """Whether a folder is a report of version 0.1.0, which has no marker: all in it is what a report holds."""
    if {each.name for each in folder.iterdir()} != _REPORT_NAMES:
        return False
    pages = [folder / "index.html", *(folder / "documents").iterdir()]
    return (
        first_line(folder / "words.js").startswith(f"{_WORDS_CALL}(")
        and all(_PAGE_NAME.fullmatch(page.name) for page in pages[1:])
        and all(PAGE.recognize(page) for page in pages)
    )


REPORT = FolderKind("a report", replaced=True, names=_REPORT_NAMES, recognize=_is_unmarked_report)

_WORDS_CALL = "textlrpWords"
_PAGE_NAME = re.compile(r"[0-9]{5,}\.html")


@dataclass(frozen=True, slots=True)
class Beside:
    """What a report shows beside the explanations.

    ``places`` gives, when all explanations were read, where each document lies on a map (N, 2), and ``about`` says
    what the map is made of; ``evaluation`` holds results as ``results.json`` does.
    """

    places: Callable[[], NDArray[np.floating]] | None = None
    about: str = ""
    evaluation: Mapping[str, Any] | None = None


def list_page(
    explanations: Iterable[Explanation],
    path: str | Path | None = None,
    *,
    title: str = "",
    palette: str = "red-blue",
    beside: Beside | None = None,
    force: bool = False,
) -> str:
    """Documents one under the other, each to be opened, with what they say together: accuracy, confusions, the words
    of each class. Some hundred documents are a good size.

    Raises :class:`DataError` if something else than explanations came or ``path`` cannot be written,
    :class:`OptionError` for an unknown palette.
    """
    palette_of(palette)
    summary, parts = Summary(), []
    for explanation in _checked(explanations):
        row = summary.add(explanation)
        parts.append(_part(explanation, row, summary, palette))
    page = _index(summary, title, palette, beside or Beside(), parts)
    if path is not None:
        write_page(page, path, force=force)
    return page


def report_folder(
    explanations: Iterable[Explanation],
    path: str | Path,
    *,
    title: str = "",
    palette: str = "red-blue",
    beside: Beside | None = None,
    workers: int = 1,
    force: bool = False,
) -> Path:
    """A folder with ``index.html`` and a page for each document, for any number of them; written whole or not at all.

    With more ``workers`` than one, pages are made in as many processes beside this one. A script that asks for them
    needs the usual ``if __name__ == "__main__":``; without it one process makes all pages, and a warning says so. The
    pages are the same. A former report at ``path`` is replaced, if nothing was added to it.
    Raises as :func:`list_page` does, and :class:`DataError` if ``path`` is a file or a folder of something else; with
    ``force`` that is moved to a backup name.
    """
    palette_of(palette)
    summary, words = Summary(), dict[str, list[int]]()
    with folder_beside(path, REPORT, force=force) as folder:
        (folder / "documents").mkdir()

        def pages() -> Iterator[Page]:
            for position, (explanation, last) in enumerate(_with_last(_checked(explanations))):
                summary.add(explanation)
                _add_words(words, explanation, position)
                before = _page_name(position - 1) if position else None
                steps = Steps("../index.html", before, None if last else _page_name(position + 1))
                yield explanation, folder / "documents" / _page_name(position), steps

        _write_all(pages(), palette, workers)
        (folder / "words.js").write_text(_words_script(words), encoding="ascii", newline="\n")
        index = _index(summary, title, palette, beside or Beside(), None)
        (folder / "index.html").write_text(index, encoding="utf-8", newline="\n")
    return Path(path)


def write_report(
    explanations: Explanation | Iterable[Explanation],
    path: str | Path,
    *,
    title: str | None = None,
    palette: str = "red-blue",
    beside: Beside | None = None,
    workers: int = 1,
    force: bool = False,
) -> Path:
    """One explanation as its page; many as a list on one page (``.html``) or as a folder (any other name).

    Written whole or not at all; gives back the path. ``beside`` is what a report of many shows besides;
    ``workers`` are the processes that make a folder's pages, see :func:`report_folder`. A former page or report at
    ``path`` is replaced; with ``force=True`` anything else there is moved to a backup name (``page.html.bak1``).
    Raises :class:`DataError` if the place cannot be written to or something else than explanations came.
    """
    if isinstance(explanations, Explanation):
        document_page(explanations, path, title=title, palette=palette, force=force)
    elif is_page(path):
        list_page(explanations, path, title=title or "", palette=palette, beside=beside, force=force)
    else:
        report_folder(
            explanations, path, title=title or "", palette=palette, beside=beside, workers=workers, force=force
        )
    return Path(path)


def is_page(path: str | Path) -> bool:
    """Whether a report of this name is one page, and not a folder."""
    return Path(path).suffix.lower() == ".html"


Page = tuple[Explanation, Path, Steps]
"""A page to write: of what, where, and where it leads."""

BATCH = 64
"""Pages that a process makes at a time; a report of no more is not worth another process."""


def _write_all(pages: Iterator[Page], palette: str, workers: int) -> None:
    _write_some(list(islice(pages, BATCH)), palette)
    first = list(islice(pages, BATCH))
    if not first:
        return
    workers = usable(workers)
    if workers <= 1:
        _write_some(first, palette)
        while some := list(islice(pages, BATCH)):
            _write_some(some, palette)
        return
    warm_up(__name__)
    pool = ProcessPoolExecutor(workers, mp_context=context(__name__), initializer=_leave_interrupts_to_the_parent)
    try:
        waiting = deque([pool.submit(_write_some, first, palette)])
        while some := list(islice(pages, BATCH)):
            waiting.append(pool.submit(_write_some, some, palette))
            if len(waiting) > 2 * workers:  # explanations wait in memory
                waiting.popleft().result()
        for each in waiting:
            each.result()
    except BrokenProcessPool:
        raise DataError(
            "a process that made pages was ended from outside, perhaps for want of memory, so no report was written; "
            "try again with workers=1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    # Ctrl-C reaches every process of a terminal; one of them tells the user
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_some(pages: list[Page], palette: str) -> None:
    for explanation, path, steps in pages:
        page = document_page(explanation, palette=palette, steps=steps)
        path.write_text(page, encoding="utf-8", newline="\n")


def _part(explanation: Explanation, row: Row, summary: Summary, palette: str) -> Markup:
    uid, doc, colors = f"d{row.position + 1}", view(explanation), palette_of(palette)
    return Markup(rendered("item.html", doc=doc, uid=uid, row=row, names=summary.names, palette=colors))


def _index(summary: Summary, title: str, palette: str, beside: Beside, parts: list[Markup] | None) -> str:
    rows = sorted(summary.rows, key=lambda row: (row.own < 0, row.own, row.own != row.predicted, row.predicted))
    first_of: dict[str, int] = {}
    for row in rows:
        if row.own >= 0:
            first_of.setdefault(row.cell, row.position)
    words = summary.words()
    placed = beside.places() if beside.places and len(summary.rows) >= FEWEST else None
    deletion = (beside.evaluation or {}).get("deletion")
    script, digest = _script()
    return rendered(
        "corpus.html",
        title=title or "Documents",
        summary=summary,
        rows=rows,
        parts=parts,
        folder=parts is None,
        overview_first=len(summary.rows) >= MANY,
        first_of=first_of,
        accuracy=percentage(summary.right / summary.labelled) if summary.labelled else "",
        confusions=summary.confusions(),
        matrix=summary.matrix(),
        words=words,
        unseen=any(word.in_training == 0 for each in words for word in each.words),
        map=None if placed is None else document_map(placed, summary.rows, summary.names),
        map_about=beside.about,
        deletion=deletion_section(deletion) if deletion else None,
        palette=palette_of(palette),
        script=script,
        hash=digest,
    )


@cache
def _script() -> tuple[Markup, str]:
    """The page's own script, and the digest by which its policy knows it."""
    text = files("textlrp.reports").joinpath("templates/report.js").read_text(encoding="utf-8")
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _page_name(position: int) -> str:
    return f"{position + 1:05d}.html"


def _add_words(words: dict[str, list[int]], explanation: Explanation, position: int) -> None:
    forms, word_of = explanation.tokens.words()
    shown = (explanation.status == Status.READ) | (explanation.status == Status.UNKNOWN)
    for form in {forms[word] for word in np.unique(word_of[shown]).tolist()}:
        words.setdefault(form, []).append(position)


def _words_script(words: Mapping[str, list[int]]) -> str:
    """Each word with its documents, as steps from one to the next in base 36: a call of the page's script."""
    forms = sorted(words)
    places = [
        " ".join(np.base_repr(step, 36) for step in np.diff(words[form], prepend=-1).tolist()) for form in forms
    ]
    return f"{_WORDS_CALL}({json.dumps(forms)},{json.dumps(places)})\n"


def _with_last(explanations: Iterable[Explanation]) -> Iterator[tuple[Explanation, bool]]:
    """Each explanation, and whether none follows."""
    rest = iter(explanations)
    held = next(rest, None)
    while held is not None:
        following = next(rest, None)
        yield held, following is None
        held = following


def _checked(explanations: Iterable[object]) -> Iterator[Explanation]:
    for explanation in explanations:
        if not isinstance(explanation, Explanation):
            raise DataError(
                f"a report shows Explanations; got {type(explanation).__name__}. Pass what explain() gives."
            )
        yield explanation
