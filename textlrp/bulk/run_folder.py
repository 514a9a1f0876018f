"""The folder of a run: what it is, which parts are there, what was set aside. Whatever is there is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from textlrp.bulk.parts import part_name, set_aside_of
from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular
from textlrp.files.kinds import json_lines
from textlrp.files.replacing import is_half_written, move_to_backup
from textlrp.files.written_file import atomic_file, json_text
from textlrp.files.written_folder import FolderKind, check_folder, opened_folder

RUN, ASIDE = "run.json", "set-aside.jsonl"

_ASIDE_ROWS = json_lines("a file of rows that were set aside", ("row", "wrong"))


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run: its file says so, and no marker is needed."""
    check_regular(folder / RUN)
    found = json.loads((folder / RUN).read_text(encoding="utf-8"))
    return isinstance(found, dict) and str(found.get("format")).startswith("run ") and "part_rows" in found


EXPLANATIONS = FolderKind("explanations", replaced=False, names=(RUN, ASIDE), recognize=_is_run)


def check_run(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> Path:
    """Return where a run is written, links resolved; raises :class:`DataError` as :func:`check_folder` does."""
    return check_folder(path, EXPLANATIONS, inputs=inputs, force=force)


class RunFolder:
    """A folder that a run writes to; opening it makes it, or finds what an earlier run left in it.

    ``settings``: all that the rows depend on. Raises :class:`DataError` where other things are in the folder, or a
    run with other settings; with ``force`` they are moved to a backup name.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any], *, force: bool = False) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(settings))
        check_run(path, force=force)
        if force and (self.path / RUN).is_file() and self._difference():
            move_to_backup(self.path)
        opened_folder(path, EXPLANATIONS, force=force)
        if not (self.path / RUN).is_file():
            self._make()
        elif difference := self._difference():
            raise DataError(difference)
        for left in filter(is_half_written, self.path.iterdir()):
            if left.is_file():
                left.unlink(missing_ok=True)
        self.parts = {int(file.stem.removeprefix("part-")) for file in self.path.glob("part-*.parquet")}

    def _make(self) -> None:
        with atomic_file(self.path / RUN) as beside:
            beside.write_text(json_text(self._settings), encoding="utf-8")

    def _difference(self) -> str:
        """How the run in the folder differs from this one, as a sentence, or an empty string."""
        try:
            found = json.loads((self.path / RUN).read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return f"{str(self.path / RUN)!r} is damaged; name a new folder."
        if found == self._settings:
            return ""
        differs = [name for name in self._settings if found.get(name) != self._settings[name]]
        return (
            f"the folder {str(self.path)!r} holds a run that differs in {', '.join(differs) or 'its version'}; "
            "name a new folder, or call it as it was called."
        )

    def finish(self, parts: int) -> tuple[int, int]:
        """Count documents and rows set aside in all ``parts``; list the latter in a file where there are any.

        Raises :class:`DataError` where the file of a part is damaged.
        """
        documents, aside = 0, []
        for part in range(parts):
            path = self.path / part_name(part)
            try:
                own, bad = set_aside_of(path)
            except (pa.ArrowException, OSError, KeyError, ValueError):
                raise DataError(f"{str(path)!r} is damaged; remove it, and call again.") from None
            documents += own
            aside += bad
        if aside:
            with atomic_file(self.path / ASIDE, _ASIDE_ROWS) as beside, beside.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in aside)
        return documents, len(aside)

    @property
    def aside(self) -> Path:
        """The file that lists the rows set aside."""
        return self.path / ASIDE
