"""Files as other programs write them: each has a function that writes it, and the texts and labels that it contains.

    python tests/helpers/awkward_files.py            print the table

Add a file here if a user has one that a person can read and textlrp cannot.
"""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import json
import lzma
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import textlrp
from textlrp.errors import TextlrpError

Pairs = list[tuple[str, Any]]

ROWS: Pairs = [
    ("A good film, really.", "pos"),
    ('She said "wow"; twice', "neg"),
    ("Two lines:\nthe plot | the end", "pos"),
    ("Café – naïve, dull and far too long", "neg"),
]
"""Texts that contain each delimiter, quotes, a line end, and letters outside ASCII."""

PLAIN: Pairs = [
    ("A good film about a dog", "pos"),
    ("The plot is thin and the end is dull", "neg"),
    ("Fine music and a fine cast", "pos"),
]
"""For formats that cannot contain delimiters or line ends."""

NUMBERED: Pairs = [(text, {"pos": "1", "neg": "0"}[label]) for text, label in ROWS]


class AwkwardFile(NamedTuple):
    """A file of another program: what it is, its name, its content, the pairs in it, and the options to pass."""

    what: str
    name: str
    write: Callable[[Path], object]
    pairs: Pairs = ROWS
    options: Mapping[str, Any] = MappingProxyType({})


def frame(pairs: Pairs = ROWS, text: str = "text", label: str = "label") -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=[text, label])


def table(**options: Any) -> Callable[[Path], object]:
    """Write the rows with pandas."""
    names = {name: options.pop(name) for name in ("text", "label") if name in options}
    return lambda path: frame(**names).to_csv(path, **{"index": False, **options})


def data(content: str | bytes, encoding: str = "utf-8") -> Callable[[Path], object]:
    """Write a content as it is, with its line ends."""
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))


def dumped(value: Any, **options: Any) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(value, **options), encoding="utf-8")


def lines(values: Sequence[Any]) -> Callable[[Path], object]:
    return data("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def packed(pack: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(pack(frame().to_csv(index=False).encode()))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("reviews/", "")
        archive.writestr("reviews/train.csv", frame().to_csv(index=False))
        archive.writestr("__MACOSX/reviews/._train.csv", b"\0\1\2")


def zstandard(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(frame().to_csv(index=False).encode())


def workbook(sheets: dict[str, Sequence[Sequence[Any]]], merged: str = "") -> Callable[[Path], object]:
    def write(path: Path) -> None:
        from openpyxl import Workbook

        book = Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
            if merged and name == next(iter(sheets)):
                sheet.merge_cells(merged)
        book.save(path)

    return write


def saved_dataset(
    splits: dict[str, Pairs], names: Sequence[str] = ("neg", "pos"), shards: int = 1
) -> Callable[[Path], None]:
    """Write a folder as ``save_to_disk`` of Hugging Face's datasets does; a single split named "" has no folder."""

    names = ["neg", "pos"]

    def write(path: Path) -> None:
        if "" not in splits:
            path.mkdir()
            (path / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
        for split, pairs in splits.items():
            folder = path / split
            folder.mkdir()
            features = {
                "text": {"dtype": "string", "_type": "Value"},
                "label": {"names": names, "_type": "ClassLabel"},
            }
            files = [f"data-{shard:05d}-of-{shards:05d}.arrow" for shard in range(shards)]
            for shard, file in enumerate(files):
                part = pairs[shard::shards]
                ids = [-1 if label is None else names.index(label) for _, label in part]
                rows = pa.table({"text": [text for text, _ in part], "label": pa.array(ids, pa.int64())})
                with pa.OSFile(str(folder / file), "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as stream:
                    stream.write_table(rows)
            state = {"_data_files": [{"filename": file} for file in files], "_split": split or None}
            (folder / "state.json").write_text(json.dumps(state))
            (folder / "dataset_info.json").write_text(json.dumps({"features": features}))

    return write


def hub_parquet(path: Path) -> None:
    """Write a Parquet file as ``Dataset.to_parquet`` and the Hub do: classes are numbers, named in the metadata."""
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    ids = [("neg", "pos").index(label) for _, label in ROWS]
    rows = pa.table({"text": [text for text, _ in ROWS], "label": ids})
    info = json.dumps({"info": {"features": features}})
    pq.write_table(rows.replace_schema_metadata({"huggingface": info}), path)


def class_folders(path: Path) -> None:
    for number, (text, label) in enumerate(sorted(ROWS, key=lambda row: row[1])):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{number}.txt").write_bytes(text.encode())


def label_studio(pairs: Pairs) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "annotations": [{"id": 9, "result": [{"type": "choices", "value": {"choices": [label]}}]}],
            "data": {"text": text, "source": "form"},
            "meta": {},
        }
        for number, (text, label) in enumerate(pairs)
    ]


def escaped(text: str) -> str:
    return text.replace('"', '\\"')


QUOTED = "".join(f'"{escaped(text)}","{label}"\n' for text, label in ROWS)
R_ROWS = [f'"{n}" "{escaped(text)}" "{label}"\n' for n, (text, label) in enumerate(ROWS, 1)]
R_TABLE = '"text" "label"\n' + "".join(R_ROWS)
FASTTEXT = "".join(f"__label__{label} {text}\n" for text, label in PLAIN)
SPAM: Pairs = [(text, {"pos": "ham", "neg": "spam"}[label]) for text, label in PLAIN]
MISSING: Pairs = [(text, None if n == 1 else label) for n, (text, label) in enumerate(ROWS)]
SHEET: Sequence[Sequence[Any]] = [["Text", "Label"], *ROWS]
TITLED = [(f"Title {n}", text, label) for n, (text, label) in enumerate(ROWS)]
JOINED: Pairs = [(f"Title {n}\n\n{text}", label) for n, (text, label) in enumerate(ROWS)]

FILES = (
    # ---- spreadsheets and their exports
    AwkwardFile(
        "Excel, CSV UTF-8 (byte order mark, CRLF)", "a.csv", table(encoding="utf-8-sig", lineterminator="\r\n")
    ),
    AwkwardFile(
        "Excel, German: semicolons, cp1252",
        "a.csv",
        table(sep=";", encoding="cp1252"),
        options={"encoding": "cp1252"},
    ),
    AwkwardFile("Excel, first line sep=;", "a.csv", data("sep=;\r\n" + frame().to_csv(sep=";", index=False))),
    AwkwardFile("Excel, Unicode text (UTF-16, tabs)", "a.txt", table(sep="\t", encoding="utf-16")),
    AwkwardFile("UTF-16 without a byte order mark", "a.csv", table(encoding="utf-16-le")),
    AwkwardFile(
        "Excel for Mac: lines end with CR",
        "a.csv",
        data(frame(PLAIN).to_csv(index=False, lineterminator="\r")),
        PLAIN,
    ),
    AwkwardFile(
        "Excel, empty columns and rows at the end",
        "a.csv",
        data("text;label;;\nA b;pos;;\nc d;neg;;\n;;;\n;;;\n"),
        [("A b", "pos"), ("c d", "neg")],
    ),
    AwkwardFile(
        "rows end with a delimiter, the header does not",
        "a.csv",
        data("text,label\nA b,pos,\nc d,neg,\n"),
        [("A b", "pos"), ("c d", "neg")],
    ),
    AwkwardFile(
        "Google Sheets, TSV",
        "a.tsv",
        data("Text\tLabel\r\n" + "".join(f"{t}\t{label}\r\n" for t, label in PLAIN)),
        PLAIN,
    ),
    AwkwardFile(
        "a workbook: other case, title above the header",
        "a.xlsx",
        workbook({"Tabelle1": [["Survey of 2024"], [], *SHEET]}),
    ),
    AwkwardFile(
        "a workbook: numbers, dates, truth values, empty cells",
        "a.xlsx",
        workbook(
            {
                "Sheet1": [
                    ["id", "text", "label"],
                    [7, 12.5, 1],
                    [8, True, 2.0],
                    [9, datetime.datetime(2024, 1, 31), None],
                    [10, "#N/A!", "x"],
                ]
            }
        ),
        [("12.5", "1"), ("TRUE", "2"), ("2024-01-31", None), ("#N/A!", "x")],
    ),
    AwkwardFile(
        "a workbook: an empty sheet first", "a.xlsx", workbook({"Notes": [], "Data": SHEET, "More": [["x"]]})
    ),
    AwkwardFile(
        "a workbook: a sheet by name",
        "a.xlsx",
        workbook({"Notes": [["nothing"]], "Data": SHEET}),
        options={"sheet": "Data"},
    ),
    AwkwardFile(
        "a workbook: no header, labels first", "a.xlsx", workbook({"Sheet1": [row[::-1] for row in PLAIN]}), PLAIN
    ),
    AwkwardFile("a workbook: a merged title", "a.xlsx", workbook({"S": [["Survey", None], *SHEET]}, merged="A1:B1")),
    # ---- pandas
    AwkwardFile("pandas, with its index", "a.csv", table(index=True)),
    AwkwardFile(
        "pandas, an index saved twice", "a.csv", lambda path: frame().reset_index(names="Unnamed: 0").to_csv(path)
    ),
    AwkwardFile("pandas, index without a name for R", "a.csv", table(index=True, index_label=False)),
    AwkwardFile("pandas, pipes", "a.csv", table(sep="|")),
    AwkwardFile("pandas, tabs in a .csv", "a.csv", table(sep="\t")),
    AwkwardFile("pandas, single quotes", "a.csv", table(sep=";", quotechar="'", quoting=csv.QUOTE_ALL)),
    AwkwardFile("pandas, escaped instead of doubled quotes", "a.csv", table(doublequote=False, escapechar="\\")),
    AwkwardFile(
        "pandas, no header",
        "a.csv",
        lambda path: frame().to_csv(path, index=False, header=False),
        options={"columns": "text,label"},
    ),
    AwkwardFile(
        "no header, labels first", "a.csv", data("".join(f"{label},{text}\n" for text, label in PLAIN)), PLAIN
    ),
    AwkwardFile("pandas, numeric labels", "a.csv", lambda path: frame(NUMBERED).to_csv(path, index=False), NUMBERED),
    AwkwardFile(
        "pandas, labels missing in some rows", "a.csv", lambda path: frame(MISSING).to_csv(path, index=False), MISSING
    ),
    AwkwardFile("pandas, to_json", "a.json", lambda path: frame().to_json(path)),
    AwkwardFile(
        "pandas, to_json(orient='split', indent=2)",
        "a.json",
        lambda path: frame().to_json(path, orient="split", indent=2),
    ),
    AwkwardFile("pandas, to_json(orient='index')", "a.json", lambda path: frame().to_json(path, orient="index")),
    AwkwardFile("pandas, to_json(orient='table')", "a.json", lambda path: frame().to_json(path, orient="table")),
    AwkwardFile(
        "pandas, to_json(orient='values')", "a.json", lambda path: frame(PLAIN).to_json(path, orient="values"), PLAIN
    ),
    # ---- packed
    AwkwardFile("gzip", "a.csv.gz", packed(gzip.compress)),
    AwkwardFile("bzip2", "a.csv.bz2", packed(bz2.compress)),
    AwkwardFile("xz", "a.csv.xz", packed(lzma.compress)),
    AwkwardFile("Zstandard", "a.csv.zst", zstandard),
    AwkwardFile("Kaggle: a .zip made on a Mac", "archive.zip", zipped),
    # ---- R and databases
    AwkwardFile("R, write.csv", "a.csv", table(index=True, quoting=csv.QUOTE_ALL)),
    AwkwardFile("R, write.table: blanks, row names", "a.txt", data(R_TABLE)),
    AwkwardFile(
        "R, write.table(sep='\\t', quote=FALSE)",
        "a.tsv",
        data("text\tlabel\n" + "".join(f"{n}\t{t}\t{label}\n" for n, (t, label) in enumerate(PLAIN, 1))),
        PLAIN,
    ),
    AwkwardFile("MySQL, INTO OUTFILE with quotes", "a.csv", data('"text","label"\n' + QUOTED)),
    AwkwardFile(
        "psql, COPY: \\N for a missing value",
        "a.tsv",
        data("id\ttext\tlabel\n1\tA b\tpos\n2\tc d\t\\N\n"),
        [("A b", "pos"), ("c d", None)],
    ),
    AwkwardFile(
        "psql, \\copy to csv, NULL empty",
        "a.csv",
        data('id,text,label\n1,"A, b",pos\n2,c d,\n'),
        [("A, b", "pos"), ("c d", None)],
    ),
    # ---- other tables
    AwkwardFile(
        "a blank after each comma",
        "a.csv",
        data('text, label\n"A good, old film", pos\n"c d", neg\n'),
        [("A good, old film", "pos"), ("c d", "neg")],
    ),
    AwkwardFile(
        "comments above the header",
        "a.csv",
        data("# exported on 2024-01-31, by me\n#\ntext,label\nA b,pos\nc d,neg\n"),
        [("A b", "pos"), ("c d", "neg")],
    ),
    AwkwardFile(
        "a title and a blank line above the header",
        "a.csv",
        data("Report of March\n\ntext;label\nA b;pos\nc d;neg\n"),
        [("A b", "pos"), ("c d", "neg")],
    ),
    AwkwardFile(
        "two columns with the same name",
        "a.csv",
        data("note,text,label,note\nx,A b,pos,y\nx,c d,neg,y\n"),
        [("A b", "pos"), ("c d", "neg")],
    ),
    AwkwardFile(
        "names in capitals, with blanks",
        "a.csv",
        data(" TEXT , Label \nA b,pos\nc d,neg\n"),
        [("A b", "pos"), ("c d", "neg")],
    ),
    AwkwardFile("Kaggle: Review and Sentiment", "a.csv", table(text="Review", label="Sentiment")),
    AwkwardFile(
        "title and body",
        "a.csv",
        lambda path: pd.DataFrame(TITLED, columns=["Title", "Body", "Label"]).to_csv(path),
        JOINED,
        {"text": "title,body"},
    ),
    AwkwardFile(
        "UCI: SMSSpamCollection, no suffix",
        "SMSSpamCollection",
        data("".join(f"{label}\t{text}\n" for text, label in SPAM)),
        SPAM,
    ),
    AwkwardFile(
        "emotions: text;label in a .txt",
        "train.txt",
        data("".join(f"{text.lower()};{label}\n" for text, label in PLAIN)),
        [(text.lower(), label) for text, label in PLAIN],
    ),
    AwkwardFile("fastText", "a.txt", data(FASTTEXT), PLAIN),
    AwkwardFile(
        "fastText with tabs, packed (Amazon reviews)",
        "train.ft.txt.bz2",
        lambda path: path.write_bytes(bz2.compress(FASTTEXT.replace(" ", "\t", 1).encode())),
        PLAIN,
    ),
    AwkwardFile(
        "one text per line",
        "a.txt",
        data("".join(f"{text}\n" for text, _ in PLAIN)),
        [(text, None) for text, _ in PLAIN],
    ),
    # ---- JSON
    AwkwardFile(
        "an array of objects", "a.json", dumped([{"text": t, "label": label} for t, label in ROWS], indent=2)
    ),
    AwkwardFile("JSON lines in a .json", "a.json", lines([{"text": t, "label": label} for t, label in ROWS])),
    AwkwardFile(
        "jq: objects over several lines",
        "a.json",
        data("".join(json.dumps({"text": t, "label": label}, indent=2) + "\n" for t, label in ROWS)),
    ),
    AwkwardFile(
        '{"data": [...]}',
        "a.json",
        dumped({"version": "1.0", "data": [{"text": t, "label": label} for t, label in ROWS]}),
    ),
    AwkwardFile(
        "one list per column", "a.json", dumped({"text": [t for t, _ in ROWS], "label": [label for _, label in ROWS]})
    ),
    AwkwardFile(
        "one list per split",
        "a.json",
        dumped({"train": [{"text": t, "label": label} for t, label in ROWS], "test": [{"text": "x"}]}),
        options={"split": "train"},
    ),
    AwkwardFile("an array of texts", "a.json", dumped([t for t, _ in ROWS]), [(t, None) for t, _ in ROWS]),
    AwkwardFile("an array of pairs", "a.json", dumped(PLAIN), PLAIN),
    AwkwardFile(
        "label only in later rows",
        "a.jsonl",
        lines([{"text": "A b"}, {"text": "c d", "Sentiment": "neg"}]),
        [("A b", None), ("c d", "neg")],
    ),
    AwkwardFile("Label Studio, JSON", "a.json", dumped(label_studio(ROWS)), [(t, (label,)) for t, label in ROWS]),
    AwkwardFile(
        "Label Studio, JSON-MIN",
        "a.json",
        dumped([{"id": n, "text": t, "sentiment": label, "annotator": 1} for n, (t, label) in enumerate(ROWS)]),
    ),
    AwkwardFile(
        "Prodigy, textcat",
        "a.jsonl",
        lines([{"text": t, "_input_hash": 1, "label": label, "answer": "accept"} for t, label in ROWS]),
    ),
    AwkwardFile(
        "Prodigy, choice",
        "a.jsonl",
        lines([{"text": t, "options": [{"id": "pos"}], "accept": [label]} for t, label in ROWS]),
        [(t, (label,)) for t, label in ROWS],
        {"label": "accept"},
    ),
    AwkwardFile(
        "Doccano, JSONL",
        "a.jsonl",
        lines([{"id": n, "text": t, "label": [label]} for n, (t, label) in enumerate(ROWS)]),
        [(t, (label,)) for t, label in ROWS],
    ),
    # ---- Hugging Face and folders
    AwkwardFile("datasets, save_to_disk", "saved", saved_dataset({"": ROWS})),
    AwkwardFile(
        "datasets, several files, no labels in the test",
        "saved",
        saved_dataset({"": [("a", None), ("b", "pos"), ("c", None), ("d", "neg")]}, shards=2),
        [("a", None), ("c", None), ("b", "pos"), ("d", "neg")],
    ),
    AwkwardFile(
        "datasets, a split of several",
        "saved",
        saved_dataset({"train": ROWS, "test": PLAIN}),
        PLAIN,
        {"split": "test"},
    ),
    AwkwardFile("a Parquet file of the Hub", "train-00000-of-00001.parquet", hub_parquet),
    AwkwardFile("a folder of class folders", "posts", class_folders, sorted(ROWS, key=lambda row: row[1])),
)


def read_pairs(file: AwkwardFile, folder: Path) -> Pairs:
    """Write the file to a folder, and read its texts and labels."""
    path = folder / file.name
    file.write(path)
    return [(document.text, document.label) for document in textlrp.load_corpus(path, **file.options)]


def main() -> None:
    warnings.simplefilter("ignore")
    read = 0
    print("| file | name | options | rows | read |\n|---|---|---|---|---|")
    for file in FILES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found: Any = read_pairs(file, Path(folder))
            except TextlrpError as refusal:
                found = str(refusal).replace(folder, "")
        read += found == file.pairs
        options = ", ".join(f"{name}={value!r}" for name, value in file.options.items()) or "none"
        outcome = "yes" if found == file.pairs else f"NO: {found}"
        print(f"| {file.what} | `{file.name}` | {options} | {len(file.pairs)} | {outcome} |".replace("\n", "⏎"))
    print(f"\n{read} of {len(FILES)} files read, {len(FILES) - read} refused or misread")


if __name__ == "__main__":
    main()
