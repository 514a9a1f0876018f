"""Draw how LRP distributes relevance: a small network with the relevance on its edges, and max pooling over words.

The pages of ``docs/explanation/`` call these functions. All numbers come from the steps of a trace and from their
rules; this module only places them. Colors are those of the pages of textlrp, in the light and the dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.lrp.maps import Dense
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear, Routing, Step
from textlrp.reports.palette import palette

Numbers = NDArray[np.float64]

WIDTH, RADIUS = 400, 19
ROW = 106
"""Height of a node with its name, its relevance and what it absorbs, in pixels."""

CHARACTER = 7.4
"""The largest mean width of a character of a label, in pixels."""

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


# ---- numbers


class LayerFlow(NamedTuple):
    """How one layer distributes relevance: ``edges`` (O, J) from output k to input j, and what each output absorbs.

    ``relevance`` (O,) is that of the outputs, ``absorbed`` maps a cause to (O,).
    """

    relevance: Numbers
    edges: Numbers
    absorbed: Mapping[str, Numbers]


def network(inputs: Numbers, *layers: tuple[Numbers, Numbers]) -> Trace:
    """Return the trace of a dense network with ReLU between its layers, on one document.

    ``inputs`` (J,); a layer is its weights (O, J) and its biases (O,). The hidden layers write ``hidden1`` and so on.
    """
    steps: list[Step] = []
    values, reads = torch.tensor(np.atleast_2d(inputs), dtype=torch.float64), "words"
    for n, (weight, bias) in enumerate(layers, 1):
        last = n == len(layers)
        writes = "scores" if last else f"sums{n}"
        weights, biases = (torch.tensor(each, dtype=torch.float64) for each in (weight, bias))
        z = values @ weights.T + biases
        steps.append(Linear(f"layer{n}", "dense", (reads,), writes, Dense(values, weights), biases, z))
        if not last:
            steps.append(Routing(f"relu{n}", "relu", (writes,), f"hidden{n}"))
            values, reads = z.relu(), f"hidden{n}"
    return Trace(tuple(steps), z)


def layer_flows(trace: Trace, rule: Rule, *, output: int = 0) -> list[LayerFlow]:
    """Return the flow of relevance through each layer of :func:`network`, the first layer first.

    Each output of a layer is propagated by itself, as one target, so that the relevance it receives is that of its
    edges.
    """
    flows: list[LayerFlow] = []
    relevance = torch.zeros_like(trace.scores[0])
    relevance[output] = trace.scores[0, output]
    for step in reversed(trace.steps):
        if isinstance(step, Linear):
            (received,), absorbed = step.back(torch.diag(relevance)[:, None, :], rule)
            causes = {cause: part[:, 0].numpy() for cause, part in absorbed.items()}
            flows.insert(0, LayerFlow(relevance.numpy(), received[:, 0].numpy(), causes))
            relevance = received.sum(dim=0)[0]
    return flows


def shown(value: float, *, signed: bool = True) -> str:
    """Format a number with up to two decimals and a true minus sign: +4, −0.75, 0."""
    text = f"{round(value, 2) + 0.0:+.2f}".rstrip("0").rstrip(".")
    if text in ("+0", "-0"):
        return "0"
    return (text if signed else text.removeprefix("+")).replace("-", "−")


# ---- drawings


@dataclass(frozen=True)
class Drawing:
    """An SVG that a notebook and the site show in place, so that it has the colors of the page."""

    svg: str

    def _repr_html_(self) -> str:
        return f'<div class="lrp-drawing" style="overflow-x:auto;margin:1em 0">{self.svg}</div>'

    def __repr__(self) -> str:
        return self.svg[self.svg.find("<title") : self.svg.find("</title>")].partition(">")[2]


def draw_values(trace: Trace, *, title: str) -> Drawing:
    """Draw the forward pass: the values in the nodes, the weights on the edges."""
    layers = [step for step in trace.steps if isinstance(step, Linear)]
    weights = [_dense(step).weight.numpy() for step in layers]
    notes: list[list[list[Note]]] = [[]]
    for step in layers:
        hidden = step.writes != trace.output
        notes.append(
            [
                [(f"bias {shown(bias)}", "soft")] + [(f"z = {shown(z, signed=False)}", "soft")] * hidden
                for bias, z in zip(step.bias.tolist(), step.outputs[0].tolist(), strict=True)
            ]
        )
    edges = [[(w, f"× {shown(w, signed=False)}", "plain") for w in row] for weight in weights for row in weight]
    return _network_drawing(trace, edges, notes, title)


def draw_rule(trace: Trace, rule: Rule, *, title: str, output: int = 0) -> Drawing:
    """Draw the relevance that flows over each edge, that of each node, and what each node absorbs.

    An edge is as wide as its share of the largest relevance. Red, solid and plus: supports the score. Blue, dashed
    and minus: opposes it.
    """
    flows = layer_flows(trace, rule, output=output)
    received = [flow.edges.sum(axis=0) for flow in flows]
    notes: list[list[list[Note]]] = [[[("R " + shown(value), _sign(value))] for value in received[0]]]
    for flow, relevance in zip(flows, [*received[1:], flows[-1].relevance], strict=True):
        notes.append(
            [
                [("R " + shown(value), _sign(value))]
                + [
                    (f"{cause} {shown(part[k])}", "soft")
                    for cause, part in flow.absorbed.items()
                    if shown(part[k]) != "0"
                ]
                for k, value in enumerate(relevance)
            ]
        )
    edges = [[(value, shown(value), _sign(value)) for value in row] for flow in flows for row in flow.edges]
    return _network_drawing(trace, edges, notes, title)


def draw_pooling(
    words: Sequence[str],
    activations: Mapping[str, Numbers],
    shares: Mapping[str, Numbers],
    *,
    title: str,
) -> Drawing:
    """Draw the windows of each filter, the winner of the max pooling, and the relevance that its words receive.

    ``activations`` maps a filter to its values (W,) at all windows, ``shares`` to the relevance (T,) of all words.
    """
    step = (WIDTH - 20) / len(words)
    total = np.sum(list(shares.values()), axis=0)
    largest = max(float(np.abs(total).max()), 1e-12)
    parts: list[str] = []
    y = 14.0
    for name, values in activations.items():
        width = len(words) - len(values) + 1
        parts.append(_text(13, y, f"{name}: its value at each window of {width} words", "ink", anchor="start"))
        parts += _window_rows(name, values, width, y + 8, step)
        y += 8 + 24 * width + 16
        parts.append(_text(13, y, f"relevance from {name}", "soft", anchor="start"))
        parts += _word_row(words, shares[name], y + 6, step, largest, name)
        y += 72
    parts.append(_text(13, y, "relevance of each word: the sum over all filters", "ink", anchor="start"))
    parts += _word_row(words, total, y + 6, step, largest, "sum")
    return _drawing(parts, y + 50, title)


def draw_words(words: Sequence[str], rows: Mapping[str, Numbers], *, title: str) -> Drawing:
    """Draw the words once for each name in ``rows``, with their relevance (T,).

    Methods have different scales, so the largest |relevance| of each row has the full color.
    """
    step = (WIDTH - 20) / len(words)
    parts: list[str] = []
    for n, (name, relevance) in enumerate(rows.items()):
        y = 14.0 + 66 * n
        parts.append(_text(13, y, name, "ink", anchor="start"))
        parts += _word_row(words, relevance, y + 6, step, max(float(np.abs(relevance).max()), 1e-12), name)
    return _drawing(parts, 66 * len(rows) - 6, title)


def _window_rows(name: str, values: Numbers, width: int, y: float, step: float) -> Iterable[str]:
    """Windows overlap, so they are in ``width`` rows."""
    winner = int(np.argmax(values))
    for t, value in enumerate(values):
        top = y + 24 * (t % width)
        won = t == winner and value > 0
        yield (
            f'<rect class="{"winner" if won else "window"}" data-filter="{escape(name)}" data-window="{t}" '
            f'x="{10 + t * step + 3:.1f}" y="{top:.1f}" width="{width * step - 6:.1f}" height="20" rx="4"/>'
        )
        label = f"{shown(value, signed=False)}{' wins' if won else ''}"
        yield _text(10 + (t + width / 2) * step, top + 14, label, "ink" if won else "soft")


def _word_row(
    words: Sequence[str], relevance: Numbers, y: float, step: float, largest: float, name: str
) -> Iterable[str]:
    for t, (word, value) in enumerate(zip(words, relevance.tolist(), strict=True)):
        center, sign = 10 + (t + 0.5) * step, _sign(value)
        strength = 0.15 + 0.85 * min(1.0, abs(value) / largest)
        yield (
            f'<g data-row="{escape(name)}" data-word="{escape(word)}" data-value="{value!r}">'
            f'<rect class="fill {sign}" style="fill-opacity:{strength:.2f}" x="{center - step / 2 + 1:.1f}" '
            f'y="{y:.1f}" width="{step - 2:.1f}" height="38" rx="3"/>'
            + _text(center, y + 15, word, "ink")
            + _text(center, y + 31, shown(value), "soft" if sign == "soft" else "ink")
            + "</g>"
        )


# ---- the drawing of a network

Edge = tuple[float, str, str]
"""Width before scaling, label, color class."""
Note = tuple[str, str]
"""Label and color class of a line under a node."""


def _dense(step: Linear) -> Dense:
    assert isinstance(step.map, Dense)
    return step.map


def _sign(value: float) -> str:
    return "soft" if abs(value) < 1e-9 else "supports" if value > 0 else "opposes"


def _network_drawing(
    trace: Trace, edges: Sequence[Sequence[Edge]], notes: Sequence[Sequence[Sequence[Note]]], title: str
) -> Drawing:
    layers = [step for step in trace.steps if isinstance(step, Linear)]
    values = [_dense(step).inputs[0].numpy() for step in layers] + [trace.scores[0].numpy()]
    names = ["x", *("h" for _ in layers[1:]), "f"]
    columns = np.linspace(RADIUS + 30, WIDTH - RADIUS - 34, len(values))
    height = max(len(each) for each in values) * ROW
    rows = [[height * (k + 0.5) / len(each) - 6 for k in range(len(each))] for each in values]
    largest = max((abs(value) for row in edges for value, _, _ in row), default=1.0) or 1.0
    parts: list[str] = []
    labels: list[str] = []
    pending = iter(edges)
    for n in range(len(layers)):
        for k, below in enumerate(rows[n + 1]):
            for j, (y, edge) in enumerate(zip(rows[n], next(pending), strict=True)):
                ends = (columns[n] + RADIUS, y, columns[n + 1] - RADIUS, below)
                where = _place(j, len(rows[n]), len(rows[n + 1]))
                line, label = _edge(ends, edge, largest, where, f"{names[n]}{j + 1}", f"{names[n + 1]}{k + 1}")
                parts.append(line)
                labels.append(label)
    parts += labels  # after all lines, so that no line runs through a label
    for n, column in enumerate(values):
        for k, value in enumerate(column):
            name = names[n] + (str(k + 1) if len(column) > 1 else "").translate(SUBSCRIPTS)
            under = notes[n][k] if notes[n] else ()
            parts.append(_node(columns[n], rows[n][k], name, float(value), under, f"{names[n]}{k + 1}"))
    return _drawing(parts, height, title)


def _place(j: int, inputs: int, outputs: int) -> float:
    """Where along an edge its label is: labels of edges that cross are in different places."""
    return 0.5 if outputs == 1 else 0.27 + 0.42 * j / max(1, inputs - 1)


def _edge(
    ends: tuple[float, float, float, float], edge: Edge, largest: float, where: float, start: str, end: str
) -> tuple[str, str]:
    """Return the line and its label, which is empty if nothing flows."""
    x1, y1, x2, y2 = ends
    value, label, sign = edge
    width = 1 + 8 * abs(value) / largest if sign in ("supports", "opposes") else 1.5
    dashes = ' stroke-dasharray="7 4"' if value < 0 else ""
    line = f'<line class="{sign}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="{width:.2f}"'
    x, y = x1 + where * (x2 - x1), y1 + where * (y2 - y1) + 4
    names = f'data-from="{start}" data-to="{end}"'
    drawn = f'<g class="edge" {names} data-value="{float(value)!r}">{line}{dashes}/></g>'
    if sign == "soft":
        return drawn, ""
    size = CHARACTER * len(label) + 9
    paper = f'<rect class="paper" x="{x - size / 2:.1f}" y="{y - 12:.1f}" width="{size:.1f}" height="16" rx="3"/>'
    return drawn, f'<g class="label" {names}>{paper}{_text(x, y, label, "ink" if sign == "plain" else sign)}</g>'


def _node(x: float, y: float, name: str, value: float, notes: Sequence[Note], identifier: str) -> str:
    lines = [_text(x, y + RADIUS + 14 + 13 * n, text, sign) for n, (text, sign) in enumerate(notes)]
    return (
        f'<g class="node" data-node="{identifier}"><circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"/>'
        + _text(x, y + 5, shown(value, signed=False), "ink")
        + _text(x, y - RADIUS - 5, name, "soft")
        + "".join(lines)
        + "</g>"
    )


def _text(x: float, y: float, text: str, sign: str, *, anchor: str = "middle") -> str:
    return f'<text class="{sign}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _drawing(parts: Iterable[str], height: float, title: str) -> Drawing:
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {WIDTH} {math.ceil(height)}" style="width:100%;max-width:620px;height:auto">'
        f"<title>{escape(title)}</title><style>{_style()}</style>{''.join(parts)}</svg>"
    )


def _style() -> str:
    """Return the style sheet. The dark colors apply as in furo: by its switch, or by the setting of the system."""
    light, dark = palette("red-blue").light, palette("red-blue").dark
    colors = [
        f"--supports:{each.supports_line};--opposes:{each.opposes_line};--supports-fill:{each.supports};"
        f"--opposes-fill:{each.opposes}"
        for each in (light, dark)
    ]
    paper = "var(--color-background-primary,Canvas)"
    soft = "var(--color-foreground-secondary,currentColor)"
    ink = "var(--color-foreground-primary,currentColor)"
    return (
        f".lrp-drawing{{{colors[0]}}}body[data-theme=dark] .lrp-drawing{{{colors[1]}}}"
        f"@media(prefers-color-scheme:dark){{body:not([data-theme=light]) .lrp-drawing{{{colors[1]}}}}}"
        f".lrp-drawing text{{font-size:12.5px;stroke:{paper};stroke-width:5px;paint-order:stroke;fill:{ink}}}"
        f".lrp-drawing text.soft{{fill:{soft}}}"
        ".lrp-drawing text.supports{fill:var(--supports);font-weight:600}"
        ".lrp-drawing text.opposes{fill:var(--opposes);font-weight:600}"
        f".lrp-drawing circle{{fill:{paper};stroke:{ink};stroke-width:1.5}}"
        ".lrp-drawing line.supports{stroke:var(--supports)}.lrp-drawing line.opposes{stroke:var(--opposes)}"
        f".lrp-drawing line.plain{{stroke:{soft}}}.lrp-drawing line.soft{{stroke:{soft};opacity:.5}}"
        f".lrp-drawing .window,.lrp-drawing .winner{{fill:none;stroke:{soft};stroke-width:1}}"
        f".lrp-drawing .winner{{stroke:{ink};stroke-width:2.5}}"
        ".lrp-drawing rect.supports{fill:var(--supports-fill)}.lrp-drawing rect.opposes{fill:var(--opposes-fill)}"
        f".lrp-drawing .curve{{fill:none;stroke:{ink};stroke-width:2}}"
        f".lrp-drawing rect.soft{{fill:none}}.lrp-drawing rect.paper{{fill:{paper}}}"
        ".lrp-drawing rect.fill~text,.lrp-drawing rect+text{stroke:none}"
    )


# ---- curves

DASHES = ("none", "9 4", "2 3", "10 3 2 3", "5 3")
"""Line styles, one for each curve, so that curves differ without color."""


def draw_curves(curves: Mapping[str, Numbers], *, title: str, across: str) -> Drawing:
    """Draw curves (S,) of values from 0 to 1 against 0 to S - 1, each with its name at a free place of its end."""
    left, right, top, bottom = 46.0, 250.0, 12.0, 210.0
    last = max(len(values) for values in curves.values()) - 1
    parts = []
    for value in (0.0, 0.5, 1.0):
        y = bottom - value * (bottom - top)
        parts.append(f'<line class="soft" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke-width="1"/>')
        parts.append(_text(left - 5, y + 4, f"{value:.0%}", "soft", anchor="end"))
    parts += [
        _text(left + number / last * (right - left), bottom + 16, str(number), "soft")
        for number in (0, last // 2, last)
    ]
    parts.append(_text((left + right) / 2, bottom + 32, across, "soft"))
    ends = sorted(curves, key=lambda name: -float(curves[name][-1]))
    label = top - 12
    for n, name in enumerate(ends):
        values = curves[name].tolist()
        points = " ".join(
            f"{left + s / last * (right - left):.1f},{bottom - value * (bottom - top):.1f}"
            for s, value in enumerate(values)
        )
        style = f'stroke-dasharray="{DASHES[n % len(DASHES)]}"'
        parts.append(f'<polyline class="curve" data-name="{escape(name)}" points="{points}" {style}/>')
        # names keep a distance of one line, and the last ones stay above the bottom
        highest = label + 15
        lowest = bottom - 15 * (len(ends) - 1 - n)
        label = min(max(highest, bottom - values[-1] * (bottom - top)), max(highest, lowest))
        parts.append(
            f'<line class="plain" x1="{right + 4}" y1="{label:.1f}" x2="{right + 24}" y2="{label:.1f}" '
            f'stroke-width="2" {style}/>'
        )
        parts.append(_text(right + 28, label + 4, name, "ink", anchor="start"))
    return _drawing(parts, bottom + 40, title)
