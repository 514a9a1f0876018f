"""Writing a file so that nobody ever meets half of one: standard library only."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textlrp.errors import DataError


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """A temporary path in the folder of ``path``: renamed to ``path`` at the end, removed on any failure.

    What stood at ``path`` before stays until the new file is whole. A link is followed; a device or
    a pipe (``/dev/stdout``) is handed out itself, for it cannot be replaced.
    Raises :class:`DataError` if the folder is missing, cannot be written to, or ``path`` is a folder.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise DataError(f"cannot write the file {str(path)!r}: it is a folder. Name a file in it.")
    if not target.parent.is_dir():
        raise DataError(
            f"cannot write {str(path)!r}: the folder {str(target.parent)!r} does not exist. Make it first."
        )
    if target.exists() and not target.is_file():
        yield target
        return
    # not named after the target: a name near the file system's limit must stay writable
    beside = target.parent / f".textlrp-{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        beside.touch(exist_ok=False)
    except OSError as reason:
        raise DataError(f"cannot write {str(path)!r}: {reason.strerror}.") from None
    try:
        yield beside
        _rename(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def check_folder(path: str | Path, former: tuple[str, ...]) -> Path:
    """Where a folder is to be made, links followed; raises as :func:`folder_beside` does."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise DataError(f"cannot make the folder {str(path)!r}: it is a file. Name a new folder.")
    if target.is_dir() and (others := {each.name for each in target.iterdir()} - set(former)):
        raise DataError(f"the folder {str(path)!r} has other things in it ({sorted(others)[0]}); name a new folder.")
    if not target.parent.is_dir():
        raise DataError(
            f"cannot make the folder {str(path)!r}: {str(target.parent)!r} does not exist. Make it first."
        )
    return target


@contextmanager
def folder_beside(path: str | Path, former: tuple[str, ...]) -> Iterator[Path]:
    """An empty folder beside ``path``: renamed to ``path`` at the end, removed on any failure.

    A folder that stands there already is replaced if it is empty or holds nothing but names in ``former``.
    Raises :class:`DataError` if the folder above is missing or cannot be written to, or something else stands there.
    """
    target = check_folder(path, former)
    name = target.parent / f".textlrp-{os.getpid()}-{secrets.token_hex(4)}"
    beside, old = name.with_suffix(".part"), name.with_suffix(".old")
    try:
        beside.mkdir()
    except OSError as reason:
        raise DataError(f"cannot make the folder {str(path)!r}: {reason.strerror}.") from None
    try:
        yield beside
        if target.exists():
            _rename(target, old)
        _rename(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _rename(beside: Path, target: Path) -> None:
    try:
        beside.replace(target)
    except OSError as reason:
        raise DataError(f"cannot write {str(target)!r}: {reason.strerror}.") from None
