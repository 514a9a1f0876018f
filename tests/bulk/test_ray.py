"""A run on Ray writes the same bytes as a single process, even if a worker is killed."""

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
from bulk_inputs import SEVERAL, rows_in, shards_in, some_texts, split_or_complain, times_in, write_csv
from toys import LABELS, TEXTS, fitted, small

import textlrp
from textlrp.bulk import BatchExplainer, Run, WorkerOptions, explain_to_folder, file_source
from textlrp.bulk.shards import SHARD_ROWS
from textlrp.errors import DataError
from textlrp.text.row_layout import Columns

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    # warnings of Ray about its own code, and about resources that it does not close
    pytest.mark.filterwarnings("ignore"),
]

RAY = WorkerOptions(workers=2, engine="ray")
OPTIONS: dict[str, Any] = {"target": "all", "top_k": 6}


def explained(path: Path, folder: Path, workers: WorkerOptions = RAY, model: Any = None) -> Run:
    source = file_source(path, Columns())
    return explain_to_folder(model or fitted("cnn-max"), source, folder, workers=workers, **OPTIONS)


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
    """A cluster for all tests except those that start their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=3, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        yield
        ray.shutdown()


def test_an_address_without_a_cluster_is_refused(corpus: Path, tmp_path: Path) -> None:
    options = WorkerOptions(workers=1, engine="ray", address="127.0.0.1:1")
    expected = r"^address must be that of a running Ray cluster; got '127\.0\.0\.1:1' \(.*\)\. Pass the address that"
    with pytest.raises(DataError, match=expected):
        explained(corpus, tmp_path / "out", options)
    assert not ray.is_initialized()


def test_a_cluster_started_for_the_run_writes_the_bytes_of_one_process(
    corpus: Path, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    folder = tmp_path / "out"
    run = explained(corpus, folder)
    assert not ray.is_initialized()
    assert shards_in(folder) == alone
    assert (run.documents, run.rejected, run.explained) == (SEVERAL, 1, SEVERAL)
    assert rows_in(folder) == list(range(SEVERAL))


@pytest.mark.usefixtures("_cluster")
def test_a_running_cluster_continues_an_unfinished_run(corpus: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
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
    """The process ids of the actors that explain shards."""
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
@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="finds the workers in /proc")
def test_shards_of_a_killed_worker_are_explained_again(corpus: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    killed: list[int] = []
    folder = tmp_path / "out"

    def kill_one_while_it_works() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not killed:
            if folder.is_dir() and (running := actors()):
                time.sleep(1)  # in the middle of a shard
                os.kill(running[0], signal.SIGKILL)
                killed.append(running[0])
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one_while_it_works)
    killer.start()
    run = explained(corpus, folder)
    killer.join()
    assert len(killed) == 1
    until = time.monotonic() + 30
    while actors() and time.monotonic() < until:
        time.sleep(0.1)
    assert actors() == []  # no actor of the run is left on the cluster
    assert shards_in(folder) == alone
    assert (run.documents, run.rejected) == (SEVERAL, 1)


@pytest.mark.usefixtures("_cluster")
def test_an_error_in_a_worker_is_raised_here(tmp_path: Path) -> None:
    texts = some_texts(100)
    path = write_csv(tmp_path / "poisoned.csv", [*texts, "poison"])
    model = small("svm", tokenizer=split_or_complain).fit(TEXTS, LABELS)
    ray.cloudpickle.register_pickle_by_value(bulk_inputs)  # the workers cannot import the tests
    try:
        with pytest.raises(DataError, match=r"^this text is poisoned\.$"):
            explained(path, tmp_path / "out", model=model)
    finally:
        ray.cloudpickle.unregister_pickle_by_value(bulk_inputs)


@pytest.mark.usefixtures("_cluster")
def test_an_error_while_reading_is_raised_here(corpus: Path, tmp_path: Path) -> None:
    packed = gzip.compress(corpus.read_bytes())
    path = tmp_path / "cut off.csv.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    with pytest.raises(DataError, match=r"cannot read .*cut off\.csv\.gz: "):
        explained(path, tmp_path / "out")


@pytest.mark.usefixtures("_cluster")
def test_batch_explainer_in_map_batches() -> None:
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
    for row, other in zip(rows, expected, strict=True):
        assert {**row, "row": 0} == {**other, "row": 0}
