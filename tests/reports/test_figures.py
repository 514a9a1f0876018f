import copy
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from evaluation_results import make_results, renamed
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.reports.charts.axes import spread
from textlrp.reports.charts.figures import (
    MOST_GROUPS,
    MOST_POINTS,
    bars_figure,
    deletion_figure,
    map_figure,
    neighbours_figure,
)
from textlrp.reports.charts.svg import LINE_COLOURS, SERIES
from textlrp.reports.palette import palette

HOSTILE = (
    '</text></svg><script>alert(1)</script><img src=//x onerror=alert(1)>"\'& $x^2$ #000001 id="a" \x00\x0c\n]]>'
)
SVG = "{http://www.w3.org/2000/svg}"


def curve(method: str, accuracy: list[float | None], **more: Any) -> dict[str, Any]:
    return {"method": method, "accuracy": accuracy, "low": None, "high": None, **more}


def every_figure(results: dict[str, Any]) -> list[str]:
    return [
        *(deletion_figure(protocol) for protocol in results["deletion"]["protocols"]),
        neighbours_figure(results["vectors"]),
        *(map_figure(one) for one in results["vectors"]["maps"]),
        bars_figure(results["pointing"]["rows"], title="hits"),
    ]


@cache
def drawn() -> tuple[str, ...]:
    return tuple(every_figure(make_results()))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_figure_is_small_described_and_needs_nothing_from_anywhere() -> None:
    for svg in drawn():
        assert len(svg.encode()) < 100_000
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == root.findtext(f"{SVG}title")
        assert len(root.get("aria-label") or "") > 40
        assert not {f"{SVG}script", f"{SVG}image", f"{SVG}metadata", f"{SVG}foreignObject"} & {
            e.tag for e in root.iter()
        }
        assert "<?xml" not in svg
        assert "<!DOCTYPE" not in svg
        assert not re.search(r"url\((?!#)", svg)
        assert re.findall(r"https?:[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


def test_the_same_data_are_the_same_bytes_whatever_style_the_user_has() -> None:
    first = list(drawn())
    before = dict(mpl.rcParams)
    with mpl.rc_context({"lines.linewidth": 9.0, "axes.grid": True, "font.size": 30.0, "text.color": "red"}):
        assert every_figure(make_results()) == first
    assert dict(mpl.rcParams) == before
    assert len(set(first)) == len(first)


def test_figures_leave_no_settings_behind() -> None:
    before = dict(mpl.rcParams)
    every_figure(make_results(documents=50))
    assert dict(mpl.rcParams) == before


def test_identifiers_and_styles_keep_to_their_figure() -> None:
    figures = drawn()
    ids = [found for svg in figures for found in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in figures:
        own = re.findall(r'\bid="([^"]+)"', svg)
        assert {found.removeprefix("#") for found in re.findall(r'(?:href="|url\()(#[^")]+)', svg)} <= set(own)
        (style,) = re.findall(r"<style>(.*?)</style>", svg, flags=re.DOTALL)
        for selector in re.findall(r"([^{}\n]+)\{", style.replace("@media(prefers-color-scheme:dark){", "")):
            assert selector.startswith(f"#{own[0]}")
    assert '<svg xmlns="http://www.w3.org/2000/svg" id="mine"' in neighbours_figure(
        make_results()["vectors"], uid="mine"
    )


def test_no_placeholder_colour_is_left_and_both_schemes_are_there() -> None:
    for svg in drawn():
        assert not re.search(r"#000[01]\d\d\b", svg)
        assert "@media(prefers-color-scheme:dark)" in svg
        assert "var(--ink)" in svg
        assert palette("red-blue").dark.ink in svg


def test_hostile_names_are_text_in_a_figure() -> None:
    def tags(svg: str) -> list[str]:
        return [element.tag for element in ElementTree.fromstring(svg).iter()]

    results = make_results(documents=60)
    names = ("LRP epsilon", "sci", "LRP element-wise", "right documents, true class, most relevant first")
    tame, wild = (every_figure(renamed(results, dict.fromkeys(names, new))) for new in ("a name", HOSTILE))
    for plain, svg in zip(tame, wild, strict=True):
        assert tags(svg).count(f"{SVG}text") == tags(plain).count(f"{SVG}text")
        assert set(tags(svg)) == set(tags(plain))
        assert not re.search("[\x00-\x08\x0b-\x1f]", svg)
        assert "#000001" not in re.findall("<style>(.*?)</style>", svg, flags=re.DOTALL)[0]
    label = ElementTree.fromstring(wild[0]).get("aria-label") or ""
    assert '$x^2$ #000001 id="a" ␀ ]]>' in label


@settings(max_examples=15, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_name_gives_a_figure_that_xml_can_carry(name: str) -> None:
    for svg in (
        deletion_figure({"title": name, "curves": [curve(name, [1.0, 0.5]), curve(name + "2", [1.0, 0.6])]}),
        bars_figure([{"method": name, "accuracy": 0.4, "interval": [0.3, 0.5]}], title=name),
        map_figure({"x": [0, 1], "y": [1, 0], "group": [name, "b"], "weighting": name}),
    ):
        ElementTree.fromstring(svg.encode("utf-8"))


def test_deletion_has_a_line_and_a_name_for_each_method() -> None:
    protocol = make_results()["deletion"]["protocols"][0]
    svg = deletion_figure(protocol)
    for one in protocol["curves"]:
        assert one["method"] in texts(svg)
    assert "words deleted" in texts(svg)
    assert "accuracy (lower is better)" in texts(svg)
    # 51 points a line, whatever its style
    paths = [element.get("d") or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}path")]
    assert sum(path.count("L") == 50 and "z" not in path for path in paths) == len(protocol["curves"])
    assert sum("z" in path and path.count("L") > 100 for path in paths) == 2  # the bands of the first and of random
    label = ElementTree.fromstring(svg).get("aria-label") or ""
    assert f"LRP epsilon {100 * protocol['curves'][0]['accuracy'][-1]:.1f} %" in label


def test_lines_are_told_apart_without_colour() -> None:
    svg = deletion_figure(make_results()["deletion"]["protocols"][0])
    styles = dict(re.findall(r"\.(s\d+)\{([^}]*)\}", svg))
    looks = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        paths = [path for path in group if path.tag == f"{SVG}path" and (path.get("d") or "").count("L") == 50]
        for path in paths:
            style = styles[path.get("class", "")]
            drawn = [p.get("d") for p in group.iter(f"{SVG}path") if p is not path]
            dash, wide = re.search(r"stroke-dasharray:([\d.,]+)", style), re.search(r"stroke-width:([\d.]+)", style)
            looks.append((dash and dash[1], wide and wide[1], tuple(drawn)))
    assert len(looks) == len(set(looks)) == 11


def test_more_methods_than_colours_are_thin_and_grey_but_named() -> None:
    curves = [curve(f"m{n}", [1.0, 1 - n / 40]) for n in range(20)]
    svg = deletion_figure({"title": "t", "better": "lower", "curves": curves})
    assert {f"m{n}" for n in range(20)} <= set(texts(svg))
    assert len(re.findall(r"--line\d:", svg)) == 2 * len(SERIES)


def test_words_put_back_are_called_so() -> None:
    assert "words put back" in texts(
        deletion_figure({"title": "", "mode": "insert", "curves": [curve("m", [0.0, 1.0])]})
    )


@pytest.mark.parametrize(
    "draw",
    [
        lambda: deletion_figure({"title": "", "curves": []}),
        lambda: deletion_figure(
            {"title": "", "curves": [curve("m", [None, None]), curve("n", [0.5]), curve("o", [])]}
        ),
        lambda: neighbours_figure({"rows": []}),
        lambda: neighbours_figure({"rows": [{"weighting": "w", "neighbours": [1], "accuracy": [None]}]}),
        lambda: map_figure({"x": [], "y": [], "group": [], "weighting": "w"}),
        lambda: map_figure({"x": [None, 1], "y": [0, math.nan], "group": ["a", "b"], "weighting": "w"}),
        lambda: bars_figure([], title="t"),
        lambda: bars_figure([{"method": "m", "accuracy": None}], title="t"),
    ],
)
def test_a_figure_of_nothing_is_still_a_figure(draw: Callable[[], str]) -> None:
    svg = draw()
    ElementTree.fromstring(svg)
    assert "nan" not in svg


def test_neighbours_mark_the_best_k_of_each_weighting() -> None:
    vectors = make_results()["vectors"]
    svg = neighbours_figure(vectors)
    for row in vectors["rows"]:
        assert row["weighting"] in texts(svg)
    rings = set(re.findall(r'd="M0 4[^"]*" ?', svg))
    assert len(rings) == 1
    assert "neighbours K" in texts(svg)


def test_a_map_has_a_point_a_document_up_to_a_limit_and_says_so() -> None:
    def points(svg: str) -> int:
        return len(re.findall("<use ", svg))

    few, many = make_results(documents=200)["vectors"]["maps"][0], make_results()["vectors"]["maps"][0]
    groups = len(set(many["group"]))
    assert points(map_figure(few)) == 200 + groups
    assert points(map_figure(many)) == MOST_POINTS + groups
    assert "1,500 of 7,532 documents shown" in texts(map_figure(many))
    assert not any("shown" in text for text in texts(map_figure(few)))
    assert "1st component, 12.4 % of the variance" in texts(map_figure(few))


def test_a_map_of_many_groups_names_the_largest() -> None:
    random = np.random.default_rng(0)
    group = [f"g{min(n, 11)}" for n in range(12) for _ in range(40 - 3 * n)]
    svg = map_figure(
        {"weighting": "w", "x": random.normal(size=len(group)), "y": random.normal(size=len(group)), "group": group}
    )
    assert {f"g{n}" for n in range(MOST_GROUPS)} <= set(texts(svg))
    assert "5 smaller groups" in texts(svg)
    assert "g9" not in texts(svg)


def test_bars_name_their_shares() -> None:
    rows = [{"method": "a", "accuracy": 0.91, "interval": [0.9, 0.92]}, {"method": "b", "accuracy": 0.2}]
    assert texts(bars_figure(rows, title="hits")) == ["a", "91.0 %", "b", "20.0 %", "hits"]


@given(
    st.lists(st.floats(-50, 400), max_size=30),
    st.floats(1, 30),
)
def test_names_are_apart_in_order_and_inside(wanted: list[float], gap: float) -> None:
    places = spread(wanted, gap, 0.0, 300.0)
    room = min(gap, 300.0 / max(1, len(wanted) - 1))
    order = np.argsort(wanted, kind="stable")
    assert all(
        b - a >= room - 1e-6 for a, b in zip(np.array(places)[order], np.array(places)[order][1:], strict=False)
    )
    assert all(-1e-6 <= place <= 300.0 + 1e-6 for place in places)


def test_names_that_have_room_stay_where_they_are() -> None:
    assert spread([10.0, 200.0, 100.0], 15, 0, 300) == [10.0, 200.0, 100.0]
    assert spread([100.0, 100.0], 20, 0, 300) == [90.0, 110.0]


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_names_in_colour_can_be_read_on_light_and_dark() -> None:
    shades = palette("red-blue")
    for light, dark in LINE_COLOURS:
        assert contrast(light, shades.light.paper) >= 4.5
        assert contrast(dark, shades.dark.paper) >= 4.5


def test_drawing_changes_no_results() -> None:
    results = make_results(documents=80)
    before = copy.deepcopy(results)
    every_figure(results)
    assert results == before
