"""Every file of the table in :mod:`awkward_files` is read: texts, labels, and the commands on some of them."""

from __future__ import annotations

import csv
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from awkward_files import FILES, PLAIN, ROWS, AwkwardFile, frame, read_pairs, saved_dataset, workbook
from cases import every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import textlrp
from textlrp.cli import main
from textlrp.errors import DataError, MissingExtraError, TextlrpError
from textlrp.text.readers import read_rows
from textlrp.text.row_layout import Columns

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
BY_WHAT = {file.what: file for file in FILES}


def test_there_are_at_least_thirty_files() -> None:
    assert len(BY_WHAT) == len(FILES) >= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.what)
def test_the_texts_and_labels_are_read(tmp_path: Path, file: AwkwardFile) -> None:
    if file.name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    assert read_pairs(file, tmp_path) == file.pairs


COMMANDS = (
    "Excel, first line sep=;",
    "pandas, to_json",
    "R, write.table: blanks, row names",
    "fastText",
    "title and body",
    "Kaggle: a .zip made on a Mac",
    "datasets, a split of several",
)


def arguments(file: AwkwardFile) -> list[str]:
    names = {"text": "column"}
    return [f"--{names.get(name, name)}={value}" for name, value in file.options.items()]


@pytest.mark.slow
@every("what", COMMANDS)
def test_a_model_is_trained_on_every_kind_of_awkward_file_and_predicts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    train_and_predict(tmp_path, monkeypatch, capsys, what)


@every("what", ["Excel, German: semicolons, cp1252", "a workbook: other case, title above the header"])
def test_a_model_is_trained_on_an_awkward_file_and_predicts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    train_and_predict(tmp_path, monkeypatch, capsys, what)


def train_and_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = BY_WHAT[what]
    if file.name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    path = tmp_path / file.name
    file.write(path)
    assert main(["train", file.name, "-o", "model", "--model", "svm", *arguments(file)]) == 0, capsys.readouterr().err
    assert main(["predict", "model", file.name, "-o", "found.jsonl", *arguments(file)]) == 0
    found = [json.loads(line) for line in Path("found.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["predicted"] for row in found] == [label for _, label in file.pairs]
    assert f"({len(file.pairs)} of {len(file.pairs)} labeled texts)" in capsys.readouterr().err


# ---- what is said instead, where a file cannot be read


def old_workbook(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))


def two_files(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "text\na\n")
        archive.writestr("b.csv", "text\nb\n")


def half_of(file: str) -> Any:
    def write(path: Path) -> None:
        BY_WHAT[file].write(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return write


REFUSED = (
    ("a.xlsx", old_workbook, {}, "is protected by a password, or in the old .xls format. Open it in a spreadsheet"),
    ("a.xls", old_workbook, {}, "the file type .xls is not supported. Open it in a spreadsheet program"),
    (
        "a.xlsx",
        lambda path: path.write_bytes(b"text,label\n"),
        {},
        "not a readable .xlsx workbook (File is not a zip",
    ),
    ("a.xlsx", two_files, {}, "not a readable .xlsx workbook (There is no item named"),
    (
        "a.xlsx",
        workbook({"A": [["text"], ["x"]], "B": []}),
        {"sheet": "b"},
        "sheet must be one of 'A', 'B'; got 'b'.",
    ),
    ("a.xlsx", workbook({"A": [], "B": []}), {}, "contains no texts"),
    ("a.xlsx", half_of("a workbook: a merged title"), {}, "not a readable .xlsx workbook"),
    ("a.zip", two_files, {}, "must contain one file; got 2; the first is 'a.csv'. Unpack it and pass one file."),
    ("a.zip", lambda path: path.write_bytes(b"no"), {}, "not a readable .zip file"),
    ("a.csv.bz2", half_of("bzip2"), {}, "cannot read"),
    ("a.csv.xz", half_of("xz"), {}, "cannot read"),
    ("a.csv.zst", half_of("Zstandard"), {}, "cannot read"),
    ("a.csv.bz2", lambda path: path.write_bytes(b"text\n"), {}, "cannot read"),
    ("saved", saved_dataset({"train": ROWS, "test": ROWS}), {}, "split must be one of 'train', 'test'; got None."),
    ("saved", saved_dataset({"train": ROWS, "test": ROWS}), {"split": "tests"}, "The closest name is 'test'."),
    (
        "a.csv",
        lambda path: path.write_text("Text,TEXT\na,b\n"),
        {"text": "text"},
        "'text' fits several columns: 'Text'",
    ),
    (
        "a.csv",
        lambda path: path.write_text("review,comment\na,b\n"),
        {},
        "several columns may be the text: 'review', ",
    ),
    ("a.csv", lambda path: path.write_text("a,b,c\nd,e,f\n"), {"text": "a,d"}, "there is no column 'd'"),
    ("a.csv", lambda path: path.write_text("text,label\na,b,c\n"), {}, "To skip such rows, pass skip_bad=True."),
)


@every("name, write, options, message", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(
    tmp_path: Path, name: str, write: Any, options: dict[str, Any], message: str
) -> None:
    if name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    write(tmp_path / name)
    with pytest.raises(TextlrpError) as refused:
        list(textlrp.load_corpus(tmp_path / name, **options))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_workbook_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openpyxl")
    workbook({"A": [["text"], ["x" * 30_000] * 9]})(tmp_path / "a.xlsx")
    assert len(textlrp.load_corpus(tmp_path / "a.xlsx")) == 1
    monkeypatch.setattr("textlrp.text.sheet_rows._LARGEST", 1000)
    monkeypatch.setattr("textlrp.text.sheet_rows._LARGEST_RATIO", 2)
    with pytest.raises(DataError, match=r"unpacks to 0\.0 GB, \d+ times its size"):
        textlrp.load_corpus(tmp_path / "a.xlsx")


def test_a_workbook_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xlsx").touch()
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'textlrp\[xlsx\]'"):
        textlrp.load_corpus(tmp_path / "a.xlsx")


def test_no_formula_is_computed(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    workbook({"A": [["text", "label"], ["good", "=1+1"], ["=2+2", "x"]]})(tmp_path / "a.xlsx")
    corpus = textlrp.load_corpus(tmp_path / "a.xlsx", skip_bad=True)
    assert [(document.text, document.label) for document in corpus] == [("good", None)]
    assert "text is missing" in corpus.rejected[2]


def test_names_of_data_files_lead_to_no_other_folder(tmp_path: Path) -> None:
    saved_dataset({"": ROWS})(tmp_path / "saved")
    saved_dataset({"": ROWS})(tmp_path / "other")
    (tmp_path / "saved" / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": os.path.join("..", "other", "data-00000-of-00001.arrow")}]})
    )
    with pytest.raises(DataError, match="names no data files"):
        textlrp.load_corpus(tmp_path / "saved")


# ---- several text columns


def test_texts_of_several_columns_keep_their_characters_and_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('title,body,label\n" A title ","Two\n\nparts ",x\n,only a body,y\nonly a title,,x\n')
    texts = textlrp.load_corpus(path, text=("title", "body")).texts
    assert texts == [" A title \n\nTwo\n\nparts ", "only a body", "only a title"]
    assert texts == textlrp.load_corpus(path, text="Title, BODY").texts


def test_a_column_whose_name_contains_a_comma_is_one_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"title,body",title,body\none,two,three\n')
    assert textlrp.load_corpus(tmp_path / "a.csv", text="title,body").texts == ["one"]
    assert textlrp.load_corpus(tmp_path / "a.csv", text=["title", "body"]).texts == ["two\n\nthree"]


def test_a_row_without_any_of_several_texts_is_bad(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,body,label\na,b,x\n,,y\n")
    with pytest.raises(DataError, match=r"row 2 .*text is missing"):
        list(textlrp.load_corpus(tmp_path / "a.csv", text="title,body"))


def test_the_chosen_columns_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Review,Sentiment\n" + "".join(f"{text},{label}\n" for text, label in PLAIN))
    with pytest.warns(UserWarning, match="the text is read from column 'Review' and the label is read from column"):
        assert textlrp.load_corpus(tmp_path / "a.csv").labels == [label for _, label in PLAIN]
    (tmp_path / "a.csv").write_text("text,topic,intent\na,b,c\n")
    with pytest.warns(UserWarning, match="several columns may be the label: 'topic', 'intent'. No label is read"):
        assert textlrp.load_corpus(tmp_path / "a.csv").labels == [None]


@every("name", ["a.csv", "a.jsonl", "a.json", "a.parquet", "a.xlsx", "saved"])
def test_several_columns_of_every_format_are_joined(tmp_path: Path, name: str) -> None:
    rows = [{"Title": "One", "Body": "two", "text": "x"}, {"Title": "three", "Body": None, "text": "y"}]
    path, table = tmp_path / name, pa.Table.from_pylist(rows)
    if name == "a.xlsx":
        pytest.importorskip("openpyxl")
        workbook({"A": [list(rows[0]), *(list(row.values()) for row in rows)]})(path)
    elif name == "saved":
        saved_dataset({"": ROWS})(path)
        part = path / "data-00000-of-00001.arrow"
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
            out.write_table(table)
    elif name == "a.parquet":
        pq.write_table(table, path)
    elif name == "a.csv":
        path.write_text("Title,Body,text\nOne,two,x\nthree,,y\n")
    else:
        path.write_text(json.dumps(rows) if name == "a.json" else "".join(json.dumps(row) + "\n" for row in rows))
    assert textlrp.load_corpus(path, text="title, body").texts == ["One\n\ntwo", "three"]


@every("what", ["a workbook: a merged title", "datasets, a split of several", "one list per column"])
def test_many_documents_are_explained_from_an_awkward_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = BY_WHAT[what]
    if file.name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    file.write(tmp_path / file.name)
    textlrp.BagOfWordsClassifier().fit(["good film", "dull film"] * 2, ["pos", "neg"] * 2).save("model")
    assert main(["explain", "model", file.name, "-o", "why", "--workers", "1"]) == 0
    assert [why.true_label for why in textlrp.store.read("why")] == [label for _, label in file.pairs]


def test_cells_that_are_merged_with_the_one_above_have_its_value(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    rows = [["label", "text"], ["pos", "a"], [None, "b"], [None, None], [None, "c"], ["neg", "d"], [None, "e"]]
    workbook({"A": rows}, merged="A2:A5")(tmp_path / "first.xlsx")
    found = textlrp.load_corpus(tmp_path / "first.xlsx")
    assert list(zip(found.texts, found.labels, strict=True)) == [
        ("a", "pos"), ("b", "pos"), ("c", "pos"), ("d", "neg"), ("e", None)
    ]  # fmt: skip
    workbook({"A": [["text", "label"], ["a", "pos"], ["b"], ["c"]]}, merged="B2:B4")(tmp_path / "last.xlsx")
    assert textlrp.load_corpus(tmp_path / "last.xlsx").labels == ["pos"] * 3


def test_a_workbook_is_read_one_row_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    workbook({"A": [["text"], *([f"{n} " + "some words " * 100] for n in range(2000))]})(path)
    rows = read_rows(path, Columns())
    next(rows)
    tracemalloc.start()
    assert sum(1 for _ in rows) == 1999
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


# ---- what is written is read back

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
NAMES = st.sampled_from(["text", "label", "review", "sep=;", "a, b; c and d"])
TEXTS = st.text("ab\\\",;|\t\n '#é1", max_size=8) | NAMES
PAIRS = st.lists(st.tuples(TEXTS, st.sampled_from(["pos", "neg", "1"])), min_size=1, max_size=5)


@every(
    "content, expected",
    [
        ('text,label\n"a \\\\""",pos\nb,neg\n', 'a \\\\"'),
        ('text,label\n"\\\\\\""",pos\nb,neg\n', '\\\\\\"'),
        ('text,label\n"C:\\films\\",pos\nb,neg\n', "C:\\films\\"),
        ('text,label\n"sch\\""on, naja",pos\nb,neg\n', 'sch\\"on, naja'),
        ("text,label\na\\nb,pos\nb,neg\n", "a\\nb"),
        ("id,text,label\n1,good,pos,\n2,bad,neg,\n", "good"),
        ('text,label\n"\\\\",pos\nb,neg\n', "\\\\"),
        (",story\n0,topic\n1,bad\n", "topic"),
        ("text,label\n'good','pos'\nb,neg\n", "'good'"),
    ],
)
def test_what_only_resembles_another_dialect_is_kept(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert textlrp.load_corpus(tmp_path / "a.csv").texts[0] == expected


@SHARED_FOLDER
@given(
    rows=PAIRS,
    delimiter=st.sampled_from(",;|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_no_rule_for_other_dialects_changes_a_standard_file(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, quoting: Any, line_end: str
) -> None:
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
        writer.writerows([("text", "label"), *rows])
    found = textlrp.load_corpus(tmp_path / "a.csv", delimiter=delimiter)
    assert list(zip(found.texts, found.labels, strict=True)) == rows


@SHARED_FOLDER
@given(
    rows=PAIRS,
    orient=st.sampled_from(["columns", "records", "index", "split", "table", "lines"]),
    indent=st.sampled_from([0, 2]),
)
def test_every_shape_of_json_has_the_same_rows(
    tmp_path: Path, rows: list[tuple[str, str]], orient: Any, indent: int
) -> None:
    lines = orient == "lines"
    options = {"lines": True} if lines else {"indent": indent}
    frame(rows).to_json(tmp_path / "a.json", orient="records" if lines else orient, **options)
    found = textlrp.load_corpus(tmp_path / "a.json")
    assert list(zip(found.texts, found.labels, strict=True)) == rows


@settings(SHARED_FOLDER, max_examples=10)
@given(rows=PAIRS)
def test_a_workbook_has_the_rows_that_were_written(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    pytest.importorskip("openpyxl")
    rows = [(f"x{text}", label) for text, label in rows]  # a text that begins with = would be a formula
    workbook({"A": [["text", "label"], *rows]})(tmp_path / "a.xlsx")
    found = textlrp.load_corpus(tmp_path / "a.xlsx")
    assert list(zip(found.texts, found.labels, strict=True)) == rows
