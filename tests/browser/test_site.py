"""The built documentation site: links, accessibility, search without a server, and nothing from the network.

`make site` builds it. These tests read the folder in $TEXTLRP_SITE.
"""

from __future__ import annotations

import os
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from house import public_names
from pages import NARROW, WIDE, barriers
from playwright.sync_api import Browser, Page

SITE = Path(os.environ.get("TEXTLRP_SITE", "no site")).resolve()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="$TEXTLRP_SITE names no site: run make site"),
]

LOOKED_AT = (
    "index", "tutorials/1_first_explanation", "how-to/index", "how-to/scikit-learn", "explanation/lrp",
    "reference/api/textlrp", "reference/measures", "gallery", "search",
)  # fmt: skip
"""Pages of every kind, which a browser opens."""


class References(HTMLParser):
    """The ids of a page, and everything it links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


@cache
def references(path: Path) -> References:
    found = References()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def broken(page: Path, link: str) -> bool:
    """Whether a link of a page to a file of the site, or to a place in it, leads nowhere."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
    if not target.is_file():
        return True
    return bool(parts.fragment) and target.suffix == ".html" and unquote(parts.fragment) not in references(target).ids


def html_pages() -> list[Path]:
    return sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)


def test_every_link_within_the_site_leads_somewhere() -> None:
    pages = html_pages()
    assert len(pages) > 30
    links = [(page, link) for page in pages for link in references(page).links]
    assert len(links) > 2000
    dead = {f"{page.relative_to(SITE)}: {link}" for page, link in links if broken(page, link)}
    assert dead == set()


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a id="here" href="a.html#here">', encoding="utf-8")
    assert not broken(tmp_path / "a.html", "a.html#here")
    assert not broken(tmp_path / "a.html", "#here")
    assert broken(tmp_path / "a.html", "a.html#there")
    assert broken(tmp_path / "a.html", "b.html")


def test_every_public_name_is_in_the_reference() -> None:
    pages = sorted((SITE / "reference" / "api").glob("*.html"))
    documented = set[str]().union(*(references(path).ids for path in pages))
    missing = {
        f"{module}.{name}"
        for module, names in public_names().items()
        for name in names
        if not {f"{module}.{name}", f"textlrp.{name}"} & documented
    }
    assert missing == set()


def visit(browser: Browser, name: str, *, width: int = WIDE, dark: bool = False) -> Page:
    """Open a page from the disk; fail if it loads anything over a network."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.on("request", lambda request: requested.append(request.url))
    requested: list[str] = []
    page.goto(f"file://{SITE}/{name}")
    page.wait_for_load_state()
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_axe_finds_no_barrier_on_the_site(browser: Browser, name: str, dark: bool) -> None:
    page = visit(browser, f"{name}.html", dark=dark)
    assert barriers(page) == []
    page.set_viewport_size({"width": NARROW, "height": 900})
    assert barriers(page) == [], "narrow"
    page.context.close()


@pytest.mark.parametrize("name", LOOKED_AT)
def test_no_page_scrolls_sideways_on_a_phone(browser: Browser, name: str) -> None:
    page = visit(browser, f"{name}.html", width=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    page.context.close()


def test_the_search_works_without_a_server(browser: Browser) -> None:
    page = visit(browser, "search.html?q=stabilizer")
    page.wait_for_selector("#search-results li a")
    titles = page.locator("#search-results li a").all_inner_texts()
    assert len(titles) >= 3
    page.context.close()
