"""The pictures of the explanation show the relevance that ``propagate`` computes, and their numbers sum."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from textlrp import AlphaBeta, Composite, Epsilon, Gamma, Zero
from textlrp.lrp.rules import Flat, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Trace, one_hot_seed, propagate

DOCS = Path(__file__).parents[2] / "docs"
RULES = (
    Zero(), Epsilon(1.0), Epsilon(0.5, bias="spread"), Gamma(1.0), AlphaBeta(2, 1), AlphaBeta(1, 0), ZPlus(), Flat(),
)  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(DOCS)
    module = importlib.import_module("drawings")
    yield module
    sys.modules.pop("drawings", None)


@pytest.fixture(params=range(3), ids=lambda seed: f"net {seed}")
def net(request: pytest.FixtureRequest, drawings: ModuleType) -> Trace:
    """The network of the page, and two random ones, of which one has two hidden layers and two outputs."""
    if request.param == 0:
        hidden = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]), np.array([1.0, -1.0, 0.0])
        return drawings.network(np.array([2.0, 1.0]), hidden, (np.array([[2.0, -1.0, 3.0]]), np.array([1.0])))
    draw = np.random.default_rng(request.param).normal
    sizes = [3, 4, 3, 2] if request.param == 2 else [2, 3, 1]
    layers = [(draw(size=(out, inputs)), draw(size=out)) for inputs, out in pairwise(sizes)]
    return drawings.network(draw(size=sizes[0]), *layers)


def parts(drawing: object) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.svg)


def edges(drawing: object) -> dict[tuple[str, str], tuple[float, str, bool, str]]:
    """(from, to) -> the exact value, the class, whether the line is dashed, and the label."""
    groups: dict[str, dict[tuple[str, str], ElementTree.Element]] = {"edge": {}, "label": {}}
    for group in parts(drawing).iter(f"{SVG}g"):
        if group.get("class") in groups:
            groups[group.attrib["class"]][group.attrib["data-from"], group.attrib["data-to"]] = group
    found = {}
    for key, group in groups["edge"].items():
        line = group.find(f"{SVG}line")
        dashed = line.get("stroke-dasharray") is not None
        label = groups["label"].get(key)
        text = "" if label is None else label.findtext(f"{SVG}text", "")
        found[key] = float(group.attrib["data-value"]), line.attrib["class"], dashed, text
    return found


def notes(drawing: object, node: str) -> list[str]:
    group = next(each for each in parts(drawing).iter(f"{SVG}g") if each.get("data-node") == node)
    return [text.text or "" for text in group.findall(f"{SVG}text")][2:]


def number(text: str) -> float:
    return float(text.split()[-1].replace("−", "-"))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_flows_are_those_of_propagate(drawings: ModuleType, net: Trace, rule: Rule) -> None:
    flows = drawings.layer_flows(net, rule)
    found = propagate(net, Composite(default=rule), one_hot_seed(net.scores, [0]))
    np.testing.assert_allclose(flows[0].edges.sum(axis=0), found.relevance[0, 0], atol=1e-9)
    for n, flow in enumerate(flows, 1):
        for cause, part in flow.absorbed.items():
            np.testing.assert_allclose(part.sum(), found.ledger[f"layer{n}", cause].item(), atol=1e-9)
        received = flow.edges.sum(axis=1) + sum(flow.absorbed.values())
        np.testing.assert_allclose(received, flow.relevance, atol=1e-9)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_picture_shows_the_flows(drawings: ModuleType, net: Trace, rule: Rule) -> None:
    drawing = drawings.draw_rule(net, rule, title="a title")
    found = propagate(net, Composite(default=rule), one_hot_seed(net.scores, [0]))
    shown = edges(drawing)
    for j, relevance in enumerate(found.relevance[0, 0].tolist(), 1):
        from_input = [each[0] for key, each in shown.items() if key[0] == f"x{j}"]
        assert sum(from_input) == pytest.approx(relevance, abs=1e-9)
        assert number(notes(drawing, f"x{j}")[0]) == pytest.approx(relevance, abs=0.00501)
    for value, sign, dashed, text in shown.values():
        assert sign == ("soft" if abs(value) < 1e-9 else "supports" if value > 0 else "opposes")
        assert dashed == (value < 0)  # opposing relevance differs without color
        assert (sign == "soft") == (text == "")
        if text:
            assert number(text) == pytest.approx(value, abs=0.00501)
            assert text[0] == {"supports": "+", "opposes": "−"}[sign] or text == "0"


def test_the_numbers_of_a_node_sum_to_its_relevance(drawings: ModuleType) -> None:
    hidden = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]), np.array([1.0, -1.0, 0.0])
    net = drawings.network(np.array([2.0, 1.0]), hidden, (np.array([[2.0, -1.0, 3.0]]), np.array([1.0])))
    for rule in RULES:
        drawing = drawings.draw_rule(net, rule, title="sums")
        for node in ("h1", "h2", "h3", "f1"):
            relevance, *absorbed = map(number, notes(drawing, node))
            flowing = sum(number(text) for key, (*_, text) in edges(drawing).items() if key[1] == node and text)
            assert flowing + sum(absorbed) == pytest.approx(relevance, abs=0.03), (rule, node)


def test_no_line_runs_through_a_label(drawings: ModuleType, net: Trace) -> None:
    for drawing in (drawings.draw_values(net, title="values"), drawings.draw_rule(net, Zero(), title="rule")):
        groups = [each for each in parts(drawing).iter(f"{SVG}g") if each.get("class") in ("edge", "label")]
        classes = [each.attrib["class"] for each in groups]
        assert classes == sorted(classes)  # all labels are drawn after all lines
        for label in (each for each in groups if each.get("class") == "label"):
            paper, text = label  # the paper is under the text
            assert paper.get("class") == "paper"
            assert float(paper.attrib["width"]) > 7 * len(text.text or "")
            assert abs(float(paper.attrib["x"]) + float(paper.attrib["width"]) / 2 - float(text.attrib["x"])) < 0.2


def test_the_forward_picture_has_the_values_and_weights(drawings: ModuleType, net: Trace) -> None:
    drawing = drawings.draw_values(net, title="values")
    circles = [each for each in parts(drawing).iter(f"{SVG}g") if each.get("data-node")]
    values = [number(each.findtext(f"{SVG}text") or "") for each in circles]
    first = net.steps[0].map
    np.testing.assert_allclose(values[: first.inputs.shape[1]], first.inputs[0], atol=0.00501)
    assert values[-1] == pytest.approx(net.scores[0, -1].item(), abs=0.00501)
    weights = [value for (start, _), (value, *_) in edges(drawing).items() if start.startswith("x")]
    np.testing.assert_allclose(np.reshape(weights, first.weight.shape), first.weight)


def test_pooling_marks_the_winner_and_words_sum(drawings: ModuleType) -> None:
    activations = {"one": np.array([0.0, 2.0, 5.0]), "none": np.array([0.0, 0.0, 0.0])}
    shares = {"one": np.array([0.0, 0.0, 6.0, -1.0]), "none": np.zeros(4)}
    root = parts(drawings.draw_pooling(["a", "b", "<c>", "d"], activations, shares, title="pooling"))
    winners = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "winner"]
    assert [(rect.get("data-filter"), rect.get("data-window")) for rect in winners] == [("one", "2")]
    rows: dict[str, list[float]] = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("data-row"):
            rows.setdefault(group.attrib["data-row"], []).append(float(group.attrib["data-value"]))
            assert group.findall(f"{SVG}text")[1].text == drawings.shown(rows[group.attrib["data-row"]][-1])
    assert rows["sum"] == [one + none for one, none in zip(rows["one"], rows["none"], strict=True)]


def test_names_of_curves_do_not_overlap(drawings: ModuleType) -> None:
    curves = {name: np.linspace(1, end, 9) for name, end in {"a": 0.5, "b": 0.5, "c": 0.0, "d": 0.01}.items()}
    root = parts(drawings.draw_curves(curves, title="curves", across="steps"))
    lines = {each.attrib["data-name"]: each for each in root.iter(f"{SVG}polyline")}
    assert len({line.get("stroke-dasharray") for line in lines.values()}) == 4
    heights = [float(text.attrib["y"]) for text in root.iter(f"{SVG}text") if text.text in curves]
    assert np.diff(sorted(heights)).min() >= 14.9
    for name, values in curves.items():
        points = np.array([point.split(",") for point in lines[name].attrib["points"].split()], dtype=float)
        np.testing.assert_allclose(np.corrcoef(points[:, 1], values)[0, 1], -1, atol=1e-4)


def test_every_drawing_has_a_role_and_an_escaped_title(drawings: ModuleType) -> None:
    title = "a <b> & c"
    net = drawings.network(np.ones(1), (np.ones((1, 1)), np.zeros(1)))
    row = {"row": np.ones(1)}
    for drawing in (
        drawings.draw_values(net, title=title),
        drawings.draw_rule(net, Zero(), title=title),
        drawings.draw_pooling(["word"], row, row, title=title),
        drawings.draw_words(["word"], row, title=title),
        drawings.draw_curves({"row": np.ones(2)}, title=title, across="x"),
    ):
        root = parts(drawing)
        assert root.get("role") == "img"
        assert root.get("aria-label") == root.findtext(f"{SVG}title") == title
        assert "font-size" in (root.findtext(f"{SVG}style") or "")
        assert 'style="width:100%' in drawing.svg  # as wide as a narrow screen
        assert drawing._repr_html_().count("<svg") == 1


@pytest.mark.parametrize(
    ("value", "text"), [(4.0, "+4"), (-0.75, "−0.75"), (0.0, "0"), (-0.001, "0"), (2.345, "+2.35"), (100.0, "+100")]
)
def test_numbers(drawings: ModuleType, value: float, text: str) -> None:
    assert drawings.shown(value) == text
    assert drawings.shown(value, signed=False) == text.removeprefix("+")


def test_a_network_is_that_of_torch(drawings: ModuleType) -> None:
    draw = np.random.default_rng(0).normal
    layers = [(draw(size=(4, 3)), draw(size=4)), (draw(size=(2, 4)), draw(size=2))]
    inputs = draw(size=3)
    values = torch.tensor(inputs)
    (first, one), (second, two) = [(torch.tensor(w), torch.tensor(b)) for w, b in layers]
    torch.testing.assert_close(
        drawings.network(inputs, *layers).scores[0], second @ (first @ values + one).relu() + two
    )
