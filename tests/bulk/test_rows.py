"""Rows of explanations: what is written is read back, what is left out is counted, and long is the same as wide."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from textlrp.rows import WRITING, About, Precision, Row, about_of, read_rows, relevance_of, tidy, to_table

CLASSES = ("autos", "med", "space")
WORDS = ("the", "doctor", "café", "<b>", "🚀", "")


def about(precision: Precision = "float32", top_k: int | None = None) -> About:
    return About(CLASSES, "lrp", "Epsilon(epsilon=1e-06)", "cnn-0123abcd", "0.1.0", precision, top_k)


def make_row(relevance: Any, place: int = 0, seed: int = 0, left_out: float = 0.0) -> Row:
    """A random row around relevance (K, L)."""
    draw = np.random.default_rng(seed)
    relevance = np.asarray(relevance, dtype=np.float32)
    targets, length = relevance.shape
    starts = 5 * np.arange(length)
    return Row(
        row=place,
        document_id=f"doc <{place}>",
        gold=None if seed % 2 else "med",
        predicted=CLASSES[seed % 3],
        scores=draw.normal(size=3).astype(np.float32),
        targets=[(seed + k) % 3 for k in range(targets)],
        versus=[-1 if k % 2 else (seed + k + 1) % 3 for k in range(targets)],
        words=[WORDS[(seed + n) % len(WORDS)] for n in range(length)],
        spans=np.stack([starts, starts + 4], axis=1).astype(np.int32),
        known=draw.random(length) < 0.8,
        relevance=relevance,
        absorbed=draw.normal(size=targets).astype(np.float32),
        left_out=np.full(targets, left_out, np.float32),
    )


BRIEF = settings(deadline=None, max_examples=60)

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0])


@st.composite
def some_rows(draw: st.DrawFn, numbers: st.SearchStrategy[float] = NUMBERS) -> list[Row]:
    rows = []
    for place in range(draw(st.integers(0, 4))):
        targets, length = draw(st.integers(1, 3)), draw(st.integers(0, 6))
        values = draw(st.lists(numbers, min_size=targets * length, max_size=targets * length))
        rows.append(make_row(np.array(values, np.float32).reshape(targets, length), place, draw(st.integers(0, 9))))
    return rows


def size(values: Any) -> float:
    return float(np.abs(np.asarray(values, dtype=np.float64)).max(initial=0.0))


# ---- there and back


@BRIEF
@given(rows=some_rows())
def test_float32_comes_back_to_the_bit(rows: list[Row]) -> None:
    found = relevance_of(to_table(rows, about()))
    assert [own.tobytes() for own in found] == [row.relevance.tobytes() for row in rows]
    assert [own.shape for own in found] == [row.relevance.shape for row in rows]
    assert {own.dtype for own in found} <= {np.dtype(np.float32)}


@BRIEF
@given(rows=some_rows(st.floats(-(2.0**99), 2.0**99, width=32) | st.floats(-(2.0**-99), 2.0**-99, width=32)))
def test_float16_comes_back_within_a_thousandth_of_the_rows_largest(rows: list[Row]) -> None:
    for row, own in zip(rows, relevance_of(to_table(rows, about("float16"))), strict=True):
        assert own.shape == row.relevance.shape
        assert own.dtype == np.float32
        assert size(own.astype(np.float64) - row.relevance) <= 1e-3 * size(row.relevance)


@BRIEF
@given(rows=some_rows(), precision=st.sampled_from(["float16", "float32"]))
def test_everything_else_comes_back_as_it_was(rows: list[Row], precision: Precision) -> None:
    found = to_table(rows, about(precision)).to_pylist()
    assert len(found) == len(rows)
    for row, own in zip(rows, found, strict=True):
        assert (own["row"], own["document_id"], own["gold"]) == (row.row, row.document_id, row.gold)
        assert (own["predicted"], own["targets"], own["versus"]) == (row.predicted, row.targets, row.versus)
        assert own["words"] == row.words
        assert list(zip(own["starts"], own["ends"], strict=True)) == [tuple(span) for span in row.spans.tolist()]
        assert own["known"] == row.known.tolist()
        for name in ("scores", "absorbed", "left_out"):
            assert own[name] == getattr(row, name).tolist()
        assert [len(values) for values in own["relevance"]] == [len(row.words)] * len(row.targets)
        assert precision == "float16" or own["scale"] == 1


@BRIEF
@given(rows=some_rows(), precision=st.sampled_from(["float16", "float32"]), cut=st.integers(0, 4))
def test_tables_put_together_or_cut_are_read_the_same(rows: list[Row], precision: Precision, cut: int) -> None:
    whole = to_table(rows, about(precision))
    together = pa.concat_tables([to_table(rows[:cut], about(precision)), to_table(rows[cut:], about(precision))])
    cut_of_it = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    for table in (together, cut_of_it):
        assert table.schema.equals(whole.schema, check_metadata=True)
        found = relevance_of(table)
        assert [own.tobytes() for own in found] == [own.tobytes() for own in relevance_of(whole)]
        assert tidy(table).to_pylist() == tidy(whole).to_pylist()


def test_a_table_says_what_it_is() -> None:
    said = about("float16", 7)
    table = to_table([make_row(np.ones((2, 3)))], said)
    assert about_of(table.schema) == said
    assert "0.001 of the row's largest" in (table.schema.metadata or {})[b"textlrp"].decode()
    assert about_of(to_table([], about()).schema) == about()


def test_a_table_says_what_propagation_started_from() -> None:
    said = replace(about(), start="centered", notes=("read this",))
    assert about_of(to_table([], said).schema) == said
    plain = json.loads((to_table([], about()).schema.metadata or {})[b"textlrp"])
    assert not plain.keys() & {"start", "notes"}  # a table of an older version looks the same


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^precision='float64' came; 'float16' or 'float32' is wanted\.$"):
        to_table([], about("float64"))  # type: ignore[arg-type]


# ---- the strongest words alone

DISTINCT = st.integers(-40, 40).map(float)  # many ties


@BRIEF
@given(rows=some_rows(DISTINCT), top_k=st.integers(1, 7))
def test_a_row_keeps_the_words_among_the_largest_of_some_target(rows: list[Row], top_k: int) -> None:
    for row in rows:
        kept = row.strongest(top_k)
        starts = kept.spans[:, 0].tolist()
        places = [row.spans[:, 0].tolist().index(start) for start in starts]
        assert places == sorted(places)
        wanted: set[int] = set()
        for own in row.relevance:
            order = sorted(range(len(own)), key=lambda place: (-abs(own[place]), place))  # the first of equals
            wanted |= {place for place in order[:top_k] if own[place]}
        assert set(places) == wanted
        assert kept.words == [row.words[place] for place in places]
        np.testing.assert_array_equal(kept.relevance, row.relevance[:, places])
        np.testing.assert_array_equal(kept.known, row.known[places])


@BRIEF
@given(rows=some_rows(st.floats(-100, 100, width=32)), top_k=st.integers(1, 4), before=st.sampled_from([0.0, 2.5]))
def test_what_is_left_out_is_counted(rows: list[Row], top_k: int, before: float) -> None:
    rows = [make_row(row.relevance, row.row, row.row, before) for row in rows]
    for row, own in zip(rows, to_table(rows, about(top_k=top_k)).to_pylist(), strict=True):
        kept = np.array(own["relevance"], dtype=np.float64).reshape(row.relevance.shape[0], -1)
        left_out = np.array(own["left_out"])
        np.testing.assert_allclose(
            kept.sum(axis=1) + left_out, row.relevance.sum(axis=1, dtype=np.float64) + before, atol=2e-4
        )
        assert own["absorbed"] == row.absorbed.tolist()
        assert kept.shape[1] <= top_k * len(row.targets)


def test_the_law_holds_for_what_a_row_keeps() -> None:
    row = make_row([[3.0, -1.0, 0.5, 0.0], [0.25, 0.0, -4.0, 1.0]])
    (own,) = to_table([row], about(top_k=1)).to_pylist()
    assert own["words"] == [row.words[0], row.words[2]]
    assert own["relevance"] == [[3.0, 0.5], [0.25, -4.0]]
    assert own["left_out"] == [-1.0, 1.0]


# ---- long


def lines(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "row": row.row,
            "document_id": row.document_id,
            "target": CLASSES[target],
            "versus": None if row.versus[k] < 0 else CLASSES[row.versus[k]],
            "word": word,
            "start": int(row.spans[n, 0]),
            "end": int(row.spans[n, 1]),
            "known": bool(row.known[n]),
            "relevance": float(row.relevance[k, n]),
        }
        for row in rows
        for k, target in enumerate(row.targets)
        for n, word in enumerate(row.words)
    ]


@BRIEF
@given(rows=some_rows())
def test_tidy_has_one_line_per_document_target_and_word(rows: list[Row]) -> None:
    found = tidy(to_table(rows, about()))
    assert found.to_pylist() == lines(rows)


@BRIEF
@given(rows=some_rows(st.floats(-100, 100, width=32)))
def test_tidy_agrees_with_relevance_of(rows: list[Row]) -> None:
    table = to_table(rows, about("float16"))
    expected = [value for own in relevance_of(table) for value in own.reshape(-1).tolist()]
    assert tidy(table)["relevance"].to_pylist() == expected


def test_the_types_of_tidy_are_the_same_where_nothing_is_in_it() -> None:
    some = to_table([make_row(np.ones((2, 3)))], about())
    full, empty = tidy(some), tidy(some.slice(0, 0))
    assert len(empty) == 0
    assert empty.schema.equals(full.schema)
    assert tidy(to_table([], about())).schema.equals(full.schema)
    assert tidy(some.schema.empty_table()).schema.equals(full.schema)


# ---- files


def write_rows(path: Path, *tables: pa.Table) -> Path:
    with pq.ParquetWriter(path, tables[0].schema, **WRITING) as writer:
        for table in tables:
            writer.write_table(table)
    return path


@settings(BRIEF, max_examples=30)
@given(rows=some_rows(), precision=st.sampled_from(["float16", "float32"]))
def test_a_file_gives_back_what_was_written(tmp_path_factory: Any, rows: list[Row], precision: Precision) -> None:
    table = to_table(rows, about(precision))
    path = write_rows(tmp_path_factory.mktemp("rows") / "some.parquet", table)
    found = pa.concat_tables([table.slice(0, 0), *read_rows(path)])
    assert found.schema.equals(table.schema)
    assert found.to_pylist() == table.to_pylist()
    for one in read_rows(path):
        assert about_of(one.schema) == about(precision)
        assert tidy(one).to_pylist() == tidy(table).to_pylist()


def test_a_folder_is_read_in_order_one_group_at_a_time(tmp_path: Path) -> None:
    tables = [to_table([make_row(np.full((1, 2), n), n, n)], about()) for n in range(6)]
    write_rows(tmp_path / "part-000001.parquet", *tables[3:])
    write_rows(tmp_path / "part-000000.parquet", *tables[:3])
    (tmp_path / "run.json").write_text("{}")
    reader = read_rows(tmp_path)
    assert iter(reader) is reader
    assert [one["row"].to_pylist() for one in reader] == [[n] for n in range(6)]


def test_some_columns_alone(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "some.parquet", to_table([make_row(np.ones((1, 2)))], about()))
    (one,) = read_rows(path, columns=["document_id", "words"])
    assert one.column_names == ["document_id", "words"]
    assert one.to_pylist() == [{"document_id": "doc <0>", "words": ["the", "doctor"]}]


def test_documents_without_a_word(tmp_path: Path) -> None:
    rows = [make_row(np.zeros((2, 0)), n, n) for n in range(2)]
    path = write_rows(tmp_path / "some.parquet", to_table(rows, about("float16", 3)))
    (one,) = read_rows(path)
    assert [own.shape for own in relevance_of(one)] == [(2, 0), (2, 0)]
    assert one["left_out"].to_pylist() == [[0, 0], [0, 0]]
    assert len(tidy(one)) == 0


def test_other_parquet_files_are_refused(tmp_path: Path) -> None:
    table = to_table([make_row(np.ones((1, 2)))], about())
    others = {
        "foreign": pa.table({"text": ["a"]}),
        "without what it says": table.replace_schema_metadata(None),
        "of other columns": table.drop_columns(["scale"]),
        "of a newer version": table.replace_schema_metadata(
            {b"textlrp": (table.schema.metadata or {})[b"textlrp"].replace(b"rows 1", b"rows 2")}
        ),
        "no JSON": table.replace_schema_metadata({b"textlrp": b"{"}),
        "another JSON": table.replace_schema_metadata({b"textlrp": b"[1]"}),
    }
    for name, other in others.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(other, path)
        with pytest.raises(DataError, match=r"^these are no rows of explanations that textlrp wrote"):
            next(read_rows(path))
        with pytest.raises(DataError, match=r"^these are no rows of explanations"):
            tidy(other)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    table = to_table([make_row(np.random.default_rng(0).normal(size=(3, 200)), n) for n in range(20)], about())
    path = write_rows(tmp_path / "some.parquet", table)
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 4 : len(whole) // 2] = b"\xff" * len(middle[len(whole) // 4 : len(whole) // 2])
    for damaged in (b"", b"text,label\n", whole[:-20], whole[: len(whole) // 2], bytes(middle)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"some\.parquet' is not a Parquet file, or it is damaged\.$"):
            list(read_rows(path))


def test_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "none", tmp_path / "none.parquet", tmp_path / "empty"):
        with pytest.raises(DataError, match=rf"^there are no rows of explanations at '.*{place.name}'\.$"):
            next(read_rows(place))
