import copy
import math
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from cases import every
from evaluation_results import make_results, renamed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textlrp.reports.charts import figures
from textlrp.reports.charts.axes import limits, spread_apart, ticks
from textlrp.reports.charts.figures import MAX_GROUPS, MAX_POINTS
from textlrp.reports.charts.svg import SERIES, SERIES_COLORS
from textlrp.reports.palette import palette

HOSTILE = (
    '</text></svg><script>alert(1)</script><img src=//x onerror=alert(1)>"\'& $x^2$ class="ink" id="a" \x00\x0c\n]]>'
)
SVG = "{http://www.w3.org/2000/svg}"

deletion_figure = partial(figures.deletion_figure, uid="deletion")
neighbors_figure = partial(figures.neighbors_figure, uid="neighbors")
map_figure = partial(figures.map_figure, uid="map")
bars_figure = partial(figures.bars_figure, uid="bars")


def curve(method: str, accuracy: list[float | None], **more: Any) -> dict[str, Any]:
    return {"method": method, "accuracy": accuracy, "low": None, "high": None, **more}


def every_figure(results: dict[str, Any]) -> list[str]:
    return [
        *(deletion_figure(one, uid=f"deletion{n}") for n, one in enumerate(results["deletion"]["protocols"])),
        neighbors_figure(results["vectors"]),
        *(map_figure(one, uid=f"map{n}") for n, one in enumerate(results["vectors"]["maps"])),
        bars_figure(results["pointing"]["rows"], title="hits"),
    ]


@cache
def drawn() -> tuple[str, ...]:
    return tuple(every_figure(make_results()))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def shapes(svg: str, attribute: str, value: str) -> list[str]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}path")
    return [element.get("d") or "" for element in found if element.get(attribute) == value]


def points(path: str) -> list[tuple[float, float]]:
    """Return the points of a line, or the positions of marks."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", path.replace("h0", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def lines(svg: str) -> list[ElementTree.Element]:
    """Return the lines of a chart, the last line first: elements whose path has a gap or an end."""
    return [element for element in ElementTree.fromstring(svg) if (element.get("d") or "").endswith("h0")]


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


def test_the_same_data_give_the_same_text() -> None:
    assert every_figure(make_results()) == list(drawn())
    assert len(set(drawn())) == len(drawn())


def test_identifiers_and_styles_keep_to_their_figure() -> None:
    figures = drawn()
    ids = [found for svg in figures for found in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in figures:
        own = re.findall(r'\bid="([^"]+)"', svg)
        assert {found.removeprefix("#") for found in re.findall(r"url\((#[^)]+)", svg)} <= set(own)
        (style,) = re.findall(r"<style>(.*?)</style>", svg, flags=re.DOTALL)
        for selector in re.findall(r"([^{}\n]+)\{", style.replace("@media(prefers-color-scheme:dark){", "")):
            assert selector.startswith(f"#{own[0]}")
        assert all(found.startswith(own[0]) for found in own)


def test_every_color_is_given_for_light_and_dark_screens() -> None:
    for svg in drawn():
        used = set(re.findall(r'class="(?!figure)([^"]+)"', svg))
        light, _, dark = re.findall("<style>(.*?)</style>", svg, flags=re.DOTALL)[0].partition("\n@media")
        assert dark.startswith("(prefers-color-scheme:dark)")
        shades = palette("red-blue")
        for style, ink in ((light, shades.light.ink), (dark, shades.dark.ink)):
            colors = dict(re.findall(r"\.(\w+)\{color:(#[0-9a-f]{6})\}", style))
            assert colors.keys() == used
            assert colors["ink"] == ink


def test_hostile_names_are_text_in_a_figure() -> None:
    def tags(svg: str) -> list[str]:
        return [element.tag for element in ElementTree.fromstring(svg).iter()]

    results = make_results(documents=60)
    names = (
        "LRP epsilon",
        "sci",
        "LRP element-wise",
        "correctly classified documents: delete the words most relevant for the true class",
    )
    tame, wild = (every_figure(renamed(results, dict.fromkeys(names, new))) for new in ("a name", HOSTILE))
    for plain, svg in zip(tame, wild, strict=True):
        assert tags(svg).count(f"{SVG}text") == tags(plain).count(f"{SVG}text")
        assert set(tags(svg)) == set(tags(plain))
        assert not re.search("[\x00-\x08\x0b-\x1f]", svg)
    label = ElementTree.fromstring(wild[0]).get("aria-label") or ""
    assert '$x^2$ class="ink" id="a" ␀ ]]>' in label


@settings(max_examples=8, deadline=None)
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
    assert len(lines(svg)) == len(protocol["curves"])
    assert len(shapes(svg, "fill-opacity", "0.16")) == 2  # the bands of the first and of random
    label = ElementTree.fromstring(svg).get("aria-label") or ""
    assert f"LRP epsilon {100 * protocol['curves'][0]['accuracy'][-1]:.1f}%" in label


def test_lines_are_distinct_without_color() -> None:
    svg = deletion_figure(make_results()["deletion"]["protocols"][0])
    elements = list(ElementTree.fromstring(svg))
    looks = []
    for line in lines(svg):
        after = elements[[element.get("d") for element in elements].index(line.get("d")) + 1]
        mark = after[0].get("d") if after.tag == f"{SVG}marker" else None
        looks.append((line.get("stroke-dasharray"), line.get("stroke-width"), mark))
    assert len(looks) == len(set(looks)) == 11


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-3, 0.1])
def test_a_chart_can_be_read_back(scale: float) -> None:
    """Lines and bands in pixels give the data back, by the scale of the tick labels."""
    protocol = make_results()["deletion"]["protocols"][0]
    curves = protocol["curves"]
    for one in curves:
        for key in ("accuracy", "low", "high"):
            one[key] = None if one[key] is None else [scale * value for value in one[key]]
    svg = deletion_figure(protocol)
    labels = [e for e in ElementTree.fromstring(svg).iter(f"{SVG}text") if re.fullmatch(r"[\d.e-]+%?", e.text or "")]
    up = [
        (float(e.get("y") or 0) - 11 / 3, float((e.text or "")[:-1]) / 100)  # a third of the font size below
        for e in labels
        if "%" in (e.text or "")
    ]
    across = [(float(e.get("x") or 0), float(e.text or "")) for e in labels if "%" not in (e.text or "")]
    assert 3 <= len(up) <= 7
    assert 3 <= len(across) <= 7
    values, steps = (np.polynomial.Polynomial.fit(*zip(*ticks, strict=True), 1) for ticks in (up, across))
    for line, one in zip(reversed(lines(svg)), curves, strict=True):
        x, y = np.transpose(points(line.get("d") or ""))
        np.testing.assert_allclose(steps(x), np.arange(51), atol=0.05)
        np.testing.assert_allclose(values(y), one["accuracy"], atol=0.001 * scale)
    with_band = [one for one in reversed(curves) if one["method"] in (curves[0]["method"], "random")]
    for band, one in zip(shapes(svg, "fill-opacity", "0.16"), with_band, strict=True):
        _, y = np.transpose(points(band))
        np.testing.assert_allclose(values(y), [*one["low"], *one["high"][::-1]], atol=0.001 * scale)


@example(1e-6, 1e-9, True)
@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.booleans())
def test_ticks_are_few_round_numbers_in_the_range(one: float, other: float, whole: bool) -> None:
    low, high = limits(np.array([one, other]))
    found = ticks(low, high, min_step=1.0 if whole else 0.0)
    assert len(found) <= 7
    assert whole or len(found) >= 2
    assert all(low - 1e-6 * (high - low) <= tick <= high + 1e-6 * (high - low) for tick in found)
    labels = [f"{tick:.8g}" for tick in found]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-320, 1e12, -3.0])
def test_values_that_are_all_the_same_have_a_range(value: float) -> None:
    low, high = limits(np.full(3, value))
    assert low < value < high


@pytest.mark.parametrize(
    "values", [[math.inf, 0.5], [-math.inf, math.nan], [1e308, -1e308], [5e-324, 1e-323], [1e299, -1e299]]
)
def test_numbers_that_cannot_be_drawn_leave_a_gap(values: list[float]) -> None:
    row = {"method": "m", "weighting": "m", "neighbors": [1, 5], "accuracy": values}
    one_map = {"x": values, "y": values, "group": ["a", "b"], "weighting": "w"}
    bars = [{"method": "m", "accuracy": value, "interval": values} for value in values]
    for svg in (
        deletion_figure({"title": "", "curves": [row | {"low": values, "high": values}]}),
        neighbors_figure({"rows": [row]}),
        map_figure(one_map),
        bars_figure(bars, title="t"),
    ):
        drawing = "".join(re.findall(r' (?:d|x|y)="([^"]*)"', svg))
        assert not re.search(r"nan|inf|\de\+?\d", drawing)


def test_a_gap_stays_a_gap_and_a_single_point_is_seen() -> None:
    (line,) = lines(deletion_figure({"title": "", "curves": [curve("m", [1.0, 0.9, None, 0.8, 0.7, None, 0.4])]}))
    parts = (line.get("d") or "").split("M")[1:]
    assert [len(points(part)) for part in parts] == [2, 2, 1]
    assert line.get("stroke-linecap") == "round"  # makes a line of length 0 visible as a dot


def test_more_methods_than_colors_are_thin_and_gray_but_named() -> None:
    curves = [curve(f"m{n}", [1.0, 1 - n / 40]) for n in range(20)]
    svg = deletion_figure({"title": "t", "better": "lower", "curves": curves})
    assert {f"m{n}" for n in range(20)} <= set(texts(svg))
    assert len(set(re.findall(r"\.(line\d+)\{", svg))) == len(SERIES)
    assert sum(line.get("class") == "soft" for line in lines(svg)) == 19 - len(SERIES)


def test_the_axis_of_an_insertion_names_inserted_words() -> None:
    assert "words inserted" in texts(
        deletion_figure({"title": "", "mode": "insert", "curves": [curve("m", [0.0, 1.0])]})
    )


@every(
    "draw",
    [
        lambda: deletion_figure({"title": "", "curves": []}),
        lambda: deletion_figure(
            {"title": "", "curves": [curve("m", [None, None]), curve("n", [0.5]), curve("o", [])]}
        ),
        lambda: neighbors_figure({"rows": []}),
        lambda: neighbors_figure({"rows": [{"weighting": "w", "neighbors": [1], "accuracy": [None]}]}),
        lambda: map_figure({"x": [], "y": [], "group": [], "weighting": "w"}),
        lambda: map_figure({"x": [None, 1], "y": [0, math.nan], "group": ["a", "b"], "weighting": "w"}),
        lambda: bars_figure([], title="t"),
        lambda: map_figure({"x": [5.0, 5.0], "y": [2.0, 2.0], "group": ["a", "b"], "weighting": "w"}),
        lambda: bars_figure([{"method": "m", "accuracy": None}], title="t"),
        lambda: bars_figure([{"method": "m", "accuracy": 0.5, "interval": [None, 0.6]}], title="t"),
    ],
)
def test_a_figure_of_nothing_is_still_a_figure(draw: Callable[[], str]) -> None:
    svg = draw()
    ElementTree.fromstring(svg)
    assert "nan" not in svg


def test_neighbors_mark_the_best_k_of_each_weighting() -> None:
    vectors = make_results()["vectors"]
    svg = neighbors_figure(vectors)
    for row in vectors["rows"]:
        assert row["weighting"] in texts(svg)
    assert "neighbors K" in texts(svg)
    rings = [path for path in shapes(svg, "fill", "none") if "a4 4" in path]
    assert len(rings) == len(vectors["rows"])
    for ring, row, line in zip(reversed(rings), vectors["rows"], reversed(lines(svg)), strict=True):
        left, height = points(ring[: ring.index("a")])[0]
        best = points(line.get("d") or "")[int(np.argmax(row["accuracy"]))]
        assert (left + 4, height) == pytest.approx(best, abs=0.11)


def test_a_map_has_a_point_a_document_up_to_a_limit_and_says_so() -> None:
    def dots(svg: str) -> int:
        paths = [e for e in ElementTree.fromstring(svg).iter(f"{SVG}path") if e.get("marker-mid")]
        return sum(len(points(path.get("d") or "")) for path in paths)

    few, many = make_results(documents=200)["vectors"]["maps"][0], make_results()["vectors"]["maps"][0]
    groups = len(set(many["group"]))
    assert dots(map_figure(few)) == 200 + groups
    assert dots(map_figure(many)) == MAX_POINTS + groups
    assert "1,500 of 7,532 documents shown" in texts(map_figure(many))
    assert not any("shown" in text for text in texts(map_figure(few)))
    assert "1st component, 12.4% of the variance" in texts(map_figure(few))


def test_a_map_of_many_groups_names_the_largest() -> None:
    random = np.random.default_rng(0)
    group = [f"g{min(n, 11)}" for n in range(12) for _ in range(40 - 3 * n)]
    svg = map_figure(
        {"weighting": "w", "x": random.normal(size=len(group)), "y": random.normal(size=len(group)), "group": group}
    )
    assert {f"g{n}" for n in range(MAX_GROUPS)} <= set(texts(svg))
    assert "5 smaller groups" in texts(svg)
    assert "g9" not in texts(svg)


def test_bars_name_their_shares() -> None:
    rows = [{"method": "a", "accuracy": 0.91, "interval": [0.9, 0.92]}, {"method": "b", "accuracy": 0.2}]
    assert texts(bars_figure(rows, title="hits")) == ["hits", "a", "91.0%", "b", "20.0%"]


@given(
    st.lists(st.floats(-50, 400), max_size=30),
    st.floats(1, 30),
)
def test_names_are_apart_in_order_and_inside(wanted: list[float], gap: float) -> None:
    places = spread_apart(wanted, gap, 0.0, 300.0)
    room = min(gap, 300.0 / max(1, len(wanted) - 1))
    order = np.argsort(wanted, kind="stable")
    assert all(
        b - a >= room - 1e-6 for a, b in zip(np.array(places)[order], np.array(places)[order][1:], strict=False)
    )
    assert all(-1e-6 <= place <= 300.0 + 1e-6 for place in places)


def test_names_that_do_not_overlap_are_not_moved() -> None:
    assert spread_apart([10.0, 200.0, 100.0], 15, 0, 300) == [10.0, 200.0, 100.0]
    assert spread_apart([100.0, 100.0], 20, 0, 300) == [90.0, 110.0]


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_names_in_color_can_be_read_on_light_and_dark() -> None:
    shades = palette("red-blue")
    for light, dark in SERIES_COLORS:
        assert contrast(light, shades.light.paper) >= 4.5
        assert contrast(dark, shades.dark.paper) >= 4.5


def test_drawing_changes_no_results() -> None:
    results = make_results(documents=80)
    before = copy.deepcopy(results)
    every_figure(results)
    assert results == before
