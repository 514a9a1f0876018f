"""docs/gallery.md shows every rule, composite and method that ``textlrp rules`` lists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
from explanations import make_explanation

from textlrp.explainers.catalog import catalog

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
CELLS = [
    re.sub(r"^:tags:.*\n", "", cell)
    for cell in re.findall(r"```\{code-cell\} python\n(.*?)```", PAGE, flags=re.DOTALL)
]


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("gallery_panels")


def test_every_listed_name_has_one_panel(gallery: ModuleType) -> None:
    rules, composites, methods = ([row[0] for row in listing.rows] for listing in catalog())
    groups = [*gallery.one_rule(), *gallery.by_layer(), *gallery.for_products()]
    assert sorted(name for names in groups for name in names) == sorted(composites)
    assert sorted(["lrp", *gallery.methods(), *gallery.MEAN_POOLING]) == sorted(methods)
    used = {repr(gallery.as_composite(names[0])) for names in groups}
    for rule in rules:
        kind = rule.partition("(")[0]
        assert any(f"{kind}(" in composite for composite in used), f"no composite with {kind}"


def test_the_page_shows_every_group_of_names(gallery: ModuleType) -> None:
    code = "\n".join(CELLS)
    for group in ("one_rule()", "by_layer()", "for_products()", "methods()", "MEAN_POOLING"):
        assert f"gallery.{group}" in code


def test_a_panel_has_the_text_its_names_and_an_anchor_for_the_table(gallery: ModuleType) -> None:
    why = make_explanation("a <good> doctor")
    panels = [gallery.Panel("rule", ("lrp.a", "lrp.b<"), why), gallery.Panel("method", ("occlusion",), why)]
    shown = gallery.side_by_side(panels)._repr_html_()
    table = gallery.agreement(why, rules=panels)._repr_html_()
    ids = re.findall(r' id="([^"]*)"', shown)
    assert ids == ["cnn-lrp-a", "cnn-occlusion"]
    assert re.findall(r'href="#([^"]*)"', table) == ids
    assert 'rule="lrp.a"</code>, also <code>lrp.b&lt;</code>' in shown
    assert "tabindex" not in shown
    assert [
        re.sub(r"<[^>]*>", "", text) for text in re.findall(r'<div class="text" dir="auto">(.*?)</div>', shown)
    ] == ["a &lt;good&gt; doctor"] * 2
    assert gallery.side_by_side(panels, "other")._repr_html_() == shown.replace('id="cnn-', 'id="other-')


@pytest.mark.slow
def test_the_page_has_a_panel_for_every_name(gallery: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    shown = []
    for cell in CELLS:
        *_, last = re.split(r"\n(?=\S)(?![)\]])", cell.rstrip())
        exec(cell, names)
        if last.startswith("gallery."):
            shown.append(eval(last, names)._repr_html_())
    page = "".join(shown)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len({*ids})
    assert {*re.findall(r'href="#([^"]*)"', page)} <= {*ids}
    for listing in catalog()[1:]:
        for name, *_ in listing.rows:
            assert re.search(rf'<code>(rule="|method=")?{re.escape(name)}"?</code>', page) or name == "lrp", name
    assert len(page) < 1_500_000
