"""Processes side by side: the same bytes as one alone, whoever is killed and however often."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bulk_inputs import SEVERAL, shards_in, rows_in, some_texts, split_or_complain, split_or_die, times_in, write_csv
from textlrp.bulk.shards import SHARD_ROWS, Shards, ShardSummary
from toys import LABELS, TEXTS, fitted, small

from textlrp.bulk import FileSource, Run, WorkerOptions, explain_to_folder, file_source, messages
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.pool import PRELOAD, worker_processes
from textlrp.bulk.worker import _messages
from textlrp.errors import DataError
from textlrp.machine import process_context
from textlrp.text.row_layout import Columns

pytestmark = pytest.mark.slow

SHARDS = -(-SEVERAL // SHARD_ROWS)
TWO = WorkerOptions(workers=2)


def explained(path: Path, folder: Path, model: Any = None, workers: WorkerOptions = TWO, **options: Any) -> Run:
    return explain_to_folder(model or fitted("boe"), file_source(path, Columns()), folder, workers=workers, **options)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("input") / "some.csv", some_texts(SEVERAL))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> dict[str, bytes]:
    """The parts as one process writes them."""
    folder = tmp_path_factory.mktemp("alone") / "out"
    explained(corpus, folder, workers=WorkerOptions(workers=1))
    return shards_in(folder)


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


# ---- the pool


def test_two_processes_write_the_bytes_of_one(corpus: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    run = explained(corpus, tmp_path / "out")
    assert shards_in(tmp_path / "out") == alone
    assert (run.documents, run.explained) == (SEVERAL, SEVERAL)
    before = times_in(tmp_path / "out")
    assert explained(corpus, tmp_path / "out").explained == 0
    assert times_in(tmp_path / "out") == before
    (tmp_path / "out" / "part-000001.parquet").unlink()
    assert explained(corpus, tmp_path / "out").explained == SHARD_ROWS
    assert shards_in(tmp_path / "out") == alone


@pytest.mark.parametrize("memory", [0, 700])
def test_processes_that_share_projections_write_the_bytes_of_one(
    corpus: Path, tmp_path: Path, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[str] = []

    def noted(name: str) -> SharedMemory:
        released.append(name)
        return SharedMemory(name)

    monkeypatch.setattr(messages, "SharedMemory", noted)
    for workers in (1, 2):
        by = WorkerOptions(workers=workers, memory=memory)
        explained(corpus, tmp_path / str(workers), fitted("cnn-max"), by, target="all")
    assert shards_in(tmp_path / "2") == shards_in(tmp_path / "1")
    assert len(shards_in(tmp_path / "1")) == SHARDS
    assert len(released) == 3  # one of each width
    for name in released:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


def done_in_processes(source: FileSource, model: Any, folder: Path, workers: int = 2) -> Iterator[ShardSummary]:
    folder.mkdir()
    with worker_processes(model, BulkOptions(), workers=workers, memory=1 << 20) as engine:
        yield from engine.explain(Shards(source), folder)


def test_processes_that_are_killed_cost_nothing(corpus: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    done = []
    killed: set[int | None] = set()
    for written in done_in_processes(file_source(corpus, Columns()), fitted("boe"), tmp_path / "out"):
        done.append(written)
        if len(done) <= 2:
            workers = multiprocessing.active_children()
            assert len(workers) == 2 or len(done) == 2  # who had no part left is not replaced
            for worker in workers[: 3 - len(done)]:  # both, then one
                assert worker.pid is not None
                assert worker.pid not in killed
                os.kill(worker.pid, signal.SIGKILL)
                killed.add(worker.pid)
    assert len(killed) >= 2
    assert sorted(written.shard for written in done) == list(range(SHARDS))
    assert sum(written.documents for written in done) == SEVERAL
    assert shards_in(tmp_path / "out") == alone


def poisoned(folder: Path, row: int) -> Path:
    texts = some_texts(SEVERAL)
    texts[row] = f"poison {folder / 'deaths'}"
    return write_csv(folder / "poisoned.csv", texts)


def test_a_text_that_brings_down_one_process_after_another_is_named(tmp_path: Path) -> None:
    path = poisoned(tmp_path, SHARD_ROWS + 77)
    model = small("svm", tokenizer=split_or_die).fit(TEXTS, LABELS)
    said = (
        rf"^a process that explained the rows {SHARD_ROWS + 1} to {2 * SHARD_ROWS} ended 3 times \(exit code 9\), for "
        r"want of memory perhaps; take fewer --workers or --top-k, or look at these rows\. What is done is kept\.$"
    )
    with pytest.raises(DataError, match=said):
        explained(path, tmp_path / "out", model)
    assert (tmp_path / "deaths").read_text() == "died\n" * 3
    assert "part-000001.parquet" not in shards_in(tmp_path / "out")


def test_a_text_that_brings_down_the_process_that_tries_it_is_named(tmp_path: Path) -> None:
    path = poisoned(tmp_path, 7)
    model = small("svm", tokenizer=split_or_die).fit(TEXTS, LABELS)
    said = (
        r"^the process that explained the rows 1 to 64 ended \(exit code 9\), for want of memory perhaps; take fewer "
        r"--workers, or look at what it worked on\.$"
    )
    with pytest.raises(DataError, match=said):
        explained(path, tmp_path / "out", model)
    assert (tmp_path / "deaths").read_text() == "died\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]


def test_who_hands_out_the_parts_needs_no_torch(large: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom textlrp.cli import main\n"
        f"main(['explain', 'model', 'some.csv', '--workers', '2', '-o', {str(tmp_path / 'out')!r}])\n"
        "assert not {'torch', 'numba', 'spacy', 'sklearn'} & set(sys.modules), sorted(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=large, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(rows_in(tmp_path / "out")) == LARGE


def test_what_a_process_complains_of_is_said_here(tmp_path: Path) -> None:
    path = poisoned(tmp_path, SEVERAL - 1)
    model = small("svm", tokenizer=split_or_complain).fit(TEXTS, LABELS)
    with pytest.raises(DataError, match=r"^this text is poisoned\.$"):
        explained(path, tmp_path / "out", model)


def test_who_stops_listening_ends_the_processes(corpus: Path, tmp_path: Path) -> None:
    done = done_in_processes(file_source(corpus, Columns()), fitted("boe"), tmp_path / "out")
    next(done)
    assert len(multiprocessing.active_children()) == 2
    done.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
    assert not [*(tmp_path / "out").glob(".*")]


def test_who_sends_parts_waits_for_none_to_be_done() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.send("first")
    messages = _messages(theirs)
    assert next(messages) == "first"  # and now it is at work
    large = [bytes(8 << 20), bytes(8 << 20)]  # far more than a pipe holds
    sender = threading.Thread(target=lambda: [ours.send(part) for part in large], daemon=True)
    sender.start()
    sender.join(timeout=20)
    assert not sender.is_alive()
    ours.close()
    assert list(messages) == large


def test_forks_leave_what_was_imported_before_them_where_it_is() -> None:
    with ProcessPoolExecutor(1, mp_context=process_context(PRELOAD)) as pool:
        assert pool.submit(gc.get_freeze_count).result() > 10_000


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="this system has no process to fork from"
)
@pytest.mark.parametrize(("said", "heard"), [(b"", False), (pickle.dumps(1), True)], ids=["nothing", "nonsense"])
def test_a_fork_is_silent_where_its_parent_stopped_before_it_spoke(said: bytes, heard: bool) -> None:
    forked = subprocess.run(
        [sys.executable, "-c", FORK_AND_SAY], input=said, capture_output=True, timeout=60, check=True
    )
    assert forked.stdout == b"1\n"
    assert (b"TypeError" in forked.stderr) == bool(forked.stderr) == heard


FORK_AND_SAY = """
import os, sys
from multiprocessing import forkserver
from textlrp.machine import start_forkserver

start_forkserver("textlrp.machine")
answers, orders = forkserver.connect_to_new_process([])
os.write(orders, sys.stdin.buffer.read())
os.close(orders)
forkserver.read_signed(answers)  # its number
print(forkserver.read_signed(answers))  # its exit code
"""


# ---- the command, killed and interrupted

LARGE = 14 * SHARD_ROWS + 100


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and some.csv, nine parts."""
    folder = tmp_path_factory.mktemp("large")
    write_csv(folder / "some.csv", some_texts(LARGE))
    fitted("boe").save(folder / "model")
    return folder


class Command:
    """``textlrp explain`` in a process group of its own, which is ended with the test."""

    def __init__(self, place: Path, output: Path, workers: int) -> None:
        self.output = output
        asked = ["explain", "model", "some.csv", "--workers", str(workers), "-o", output]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "textlrp", *asked], cwd=place, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *problem: object) -> None:
        self.send(signal.SIGKILL)
        self._process.communicate()

    def send(self, number: int) -> None:
        """To the whole group: a terminal's Ctrl-C, or a machine that fails."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def send_to_parent(self, number: int) -> None:
        self._process.send_signal(number)

    def wait_for_shards(self, more_than: int) -> None:
        until = time.monotonic() + 60
        while self._process.poll() is None and len(shards_in(self.output)) <= more_than:
            assert time.monotonic() < until, "no part was written"
            time.sleep(0.02)

    def wait_for_processes(self, count: int) -> None:
        until = time.monotonic() + 60
        while self._process.poll() is None and len(processes_of(self._process.pid)) < count:
            assert time.monotonic() < until, f"{count} processes never were"
            time.sleep(0.02)

    def end(self) -> tuple[int, str, str]:
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out, err

    def wait_for_nobody(self) -> None:
        """Until every process of the group has ended."""
        until = time.monotonic() + 60
        while processes_of(self._process.pid):
            assert time.monotonic() < until, "a process stays"
            time.sleep(0.05)


def processes_of(group: int) -> list[int]:
    """The processes of a group that live."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of_group = (place / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state not in "ZX":
            found.append(int(place.name))
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="tells processes by /proc")


@needs_proc
def test_a_run_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(large: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    folder = tmp_path / "out"
    kills = 0
    for workers in (2, 1, 2, 1, 2):
        with Command(large, folder, workers) as command:
            if kills:
                command.wait_for_shards(len(shards_in(folder)))
                time.sleep(draw.uniform(0, 0.3))
            else:
                time.sleep(draw.uniform(0.5, 5))  # perhaps before there is anything
            if kills == 2:
                command.send_to_parent(signal.SIGKILL)  # its processes are left to themselves, and go
                command.end()
                command.wait_for_nobody()
            command.send(signal.SIGKILL)
            code, _, err = command.end()
            kills += code == -signal.SIGKILL
            assert err == ""
        rows = rows_in(folder) if shards_in(folder) else []
        assert len(rows) == len(set(rows))
    assert kills == 5
    before = times_in(folder)
    with Command(large, folder, 2) as command:
        code, out, err = command.end()
    assert (code, err) == (0, "")
    assert re.search(rf"^wrote {re.escape(str(folder))}: {LARGE:,} documents$", out, re.MULTILINE)
    assert rows_in(folder) == list(range(LARGE))
    assert not [*folder.glob(".*")]
    assert all(time == times_in(folder)[name] for name, time in before.items() if name.startswith("part-"))
    undisturbed = file_source(large / "some.csv", Columns())
    explain_to_folder(str(large / "model"), undisturbed, tmp_path / "whole", workers=WorkerOptions(workers=1))
    assert shards_in(folder) == shards_in(tmp_path / "whole")


@needs_proc
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_one_sentence_and_the_code_130(large: Path, tmp_path: Path, workers: int) -> None:
    with Command(large, tmp_path / "out", workers) as command:
        command.wait_for_shards(1)
        command.send(signal.SIGINT)
        code, out, err = command.end()
        command.wait_for_nobody()
    assert code == 130
    assert out == ""
    said = re.fullmatch(
        r"textlrp: stopped; ([\d,]+) documents are in '.*out'\. The same command goes on from there\.\n", err
    )
    assert said, err
    assert int(said[1].replace(",", "")) <= len(rows_in(tmp_path / "out")) < LARGE
    assert not [*(tmp_path / "out").glob(".*")]


@needs_proc
@pytest.mark.parametrize("delay", [0.3, 1.5])
def test_ctrl_c_while_processes_begin_is_one_sentence_too(large: Path, tmp_path: Path, delay: float) -> None:
    with Command(large, tmp_path / "out", 2) as command:
        command.wait_for_processes(2)
        time.sleep(delay)
        command.send(signal.SIGINT)
        code, out, err = command.end()
        command.wait_for_nobody()
    # a shell calls both 130; python -m ends by the signal itself where Ctrl-C came in the middle of an exec of source
    # (as for a dataclass that is being imported), and was caught since
    assert code in (130, -signal.SIGINT), err
    assert out == ""
    assert re.fullmatch(r"textlrp: stopped; [^\n]+\.\n", err), err
