"""The score breakdown on pages, in mails and in the terminal: names of its parts, and remarks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import numpy as np
from cases import every
from explanations import make_explanation
from rich.console import Console

from textlrp.cli.terminal import print_explanation
from textlrp.explanation import Explanation
from textlrp.reports.balance import CAUSES, score_breakdowns
from textlrp.reports.corpus.report_files import list_page
from textlrp.reports.document import document_page, mail_fragment, notebook_fragment


def terminal(why: Explanation) -> str:
    out = StringIO()
    print_explanation(why, Console(file=out, width=1000))
    return out.getvalue()


SURFACES: dict[str, Callable[[Explanation], str]] = {
    "page": document_page,
    "mail": mail_fragment,
    "notebook": notebook_fragment,
    "report": lambda why: list_page([why]),
    "terminal": terminal,
}
LARGER = "A part of the score that belongs to no word is larger than the |relevance| of all words together: "


def explained(parts: dict[str, float], **fields: object) -> Explanation:
    """Words of relevance +3 and -1, with these causes in the ledger; the score is the sum of everything."""
    why = make_explanation("good bad", labels=("no", "yes"), targets=(1,))
    ledger = {("step", cause): np.array([value], np.float32) for cause, value in parts.items()}
    scores = np.array([0.0, 2.0 + sum(parts.values())], np.float32)
    relevance = np.array([[3.0, -1.0]], np.float32)
    return replace(why, relevance=relevance, ledger=ledger, scores=scores, **fields)


def words_of(page: str) -> str:
    return " ".join(
        re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.partition("<footer>")[0], flags=re.DOTALL).split()
    )


@every("surface", SURFACES)
@every("cause", CAUSES)
def test_a_part_larger_than_all_words_has_a_remark(cause: str, surface: str) -> None:
    large, small = (
        words_of(SURFACES[surface](explained({cause: value, "empty" if cause == "bias" else "bias": 0.5})))
        for value in (-4.5, -3.5)
    )
    assert f"{LARGER}−4.50 absorbed by {CAUSES[cause]}; the |relevance| of words sums to 4.00." in large
    assert "A contrast with another class leaves out what both classes have in common." in large
    assert "larger than" not in small


def test_a_contrast_and_the_error_of_a_method_have_no_hint_to_contrasts() -> None:
    why = explained({"bias": -4.5})
    contrast = replace(why, targets=((1, 0),))
    labels = replace(why, thresholds=np.zeros(2, np.float32))
    error = explained({"unsummed": -4.5}, method="lime")
    for each in (contrast, labels, error):
        (breakdown,) = score_breakdowns(each)
        assert LARGER in " ".join(breakdown.remarks)
        assert "contrast" not in " ".join(breakdown.remarks)


@every("surface", SURFACES)
def test_occlusion_says_that_relevance_does_not_sum_to_the_score(surface: str) -> None:
    why = explained({"unsummed": 1.25}, method="occlusion", rule="Occlusion()")
    page = words_of(SURFACES[surface](why))
    assert "With this method, relevance does not sum to the score; see the score breakdown." in page
    assert "absorbed by" not in page
    assert re.search(r"not accounted for by this method \+1.25|\+1.25 not accounted for by this method", page)
    probability = replace(why, score_name="probability")
    assert "relevance does not sum to the probability" in words_of(SURFACES[surface](probability))
    sums = words_of(SURFACES[surface](explained({"unsummed": 0.0}, method="occlusion")))
    assert "does not sum" not in sums
    assert "does not sum" not in words_of(SURFACES[surface](explained({"bias": 1.25})))


def test_what_nothing_absorbs_is_not_called_absorbed() -> None:
    for method, cause, name in (
        ("shap", "baseline", "score of an empty text (baseline)"),
        ("lime", "baseline", "intercept of the regression"),
        ("lime", "unsummed", "error of the regression"),
        ("integrated-gradients", "unsummed", "numerical error of the method"),
        ("lrp", "absorbed", "absorbed by all causes together"),
        ("lrp", "left out", "relevance of words that were not stored"),
    ):
        (breakdown,) = score_breakdowns(explained({cause: 0.5}, method=method))
        assert breakdown.line == f"2.50 = +2.00 relevance of words, +0.50 {name}"
        assert "does not sum" not in " ".join(breakdown.remarks)


def test_parts_that_a_method_leaves_out_are_one_part() -> None:
    why = explained({"unsummed": 0.5}, method="occlusion")
    (breakdown,) = score_breakdowns(replace(why, scores=np.array([0.0, 4.0], np.float32)))
    assert breakdown.line == "4.00 = +2.00 relevance of words, +2.00 not accounted for by this method"


def test_the_glossary_explains_what_a_method_leaves_out() -> None:
    term = "<dt>not accounted for by this method</dt>"
    other = explained({"unsummed": 1.0}, method="occlusion")
    assert term in document_page(other)
    assert term in list_page([other])
    assert term not in document_page(explained({"bias": 1.0}))
