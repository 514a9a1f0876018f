"""Every file of the table in :mod:`awkward_files` is read: texts, labels, and the commands on some of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from awkward_files import FILES, PLAIN, ROWS, AwkwardFile, read_pairs, saved_dataset, workbook
from cases import every

import textlrp
from textlrp.cli import main
from textlrp.errors import DataError, MissingExtraError, TextlrpError

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
    "Excel, German: semicolons, cp1252",
    "Excel, first line sep=;",
    "a workbook: other case, title above the header",
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


@every("what", COMMANDS)
def test_a_model_is_trained_on_an_awkward_file_and_predicts_it(
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
