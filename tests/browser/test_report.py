"""A report of many documents, in use: filter, sort, search, links from the confusion matrix."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from evaluation_results import LABELS
from explanations import make_explanation
from pages import opened, texts
from playwright.sync_api import Browser, Page

from textlrp.explanation import Explanation
from textlrp.reports.corpus.report_files import list_page
from textlrp.reports.corpus.report_folder import report_folder

SHOWN = ".docs > li:not([hidden])"


def posts(count: int = 45) -> list[Explanation]:
    """Posts of three classes. Each has a word that no other post has, and every fifth has the word orbit."""
    return [
        make_explanation(
            f"A text{' of the orbit' if n % 5 == 0 else ''} by reader {chr(97 + n // 26)}{chr(97 + n % 26)}z.",
            labels=LABELS[:3],
            targets=(0, 1),
            seed=n,
            true_label=LABELS[n % 3],
            document_id=f"post-{n}",
        )
        for n in range(count)
    ]


def correct(why: Explanation) -> bool:
    return why.labels[why.predicted] == why.true_label


def ids(page: Page) -> list[int]:
    """Return the positions of the visible documents of the list, in order."""
    places: list[str] = page.evaluate("s => [...document.querySelectorAll(s)].map(e => e.dataset.n)", SHOWN)
    return [int(place) for place in places]


@pytest.mark.parametrize("folder", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_list_filters_and_sorts(browser: Browser, folder: bool, tmp_path: Path) -> None:
    whys = posts()
    page = report_folder(whys, tmp_path / "report") / "index.html" if folder else list_page(whys)
    with opened(browser, page, folder=tmp_path if folder else None) as it:
        every = set(range(len(whys)))
        assert set(ids(it.page)) == every
        it.page.select_option("#find-correct", label="incorrect")
        incorrect = {n for n, why in enumerate(whys) if not correct(why)}
        assert set(ids(it.page)) == incorrect
        assert 0 < len(incorrect) < len(every)
        assert it.page.inner_text("#found") == f"{len(incorrect)} of {len(whys)}"
        it.page.select_option("#find-true", label=LABELS[1])
        assert set(ids(it.page)) == {n for n in incorrect if n % 3 == 1}
        it.page.select_option("#find-correct", label="all")
        it.page.select_option("#find-true", label="any class")
        it.page.select_option("#find-predicted", label=LABELS[2])
        assert set(ids(it.page)) == {n for n, why in enumerate(whys) if why.predicted == 2}
        it.page.select_option("#find-predicted", label="any class")
        it.page.fill("#find-text", "orbit")
        it.page.wait_for_function("document.getElementById('found').textContent.startsWith('9 ')")
        assert set(ids(it.page)) == {n for n in every if n % 5 == 0}
        it.page.fill("#find-text", "orbit aaz")
        assert ids(it.page) == [0]
        it.page.fill("#find-text", "")
        confidence = {n: round(1000 * float(why.probabilities[why.predicted])) for n, why in enumerate(whys)}
        it.page.select_option("#find-order", label="most confident first")
        assert [confidence[n] for n in ids(it.page)] == sorted(confidence.values(), reverse=True)
        it.page.select_option("#find-order", label="input order")
        assert ids(it.page) == sorted(every)
        assert it.did() == []


def test_a_number_of_the_confusion_matrix_leads_to_its_documents(browser: Browser) -> None:
    whys = posts()
    with opened(browser, list_page(whys)) as it:
        link = it.page.locator(".matrix td:not(.diagonal) a").first
        true_label, predicted = map(int, str(link.get_attribute("href")).removeprefix("#c").split("-"))
        link.click()
        it.page.wait_for_function("document.getElementById('found').textContent !== ''")
        found = ids(it.page)
        assert len(found) == int(link.inner_text())
        assert set(found) == {n for n, why in enumerate(whys) if n % 3 == true_label and why.predicted == predicted}
        assert it.page.input_value("#find-true") == str(true_label)
        assert it.did() == []


@pytest.mark.slow
def test_without_scripts_the_list_is_whole_and_the_matrix_leads_into_it(browser: Browser) -> None:
    whys = posts()
    with opened(browser, list_page(whys), scripts=False) as it:
        assert not it.page.locator("#find").is_visible()
        rows = it.page.locator(".docs > li")
        assert rows.count() == len(whys)
        link = it.page.locator(".matrix td:not(.diagonal) a").first
        target = str(link.get_attribute("href"))
        link.click()
        true_label, predicted = map(int, target.removeprefix("#c").split("-"))
        assert it.page.locator(target).get_attribute("data-t") == str(true_label)
        assert it.page.locator(target).get_attribute("data-p") == str(predicted)
        assert it.page.locator(target).is_visible()
        # rows of one cell of the matrix are next to each other
        cells = [(row.get_attribute("data-t"), row.get_attribute("data-p")) for row in rows.all()]
        assert len(set(cells)) == 1 + sum(one != other for one, other in pairwise(cells))
        rows.first.locator("summary").click()
        assert rows.first.locator(".text").is_visible()


@pytest.mark.slow
def test_an_example_leads_to_its_document_and_opens_it(browser: Browser) -> None:
    with opened(browser, list_page(posts())) as it:
        it.page.locator(".classwords summary").first.click()
        link = it.page.locator(".quote a").first
        target = str(link.get_attribute("href"))
        assert not it.page.locator(f"{target} .text").is_visible()
        link.click()
        assert it.page.locator(f"{target} .text").is_visible()
        assert texts(it.page, f"{target} .text")[0].startswith("A text")
        assert it.did() == []


@pytest.mark.slow
def test_pages_of_a_folder_lead_to_each_other(browser: Browser, tmp_path: Path) -> None:
    folder = report_folder(posts(5), tmp_path / "report")
    with opened(browser, folder / "index.html", folder=folder) as it:
        it.page.locator(".row-link").first.click()
        first = texts(it.page, "h1")
        it.page.locator("[rel=next]").click()
        assert texts(it.page, "h1") != first
        it.page.locator("[rel=prev]").click()
        assert texts(it.page, "h1") == first
        it.page.get_by_text("All documents").click()
        assert it.page.locator(".docs > li").count() == 5
        assert it.did() == []
