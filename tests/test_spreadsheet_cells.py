"""Tables contain no formulas that a spreadsheet program would run, and each row stays one row."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st

from textlrp.files.spreadsheet_cells import table_line

ATTACKS = (
    "=cmd|'/C calc'!A0", "+cmd|'/C calc'!A0", "-cmd|'/C calc'!A0", "@SUM(1+1)*cmd|'/C calc'!A0", "\t=1+1", "\r=1+1",
    "\n=1+1", "=HYPERLINK(\"http://example.org\")", "-1+A1", "-2-SUM(A1)", "-1e", "-inf+A1", "=1", "\uff1d1+A1",
    "-", "=", "+", "@someone",
)  # fmt: skip
NUMBERS = ("-1.5", "+2", "-1e-07", "-inf", "0", "-3.", "-0.5,-0.25,1", "-1|-2", "-1;2")

any_text = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
cells_of_any_kind = st.lists(
    st.one_of(any_text, st.sampled_from(ATTACKS), st.sampled_from(NUMBERS)), min_size=2, max_size=5
)


def rows_of(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


@every("attack", ATTACKS)
def test_a_formula_gets_an_apostrophe(attack: str) -> None:
    assert rows_of(table_line([attack, "x"])) == [[f"'{attack}", "x"]]
    assert rows_of(table_line([attack, "x"], keep_formulas=True)) == [[attack, "x"]]


@every("number", NUMBERS)
def test_a_number_stays_a_number(number: str) -> None:
    assert rows_of(table_line([number, "x"])) == [[number, "x"]]


def test_values_that_are_not_strings_are_never_changed() -> None:
    assert table_line([-1.5, -3, None, True, float("-inf")]) == "-1.5,-3,,True,-inf\n"


@given(cells=cells_of_any_kind, delimiter=st.sampled_from(",\t;"))
def test_every_row_is_read_back(cells: list[str], delimiter: str) -> None:
    (exact,) = rows_of(table_line(cells, delimiter=delimiter, keep_formulas=True), delimiter)
    assert exact == cells
    (inert,) = rows_of(table_line(cells, delimiter=delimiter), delimiter)
    for written, cell in zip(inert, cells, strict=True):
        assert written in (cell, f"'{cell}")
        assert not written.startswith(("=", "@", "\t", "\r", "\n"))
        assert not written.startswith(("+", "-")) or not any(c.isalpha() and c not in "eEinfaINFA" for c in written)


@given(cells=cells_of_any_kind)
def test_plain_rows_are_those_of_the_csv_module(cells: list[str]) -> None:
    plain: list[Any] = [cell for cell in cells if "\r" not in cell]
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(["id", *plain])
    assert table_line(["id", *plain], keep_formulas=True) == file.getvalue()


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_a_line_break_in_a_cell_does_not_end_the_row(line_end: str) -> None:
    pandas = pytest.importorskip("pandas")
    table = table_line(["id", "text"]) + table_line(["1", f"a{line_end}b"]) + table_line(["2", "c"])
    frame = pandas.read_csv(io.StringIO(table, newline=""))
    assert frame["text"].tolist() == [f"a{line_end}b", "c"]
