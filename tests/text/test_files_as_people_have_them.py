"""Irregular files: byte order marks, quotes, delimiters, missing headers, lone surrogates, rows without an end."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cases import every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textlrp.cli.inputs import open_texts
from textlrp.errors import DataError, OptionError
from textlrp.evaluation.rationale_files import read_rationales
from textlrp.text.corpora import load_corpus
from textlrp.text.formats import layout_of
from textlrp.text.named_corpora import FileOptions
from textlrp.text.opening import read_text
from textlrp.text.readers import Record, read_rows, read_table
from textlrp.text.row_layout import Columns
from textlrp.text.vector_files import load_vectors

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
FIELD = st.text('ab"\t \n,', max_size=6)
WORDS = st.text('ab" ,', min_size=1, max_size=8).filter(lambda text: bool(text.strip()))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(path: Path, **options: Any) -> list[tuple[str, Any]]:
    return [(document.text, document.label) for document in load_corpus(path, **options)]


# ---- byte order marks

CONTENTS = {
    "a.csv": "text,label\ngood,x\n",
    "a.tsv": "text\tlabel\ngood\tx\n",
    "a.jsonl": '{"text": "good", "label": "x"}\n',
    "a.json": '[{"text": "good", "label": "x"}]',
}


@every("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@every("packed", [False, True])
@every("name", CONTENTS)
def test_a_byte_order_mark_is_understood(tmp_path: Path, name: str, encoding: str, packed: bool) -> None:
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    data = mark + CONTENTS[name].encode(encoding)
    path = write(tmp_path / (name + ".gz" * packed), gzip.compress(data) if packed else data)
    assert pairs(path) == [("good", "x")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_understood_in_all_other_inputs(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_text(io.BytesIO("good".encode(encoding)), "utf-8", "standard input") == "good"
    folder = tmp_path / "corpus" / "x"
    folder.mkdir(parents=True)
    write(folder / "1", "good".encode(encoding))
    assert pairs(tmp_path / "corpus") == [("good", "x")]
    path = write(tmp_path / "r.jsonl", '{"text": "good film", "words": ["good"]}\n'.encode(encoding))
    assert [each.text for each in read_rationales(path)] == ["good film"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("good".encode(encoding))))
    assert [document.text for document in open_texts("-", None, FileOptions())] == ["good"]
    assert [document.text for document in open_texts(None, "\ufeffgood", FileOptions())] == ["good"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", ["", "2 3\n"])
def test_word_vectors_may_begin_with_a_byte_order_mark(tmp_path: Path, header: str, packed: bool) -> None:
    data = (header + "good 1 2 3\nbad 3 2 1\n").encode("utf-8-sig")
    path = write(tmp_path / ("v.txt.gz" if packed else "v.txt"), gzip.compress(data) if packed else data)
    assert load_vectors(path).words == ("good", "bad")


@pytest.mark.filterwarnings("error")
def test_concatenated_files_are_read(tmp_path: Path) -> None:
    one = '\ufeff{"text": "a"}\n'
    assert pairs(write(tmp_path / "a.jsonl", one * 3)) == [("a", None)] * 3
    table = '\ufefftext,label\n"a ""b""",x\n'
    with pytest.warns(UserWarning, match=r"line 3 repeats the header, .*\. It was skipped"):
        assert pairs(write(tmp_path / "a.csv", table * 2)) == [('a "b"', "x")] * 2


# ---- quotes in tab-separated files


@SHARED_FOLDER
@given(rows=st.lists(st.tuples(WORDS, st.sampled_from(["pos", "neg"])), min_size=1, max_size=6))
def test_quotes_of_a_text_are_kept(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Texts with quotes anywhere, written without quoting: all rows are read."""
    path = write(tmp_path / "rows.tsv", "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    found = pairs(path)
    assert [label for _, label in found] == [label for _, label in rows]
    for (text, _), (expected, _) in zip(found, rows, strict=True):
        doubled = expected.startswith('"') and re.fullmatch(r'"(?:[^"]|"")*"', expected)
        if not doubled or ('"' not in expected[1:-1] and expected != '""'):
            assert text == expected


@SHARED_FOLDER
@given(rows=st.lists(st.tuples(FIELD, st.sampled_from(["pos", "neg"])), min_size=1, max_size=6), last=st.booleans())
def test_what_libraries_quote_is_read_back(tmp_path: Path, rows: list[tuple[str, str]], last: bool) -> None:
    """The file is written by a library that quotes all fields, as spreadsheets may do."""
    path = tmp_path / "rows.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL)
        writer.writerows([row[::-1] if last else row for row in [("text", "label"), *rows]])
    assert pairs(path) == rows


@every(
    "rows, expected",
    [
        ('"Wow" she said\tpos\nbad\tneg\n', [('"Wow" she said', "pos"), ("bad", "neg")]),
        ('"quoted whole"\tpos\nbad\tneg\n', [('"quoted whole"', "pos"), ("bad", "neg")]),
        ('"Wow she said\tpos\nwas it good"\tneg\n', [('"Wow she said', "pos"), ('was it good"', "neg")]),
        ('"he said ""hi"""\tpos\n', [('he said "hi"', "pos")]),
        ('"one\n\ntwo"\tpos\nbad\tneg\n', [("one\n\ntwo", "pos"), ("bad", "neg")]),
        ('"one\ttwo"\tpos\nbad\tneg\n', [("one\ttwo", "pos"), ("bad", "neg")]),
        ('"one\r\ntwo"\tpos\r\nbad\tneg\r\n', [("one\r\ntwo", "pos"), ("bad", "neg")]),
    ],
)
def test_a_field_is_unquoted_only_where_it_needed_quotes(
    tmp_path: Path, rows: str, expected: list[tuple[str, str]]
) -> None:
    assert pairs(write(tmp_path / "a.tsv", "text\tlabel\n" + rows)) == expected


def test_a_quoted_last_column_over_lines_ends_where_a_row_begins(tmp_path: Path) -> None:
    rows = 'pos\t"one\ntwo"\npos\t"Wow\nneg\tbad "film"\nneg\tend"\n'
    found = [
        (record.label, record.text)
        for record in read_table(write(tmp_path / "a.tsv", "label\ttext\n" + rows), Columns())
    ]
    assert found == [("pos", "one\ntwo"), ("pos", '"Wow'), ("neg", 'bad "film"'), ("neg", 'end"')]


# ---- layouts

GOOD = [("good film", "pos"), ("bad film here", "neg"), ("nice", "pos")]


@every(
    "name, content, message",
    [
        ("a.csv", "text;label\ngood film;pos\nbad film here;neg\nnice;pos\n", "separated by ';'"),
        ("a.csv", "label|text\npos|good film\nneg|bad film here\npos|nice\n", r"separated by '\|'"),
        ("a.csv", "text\tlabel\ngood film\tpos\nbad film here\tneg\nnice\tpos\n", r"separated by '\\t'"),
        ("a.tsv", "text,label\ngood film,pos\nbad film here,neg\nnice,pos\n", "separated by ','"),
        ("a.csv", "pos,good film\nneg,bad film here\npos,nice\n", "no header.*label,text"),
        ("a.tsv", "good film\tpos\nbad film here\tneg\nnice\tpos\n", "no header.*text,label"),
        ("a.txt", "__label__pos good film\n\n__label__neg bad film here\n__label__pos nice\n", "as in fastText"),
    ],
)
def test_a_certain_layout_is_used_with_a_warning(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.warns(UserWarning, match=message):
        assert pairs(write(tmp_path / name, content)) == GOOD


@pytest.mark.filterwarnings("error")
@every(
    "name, content, options",
    [
        ("a.csv", "text;label\ngood film;pos\nbad film here;neg\nnice;pos\n", {"delimiter": ";"}),
        ("a.csv", "text\tlabel\ngood film\tpos\nbad film here\tneg\nnice\tpos\n", {"delimiter": "tab"}),
        ("a.csv", "pos,good film\nneg,bad film here\npos,nice\n", {"columns": "label,text"}),
        ("a.csv", "pos,good film\nneg,bad film here\npos,nice\n", {"columns": ("label", "text"), "header": False}),
        ("a.json", json.dumps([{"text": text, "label": label} for text, label in GOOD], indent=1), {}),
        ("a.json", "".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in GOOD), {}),
        ("a.jsonl", json.dumps([{"text": text, "label": label} for text, label in GOOD]), {}),
    ],
)
def test_a_layout_that_is_passed_gives_no_warning(
    tmp_path: Path, name: str, content: str, options: dict[str, Any]
) -> None:
    assert pairs(write(tmp_path / name, content), **options) == GOOD


def test_lines_of_text_are_texts(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="each line is read as one text"):
        assert pairs(write(tmp_path / "a.txt", "one two\n\nthree\r\n")) == [("one two", None), ("three", None)]


@every(
    "name, content, options, message",
    [
        ("a.csv", "pos,good film\nneg,bad\n", {}, "there is no column 'text'.*columns="),
        ("a.csv", "pos,good film\nneg,bad\n", {"header": False}, "the file has 2 columns and no header.*columns="),
        (
            "a.csv",
            "pos,good film\nneg,bad\n",
            {"columns": "label"},
            "columns must have one name for each of the 2 columns of the file; got 1",
        ),
        ("a.csv", "text;label\ngood;a;b\n", {}, "the fields seem to be separated by ';'.*delimiter="),
        ("a.json", '[{"text": "a"}, {"text": "b"', {}, r"row 2 \(.*a\.json\): not valid JSON"),
        ("a.jsonl", '{"text": "a", "label": 36893488147419103232}', {}, r"label must be below 2\*\*63"),
        ("a.jsonl", '{"text": "a", "label": 1e30}', {}, r"label must be below 2\*\*63"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_layout_that_is_not_certain_is_named_with_its_option(
    tmp_path: Path, name: str, content: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        pairs(write(tmp_path / name, content), **options)


@pytest.mark.parametrize(
    "options", [{"delimiter": ";;"}, {"columns": "a,a"}, {"columns": "a,b", "header": True}, {"max_row_length": 0}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        layout_of(**options)


# ---- half characters, wrong encodings, labels


def test_half_a_character_in_an_escape_is_replaced_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a \\ud83d b", "label": "x"}\n{"text": "\\ud83d\\ude00"}\n')
    for read in (read_table, read_rows):
        with pytest.warns(UserWarning, match=r"line 1 \(.*\): an escape is half of a surrogate pair .*U.FFFD"):
            assert list(read(path, Columns())) == [Record("1", "a \ufffd b", "x"), Record("2", "😀", None)]


def test_windows_punctuation_read_as_latin_1_gives_one_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text\nit’s\nhe’s\n".encode("cp1252"))
    with pytest.warns(UserWarning, match=r"row 1 .*U\+0092.*encoding='cp1252'") as caught:
        assert [record.text for record in read_table(path, Columns(), encoding="latin-1")] == ["it\x92s", "he\x92s"]
    assert len(caught) == 1
    with pytest.raises(DataError, match="encoding='cp1252', encoding='latin-1'"):
        list(read_table(path, Columns()))


def test_white_space_at_the_edges_of_labels_is_removed_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\na,pos\nb,pos \nc,\u00a0pos\nd,\u200bpos\ne,pos\ufeff\nf, \n")
    with pytest.warns(UserWarning, match="row 2 .*begins or ends with white space") as caught:
        labels = [record.label for record in read_table(path, Columns())]
    assert labels == ["pos"] * 5 + [None]
    assert len(caught) == 1


# ---- rows without an end


@pytest.mark.filterwarnings("ignore::UserWarning")
@every("name", ["a.csv", "a.tsv", "a.txt", "a.json", "a.jsonl", "a.csv.gz", "folder"])
@every("begin", ["", "good"])
def test_a_row_without_an_end_is_named_and_not_kept_in_memory(tmp_path: Path, name: str, begin: str) -> None:
    """A sparse file of gigabytes, alone and after a valid row."""
    path = tmp_path / name
    start = CONTENTS.get(name.removesuffix(".gz"), "good\n") if begin else ""
    if name == "folder":
        (path / "x").mkdir(parents=True)
    if name.endswith(".gz"):
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(start.encode() + bytes(1 << 24))
    else:
        with (path / "x" / "1" if name == "folder" else path).open("wb") as file:
            file.write(start.removesuffix("]").encode() + (b", " if name == "a.json" and begin else b""))
            file.truncate(5 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="longer than 1,000,000 characters") as wrong:
            pairs(path, max_row_length=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 26
    assert re.search(r"line \d|row \d|x/1", str(wrong.value))


def test_endless_lines_of_vectors_rationales_and_standard_input_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    with path.open("wb") as file:
        file.write(b"good 1 2\nbad ")
        file.truncate(5 << 30)
    with pytest.raises(DataError, match=r"line 2 \(.*v\.txt\): longer than"):
        load_vectors(path)
    with pytest.raises(DataError, match="standard input: longer than 1,000 characters"):
        read_text(io.BytesIO(b"x" * 5000), "utf-8", "standard input", 1000)
