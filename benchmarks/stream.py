"""Explain a million documents in one run, and test that a run that is killed repeatedly loses no document.

    python benchmarks/stream.py --documents 1000000      seconds, peak memory, bytes per document
    python benchmarks/stream.py --kills 50               kill -9 at random times: lost and duplicate documents

Documents consist of words of the bundled CNN's vocabulary, drawn by their document frequency in training, in a
Parquet file in a temporary folder (or --folder). The first command explains the predicted class and stores the
relevance of all words as float16. Memory is the proportional set size (PSS), summed over all processes of the run.
The memory of one process that loaded the model and explained a batch is reported separately and subtracted from the
peak.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import textlrp
from textlrp.files.written_file import atomic_file

MODEL = "20newsgroups-cnn"
CHUNK = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, help="number of documents to explain in one run")
    parser.add_argument("--kills", type=int, help="number of kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="write here instead of a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if options.documents:
            one_run(folder, options.documents, options.seed)
        if options.kills:
            many_kills(folder, options.kills, options.seed)


def made(path: Path, documents: int, seed: int) -> Path:
    """Write documents of 1 to 2,000 words, with a median of 60, to a Parquet file."""
    if path.exists() and pq.read_metadata(path).num_rows == documents:  # written by an earlier call
        return path
    model = textlrp.load(MODEL)
    words = np.array(model.vocabulary_.words)
    share = model.vocabulary_.counts / model.vocabulary_.counts.sum()
    rng = np.random.default_rng(seed)
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with atomic_file(path) as beside, pq.ParquetWriter(beside, schema) as writer:
        for begin in range(0, documents, CHUNK):
            count = min(CHUNK, documents - begin)
            lengths = np.clip(rng.lognormal(np.log(60), 0.8, count), 1, 2000).astype(int)
            drawn = words[rng.choice(len(words), lengths.sum(), p=share)]
            texts = [" ".join(text) for text in np.split(drawn, np.cumsum(lengths)[:-1])]
            ids = [f"document {n}" for n in range(begin, begin + count)]
            writer.write_table(pa.table({"id": ids, "text": texts}, schema=schema))
    return path


def command(source: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "textlrp", "explain", MODEL, str(source), "-o", str(out)]


def one_run(folder: Path, documents: int, seed: int) -> None:
    source, out = made(folder / "documents.parquet", documents, seed), folder / "explained"
    model_alone = baseline()
    start = time.perf_counter()
    with subprocess.Popen(command(source, out), stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        peak = 0
        while run.poll() is None:
            peak = max(peak, memory(run.pid))
            time.sleep(0.5)
        output = run.stdout.read() if run.stdout else ""
    took = time.perf_counter() - start
    print(output, end="")
    print(f"{documents:,} documents in {took:,.0f} s including start and end: {documents / took:,.0f} documents/s")
    print(f"peak memory of all processes: {peak / 1e6:,.0f} MB; of one process with the model after one batch: "
          f"{model_alone / 1e6:,.0f} MB; difference: {(peak - model_alone) / 1e6:,.0f} MB")  # fmt: skip
    size = sum(part.stat().st_size for part in out.glob("part-*.parquet"))
    print(f"{size / 1e9:.2f} GB written, {size / documents:,.0f} bytes per document")
    print(tally(out, documents))


def tally(out: Path, documents: int) -> str:
    """Count lost and duplicate documents, and check their order."""
    times: Counter[int] = Counter()
    ordered, last = True, -1
    for part in sorted(out.glob("part-*.parquet")):
        rows = pq.read_table(part, columns=["row"])["row"].to_pylist()
        times.update(rows)
        ordered &= rows[0] > last
        last = rows[-1]
    lost = sum(1 for row in range(documents) if not times[row])
    doubled = sum(1 for count in times.values() if count > 1)
    return f"{len(times):,} documents: {lost} lost, {doubled} duplicate, {'in' if ordered else 'OUT OF'} order"


def many_kills(folder: Path, kills: int, seed: int) -> None:
    documents = 60_000
    source = made(folder / "to-kill.parquet", documents, seed)
    calm = folder / "calm"
    subprocess.run(command(source, calm), check=True, stdout=subprocess.DEVNULL)
    chance, killed, runs, same, parts = random.Random(seed), 0, 0, 0, 0
    while killed < kills:
        out = folder / f"killed-{runs}"
        while True:
            run = subprocess.Popen(command(source, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)  # fmt: skip
            try:
                if killed == kills:
                    run.wait()
                else:
                    run.wait(chance.uniform(3, 16))
                assert run.returncode == 0
                break
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                killed += 1
        runs += 1
        print(f"run {runs}, {killed} kills so far: {tally(out, documents)}", flush=True)
        for part in sorted(calm.glob("part-*.parquet")):
            parts += 1
            same += part.read_bytes() == (out / part.name).read_bytes()
    print(f"{killed} kills in {runs} runs; {same} of {parts} files equal those of an uninterrupted run byte by byte")


# ---- memory


def baseline() -> int:
    """Memory in bytes of a process that loaded the model and explained a batch."""
    script = (
        "import sys, textlrp\n"
        f"model = textlrp.load({MODEL!r})\n"
        "list(textlrp.explain(model, ['The shuttle reached its orbit.'] * 64))\n"
        "print('done', flush=True)\nsys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], text=True, **pipes) as run:
        assert run.stdout is not None
        run.stdout.readline()
        found = memory(run.pid)
        run.communicate("")
    return found


def memory(root: int) -> int:
    """The proportional set size (PSS) in bytes of a process and all of its descendants."""
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # the process has ended
            continue
        children.setdefault(parent, []).append(int(process.name))
    return sum(_size(process) for process in _below(root, children))


def _below(root: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield root
    for child in children.get(root, []):
        yield from _below(child, children)


def _size(process: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:  # the process has ended
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
