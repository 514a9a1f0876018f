"""Pages in use: with the keyboard, with a pointer, without scripts, on a phone, in print."""

from __future__ import annotations

import re

import pytest
from pages import NARROW, WIDE, backgrounds, opened, sideways, texts, unfold, value_of
from playwright.sync_api import Browser
from specimens import KINDS, PAGES, TEXT, document, slow

MARKS = ".text b"


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_requests_nothing_and_reports_no_error(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind]()) as it:
        assert it.page.locator(".textlrp").count()
        assert it.did() == []


@pytest.mark.parametrize("width", [NARROW, slow(WIDE)])
@pytest.mark.parametrize("kind", KINDS)
def test_no_page_scrolls_sideways(browser: Browser, kind: str, width: int) -> None:
    with opened(browser, PAGES[kind](), width=width) as it:
        unfold(it.page)
        assert sideways(it.page) == 0


@pytest.mark.parametrize("scripts", [slow(True), False])
@pytest.mark.parametrize("kind", ["many", "list", slow("notebook")])
def test_arrow_keys_change_the_class_and_the_colors(browser: Browser, kind: str, scripts: bool) -> None:
    with opened(browser, PAGES[kind](), scripts=scripts) as it:
        unfold(it.page)
        first = it.page.locator(".doc").first
        chosen, group = first.locator("input:checked"), first.locator("input").first.get_attribute("name")
        marks = f".doc:has([name={group}]) {MARKS}"
        name, before = chosen.get_attribute("class"), backgrounds(it.page, marks)
        chosen.focus()
        it.page.keyboard.press("ArrowDown")
        assert chosen.count() == 1
        assert chosen.get_attribute("class") != name
        assert sum(one != other for one, other in zip(before, backgrounds(it.page, marks), strict=True)) > 10
        it.page.keyboard.press("ArrowUp")
        assert chosen.get_attribute("class") == name
        assert backgrounds(it.page, marks) == before
        assert it.did() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["many", "list", "notebook"])
def test_a_switch_changes_its_own_document_alone(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind]()) as it:
        unfold(it.page)
        docs = it.page.locator(".doc")
        others = [docs.nth(n).locator("input:checked").all() for n in range(1, docs.count())]
        names = [radio.get_attribute("class") for radios in others for radio in radios]
        docs.first.locator("input:checked").focus()
        it.page.keyboard.press("ArrowDown")
        others = [docs.nth(n).locator("input:checked").all() for n in range(1, docs.count())]
        assert [radio.get_attribute("class") for radios in others for radio in radios] == names


@pytest.mark.slow
def test_the_words_next_to_the_text_change_with_the_class(browser: Browser) -> None:
    with opened(browser, document(True)) as it:
        panels = it.page.locator(".words .p:visible, .why .p:visible")
        before = panels.all_inner_texts()
        assert len(before) == 2
        it.page.locator("input:checked").focus()
        it.page.keyboard.press("ArrowUp")
        assert panels.count() == 2
        assert panels.all_inner_texts() != before


VALUE = {
    False: re.compile(r"[+−]?\d+\.\d\d\nin (no|\d+) training documents?"),
    True: re.compile(r"-?\d+% of ±\d+\.\d\d\nin .*"),
}


@pytest.mark.parametrize("many", [slow(False), True])
def test_hovering_a_word_shows_its_value(browser: Browser, many: bool) -> None:
    with opened(browser, document(many)) as it:
        marks = it.page.locator(MARKS)
        assert marks.count() > 10
        for n in range(4):
            assert value_of(marks.nth(n)) == ""
            marks.nth(n).hover()
            assert VALUE[many].fullmatch(value_of(marks.nth(n)))


@pytest.mark.parametrize("many", [slow(False), True])
def test_focusing_a_word_shows_its_value(browser: Browser, many: bool) -> None:
    with opened(browser, document(many), scripts=False) as it:
        marks = it.page.locator(f"{MARKS}[tabindex]")
        marks.first.focus()
        for n in range(1, 4):
            it.page.keyboard.press("Tab")
            assert VALUE[many].fullmatch(value_of(marks.nth(n)))
            assert value_of(marks.nth(n - 1)) == ""


@pytest.mark.slow
def test_the_value_of_a_word_changes_with_the_class(browser: Browser) -> None:
    with opened(browser, document(True)) as it:
        said = set()
        for n in range(3):
            it.page.locator("input").nth(n).check()
            it.page.locator(MARKS).first.hover()
            said.add(value_of(it.page.locator(MARKS).first))
        assert len(said) == 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["document", "many", "list"])
def test_no_bubble_widens_the_page_of_a_phone(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind](), width=NARROW) as it:
        unfold(it.page)
        marks = it.page.locator(f"{MARKS}:visible")
        for n in range(marks.count()):
            marks.nth(n).hover()
            assert value_of(marks.nth(n))
            assert sideways(it.page) == 0


@pytest.mark.parametrize("scripts", [slow(True), False])
def test_a_second_class_can_be_compared_with_the_first(browser: Browser, scripts: bool) -> None:
    with opened(browser, document(True), scripts=scripts) as it:
        select = it.page.locator(".versus select")
        before = backgrounds(it.page)
        select.focus()
        it.page.keyboard.press("ArrowDown")
        assert sum(one != other for one, other in zip(before, backgrounds(it.page), strict=True)) > 10
        it.page.keyboard.press("ArrowUp")
        assert backgrounds(it.page) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["document", "many", "list", "notebook"])
def test_the_text_is_the_documents_own(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind]()) as it:
        assert texts(it.page, ".text")[0] == TEXT


@pytest.mark.parametrize(
    "kind", [slow("document"), "many", slow("list"), slow("corpus"), slow("evaluation"), slow("notebook")]
)
def test_in_print_everything_is_readable_and_no_control_is_shown(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind]()) as it:
        it.page.emulate_media(media="print")
        assert it.page.locator("input:visible, select:visible").count() == 0
        unfold(it.page)
        texts_shown = it.page.locator(".text").first
        if kind in ("document", "many", "list", "notebook"):
            assert texts_shown.is_visible()
            assert texts_shown.inner_text().split() == TEXT.split()
        # content that is larger than its scrolling box would be cut in print
        cut = it.page.evaluate(
            """() => [...document.querySelectorAll('.textlrp *')].filter(e => {
                const {overflowX, overflowY} = getComputedStyle(e);
                return (overflowX === 'auto' && e.scrollWidth > e.clientWidth)
                    || (overflowY === 'auto' && e.scrollHeight > e.clientHeight + 1);
            }).map(e => e.outerHTML.slice(0, 99))"""
        )
        assert cut == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 1300, 1440, 1920])
def test_no_table_of_an_evaluation_is_cut_off_on_a_desktop(browser: Browser, width: int) -> None:
    with opened(browser, PAGES["evaluation"](), width=width) as it:
        cut_off = """() => [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)
            .map(box => box.closest('section').id + ': ' + box.getAttribute('aria-label'))"""
        assert it.page.locator(".scroll").count() > 15
        it.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert it.page.evaluate(cut_off) == []


@pytest.mark.slow
def test_in_print_every_table_of_an_evaluation_is_open(browser: Browser) -> None:
    with opened(browser, PAGES["evaluation"]()) as it:
        assert not it.page.locator("details .both").first.is_visible()
        it.page.emulate_media(media="print")
        assert it.page.locator("details .both").first.is_visible()


@pytest.mark.parametrize("kind", ["many", *(slow(kind) for kind in PAGES if kind not in ("many", "notebook"))])
def test_the_glossary_unfolds_without_a_script_and_is_printed(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind](), scripts=False) as it:
        terms = it.page.locator("footer .glossary dl")
        assert not terms.is_visible()
        it.page.locator("footer .glossary summary").focus()
        it.page.keyboard.press("Enter")
        assert terms.is_visible()
        it.page.keyboard.press("Enter")
        assert not terms.is_visible()
        it.page.emulate_media(media="print")
        assert terms.is_visible()
        assert it.did() == []


@pytest.mark.parametrize("kind", ["many", slow("no label")])
def test_names_of_classes_are_printed_in_full(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind]()) as it:
        it.page.emulate_media(media="print")
        widths = "[...document.querySelectorAll('.row > bdi')].map(e => [e.scrollWidth, e.clientWidth])"
        names = it.page.evaluate(widths)
        assert len(names) == 20
        assert [needed for needed, given in names if needed > given] == []
