"""The fragment for mails and comments: what it may contain, and what a sanitizer leaves of it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nh3
import numpy as np
import pytest
from cases import every
from colors import contrast, rgb
from explanations import by_character, make_explanation, with_phrases
from hypothesis import given, settings
from hypothesis import strategies as st
from test_document import HOSTILE, named

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import Tokens
from textlrp.reports.document import mail_fragment
from textlrp.reports.palette import palette, palette_names

# the elements that GitHub's sanitizer keeps
GITHUB_TAGS = set(
    re.findall(
        r"\w+",
        """
        h1 h2 h3 h4 h5 h6 br b i strong em a pre code img tt div ins del sup sub p ol ul table
        thead tbody tfoot blockquote dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike
        summary details caption figure figcaption abbr bdo cite dfn mark small span time wbr
        """,
    )
)
GITHUB_ATTRIBUTES = {"*": {"align", "dir", "height", "title", "width", "valign", "colspan"}}
VOID = {"br", "hr"}


class Fragment(HTMLParser):
    """The words of a fragment in order, each with its open tags and styles, and the lines of the marked text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.styles: list[str] = []
        self.pieces: list[tuple[str, list[tuple[str, str]]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.styles += [value or "" for name, value in attrs if name == "style"]
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("style") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.pieces.append((data, list(self.open)))

    def said(self) -> str:
        return " ".join("".join(text for text, _ in self.pieces).split())


def text_of(html: str) -> str:
    """Return the marked text of a fragment, with its lines joined and its spaces as plain spaces."""
    (inside,) = re.findall(r"<hr[^>]*>\n<div[^>]*>\n?(.*?)\n?</div>\n<hr", html, flags=re.DOTALL)
    lines = re.findall(r'<div dir="auto">(.*?)</div>', inside, flags=re.DOTALL)
    texts = ["".join(text for text, _ in Fragment(line).pieces) for line in lines]
    return "\n".join(texts).replace("\xa0", " ").replace("\u2003", "\t")


def sanitized(html: str) -> str:
    return nh3.clean(html, tags=GITHUB_TAGS, attributes=GITHUB_ATTRIBUTES)


SAMPLES = [
    make_explanation(),
    make_explanation(targets=(1, 0, (2, 0)), true_label="sci.space"),
    make_explanation("From: a\nTo: b\n\n  two  spaces\there \n\n\nend", status=[1] * 6 + [0, 0, 3, 0]),
    make_explanation("12 34"),
    make_explanation(""),
    with_phrases(make_explanation(targets=(0, 1))),
    named(HOSTILE),
]


@every("explanation", SAMPLES)
@every("colors", palette_names())
def test_a_fragment_holds_inline_styles_and_nothing_that_a_mail_drops(explanation: Explanation, colors: str) -> None:
    fragment = mail_fragment(explanation, palette=colors)
    parsed = Fragment(fragment)
    assert {tag for tag, _ in parsed.tags} <= GITHUB_TAGS
    assert {name for _, names in parsed.tags for name in names} <= {"style", "dir", "title"}
    assert not re.search(r"[()]|var|url|@|!", "".join(parsed.styles))
    assert not re.search(r"\n\s*\n", fragment), "Markdown ends HTML at an empty line"
    assert all(re.fullmatch(r"[a-z-]+:[^:;]+(;[a-z-]+:[^:;]+)*", style) for style in parsed.styles)


@every("explanation", SAMPLES)
@every("colors", palette_names())
def test_all_text_of_a_fragment_can_be_read_on_its_ground(explanation: Explanation, colors: str) -> None:
    for text, around in Fragment(mail_fragment(explanation, palette=colors)).pieces:
        if text.strip():
            style = ";".join(style for _, style in around)
            ink = re.findall(r"(?:^|;)color:(#[0-9a-f]{6})", style)[-1]
            ground = re.findall(r"background-color:(#[0-9a-f]{6})", style)[-1]
            assert contrast(rgb(ink), rgb(ground)) >= 4.5, (text, style)


def test_every_strength_can_be_read_and_states_its_own_ink() -> None:
    values = np.arange(-100, 101, dtype=np.float32)[None]
    explanation = replace(make_explanation(" ".join(["word"] * 201)), relevance=values, ledger={})
    marks = re.findall(r'<(?:b|i|span) style="background-color:(#\w{6});color:(#\w{6})"', mail_fragment(explanation))
    assert len(marks) == 198 + 4  # all but -1, 0 and 1; the legend
    assert all(contrast(rgb(ink), rgb(ground)) >= 4.5 for ground, ink in marks)
    assert palette("red-blue").light.supports in {ground for ground, _ in marks}


def test_hostile_strings_leave_the_structure_of_a_fragment_alone() -> None:
    tame, wild = mail_fragment(named("x")), mail_fragment(named(HOSTILE))
    assert Fragment(wild).tags == Fragment(tame).tags
    assert HOSTILE in Fragment(wild).said()
    one_word = replace(
        make_explanation("word"), tokens=Tokens(HOSTILE, np.int32([[0, len(HOSTILE)]]), (HOSTILE,)), ledger={}
    )
    other_sign = replace(one_word, relevance=-one_word.relevance)
    for explanation in (make_explanation(HOSTILE), by_character(HOSTILE), one_word, other_sign):
        assert text_of(mail_fragment(explanation)) == HOSTILE


@settings(max_examples=50, deadline=None)
@given(
    st.text(
        alphabet=st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")) | st.sampled_from(" \t\n"), max_size=50
    )
)
def test_line_for_line_a_fragment_holds_the_text(text: str) -> None:
    shown = text_of(mail_fragment(make_explanation(text)))
    assert shown == "\n".join(text.splitlines()).replace("\xa0", " ").replace("\u2003", "\t")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=50))
def test_any_text_can_be_shown_and_encoded(text: str) -> None:
    fragment = mail_fragment(make_explanation(text, document_id=text, labels=(text, "b", "c")))
    fragment.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff]", fragment)
    assert not re.search(r"\n\s*\n", fragment)


def test_no_space_folds_where_white_space_is_not_kept() -> None:
    (line,) = re.findall(
        r'<div dir="auto">(.*)</div>', mail_fragment(make_explanation("  a  b \tc ", status=[1, 1, 1]))
    )
    text = "".join(text for text, _ in Fragment(line).pieces)
    assert text == "\xa0\xa0a \xa0b \u2003c\xa0"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab <&>中א👩⚕é.\n"), min_size=1, max_size=60), st.integers(0, 99))
def test_behind_a_sanitizer_all_the_text_and_the_sign_of_strong_words_are_left(text: str, seed: int) -> None:
    explanation = make_explanation(text, seed=seed)
    whole, left = Fragment(mail_fragment(explanation)), Fragment(sanitized(mail_fragment(explanation)))
    assert left.said() == whole.said()
    assert not any(style for _, around in left.pieces for _, style in around)
    signs = {("b", "ins"): 1, ("i", "s"): -1}
    found = [
        (text, signs[tags])
        for text, around in left.pieces
        if (tags := tuple(tag for tag, _ in around[-2:])) in signs and "p" not in [tag for tag, _ in around]
    ]
    values = explanation.relevance[0]
    strong = np.flatnonzero(np.rint(100 * np.abs(values) / (np.abs(values).max(initial=0) or 1)) >= 30)
    spans = explanation.tokens.spans
    assert found == [(text[spans[t, 0] : spans[t, 1]], np.sign(values[t])) for t in strong]


def test_a_fragment_explains_itself() -> None:
    explanation = make_explanation(
        "alpha beta beta",
        targets=(1,),
        true_label="sci.space",
        scores=np.float32([3, 2, 1]),
        probabilities=np.float32([0.7, 0.2, 0.1]),
    )
    said = Fragment(mail_fragment(explanation)).said()
    for part in (
        "Why sci.space?",
        "predicted the class sci.med for the text below (score 3.00 before softmax, probability 70.0%).",
        "True label: sci.space (✗ incorrect).",
        "Explained here: the score of sci.space, 2.00.",
        "it strongly supports, supports, opposes or strongly opposes the class.",
        "Words that support sci.space",
        "relevance of words",
        "document: doc-1",
        "method: layer-wise relevance propagation (LRP)",
        "rule: Epsilon(epsilon=1e-06)",
        "model: cnn-0123abcd",
        "textlrp: 0.1.0",
    ):
        assert part in said
    for word in explanation.words():
        assert re.search(rf"[+−]\d+\.\d+ {word.word}", said)
    assert "ignored by the model" not in said
    assert "Also explained" not in said


def test_other_targets_follow_the_highest_score_first() -> None:
    explanation = make_explanation("a b c", targets=(0, 1, 2, (2, 0)), scores=np.float32([1, 3, 2]))
    said = Fragment(mail_fragment(explanation)).said()
    assert "Why sci.space?" in said
    assert re.search(r"Also explained.*rec\.autos ?2\.00.*sci\.med ?1\.00.*rec\.autos and not sci\.med ?1\.00", said)


def test_a_contrast_says_that_it_is_one() -> None:
    said = Fragment(mail_fragment(make_explanation(targets=((1, 0),), scores=np.float32([1, 3, 2])))).said()
    assert "Why sci.space and not sci.med?" in said
    assert "Explained here: the score difference sci.space − sci.med, 2.00." in said
    assert re.search(r"strongly opposes ?sci\.space compared with sci\.med", said)
    assert "Score difference sci.space − sci.med: 2.00 = " in said


def test_a_text_without_a_word_that_the_model_reads_has_a_note() -> None:
    said = Fragment(mail_fragment(make_explanation("12 34"))).said()
    assert "The model ignores all words of this text" in said
    assert "Words that support" not in said


def test_a_file_of_it_is_the_same_in_every_encoding(tmp_path: Path) -> None:
    explanation = make_explanation("Ärzte 医生 👩\u200d⚕\ufe0f")
    fragment = explanation.to_html(tmp_path / "why.html", fragment=True)
    assert fragment == mail_fragment(explanation) == explanation.to_html(fragment=True)
    written = (tmp_path / "why.html").read_bytes()
    assert written.isascii()
    assert Fragment(written.decode("cp1252")).said() == Fragment(fragment).said()
    with pytest.raises(DataError):
        explanation.to_html(tmp_path / "none" / "why.html", fragment=True)
