"""The glossary: on every kind of page, one line a term, and the same terms in ``docs/reference/glossary.md``."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explanations import make_explanation
from specimens import PAGES, documents

from textlrp.records import Pieces
from textlrp.reports.corpus.report_folder import report_folder
from textlrp.reports.document import document_page, mail_fragment, notebook_fragment
from textlrp.reports.glossary import PAGE_TERMS, TERMS, as_markdown, glossary_of

GLOSSARY = re.compile(r'<details class="glossary">.*?</details>', re.DOTALL)
KINDS = {
    "document": "document",
    "many": "document",
    "list": "list",
    "corpus": "list",
    "gallery": "gallery",
    "comparison": "comparison",
    "evaluation": "evaluation",
    "similar": "similarity",
}
"""Page of ``specimens.PAGES`` -> kind of page in the glossary."""


def terms_on(page: str) -> list[tuple[str, str]]:
    """The terms of a page's only glossary, with their definitions."""
    (found,) = GLOSSARY.findall(page)
    assert '<details class="glossary"><summary>' in found, "it must be closed at first"
    terms = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", found)
    return [(html.unescape(term), html.unescape(meaning)) for term, meaning in terms]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_page_has_its_glossary_in_the_footer(name: str) -> None:
    page = PAGES[name]()
    assert terms_on(page) == glossary_of(KINDS[name])
    assert page.index("<footer>") < page.index('class="glossary"') < page.index("</footer>")


def test_documents_of_other_models_have_more_terms() -> None:
    several = replace(make_explanation(), thresholds=np.zeros(len(make_explanation().labels)))
    assert terms_on(document_page(several)) == glossary_of("document", "label sets")
    pieces = Pieces(("x",), np.array([[0, 1]], dtype=np.int32), np.array([0]), make_explanation().relevance[:, :1])
    assert terms_on(document_page(replace(several, pieces=pieces))) == glossary_of(
        "document", "label sets", "transformer"
    )


def test_every_page_of_a_folder_has_a_glossary(tmp_path: Path) -> None:
    folder = report_folder([make_explanation(seed=n) for n in range(2)], tmp_path / "report")
    assert terms_on((folder / "index.html").read_text(encoding="utf-8")) == glossary_of("list")
    for path in (folder / "documents").iterdir():
        assert terms_on(path.read_text(encoding="utf-8")) == glossary_of("document")


def test_fragments_have_none() -> None:
    for fragment in (mail_fragment(make_explanation()), notebook_fragment(make_explanation())):
        assert not GLOSSARY.search(fragment)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_defined_in_one_line(term: str) -> None:
    meaning = TERMS[term]
    assert meaning.endswith(".")
    assert meaning[0].isupper()
    assert "\n" not in meaning
    assert len(meaning) <= 140


def test_every_term_is_on_a_page_and_every_page_has_the_basic_ones() -> None:
    assert set().union(*PAGE_TERMS.values()) == set(TERMS)
    for kind, terms in PAGE_TERMS.items():
        without_classes = ("similarity", "label sets", "compared label sets", "transformer", "other methods")
        assert kind in without_classes or {
            "relevance", "score", "predicted class", "true label", "supports, opposes", "score breakdown",
            "ignored by the model",
        } <= set(terms)  # fmt: skip
        assert len(set(terms)) == len(terms)


def test_a_list_has_one_glossary_for_all_its_documents() -> None:
    assert len(GLOSSARY.findall(documents())) == 1


def test_the_glossary_of_the_documentation_is_up_to_date() -> None:
    path = Path(__file__).parents[2] / "docs" / "reference" / "glossary.md"
    assert path.read_text(encoding="utf-8") == as_markdown(), (
        "run: python -m textlrp.reports.glossary > docs/reference/glossary.md"
    )
