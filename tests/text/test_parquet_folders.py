"""Laws of folders of Parquet files: the parts of a table are read as the table, and splits by their names."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import textlrp
from textlrp.errors import DataError, OptionError

ROWS = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(7)]


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@given(cuts=st.lists(st.integers(1, 6), max_size=3, unique=True))
def test_parts_of_a_table_are_read_as_the_table(cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("parts")
    write(folder / "whole.parquet", ROWS)
    edges = [0, *sorted(cuts), len(ROWS)]
    for number, (start, end) in enumerate(pairwise(edges)):
        write(folder / "parts" / f"part-{number:05}.parquet", ROWS[start:end])
    (folder / "parts" / "_SUCCESS").touch()
    (folder / "parts" / ".part-00000.parquet.crc").touch()
    parts, whole = (textlrp.load_corpus(folder / name) for name in ("parts", "whole.parquet"))
    assert [(each.id, each.text, each.label) for each in parts] == [
        (each.id, each.text, each.label) for each in whole
    ]


def test_a_split_is_chosen_by_name(tmp_path: Path) -> None:
    for name, rows in (("train-00000-of-00002", ROWS[:2]), ("train-00001-of-00002", ROWS[2:4])):
        write(tmp_path / f"{name}.parquet", rows)
    assert len(textlrp.load_corpus(tmp_path)) == 4
    write(tmp_path / "test-00000-of-00001.parquet", ROWS[4:])
    assert textlrp.load_corpus(tmp_path, split="train").texts == [row["text"] for row in ROWS[:4]]
    assert textlrp.load_corpus(tmp_path, split="test").texts == [row["text"] for row in ROWS[4:]]
    with pytest.raises(OptionError, match="split must be one of 'test', 'train'; got None"):
        textlrp.load_corpus(tmp_path)
    write(tmp_path / "test-more-00000-of-00001.parquet", ROWS)
    assert len(textlrp.load_corpus(tmp_path, split="test")) == 3
    write(tmp_path / "more.parquet", ROWS)
    with pytest.raises(OptionError, match="split must be None for a folder without splits"):
        textlrp.load_corpus(tmp_path, split="train")


def test_a_damaged_part_and_a_part_with_other_columns_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ROWS)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"b\.parquet: not a readable Parquet file"):
        list(textlrp.load_corpus(tmp_path))
    write(tmp_path / "b.parquet", [{"number": "x", "other": "y"}])
    with pytest.raises(DataError, match=r"b\.parquet"):
        list(textlrp.load_corpus(tmp_path, text="text"))


def test_bad_rows_are_numbered_through_all_parts(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ROWS[:3])
    write(tmp_path / "b.parquet", [ROWS[3], {"text": "", "label": "a"}])
    corpus = textlrp.load_corpus(tmp_path, skip_bad=True)
    assert [document.id for document in corpus] == ["1", "2", "3", "4"]
    assert list(corpus.rejected) == [5]
    assert corpus.rejected[5].startswith("row 5: text is missing")
