"""The HTML answer of the service and the live page, without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from explanations import by_character, make_explanation, with_phrases
from hostile import carrying, hostile_strings
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from textlrp.errors import OptionError
from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.live.live_fragment import live_fragment
from textlrp.reports.live.live_page import EXAMPLE_TEXTS, LiveModel, live_page
from textlrp.reports.rendering import showable


class Reader(HTMLParser):
    """The text boxes, the words with offsets, and the elements of a page or fragment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.boxes: list[str] = []
        self.words: list[tuple[int, int, str]] = []
        self.depth, self.word = 0, ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "div" and found.get("class") == "text":
            self.depth = 1
            self.boxes.append("")
        elif self.depth and tag == "div":
            self.depth += 1
        if self.depth and found.get("data-s") is not None:
            self.words.append((int(found["data-s"] or ""), int(found["data-e"] or ""), ""))

    def handle_endtag(self, tag: str) -> None:
        if self.depth and tag == "div":
            self.depth -= 1

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.boxes[-1] += data
            if self.words and self.words[-1][2] == "":
                self.words[-1] = (*self.words[-1][:2], data)

    def with_class(self, name: str) -> list[dict[str, str | None]]:
        return [found for _, found in self.tags if name in (found.get("class") or "").split()]


TEXT = "Dr. Ä 🚀 saw the orbit.\n\nThe orbit!"


@settings(max_examples=30)
@given(st.text(max_size=60), st.integers(0, 5))
def test_the_text_is_whole_and_every_word_has_its_offsets(text: str, seed: int) -> None:
    explanation = make_explanation(text, targets=(1,), seed=seed)
    assume(len(explanation.tokens) != len(text))  # then tokens are characters, and words are longer
    found = Reader(live_fragment([explanation]))
    # a parser of HTML reads each line end as a line feed
    assert [box.replace("\r\n", "\n").replace("\r", "\n") for box in found.boxes] == [
        showable(text).replace("\r\n", "\n").replace("\r", "\n")
    ]
    read = explanation.tokens.spans[explanation.seen].tolist()
    assert [[start, end] for start, end, _ in found.words] == read
    assert [word for *_, word in found.words] == [showable(text[start:end]) for start, end in read]


def test_each_explanation_is_an_article_with_the_same_text_in_order() -> None:
    texts = ["First text", "Second text", ""]
    found = Reader(live_fragment([make_explanation(text) for text in texts]))
    assert found.boxes == texts
    assert len(found.with_class("explained")) == 3
    names = {
        tag["name"] for tag in found.with_class("row") + [f for t, f in found.tags if t == "input"] if "name" in tag
    }
    assert len(names) == 3, "each answer has its own group of radio buttons"
    assert live_fragment([]) == ""


@pytest.mark.parametrize(("target", "checked"), [(2, "2"), ((1, 2), "1")])
def test_all_classes_have_their_score_and_the_explained_one_is_checked(target: object, checked: str) -> None:
    explanation = make_explanation(TEXT, targets=(target,))  # type: ignore[arg-type]
    found = Reader(live_fragment([explanation]))
    radios = [attributes for tag, attributes in found.tags if tag == "input"]
    values = [float(row["data-value"] or "") for row in found.with_class("row")]
    assert sorted(int(radio["value"] or "") for radio in radios) == [0, 1, 2]
    assert [explanation.scores[int(radio["value"] or "")] for radio in radios] == values
    assert [radio["value"] for radio in radios if "checked" in radio] == [checked]


def test_several_targets_have_the_radio_buttons_of_the_document_page() -> None:
    found = Reader(live_fragment([with_phrases(make_explanation(TEXT, targets=(0, 1, 2, (0, 1))))]))
    classes = {attributes.get("class") for tag, attributes in found.tags if tag == "input"}
    assert classes == {"k0", "k1", "k2", "k3"}
    assert found.boxes == [TEXT]


def test_skipped_words_keep_their_offsets_and_other_ignored_tokens_have_none() -> None:
    kinds = [Status.READ, Status.SKIPPED, Status.SKIPPED, Status.UNKNOWN, Status.TRUNCATED]
    found = live_fragment([make_explanation("one two three four five", status=kinds)])
    assert [word for *_, word in Reader(found).words] == ["one", "two", "three", "four", "five"]
    assert "switched off or skipped" in found


def test_a_model_that_reads_characters_gives_the_offsets_of_words() -> None:
    found = Reader(live_fragment([by_character("an orbit")]))
    assert {(start, end) for start, end, _ in found.words} == {(0, 2), (2, 3), (3, 8)}
    assert len(found.words) == 8


def test_hostile_strings_are_escaped() -> None:
    plain = {tag for tag, _ in Reader(live_fragment([make_explanation(TEXT)])).tags} | {"bdi", "small"}
    explanations = [carrying(hostile_strings(500)[n : n + 20]) for n in range(0, 500, 20)]
    for explanation in explanations:
        found = Reader(live_fragment([replace(explanation, targets=(0,), relevance=explanation.relevance[:1])]))
        assert {tag for tag, _ in found.tags} <= plain | {"article"}
        assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
        assert {key for _, attributes in found.tags for key in attributes} & {
            "src",
            "href",
            "action",
            "srcdoc",
        } == set()


def models(*labels: str) -> list[LiveModel]:
    return [LiveModel("20newsgroups-cnn", labels or ("a", "b"), ("epsilon",), "epsilon", False)]


def test_the_policy_allows_the_script_of_the_page_and_its_own_service_alone() -> None:
    page = live_page(models())
    scripts = re.findall(r"<script>(.*?)</script>", page.html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    policy = dict(part.strip().split(" ", 1) for part in page.content_security_policy.split(";"))
    assert policy == {
        "default-src": "'none'", "style-src": "'unsafe-inline'", "script-src": f"'sha256-{digest}'",
        "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert not re.search(r"(src|href)=\"(?!#)", page.html)


def test_the_script_gets_the_models_unchanged() -> None:
    labels = tuple(hostile_strings(300))
    found = Reader(live_page(models(*labels)).html)
    data = next(attributes["data-models"] for _, attributes in found.tags if attributes.get("id") == "live")
    assert [tuple(model["labels"]) for model in json.loads(data or "")] == [labels]
    assert [tag for tag, _ in found.tags].count("script") == 1


def test_the_page_has_examples_and_needs_a_model() -> None:
    page = live_page(models()).html
    assert all(example in page for example in EXAMPLE_TEXTS)
    assert "Compare with model" in page
    with pytest.raises(OptionError, match="models must be at least one LiveModel"):
        live_page([])


def test_the_numbers_of_a_fragment_are_those_of_the_explanation() -> None:
    explanation: Explanation = make_explanation(TEXT, targets=(1,), dtype=np.float64)
    fragment = live_fragment([explanation])
    largest = max(explanation.words(), key=lambda word: abs(word.relevance))
    assert f"{abs(largest.relevance):.2f}" in fragment
    assert f"{abs(explanation.target_scores[0]):.2f}" in fragment
    assert "absorbed by bias" in fragment
