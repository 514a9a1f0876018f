"""Inputs for bulk runs, tokenizers that fail in worker processes, and functions that read the folder of a run."""

from __future__ import annotations

import csv
import multiprocessing
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from toys import NAMES, SENTENCES, TEXTS

from textlrp.bulk.shards import SHARD_ROWS
from textlrp.errors import DataError

SEVERAL = 2 * SHARD_ROWS + 500
"""Rows of three shards. A monkeypatched shard size would not reach other processes."""


def some_texts(count: int, seed: int = 0) -> list[str]:
    """Short texts. Each one contains the number of its row, so they are all different."""
    draw = np.random.default_rng(seed)
    picks = draw.integers(0, len(TEXTS), size=(count, 2))
    return [f"{TEXTS[a]} zebra{n} {TEXTS[b]}" for n, (a, b) in enumerate(picks.tolist())]


def write_csv(path: Path, texts: Iterable[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "id"])
        writer.writerows([text, NAMES[n % len(SENTENCES)], f"doc {n}"] for n, text in enumerate(texts))
    return path


def shards_in(folder: Path) -> dict[str, bytes]:
    """File name -> content of each shard."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def times_in(folder: Path) -> dict[str, int]:
    """File name -> time of the last change."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def rows_in(folder: Path) -> list[int]:
    """The numbers of the explained rows, in the order of the files."""
    return list(all_in(folder)["row"].to_pylist())


def all_in(folder: Path) -> pa.Table:
    """The rows of all shards in order."""
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))).combine_chunks()


def _in_a_worker() -> bool:
    title = Path("/proc/self/cmdline")
    return multiprocessing.parent_process() is not None or (title.is_file() and b"ray::" in title.read_bytes())


def split_or_die(text: str) -> list[str]:
    """A tokenizer that kills its worker process on a text "poison FILE", and appends a line to that file first."""
    if text.startswith("poison") and _in_a_worker():
        with open(text.split()[1], "a", encoding="utf-8") as file:
            file.write("died\n")
        os._exit(9)
    return text.split()


def split_or_complain(text: str) -> list[Any]:
    """A tokenizer that raises an error on a poisoned text."""
    if "poison" in text and _in_a_worker():
        raise DataError("this text is poisoned.")
    return text.split()
