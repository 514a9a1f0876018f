from __future__ import annotations

import io

import pytest
from rich.console import Console

from textlrp.cli.listings import print_listing
from textlrp.records import Listing

WORDS = Listing(
    "a title",
    "a note",
    ("word", "relevance", "examples"),
    (("engine", "+1.25", "comp.sys.ibm.pc.hardware/10050"), ("医生", "−0.50", "")),
)


def printed(listing: Listing, width: int) -> list[str]:
    file = io.StringIO()
    print_listing(listing, Console(file=file, width=width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_listing_is_a_table_below_its_title_and_note() -> None:
    assert printed(WORDS, 80) == [
        "a title",
        "a note",
        "word     relevance   examples",
        "engine   +1.25       comp.sys.ibm.pc.hardware/10050",
        "医生     −0.50",
        "",
    ]


def test_cells_that_do_not_fit_have_their_own_lines_in_a_narrow_terminal() -> None:
    assert printed(WORDS, 40) == [
        "a title",
        "a note",
        "word     relevance",
        "  examples",
        "engine   +1.25",
        "  comp.sys.ibm.pc.hardware/10050",
        "医生     −0.50",
        "",
    ]


@pytest.mark.parametrize("width", [20, 80])
def test_a_listing_without_rows_has_no_headings(width: int) -> None:
    assert printed(WORDS._replace(rows=()), width) == ["a title", "a note", ""]
