"""Open pages in Chromium, and check them: requests, errors, dialogs, texts, accessibility, overflow, times."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Route

from textlrp.reports.rendering import showable

WIDE, NARROW = 1280, 390
"""Screens in CSS pixels: a laptop's and a phone's."""

ADDRESS = "https://report.example/"
"""The address of a page that is given as text. Nothing else is served there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open page, and the requests, console errors and warnings, and dialogs that it caused."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def did(self) -> list[str]:
        """Everything that a page must not do. A blocked script or picture is an error of the console."""
        return [*self.requests, *self.errors, *self.dialogs]


@contextmanager
def opened(
    browser: Browser,
    page: str | Path,
    *,
    width: int = WIDE,
    dark: bool = False,
    scripts: bool = True,
    policy: bool = True,
    folder: Path | None = None,
) -> Iterator[Opened]:
    """Load a page, given as HTML or as a file, in a new browser context.

    Files in ``folder`` may be loaded too and are not counted as requests. With ``policy=False`` the
    Content-Security-Policy of the page is ignored, so a script that gets past the escaping does run.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        bypass_csp=not policy,
        reduced_motion="reduce",
        service_workers="block",
    )
    context.set_default_timeout(60_000)
    tab = context.new_page()
    watched, address = Opened(tab), ADDRESS if isinstance(page, str) else page.resolve().as_uri()

    inside = None if folder is None else folder.resolve().as_uri() + "/"

    def expected(url: str) -> bool:
        return url == address or (inside is not None and url.startswith(inside))

    def respond(route: Route) -> None:
        if not expected(route.request.url):
            route.abort()
        elif isinstance(page, str):
            route.fulfill(body=page.encode(errors="replace"), content_type="text/html; charset=utf-8")
        else:
            route.continue_()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watched.errors.append(message.text)

    def dismiss(dialog: Dialog) -> None:
        watched.dialogs.append(dialog.message)
        dialog.dismiss()

    context.on("request", lambda request: None if expected(request.url) else watched.requests.append(request.url))
    context.on("page", lambda other: watched.requests.append(f"a new window at {other.url}"))
    tab.on("console", note)
    tab.on("pageerror", lambda error: watched.errors.append(str(error)))
    tab.on("dialog", dismiss)
    context.route("**/*", respond)
    try:
        tab.goto(address, wait_until="load")
        yield watched
    finally:
        context.close()


def hosted(*fragments: str, style: str = "") -> str:
    """Put fragments into a host page that has its own styles and no policy, like a notebook."""
    cells = "\n".join(f'<section class="cell">{fragment}</section>' for fragment in fragments)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{style}</style><body><main><h1>Host</h1>{cells}</main></body></html>"
    )


def shown(text: str) -> str:
    """Return a string as a page shows it: with symbols for control characters, and line ends as HTML reads them."""
    return showable(text).replace("\r\n", "\n").replace("\r", "\n")


def unfold(page: Page, *, few: bool = False) -> None:
    """Unfold all details, or with ``few`` only the first ones of each list."""
    page.evaluate(
        "selector => document.querySelectorAll(selector).forEach(each => each.open = true)",
        ":is(li:nth-child(-n+3), div, footer) > details:nth-of-type(-n+3)" if few else "details",
    )


def texts(page: Page, selector: str) -> list[str]:
    """Return the ``textContent`` of all matching elements, in order."""
    found: list[str] = page.evaluate("s => [...document.querySelectorAll(s)].map(e => e.textContent)", selector)
    return found


def backgrounds(page: Page, selector: str = ".text b") -> list[str]:
    """Return the computed backgrounds of the marks, in order."""
    found: list[str] = page.evaluate(
        "s => [...document.querySelectorAll(s)].map(e => getComputedStyle(e).background)", selector
    )
    return found


def value_of(mark: Locator) -> str:
    """Return the text of the tooltip of a mark, with its counters filled in; empty if no tooltip is shown."""
    content: str = mark.evaluate(
        """e => {
            const {content, display, visibility} = getComputedStyle(e, '::after');
            if (content === 'none' || display === 'none' || visibility === 'hidden') return '';
            const counters = getComputedStyle(e).counterReset.split(/ (?=[a-z])/).map(c => c.split(' '));
            return content.replace(/counter\\((\\w+)\\)/g, (_, name) => `"${Object.fromEntries(counters)[name]}"`)
                .replace(/"([^"]*)" ?/g, '$1').replace(/\\\\a /g, '\\n');
        }"""
    )
    return content


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels


@cache
def _axe() -> str:
    # the Python API of the package only runs this script too, but cannot select the rules to run
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def barriers(page: Page, within: str | None = None, *, colors_alone: bool = False) -> list[str]:
    """Return rule, element and reason of every violation that axe-core finds. The page must be open without policy.

    With ``colors_alone`` only color contrast is checked, for another color scheme of a page that was fully checked.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    options = {"resultTypes": ["violations"], **({"runOnly": ["color-contrast"]} if colors_alone else {})}
    results: dict[str, Any] = page.evaluate(
        "([within, options]) => axe.run(within ?? document, options)", [within, options]
    )
    return [
        f"{found['id']}: {node['html'][:160]} {node['failureSummary']}"
        for found in results["violations"]
        for node in found["nodes"]
    ]


def first_paint(page: Page) -> float:
    """Return the milliseconds from the start of loading to the first text on the screen."""
    time: float = page.evaluate(
        """async () => {
            const painted = () => performance.getEntriesByName('first-contentful-paint')[0];
            while (!painted()) await new Promise(requestAnimationFrame);
            return painted().startTime;
        }"""
    )
    return time


def switch_time(page: Page, radio: str) -> float:
    """Return the milliseconds from a click on the element ``radio`` to the end of the frame that shows the change."""
    time: float = page.evaluate(
        """async selector => {
            const frame = () => new Promise(requestAnimationFrame);
            await frame();
            const start = performance.now();
            document.querySelector(selector).click();
            await frame();
            await frame();
            return performance.now() - start;
        }""",
        radio,
    )
    return time
