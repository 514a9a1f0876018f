"""One explanation in four forms, page, notebook, fragment and terminal, for texts of every script.

Laws: each form holds the text, and a word that two forms mark has the same sign in both.
"""

import io
import re
import unicodedata
from html.parser import HTMLParser

import numpy as np
import pytest
from cases import every
from explanations import make_explanation
from rich.console import Console
from rich.text import Text

import textlrp
from textlrp.cli.terminal import print_explanation
from textlrp.cli.terminal_text import mark_styles, print_text
from textlrp.explanation import Explanation
from textlrp.reports.document import document_page, mail_fragment, notebook_fragment

TEXTS = {
    "English": "My doctor says the vaccine is safe.\n\nThe shuttle launch was late, the doctor was not.",
    "German": "Die Ärztin sagt, der Impfstoff sei verträglich.\n  Der Raketenstart fällt aus – schade!",
    "Arabic": "قالت الطبيبة إن اللقاح آمن.\nتأخر إطلاق الصاروخ، لكن الدواء وصل (50 mg).",
    "Hebrew": "הרופאה אמרה שהחיסון בטוח.\nThe rocket was late – הטיל איחר.",
    "Persian": "پزشک می\u200cگوید واکسن بی\u200cخطر است.",
    "Hindi": "डॉक्टर कहती हैं कि टीका सुरक्षित है।",
    "emoji": "Dr. 👩\u200d⚕\ufe0f says 👍\U0001f3fd, rocket 🚀 late 🇩🇪 ☹\ufe0f",
    "combining": "Cafe\u0301 mit A\u0308rztin, z\u0351\u036b\u0343a\u0363l\u0368g\u0321o\u0360 naive\u0308",
}
CHINESE = "医生说这个疫苗是安全的。\n火箭发射推迟了，医生没有推迟。"


class Marks(HTMLParser):
    """Collect the characters of the text block of a page or fragment, each with the sign of its mark."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []
        self.directions: list[str | None] = []
        self._open: list[tuple[str, int]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("br", "hr", "input", "meta", "link"):
            self._open.append((tag, sign_of(given.get("style") or "")))
        if tag == "div" and (given.get("class") == "text" or given == {"dir": "auto"}):
            self.directions.append(given.get("dir"))
            self.depth = len(self._open)
            if self.found:
                self.found.append(("\n", 0))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self.directions and len(self._open) >= self.depth and not any(t == "p" for t, _ in self._open):
            sign = next((sign for _, sign in reversed(self._open) if sign), 0)
            self.found += [(character, sign) for character in data]


def sign_of(style: str) -> int:
    """Return +1 (supports) or -1 (opposes), from the share on a page, from red and blue in a fragment."""
    if share := re.fullmatch(r"--0:(-?\d+)", style):
        return -1 if int(share[1]) < 0 else 1
    if ground := re.search(r"background-color:#(\w\w)\w\w(\w\w)", style):
        return int(np.sign(int(ground[1], 16) - int(ground[2], 16)))
    return 0


def in_html(html: str) -> list[tuple[str, int]]:
    """Take the text block only. A fragment's lists of words come after it and have their own direction."""
    start = html.find('<div class="text"')
    if start >= 0:
        return Marks(html[start : html.index("</div>", start) + 6]).found
    (inside,) = re.findall(r"<hr[^>]*>\n<div[^>]*>(.*)</div>\n<hr", html, flags=re.DOTALL)
    return Marks(inside).found


def in_terminal(explanation: Explanation, width: int) -> list[tuple[str, int]]:
    """Return the terminal output in full color; a character's sign is its red or blue background."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system="truecolor", no_color=False)
    print_text(explanation, 0, console, mark_styles(console))
    shown = Text.from_ansi(file.getvalue())
    signs = [0] * len(shown)
    for start, end, style in shown.spans:
        ground = style.bgcolor.get_truecolor() if not isinstance(style, str) and style.bgcolor else None
        if ground:
            signs[start:end] = [int(np.sign(ground.red - ground.blue))] * (end - start)
    return list(zip(shown.plain, signs, strict=True))


def forms(explanation: Explanation) -> dict[str, list[tuple[str, int]]]:
    return {
        "page": in_html(document_page(explanation)),
        "notebook": in_html(notebook_fragment(explanation)),
        "fragment": in_html(mail_fragment(explanation)),
        "terminal": in_terminal(explanation, 60),
        "narrow terminal": in_terminal(explanation, 20),
    }


def visible(found: list[tuple[str, int]]) -> str:
    return "".join("".join(character for character, _ in found).split())


def signs_of_letters(found: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Leave out accents and joiners, which some of the forms mark together with their letter."""
    return [(c, sign) for c, sign in found if unicodedata.category(c)[0] in "LNS" and not "🏻" <= c <= "🏿"]


def by_characters(text: str) -> list[tuple[int, int]]:
    """Split Chinese text into characters and all other text into runs of letters."""
    return [found.span() for found in re.finditer(r"[\u4e00-\u9fff]|[^\W\d_\u4e00-\u9fff]+", text)]


def keeps_the_laws(explanation: Explanation) -> None:
    found = forms(explanation)
    expected = signs_of_letters(found["page"])
    assert {1, -1} <= {sign for _, sign in expected}
    for name, form in found.items():
        assert visible(form) == "".join(explanation.text.split()), name
        assert signs_of_letters(form) == expected, name
    for name in ("page", "notebook"):
        assert "".join(character for character, _ in found[name]) == explanation.text


@every("text", TEXTS.values())
@every("seed", range(3))
def test_every_form_holds_the_text_and_marks_it_alike(text: str, seed: int) -> None:
    keeps_the_laws(make_explanation(text, seed=seed))


@every("text", TEXTS.values())
def test_signs_around_words_keep_the_text_and_agree(text: str) -> None:
    explanation = make_explanation(text, seed=1)
    file = io.StringIO()
    console = Console(file=file, width=400)
    print_text(explanation, 0, console, mark_styles(console))
    found = [
        (character, {"+": 1, "-": -1}.get((piece[1] or " ")[0], 0))
        for piece in re.finditer(r"\[(\++|-+|\?)([^][]+)\]|([^][]+)", file.getvalue())
        for character in piece[2] or piece[3]
    ]
    assert visible(found) == "".join(text.split())
    assert signs_of_letters(found) == signs_of_letters(in_html(document_page(explanation)))


@pytest.mark.parametrize("text", [TEXTS["Arabic"], TEXTS["Hebrew"], CHINESE])
def test_direction_follows_the_text_and_not_the_page(text: str) -> None:
    explanation = make_explanation(text)
    assert '<div class="text" dir="auto">' in document_page(explanation)
    assert '<div class="text" dir="auto">' in notebook_fragment(explanation)
    assert mail_fragment(explanation).count('<div dir="auto">') == len(text.splitlines())


@pytest.fixture(scope="module")
def polyglot() -> textlrp.BagOfWordsClassifier:
    """A classifier of two classes, trained on four languages."""
    health = [
        "the doctor gives a vaccine",
        "die Ärztin gibt den Impfstoff",
        "قالت الطبيبة إن اللقاح آمن",
        "医生说疫苗安全",
    ]
    space = ["the shuttle launch is late", "der Raketenstart fällt aus", "تأخر إطلاق الصاروخ", "火箭发射推迟了"]
    model = textlrp.BagOfWordsClassifier(tokenizer=by_characters, skip=())
    return model.fit(health + space, ["health"] * 4 + ["space"] * 4)


@pytest.mark.parametrize(
    "text",
    [
        "The doctor gives a vaccine, the launch waits.",
        "Die Ärztin wartet, der Raketenstart fällt aus.",
        "تأخر إطلاق الصاروخ\nقالت الطبيبة",
        CHINESE,
    ],
    ids=["English", "German", "Arabic", "Chinese"],
)
def test_a_trained_model_is_shown_alike_in_every_form(polyglot: textlrp.BagOfWordsClassifier, text: str) -> None:
    explanation = textlrp.explain(polyglot, text)
    keeps_the_laws(explanation)
    file = io.StringIO()
    print_explanation(explanation, Console(file=file, width=80))
    assert re.search(r"Why (health|space)\?", file.getvalue())
