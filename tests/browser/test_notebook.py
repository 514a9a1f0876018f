"""An explanation in JupyterLab, whose style rules for tables and paragraphs apply to every cell."""

from __future__ import annotations

import pytest
from pages import hosted, opened, sideways
from playwright.sync_api import Browser
from specimens import specimen

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


@pytest.mark.parametrize("many", [False, True])
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


@pytest.mark.parametrize(("width", "least"), [(840, 100), (1280, 40)])
def test_bars_of_the_classes_are_wide_enough_to_read(browser: Browser, width: int, least: int) -> None:
    with opened(browser, hosted(notebook_fragment(specimen(True))), width=width, policy=False) as it:
        bars = it.page.evaluate("[...document.querySelectorAll('.row .bar')].map(bar => bar.offsetWidth)")
        assert bars
        assert min(bars) >= least
