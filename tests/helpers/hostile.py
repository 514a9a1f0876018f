"""Strings that want out of their place, seeded, and what a page is made of, to be compared with a harmless one."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from explanations import make_explanation
from playwright.sync_api import Page

from textlrp.explanation import Explanation, Phrase
from textlrp.records import Tokens

RUN = "top.pwned=1;alert(1)"
AWAY = "//away.example/"

MARKUP = (
    f"<script>{RUN}</script>", f"<ScRiPt\t>{RUN}</sCrIpT >", f"<script src={AWAY}x.js></script>",
    f"<img src=x onerror='{RUN}'>", f"<img/src=x/onerror={RUN}>", f'<svg onload="{RUN}">',
    f"<svg><script>{RUN}</script></svg>", f'<svg><animate onbegin="{RUN}" attributeName=x dur=1s>',
    f'<svg><use href="{AWAY}x.svg#a"></svg>', f'<svg><foreignObject><body onload="{RUN}">',
    f"<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror={RUN}>'>",
    f'<details open ontoggle="{RUN}"><summary>x</summary></details>', f'<input autofocus onfocus="{RUN}">',
    f'<body onload="{RUN}">', f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    f'<iframe src="javascript:{RUN}"></iframe>', f'<object data="{AWAY}o"></object>', f'<embed src="{AWAY}e">',
    f'<link rel=stylesheet href="{AWAY}x.css">', f'<meta http-equiv=refresh content="0;url={AWAY}">',
    f'<base href="{AWAY}">', f'<form action="{AWAY}"><button autofocus>go</button></form>',
    f'<a href="javascript:{RUN}" autofocus>go</a>', f'<video><source onerror="{RUN}"></video>',
    f'<template><script>{RUN}</script></template>', f'<noscript><p title="</noscript><img src=x onerror={RUN}>">',
    f"<marquee onstart={RUN}>x</marquee>", f'<style>@import "{AWAY}x.css";*{{display:none}}</style>',
)  # fmt: skip
BREAKS = (
    "</style>", "</title>", "</textarea>", "</script>", "</svg>", "</div></main>", "</bdi></strong>",
    "</option></select>", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "<?xml version='1.0'?>", "<!doctype html>",
    "<plaintext>", "<textarea>", f'" onmouseover="{RUN}" x="', f"' onfocus='{RUN}' autofocus tabindex='0",
    f"` onload={RUN} `", f'"><script>{RUN}</script>', f"'><img src=x onerror={RUN}>",
    f'" style="background:url({AWAY})', "\"'`<>&=/",
)  # fmt: skip
STYLES = (
    f"}}</style><script>{RUN}</script>", f";background:url({AWAY}a.png)", "}*{display:none}",
    f'@import "{AWAY}x.css";', f"width:expression({RUN})", "--0:100;position:fixed;inset:0",
    f'";content:url({AWAY}b.png);x:"', "\\22 ;}", "/*", "*/",
)  # fmt: skip
ADDRESSES = (
    f"javascript:{RUN}", f"JaVaScRiPt&colon;{RUN}", f"data:text/html,<script>{RUN}</script>", f"https:{AWAY}",
    "file:///etc", f"../../{'x' * 40}.html", "CON", "a\\b:c*?|",
)  # fmt: skip
ENTITIES = (
    "&lt;script&gt;", f"&#60;script&#62;{RUN}&#60;/script&#62;", "&#x3C;img src=x&#x3E;", "&quot;&apos;", "&amp;lt;",
    "&#0;", "&nbsp;", "&NotEqualTilde;", "&", "&#55296;", "+ADw-script+AD4-", "%3Cscript%3E",
)  # fmt: skip
TEMPLATES = (
    "{{ 7 * 7 }}", "{% raw %}", "{% include 'base.html' %}", "{# gone #}", "{{ ''.__class__.__mro__ }}", "}}", "%}",
    "{{ x|safe }}", "${7*7}", "<%= 7*7 %>", "%s %(x)s {0} {x!r}", "[[ 7*7 ]]",
)  # fmt: skip
CHARACTERS = (
    "\u202eevil", "\u202d", "\u2066", "\u2067x", "\u2069\u2069", "\u202c", "\u200f", "\u061c", "\u200b", "\u200d",
    "\ufeff", "\u00ad", "\x00", "\x00<script>", "\x01\x08", "\x0b", "\x0c", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07",
    "\x7f", "\x85", "\x9b31m", "\n", "\r", "\r\n", "\n\n\n", "\t", "\u2028", "\u2029", "\ufffe", "\uffff", "\ufdd0",
    "\U0001fffe", "\ud800", "\udfff\ud83d", "\udc00x", "e" + "\u0301" * 30, "👩\u200d👩\u200d👧", "ﷺ", "İı",
    "x" * 200, " ", "טקסט", "نص",
)  # fmt: skip
BY_TEXT = ".text *, .strip, .strip *"
"""What is on a page by the text: where sentences end, which words are marked."""

PIECES = (*MARKUP, *BREAKS, *STYLES, *ADDRESSES, *ENTITIES, *TEMPLATES, *CHARACTERS)


def hostile_strings(count: int, seed: int = 0) -> list[str]:
    """Distinct strings: every piece alone, then joins of a few, some cut off, some with a control thrown in."""
    draw, found = random.Random(seed), dict.fromkeys(PIECES)
    while len(found) < count:
        text = draw.choice(("", " ", "\n", "'", '"', "x")).join(draw.choices(PIECES, k=draw.randint(2, 4)))
        place = draw.randrange(len(text) + 1)
        how = draw.random()
        if how < 0.2:
            text = text[:place]
        elif how < 0.4:
            text = text[:place] + draw.choice(("\x00", "\u202e", "\ud800", "\x1b", "&", "\\")) + text[place:]
        found[text or "''"] = None
    return list(found)[:count]


def carrying(own: list[str]) -> Explanation:
    """An explanation with these strings (three or more) as text, words, labels, id and all else a user can name.

    Each is a word and a class; the first is the id, the last the label of its own; rule, method, model and version
    are all of them.
    """
    text, ends = " ".join(own), np.cumsum([len(each) + 1 for each in own], dtype=np.int32) - 1
    spans = np.stack([np.concatenate([[0], ends[:-1] + 1]), ends], axis=1).astype(np.int32)
    targets, count = (0, 1, (2, 0)), 3
    # as many words as strings, for the numbers
    plain = make_explanation("word " * len(own), labels=own, targets=targets, seed=len(text))
    return replace(
        plain,
        tokens=Tokens(text, spans, (*own[1:], own[0])),
        document_id=own[0],
        true_label=own[-1],
        ledger={(own[-1], own[-1]): np.ones(count, np.float32)},
        phrases=(Phrase(0, len(text), own[-1], 1, np.ones(count, np.float32)),),
        method=text,
        rule=text,
        model=text,
        version=text,
    )


def harmless(explanation: Explanation, names: Mapping[str, str]) -> Explanation:
    """The same numbers, with a word in place of every string: for labels and words that of ``names``."""
    tokens = explanation.tokens
    return replace(
        explanation,
        tokens=Tokens("a" * len(tokens.text), tokens.spans, tuple(names[form] for form in tokens.forms)),
        labels=tuple(names[label] for label in explanation.labels),
        document_id="id",
        true_label=names[str(explanation.true_label)],
        ledger=dict(zip([("step", "cause")], explanation.ledger.values(), strict=True)),
        phrases=tuple(each._replace(step="step") for each in explanation.phrases),
        method="method",
        rule="rule",
        model="model",
        version="version",
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """What a page is made of: its elements in order, and the distinct ones of those set aside.

    Elements have their attributes and styles, without what these say in words; the distinct ones have ``0`` for all
    numbers.
    """

    elements: list[str]
    marks: set[str]


def shape_of(page: Page, beside: str) -> Shape:
    """``beside`` selects what need not be the same on two pages, e.g. ``BY_TEXT``."""
    elements, marks = page.evaluate(
        """beside => {
            const described = e => [e.localName, ...[...e.attributes].map(a =>
                    ['title', 'aria-label'].includes(a.name) ? a.name : `${a.name}=${a.value}`),
                ...(e.localName === 'style' ? [e.textContent] : [])].join(' ').replace(/textlrp-[0-9a-f]{8}/g, 'uid');
            const all = [...document.querySelectorAll('*')], ofText = e => beside && e.matches(beside);
            return [all.filter(e => !ofText(e)).map(described), all.filter(ofText).map(described)];
        }""",
        beside,
    )
    return Shape(elements, {re.sub(r"\d+(\.\d+)?", "0", each) for each in marks})
