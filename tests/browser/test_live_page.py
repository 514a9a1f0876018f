"""The live page in Chromium: it follows the text, the settings and the words that are switched off.

Most tests answer its requests with random explanations, so they need no model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from explanations import make_explanation, split
from hostile import hostile_strings
from live_service import answer, bundled
from pages import ADDRESS, NARROW, WIDE, Opened, barriers, opened, shown, sideways, texts, unfold
from playwright.sync_api import Browser, Page, Route

from textlrp.explanation import Explanation
from textlrp.records import Document, Status
from textlrp.reports.live.live_page import EXAMPLE_TEXTS, LiveModel, live_page
from textlrp.reports.numbers import decimals, number

LABELS = ("sci.med", "sci.space", "rec.autos")
RULES = ("epsilon", "gamma")
MODELS = (LiveModel("first", LABELS, RULES, "epsilon", False), LiveModel("second", LABELS[:2], RULES, "gamma", False))
TEXT = "The doctor saw the shuttle reach its orbit."
WORD = ".text [role=button]"


def invented(name: str, documents: Sequence[Document], target: Any, rule: str | None) -> list[Explanation]:
    """Random explanations that depend on the text and on its skipped ranges."""
    labels = next(model.labels for model in MODELS if model.name == name)
    asked = labels.index(target[0]) if target else 0
    wanted = (asked, labels.index(target[1])) if isinstance(target, tuple) else asked
    return [replace(invented_one(document, labels, wanted), rule=rule or "") for document in documents]


def invented_one(document: Document, labels: Sequence[str], target: Any) -> Explanation:
    spans = split(document.text).spans
    skipped = [any(s < end and e > start for start, end in document.skip.tolist()) for s, e in spans.tolist()]
    status = np.where(skipped, Status.SKIPPED, Status.READ).astype(np.uint8)
    return make_explanation(
        document.text, labels=labels, targets=(target,), status=status.tolist(), seed=len(document.text)
    )


@dataclass(slots=True)
class Live:
    """The open page, the requests that it sent, and the answers that a test kept back."""

    it: Opened
    sent: list[dict[str, Any]] = field(default_factory=list)
    kept: list[tuple[Route, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    keep: bool = False
    instead: Callable[[Route], None] | None = None
    explain: Any = invented

    @property
    def page(self) -> Page:
        return self.it.page

    def respond(self, route: Route) -> None:
        body = json.loads(route.request.post_data or "")
        self.sent.append(body)
        self.headers.append(route.request.headers)
        if self.keep:
            self.kept.append((route, body))
        elif self.instead:
            self.instead(route)
        else:
            self.fulfill(route, body)

    def fulfill(self, route: Route, body: dict[str, Any]) -> None:
        content = answer(body, self.explain).encode("utf-8", "replace")
        route.fulfill(body=content, content_type="text/html; charset=utf-8")

    def type(self, text: str) -> None:
        self.page.fill("#text", text)
        self.shows(text)

    def shows(self, text: str, panes: int = 1) -> None:
        """Wait until the results show this text."""
        self.page.wait_for_function(
            """([text, panes]) => [...document.querySelectorAll('.text')]
                .filter(box => box.textContent === text).length === panes""",
            arg=[shown(text), panes],
        )

    def quiet(self) -> None:
        """Assert that the page caused nothing but requests to its own service."""
        assert [url for url in self.it.requests if url != f"{ADDRESS}v1/explain"] == []
        assert self.it.errors == []
        assert self.it.dialogs == []
        assert self.page.evaluate("window.pwned ?? null") is None


@contextmanager
def live(browser: Browser, models: Sequence[LiveModel] = MODELS, **options: Any) -> Iterator[Live]:
    with opened(browser, live_page(models).html, **options) as it:
        found = Live(it)
        it.page.route("**/v1/explain", lambda route: found.respond(route))
        yield found


def problem(status: int, title: str, **headers: str) -> Callable[[Route], None]:
    body = json.dumps({"title": title, "detail": "A detail.", "status": status})
    return lambda route: route.fulfill(
        status=status, body=body, content_type="application/problem+json", headers={**headers}
    )


def choose(page: Page, word: str) -> None:
    page.locator(WORD, has_text=re.compile(f"^{word}$")).first.click()


def test_the_result_follows_the_text_and_the_caret_stays(browser: Browser) -> None:
    with live(browser) as one:
        page = one.page
        assert page.is_visible("#examples")
        page.focus("#text")
        page.keyboard.type("The doctor")
        one.shows("The doctor")
        assert not page.is_visible("#examples")
        for _ in range(6):
            page.keyboard.press("ArrowLeft")
        page.keyboard.type("good 👩‍🚀 ")
        one.shows("The good 👩‍🚀 doctor")
        caret = page.evaluate("(({selectionStart: s, selectionEnd: e}) => [s, e])(document.getElementById('text'))")
        assert caret == [len("The good 👩‍🚀 ".encode("utf-16-le")) // 2] * 2
        assert page.evaluate("document.activeElement.id") == "text"
        assert [request["texts"] for request in one.sent][-1] == ["The good 👩‍🚀 doctor"]
        page.fill("#text", "  ")
        page.wait_for_selector("#examples", state="visible")
        page.click(f"#examples button >> text={EXAMPLE_TEXTS[1][:9]}")
        one.shows(EXAMPLE_TEXTS[1])
        assert page.locator("label.row input:checked").count() == 1
        one.quiet()


@pytest.mark.slow
def test_the_newest_answer_is_shown(browser: Browser) -> None:
    with live(browser) as one:
        one.keep = True
        one.page.fill("#text", "An old text")
        one.page.wait_for_function("() => document.querySelector('[aria-busy]')")
        one.page.wait_for_timeout(50)
        one.keep = False
        one.type("A new text")
        assert len(one.kept) == 1
        one.fulfill(*one.kept[0])
        one.page.wait_for_timeout(50)
        assert texts(one.page, ".text") == ["A new text"]
        one.quiet()


@pytest.mark.slow
def test_a_word_is_switched_off_and_on_again(browser: Browser) -> None:
    text = "👩‍🚀 saw the shuttle, the orbit."
    with live(browser) as one:
        page = one.page
        one.type(text)
        before = texts(page, "label.row .num:not(.soft)")
        choose(page, "orbit")
        page.wait_for_selector(".changed")
        start = text.index("orbit")
        assert one.sent[-1]["texts"] == [text, {"text": text, "skip": [[start, start + 5]]}]
        assert texts(page, ".text [aria-pressed=true]") == ["orbit"]
        assert sorted(texts(page, ".changed .row .num.soft")) == sorted(before)
        assert texts(page, ".changed .row .num:not(.soft)") != before
        assert texts(page, ".off s") == ["orbit"]
        # the range moves with the text, and ends when its word is edited
        page.focus("#text")
        page.keyboard.press("Control+Home")
        page.keyboard.type("Yes, 🚀 ")
        one.shows("Yes, 🚀 " + text)
        assert texts(page, ".text [aria-pressed=true]") == ["orbit"]
        choose(page, "shuttle")
        page.wait_for_function("() => document.querySelectorAll('.text [aria-pressed=true]').length === 2")
        page.click(".off button")
        page.wait_for_function("() => !document.querySelector('.text [aria-pressed=true]')")
        assert one.sent[-1]["texts"] == ["Yes, 🚀 " + text]
        assert page.evaluate("document.activeElement.textContent") == "shuttle"
        one.quiet()


@pytest.mark.slow
def test_the_keyboard_reaches_and_switches_words(browser: Browser) -> None:
    with live(browser) as one:
        page = one.page
        one.type(TEXT)
        page.focus("#text")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "The", "the words are one stop of the Tab key"
        for key, word in [("ArrowRight", "doctor"), ("End", "."), ("ArrowLeft", "orbit"), ("Home", "The")]:
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.textContent") == word
        page.keyboard.press("ArrowDown")
        page.evaluate("document.querySelector('.text').dir = 'rtl'")
        for key, word in [
            ("ArrowLeft", "saw"),
            ("ArrowRight", "doctor"),
            ("ArrowUp", "The"),
            ("ArrowDown", "doctor"),
        ]:
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.textContent") == word
        for key, count in [("Enter", 1), (" ", 0)]:
            page.keyboard.press(key)
            page.wait_for_function(
                """count => document.querySelectorAll('.text [aria-pressed=true]').length === count
                    && !document.querySelector('[aria-busy]')""",
                arg=count,
            )
            assert page.evaluate("document.activeElement.textContent") == "doctor"
        one.quiet()


@pytest.mark.slow
def test_the_link_has_the_settings_and_never_the_text(browser: Browser) -> None:
    with live(browser) as one:
        page = one.page
        one.type("A secret text")
        page.select_option("#versus", label="rec.autos")
        page.select_option("#rule", "gamma")
        page.select_option("#second", label="second")
        one.shows("A secret text", panes=2)
        page.wait_for_function("() => !document.querySelector('[aria-busy]')")
        link = page.evaluate("location.hash")
        assert link == "#model=first&second=second&target=sci.med&versus=rec.autos&rule=gamma"
        assert page.evaluate("document.getElementById('link').hash") == link
        first, second = one.sent[-2:]
        assert first["target"] == {"target": "sci.med", "versus": "rec.autos"}
        assert second["target"] == ["sci.med"], "the second model has no class rec.autos"
        assert [first["rule"], second["rule"]] == ["gamma", "gamma"]
        page.evaluate("location.hash = '#model=second&target=sci.space&versus=unknown&rule=<b>'")
        page.wait_for_function("() => document.querySelectorAll('.pane').length === 1")
        one.shows("A secret text")
        page.wait_for_function("() => !document.querySelector('[aria-busy]')")
        assert one.sent[-1] == {"model": "second", "texts": ["A secret text"], "target": ["sci.space"]}
        assert page.evaluate("location.hash") == "#model=second&target=sci.space"
        one.quiet()


@pytest.mark.slow
def test_a_class_is_chosen_and_a_word_switched_off_in_both_panes(browser: Browser) -> None:
    with live(browser) as one:
        page = one.page
        one.type(TEXT)
        page.select_option("#second", label="second")
        one.shows(TEXT, panes=2)
        page.wait_for_function("() => !document.querySelector('[aria-busy]')")
        page.locator(".pane").nth(1).locator("label.row", has_text="sci.space").click()
        page.wait_for_function(
            "() => [...document.querySelectorAll('h2')].filter(e => e.textContent === 'Why sci.space?').length === 2"
        )
        assert page.evaluate("document.activeElement.value") == "1"
        page.wait_for_function(
            "() => /^first: Predicted class: .* second: Predicted class: /.test("
            "document.querySelector('#status').textContent)"
        )
        assert [request["target"] for request in one.sent[-2:]] == [["sci.space"]] * 2
        assert page.input_value("#target") == "1"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.wait_for_function("() => !document.querySelector('[aria-busy]')")
        choose(page, "shuttle")
        page.wait_for_function("() => document.querySelectorAll('.changed').length === 2")
        assert texts(page, ".text [aria-pressed=true]") == ["shuttle"] * 2
        page.select_option("#model", label="second")
        one.shows(TEXT)
        assert page.input_value("#target") == "1", "the class is kept if the new model has it"
        one.quiet()


@pytest.mark.slow
def test_labels_with_thresholds_are_shown(browser: Browser) -> None:
    def explain(name: str, documents: Sequence[Document], target: Any, rule: str | None) -> list[Explanation]:
        found = invented(name, documents, target, rule)
        return [replace(each, thresholds=np.zeros(len(each.labels), np.float32)) for each in found]

    with live(browser, [replace(model, multilabel=True) for model in MODELS]) as one:
        one.explain = explain
        one.type(TEXT)
        assert one.page.locator(".classes.sets label.row .bar i").count() == 3
        assert one.page.locator("#target option").first.inner_text() == "the highest label"
        choose(one.page, "shuttle")
        one.page.wait_for_selector(".changed")
        assert one.page.locator(".changed label.row .was").count() == 3
        one.quiet()


@pytest.mark.slow
def test_errors_are_reported_and_the_text_is_kept(browser: Browser) -> None:
    with live(browser) as one:
        page, message = one.page, one.page.locator("#message")
        one.type(TEXT)
        one.instead = problem(503, "Busy", **{"Retry-After": "1"})
        page.fill("#text", TEXT + " More")
        page.wait_for_function("() => document.getElementById('message').textContent")
        assert message.inner_text() == "The service is busy. Your text is kept; the page tries again in 1 second."
        one.instead = None
        one.shows(TEXT + " More")
        page.wait_for_function("() => !document.getElementById('message').textContent")
        one.instead = problem(413, "Text too long")
        page.fill("#text", TEXT + " Again")
        page.wait_for_function("() => document.getElementById('message').textContent")
        assert message.inner_text() == "A detail."
        one.instead = lambda route: route.abort()
        page.fill("#text", TEXT)
        page.wait_for_function("() => document.getElementById('message').textContent.includes('does not answer')")
        assert page.input_value("#text") == TEXT


@pytest.mark.slow
def test_the_token_stays_in_memory(browser: Browser) -> None:
    with live(browser) as one:
        page = one.page
        one.instead = problem(401, "Unauthorized")
        page.fill("#text", TEXT)
        page.wait_for_selector("#token", state="visible")
        one.instead = None
        page.fill("#secret", "schlüssel №1")
        page.keyboard.press("Enter")
        assert "ASCII" in page.inner_text("#message")
        assert page.is_visible("#token")
        page.fill("#secret", "s3cret")
        page.keyboard.press("Enter")
        one.shows(TEXT)
        assert one.headers[-1]["authorization"] == "Bearer s3cret"
        assert "authorization" not in one.headers[0]
        assert "s3cret" not in page.content() + page.evaluate("location.href + JSON.stringify({...localStorage})")
        assert page.evaluate("document.cookie + sessionStorage.length + localStorage.length") == "00"


DROP = """([name, bytes]) => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(bytes)], name));
    dispatchEvent(new DragEvent("drop", {dataTransfer: files, cancelable: true}));
}"""


@pytest.mark.slow
def test_a_text_file_is_opened_and_others_are_refused(browser: Browser) -> None:
    with live(browser) as one:
        page, message = one.page, one.page.locator("#message")
        page.evaluate(DROP, ["a.txt", list(b"caf\xc3\xa9\r\norbit")])
        one.shows("café\norbit")
        page.evaluate(DROP, ["old.txt", list(b"caf\xe9 orbit")])
        one.shows("café orbit")
        page.evaluate(DROP, ["wide.txt", list("caf\xe9".encode("utf-16"))])
        one.shows("café")
        page.evaluate(DROP, ["a.png", list(b"\x89PNG\r\n\x1a\n\x00\x00")])
        page.wait_for_function(
            "() => document.getElementById('message').textContent.startsWith('a.png must be a text file')"
        )
        page.evaluate(DROP.replace("new Uint8Array(bytes)", "new Uint8Array(bytes[0])"), ["big.txt", [1_100_000]])
        page.wait_for_function("() => document.getElementById('message').textContent.startsWith('big.txt')")
        expected = "big.txt must be a text of at most 1.0 MB; got 1.1 MB. Open a shorter file."
        assert message.inner_text() == expected
        assert page.input_value("#text") == "café"
        page.set_input_files("#file", {"name": "b.txt", "mimeType": "text/plain", "buffer": b"doctor"})
        one.shows("doctor")
        one.quiet()


@pytest.mark.slow
def test_no_request_while_a_character_is_composed(browser: Browser) -> None:
    with live(browser) as one:
        one.type("A")
        count = len(one.sent)
        compose = "name => document.getElementById('text').dispatchEvent(new CompositionEvent(name))"
        one.page.evaluate(compose, "compositionstart")
        one.page.fill("#text", "Anihon")
        one.page.wait_for_timeout(80)
        assert len(one.sent) == count
        one.page.fill("#text", "A日本")
        one.page.evaluate(compose, "compositionend")
        one.shows("A日本")
        assert len(one.sent) == count + 1


@cache
def real() -> tuple[list[LiveModel], Any]:
    return bundled()


@pytest.mark.slow
def test_scores_without_a_word_are_those_of_the_library(browser: Browser) -> None:
    import textlrp

    models, explain = real()
    model, (start, end) = textlrp.load("20newsgroups-cnn"), (TEXT.index("orbit"), TEXT.index("orbit") + 5)
    without = Document("x", TEXT, skip=np.array([[start, end]], np.int32))
    whole, expected = textlrp.explain(model, [TEXT, without])
    alone = textlrp.explain(model, without)
    np.testing.assert_allclose(expected.scores, alone.scores, atol=1e-6 * float(np.abs(alone.relevance).sum()))
    with live(browser, models) as one:
        one.explain = explain
        one.type(TEXT)
        choose(one.page, "orbit")
        one.page.wait_for_selector(".changed")
        rows = one.page.evaluate(
            """[...document.querySelectorAll('.changed .row')].map(row => [+row.firstElementChild.value,
                +row.dataset.value, ...[...row.querySelectorAll('.num')].map(e => e.textContent)])"""
        )
        digits = [decimals(float(np.abs(each.scores).max())) for each in (expected, whole)]
        assert len(rows) == 20
        for position, value, now, before in rows:
            assert value == float(expected.scores[position])
            assert now == number(float(expected.scores[position]), digits[0])
            assert before == number(float(whole.scores[position]), digits[1])
        one.quiet()


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_hostile_strings_are_shown_and_never_run(browser: Browser, count: int) -> None:
    strings = hostile_strings(500)[:count]
    joined = [" ".join(strings[n : n + 50]) for n in range(0, count, 50)]
    models = [LiveModel(f"model {strings[0]}", tuple(strings), (strings[-1],), strings[1], True)]

    def explain(name: str, documents: Sequence[Document], target: Any, rule: str | None) -> list[Explanation]:
        return [invented_one(document, strings, len(strings) - 1) for document in documents]

    for policy in (True, False) if count == 200 else (False,):
        with live(browser, models, policy=policy, width=NARROW) as one:
            one.explain = explain
            for text in joined:
                one.page.fill("#text", text)
                read = one.page.input_value("#text")  # without characters that a text field drops
                one.shows(read.replace("\ud800", "\ufffd"))
                one.page.evaluate("word => document.querySelector(word).click()", WORD)
                one.page.wait_for_selector(".changed")
                one.page.click(".off button")
            one.page.wait_for_timeout(100)
            assert {shown(each) for each in strings} <= set(texts(one.page, "bdi"))
            assert len(texts(one.page, "#target option")) == count + 1
            assert sideways(one.page) == 0
            one.quiet()


@pytest.mark.slow
@pytest.mark.parametrize("state", ["blank", "result", "changed", "two", "error"])
def test_axe_finds_no_barrier_on_the_live_page(browser: Browser, state: str) -> None:
    with live(browser, policy=False) as one:
        page = one.page
        if state != "blank":
            one.type(TEXT)
        if state == "changed":
            choose(page, "shuttle")
            page.wait_for_selector(".changed")
        if state == "two":
            page.select_option("#second", label="second")
            one.shows(TEXT, panes=2)
        if state == "error":
            one.instead = problem(401, "Unauthorized")
            page.fill("#text", TEXT + " More")
            page.wait_for_selector("#token", state="visible")
        unfold(page)
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": 900})
            assert barriers(page) == [], width
            assert sideways(page) == 0
        page.emulate_media(color_scheme="dark")
        assert barriers(page, colors_alone=True) == [], "dark"
        page.emulate_media(color_scheme="light", media="print")
        assert barriers(page, colors_alone=True) == [], "print"
