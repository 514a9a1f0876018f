"""Word deletion on the evaluation's page: its section, and the sentences that sum it up."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from textlrp.reports.charts.figures import deletion_figure
from textlrp.reports.evaluation.tables import (
    Block,
    Cell,
    Drawing,
    Results,
    Section,
    Sentence,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    head,
    interval_cell,
    real,
    said,
    share_text,
    too_few,
    verdicts_note,
)

TOLD = 10
"""Deleted words that the summing sentence speaks of."""

_MODES = {
    "zero": "A deleted word becomes the zero vector and keeps its place.",
    "remove": "A deleted word is taken out, and its neighbors close up.",
    "insert": "The text starts out empty, and words come back one at a time.",
}
_PROTOCOLS = {
    "right": (
        "rightly classified",
        "most relevant",
        "The words that speak most for the true class go first: the faster the model then errs, the better they "
        "were named.",
    ),
    "wrong-true": (
        "wrongly classified",
        "most adverse to the true class",
        "The words that speak most against the true class go first: the faster the model then finds it, the "
        "better they were named.",
    ),
    "wrong-predicted": (
        "wrongly classified",
        "most relevant to the wrong answer",
        "The words that speak most for the wrong answer go first: the faster the model then finds the true "
        "class, the better they were named.",
    ),
}
_BACK = (
    "The most relevant words come back first: the faster the model then finds its answer, the better they were named."
)


def deletion_section(deletion: Results) -> Section:
    """Curves and areas, a block a protocol."""
    steps = f", up to {count(deletion['steps'])} words" if deletion.get("steps") else ""
    size = (
        f" Documents of at least {count(deletion['min_words'])} words take part." if deletion.get("min_words") else ""
    )
    protocols = deletion["protocols"]
    modes = [None, *(protocol.get("mode") for protocol in protocols)]
    return Section(
        "deletion",
        "Does deleting the relevant words change the answer?",
        "Words are taken from each document one after the other, the most relevant first, and the model is asked "
        f"again each time{steps}. If an explanation names the words that count, the answer changes after few of "
        f"them.{size} The area under the curve sums it up; random is the mean of ten random orders, and reversed is "
        "the worst order that the method itself can name.",
        "a small area where the curve should fall, a large one where it should rise",
        "Arras et al., “What is relevant in a text document?”, PLoS ONE 12(8), 2017; Samek et al., IEEE TNNLS 2017",
        tuple(
            _block(protocol, f"deletion{n}", new_mode=modes[n] != modes[n + 1])
            for n, protocol in enumerate(protocols)
        ),
    )


def _block(protocol: Results, uid: str, *, new_mode: bool) -> Block:
    curves, differences = protocol.get("curves") or (), protocol.get("differences") or ()
    mode = _MODES.get(protocol.get("mode") or "", "") if new_mode else ""
    about = [said("*{}*. {} {}", documents(protocol.get("documents")), _lead(protocol), mode)]
    if not curves:
        return Block(protocol["title"], (*about, said("Nothing was measured here.")))
    about.append(compared(protocol))
    against = differences[0]["against"] if differences else curves[0]["method"]
    by_method = {each["method"]: each for each in differences}
    compares = [f"difference to {against}", "95 % interval", "text:"] if differences else []
    table = Table(
        f"Area under the curve ({protocol['better']} is better)",
        head("method", "area", "95 % interval", *compares),
        tuple(
            (
                Cell(curve["method"]),
                figure_cell(curve.get("area"), 3),
                interval_cell(curve.get("interval")),
                *(difference_cells(by_method.get(curve["method"])) if differences else ()),
            )
            for curve in curves
        ),
        (verdicts_note(against),) if differences else (),
    )
    drawing = Drawing(Markup(deletion_figure(protocol, uid=uid)))
    return Block(protocol["title"], tuple(about), (drawing,), table)


def _lead(protocol: Results) -> str:
    if protocol.get("mode") == "insert":
        return _BACK
    return _PROTOCOLS[protocol["name"]][2] if protocol["name"] in _PROTOCOLS else ""


def compared(protocol: Results) -> Sentence:
    """Which methods are better than the first one, which are worse, and which are not told apart."""
    by_verdict: dict[str, list[str]] = {name: [] for name in ("better", "worse", "not significant", "few")}
    differences: Sequence[Results] = protocol.get("differences") or ()
    few = ""
    for each in differences:
        if each["method"] != "random" and not each["method"].endswith(", reversed"):
            if each.get("verdict") == "too few documents":
                few = too_few(each)
            by_verdict.get(str(each.get("verdict")), by_verdict["few"]).append(each["method"])
    parts = {"better": "better: *{}*", "worse": "worse: {}", "not significant": "not told apart: {}"}
    if few:
        parts["few"] = few + " to compare: {}"
    found = [name for name in parts if by_verdict[name]]
    if not found:
        return ()
    pattern = "Beside *{}*, " + "; ".join(parts[name] for name in found) + "."
    names = [", ".join(by_verdict[name]) for name in found]
    return said(pattern, differences[0]["against"], *names)


def told(protocol: Results) -> Sentence:
    """One sentence of what deleting (or putting back) ten words did, beside ten random ones."""
    curves = {curve["method"]: curve for curve in protocol.get("curves") or () if len(curve["accuracy"])}
    if not curves or protocol["name"] not in _PROTOCOLS:
        return ()
    kind, which, _ = _PROTOCOLS[protocol["name"]]
    method = next(iter(curves))
    curve = curves[method]["accuracy"]
    at = min(TOLD, len(curve) - 1)
    start, end = real(curve[0]), real(curve[at])
    if start is None or end is None:
        return ()
    doing = "putting back" if protocol.get("mode") == "insert" else "deleting"
    several = "" if protocol.get("documents") == 1 else "s"
    pattern = (
        f"On {{}} {kind} document{several}, {doing} the {{}} word{'' if at == 1 else 's'} that *{{}}* names {which} "
    )
    values = [count(protocol.get("documents")), at, method]
    if start == end:
        pattern, values = pattern + "leaves accuracy at *{}*", [*values, share_text(end)]
    else:
        change = "lowers" if end < start else "raises"
        pattern, values = (
            pattern + change + " accuracy from {} to *{}*",
            [*values, share_text(start), share_text(end)],
        )
    chance = real(curves["random"]["accuracy"][at]) if "random" in curves else None
    if chance is not None:
        pattern, values = pattern + "; {} random words: to *{}*", [*values, at, share_text(chance)]
    return said(pattern + ".", *values)
