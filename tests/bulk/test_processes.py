"""Several worker processes write the same bytes as a single process, no matter which of them are killed."""

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
from bulk_inputs import SEVERAL, rows_in, shards_in, some_texts, split_or_complain, split_or_die, times_in, write_csv
from toys import LABELS, TEXTS, fitted, small

from textlrp.bulk import FileSource, Run, WorkerOptions, explain_to_folder, file_source, messages
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.pool import PRELOAD, worker_processes
from textlrp.bulk.shards import SHARD_ROWS, Shards, ShardSummary
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
    """The shards as a single process writes them."""
    folder = tmp_path_factory.mktemp("alone") / "out"
    explained(corpus, folder, workers=WorkerOptions(workers=1))
    return shards_in(folder)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
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

    def recorded(name: str) -> SharedMemory:
        released.append(name)
        return SharedMemory(name)

    monkeypatch.setattr(messages, "SharedMemory", recorded)
    for workers in (1, 2):
        options = WorkerOptions(workers=workers, memory=memory)
        explained(corpus, tmp_path / str(workers), fitted("cnn-max"), options, target="all")
    assert shards_in(tmp_path / "2") == shards_in(tmp_path / "1")
    assert len(shards_in(tmp_path / "1")) == SHARDS
    assert len(released) == 3  # one per filter width
    for name in released:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


def done_in_processes(source: FileSource, model: Any, folder: Path, workers: int = 2) -> Iterator[ShardSummary]:
    folder.mkdir()
    with worker_processes(model, BulkOptions(), workers=workers, memory=1 << 20) as engine:
        yield from engine.explain(Shards(source), folder)


def test_shards_of_killed_processes_are_explained_again(
    corpus: Path, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    done = []
    killed: set[int | None] = set()
    for written in done_in_processes(file_source(corpus, Columns()), fitted("boe"), tmp_path / "out"):
        done.append(written)
        if len(done) <= 2:
            workers = multiprocessing.active_children()
            assert len(workers) == 2 or len(done) == 2  # a worker without shards is not replaced
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


def test_rows_that_kill_three_processes_are_named(tmp_path: Path) -> None:
    path = poisoned(tmp_path, SHARD_ROWS + 77)
    model = small("svm", tokenizer=split_or_die).fit(TEXTS, LABELS)
    expected = (
        rf"^3 processes died while they explained rows {SHARD_ROWS + 1} to {2 * SHARD_ROWS} \(exit code 9\)\. They "
        r"may have run out of memory\. Use fewer workers \(--workers\) or a smaller top_k \(--top-k\), or check "
        r"these rows\. The files written so far are kept\.$"
    )
    with pytest.raises(DataError, match=expected):
        explained(path, tmp_path / "out", model)
    assert (tmp_path / "deaths").read_text() == "died\n" * 3
    assert "part-000001.parquet" not in shards_in(tmp_path / "out")


def test_rows_that_kill_the_process_that_explains_the_sample_are_named(tmp_path: Path) -> None:
    path = poisoned(tmp_path, 7)
    model = small("svm", tokenizer=split_or_die).fit(TEXTS, LABELS)
    expected = (
        r"^the process that explained rows 1 to 64 died \(exit code 9\)\. It may have run out of memory\. Use fewer "
        r"workers \(--workers\), or check the input that it worked on\.$"
    )
    with pytest.raises(DataError, match=expected):
        explained(path, tmp_path / "out", model)
    assert (tmp_path / "deaths").read_text() == "died\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]


def test_the_parent_process_does_not_import_torch(large: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom textlrp.cli import main\n"
        f"main(['explain', 'model', 'some.csv', '--workers', '2', '-o', {str(tmp_path / 'out')!r}])\n"
        "assert not {'torch', 'numba', 'spacy', 'sklearn'} & set(sys.modules), sorted(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=large, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(rows_in(tmp_path / "out")) == LARGE


def test_an_error_in_a_worker_is_raised_in_the_parent(tmp_path: Path) -> None:
    path = poisoned(tmp_path, SEVERAL - 1)
    model = small("svm", tokenizer=split_or_complain).fit(TEXTS, LABELS)
    with pytest.raises(DataError, match=r"^this text is poisoned\.$"):
        explained(path, tmp_path / "out", model)


def test_closing_the_generator_stops_the_processes(corpus: Path, tmp_path: Path) -> None:
    done = done_in_processes(file_source(corpus, Columns()), fitted("boe"), tmp_path / "out")
    next(done)
    assert len(multiprocessing.active_children()) == 2
    done.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
    assert not [*(tmp_path / "out").glob(".*")]


def test_sending_shards_does_not_block_while_the_worker_is_busy() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.send("first")
    messages = _messages(theirs)
    assert next(messages) == "first"  # the worker is busy with it from now on
    large = [bytes(8 << 20), bytes(8 << 20)]  # far more than the buffer of a pipe
    sender = threading.Thread(target=lambda: [ours.send(shard) for shard in large], daemon=True)
    sender.start()
    sender.join(timeout=20)
    assert not sender.is_alive()
    ours.close()
    assert list(messages) == large


def test_forks_do_not_collect_imported_modules() -> None:
    with ProcessPoolExecutor(1, mp_context=process_context(PRELOAD)) as pool:
        assert pool.submit(gc.get_freeze_count).result() > 10_000


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="this system has no forkserver"
)
@pytest.mark.parametrize(("task", "complains"), [(b"", False), (pickle.dumps(1), True)], ids=["nothing", "nonsense"])
def test_a_fork_without_a_task_is_silent(task: bytes, complains: bool) -> None:
    forked = subprocess.run(
        [sys.executable, "-c", FORK_AND_SEND], input=task, capture_output=True, timeout=60, check=True
    )
    assert forked.stdout == b"1\n"
    assert (b"TypeError" in forked.stderr) == bool(forked.stderr) == complains


FORK_AND_SEND = """
import os, sys
from multiprocessing import forkserver
from textlrp.machine import start_forkserver

start_forkserver("textlrp.machine")
replies, tasks = forkserver.connect_to_new_process([])
os.write(tasks, sys.stdin.buffer.read())
os.close(tasks)
forkserver.read_signed(replies)  # its process id
print(forkserver.read_signed(replies))  # its exit code
"""


# ---- the command, killed and interrupted

LARGE = 14 * SHARD_ROWS + 100


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and some.csv, 15 shards."""
    folder = tmp_path_factory.mktemp("large")
    write_csv(folder / "some.csv", some_texts(LARGE))
    fitted("boe").save(folder / "model")
    return folder


class Command:
    """``textlrp explain`` in its own process group, which is killed at the end of the test."""

    def __init__(self, place: Path, output: Path, workers: int) -> None:
        self.output = output
        arguments = ["explain", "model", "some.csv", "--workers", str(workers), "-o", output]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "textlrp", *arguments], cwd=place, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *problem: object) -> None:
        self.send(signal.SIGKILL)
        self._process.communicate()

    def send(self, number: int) -> None:
        """Send a signal to the whole group, as Ctrl-C in a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def send_to_parent(self, number: int) -> None:
        self._process.send_signal(number)

    def wait_for_shards(self, more_than: int) -> None:
        until = time.monotonic() + 60
        while self._process.poll() is None and len(shards_in(self.output)) <= more_than:
            assert time.monotonic() < until, "no shard was written"
            time.sleep(0.02)

    def wait_for_processes(self, count: int) -> None:
        until = time.monotonic() + 60
        while self._process.poll() is None and len(processes_of(self._process.pid)) < count:
            assert time.monotonic() < until, f"{count} processes did not start"
            time.sleep(0.02)

    def end(self) -> tuple[int, str, str]:
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out, err

    def wait_for_all_to_end(self) -> None:
        """Wait until every process of the group has ended."""
        until = time.monotonic() + 60
        while processes_of(self._process.pid):
            assert time.monotonic() < until, "a process is left"
            time.sleep(0.05)


def processes_of(group: int) -> list[int]:
    """The running processes of a group."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of_group = (place / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state not in "ZX":
            found.append(int(place.name))
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds processes in /proc")


@needs_proc
def test_a_run_that_is_killed_repeatedly_loses_and_repeats_no_row(large: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    folder = tmp_path / "out"
    kills = 0
    for workers in (2, 1, 2, 1, 2):
        with Command(large, folder, workers) as command:
            if kills:
                command.wait_for_shards(len(shards_in(folder)))
                time.sleep(draw.uniform(0, 0.3))
            else:
                time.sleep(draw.uniform(0.5, 5))  # possibly before the first shard is written
            if kills == 2:
                command.send_to_parent(signal.SIGKILL)  # its worker processes must end without it
                command.end()
                command.wait_for_all_to_end()
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
def test_ctrl_c_prints_one_message_and_exits_with_130(large: Path, tmp_path: Path, workers: int) -> None:
    with Command(large, tmp_path / "out", workers) as command:
        command.wait_for_shards(1)
        command.send(signal.SIGINT)
        code, out, err = command.end()
        command.wait_for_all_to_end()
    assert code == 130
    assert out == ""
    expected = (
        r"textlrp: stopped: ([\d,]+) documents are explained in '.*out'\. Repeat the same command to continue\.\n"
    )
    message = re.fullmatch(expected, err)
    assert message, err
    assert int(message[1].replace(",", "")) <= len(rows_in(tmp_path / "out")) < LARGE
    assert not [*(tmp_path / "out").glob(".*")]


@needs_proc
@pytest.mark.parametrize("delay", [0.3, 1.5])
def test_ctrl_c_while_processes_start_prints_one_message(large: Path, tmp_path: Path, delay: float) -> None:
    with Command(large, tmp_path / "out", 2) as command:
        command.wait_for_processes(2)
        time.sleep(delay)
        command.send(signal.SIGINT)
        code, out, err = command.end()
        command.wait_for_all_to_end()
    # A shell reports both as 130. If Ctrl-C interrupts an exec of source code (for example while a dataclass is being
    # imported), python -m ends with the signal itself, although the exception was caught.
    assert code in (130, -signal.SIGINT), err
    assert out == ""
    assert re.fullmatch(r"textlrp: stopped(?: by Ctrl-C|:) [^\n]+\.\n", err), err
