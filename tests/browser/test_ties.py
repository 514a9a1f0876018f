"""The page of a similarity: a pair of words is chosen with the keyboard and highlighted, without a script."""

from __future__ import annotations

import pytest
from pages import opened
from playwright.sync_api import Browser
from similarities import make_similarity
from specimens import PAGES

from textlrp.reports.similar.similar_page import similar_page


def test_arrow_keys_highlight_a_pair_its_curve_and_its_words(browser: Browser) -> None:
    with opened(browser, PAGES["similar"](), scripts=False) as it:
        opacity = "e => Number(getComputedStyle(e).opacity)"
        outlined = "es => es.filter(e => getComputedStyle(e).outlineStyle == 'solid').map(e => e.className)"
        assert it.page.locator(".curve.t1").evaluate(opacity) == it.page.locator(".curve.t2").evaluate(opacity)
        it.page.locator("input.every").focus()
        assert it.page.locator(".text b").evaluate_all(outlined) == []
        it.page.keyboard.press("ArrowDown")
        it.page.keyboard.press("ArrowDown")
        assert it.page.locator("input.s1").is_checked()
        assert it.page.locator(".curve.t1").evaluate(opacity) == 1
        assert it.page.locator(".curve.t2").evaluate(opacity) < 0.5
        found = it.page.locator(".text b").evaluate_all(outlined)
        assert len(found) == it.page.locator(".text .t1").count() >= 2
        assert all("t1" in each.split() for each in found)
        for _ in range(11):
            it.page.keyboard.press("ArrowDown")
        assert it.page.locator("input.every").is_checked()
        assert it.did() == []


@pytest.mark.slow
def test_a_pair_is_chosen_for_its_own_texts_alone(browser: Browser) -> None:
    with opened(browser, similar_page([make_similarity(), make_similarity(seed=1)])) as it:
        it.page.locator("summary").nth(1).click()
        it.page.locator("input.s3").first.check()
        assert it.page.locator("input.s3").first.is_checked()
        assert it.page.locator("input.every").nth(1).is_checked()
        assert it.did() == []


ENDS = """e => [0, e.getTotalLength()].map(length => {
    const {x, y} = e.getPointAtLength(length).matrixTransform(e.getScreenCTM());
    return [x + scrollX, y + scrollY];
})"""


@pytest.mark.slow
def test_curves_begin_and_end_at_their_words_and_are_printed(browser: Browser) -> None:
    with opened(browser, PAGES["similar"]()) as it:
        for media in ("screen", "print"):
            it.page.emulate_media(media=media)  # type: ignore[arg-type]
            for tie in range(3):
                ends = it.page.locator(f".curve.t{tie}").evaluate(ENDS)
                words = [it.page.locator(f".listed.t{tie}").nth(n).bounding_box() for n in range(2)]
                for (x, y), word in zip(ends, words, strict=True):
                    assert word is not None
                    assert abs(y - word["y"] - word["height"] / 2) < 1
                    assert not word["x"] + 1 < x < word["x"] + word["width"] - 1
            assert it.page.locator("label.tie").first.is_visible()
        assert it.page.locator("input:visible").count() == 0
