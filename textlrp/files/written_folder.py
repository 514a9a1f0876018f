"""Write a folder safely: atomically, or by continuing an earlier run. Only a folder of the same kind is replaced.

The kind of an existing folder is recognized by the file ``.textlrp.json`` in it (:class:`FolderKind`). With
``force=True`` any other folder is moved to a backup name. Open this module to write a new kind of output folder.
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
from textlrp.files.input_paths import check_no_overlap, is_read_only, shown_path, stat_of, what_it_is
from textlrp.files.replacing import (
    REMEDY,
    is_half_written,
    keep_modes,
    move_to_backup,
    put_in_place,
    recognizes,
    temporary_path,
)
from textlrp.files.written_file import atomic_file, json_text
from textlrp.version import __version__

MARKER = ".textlrp.json"
"""Name of the file that marks a folder as written by textlrp. It lists the folder's purpose and files."""


class FolderKind(NamedTuple):
    """A kind of folder that textlrp writes.

    ``purpose`` names it with an article, for messages. ``replaced``: whether a new folder replaces the old one
    completely; otherwise files are added to the old one. ``names`` are the files and folders in it. ``recognize``
    decides by its content whether a folder without a marker is of this kind.
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
    """Return the path of a folder to write, with links resolved.

    Raises :class:`DataError` if the parent folder does not exist (unless ``parents``); if the folder is, contains or
    is in one of the ``inputs``; and, unless ``force``, if something exists at the path that is neither an empty
    folder nor a folder of ``kind`` that textlrp created.
    """
    found = stat_of(path)
    target = Path(os.path.realpath(path))
    if found is not None and not stat.S_ISDIR(found.st_mode):
        what = "a file" if stat.S_ISREG(found.st_mode) else what_it_is(found)
        if not force or not stat.S_ISREG(found.st_mode):
            raise DataError(f"cannot create the folder {shown_path(path)}: it is {what}. Choose a new folder.")
    above = next((each for each in target.parents if stat_of(each) is not None), target)
    if not above.is_dir():
        raise DataError(
            f"cannot create the folder {shown_path(path)}: {shown_path(above)} is a file. Choose a new folder."
        )
    if above != target.parent and not parents:
        raise DataError(
            f"cannot create the folder {shown_path(path)}: the folder {shown_path(target.parent)} does not exist. "
            "Create it first."
        )
    if not os.access(above, os.W_OK):
        raise DataError(
            f"cannot create the folder {shown_path(path)}: the folder {shown_path(above)} is not writable. "
            "Choose another folder."
        )
    check_no_overlap(path, inputs)
    if not force and (refusal := _folder_refusal(target, kind)):
        raise DataError(f"the folder {shown_path(path)} {refusal}. {REMEDY.format('folder')}")
    return target


def _folder_refusal(target: Path, kind: FolderKind) -> str:
    """Return why the folder at ``target`` must not be replaced or written to, or an empty string if it may be."""
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
            return f"contains files that textlrp did not write ({shown_path(strange)})"
        written: Collection[str] | None = None
    elif marker["purpose"] != kind.purpose:
        return f"contains {marker['purpose']}, not {kind.purpose}"
    else:
        written = {*marker["files"], MARKER}
    return _other_files_in(target, written) if kind.replaced else ""


def _other_files_in(target: Path, written: Collection[str] | None) -> str:
    """Return which file below ``target`` is read-only or not in ``written``, or an empty string.

    If ``written`` is None, every regular file counts as written by textlrp.
    """
    above = {parent for name in written or () for parent in Path(name).parents}
    for folder, folders, names in os.walk(target):
        for name in (*folders, *names):
            place = Path(folder, name)
            below, found = place.relative_to(target), place.lstat()
            is_folder = stat.S_ISDIR(found.st_mode)
            if written is not None and not (below in above if is_folder else below.as_posix() in written):
                return f"contains files that textlrp did not write ({shown_path(below)})"
            if not stat.S_ISREG(found.st_mode) and not is_folder:
                return f"contains files that textlrp did not write ({shown_path(below)})"
            if is_read_only(place, found):
                return f"contains a read-only file ({shown_path(below)})"
    return ""


@contextmanager
def atomic_folder(
    path: str | Path, kind: FolderKind, *, mark: bool = True, force: bool = False, parents: bool = False
) -> Iterator[Path]:
    """Yield an empty temporary folder to write to; rename it to ``path`` at the end, or remove it on any failure.

    At the end its marker is written, with a list of the files. Pass ``mark=False`` for folders that are recognized by
    their content instead. An existing folder is replaced; its mode and the modes of files with the same names are
    kept, and a symbolic link is followed. Raises :class:`DataError` in the cases of :func:`check_folder`. With
    ``force``, a folder that must not be replaced is moved to a backup name, with a warning; the same happens if the
    existing folder changed in the meantime.
    """
    target = check_folder(path, kind, force=force, parents=parents)
    temporary = temporary_path(target.parent, ".part")
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as reason:
        raise DataError(
            f"cannot create the folder {shown_path(path)}: {reason.strerror}. Choose another output path."
        ) from None
    try:
        yield temporary
        if mark:
            files = sorted(each.relative_to(temporary).as_posix() for each in temporary.rglob("*") if each.is_file())
            _write_marker(temporary, kind, files)
        keep_modes(target, temporary)
        put_in_place(temporary, target, keep=bool(_folder_refusal(target, kind)))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def opened_folder(
    path: str | Path,
    kind: FolderKind,
    files: Sequence[str] | None = None,
    *,
    force: bool = False,
    parents: bool = False,
) -> Path:
    """Create a folder to write to, or open an existing one of the same kind; return its path with links resolved.

    Its marker lists the ``files`` to write. Pass None for folders that are recognized by their content instead.

    Raises :class:`DataError` in the cases of :func:`check_folder`. With ``force``, a folder that must not be written
    to is moved to a backup name.
    """
    target = check_folder(path, kind, force=force, parents=parents)
    try:
        if _folder_refusal(target, kind):
            move_to_backup(target)
        target.mkdir(parents=parents, exist_ok=True)
        if files is not None and read_marker(target) is None:
            _write_marker(target, kind, files)
    except OSError as reason:
        raise DataError(
            f"cannot create the folder {shown_path(path)}: {reason.strerror}. Choose another output path."
        ) from None
    return target


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Return the marker of a folder (``purpose`` and ``files``), or None if it has no valid marker."""
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
    with atomic_file(folder / MARKER) as temporary:
        temporary.write_text(json_text(marker), encoding="utf-8")
