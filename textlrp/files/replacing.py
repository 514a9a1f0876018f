"""Put a finished file or folder in its place, and move what was there to a backup name."""

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
REMEDY = "Name another {}, or pass force=True to move it to a backup name."


def is_half_written(path: Path) -> bool:
    """Whether a path is what a process that was killed while writing left behind."""
    return _HALF_WRITTEN.fullmatch(path.name) is not None and not path.is_symlink()


# ---- putting the new in the place of the old


def put_in_place(beside: Path, target: Path, *, keep: bool) -> None:
    """Rename ``beside`` to ``target``. What is there is moved to a backup name if ``keep``, otherwise removed."""
    old = None
    try:
        if keep:
            old = _move_aside(target)
        elif target.is_dir():
            old = temporary_beside(target.parent, ".old")
            os.rename(target, old)
        try:
            os.replace(beside, target)
        except OSError:
            if old is not None:
                os.rename(old, target)
            raise
    except OSError as reason:
        raise DataError(f"cannot write {shown_path(target)}: {reason.strerror}.") from None
    if keep and old is not None:
        _say_moved(target, old)
    elif old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _move_aside(target: Path) -> Path:
    """Rename to the first free numbered name."""
    for number in count(1):
        backup = target.with_name(f"{target.name}.bak{number}")
        if not os.path.lexists(backup):
            os.rename(target, backup)
            return backup
    raise AssertionError  # count() does not end


def moved_aside(path: Path) -> None:
    """Move what is at ``path``, links resolved, to a backup name, with a warning; raises :class:`DataError`."""
    target = Path(os.path.realpath(path))
    try:
        _say_moved(target, _move_aside(target))
    except OSError as reason:
        raise DataError(f"cannot move {shown_path(target)}: {reason.strerror}.") from None


def _say_moved(target: Path, backup: Path) -> None:
    warnings.warn(f"moved {shown_path(target)} to {shown_path(backup)}.", stacklevel=2)


def temporary_beside(folder: Path, suffix: str) -> Path:
    return folder / f".textlrp-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def keep_modes(old: Path, new: Path) -> None:
    """Give a folder and its files the modes and owners of those of the same name in an older folder."""
    for each in (new, *new.rglob("*")):
        found = stat_of(old / each.relative_to(new))
        if found is not None and stat.S_ISDIR(found.st_mode) == each.is_dir():
            make_like(each, found)


def make_like(path: Path, found: os.stat_result) -> None:
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # only an administrator may give a file to another user
            os.chown(path, found.st_uid, found.st_gid)
    always = stat.S_IWUSR | stat.S_IRUSR | (stat.S_IXUSR if stat.S_ISDIR(found.st_mode) else 0)
    path.chmod(stat.S_IMODE(found.st_mode) | always)


# ---- what is at a path


def recognizes(recognize: Callable[[Path], bool], path: Path) -> bool:
    try:
        return recognize(path)
    except (OSError, ValueError, RecursionError):  # what cannot be read as one is none
        return False
