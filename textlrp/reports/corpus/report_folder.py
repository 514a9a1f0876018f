"""A report as a folder: an index, a page for each document, and the words they are found by."""

from __future__ import annotations

import json
import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

import numpy as np

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.files.kinds import PAGE, first_line
from textlrp.files.written_folder import FolderKind, folder_beside
from textlrp.machine import process_context, start_forkserver, usable_workers
from textlrp.records import Status
from textlrp.reports.corpus.report_index import Beside, checked_explanations, index_page
from textlrp.reports.corpus.summary import Summary
from textlrp.reports.document import Steps, document_page
from textlrp.reports.palette import palette as palette_of

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
            for position, (explanation, last) in enumerate(_with_last(checked_explanations(explanations))):
                summary.add(explanation)
                _add_positions(words, explanation, position)
                before = _page_name(position - 1) if position else None
                steps = Steps("../index.html", before, None if last else _page_name(position + 1))
                yield explanation, folder / "documents" / _page_name(position), steps

        _write_all(pages(), palette, workers)
        (folder / "words.js").write_text(_words_script(words), encoding="ascii", newline="\n")
        index = index_page(summary, title, palette, beside or Beside(), None)
        (folder / "index.html").write_text(index, encoding="utf-8", newline="\n")
    return Path(path)


Page = tuple[Explanation, Path, Steps]
"""A page to write: of what, where, and where it leads."""

BATCH = 64
"""Pages that a process makes at a time; a report of no more is not worth another process."""


def _write_all(pages: Iterator[Page], palette: str, workers: int) -> None:
    _write_some(list(islice(pages, BATCH)), palette)
    first = list(islice(pages, BATCH))
    if not first:
        return
    workers = usable_workers(workers)
    if workers <= 1:
        _write_some(first, palette)
        while some := list(islice(pages, BATCH)):
            _write_some(some, palette)
        return
    start_forkserver(__name__)
    pool = ProcessPoolExecutor(
        workers, mp_context=process_context(__name__), initializer=_leave_interrupts_to_the_parent
    )
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


def _page_name(position: int) -> str:
    return f"{position + 1:05d}.html"


def _add_positions(words: dict[str, list[int]], explanation: Explanation, position: int) -> None:
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
