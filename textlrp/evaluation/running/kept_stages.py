"""Stages of a long run, each kept on disk when it is done, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.files.written_file import atomic_file

Arrays = Mapping[str, NDArray[Any]]


class Stages:
    """A folder of finished stages, for one set of circumstances: what was measured under others is not taken.

    ``circumstances`` are plain JSON data: the model's fingerprint, a digest of the corpus, the options.
    """

    def __init__(self, folder: Path, circumstances: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()[:12]
        self.folder = folder / digest
        self.folder.mkdir(parents=True, exist_ok=True)

    def arrays(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a stage: read where it was done before, else made and written."""
        path = self.folder / f"{_file_name(name)}.npz"
        if not path.exists():
            made = make()
            with atomic_file(path) as beside, beside.open("wb") as file:
                np.savez(file, allow_pickle=False, **{key: np.asarray(value) for key, value in made.items()})
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}

    def plain(self, name: str, make: Callable[[], Any]) -> Any:
        """The plain data of a stage, as JSON gives it back."""
        path = self.folder / f"{_file_name(name)}.json"
        if not path.exists():
            made = json.dumps(make())
            with atomic_file(path) as beside:
                beside.write_text(made, encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))


def _file_name(name: str) -> str:
    """Readable, and different for different names."""
    readable = "".join(c if c.isalnum() else "-" for c in name)[:60]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
