"""Long tables contain the same values as the explanations that :func:`textlrp.store.read` returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from explanations import make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st
from test_columns import about, make_row, some_rows

from textlrp import store
from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.store.columns import TableRow, to_table


def lines_of(why: Explanation) -> list[tuple[object, ...]]:
    spans, words = why.tokens.spans.tolist(), why.tokens.forms
    found = []
    for k, target in enumerate(why.targets):
        one, other = target if isinstance(target, tuple) else (target, None)
        for t, (start, end) in enumerate(spans):
            versus = None if other is None else why.labels[other]
            value = float(why.relevance[k, t])
            found.append((why.document_id, why.labels[one], versus, words[t], start, end, int(why.status[t]), value))
    return found


def lines_in(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(line.values())[1:] for line in table.to_pylist()]


@settings(max_examples=40, deadline=None)
@given(some_rows(), st.sampled_from(["float16", "float32"]))
def test_rows_of_a_bulk_run_have_a_line_for_each_target_and_word(rows: list[TableRow], precision: str) -> None:
    table = to_table(rows, about(precision))
    (found,) = store.long_tables(table)
    assert lines_in(found) == [line for why in store.read(table) for line in lines_of(why)]
    assert found.schema.equals(next(iter(store.long_tables(table.slice(0, 0)))).schema)


def test_files_of_whole_explanations_and_folders_are_read_too(tmp_path: Path) -> None:
    whys = [make_explanation("one"), make_explanation("two")]
    path = store.write(whys, tmp_path / "part-000000.parquet")
    expected = [line for why in store.read(path) for line in lines_of(why)]
    assert expected
    for source in (path, tmp_path):
        assert [line for table in store.long_tables(source) for line in lines_in(table)] == expected
    (found,) = store.long_tables(to_table([make_row(np.ones((2, 3)))], about()))
    assert found["relevance"].type == pa.float32()


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no explanations found: "):
        list(store.long_tables(tmp_path))
    wrong = tmp_path / "x.parquet"
    wrong.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="is damaged"):
        list(store.long_tables(wrong))
