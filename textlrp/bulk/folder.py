"""The folder of a run: what it is, which parts are there, what was set aside. Whatever is there is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from textlrp.bulk.parts import part_name, set_aside_of
from textlrp.errors import DataError
from textlrp.files import written_beside

RUN, ASIDE = "run.json", "set-aside.jsonl"

HALF_WRITTEN = ".textlrp-*.part"
"""What a run that was killed leaves behind."""


class RunFolder:
    """A folder that a run writes to; opening it makes it, or finds what an earlier run left in it.

    ``settings``: all that the rows depend on. Raises :class:`DataError` where other things are in the folder, or a
    run with other settings.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise DataError(
                f"cannot make the folder {str(path)!r}: {str(self.path.parent)!r} does not exist. Make it first."
            )
        if self.path.exists() and not self.path.is_dir():
            raise DataError(f"cannot make the folder {str(path)!r}: it is a file. Name a new folder.")
        self._settings = json.loads(json.dumps(settings))
        if (self.path / RUN).is_file():
            self._check()
        else:
            self._make()
        for left in self.path.glob(HALF_WRITTEN):
            left.unlink(missing_ok=True)
        self.parts = {int(file.stem.removeprefix("part-")) for file in self.path.glob("part-*.parquet")}

    def _make(self) -> None:
        found = sorted(self.path.iterdir()) if self.path.is_dir() else []
        if others := [each for each in found if not each.match(HALF_WRITTEN)]:
            raise DataError(
                f"the folder {str(self.path)!r} has other things in it ({others[0].name}); name a new one."
            )
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as reason:
            raise DataError(f"cannot make the folder {str(self.path)!r}: {reason.strerror}.") from None
        with written_beside(self.path / RUN) as beside:
            beside.write_text(json.dumps(self._settings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def _check(self) -> None:
        try:
            found = json.loads((self.path / RUN).read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DataError(f"{str(self.path / RUN)!r} is damaged; name a new folder.")
        found = {"start": "score", "notes": []} | found  # runs of older versions say neither
        if found == self._settings:
            return
        differs = [name for name in self._settings if found.get(name) != self._settings[name]]
        raise DataError(
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
            with written_beside(self.path / ASIDE) as beside, beside.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in aside)
        return documents, len(aside)

    @property
    def aside(self) -> Path:
        """The file that lists the rows set aside."""
        return self.path / ASIDE
