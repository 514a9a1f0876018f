"""axe-core finds no violation on any page: light and dark, wide and narrow, on screen and in print."""

from __future__ import annotations

import pytest
from pages import NARROW, barriers, opened, unfold
from playwright.sync_api import Browser
from specimens import PAGES, slow


@pytest.mark.parametrize("kind", ["document", *(slow(kind) for kind in PAGES if kind != "document")])
def test_axe_finds_no_barrier(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind](), policy=False) as it:
        unfold(it.page, few=True)
        within = ".textlrp" if kind == "notebook" else None
        assert barriers(it.page, within) == []
        it.page.emulate_media(color_scheme="dark")
        assert barriers(it.page, within, colors_alone=True) == [], "dark"
        it.page.emulate_media(color_scheme="light", media="print")
        assert barriers(it.page, within, colors_alone=True) == [], "on paper"
        it.page.emulate_media(media="screen")
        it.page.set_viewport_size({"width": NARROW, "height": 900})
        assert barriers(it.page, within) == [], "narrow"
