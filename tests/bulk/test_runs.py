"""Runs into a folder: every row once, in order, even if the run is stopped, killed or repeated."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_inputs import all_in, rows_in, shards_in, some_texts, times_in, write_csv
from cases import every
from toys import LABELS, TEXTS, fitted

from textlrp.bulk import BatchExplainer, CorpusSource, FileSource, Run, WorkerOptions, explain_to_folder, file_source
from textlrp.bulk import alone as alone_module
from textlrp.bulk import pool as pool_module
from textlrp.bulk import run as run_module
from textlrp.bulk import shards as shards_module
from textlrp.errors import DataError, OptionError, StoppedError, TargetError
from textlrp.records import Document
from textlrp.text.row_layout import Columns

SHARD = 64
ONE = WorkerOptions(workers=1)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shards_module, pool_module, run_module):
        monkeypatch.setattr(module, "SHARD_ROWS", SHARD)


def source_of(path: Path, **columns: str) -> FileSource:
    return file_source(path, Columns(**columns))


def explained(path: Path, folder: Path, model: Any = None, **options: Any) -> Run:
    return explain_to_folder(model or fitted("svm"), source_of(path), folder, workers=ONE, **options)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three full shards and a short one."""
    return write_csv(tmp_path / "some.csv", some_texts(3 * SHARD + 10))


# ---- every row once, in order


@pytest.mark.parametrize("variant", ["svm", "boe", "cnn-max"])
def test_the_shards_contain_the_rows_in_order(corpus: Path, tmp_path: Path, variant: str) -> None:
    folder = tmp_path / "out"
    run = explained(corpus, folder, fitted(variant), target="all")
    assert rows_in(folder) == list(range(3 * SHARD + 10))
    assert [pq.read_metadata(folder / name).num_rows for name in shards_in(folder)] == [SHARD, SHARD, SHARD, 10]
    assert [path.name for path in sorted(folder.iterdir())] == [
        *(f"part-00000{n}.parquet" for n in range(4)),
        "run.json",
    ]
    assert (run.folder, run.documents, run.rejected, run.explained) == (folder, 3 * SHARD + 10, 0, 3 * SHARD + 10)
    assert run.bytes == sum(map(len, shards_in(folder).values()))
    assert run.seconds > 0


def test_the_rows_are_those_of_batch_explainer(corpus: Path, tmp_path: Path) -> None:
    explained(corpus, tmp_path / "out", target=[("med", "space"), "autos"], top_k=4)
    explainer = BatchExplainer(fitted("svm"), target=[("med", "space"), "autos"], top_k=4)
    records = list(source_of(corpus))
    batch = pa.table(
        {
            "text": [record.text for record in records],  # type: ignore[union-attr]
            "document_id": [f"doc {n}" for n in range(len(records))],
            "label": [LABELS[8 * (n % 3)] for n in range(len(records))],
            "row": range(len(records)),
        }
    )
    assert all_in(tmp_path / "out").equals(explainer(batch).combine_chunks())


def test_a_finished_run_writes_nothing_and_returns_the_same_counts(corpus: Path, tmp_path: Path) -> None:
    first = explained(corpus, tmp_path / "out")
    before = times_in(tmp_path / "out")
    again = explained(corpus, tmp_path / "out")
    assert times_in(tmp_path / "out") == before
    assert (again.documents, again.rejected) == (first.documents, first.rejected)
    assert (again.explained, again.bytes) == (0, 0)


@every("lost", [[0], [1], [3], [0, 2], [0, 1, 2, 3]])
def test_only_lost_shards_are_written_again(corpus: Path, tmp_path: Path, lost: list[int]) -> None:
    folder = tmp_path / "out"
    explained(corpus, folder)
    before, times = shards_in(folder), times_in(folder)
    for shard in lost:
        (folder / f"part-{shard:06d}.parquet").unlink()
    run = explained(corpus, folder)
    assert shards_in(folder) == before
    assert run.documents == 3 * SHARD + 10
    assert run.explained == sum(10 if shard == 3 else SHARD for shard in lost)
    for name, time in times_in(folder).items():
        assert (time == times[name]) == (name == "run.json" or int(name[5:11]) not in lost)


def test_a_stopped_run_keeps_its_shards_and_continues(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained(corpus, tmp_path / "whole")
    original, written = alone_module.write_shard, 0

    def stopped_after_two(*arguments: Any) -> Any:
        nonlocal written
        written += 1
        if written > 2:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(alone_module, "write_shard", stopped_after_two)
        with pytest.raises(
            StoppedError, match=r"^stopped: 128 documents are explained in '.*out'\. Repeat the same command to"
        ):
            explained(corpus, tmp_path / "out")
    assert rows_in(tmp_path / "out") == list(range(2 * SHARD))
    run = explained(corpus, tmp_path / "out")
    assert (run.documents, run.explained) == (3 * SHARD + 10, SHARD + 10)
    assert shards_in(tmp_path / "out") == shards_in(tmp_path / "whole")


def test_a_failure_within_a_shard_leaves_no_incomplete_file(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = BatchExplainer.tables

    def breaks(self: BatchExplainer, batch: pa.Table) -> Iterator[pa.Table]:
        for table in original(self, batch):
            yield table
            if batch.num_rows == 10:
                raise RuntimeError("the model broke")

    with monkeypatch.context() as patch:
        patch.setattr(BatchExplainer, "tables", breaks)
        with pytest.raises(RuntimeError, match="the model broke"):
            explained(corpus, tmp_path / "out")
    assert rows_in(tmp_path / "out") == list(range(3 * SHARD))
    assert not [*(tmp_path / "out").glob(".*")]


@pytest.mark.parametrize("leftover", ["next to the shards", "in a folder without a run"])
def test_temporary_files_of_a_killed_run_are_removed(corpus: Path, tmp_path: Path, leftover: str) -> None:
    folder = tmp_path / "out"
    if leftover == "next to the shards":
        explained(corpus, folder)
        (folder / "part-000001.parquet").unlink()
    else:
        folder.mkdir()
    for name in (".textlrp-123-00c0ffee.part", ".textlrp-9-abadcafe.part"):
        (folder / name).write_bytes(b"PAR1 half of")
    explained(corpus, folder)
    assert rows_in(folder) == list(range(3 * SHARD + 10))
    assert not [*folder.glob(".*")]


def test_an_existing_empty_folder_is_accepted(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert explained(corpus, tmp_path / "out").documents == 3 * SHARD + 10


# ---- sources


def test_a_corpus_a_compressed_file_and_a_folder(tmp_path: Path) -> None:
    texts = some_texts(SHARD + 5)
    plain = write_csv(tmp_path / "some.csv", texts)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    documents = [Document(f"doc {n}", text, LABELS[8 * (n % 3)]) for n, text in enumerate(texts)]
    explained(plain, tmp_path / "of plain")
    explained(tmp_path / "packed.csv.gz", tmp_path / "of packed")
    explain_to_folder(fitted("svm"), CorpusSource(documents, "some"), tmp_path / "of a corpus", workers=ONE)
    for other in ("of packed", "of a corpus"):
        assert shards_in(tmp_path / other) == shards_in(tmp_path / "of plain")
    for n, text in enumerate(texts):
        place = tmp_path / "posts" / LABELS[8 * (n % 3)] / f"{n:03d}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    assert explained(tmp_path / "posts", tmp_path / "of a folder").documents == SHARD + 5
    found = all_in(tmp_path / "of a folder").select(["document_id", "true_label"]).to_pylist()
    assert found[0] == {"document_id": "autos/000.txt", "true_label": "autos"}
    expected = r"^columns must be empty for a folder; got Columns\(text='body'.*posts has no columns: omit text="
    with pytest.raises(OptionError, match=expected):
        source_of(tmp_path / "posts", text="body")


def test_columns_by_name_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(
        "".join(json.dumps({"post": text, "group": "med", "nr": n}) + "\n" for n, text in enumerate(TEXTS))
    )
    source = source_of(path, text="post", label="group", id="nr")
    explain_to_folder(fitted("svm"), source, tmp_path / "out", workers=ONE)
    found = all_in(tmp_path / "out").select(["document_id", "true_label"]).to_pylist()
    assert found == [{"document_id": str(n), "true_label": "med"} for n in range(24)]


def test_missing_and_empty_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^file not found: .*none\.csv\. Pass one of \.csv"):
        source_of(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"^no texts in .*empty\.csv\. Pass one of"):
        source_of(write_csv(tmp_path / "empty.csv", []))
    with pytest.raises(DataError, match="no column 'post'"):
        source_of(write_csv(tmp_path / "some.csv", TEXTS), text="post")


# ---- other settings, and other files in the folder


OTHER: dict[str, dict[str, Any]] = {
    "target": {"target": "med"}, "rule": {"rule": "arras2017"}, "top_k": {"top_k": 3},
    "precision": {"precision": "float32"}, "method, rule": {"method": "gradient-x-input"},
    "start": {"start": "centered"},
}  # fmt: skip


@every("differs", OTHER)
def test_other_settings_are_refused(corpus: Path, tmp_path: Path, differs: str) -> None:
    explained(corpus, tmp_path / "out")
    before = times_in(tmp_path / "out")
    expected = rf"^the folder '.*out' contains a run with other settings: {differs}\. Choose a new folder, repeat the"
    with pytest.raises(DataError, match=expected):
        explained(corpus, tmp_path / "out", **OTHER[differs])
    assert times_in(tmp_path / "out") == before


def test_a_run_of_a_version_with_other_columns_is_refused(corpus: Path, tmp_path: Path) -> None:
    explained(corpus, tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    stored["part_rows"] = stored.pop("shard_rows")
    (tmp_path / "out" / "run.json").write_text(json.dumps(stored | {"format": "run 2"}), encoding="utf-8")
    with pytest.raises(DataError, match=r"contains a run with other settings: format, shard_rows\. Choose a new"):
        explained(corpus, tmp_path / "out")


def test_another_model_another_memory_and_a_changed_input_are_refused(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    explained(corpus, folder)
    with pytest.raises(DataError, match=r"other settings: model\."):
        explained(corpus, folder, fitted("svm", seed=1))
    with pytest.raises(DataError, match=r"other settings: classes, model\."):
        explained(corpus, folder, fitted("svm", classes=2))
    with pytest.raises(DataError, match=r"other settings: memory\."):
        explain_to_folder(fitted("svm"), source_of(corpus), folder, workers=WorkerOptions(workers=1, memory=0))
    with pytest.raises(DataError, match=r"other settings: input\."):
        explain_to_folder(fitted("svm"), source_of(corpus, text="label"), folder, workers=ONE)
    write_csv(corpus, some_texts(3 * SHARD + 10, seed=1))
    with pytest.raises(DataError, match=r"other settings: input\."):
        explained(corpus, folder)
    shutil.rmtree(folder)
    assert explained(corpus, folder).documents == 3 * SHARD + 10


def test_a_changed_file_time_is_a_changed_input(corpus: Path, tmp_path: Path) -> None:
    explained(corpus, tmp_path / "out")
    os.utime(corpus, ns=(1, 1))
    with pytest.raises(DataError, match=r"other settings: input\."):
        explained(corpus, tmp_path / "out")


@pytest.mark.parametrize("name", ["holiday.jpg", "part-000000.parquet", ".hidden"])
def test_a_folder_with_other_files_is_refused(corpus: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(
        DataError, match=rf"out' contains files that textlrp did not write \('{re.escape(name)}'\)\. Choose another"
    ):
        explained(corpus, folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {name: "mine"}


@every("content", ["{", "[1]", "null", "", "\x00\xff"])
def test_an_invalid_run_file_is_refused(corpus: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "run.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=r"contains files that textlrp did not write \('run\.json'\)"):
        explained(corpus, folder)
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_a_damaged_shard_is_named(corpus: Path, tmp_path: Path) -> None:
    explained(corpus, tmp_path / "out")
    (tmp_path / "out" / "part-000001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"part-000001\.parquet' is damaged\. Delete it, and repeat the call to rewr"):
        explained(corpus, tmp_path / "out")


def test_paths_that_cannot_be_a_folder_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^cannot create the folder '.*out': the folder '.*no' does not exist\. Create it first\.$"
    ):
        explained(corpus, tmp_path / "no" / "out")
    with pytest.raises(
        DataError, match=r"^cannot create the folder '.*some\.csv': it is a file\. Choose a new folder\.$"
    ):
        explained(corpus, corpus)


def test_wrong_options_create_no_folder(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetError):
        explained(corpus, tmp_path / "out", target="meds")
    with pytest.raises(OptionError):
        explained(corpus, tmp_path / "out", top_k=0)
    assert not (tmp_path / "out").exists()


def test_wrong_worker_options_are_refused() -> None:
    assert WorkerOptions(workers=3).processes == 3
    assert WorkerOptions().processes >= 1
    for wrong, message in (
        ({"workers": 0}, "workers must be at least 1; got 0. Omit it to use one process per core."),
        ({"engine": "spark"}, "engine must be 'local' or 'ray'; got 'spark'. Pass engine='local'"),
        ({"memory": -1}, "memory must be at least 0; got -1. Pass a number of bytes"),
        ({"address": "here:1"}, "address must be None unless engine is 'ray'; got 'here:1'. Pass engine='ray'"),
    ):
        with pytest.raises(OptionError, match=rf"^{re.escape(message)}"):
            WorkerOptions(**wrong)  # type: ignore[arg-type]


# ---- disk space


class Disk(NamedTuple):
    free: int


def test_without_disk_space_nothing_is_explained(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = re.compile(
        r"^the explanations of about (\d+) documents need about [\d.]+ GB; 0\.0 GB are free in '.*out'\. Free some "
    )
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Disk(1000))
        with pytest.raises(DataError, match=message) as refused:
            explained(corpus, tmp_path / "out")
    found = message.match(str(refused.value))
    assert found is not None
    assert abs(int(found[1]) - (3 * SHARD + 10)) < SHARD
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]
    assert explained(corpus, tmp_path / "out").documents == 3 * SHARD + 10
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(0))
    assert explained(corpus, tmp_path / "out").explained == 0  # a finished run needs no space


def test_the_required_space_is_that_of_the_missing_shards(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = explained(corpus, tmp_path / "out").bytes
    (tmp_path / "out" / "part-000003.parquet").unlink()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(size * 4 // 5))
    assert explained(corpus, tmp_path / "out").explained == 10


# ---- rows that cannot be read


def broken_inputs(folder: Path) -> Iterator[tuple[Path, dict[int, str]]]:
    """Inputs with unreadable rows in the first and second shard, and the reason for each row number, from 1."""
    rows: list[Any] = [{"text": text, "label": "med"} for text in some_texts(SHARD + 20)]

    def lines(bad: dict[int, bytes], head: bytes, line: Any) -> bytes:
        return head + b"".join(bad.get(n, line(row)) for n, row in enumerate(rows, 1))

    csv_line = lambda row: f'"{row["text"]}",med\n'.encode()  # noqa: E731
    path = folder / "fields.csv"
    path.write_bytes(lines({3: b"one,two,three\n", SHARD + 2: b"one\n"}, b"text,label\n", csv_line))
    yield path, {3: "2 fields, like the header; got 3", SHARD + 2: "2 fields, like the header; got 1"}
    path = folder / "bytes.csv"
    path.write_bytes(lines({1: b"caf\xe9,med\n", 70: b"fine,m\xe9d\n"}, b"text,label\n", csv_line))
    yield path, {1: "contains bytes that are not UTF-8", 70: "contains bytes that are not UTF-8"}
    path = folder / "quotes.tsv"
    path.write_bytes(lines({5: b'"a"b\tmed\tx\n'}, b"text\tlabel\n", lambda row: f"{row['text']}\tmed\n".encode()))
    yield path, {5: "2 fields, like the header; got 3"}
    bad = {
        1: b"{no json\n", 2: b"[1]\n", 9: b'{"text": null}\n', 10: b'{"text": 7}\n', 11: b'{"label": "x"}\n',
        12: b'{"text": "caf\xe9"}\n', 13: b'{"text": 1.5}\n',
        70: b'{"text": "a", "label": ["a", "\xe9"]}\n',
    }  # fmt: skip
    path = folder / "some.jsonl"
    path.write_bytes(lines(bad, b"", lambda row: json.dumps(row).encode() + b"\n"))
    yield (
        path,
        {
            1: "not valid JSON",
            2: "must be a JSON object",
            9: "text is missing",
            10: "text must be a string; got 7 (int)",
            11: "'text' is missing",
            12: "contains bytes that are not UTF-8",
            13: "text must be a string; got 1.5 (float)",
            70: "contains bytes that are not UTF-8",
        },
    )
    path = folder / "some.parquet"
    texts: list[str | None] = [row["text"] for row in rows]
    texts[4] = texts[SHARD + 3] = None
    pq.write_table(pa.table({"text": texts, "label": ["med"] * len(rows)}), path)
    yield path, {5: "text is missing", SHARD + 4: "text is missing"}
    path = folder / "bytes.parquet"
    raw = pa.array([b"caf\xe9" if n == 8 else row["text"].encode() for n, row in enumerate(rows)])
    pq.write_table(pa.table({"text": pa.Array.from_buffers(pa.string(), len(rows), raw.buffers())}), path)
    yield path, {9: "contains bytes that are not UTF-8"}


KINDS = ("fields.csv", "bytes.csv", "quotes.tsv", "some.jsonl", "some.parquet", "bytes.parquet")


@every("kind", KINDS)
def test_unreadable_rows_are_rejected_and_the_others_are_explained(tmp_path: Path, kind: str) -> None:
    path, wrong = next((path, wrong) for path, wrong in broken_inputs(tmp_path) if path.name == kind)
    run = explained(path, tmp_path / "out")
    assert (run.documents, run.rejected) == (SHARD + 20 - len(wrong), len(wrong))
    assert rows_in(tmp_path / "out") == [n for n in range(SHARD + 20) if n + 1 not in wrong]
    listed = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [row["row"] for row in listed] == sorted(wrong)
    for row in listed:
        assert wrong[row["row"]] in row["reason"]
        assert str(path) in row["reason"]
    before = times_in(tmp_path / "out")
    again = explained(path, tmp_path / "out")
    assert (again.documents, again.rejected, again.explained) == (run.documents, run.rejected, 0)
    assert {name: time for name, time in times_in(tmp_path / "out").items() if name != "rejected.jsonl"} == {
        name: time for name, time in before.items() if name != "rejected.jsonl"
    }


def test_a_file_in_a_folder_that_is_not_utf_8_is_rejected(tmp_path: Path) -> None:
    for name, text in (("a/1", b"the car"), ("a/2", b"caf\xe9"), ("b/1", b"the pill")):
        place = tmp_path / "posts" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    run = explained(tmp_path / "posts", tmp_path / "out")
    assert (run.documents, run.rejected) == (2, 1)
    assert all_in(tmp_path / "out")["document_id"].to_pylist() == ["a/1", "b/1"]
    (listed,) = (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(listed)["row"] == 2
    assert "not UTF-8" in json.loads(listed)["reason"]


def test_an_input_of_only_unreadable_rows(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("text,label\n" + "one\n" * (SHARD + 1))
    run = explained(path, tmp_path / "out")
    assert (run.documents, run.rejected, run.explained) == (0, SHARD + 1, 0)
    assert rows_in(tmp_path / "out") == []


def test_a_damaged_input_file_stops_the_run_and_keeps_finished_shards(corpus: Path, tmp_path: Path) -> None:
    packed = gzip.compress(corpus.read_bytes())
    path = tmp_path / "cut off.csv.gz"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    with pytest.raises(DataError, match=r"cannot read .*cut off\.csv\.gz: "):
        explained(path, tmp_path / "out")
    assert rows_in(tmp_path / "out") == list(range(len(rows_in(tmp_path / "out"))))
    assert len(rows_in(tmp_path / "out")) in (SHARD, 2 * SHARD)
