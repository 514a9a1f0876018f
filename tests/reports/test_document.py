import base64
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from explanations import make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.explanation import Explanation
from textlrp.records import Status, Tokens
from textlrp.reports.corpus.report_files import list_page, write_report
from textlrp.reports.document import document_page, notebook_fragment
from textlrp.reports.view_titles import document_title, snippet

HOSTILE = (
    "</style></title><script>alert(1)</script><img src=//x.example onerror=alert(1)>\"'><b onclick='x'>{{ 7*7 }}"
)
VOID = {"meta", "input", "br", "img", "link"}


class Page(HTMLParser):
    """A parsed page: tags with attribute names in order, attributes, and the text of each ``.text`` block.

    The glossary is not part of its words, so that a test of the words is a test of the page itself.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self._inside = self._glossary = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if dict(attrs).get("class") == "glossary":
            self._glossary = len(self.open)
        if dict(attrs).get("class") == "text":
            self.texts.append("")
            self._inside = len(self.open)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another tag"
        if len(self.open) < self._inside:
            self._inside = 0
        if len(self.open) < self._glossary:
            self._glossary = 0

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data
        elif not self._glossary and (not self.open or self.open[-1] != "style"):
            self.words += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    def said(self) -> str:
        return " ".join(self.words.split())


def every_page(explanation: Explanation, title: str = "A title") -> Iterator[str]:
    yield document_page(explanation, title=title)
    yield list_page([explanation, explanation], title=title)
    yield notebook_fragment(explanation)


def named(text: str) -> Explanation:
    """An explanation with ``text`` wherever a string of the user can be."""
    labels = (f"{text}A", f"{text}B", f"{text}C")
    explanation = make_explanation(
        "doctor orbit", labels=labels, targets=(0, (1, 2)), document_id=text, true_label=text
    )
    return replace(
        explanation,
        tokens=replace(explanation.tokens, forms=(text, f"{text}2")),
        ledger={(text, text): np.ones(2, np.float32)},
        method=text,
        rule=text,
        model=text,
        version=text,
    )


def test_hostile_strings_leave_the_structure_of_a_page_alone() -> None:
    for tame, wild in zip(every_page(named("x"), "x"), every_page(named(HOSTILE), HOSTILE), strict=True):
        assert Page(wild).tags == Page(tame).tags
        assert HOSTILE in Page(wild).said()


def test_hostile_text_is_shown_as_text() -> None:
    for text in (HOSTILE, "a\n\n  b\tc ", "<!-- x", "&lt; &amp; &#0;", "\n\nfirst lines empty"):
        for page in every_page(make_explanation(text, targets=(0, 1))):
            parsed = Page(page)
            assert parsed.texts
            assert set(parsed.texts) == {text}
            assert not {"img", "link", "iframe", "svg", "object"} & {tag for tag, _ in parsed.tags}


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=50))
def test_any_text_can_be_shown_and_encoded(text: str) -> None:
    for page in every_page(make_explanation(text, document_id=text, labels=(text, "b", "c"))):
        page.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff]", page)
        shown = Page(page).texts[0]
        assert len(shown) == len(text)
        assert all(a == b for a, b in zip(shown, text, strict=True) if b.isalnum())


def test_control_characters_become_visible() -> None:
    (shown,) = Page(document_page(make_explanation("A\x00B\x1bC\x7fD\x85E\ud800F"))).texts
    assert shown == "A␀B␛C␡D\ufffdE\ufffdF"


def test_nothing_is_requested_and_nothing_runs() -> None:
    for page in every_page(make_explanation(targets=(0, 1))):
        parsed = Page(page)
        names = {name for _, name, _ in parsed.attributes}
        assert all(value.startswith("#") for _, name, value in parsed.attributes if name == "href")
        assert not names & {"src", "action", "background", "srcset", "data", "formaction", "poster"}
        assert not any(name.startswith("on") for name in names)
        for script in re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"script-src 'sha256-{digest}'" in page
        assert parsed.count("script") == ('id="documents"' in page)  # a list has one script, to filter and sort
        assert "url(" not in page
        assert "@import" not in page
    policy = next(value for _, name, value in parsed_policy() if name == "content" and "default-src" in value)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def parsed_policy() -> list[tuple[str, str, str]]:
    return Page(document_page(make_explanation())).attributes


def test_the_page_names_class_score_probability_and_label() -> None:
    explanation = make_explanation(true_label="sci.space", scores=np.array([3.25, 1.5, -1.0], np.float32))
    explanation = replace(explanation, probabilities=np.array([0.84, 0.15, 0.01], np.float32))
    said = Page(document_page(explanation)).said()
    assert "Predicted class: sci.med (score 3.25, probability 84.0%)." in said
    assert "True label: sci.space (✗ incorrect)." in said
    assert "Why sci.med?" in said
    assert "score before softmax, probability" in said
    for label in explanation.labels:
        assert label in said
    for fact in (
        "Epsilon(epsilon=1e-06)",
        "cnn-0123abcd",
        "layer-wise relevance propagation (LRP)",
        "0.1.0",
        "doc-1",
    ):
        assert fact in said


def test_a_model_without_probabilities_is_not_given_any() -> None:
    said = Page(document_page(make_explanation(probabilities=None))).said()
    assert "score before softmax" in said
    assert "probability" not in said


def test_words_and_absorbed_sum_to_the_score_on_the_page() -> None:
    explanation = make_explanation(
        "good bad",
        scores=np.array([4.0, 0.0, 0.0], np.float32),
        relevance=np.array([[3.5, -0.5]], np.float32),
        ledger={
            ("conv", "bias"): np.array([0.75], np.float32),
            ("out", "bias"): np.array([0.5], np.float32),
            ("conv", "stabilizer"): np.array([-0.25], np.float32),
            ("conv", "ignored"): np.array([0.0], np.float32),
        },
    )
    said = Page(document_page(explanation)).said()
    assert "relevance of words+3.00" in said
    assert "absorbed by bias+1.25" in said
    assert "absorbed by stabilizer−0.25" in said
    assert "= score4.00" in said
    assert "ignored words" not in said
    assert "not accounted for" not in said
    broken = replace(explanation, ledger={})
    assert "not accounted for by this method+1.00" in Page(document_page(broken)).said()


def test_top_words_are_on_the_side_of_their_sign() -> None:
    explanation = make_explanation("good bad good", relevance=np.array([[1.0, -0.5, 0.5]], np.float32))
    said = Page(document_page(explanation)).said()
    assert re.search(r"Supports the class ?good ?×2 ?\+1\.50 ?Opposes the class ?bad ?−0\.50", said)


def test_top_words_of_a_contrast_name_both_classes() -> None:
    explanation = make_explanation("good bad", targets=((0, 1),))
    said = Page(document_page(replace(explanation, **words_of(explanation, good=1.0, bad=-0.5)))).said()
    assert re.search(r"Supports sci\.med ?good ?\+1\.00 ?Supports sci\.space ?bad ?−0\.50", said)


def test_the_legend_of_a_contrast_names_both_classes() -> None:
    text = "A good rocket. A bad doctor."
    contrast, single = (
        Page(document_page(make_explanation(text, targets=(target,)))).said() for target in ((0, 1), 0)
    )
    assert re.search(r"supports sci\.space ?supports sci\.med", contrast)
    assert "bars up support sci.med, bars down support sci.space" in contrast
    assert re.search(r"opposes the class ?supports the class", single)
    assert "bars up support the class, bars down oppose the class" in single


def test_a_document_without_a_name_is_a_numbered_document() -> None:
    parsed = Page(document_page(make_explanation(document_id="17")))
    assert "Document 17 Predicted class: " in parsed.said()


def test_words_that_would_be_shown_as_zero_are_not_listed() -> None:
    explanation = make_explanation("good tiny", relevance=np.array([[4.0, -0.001]], np.float32))
    said = Page(document_page(explanation)).said()
    assert re.search(r"Supports the class ?good ?\+4\.00 ?Opposes the class ?none", said)


def test_one_target_has_numbers_and_no_switch() -> None:
    parsed = Page(document_page(make_explanation("good bad", relevance=np.array([[2.0, -0.5]], np.float32))))
    marks = [(name, value) for tag, name, value in parsed.attributes if tag == "b" and name in ("style", "data-v")]
    assert marks == [("style", "--0:100"), ("data-v", "+2.00"), ("style", "--0:-25"), ("data-v", "−0.50")]
    assert parsed.count("input") == parsed.count("fieldset") == 0


def test_several_targets_have_one_text_and_a_switch_in_a_fieldset() -> None:
    explanation = make_explanation("good bad", targets=(0, 1, (0, 1)), scores=np.array([0, 2, 1], np.float32))
    explanation = replace(explanation, relevance=np.array([[2, 0], [-1, 0.5], [3, -0.5]], np.float32))
    page = document_page(explanation)
    parsed = Page(page)
    assert parsed.texts == ["good bad"]
    assert [value for tag, name, value in parsed.attributes if tag == "b" and name == "style"] == [
        "--0:67;--1:-33;--2:100",
        "--1:17;--2:-17",
    ]
    assert parsed.count("fieldset") == parsed.count("legend") == 1
    assert parsed.count("input") == 3
    (checked,) = re.findall(r"<input [^>]*checked>", page)
    assert 'class="k1"' in checked
    assert "Why sci.med and not sci.space?" in parsed.said()
    for k in range(3):
        assert f".doc:has(.k{k}:checked) .m{{--a:var(--{k},0)}}" in page
        assert f".doc:has(.v{k}:checked) .m{{--b:var(--{k},0)}}" in page
    assert re.findall(r'<option class="(v\d)">', page) == ["v0", "v1"]


def test_sentences_are_bars_that_lead_into_the_text() -> None:
    explanation = make_explanation("One good day. A bad one!\n\nThe end", targets=(0,))
    explanation = replace(explanation, **words_of(explanation, good=2.0, bad=-1.0))
    parsed = Page(document_page(explanation))
    links = [value for tag, name, value in parsed.attributes if tag == "a" and name == "href"]
    assert links == ["#class-s1", "#class-s2", "#class-s3"]
    assert {link[1:] for link in links} == {v for tag, n, v in parsed.attributes if tag == "span" and n == "id"}
    styles = [value for tag, name, value in parsed.attributes if tag == "a" and name == "style"]
    assert styles == ["flex:13;--0:100", "flex:10;--0:-50", "flex:7;"]
    assert parsed.texts == [explanation.text]
    assert 'class="strip"' not in document_page(make_explanation("One sentence alone"))


def words_of(explanation: Explanation, **values: float) -> dict[str, np.ndarray]:
    """Return one row of relevance with these values for these words, and 0 for all others."""
    row = [[values.get(form, 0.0) for form in explanation.tokens.forms]]
    return {"relevance": np.array(row, np.float32)}


def test_a_word_says_how_often_it_was_seen_in_training() -> None:
    explanation = make_explanation("good bad odd", counts=np.array([312, 0, -1], np.int32))
    explanation = replace(explanation, **words_of(explanation, good=1.0, bad=-0.5, odd=0.1))
    page = document_page(explanation)
    assert re.findall(r'<b [^>]*data-n="(\d+)"', page) == ["312", "0"]
    assert re.findall(r'tabindex="0">(\w+)</b>', page) == ["good", "bad"]  # strongly relevant words can be focused


def test_the_foot_names_the_day_the_page_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert "written1970-01-02" in Page(document_page(make_explanation())).said()


def test_ignored_text_is_gray_and_has_a_reason() -> None:
    page = document_page(make_explanation("Head 42 word zzz last", status=[1, 2, 0, 3, 4]))
    assert '<i title="ignored by the model: skipped, such as a header">Head</i>' in page
    assert "<i>42</i>" in page
    assert '<i class="unknown" title="ignored by the model: unknown word">zzz</i>' in page
    assert 'maximum length">last</i>' in page
    legend = Page(page).said()
    assert "gray: ignored by the model (skipped, such as a header; not a word; unknown word; truncated" in legend
    assert "gray: ignored" not in Page(document_page(make_explanation("all words"))).said()


def test_a_text_without_a_word_that_the_model_reads_has_a_note() -> None:
    for text in ("", "42 17 !!"):
        for page in every_page(make_explanation(text, targets=(0, 1))):
            assert "The model ignores all words of this text" in Page(page).said()
    assert "ignores all words" not in Page(document_page(make_explanation())).said()


def test_a_post_of_300_words_and_20_classes_stays_light() -> None:
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abcdefghij"), size=6)) for _ in range(300)]
    labels = tuple(f"group.of.some.length.{n}" for n in range(20))
    explanation = make_explanation(" ".join(words), labels=labels, targets=range(20), seed=1)
    # every word is relevant to every class: larger than any real document
    page = document_page(explanation)
    assert len(page.encode()) <= 120_000


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_a_text_of_five_megabytes_is_a_matter_of_seconds(count: int) -> None:
    words = [f"w{n % 100_000:06d}" for n in range(660_000)]
    base = make_explanation("x", targets=tuple(range(count)))
    spans = np.arange(len(words), dtype=np.int32)[:, None] * 8 + np.array([0, 7], np.int32)
    values = np.random.default_rng(0).laplace(size=(count, len(words))).astype(np.float32) ** 3
    explanation = replace(
        base,
        tokens=Tokens(" ".join(words), spans, tuple(words)),
        relevance=values,
        status=np.zeros(len(words), np.uint8),
        counts=np.zeros(len(words), np.int32),
    )
    begin = time.process_time()
    page = document_page(explanation)
    assert time.process_time() - begin < 15
    assert len(page) > 5_000_000


def test_a_list_shows_accuracy_and_correct_and_incorrect_documents() -> None:
    scores = np.array([3, 1, 0], np.float32)
    several = [
        make_explanation(document_id=f"d{n}", scores=scores, true_label=label)
        for n, label in enumerate(("sci.med", "sci.space", None, "sci.med"))
    ]
    page = list_page(iter(several), title="My posts")
    parsed = Page(page)
    said = parsed.said()
    assert "My posts" in said
    assert "4 documents. Accuracy: 66.7% (2 of 3 labeled documents). Open" in said
    assert (said.count("✓ correct"), said.count("✗ incorrect")) == (2, 1)
    assert "true label sci.space" in said
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {f"d{n}" for n in range(1, 5)} <= set(ids)
    assert parsed.texts == [explanation.text for explanation in several]


def test_a_list_without_labels_names_no_accuracy_and_may_be_empty() -> None:
    said = Page(list_page([make_explanation()])).said()
    assert "1 document." in said
    assert "Accuracy" not in said
    assert "0 documents." in Page(list_page([])).said()


def test_each_document_of_a_list_switches_by_itself() -> None:
    page = list_page(
        [make_explanation(targets=(0, 1)), make_explanation(targets=(0, 1, 2), seed=1), make_explanation()]
    )
    assert re.findall(r'name="(d\d)"', page) == ["d1", "d1", "d2", "d2", "d2"]
    assert page.count(" checked>") == 2
    assert ".k2:checked" in page


def test_a_list_is_read_one_explanation_at_a_time() -> None:
    alive = 0

    class Counted(str):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def stream() -> Iterator[Explanation]:
        nonlocal alive
        for n in range(20):
            alive += 1
            yield make_explanation(model=Counted(n))
            assert alive <= 2

    assert "20 documents" in list_page(stream())


def test_the_snippet_begins_where_reading_begins() -> None:
    explanation = make_explanation("From me\n\nHello   dear\nfriend", status=[1, 1, 0, 0, 0])
    assert '<span class="snippet"><bdi>Hello dear friend</bdi>' in list_page([explanation])
    assert explanation.status[0] == Status.SKIPPED


@pytest.mark.parametrize("word", ["word", "字"])
def test_a_long_snippet_ends_after_a_whole_word(word: str) -> None:
    shown = snippet(make_explanation(" ".join([word] * 40), status=[0] * 40), 60)
    assert shown.endswith(" …")
    assert set(shown.removesuffix(" …").split()) == {word}
    assert 50 < len(shown) <= 62
    unseparated = snippet(make_explanation("字" * 100, status=[0]), 60)
    assert unseparated == "字" * 60 + " …"


@pytest.mark.parametrize(
    ("name", "title"),
    [("sci.med/1", "sci.med/1"), ("17", "Document 17"), ("text", "“Hello friend”"), ("", "“Hello friend”")],
)
def test_the_title_is_the_id_or_the_first_words(name: str, title: str) -> None:
    explanation = make_explanation("Hello friend", document_id=name, status=[0, 0])
    assert document_title(explanation) == title


def test_a_fragment_styles_only_itself_and_switches_by_itself() -> None:
    explanation = make_explanation(targets=(0, 1))
    one, other = notebook_fragment(explanation), notebook_fragment(explanation)
    assert set(re.findall(r'name="([^"]+)"', one)).isdisjoint(re.findall(r'name="([^"]+)"', other))
    (style,) = re.findall(r"<style>(.*?)</style>", one, flags=re.DOTALL)
    plain = re.sub(r"/\*.*?\*/|@(media|container|supports)[^{]*\{", "", style, flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+)\{", re.sub(r":is\([^)]*\)", "", plain)):
        for selector in selectors.split(","):
            assert ".textlrp" in selector, selector
    assert not {"html", "head", "body", "meta"} & {tag for tag, _ in Page(one).tags}


def test_reports_are_written_whole_and_one_or_many(tmp_path: Path) -> None:
    one, many = tmp_path / "one.html", tmp_path / "many.html"
    assert write_report(make_explanation(), one, title="Mine") == one
    assert 'class="docs"' not in one.read_text(encoding="utf-8")
    assert "Mine" in one.read_text(encoding="utf-8")
    write_report((make_explanation(seed=n) for n in range(3)), many)
    assert many.read_text(encoding="utf-8").count('class="reading"') == 3
    explanation = make_explanation("é 👩‍⚕️ \r\n x")
    assert explanation.to_html(one).encode() == one.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one.html", "many.html"}


def test_a_report_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    def breaks() -> Iterator[Explanation]:
        yield make_explanation()
        raise RuntimeError("the model broke")

    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(RuntimeError):
        write_report(breaks(), path)
    assert path.read_text() == "before"
    with pytest.raises(DataError, match="does not exist"):
        write_report(make_explanation(), tmp_path / "no" / "report.html")
    with pytest.raises(DataError, match="got str"):
        write_report(["a text"], path)  # type: ignore[list-item]
    with pytest.raises(OptionError, match="got 'pink'"):
        write_report(make_explanation(), path, palette="pink")


def test_the_same_explanation_is_the_same_page() -> None:
    explanation = make_explanation(targets=(0, 1))
    assert document_page(explanation) == document_page(explanation)
    assert list_page([explanation]) == list_page([explanation])


def test_colors_come_from_the_palette() -> None:
    red, orange = document_page(make_explanation()), document_page(make_explanation(), palette="orange-purple")
    assert red != orange
    assert "orange, underlined" in list_page([make_explanation()], palette="orange-purple")


@pytest.mark.parametrize("scores", [[0.0, 0.0, 0.0], [-1.0, -2.0, -0.5], [1e-30, 0.0, 0.0], [5.0, -5.0, 0.0]])
def test_bars_stay_inside_the_chart(scores: list[float]) -> None:
    page = document_page(make_explanation(scores=np.array(scores, np.float32)))
    bars = re.findall(r"background-size:([\d.]+)% 100%;background-position:([\d.]+)% 0", page)
    assert len(bars) == 3
    assert all(0 <= float(number) <= 100 for bar in bars for number in bar)
