"""The notes and the start of an explanation on every page and in the terminal; no model is needed."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from dataclasses import replace

from cases import every
from explanations import make_explanation
from rich.console import Console

from textlrp.cli.terminal import print_explanation
from textlrp.explanation import Explanation
from textlrp.reports.comparison.comparison_page import comparison_page
from textlrp.reports.comparison.gallery_page import gallery_page
from textlrp.reports.corpus.report_files import list_page
from textlrp.reports.corpus.summary import with_targets
from textlrp.reports.document import document_page, mail_fragment, notebook_fragment

GENERAL = "Flat at the input was made for pixels."
OWN = "The score is negative: with this rule, blue (opposes the class) marks words that raise it."


def noted(**fields: object) -> Explanation:
    why = make_explanation(**{"notes": (GENERAL,), "target_notes": (OWN,), **fields})  # type: ignore[arg-type]
    if why.start == "centered":  # keeps the sum: the mean is subtracted from the bias
        ledger = dict(why.ledger)
        ledger["conv", "bias"] = ledger["conv", "bias"] - why.scores.mean(dtype=why.scores.dtype)
        return replace(why, ledger=ledger)
    return why


def terminal(why: Explanation, palette: str = "red-blue") -> str:
    console = Console(file=io.StringIO(), width=200)
    print_explanation(why, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def compared(why: Explanation, palette: str = "red-blue") -> str:
    other = make_explanation(rule="Zero()")
    return comparison_page([(why, other)], palette=palette)


def said(page: str) -> str:
    """Return the visible text of a page."""
    bare = re.sub(r"<style.*?</style>|<script.*?</script>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", bare))


Show = Callable[..., str]
SURFACES: dict[str, Show] = {
    "page": document_page,
    "mail": mail_fragment,
    "notebook": notebook_fragment,
    "list": lambda why, palette="red-blue": list_page([why], palette=palette),
    "comparison": compared,
    "gallery": lambda why, palette="red-blue": gallery_page([why], palette=palette),
}


@every("name", SURFACES)
def test_every_page_prints_the_notes(name: str) -> None:
    shown = said(SURFACES[name](noted()))
    assert shown.count(GENERAL) == 1
    assert shown.count(OWN) == 1
    other = said(SURFACES[name](noted(), palette="orange-purple"))
    assert other.count(OWN.replace("blue", "purple")) == 1
    assert "made for pixels" not in said(SURFACES[name](make_explanation()))


def test_the_terminal_prints_the_notes() -> None:
    assert f"note: {GENERAL}\nnote: {OWN}\n" in terminal(noted())
    both = terminal(noted(targets=(0, 1, 2), target_notes=(OWN, "", OWN)))
    assert f"note: {GENERAL}\nnote: sci.med, rec.autos: {OWN}\n" in both
    assert "note:" not in terminal(make_explanation())


@every("name", [*SURFACES, "terminal"])
def test_the_score_breakdown_of_a_centered_start_names_the_mean(name: str) -> None:
    shown = said({**SURFACES, "terminal": terminal}[name](noted(start="centered")))
    assert "mean score over classes" in shown
    assert "not accounted for" not in shown


@every("name", SURFACES)
def test_a_centered_start_is_shown_with_the_rule(name: str) -> None:
    named = re.compile("centered|minus the mean over classes")
    assert named.search(said(SURFACES[name](noted(start="centered"))))
    assert not named.search(said(SURFACES[name](noted())))


def test_the_notes_of_some_targets_go_with_them() -> None:
    why = noted(targets=(0, 1, 2), target_notes=(OWN, "", "another"))
    assert with_targets(why, [2, 1]).target_notes == ("another", "")
    assert with_targets(replace(why, target_notes=()), [1]).target_notes == ()
    assert [why.notes_of(row) for row in range(3)] == [(OWN, GENERAL), (GENERAL,), ("another", GENERAL)]
