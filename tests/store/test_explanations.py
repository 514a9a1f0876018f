"""Explanations written to JSON Lines or Parquet are read back unchanged; damaged files are refused."""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explanations import make_explanation, split, with_phrases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textlrp import store
from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import Phrase, Tokens
from textlrp.store import arrow_rows, columns, row_groups

every_format = pytest.mark.parametrize("file", ["out.jsonl", "out.parquet"])


def assert_same(one: object, other: object) -> None:
    """Compare recursively: same types, and arrays equal bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    elif isinstance(one, Explanation | Tokens):
        for each in fields(one):
            assert_same(getattr(one, each.name), getattr(other, each.name))
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple):
        assert isinstance(other, tuple)
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert one == other


def varied() -> list[Explanation]:
    awkward = "A\x00B <b>&amp;</b>\r\n\u2028 👩‍⚕️ مرحبا עולם é e\u0301 \ufeff'\"\\"
    return [
        make_explanation(targets=(0, 1, 2), true_label="sci.med"),
        with_phrases(make_explanation(awkward, targets=(2, (0, 1)), document_id='<"id">\n', seed=1)),
        make_explanation("", probabilities=None, labels=("no", "yes")),
        make_explanation("42 17 !!", ledger={}, method="gradient", rule="", model="", version=""),
        make_explanation(targets=(1, 2), start="centered", notes=("of all",), target_notes=("", "of the second")),
    ]


@every_format
def test_what_is_read_is_what_was_written(tmp_path: Path, file: str) -> None:
    path, originals = tmp_path / file, varied()
    assert store.write(iter(originals), path) == path
    found = list(store.read(path))
    assert len(found) == len(originals)
    for original, stored in zip(originals, found, strict=True):
        assert_same(stored, original)


@every_format
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    name=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8),
)
def test_any_text_and_any_float32_survive(
    tmp_path: Path, file: str, text: str, values: list[float], name: str
) -> None:
    scores = np.array(values, np.float32)
    explanation = make_explanation(
        text,
        labels=[f"{name}{n}" for n in range(len(values))],
        document_id=name,
        true_label=name,
        scores=scores,
        ledger={(name, "bias"): scores[:1]},
    )
    relevance = np.resize(scores, len(explanation.tokens))[None] if len(explanation.tokens) else explanation.relevance
    explanation = replace(explanation, relevance=relevance)
    path = tmp_path / file
    store.write(explanation, path)
    (stored,) = store.read(path)
    assert_same(stored, explanation)


@every_format
def test_stored_numbers_are_float32(tmp_path: Path, file: str) -> None:
    original = with_phrases(make_explanation(dtype=np.float64))
    store.write(original, tmp_path / file)
    (stored,) = store.read(tmp_path / file)
    for numbers in (stored.scores, stored.relevance, stored.phrases[0].relevance, *stored.ledger.values()):
        assert numbers.dtype == np.float32
    np.testing.assert_array_equal(stored.relevance, original.relevance.astype(np.float32))


def test_a_lone_surrogate_is_kept_in_json_lines_and_replaced_in_parquet(tmp_path: Path) -> None:
    explanation = make_explanation("half \ud83d a character")
    store.write(explanation, tmp_path / "out.jsonl")
    (stored,) = store.read(tmp_path / "out.jsonl")
    assert_same(stored, explanation)
    with pytest.warns(UserWarning, match=r"surrogate.*\.jsonl"):
        store.write(explanation, tmp_path / "out.parquet")
    (stored,) = store.read(tmp_path / "out.parquet")
    assert stored.text == "half \ufffd a character"


@every_format
def test_an_empty_file_is_read_back(tmp_path: Path, file: str) -> None:
    store.write([], tmp_path / file)
    assert list(store.read(tmp_path / file)) == []


@every_format
def test_files_are_written_and_read_one_explanation_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setattr(arrow_rows, "ROWS_PER_TABLE", 3)
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 1)
    store.write((make_explanation(document_id=str(n), seed=n) for n in range(10)), tmp_path / file)
    reader = store.read(tmp_path / file)
    assert iter(reader) is reader
    assert [explanation.document_id for explanation in reader] == [str(n) for n in range(10)]
    if file == "out.parquet":
        assert pq.ParquetFile(tmp_path / file).num_row_groups == 4


@every_format
def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path, file: str) -> None:
    def breaks() -> Iterator[Explanation]:
        yield make_explanation()
        raise RuntimeError("the model broke")

    store.write(make_explanation(document_id="old"), tmp_path / file)
    with pytest.raises(RuntimeError, match="the model broke"):
        store.write(breaks(), tmp_path / file)
    assert [e.document_id for e in store.read(tmp_path / file)] == ["old"]
    assert [each.name for each in tmp_path.iterdir()] == [file]


@every_format
def test_what_cannot_be_stored_is_named(tmp_path: Path, file: str) -> None:
    with pytest.raises(DataError, match=r"'doc-1'.*not finite"):
        store.write(make_explanation(scores=np.array([1, np.inf, 0], np.float32)), tmp_path / file)
    with pytest.raises(DataError, match="not finite in float32"):
        store.write(make_explanation(dtype=np.float64, scores=np.array([1e300, 0, 0])), tmp_path / file)
    with pytest.raises(DataError, match=r"^explanations must be textlrp\.Explanation objects; got str\. Pass the"):
        store.write(["text"], tmp_path / file)  # type: ignore[list-item]
    with pytest.raises(DataError, match="does not exist"):
        store.write(make_explanation(), tmp_path / "no" / file)
    assert list(tmp_path.iterdir()) == []


@every_format
def test_a_missing_file_is_named_before_iterating(tmp_path: Path, file: str) -> None:
    with pytest.raises(DataError, match=r"^no explanations found: '.*nothing"):
        store.read(tmp_path / f"nothing-{file}")


def test_the_suffix_selects_the_format(tmp_path: Path) -> None:
    store.write(make_explanation(), tmp_path / "a.jsonl")
    store.write([make_explanation()], tmp_path / "b.PARQUET")
    assert len(list(store.read(tmp_path / "a.jsonl"))) == 1
    assert len(list(store.read(tmp_path / "b.PARQUET"))) == 1
    with pytest.raises(DataError, match=r"^path must end in \.jsonl or \.parquet; got '.*c\.txt'\. Change"):
        store.write(make_explanation(), tmp_path / "c.txt")


def test_a_truncated_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    store.write([make_explanation(), make_explanation()], path)
    path.write_bytes(path.read_bytes()[:-30])
    reader = store.read(path)
    next(reader)
    with pytest.raises(DataError, match=r"line 2.*truncated"):
        next(reader)


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda data: {key: value for key, value in data.items() if key != name}


@pytest.mark.parametrize(
    "damage",
    [
        _without("scores"),
        lambda data: [data],
        lambda data: 3,
        lambda data: None,
        lambda data: data | {"dtype": "nonsense"},
        lambda data: data | {"dtype": "O"},
        lambda data: data | {"dtype": "int64"},
        lambda data: data | {"relevance": [[1.0]]},
        lambda data: data | {"targets": [99]},
        lambda data: data | {"targets": ["sci.med"]},
        lambda data: data | {"targets": []},
        lambda data: data | {"spans": [[0, 10_000]] * len(data["spans"])},
        lambda data: data | {"spans": [[0, 2**40]] * len(data["spans"])},
        lambda data: data | {"spans": data["spans"][::-1]},
        lambda data: data | {"status": [9] * len(data["status"])},
        lambda data: data | {"forms": ["a"]},
        lambda data: data | {"text": 7},
        lambda data: data | {"labels": [None, None, None]},
        lambda data: data | {"scores": [float("nan")] * 3},
        lambda data: data | {"ledger": [{"step": "a", "cause": "b", "relevance": [1.0, 2.0]}]},
        lambda data: data | {"ledger": [1]},
        lambda data: data | {"phrases": [{"nonsense": 1, "relevance": [1.0]}]},
    ],
)
def test_a_line_with_other_or_wrong_fields_is_named(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(damage(make_explanation().to_dict())), encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        list(store.read(path))


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\xff\xfe\x00binary\n")
    with pytest.raises(DataError, match="line 1"):
        list(store.read(path))


def test_a_truncated_or_unrelated_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    store.write([make_explanation(seed=n) for n in range(5)], path)
    whole = path.read_bytes()
    for bad in (b"", b"PAR1", whole[:-20], whole[: len(whole) // 2], b"text,label\n"):
        path.write_bytes(bad)
        with pytest.raises(DataError, match="damaged or not a Parquet file"):
            list(store.read(path))
    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), path)
    with pytest.raises(DataError, match=r"^'.*x.parquet' contains no explanations that this version"):
        list(store.read(path))


def test_a_parquet_file_damaged_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    store.write([make_explanation(seed=n) for n in range(5)], path)
    data = bytearray(path.read_bytes())
    data[4:300] = b"\x00" * 296
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"damaged|inconsistent|not an explanation"):
        list(store.read(path))


def test_inconsistent_fields_are_refused_from_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    store.write(make_explanation(status=np.zeros(3, np.uint8), text="a b c"), path)
    assert len(list(store.read(path))) == 1
    wrong = replace(make_explanation("a b c"), counts=np.zeros(2, np.int32))
    store.write(wrong, path)
    with pytest.raises(DataError, match=r"row 1: the fields of the explanation are inconsistent"):
        list(store.read(path))


def test_phrases_are_restored_as_phrases(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    store.write(with_phrases(make_explanation()), path)
    (stored,) = store.read(path)
    assert all(isinstance(phrase, Phrase) for phrase in stored.phrases)
    assert split(stored.text).forms == stored.tokens.forms


def test_lines_of_versions_without_a_start_are_read(tmp_path: Path) -> None:
    path, added = tmp_path / "old.jsonl", ("start", "notes", "target_notes")
    why = make_explanation()
    path.write_text(json.dumps({key: value for key, value in why.to_dict().items() if key not in added}) + "\n")
    (read,) = store.read(path)
    assert_same(read, why)
    assert (read.start, read.notes, read.target_notes) == ("score", (), ())


def test_a_shard_of_a_bulk_run_is_not_replaced(tmp_path: Path) -> None:
    shared = columns.RunMetadata(("a",), "lrp", "", "", "", "float16", None)
    path = tmp_path / "part-000000.parquet"
    row_groups.write_parquet([], str(path), shared.schema())
    with pytest.raises(DataError, match="exists and is not a file of explanations that textlrp wrote"):
        store.write(make_explanation(), path)
    assert list(store.read(tmp_path)) == []


@pytest.mark.parametrize("metadata", [b"explanations 1", b'{"format": "rows 1", "classes": ["a"]}'])
def test_tables_of_older_versions_are_refused_by_name_and_replaced(metadata: bytes, tmp_path: Path) -> None:
    path = store.write(make_explanation(), tmp_path / "old.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"textlrp": metadata}), path)
    with pytest.raises(
        DataError, match=r"old\.parquet' was written by an older version of textlrp\. Explain the doc"
    ):
        next(store.read(path))
    store.write(make_explanation(), path)
    assert len(list(store.read(path))) == 1


@pytest.mark.parametrize(
    "wrong", [{"start": "middle"}, {"target_notes": ["a", "b"]}, {"notes": [1]}, {"own_prediction": 99}]
)
def test_an_inconsistent_start_or_notes_are_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text(json.dumps(make_explanation().to_dict() | wrong) + "\n")
    with pytest.raises(DataError, match="fields of the explanation are inconsistent"):
        list(store.read(path))
