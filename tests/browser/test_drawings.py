"""Figures rendered by Chromium: no text leaves its figure or overlaps another text."""

from __future__ import annotations

from typing import Any

import pytest
from evaluation_results import make_results, renamed
from pages import hosted, opened
from playwright.sync_api import Browser

from textlrp.reports.charts.figures import bars_figure, deletion_figure, map_figure, neighbors_figure

BOXES = """() => [...document.querySelectorAll("svg.figure")].map(svg => ({
  width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height,
  texts: [...svg.querySelectorAll("text")].map(text => {
    const {x, y, width, height} = text.getBBox();
    return {text: text.textContent, left: x, top: y, right: x + width, bottom: y + height};
  })}))"""
NAMES = {
    "as they are": {},
    "long": {
        "LRP epsilon": "integrated gradients over wide mummified windows",
        "random": "RANDOM ORDERS OF ALL THE WORDS",
        "Grad-CAM": "名前" * 30,
        "LRP element-wise": "W" * 60,
        "sci": "@" * 60,
        "comp": "comp.sys.ibm.pc.hardware and all others",
    },
}


def drawings(results: dict[str, Any]) -> list[str]:
    many = [{"method": f"method {n}", "accuracy": [1.0, 1 - n / 40]} for n in range(17)]
    return [
        *(deletion_figure(one, uid=f"deletion{n}") for n, one in enumerate(results["deletion"]["protocols"])),
        deletion_figure({"title": "many", "curves": many}, uid="many"),
        neighbors_figure(results["vectors"], uid="neighbors"),
        *(map_figure(one, uid=f"map{n}") for n, one in enumerate(results["vectors"]["maps"])),
        bars_figure(results["pointing"]["rows"], title="share of hits", uid="hits"),
    ]


@pytest.mark.parametrize("names", NAMES)
def test_texts_are_inside_their_figure_and_apart(names: str, browser: Browser) -> None:
    page = hosted("".join(drawings(renamed(make_results(), NAMES[names]))))
    with opened(browser, page, policy=False) as it:
        figures = it.page.evaluate(BOXES)
    assert len(figures) == 10
    for figure in figures:
        for n, one in enumerate(figure["texts"]):
            assert one["left"] >= -0.5
            assert one["top"] >= 0
            assert one["right"] <= figure["width"], one
            assert one["bottom"] <= figure["height"] + 1, one
            for other in figure["texts"][:n]:
                across = min(one["right"], other["right"]) - max(one["left"], other["left"])
                down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
                assert across <= 0 or down <= 1.5, (one, other)
