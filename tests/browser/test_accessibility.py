"""No barrier that axe-core knows of: in light and dark, wide and narrow, on the screen and on paper."""

from __future__ import annotations

import pytest
from pages import NARROW, WIDE, barriers, opened
from playwright.sync_api import Browser
from specimens import PAGES, slow


@pytest.mark.parametrize("kind", ["document", slow("many"), slow("list"), slow("evaluation"), slow("notebook")])
def test_axe_finds_no_barrier(browser: Browser, kind: str) -> None:
    with opened(browser, PAGES[kind](), policy=False) as it:
        within = ".textlrp" if kind == "notebook" else None
        for width in (WIDE, NARROW):
            it.page.set_viewport_size({"width": width, "height": 900})
            it.page.emulate_media(color_scheme="light", media="screen")
            assert barriers(it.page, within) == [], f"light, {width} pixels wide"
            it.page.emulate_media(color_scheme="dark")
            assert barriers(it.page, within, colours_alone=True) == [], f"dark, {width} pixels wide"
        it.page.emulate_media(color_scheme="light", media="print")
        assert barriers(it.page, within, colours_alone=True) == [], "on paper"
