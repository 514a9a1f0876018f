"""An explanation in JupyterLab and on documentation sites, whose style rules apply to every cell and output."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import NARROW, WIDE, backgrounds, hosted, opened, sideways
from playwright.sync_api import Browser
from specimens import slow, specimen

from textlrp.reports.document import notebook_fragment

JUPYTERLAB = """
.jp-RenderedHTMLCommon table{border-collapse:collapse;border-spacing:0;border:none;color:#111;font-size:12px;
 table-layout:fixed;margin-left:auto;margin-bottom:1em;margin-right:auto}
.jp-OutputArea-output.jp-RenderedHTMLCommon table{margin-left:0;margin-right:0}
.jp-RenderedHTMLCommon td,.jp-RenderedHTMLCommon th,.jp-RenderedHTMLCommon tr{vertical-align:middle;padding:.5em;
 line-height:normal;white-space:normal;max-width:none;border:none}
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon td,
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon tr{text-align:right}
.jp-RenderedHTMLCommon tbody tr:nth-child(odd){background:#fff}
.jp-RenderedHTMLCommon tbody tr:nth-child(even){background:#eee}
.jp-RenderedHTMLCommon ul:not(.list-inline){padding-left:2em}
.jp-RenderedHTMLCommon ul{list-style:disc;margin-bottom:1em}
"""

MEASURED = """() => [...document.querySelectorAll('.textlrp .sum table')].filter(t => t.offsetWidth).map(table => {
  const of = element => element.getBoundingClientRect(), box = of(table.parentElement);
  return {
    inside: [...table.querySelectorAll('td')].every(
      c => of(c).left >= box.left - .5 && of(c).right <= box.right + .5),
    names: [...new Set([...table.querySelectorAll('td:first-child')].map(c => getComputedStyle(c).textAlign))],
    numbers: [...new Set([...table.querySelectorAll('td.num')].map(c => getComputedStyle(c).textAlign))],
    grounds: [...new Set([...table.querySelectorAll('tr')].map(r => getComputedStyle(r).backgroundColor))],
  };
})"""


@pytest.mark.parametrize("many", [slow(False), True])
def test_the_sums_keep_their_shape_in_jupyterlab(browser: Browser, many: bool) -> None:
    cell = f'<div class="jp-OutputArea-output jp-RenderedHTMLCommon">{notebook_fragment(specimen(many))}</div>'
    with opened(browser, hosted(cell, style=JUPYTERLAB), policy=False) as it:
        tables = it.page.evaluate(MEASURED)
        assert tables
        for table in tables:
            assert table["inside"]
            assert table["names"] == ["left"]
            assert table["numbers"] == ["right"]
            assert table["grounds"] == ["rgba(0, 0, 0, 0)"]
        assert sideways(it.page) == 0


@pytest.mark.parametrize(("width", "least"), [slow(840, 100), (1280, 40)])
def test_bars_of_the_classes_are_wide_enough_to_read(browser: Browser, width: int, least: int) -> None:
    with opened(browser, hosted(notebook_fragment(specimen(True))), width=width, policy=False) as it:
        bars = it.page.evaluate("[...document.querySelectorAll('.row .bar')].map(bar => bar.offsetWidth)")
        assert bars
        assert min(bars) >= least


def furo() -> str:
    """The style sheet of furo, the theme of the documentation site. Skips the test if it is not installed."""
    theme = pytest.importorskip("furo")
    return (Path(theme.__file__).parent / "theme" / "furo" / "static" / "styles" / "furo.css").read_text("utf-8")


@pytest.mark.parametrize("many", [slow(False), True])
@pytest.mark.parametrize("width", [NARROW, slow(WIDE)])
def test_an_explanation_keeps_its_shape_on_a_page_of_furo(browser: Browser, many: bool, width: int) -> None:
    cell = f'<article><div class="cell_output docutils container">{notebook_fragment(specimen(many))}</div></article>'
    with opened(browser, hosted(cell, style=furo() + "main{padding:1rem}"), width=width, policy=False) as it:
        for table in it.page.evaluate(MEASURED):
            assert table["inside"]
            assert table["names"] == ["left"]
            assert table["numbers"] == ["right"]
            assert table["grounds"] == ["rgba(0, 0, 0, 0)"]
        lefts = it.page.evaluate(
            """() => [...document.querySelectorAll('.textlrp .why :is(h2, p)')].filter(e => e.offsetWidth).map(e => {
              const range = document.createRange();
              range.selectNodeContents(e);
              return Math.round(range.getBoundingClientRect().left);
            })"""
        )
        assert len({*lefts}) == 1, "headings and paragraphs begin at the same place"
        assert sideways(it.page) == 0


THEMES = (
    ("body", "data-theme", "light", "dark"),  # furo
    ("html", "data-theme", "light", "dark"),  # PyData
    ("body", "data-jp-theme-light", "true", "false"),  # JupyterLab
)


@pytest.mark.parametrize(("element", "attribute", "light", "dark"), THEMES)
@pytest.mark.parametrize("system_is_dark", [False, slow(True)])
def test_an_explanation_follows_the_theme_that_the_reader_selects(
    browser: Browser, element: str, attribute: str, light: str, dark: str, system_is_dark: bool
) -> None:
    with opened(browser, hosted(notebook_fragment(specimen(False))), dark=system_is_dark, policy=False) as it:

        def shown(value: str) -> tuple[str, list[str]]:
            it.page.evaluate(
                "([element, name, value]) => document.querySelector(element).setAttribute(name, value)",
                [element, attribute, value],
            )
            paper = it.page.evaluate("getComputedStyle(document.querySelector('.textlrp')).backgroundColor")
            return paper, backgrounds(it.page)

        unset = shown("auto")
        in_light, in_dark = shown(light), shown(dark)
        assert in_light[0] == "rgb(255, 255, 255)"
        assert in_dark[0] == "rgb(21, 24, 29)"
        assert in_light[1] != in_dark[1]
        assert unset == (in_dark if system_is_dark else in_light)
        assert shown(light) == in_light
