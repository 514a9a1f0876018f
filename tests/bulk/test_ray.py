"""The same run on Ray: the same bytes as on one machine, also where a worker is killed."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bulk_inputs
import pyarrow as pa
import pytest
from bulk_inputs import SEVERAL, shards_in, rows_in, some_texts, split_or_complain, times_in, write_csv
from toys import LABELS, TEXTS, fitted, small

import textlrp
from textlrp.bulk import BatchExplainer, Run, WorkerOptions, explain_to_folder, file_source
from textlrp.bulk.shards import SHARD_ROWS
from textlrp.errors import DataError
from textlrp.text.row_layout import Columns

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    # what Ray says of its own ways, and leaves open
    pytest.mark.filterwarnings("ignore"),
]

RAY = WorkerOptions(workers=2, engine="ray")
OPTIONS: dict[str, Any] = {"target": "all", "top_k": 6}


def explained(path: Path, folder: Path, workers: WorkerOptions = RAY, model: Any = None) -> Run:
    return explain_to_folder(model or fitted("cnn-max"), file_source(path, Columns()), folder, workers=workers, **OPTIONS)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_csv(tmp_path_factory.mktemp("input") / "some.csv", some_texts(SEVERAL))
    with path.open("a") as file:
        file.write("one field\n")
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("alone") / "out"
    explained(corpus, folder, WorkerOptions(workers=1))
    return shards_in(folder)


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    """One cluster for all tests but those that start their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=3, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        yield
        ray.shutdown()


def test_an_address_where_nobody_is(corpus: Path, tmp_path: Path) -> None:
    by = WorkerOptions(workers=1, engine="ray", address="127.0.0.1:1")
    with pytest.raises(DataError, match=r"^no Ray cluster answers at '127\.0\.0\.1:1' \(.*\); give the address that"):
        explained(corpus, tmp_path / "out", by)
    assert not ray.is_initialized()


def test_a_cluster_made_for_the_run_writes_the_bytes_of_one_process(
    corpus: Path, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    folder = tmp_path / "out"
    run = explained(corpus, folder)
    assert not ray.is_initialized()
    assert shards_in(folder) == alone
    assert (run.documents, run.rejected, run.explained) == (SEVERAL, 1, SEVERAL)
    assert rows_in(folder) == list(range(SEVERAL))


@pytest.mark.usefixtures("_cluster")
def test_a_cluster_that_is_there_goes_on_where_another_run_stopped(
    corpus: Path, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    folder = tmp_path / "out"
    explained(corpus, folder, WorkerOptions(workers=1))
    (folder / "part-000001.parquet").unlink()
    times = times_in(folder)
    run = explained(corpus, folder)
    assert ray.is_initialized()
    assert shards_in(folder) == alone
    assert (run.documents, run.rejected, run.explained) == (SEVERAL, 1, SHARD_ROWS)
    for name in ("part-000000.parquet", "part-000002.parquet"):
        assert times_in(folder)[name] == times[name]
    assert explained(corpus, folder).explained == 0


def actors() -> list[int]:
    """The processes that explain parts."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            title = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b"MapWorker" in title:
            found.append(int(place.name))
    return found


@pytest.mark.usefixtures("_cluster")
@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="finds the workers by /proc")
def test_a_worker_that_is_killed_costs_nothing(corpus: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    killed: list[int] = []
    folder = tmp_path / "out"

    def kill_one_as_soon_as_it_works() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not killed:
            if folder.is_dir() and (there := actors()):
                time.sleep(1)  # in the middle
                os.kill(there[0], signal.SIGKILL)
                killed.append(there[0])
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one_as_soon_as_it_works)
    killer.start()
    run = explained(corpus, folder)
    killer.join()
    assert len(killed) == 1
    until = time.monotonic() + 30
    while actors() and time.monotonic() < until:
        time.sleep(0.1)
    assert actors() == []  # nothing of the run stays on the cluster
    assert shards_in(folder) == alone
    assert (run.documents, run.rejected) == (SEVERAL, 1)


@pytest.mark.usefixtures("_cluster")
def test_what_a_worker_complains_of_is_said_here(tmp_path: Path) -> None:
    texts = some_texts(100)
    path = write_csv(tmp_path / "poisoned.csv", [*texts, "poison"])
    model = small("svm", tokenizer=split_or_complain).fit(TEXTS, LABELS)
    ray.cloudpickle.register_pickle_by_value(bulk_inputs)  # the workers do not find the tests
    try:
        with pytest.raises(DataError, match=r"^this text is poisoned\.$"):
            explained(path, tmp_path / "out", model=model)
    finally:
        ray.cloudpickle.unregister_pickle_by_value(bulk_inputs)


@pytest.mark.usefixtures("_cluster")
def test_what_is_wrong_with_the_file_is_said_here_too(corpus: Path, tmp_path: Path) -> None:
    packed = gzip.compress(corpus.read_bytes())
    path = tmp_path / "cut off.csv.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    with pytest.raises(DataError, match=r"cut off\.csv\.gz cannot be read: "):
        explained(path, tmp_path / "out")


@pytest.mark.usefixtures("_cluster")
def test_the_three_lines_that_users_write() -> None:
    posts = textlrp.load_sample_posts("test").documents
    table = pa.table({"text": [post.text for post in posts], "document_id": [post.id for post in posts]})

    found = ray.data.from_arrow(table).map_batches(
        BatchExplainer,
        fn_constructor_args=("20newsgroups-cnn",),
        batch_format="pyarrow",
        batch_size=64,
        concurrency=1,
    )

    rows = pa.concat_tables(ray.get(found.to_arrow_refs())).sort_by("document_id").to_pylist()
    expected = BatchExplainer("20newsgroups-cnn")(table).sort_by("document_id").to_pylist()
    assert len(rows) == len(posts)
    for row, own in zip(rows, expected, strict=True):
        assert {**row, "row": 0} == {**own, "row": 0}
