"""Rows of a bulk run are read back as they were stored, and the relevance of dropped words is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.store import read, row_groups, to_frame
from textlrp.store.columns import RunMetadata, TableRow, run_metadata_of, to_table
from textlrp.store.row_groups import write_parquet

CLASSES = ("autos", "med", "space")
WORDS = ("the", "doctor", "café", "<b>", "🚀", "")


def about(precision: Any = "float32", top_k: int | None = None) -> RunMetadata:
    return RunMetadata(CLASSES, "lrp", "Epsilon(epsilon=1e-06)", "cnn-0123abcd", "0.1.0", precision, top_k)


def make_row(relevance: Any, place: int = 0, seed: int = 0, left_out: float = 0.0) -> TableRow:
    """A row with the given relevance (K, L); the other fields are random."""
    draw = np.random.default_rng(seed)
    relevance = np.asarray(relevance, dtype=np.float32)
    targets, length = relevance.shape
    starts = 5 * np.arange(length)
    return TableRow(
        row=place,
        document_id=f"doc <{place}>",
        true_label=None if seed % 2 else "med",
        predicted=CLASSES[seed % 3],
        scores=draw.normal(size=3).astype(np.float32),
        targets=[(seed + k) % 3 for k in range(targets)],
        versus=[-1 if k % 2 else (seed + k + 1) % 3 for k in range(targets)],
        words=[WORDS[(seed + n) % len(WORDS)] for n in range(length)],
        spans=np.stack([starts, starts + 4], axis=1).astype(np.int32),
        status=np.where(draw.random(length) < 0.8, 0, 3).astype(np.uint8),
        relevance=relevance,
        absorbed=draw.normal(size=targets).astype(np.float32),
        left_out=np.full(targets, left_out, np.float32),
    )


BRIEF = settings(deadline=None, max_examples=60)

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0])


@st.composite
def some_rows(draw: st.DrawFn, numbers: st.SearchStrategy[float] = NUMBERS) -> list[TableRow]:
    rows = []
    for place in range(draw(st.integers(0, 4))):
        targets, length = draw(st.integers(1, 3)), draw(st.integers(0, 6))
        values = draw(st.lists(numbers, min_size=targets * length, max_size=targets * length))
        rows.append(make_row(np.array(values, np.float32).reshape(targets, length), place, draw(st.integers(0, 9))))
    return rows


def relevance_of(table: pa.Table) -> list[Any]:
    return [why.relevance for why in read(table)]


def size(values: Any) -> float:
    return float(np.abs(np.asarray(values, dtype=np.float64)).max(initial=0.0))


# ---- writing and reading back


@BRIEF
@given(rows=some_rows())
def test_float32_is_restored_bit_for_bit(rows: list[TableRow]) -> None:
    found = relevance_of(to_table(rows, about()))
    assert [stored.tobytes() for stored in found] == [row.relevance.tobytes() for row in rows]
    assert [stored.shape for stored in found] == [row.relevance.shape for row in rows]
    assert {stored.dtype for stored in found} <= {np.dtype(np.float32)}


@BRIEF
@given(rows=some_rows(st.floats(-(2.0**99), 2.0**99, width=32) | st.floats(-(2.0**-99), 2.0**-99, width=32)))
def test_float16_has_an_error_of_at_most_a_thousandth_of_the_largest(rows: list[TableRow]) -> None:
    for row, stored in zip(rows, relevance_of(to_table(rows, about("float16"))), strict=True):
        assert stored.shape == row.relevance.shape
        assert stored.dtype == np.float32
        assert size(stored.astype(np.float64) - row.relevance) <= 1e-3 * size(row.relevance)


@BRIEF
@given(rows=some_rows(), precision=st.sampled_from(["float16", "float32"]))
def test_all_other_columns_are_restored(rows: list[TableRow], precision: str) -> None:
    found = to_table(rows, about(precision)).to_pylist()
    assert len(found) == len(rows)
    for row, stored in zip(rows, found, strict=True):
        assert (stored["row"], stored["document_id"], stored["true_label"]) == (
            row.row,
            row.document_id,
            row.true_label,
        )
        assert (stored["predicted"], stored["targets"], stored["versus"]) == (row.predicted, row.targets, row.versus)
        assert stored["words"] == row.words
        assert list(zip(stored["starts"], stored["ends"], strict=True)) == [
            tuple(span) for span in row.spans.tolist()
        ]
        assert stored["status"] == row.status.tolist()
        for name in ("scores", "absorbed", "left_out"):
            assert stored[name] == getattr(row, name).tolist()
        assert [len(values) for values in stored["relevance"]] == [len(row.words)] * len(row.targets)
        assert precision == "float16" or stored["scale"] == 1


@BRIEF
@given(rows=some_rows(), precision=st.sampled_from(["float16", "float32"]), cut=st.integers(0, 4))
def test_concatenated_and_sliced_tables_are_read_the_same(rows: list[TableRow], precision: str, cut: int) -> None:
    whole = to_table(rows, about(precision))
    together = pa.concat_tables([to_table(rows[:cut], about(precision)), to_table(rows[cut:], about(precision))])
    sliced = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    for table in (together, sliced):
        assert table.schema.equals(whole.schema, check_metadata=True)
        found = relevance_of(table)
        assert [stored.tobytes() for stored in found] == [stored.tobytes() for stored in relevance_of(whole)]
        assert to_frame(read(table)).equals(to_frame(read(whole)))


def test_a_table_contains_its_metadata() -> None:
    metadata = about("float16", 7)
    table = to_table([make_row(np.ones((2, 3)))], metadata)
    assert run_metadata_of(table.schema, "it") == metadata
    assert run_metadata_of(to_table([], about()).schema, "it") == about()


def test_labels_may_be_any_text() -> None:
    labels = ("explanations 1", '"format": "rows 1"', "half \ud83d a character")
    with pytest.warns(UserWarning, match="half a surrogate pair"):
        table = to_table([replace(make_row([[1.0]]), predicted=labels[2])], replace(about(), classes=labels))
    assert next(read(table)).labels == labels
    assert table["predicted"].to_pylist() == ["half \ufffd a character"]


def test_rows_read_from_a_table_are_explanations() -> None:
    shared = replace(about(), start="centered", notes=("read this",))
    row = make_row([[3.0, -1.0, 0.5]], seed=2, left_out=0.25)
    (why,) = read(to_table([row], shared))
    assert (why.document_id, why.true_label, why.labels) == ("doc <0>", "med", CLASSES)
    assert (why.start, why.method, why.rule, why.model) == (
        "centered",
        "lrp",
        "Epsilon(epsilon=1e-06)",
        "cnn-0123abcd",
    )
    assert why.notes[0] == "read this"
    assert "text was not stored" in why.notes[1]
    assert why.targets == ((2, 0),)
    assert why.tokens.forms == tuple(row.words)
    assert list(why.tokens) == ["café", "<b> ", "🚀   "]
    assert why.text == "café <b>  🚀   "
    assert why.status.tolist() == row.status.tolist()
    assert why.counts.tolist() == [-1, -1, -1]
    assert why.probabilities is None
    assert why.ledger.keys() == {("all steps", "absorbed"), ("top-k", "left out")}
    np.testing.assert_array_equal(why.absorbed, row.absorbed + np.float32(0.25))
    assert "read this" in why.to_html()


def test_an_unknown_precision_is_refused() -> None:
    expected = r"^precision must be 'float16' or 'float32'; got 'float64'\. Pass precision='float32' for exact rel"
    with pytest.raises(OptionError, match=expected):
        to_table([], about("float64"))


# ---- only the most relevant words

DISTINCT = st.integers(-40, 40).map(float)  # many ties


@BRIEF
@given(rows=some_rows(DISTINCT), top_k=st.integers(1, 7))
def test_a_row_keeps_the_most_relevant_words_of_each_target(rows: list[TableRow], top_k: int) -> None:
    for row in rows:
        kept = row.most_relevant(top_k)
        starts = kept.spans[:, 0].tolist()
        places = [row.spans[:, 0].tolist().index(start) for start in starts]
        assert places == sorted(places)
        expected: set[int] = set()
        for stored in row.relevance:
            order = sorted(range(len(stored)), key=lambda place: (-abs(stored[place]), place))  # on a tie, the first
            expected |= {place for place in order[:top_k] if stored[place]}
        assert set(places) == expected
        assert kept.words == [row.words[place] for place in places]
        np.testing.assert_array_equal(kept.relevance, row.relevance[:, places])
        np.testing.assert_array_equal(kept.status, row.status[places])


@BRIEF
@given(rows=some_rows(st.floats(-100, 100, width=32)), top_k=st.integers(1, 4), before=st.sampled_from([0.0, 2.5]))
def test_the_relevance_of_dropped_words_is_counted(rows: list[TableRow], top_k: int, before: float) -> None:
    rows = [make_row(row.relevance, row.row, row.row, before) for row in rows]
    for row, stored in zip(rows, to_table(rows, about(top_k=top_k)).to_pylist(), strict=True):
        kept = np.array(stored["relevance"], dtype=np.float64).reshape(row.relevance.shape[0], -1)
        left_out = np.array(stored["left_out"])
        np.testing.assert_allclose(
            kept.sum(axis=1) + left_out, row.relevance.sum(axis=1, dtype=np.float64) + before, atol=2e-4
        )
        assert stored["absorbed"] == row.absorbed.tolist()
        assert kept.shape[1] <= top_k * len(row.targets)


def test_kept_and_dropped_relevance_sum_to_the_total() -> None:
    row = make_row([[3.0, -1.0, 0.5, 0.0], [0.25, 0.0, -4.0, 1.0]])
    (stored,) = to_table([row], about(top_k=1)).to_pylist()
    assert stored["words"] == [row.words[0], row.words[2]]
    assert stored["relevance"] == [[3.0, 0.5], [0.25, -4.0]]
    assert stored["left_out"] == [-1.0, 1.0]


# ---- as a DataFrame


@BRIEF
@given(rows=some_rows())
def test_a_frame_has_one_line_per_document_target_and_word(rows: list[TableRow]) -> None:
    found = to_frame(read(to_table(rows, about())))
    names = [
        CLASSES[one] + (f", not {CLASSES[other]}" if other >= 0 else "")
        for row in rows
        for one, other in zip(row.targets, row.versus, strict=True)
    ]
    lines = [(row, k, n) for row in rows for k in range(len(row.targets)) for n in range(len(row.words))]
    assert found["document"].tolist() == [row.document_id for row, _, _ in lines]
    assert found["word"].tolist() == [row.words[n] for row, _, n in lines]
    assert found["start"].tolist() == [row.spans[n, 0] for row, _, n in lines]
    assert found["end"].tolist() == [row.spans[n, 1] for row, _, n in lines]
    assert found["seen"].tolist() == [row.status[n] == 0 for row, _, n in lines]
    assert found["relevance"].tolist() == [row.relevance[k, n] for row, k, n in lines]
    lengths = [len(row.words) for row in rows for _ in row.targets]
    assert found["class"].tolist() == [
        name for name, length in zip(names, lengths, strict=True) for _ in range(length)
    ]


# ---- files


def write_rows(path: Path, *tables: pa.Table) -> Path:
    write_parquet(tables, path, tables[0].schema)
    return path


@settings(BRIEF, max_examples=30)
@given(rows=some_rows(), precision=st.sampled_from(["float16", "float32"]))
def test_a_file_is_read_as_it_was_written(tmp_path_factory: Any, rows: list[TableRow], precision: str) -> None:
    table = to_table(rows, about(precision))
    path = write_rows(tmp_path_factory.mktemp("rows") / "some.parquet", table)
    found = pq.read_table(path)
    assert found.schema.equals(table.schema)
    assert found.to_pylist() == table.to_pylist()
    assert run_metadata_of(found.schema, "it") == about(precision)
    assert [why.to_dict() for why in read(path)] == [why.to_dict() for why in read(table)]


def test_a_folder_is_read_in_order_one_row_group_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 1)
    tables = [to_table([make_row(np.full((1, 2), n), n, n)], about()) for n in range(6)]
    write_rows(tmp_path / "part-000001.parquet", *tables[3:])
    write_rows(tmp_path / "part-000000.parquet", *tables[:3])
    (tmp_path / "run.json").write_text("{}")
    assert pq.read_metadata(tmp_path / "part-000000.parquet").num_row_groups == 3
    reader = read(tmp_path)
    assert iter(reader) is reader
    assert [why.document_id for why in reader] == [f"doc <{n}>" for n in range(6)]


def test_documents_without_a_word(tmp_path: Path) -> None:
    rows = [make_row(np.zeros((2, 0)), n, n) for n in range(2)]
    path = write_rows(tmp_path / "some.parquet", to_table(rows, about("float16", 3)))
    assert [why.relevance.shape for why in read(path)] == [(2, 0), (2, 0)]
    assert pq.read_table(path)["left_out"].to_pylist() == [[0, 0], [0, 0]]
    assert len(to_frame(read(path))) == 0


def test_other_parquet_files_are_refused(tmp_path: Path) -> None:
    table = to_table([make_row(np.ones((1, 2)))], about())
    others = {
        "unrelated": pa.table({"text": ["a"]}),
        "without metadata": table.replace_schema_metadata(None),
        "without a column": table.drop_columns(["scale"]),
        "of a newer version": table.replace_schema_metadata(
            {b"textlrp": (table.schema.metadata or {})[b"textlrp"].replace(b"explanations 2", b"explanations 3")}
        ),
        "no JSON": table.replace_schema_metadata({b"textlrp": b"{"}),
        "another JSON": table.replace_schema_metadata({b"textlrp": b"[1]"}),
    }
    for name, other in others.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(other, path)
        with pytest.raises(
            DataError, match=r"\.parquet' contains no explanations that this version of textlrp can read\. Pass"
        ):
            next(read(path))
        with pytest.raises(DataError, match=r"^the table contains no explanations"):
            read(other)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    table = to_table([make_row(np.random.default_rng(0).normal(size=(3, 200)), n) for n in range(20)], about())
    path = write_rows(tmp_path / "some.parquet", table)
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 4 : len(whole) // 2] = b"\xff" * len(middle[len(whole) // 4 : len(whole) // 2])
    for damaged in (b"", b"text,label\n", whole[:-20], whole[: len(whole) // 2], bytes(middle)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"some\.parquet' is damaged or not a Parquet file\."):
            list(read(path))


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "none", tmp_path / "none.parquet", tmp_path / "empty"):
        with pytest.raises(DataError, match=rf"^no explanations found: '.*{place.name}'\. Pass a \.jsonl or"):
            read(place)
