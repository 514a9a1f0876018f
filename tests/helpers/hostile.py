"""Strings that try to inject markup, styles or scripts, and the shape of a page to compare with a harmless one."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from explanations import make_explanation
from playwright.sync_api import Page

from textlrp.explanation import Explanation
from textlrp.records import Phrase, Tokens

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
"""Selects the elements of a page that depend on the text: sentence ends and marked words."""

PIECES = (*MARKUP, *BREAKS, *STYLES, *ADDRESSES, *ENTITIES, *TEMPLATES, *CHARACTERS)


def hostile_strings(count: int, seed: int = 0) -> list[str]:
    """Return distinct strings: every piece alone, then random joins, some truncated or with a control character."""
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


def carrying(strings: list[str]) -> Explanation:
    """Return an explanation with these strings (three or more) wherever a user can choose a string.

    Each string is a word and a class. The first is the id, the last the true label. Rule, method, model and version
    are all strings joined.
    """
    text, ends = " ".join(strings), np.cumsum([len(each) + 1 for each in strings], dtype=np.int32) - 1
    spans = np.stack([np.concatenate([[0], ends[:-1] + 1]), ends], axis=1).astype(np.int32)
    targets, count = (0, 1, (2, 0)), 3
    # the numbers come from an explanation with the same number of words
    plain = make_explanation("word " * len(strings), labels=strings, targets=targets, seed=len(text))
    return replace(
        plain,
        tokens=Tokens(text, spans, (*strings[1:], strings[0])),
        document_id=strings[0],
        true_label=strings[-1],
        ledger={(strings[-1], strings[-1]): np.ones(count, np.float32)},
        phrases=(Phrase(0, len(text), strings[-1], 1, np.ones(count, np.float32)),),
        method=text,
        rule=text,
        model=text,
        version=text,
    )


def harmless(explanation: Explanation, names: Mapping[str, str]) -> Explanation:
    """Replace every string by a harmless word and keep the numbers; ``names`` are the words for labels and tokens."""
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
    """The structure of a page: its elements in order, and the distinct elements among the excluded ones.

    Each element is described by its attributes and styles, without titles and labels. In the descriptions of excluded
    elements all numbers are ``0``.
    """

    elements: list[str]
    marks: set[str]


def shape_of(page: Page, excluded: str) -> Shape:
    """Return the shape of a page. ``excluded`` selects elements that may differ between pages, e.g. ``BY_TEXT``."""
    elements, marks = page.evaluate(
        """excluded => {
            const described = e => [e.localName, ...[...e.attributes].map(a =>
                    ['title', 'aria-label'].includes(a.name) ? a.name : `${a.name}=${a.value}`),
                ...(e.localName === 'style' ? [e.textContent] : [])].join(' ').replace(/textlrp-[0-9a-f]{8}/g, 'uid');
            const all = [...document.querySelectorAll('*')], ofText = e => excluded && e.matches(excluded);
            return [all.filter(e => !ofText(e)).map(described), all.filter(ofText).map(described)];
        }""",
        excluded,
    )
    return Shape(elements, {re.sub(r"\d+(\.\d+)?", "0", each) for each in marks})
