"""The folder of a bulk run: its settings, which shards are written, and which rows were rejected.

Every file in it is written atomically, so a file that exists is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from textlrp.bulk.shards import read_summary, shard_file_name
from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular
from textlrp.files.rejected_rows import write_rejected
from textlrp.files.replacing import is_half_written, move_to_backup
from textlrp.files.written_file import atomic_file, json_text
from textlrp.files.written_folder import FolderKind, check_folder, opened_folder

RUN, REJECTED = "run.json", "rejected.jsonl"


def _is_run(folder: Path) -> bool:
    """Whether a folder contains a run, of this or an older version. ``run.json`` identifies it; it has no marker."""
    check_regular(folder / RUN)
    found = json.loads((folder / RUN).read_text(encoding="utf-8"))
    return isinstance(found, dict) and str(found.get("format")).startswith("run ") and "input" in found


EXPLANATIONS = FolderKind("explanations", replaced=False, names=(RUN, REJECTED), recognize=_is_run)


def check_run(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> Path:
    """Return the path of the run's folder with links resolved; raise :class:`DataError` as :func:`check_folder`."""
    return check_folder(path, EXPLANATIONS, inputs=inputs, force=force)


class RunFolder:
    """The folder that a run writes to. Created if it is missing; otherwise the run in it is continued.

    ``settings``: everything that the files depend on, stored as ``run.json``. ``shards``: the numbers of the shards
    that are already written.

    Raises :class:`DataError` if the folder contains a run with other settings, or other files. With ``force`` it is
    moved to a backup name instead.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any], *, force: bool = False) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(settings))
        check_run(path, force=force)
        if force and (self.path / RUN).is_file() and self._difference():
            move_to_backup(self.path)
        opened_folder(path, EXPLANATIONS, force=force)
        if not (self.path / RUN).is_file():
            self._write_settings()
        elif difference := self._difference():
            raise DataError(difference)
        # temporary files of a run that was killed
        for leftover in filter(is_half_written, self.path.iterdir()):
            if leftover.is_file():
                leftover.unlink(missing_ok=True)
        self.shards = {int(file.stem.removeprefix("part-")) for file in self.path.glob("part-*.parquet")}

    def _write_settings(self) -> None:
        with atomic_file(self.path / RUN) as temporary:
            temporary.write_text(json_text(self._settings), encoding="utf-8")

    def _difference(self) -> str:
        """Describe how the run in the folder differs from this one; an empty string if it does not."""
        try:
            found = json.loads((self.path / RUN).read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return f"{str(self.path / RUN)!r} is damaged. Choose a new folder, or pass force=True (--force)."
        if found == self._settings:
            return ""
        differs = [name for name in self._settings if found.get(name) != self._settings[name]]
        return (
            f"the folder {str(self.path)!r} contains a run with other settings: {', '.join(differs) or 'version'}. "
            "Choose a new folder, repeat the settings of that run, or move it to a backup with force=True (--force)."
        )

    def finish(self, shards: int) -> tuple[int, int]:
        """Return the numbers of documents and of rejected rows in all ``shards``; list the latter in a file, if any.

        Raises :class:`DataError` if the file of a shard is damaged.
        """
        documents, rejected = 0, []
        for shard in range(shards):
            path = self.path / shard_file_name(shard)
            try:
                in_shard, rejected_in_shard = read_summary(path)
            except (pa.ArrowException, OSError, KeyError, ValueError):
                raise DataError(f"{str(path)!r} is damaged. Delete it, and repeat the call to rewrite it.") from None
            documents += in_shard
            rejected += rejected_in_shard
        if rejected:
            write_rejected(self.path / REJECTED, [(row["row"], row["reason"]) for row in rejected])
        return documents, len(rejected)
