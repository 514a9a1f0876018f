"""The gallery page: one document explained by several rules and methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explanations import make_explanation
from test_document import HOSTILE, Page

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.reports.comparison.gallery_page import FULL_PANEL_TEXT, PANEL_PASSAGE, galleries_page, gallery_page

RULES = ("Zero()", "Epsilon(epsilon=0.01)", "Gamma(gamma=0.25)")


def under_rules(text: str = "The doctor saw the orbit.", **fields: object) -> list[Explanation]:
    why = make_explanation(text, **fields)
    random = np.random.default_rng(1)
    return [why] + [
        replace(
            why, rule=rule, relevance=(why.relevance * random.normal(size=why.relevance.shape)).astype(np.float32)
        )
        for rule in RULES[1:]
    ]


def test_every_panel_has_the_name_the_text_and_the_ledger_line() -> None:
    whys = under_rules()
    whys[0] = replace(whys[0], rule="Zero()")
    page = Page(gallery_page(whys, title="A title"))
    assert page.texts == [whys[0].text] * 3
    said = page.said()
    for name in ("LRP-0", "LRP-ε (ε = 0.01)", "LRP-γ (γ = 0.25)", "A title"):
        assert name in said
    assert said.count("relevance of words") == 3
    assert "relative to its own largest relevance" in said
    assert all(rule in said for rule in RULES)


def test_each_panel_is_scaled_to_its_own_largest() -> None:
    why = make_explanation("doctor orbit")
    small, large = (replace(why, relevance=np.array([[1.0, -0.5]], np.float32) * scale) for scale in (0.01, 100))
    page = Page(gallery_page([small, replace(large, rule="Zero()")]))
    shares = [value for tag, name, value in page.attributes if tag == "b" and name == "style"]
    assert shares == ["--0:100", "--0:-50"] * 2
    assert "±0.0100" in page.said()
    assert "±100" in page.said()


def test_agreement_is_with_the_first_panel() -> None:
    why = make_explanation("one two three four")
    first = replace(why, relevance=np.array([[4.0, 3, 2, 1]], np.float32))
    turned = replace(first, relevance=first.relevance[:, ::-1].copy(), rule="Zero()")
    against = replace(first, relevance=-first.relevance, rule="Gamma(gamma=0.5)")
    said = Page(gallery_page([first, turned, against])).said()
    assert said.count("all other panels are compared with this one") == 1
    assert "Rank correlation with the first panel −1.00; top words in common 100%" in said
    assert "Rank correlation with the first panel −1.00; top words in common 0%" in said


def test_a_note_is_in_the_panels_of_its_method() -> None:
    why = make_explanation()
    said = Page(gallery_page([why, replace(why, method="grad-cam")], notes={"grad-cam": "Asked for as CAM."})).said()
    assert said.count("Asked for as CAM.") == 1
    assert "Grad-CAM for text" in said


def test_a_long_text_shows_a_passage_says_so_and_has_the_whole() -> None:
    short = " ".join(["word"] * (FULL_PANEL_TEXT // 5))
    assert "characters" not in Page(gallery_page(under_rules(short))).said()
    long = " ".join(["word"] * (FULL_PANEL_TEXT // 2))
    page = Page(gallery_page(under_rules(long)))
    assert page.texts[3:] == [long] * 3
    assert len(set(page.texts[:3])) == 1
    assert len(page.texts[0]) <= PANEL_PASSAGE
    assert f"of {len(long):,}, the passage with the most relevance over all panels" in page.said()


def test_several_documents_are_sections_read_one_at_a_time() -> None:
    alive: list[int] = []

    def documents() -> Iterator[list[Explanation]]:
        for n in range(3):
            alive.append(n)
            yield under_rules(document_id=f"doc-{n}", seed=n)

    page = galleries_page(documents())
    assert page.count("<section") == 3
    assert "3 documents, 3 rules and methods" in Page(page).said()
    assert alive == [0, 1, 2]


def test_the_page_is_written_completely(tmp_path: Path) -> None:
    page = gallery_page(under_rules(), tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text() == page
    with pytest.raises(DataError, match="Create it first"):
        gallery_page(under_rules(), tmp_path / "none" / "g.html")


def test_explanations_that_do_not_belong_together_are_refused() -> None:
    why = make_explanation()
    for other, what in (
        (make_explanation("another text"), "documents"),
        (replace(why, document_id="doc-2"), "documents"),
        (replace(why, model="boe-7"), "models: 'cnn-0123abcd' and 'boe-7'"),
        (make_explanation(targets=(1,)), "targets: 'sci.med' and 'sci.space'"),
    ):
        with pytest.raises(DataError, match=what):
            gallery_page([why, other])
    with pytest.raises(DataError, match="one target; got 2"):
        gallery_page([make_explanation(targets=(0, 1))])
    with pytest.raises(DataError, match="explanations must contain at least one"):
        gallery_page([])
    with pytest.raises(DataError, match="documents must contain at least one document; got none"):
        galleries_page([])
    with pytest.raises(DataError, match="got str"):
        gallery_page(["x"])  # type: ignore[list-item]


def hostile(text: str) -> str:
    why = make_explanation(
        "doctor orbit", labels=(f"{text}A", f"{text}B", "c"), document_id=text, true_label=text, model=text
    )
    why = replace(why, tokens=replace(why.tokens, forms=(text, f"{text}2")), ledger={(text, text): np.ones(1)})
    other = replace(why, rule=text, version=text)
    return gallery_page([why, other, replace(other, method=text)], title=text, notes={text: text})


def test_hostile_strings_leave_the_structure_alone() -> None:
    tame, wild = Page(hostile("x")), Page(hostile(HOSTILE))
    assert wild.tags == tame.tags
    assert HOSTILE in wild.said()


def test_nothing_is_requested_and_nothing_runs() -> None:
    page = gallery_page(under_rules())
    assert "default-src 'none'" in page
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in Page(page).tags}
    assert "url(" not in page
