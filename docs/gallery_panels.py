"""The panels of docs/gallery.md: one text under every rule, composite and method that ``textlrp rules`` lists.

The names are those of textlrp's own tables, so a new rule or method gets a panel without a change here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import textlrp
from textlrp import Explanation
from textlrp.explainers.method_table import METHODS
from textlrp.lrp.presets import PRESETS, as_composite
from textlrp.reports.comparison.agreement import aligned, correlation_text, overlap_text
from textlrp.reports.document import notebook_fragment
from textlrp.reports.naming import name_of
from textlrp.reports.rendering import spans
from textlrp.reports.view import view

MEAN_POOLING = ("cam",)
"""Methods that explain only a CNN with mean pooling."""

STYLE = """
.textlrp.gallery{padding:1.25rem;border-radius:.4rem}
.textlrp.gallery :is(.panels,.agree){display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,19rem),1fr));
 gap:0 2rem}
.textlrp .panel{display:grid;grid-row:span 5;grid-template-rows:subgrid;row-gap:.5rem;min-width:0;margin-bottom:2rem;
 scroll-margin-top:4rem}
.textlrp .panel h3{margin:0;font-size:1rem;line-height:1.3;color:var(--ink)}
.textlrp .panel p{margin:0;font-size:.8rem;line-height:1.45;color:var(--soft)}
.textlrp .panel p+p{margin-top:.4rem}
.textlrp .panel .text{font-size:.85rem;line-height:1.7;white-space:normal}
.textlrp .panel code{padding:0;border:0;background:none;color:inherit;font-size:.75rem;overflow-wrap:anywhere}
.textlrp .panel .best{display:flex;flex-wrap:wrap;align-content:start;gap:.1rem .9rem;font-weight:600;
 color:var(--ink)}
.textlrp .panel .best span{white-space:nowrap}
.textlrp .panel .best small{opacity:1;font-size:.75rem;font-weight:400;color:var(--soft)}
.textlrp.gallery .agree{gap:1.5rem 2rem;align-items:start}
.textlrp.gallery .agree table{width:100%;margin:0;border:0;border-collapse:collapse;font-size:.8rem;line-height:1.3}
.textlrp.gallery .agree caption{margin:0;caption-side:top;text-align:left;font-weight:600;color:var(--ink)}
.textlrp.gallery .agree :is(th,td){width:4.6rem;padding:.2rem 0 .2rem .5rem;border:0;
 border-bottom:1px solid var(--rule);background:none;color:var(--ink);font-weight:400;text-align:right;
 vertical-align:baseline}
.textlrp.gallery .agree thead th{color:var(--soft);font-size:.75rem}
.textlrp.gallery .agree :is(th,td):first-child{width:auto;padding-left:0;text-align:left}
.textlrp.gallery .agree td.num{
 background:linear-gradient(90deg,transparent calc(100% - var(--w,0%)*.9),var(--panel) 0)}
.textlrp .agree a{color:inherit;text-decoration:underline;text-decoration-color:var(--bar)}
"""
"""Styles of the page, in addition to those of an explanation in a notebook."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One explanation, and the names that select it with the option ``rule`` or ``method``."""

    option: str
    names: tuple[str, ...]
    why: Explanation

    def anchor(self, section: str = "cnn") -> str:
        """Return the id of the panel on the page."""
        return "".join(letter if letter.isalnum() else "-" for letter in f"{section}-{self.names[0]}")


def same_composite() -> list[tuple[str, ...]]:
    """Return the names of all composites; the names of equal composites are together."""
    groups: dict[str, list[str]] = {}
    for name in PRESETS:
        groups.setdefault(repr(as_composite(name)), []).append(name)
    return [tuple(group) for group in groups.values()]


def one_rule() -> list[tuple[str, ...]]:
    """Return the names of rules that are the same in all layers."""
    return [names for names in same_composite() if not as_composite(names[0]).layers]


def by_layer() -> list[tuple[str, ...]]:
    """Return the names of composites with different rules for different layers."""
    return [names for names in same_composite() if {*as_composite(names[0]).layers} - {"product"}]


def for_products() -> list[tuple[str, ...]]:
    """Return the names of composites with a rule for products, which attention has."""
    return [names for names in same_composite() if {*as_composite(names[0]).layers} == {"product"}]


def rule_panels(model: Any, text: str, groups: Iterable[tuple[str, ...]], target: str) -> list[Panel]:
    """Explain a text by the rule or composite of each group of names."""
    return [Panel("rule", names, textlrp.explain(model, text, target=target, rule=names[0])) for names in groups]


def method_panels(model: Any, text: str, names: Iterable[str], target: str) -> list[Panel]:
    """Explain a text by each of these methods."""
    return [Panel("method", (name,), textlrp.explain(model, text, target=target, method=name)) for name in names]


def methods() -> list[str]:
    """Return the names of the methods that explain a CNN with max pooling."""
    return [name for name in METHODS if name not in MEAN_POOLING]


@dataclass(frozen=True, slots=True)
class Shown:
    """HTML that a notebook shows."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def styles(why: Explanation) -> Shown:
    """Return the style sheet of the page: that of an explanation in a notebook, and the layout of panels."""
    sheet = notebook_fragment(why).partition("<style>")[2].partition("</style>")[0]
    return Shown(f"<style>{sheet}{STYLE}</style>")


def side_by_side(panels: Sequence[Panel], section: str = "cnn") -> Shown:
    """Return the panels of a section as HTML, two in a row if the screen is wide enough."""
    inside = "".join(_panel(panel, section) for panel in panels)
    return Shown(f'<div class="textlrp gallery"><div class="panels">{inside}</div></div>')


def _panel(panel: Panel, section: str) -> str:
    doc, name = view(panel.why), name_of(panel.why)
    text = spans(doc.runs).replace(' tabindex="0"', "")  # hundreds of stops for the tab key help nobody
    top = "".join(
        f"<span><bdi>{escape(row.words)}</bdi> <small>{escape(row.value)}</small></span>"
        for row in doc.targets[0].supporting[:3]
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in doc.targets[0].notes)
    others = ", ".join(f"<code>{escape(each)}</code>" for each in panel.names[1:])
    return (
        f'<section class="panel" id="{panel.anchor(section)}"><h3>{escape(name.title)}</h3>'
        f'<p><code>{panel.option}="{escape(panel.names[0])}"</code>{f", also {others}" if others else ""}</p>'
        f"<div><p>{escape(name.sentence)}</p>{notes}</div>"
        f'<div style="--max:&#34;{doc.largest}&#34;"><div class="text" dir="auto">{text}</div></div>'
        f'<p class="best">{top}</p></section>'
    )


def agreement(reference: Explanation, **groups: Sequence[Panel]) -> Shown:
    """Return a table for each group of panels: their agreement with a reference, the highest correlation first."""
    tables = "".join(_table(caption, panels, reference) for caption, panels in groups.items())
    return Shown(f'<div class="textlrp gallery"><div class="agree">{tables}</div></div>')


def _table(caption: str, panels: Sequence[Panel], reference: Explanation) -> str:
    compared = [(aligned(panel.why, reference), panel) for panel in panels]
    compared.sort(key=lambda each: -(each[0].rank_correlation or 0.0))
    rows = "".join(
        f'<tr><td><a href="#{panel.anchor()}">{escape(panel.names[0])}</a></td>'
        f'<td class="num" style="--w:{max(0.0, words.rank_correlation or 0.0):.0%}">'
        f"{correlation_text(words.rank_correlation)}</td><td>{overlap_text(words.top_overlap)}</td></tr>"
        for words, panel in compared
    )
    head = (
        f"<th scope=col>{caption[:-1]}</th><th scope=col>rank correlation</th><th scope=col>top words in common</th>"
    )
    return (
        f"<table><caption>{caption.capitalize()}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
