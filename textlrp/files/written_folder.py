"""Write a folder safely: it appears whole or not at all, or is continued, and replaces only one of the same kind.

A folder is recognized by the file ``.textlrp.json`` in it (:class:`FolderKind`). With ``force=True`` anything else is
moved to a free name.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError
from textlrp.files.input_paths import check_apart, is_read_only, shown_path, stat_of, what_it_is
from textlrp.files.replacing import (
    REMEDY,
    is_half_written,
    keep_modes,
    moved_aside,
    put_in_place,
    recognizes,
    temporary_beside,
)
from textlrp.files.written_file import json_text, written_beside
from textlrp.version import __version__

MARKER = ".textlrp.json"
"""The file in a folder that textlrp made: its purpose, and the files that were written."""


class FolderKind(NamedTuple):
    """A kind of folder that textlrp writes.

    ``replaced``: whether a new one replaces an old one as a whole; otherwise the old one is written into and
    continued. ``names`` of what is in it. ``recognize`` tells a folder that has no marker by its content.
    """

    purpose: str
    replaced: bool
    names: Collection[str]
    recognize: Callable[[Path], bool]


# ---- folders


def check_folder(
    path: str | Path,
    kind: FolderKind,
    *,
    inputs: Iterable[str | Path] = (),
    force: bool = False,
    parents: bool = False,
) -> Path:
    """Return where a folder is to be made, links resolved; raise :class:`DataError` where it cannot be.

    Refused are a missing folder above (unless ``parents``), one that is, contains or is in one of the ``inputs``,
    and, unless ``force``, what is neither empty nor a folder of ``kind`` that textlrp made.
    """
    found = stat_of(path)
    target = Path(os.path.realpath(path))
    if found is not None and not stat.S_ISDIR(found.st_mode):
        what = "a file" if stat.S_ISREG(found.st_mode) else what_it_is(found)
        if not force or not stat.S_ISREG(found.st_mode):
            raise DataError(f"cannot make the folder {shown_path(path)}: it is {what}. Name a new folder.")
    above = next((each for each in target.parents if stat_of(each) is not None), target)
    if not above.is_dir():
        raise DataError(
            f"cannot make the folder {shown_path(path)}: {shown_path(above)} is a file. Name a new folder."
        )
    if above != target.parent and not parents:
        raise DataError(
            f"cannot make the folder {shown_path(path)}: {shown_path(target.parent)} does not exist. Make it first."
        )
    if not os.access(above, os.W_OK):
        raise DataError(
            f"cannot make the folder {shown_path(path)}: {shown_path(above)} cannot be written to. Name another."
        )
    check_apart(path, inputs)
    if not force and (refusal := _folder_refusal(target, kind)):
        raise DataError(f"the folder {shown_path(path)} {refusal}. {REMEDY.format('folder')}")
    return target


def _folder_refusal(target: Path, kind: FolderKind) -> str:
    """Why what is at ``target`` may not be replaced or written into, or an empty string."""
    found = stat_of(target)
    if found is None:
        return ""
    if not stat.S_ISDIR(found.st_mode):
        return f"is {what_it_is(found)}"
    names = sorted(each.name for each in target.iterdir() if not is_half_written(each))
    if is_read_only(target, found):
        return "is read-only"
    if not names:
        return ""
    marker = read_marker(target)
    if marker is None:
        if not recognizes(kind.recognize, target):
            strange = next((name for name in names if name not in kind.names), names[0])
            return f"has other things in it ({shown_path(strange)})"
        written: Collection[str] | None = None
    elif marker["purpose"] != kind.purpose:
        return f"holds {marker['purpose']}, not {kind.purpose}"
    else:
        written = {*marker["files"], MARKER}
    return _other_files_in(target, written) if kind.replaced else ""


def _other_files_in(target: Path, written: Collection[str] | None) -> str:
    """Which file below ``target`` is not ``written`` (None: all are), or is read-only; or an empty string."""
    above = {parent for name in written or () for parent in Path(name).parents}
    for folder, folders, names in os.walk(target):
        for name in (*folders, *names):
            place = Path(folder, name)
            below, found = place.relative_to(target), place.lstat()
            is_folder = stat.S_ISDIR(found.st_mode)
            if written is not None and not (below in above if is_folder else below.as_posix() in written):
                return f"has other things in it ({shown_path(below)})"
            if not stat.S_ISREG(found.st_mode) and not is_folder:
                return f"has other things in it ({shown_path(below)})"
            if is_read_only(place, found):
                return f"has a read-only file in it ({shown_path(below)})"
    return ""


@contextmanager
def folder_beside(
    path: str | Path, kind: FolderKind, *, mark: bool = True, force: bool = False, parents: bool = False
) -> Iterator[Path]:
    """An empty folder next to ``path``: renamed to ``path`` at the end, removed on any failure.

    At the end the files in it are listed in its marker, unless ``mark`` is False because the content itself tells
    what it is. What was at ``path`` is replaced; the modes of the folder and of files of the same name are kept, and
    a symbolic link is followed. Raises as :func:`check_folder` does; what would be refused at the end, with ``force``
    or because it changed in the meantime, is moved to a backup name, with a warning.
    """
    target = check_folder(path, kind, force=force, parents=parents)
    beside = temporary_beside(target.parent, ".part")
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
    except OSError as reason:
        raise DataError(f"cannot make the folder {shown_path(path)}: {reason.strerror}.") from None
    try:
        yield beside
        if mark:
            files = sorted(each.relative_to(beside).as_posix() for each in beside.rglob("*") if each.is_file())
            _write_marker(beside, kind, files)
        keep_modes(target, beside)
        put_in_place(beside, target, keep=bool(_folder_refusal(target, kind)))
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def opened_folder(
    path: str | Path,
    kind: FolderKind,
    files: Sequence[str] | None = None,
    *,
    force: bool = False,
    parents: bool = False,
) -> Path:
    """Make a folder to write into, or continue one that was made for this; return it with links resolved.

    It is marked with the ``files`` to write, unless that is None because the content itself tells what it is.

    Raises as :func:`check_folder` does; with ``force`` what would be refused is moved to a backup name.
    """
    target = check_folder(path, kind, force=force, parents=parents)
    try:
        if _folder_refusal(target, kind):
            moved_aside(target)
        target.mkdir(parents=parents, exist_ok=True)
        if files is not None and read_marker(target) is None:
            _write_marker(target, kind, files)
    except OSError as reason:
        raise DataError(f"cannot make the folder {shown_path(path)}: {reason.strerror}.") from None
    return target


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What the marker of a folder says (``purpose`` and ``files``), or None where there is no valid one."""
    path = folder / MARKER
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        marker = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(marker, dict) or marker.get("made_by") != "textlrp":
        return None
    files = marker.get("files")
    is_valid = isinstance(marker.get("purpose"), str) and isinstance(files, list)
    return marker if is_valid and all(isinstance(name, str) for name in files or ()) else None


def _write_marker(folder: Path, kind: FolderKind, files: Sequence[str]) -> None:
    marker = {"made_by": "textlrp", "purpose": kind.purpose, "version": __version__, "files": list(files)}
    with written_beside(folder / MARKER) as beside:
        beside.write_text(json_text(marker), encoding="utf-8")
