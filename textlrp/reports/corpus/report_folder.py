"""Write a report as a folder: an index page, a page for each document, and the word index of the search field."""

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
from textlrp.files.written_folder import FolderKind, atomic_folder
from textlrp.machine import process_context, start_forkserver, usable_workers
from textlrp.records import Status
from textlrp.reports.corpus.report_index import ReportSections, bare_row, checked_explanations, index_page
from textlrp.reports.corpus.summary import Summary
from textlrp.reports.document import PageLinks, document_page
from textlrp.reports.palette import palette as palette_of

_REPORT_NAMES = {"index.html", "documents", "words.js"}


def _is_unmarked_report(folder: Path) -> bool:
    """Whether a folder is a report of version 0.1.0, which has no marker file: it must contain nothing else."""
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
    sections: ReportSections | None = None,
    workers: int = 1,
    texts: bool = True,
    force: bool = False,
) -> Path:
    """Write a folder with ``index.html`` and a page for each document, for any number of documents.

    The folder is written completely or not at all. With ``workers`` > 1, that many worker processes create the pages;
    the pages are the same. A script that uses workers needs ``if __name__ == "__main__":``; without it, this process
    creates all pages and issues a warning. A report that is already at ``path`` is replaced if nothing was added to
    it. Without ``texts`` the folder has only ``index.html``. Raises the errors of :func:`list_page`, and
    :class:`DataError` if ``path`` is a file or another folder; with ``force`` that is moved to a backup name.
    """
    palette_of(palette)
    if not texts:
        return _text_free_folder(explanations, Path(path), title, palette, sections or ReportSections(), force=force)
    summary, words = Summary(), dict[str, list[int]]()
    with atomic_folder(path, REPORT, force=force) as folder:
        (folder / "documents").mkdir()

        def pages() -> Iterator[Page]:
            for position, (explanation, last) in enumerate(_with_last(checked_explanations(explanations))):
                summary.add(explanation)
                _add_positions(words, explanation, position)
                previous = _page_name(position - 1) if position else None
                links = PageLinks("../index.html", previous, None if last else _page_name(position + 1))
                yield explanation, folder / "documents" / _page_name(position), links

        _write_all(pages(), palette, workers)
        (folder / "words.js").write_text(_words_script(words), encoding="ascii", newline="\n")
        index = index_page(summary, title, palette, sections or ReportSections(), None)
        (folder / "index.html").write_text(index, encoding="utf-8", newline="\n")
    return Path(path)


def _text_free_folder(
    explanations: Iterable[Explanation],
    path: Path,
    title: str,
    palette: str,
    sections: ReportSections,
    *,
    force: bool,
) -> Path:
    summary = Summary(texts=False)
    with atomic_folder(path, REPORT, force=force) as folder:
        rows = [summary.add(explanation) for explanation in checked_explanations(explanations)]
        parts = [bare_row(row, summary) for row in rows]
        index = index_page(summary, title, palette, sections, parts)
        (folder / "index.html").write_text(index, encoding="utf-8", newline="\n")
    return path


Page = tuple[Explanation, Path, PageLinks]
"""A page to write: its explanation, its path and its links."""

BATCH = 64
"""Pages per task of a worker process. For a report of at most this many pages no worker process is started."""


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
            if len(waiting) > 2 * workers:  # waiting tasks keep their explanations in memory
                waiting.popleft().result()
        for each in waiting:
            each.result()
    except BrokenProcessPool:
        raise DataError(
            "a worker process was killed, perhaps because memory ran out, so no report was written. Try again with "
            "workers=1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    # Ctrl-C reaches every process of the terminal; only the parent reports it
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_some(pages: list[Page], palette: str) -> None:
    for explanation, path, links in pages:
        page = document_page(explanation, palette=palette, links=links)
        path.write_text(page, encoding="utf-8", newline="\n")


def _page_name(position: int) -> str:
    return f"{position + 1:05d}.html"


def _add_positions(words: dict[str, list[int]], explanation: Explanation, position: int) -> None:
    forms, word_of = explanation.tokens.words()
    shown = (explanation.status == Status.READ) | (explanation.status == Status.UNKNOWN)
    for form in {forms[word] for word in np.unique(word_of[shown]).tolist()}:
        words.setdefault(form, []).append(position)


def _words_script(words: Mapping[str, list[int]]) -> str:
    """Return the word index as a call of the index page's script: each word with the positions of its documents.

    Positions are stored as differences from one to the next in base 36, which keeps the file small.
    """
    forms = sorted(words)
    documents = [
        " ".join(np.base_repr(step, 36) for step in np.diff(words[form], prepend=-1).tolist()) for form in forms
    ]
    return f"{_WORDS_CALL}({json.dumps(forms)},{json.dumps(documents)})\n"


def _with_last(explanations: Iterable[Explanation]) -> Iterator[tuple[Explanation, bool]]:
    """Yield each explanation, and whether it is the last one."""
    rest = iter(explanations)
    current = next(rest, None)
    while current is not None:
        following = next(rest, None)
        yield current, following is None
        current = following
