"""Five hundred hostile strings (scripts, loads, bidi controls, broken markup) appear on pages as plain text.

Pages are also opened without their Content-Security-Policy, which would hide a mistake in the escaping.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from evaluation_results import make_results, renamed
from hostile import BY_TEXT, PIECES, carrying, harmless, hostile_strings, shape_of
from pages import NARROW, Opened, hosted, opened, shown, sideways, texts
from playwright.sync_api import Browser

from textlrp.explanation import Explanation
from textlrp.reports.corpus.report_files import list_page
from textlrp.reports.document import document_page, notebook_fragment
from textlrp.reports.evaluation.evaluation_page import evaluation_page

# every string of the user outside the document text is in a <bdi> element
NAMES = "bdi"
SHARES = r"(--0:-?0;?)*"
MARK = re.compile(
    rf"b class=m style={SHARES}( data-v=[+−]?0)?( data-n=0)?( tabindex=0)?|i( class=unknown)?( title)?"
    rf"|span id=(class|uid)-s0|nav class=strip aria-label|h0|div"
    rf"|a class=m href=#(class|uid)-s0 style=flex:0;{SHARES}( title)? aria-label"
)


@cache
def strings() -> list[str]:
    return hostile_strings(500)


@cache
def names() -> dict[str, str]:
    return {string: f"name{n}" for n, string in enumerate(strings())}


def batches(size: int) -> list[Explanation]:
    return [carrying(strings()[start : start + size]) for start in range(0, len(strings()), size)]


DRAWN = re.compile(r"(?!script|a |foreign|image|animate|set )(?!.*( on\w+=|href=[^#]|url\([^#]|script)).*", re.DOTALL)


def collapsed(text: str) -> str:
    """A title with its white space collapsed, as a browser reports it."""
    return re.sub(r"[\t\n\f ]+", " ", shown(text)).strip(" ")


def nothing_ran(it: Opened) -> None:
    it.page.wait_for_timeout(200)  # focus, toggle and animation events come after loading
    assert it.did() == []
    assert [frame.evaluate("window.pwned ?? null") for frame in it.page.frames] == [None]


def compared(browser: Browser, wild: str, tame: str, by_text: str = BY_TEXT, marks: re.Pattern[str] = MARK) -> None:
    """Assert that both pages have the same elements, except those in ``by_text``, which must match ``marks``."""
    with opened(browser, tame, policy=False) as it:
        expected = shape_of(it.page, by_text)
    with opened(browser, wild, policy=False) as it:
        nothing_ran(it)
        found = shape_of(it.page, by_text)
    assert len(found.elements) == len(expected.elements)
    for one, other in zip(found.elements, expected.elements, strict=True):
        assert one == other
    assert {mark for mark in found.marks if not marks.fullmatch(mark)} == set()


def test_the_strings_are_many_and_of_every_kind() -> None:
    assert len(set(strings())) == 500
    assert set(PIECES) <= set(strings())
    assert hostile_strings(500) == strings()


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_a_list_of_hostile_documents_shows_them(browser: Browser, count: int) -> None:
    # each string is the id of one document, the label of another, a class's name and a word of five
    around = strings() + strings()[:4]
    explanations = [carrying(around[n : n + 5]) for n in range(count)]
    title = "".join(strings())
    wild = list_page(explanations, title=title)
    with opened(browser, wild, width=NARROW) as it:
        nothing_ran(it)
        assert texts(it.page, "h1") == [shown(title)]
        assert it.page.title() == collapsed(title)
        assert sorted(texts(it.page, ".text")) == sorted(shown(each.text) for each in explanations)
        said = set(texts(it.page, NAMES))
        assert {shown(each) for each in strings()[:count]} <= said
        assert sideways(it.page) == 0
    compared(browser, wild, list_page((harmless(each, names()) for each in explanations), title="A title"))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(5))
def test_pages_of_hostile_documents_show_them(browser: Browser, batch: int) -> None:
    explanation = batches(100)[batch]
    own = explanation.labels
    for write in (lambda e: document_page(e, title=e.text), lambda e: hosted(notebook_fragment(e))):
        wild = write(explanation)
        with opened(browser, wild, width=NARROW) as it:
            nothing_ran(it)
            assert texts(it.page, ".text") == [shown(explanation.text)]
            assert it.page.title() in ("Host", collapsed(f"{own[explanation.predicted]} · {explanation.text}"))
            assert {shown(each) for each in own} <= set(texts(it.page, NAMES))
            assert sideways(it.page) == 0
        compared(browser, wild, write(harmless(explanation, names())))


def names_in(results: Any) -> set[str]:
    """Return all strings of the results that come from a user or a model, not those that the page interprets."""
    if isinstance(results, dict):
        return set().union(
            *(
                names_in(value)
                for key, value in results.items()
                if key not in ("mode", "better", "name", "by", "verdict")
            )
        )
    if isinstance(results, list):
        return set().union(*map(names_in, results))
    return {results} if isinstance(results, str) else set()


@pytest.mark.slow
def test_a_hostile_evaluation_is_shown(browser: Browser) -> None:
    results = make_results(documents=40)
    names = sorted(names_in(results) - {"random", "LRP epsilon, reversed", "token", "context", "pair"})
    assert len(names) > 500
    wild, tame = (
        evaluation_page(renamed(results, dict(zip(names, new * 3, strict=False))))
        for new in (strings(), [f"name{n}" for n in range(500)])
    )
    with opened(browser, wild, width=NARROW) as it:
        nothing_ran(it)
        said = " ".join(texts(it.page, "body"))
        assert sum(shown(each) in said for each in strings()) > 400
        assert sideways(it.page) == 0
    compared(browser, wild, tame, "svg, svg *", DRAWN)
