"""Rows that cannot be read are reported by number and reason, for each kind of error; all other rows are read."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cases import every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.text.readers import BadRow, Record, read_files, read_folder, read_rows, read_table
from textlrp.text.row_layout import Columns

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text('a,\t"\r\n\0 ', max_size=8)
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(["a", "b"])), min_size=1, max_size=6)
PLAIN = Columns()


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    if path.suffix == ".parquet":
        texts, labels = zip(*rows, strict=True)
        pq.write_table(pa.table({"text": texts, "label": labels}), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in rows))
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, delimiter="," if path.suffix == ".csv" else "\t")
            writer.writerows([("text", "label"), *rows])
    return path


@pytest.mark.filterwarnings("ignore:.*control character:UserWarning")
@SHARED_FOLDER
@given(rows=ROWS, kind=st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
def test_read_rows_equals_read_table_if_all_rows_are_valid(
    tmp_path: Path, rows: list[tuple[str, str]], kind: str
) -> None:
    path = write_rows(tmp_path / f"some.{kind}", rows)
    assert list(read_rows(path, PLAIN)) == list(read_table(path, PLAIN))
    assert list(read_rows(path, PLAIN)) == [Record(str(n), text, label) for n, (text, label) in enumerate(rows, 1)]


A, B = b'{"text": "good", "label": "a"}\n', b'{"text": "good", "label": "b"}\n'
BAD: dict[str, tuple[str, bytes, dict[int, str]]] = {
    "too many fields": ("csv", b"text,label\ngood,a\none,two,three\ngood,b\n", {2: "fields, like the header; got 3"}),
    "too few fields": ("tsv", b"text\tlabel\none\ngood\ta\ngood\tb\n", {1: "2 fields, like the header; got 1"}),
    "a quote in quotes": ("csv", b'text,label\ngood,a\n"a"b,c\ngood,b\n', {2: "not valid CSV"}),
    "a quote that never ends": ("csv", b'text,label\ngood,a\ngood,b\n"never\nends,c\n', {3: "not valid CSV"}),
    "bytes in a text": ("csv", b"text,label\ngood,a\ncaf\xe9,c\ngood,b\n", {2: "contains bytes that are not UTF-8"}),
    "bytes in a label": ("csv", b"text,label\ngood,a\nfine,\xff\ngood,b\n", {2: "contains bytes that are not UTF-8"}),
    "an empty line between": ("csv", b"text,label\ngood,a\n\n\none\ngood,b\n", {2: "fields, like the header; got 1"}),
    "no JSON": ("jsonl", A + b'{no\n' + B, {2: "not valid JSON"}),
    "no JSON at first": ("jsonl", b"}\n" + A + B, {1: "JSON"}),
    "no object": ("jsonl", A + b'[1]\n' + B, {2: "must be a JSON object"}),
    "null": ("jsonl", A + b'{"text": null}\n' + B, {2: "text is missing"}),
    "a number": ("jsonl", A + b'{"text": 7}\n' + B, {2: "text must be a string; got 7 (int)"}),
    "no text": ("jsonl", A + b'{"x": ""}\n' + B, {2: "'text' is missing"}),
    "bytes in a line": (
        "jsonl",
        A + b'{"text": "caf\xe9"}\n' + B,
        {2: "contains bytes that are not UTF-8"},
    ),
    "bytes in several labels": (
        "jsonl",
        A + b'{"text": "x", "label": ["a", "\xe9"]}\n' + B,
        {2: "contains bytes that are not UTF-8"},
    ),
    "a label of another kind": (
        "jsonl",
        A + b'{"text": "x", "label": 1.5}\n' + B,
        {2: "true/false; got 1.5 (float)"},
    ),
}  # fmt: skip


def assert_rejected(path: Path, wrong: dict[int, str]) -> None:
    found = list(read_rows(path, PLAIN))
    assert {row.number for row in found if isinstance(row, BadRow)} == wrong.keys()
    good = [n for n in range(1, len(found) + 1) if n not in wrong]
    assert [row for row in found if isinstance(row, Record)] == [
        Record(str(n), "good", label) for n, label in zip(good, "ab", strict=True)
    ]
    for n, row in enumerate(found, 1):
        if isinstance(row, BadRow):
            assert row.number == n
            assert wrong[n] in row.wrong
            assert re.match(rf"(row|line) \d+ \({re.escape(str(path))}[,)]", row.wrong)
            row.wrong.encode()  # can be stored as UTF-8


@every("kind", BAD)
def test_a_bad_row_has_its_number_and_the_rest_is_read(tmp_path: Path, kind: str) -> None:
    suffix, content, wrong = BAD[kind]
    path = tmp_path / f"some.{suffix}"
    path.write_bytes(content)
    assert_rejected(path, wrong)
    with pytest.raises(DataError):
        list(read_table(path, PLAIN))


def test_bad_rows_of_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    pq.write_table(pa.table({"text": ["good", None, "good"], "label": ["a", "c", "b"]}), path)
    assert_rejected(path, {2: "text is missing"})
    pq.write_table(pa.table({"text": ["good", "x", "good"], "label": [["a"], ["c", None], []]}), path)
    assert [row.number if isinstance(row, BadRow) else row.label for row in read_rows(path, PLAIN)] == [("a",), 2, ()]
    buffers = pa.array([b"good", b"caf\xe9", b"good"]).buffers()
    bytes_in_it = pa.Array.from_buffers(pa.string(), 3, buffers)
    pq.write_table(pa.table({"text": bytes_in_it, "label": ["a", "c", "b"]}), path)
    assert_rejected(path, {2: "contains bytes that are not UTF-8"})
    with pytest.raises(DataError, match="a text after row 0 is not UTF-8"):
        list(read_table(path, PLAIN))


def test_a_file_of_a_folder_that_is_not_utf_8(tmp_path: Path) -> None:
    for name, content in (("a/1", b"good"), ("a/2", b"caf\xe9"), ("b/1", b"good"), (".hidden", b"\xff")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    first, bad, last = read_files(tmp_path)
    assert (first, last) == (Record("a/1", "good", "a"), Record("b/1", "good", "b"))
    assert isinstance(bad, BadRow)
    assert bad.number == 2
    assert bad.wrong.startswith(f"line 1 ({tmp_path / 'a' / '2'}): the text is not UTF-8")
    with pytest.raises(DataError, match="the text is not UTF-8"):
        list(read_folder(tmp_path))
    assert [row.text for row in read_files(tmp_path, encoding="latin-1") if isinstance(row, Record)][1] == "café"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"body;kind\nx;y\nz\n", "the fields seem to be separated by ';'"),
        (b"label,x,y\na,b,c\n", "there is no column 'text'; the columns are 'label', 'x', 'y'. Pass text="),
    ],
)
def test_errors_of_the_whole_file_still_raise(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        next(read_rows(path, PLAIN))
    with pytest.raises(DataError, match="cannot read"):
        next(read_rows(tmp_path / "none.csv", PLAIN))
    with pytest.raises(OptionError, match="encoding must be a text encoding that Python knows; got 'utf-9'"):
        next(read_rows(path, PLAIN, encoding="utf-9"))


@SHARED_FOLDER
@given(data=st.binary(max_size=60), kind=st.sampled_from(["csv", "tsv", "jsonl"]))
def test_every_row_below_the_first_is_read_or_rejected(tmp_path: Path, data: bytes, kind: str) -> None:
    heads: dict[str, Any] = {
        "csv": b"text,label\n",
        "tsv": b"text\tlabel\n",
        "jsonl": b'{"text": "a", "label": "b"}\n',
    }
    path = tmp_path / f"some.{kind}"
    path.write_bytes(heads[kind] + data)
    found = list(read_rows(path, PLAIN))
    assert [row.number if isinstance(row, BadRow) else int(row.id) for row in found] == list(range(1, len(found) + 1))
    for row in found:
        (row.wrong if isinstance(row, BadRow) else row.text).encode()
