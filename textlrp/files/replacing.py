"""Move a finished file or folder to its final path, and keep the previous one under a backup name if asked.

Open this module to change how outputs are replaced. :mod:`textlrp.files.written_file` and
:mod:`textlrp.files.written_folder` build on it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from textlrp.errors import DataError
from textlrp.files.input_paths import shown_path, stat_of

_HALF_WRITTEN = re.compile(r"\.textlrp-\d+-[0-9a-f]{8}\.part")
REMEDY = "Choose another {}, or pass force=True to move the existing one to a backup name."


def is_half_written(path: Path) -> bool:
    """Whether a path is the temporary file or folder of a process that was killed while writing."""
    return _HALF_WRITTEN.fullmatch(path.name) is not None and not path.is_symlink()


# ---- replacing the old with the new


def put_in_place(temporary: Path, target: Path, *, keep: bool) -> None:
    """Rename ``temporary`` to ``target``. An existing target is moved to a backup name if ``keep``, else removed.

    Raises :class:`DataError` if the operating system refuses; an existing target is then restored.
    """
    old = None
    try:
        if keep:
            old = _rename_to_backup(target)
        elif target.is_dir():
            # os.replace cannot replace a folder that has files in it
            old = temporary_path(target.parent, ".old")
            os.rename(target, old)
        try:
            os.replace(temporary, target)
        except OSError:
            if old is not None:
                os.rename(old, target)
            raise
    except OSError as reason:
        raise DataError(
            f"cannot write {shown_path(target)}: {reason.strerror}. Choose another output path."
        ) from None
    if keep and old is not None:
        _warn_moved(target, old)
    elif old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _rename_to_backup(target: Path) -> Path:
    """Rename to the first free backup name, such as ``page.html.bak1``, and return that."""
    for number in count(1):
        backup = target.with_name(f"{target.name}.bak{number}")
        if not os.path.lexists(backup):
            os.rename(target, backup)
            return backup
    raise AssertionError  # count() does not end


def move_to_backup(path: Path) -> None:
    """Move the file or folder at ``path``, links resolved, to a backup name, with a warning.

    Raises :class:`DataError` if the operating system refuses.
    """
    target = Path(os.path.realpath(path))
    try:
        _warn_moved(target, _rename_to_backup(target))
    except OSError as reason:
        raise DataError(
            f"cannot move {shown_path(target)} to a backup name: {reason.strerror}. Choose another output path."
        ) from None


def _warn_moved(target: Path, backup: Path) -> None:
    warnings.warn(f"moved {shown_path(target)} to {shown_path(backup)}.", stacklevel=2)


def temporary_path(folder: Path, suffix: str) -> Path:
    """Return an unused hidden path in ``folder``: on the file system of the final path, so that a rename works."""
    return folder / f".textlrp-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def keep_modes(old: Path, new: Path) -> None:
    """Copy modes and owners from an old folder and its files to the same names in a new folder."""
    for each in (new, *new.rglob("*")):
        found = stat_of(old / each.relative_to(new))
        if found is not None and stat.S_ISDIR(found.st_mode) == each.is_dir():
            make_like(each, found)


def make_like(path: Path, found: os.stat_result) -> None:
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # only an administrator may change the owner of a file
            os.chown(path, found.st_uid, found.st_gid)
    # the owner can always write, so that the next run can replace the file
    always = stat.S_IWUSR | stat.S_IRUSR | (stat.S_IXUSR if stat.S_ISDIR(found.st_mode) else 0)
    path.chmod(stat.S_IMODE(found.st_mode) | always)


# ---- recognizing existing outputs


def recognizes(recognize: Callable[[Path], bool], path: Path) -> bool:
    try:
        return recognize(path)
    except (OSError, ValueError, RecursionError):  # a file that cannot be read is not of this kind
        return False
