"""Keep the finished stages of a long run on disk, so that an interrupted run continues where it stopped."""

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

WORDS_STAGE, ERRORS_STAGE = "words", "label errors"
"""The names of the stages that contain words of documents begin with these."""


class Stages:
    """A folder of finished stages for one model, corpus and set of options.

    ``key`` is JSON data that the results depend on: the model's fingerprint, a digest of the corpus, the options.
    Stages that were computed with another key are in another subfolder and are not used.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
        self.folder = folder / digest
        self.folder.mkdir(parents=True, exist_ok=True)

    def arrays(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a stage: read from disk if they exist, otherwise computed by ``make`` and written."""
        path = self.folder / f"{_file_name(name)}.npz"
        if not path.exists():
            made = make()
            with atomic_file(path) as beside, beside.open("wb") as file:
                np.savez(file, allow_pickle=False, **{key: np.asarray(value) for key, value in made.items()})
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}

    def plain(self, name: str, make: Callable[[], Any]) -> Any:
        """The JSON data of a stage: read from disk if it exists, otherwise computed by ``make`` and written."""
        path = self.folder / f"{_file_name(name)}.json"
        if not path.exists():
            made = json.dumps(make())
            with atomic_file(path) as beside:
                beside.write_text(made, encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))


def remove_texts(folder: Path) -> None:
    """Remove the finished stages that contain words of documents, also those of other models and corpora."""
    for name in (WORDS_STAGE, ERRORS_STAGE):
        for path in folder.glob(f"*/{_readable(name)}-*.json"):
            path.unlink()


def _readable(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)[:60]


def _file_name(name: str) -> str:
    """A readable file name for a stage; the hash keeps similar names distinct."""
    return f"{_readable(name)}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
