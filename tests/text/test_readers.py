"""Laws of the file readers: written rows are read back unchanged, and unreadable rows are named in the error."""

import csv
import gzip
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cases import every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.text.readers import Record, read_folder, read_table
from textlrp.text.row_layout import Columns

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text('a,\t"\r\n\0 ', max_size=12)
LABELS = st.text("ab,\"'\n\té", min_size=1, max_size=5).filter(lambda label: label == label.strip())
ROWS = st.lists(st.tuples(TEXTS, LABELS), min_size=1, max_size=6)


def read(path: Path, encoding: str = "utf-8", **columns: str) -> list[Record]:
    return list(read_table(path, Columns(**columns), encoding=encoding))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---- round trips

READS_ANY_TEXT = pytest.mark.filterwarnings("ignore:.*control character:UserWarning")


@READS_ANY_TEXT
@SHARED_FOLDER
@given(rows=ROWS, delimiter=st.sampled_from(",\t"), line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_csv_is_read_back_unchanged(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, line_end: str
) -> None:
    path = tmp_path / ("rows.csv" if delimiter == "," else "rows.tsv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
    assert read(path) == [Record(str(n), text, label) for n, (text, label) in enumerate(rows, 1)]


@READS_ANY_TEXT
@SHARED_FOLDER
@given(
    rows=st.lists(
        st.tuples(TEXTS, LABELS | st.integers(-(2**63), 2**63 - 1) | st.booleans()), min_size=1, max_size=6
    ),
    ascii=st.booleans(),
)
def test_jsonl_is_read_back_unchanged(tmp_path: Path, rows: list[tuple[str, Any]], ascii: bool) -> None:
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=ascii) + "\n" for text, label in rows]
    records = read(write(tmp_path / "rows.jsonl", "\n".join(lines)))
    assert records == [Record(str(n), text, label) for n, (text, label) in enumerate(rows, 1)]
    assert [type(record.label) for record in records] == [type(label) for _, label in rows]


@READS_ANY_TEXT
@SHARED_FOLDER
@given(rows=ROWS)
def test_parquet_is_read_back_unchanged(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"label": labels, "text": texts}), tmp_path / "rows.parquet")
    assert read(tmp_path / "rows.parquet") == [Record(str(n), text, label) for n, (text, label) in enumerate(rows, 1)]


@READS_ANY_TEXT
@SHARED_FOLDER
@given(text=TEXTS)
def test_files_of_a_folder_are_read_back_unchanged(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "a"
    folder.mkdir(exist_ok=True)
    write(folder / "1", text)
    assert list(read_folder(tmp_path)) == [Record("a/1", text.removeprefix("\ufeff"), "a")]


def test_csv_keeps_line_ends_delimiters_and_quotes_inside_a_field(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'label,text\r\nx,"one\r\ntwo, ""three""\n\n four "\r\n\r\ny,\r\n')
    assert read(path) == [Record("1", 'one\r\ntwo, "three"\n\n four ', "x"), Record("2", "", "y")]


def test_a_field_of_five_million_characters_is_read_and_the_limit_of_the_csv_module_is_restored(
    tmp_path: Path,
) -> None:
    usual = csv.field_size_limit(131_072)
    long = "wörd, " * 900_000
    assert read(write(tmp_path / "a.csv", f'text,label\n"{long}",a\n')) == [Record("1", long, "a")]
    assert csv.field_size_limit(usual) == 131_072


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings_and_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    given = "utf-8" if encoding == "utf-8-sig" else encoding
    path = write(tmp_path / "a.csv", "text,label\ncafé £5,grün\n".encode(encoding))
    assert read(path, given) == [Record("1", "café £5", "grün")]
    path = write(tmp_path / "a.jsonl", '{"text": "café £5"}\n'.encode(encoding))
    assert read(path, given) == [Record("1", "café £5", None)]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "A.v1.CSV.GZ"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    content = {"c": "text,label\nhello,x\n", "t": "text\tlabel\nhello\tx\n", "j": '{"text": "hello", "label": "x"}\n'}
    path = write(
        tmp_path / name, gzip.compress(content[name.lower().removeprefix("a.").removeprefix("v1.")[0]].encode())
    )
    assert read(path) == [Record("1", "hello", "x")]


# ---- columns


@pytest.mark.filterwarnings("ignore:.* is read from column :UserWarning")
@every(
    "header, columns, expected",
    [
        ("text,label,id", {}, Record("3", "1", "2")),
        ("id,target,content", {}, Record("1", "3", "2")),
        ("class,body,x", {}, Record("1", "2", "1")),
        ("category,review", {}, Record("1", "2", "1")),
        ("review, label ", {}, Record("1", "1", "2")),
        ("review", {}, Record("1", "1", None)),
        ("text,label,body", {"text": "body", "label": "text"}, Record("1", "3", "1")),
        ("a,b,c", {"text": "b", "id": "c"}, Record("3", "2", None)),
        ("label,class,text", {"text": "label"}, Record("1", "1", "2")),
    ],
)
def test_columns_are_found_by_name(tmp_path: Path, header: str, columns: dict[str, str], expected: Record) -> None:
    values = ["1", "2", "3"][: header.count(",") + 1]
    assert read(write(tmp_path / "a.csv", f"{header}\n{','.join(values)}\n"), **columns) == [expected]
    row = dict(zip((name.strip() for name in header.split(",")), values, strict=True))
    assert read(write(tmp_path / "a.jsonl", json.dumps(row)), **columns) == [expected]
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", **columns) == [expected]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_error_for_a_missing_column_lists_the_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"label": ["x"], "title": ["t"], "story": ["s"]}), path)
    else:
        write(path, "label,title,story\nx,t,s\n" if suffix == "csv" else '{"label": "x", "title": "t", "story": "s"}')
    with pytest.raises(DataError, match=r"there is no column 'review'; the columns are 'label', 'title', 'story'"):
        read(path, text="review")
    with pytest.raises(DataError, match="there is no column 'topic'"):
        read(path, text="story", label="topic")
    with pytest.raises(DataError, match="there is no column 'nr'"):
        read(path, text="story", id="nr")
    with pytest.raises(
        DataError, match=r"there is no column 'text'; the columns are 'label', 'title', 'story'. Pass text="
    ):
        read(path)


def test_the_only_column_of_strings_is_the_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"score": [1.5], "when": [7], "story": ["s"], "class": [3]}), tmp_path / "a.parquet")
    taken = (
        "the text is read from column 'story' and the label is read from column 'class'. Pass text='story', label="
    )
    with pytest.warns(UserWarning, match=taken):
        assert read(tmp_path / "a.parquet") == [Record("1", "s", 3)]


# ---- values


@every("value, label", [(None, None), ("", None), (math.nan, None), (2.0, 2), (0, 0), (False, False)])
def test_missing_labels_are_none_and_others_stay(tmp_path: Path, value: Any, label: Any) -> None:
    rows = [{"text": "a", "label": value}, {"text": "b", "label": value}]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for file in (path, tmp_path / "a.parquet"):
        assert [(record.label, type(record.label)) for record in read(file)] == [(label, type(label))] * 2


def test_a_label_may_be_missing_from_some_rows_of_jsonl(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": "b", "label": "x", "id": 7}\n')
    assert read(path) == [Record("1", "a", None), Record("7", "b", "x")]


@every(
    "row, words",
    [
        ({"text": None, "label": "x"}, "text is missing. Fill it in or drop the row."),
        ({"text": math.nan, "label": "x"}, "text is missing"),
        ({"text": 12, "label": "x"}, r"text must be a string; got 12 \(int\)"),
        ({"text": "b", "label": ["x", None]}, r"label is missing in the list \['x', None\]"),
        ({"text": "b", "label": {"a": 1}}, "label must be text, a whole number or true/false; got .*dict"),
        ({"text": "b", "label": 0.5}, "label must be text, a whole number or true/false; got 0.5"),
        ({"label": "x"}, "'text' is missing; the fields are 'label'"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": "x"}\n\n' + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=rf"line 3 \(.*a\.jsonl\): .*{words}"):
        read(path)


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        ({"text": ["a", None]}, "row 2", "text is missing"),
        ({"text": ["a", "b"], "label": [["x", None], ["y", "z"]]}, "row 1", "label is missing in the list"),
        ({"text": [b"a", b"b"]}, "row 1", r"text must be a string; got b'a' \(bytes\)"),
    ],
)
def test_a_row_of_parquet_that_cannot_be_read_is_named(
    tmp_path: Path, table: dict[str, Any], row: str, words: str
) -> None:
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"{row} \(.*a\.parquet\): {words}"):
        read(tmp_path / "a.parquet")


# ---- damage


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            'text,label\na,x\n"b\nb",y,z\n',
            r"row 2 \(.*a\.csv, line 3\): the row must have 2 fields, like the header; got 3",
        ),
        ("text,label\na,x\n\nb\n", r"row 2 \(.*a\.csv, line 4\): the row must have 2 fields, like the header; got 1"),
        ('text,label\na,x\n"b"b,y\n', r"row 2 \(.*a\.csv, line 3\): not valid CSV"),
        ('text,label\na,x\n"b,y\nc,z\n', r"row 2 \(.*a\.csv, line 3\): not valid CSV"),
        ("text;kind\na;x\nb\n", "the fields seem to be separated by ';', not ','"),
        ("text\tkind\na\tx\ty\n", r"the fields seem to be separated by '\\t', not ','"),
        ("text,label,text\na,x,b\n", "two columns are named 'text'"),
        ("text,label\0\na,x\n", "begins with NUL characters.*encoding='utf-16'"),
        ("text,label\na,x\n" + "é" * 9000 + ",y\n", None),
        (
            b"text,label\na,x\n" + b"ok\n" * 0 + b"caf\xe9,y\n",
            r"line 3 \(.*a\.csv\): the text is not UTF-8\. Pass the encoding of the file",
        ),
        (b"text,label\n" + b"a,x\n" * 50_000 + b"caf\xe9,y\n", r"line 50002 \(.*a\.csv\): the text is not UTF-8"),
        (b"text,label\na,x\nb,\xc3", r"line 3 \(.*a\.csv\): the text is not UTF-8"),
    ],
)
def test_damaged_csv_is_named(tmp_path: Path, content: str | bytes, words: str | None) -> None:
    path = write(tmp_path / "a.csv", content)
    if words is None:
        assert len(read(path)) == 2
        return
    with pytest.raises(DataError, match=words):
        read(path)


@every(
    "line, words",
    [
        (b'{"text": "b", }', "not valid JSON"),
        (b'{"text": "b"', "not valid JSON"),
        (b'["b", "x"]', r"must be a JSON object; got \['b', 'x'\] \(list\)"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"text": "caf\xe9"}', "the text is not UTF-8. Pass the encoding of the file"),
    ],
)
def test_damaged_jsonl_is_named(tmp_path: Path, line: bytes, words: str) -> None:
    path = write(tmp_path / "a.jsonl", b'{"text": "a \\ud83d\\ude00"}\n' + line + b'\n{"text": "c"}')
    with pytest.raises(DataError, match=rf"line 2 \(.*a\.jsonl\): .*{words}"):
        read(path)


def test_damaged_packed_and_parquet_files_are_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"text,label\n" + b"some words,x\n" * 500)
    for content in (packed[:40], b"text,label\na,b\n", packed[:-3]):
        with pytest.raises(DataError, match=r"cannot read .*a\.csv\.gz: "):
            read(write(tmp_path / "a.csv.gz", content))
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"text": ["some words"] * 500, "label": ["x"] * 500}), whole)
    for content in (b"", b"no parquet", whole.read_bytes()[:-20]):
        with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file "):
            read(write(tmp_path / "a.parquet", content))


@every("name", ["a.doc", "a.csv.rar", "a.xlsx.gz", "a.parquet.gz", "a.gz.b"])
def test_the_error_for_an_unknown_file_type_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        DataError, match=r"not supported\. Pass one of \.csv, \.tsv, .*\.jsonl .*\.parquet, or a folder"
    ):
        read(write(tmp_path / name, "text\na\n"))


@pytest.mark.parametrize("encoding", ["utf8000", "base64"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(OptionError, match=f"encoding must be a text encoding that Python knows; got '{encoding}'"):
        read(write(tmp_path / "a.csv", "text\na\n"), encoding)


# ---- folders and memory


def test_a_folder_is_read_in_order_with_nested_classes_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/10.txt", "a/x/1", "a/0", ".git/config", "b/.hidden", "loose"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, f"text of {name}\r\n")
    (tmp_path / "empty").mkdir()
    records = list(read_folder(tmp_path, suffix=".txt"))
    assert [(record.id, record.label) for record in records] == [
        ("loose", None),
        ("a/0", "a"),
        ("a/x/1", "a/x"),
        ("b/10", "b"),
        ("b/2", "b"),
    ]
    assert records[-1].text == "text of b/2.txt\r\n"


def test_a_file_of_a_folder_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "1", b"one\ntwo\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"line 3 \(.*1\): the text is not UTF-8\. Pass the encoding of the file"):
        list(read_folder(tmp_path))
    assert list(read_folder(tmp_path, encoding="latin-1")) == [Record("a/1", "one\ntwo\ncafé\n", "a")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_iterating_takes_constant_memory(tmp_path: Path, suffix: str) -> None:
    path, rows, text = tmp_path / f"a.{suffix}", 5_000, "some words " * 200
    if suffix == "parquet":
        pq.write_table(pa.table({"text": [f"{n} {text}" for n in range(rows)]}), path)
    else:
        head, line = ("text\n", "{} " + text) if suffix == "csv" else ("", '{{"text": "{} ' + text + '"}}')
        write(path, head + "\n".join(line.format(n) for n in range(rows)))
    sum(1 for _ in read_table(path, Columns()))
    tracemalloc.start()
    assert sum(1 for _ in read_table(path, Columns())) == rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize("name", ["train.parquet", "data/test.csv", "a.XLSX", "b.jsonl"])
def test_a_table_in_a_folder_of_texts_is_not_read_as_a_text(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    write(place, "text,label\na,b\n")
    with pytest.raises(DataError, match=r"is a table, not a text\. Pass its path"):
        list(read_folder(tmp_path))
