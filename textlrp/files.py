"""Read and write files and folders safely: standard library only.

Inputs are regular files (:func:`check_regular`). Outputs appear whole or not at all, and replace only what textlrp
itself wrote for the same purpose: a file is recognized by its content (:class:`FileKind`), a folder by the file
``.textlrp.json`` in it (:class:`FolderKind`). With ``force=True`` anything else is moved to a free name such as
``page.html.bak1``. An output that is, contains or lies in an input is always refused (:func:`check_apart`).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError
from textlrp.version import __version__

MARKER = ".textlrp.json"
"""The file in a folder that textlrp made: its purpose, and the files that were written."""

_HALF_WRITTEN = re.compile(r"\.textlrp-\d+-[0-9a-f]{8}\.part")
_LONGEST_SHOWN = 120  # characters of a path in a message
_REMEDY = "Name another {}, or pass force=True to move it to a backup name."


class FileKind(NamedTuple):
    """A kind of file that textlrp writes: its ``name`` with an article, and a test whether a file is one."""

    name: str
    recognize: Callable[[Path], bool]


class FolderKind(NamedTuple):
    """A kind of folder that textlrp writes.

    ``replaced``: whether a new one replaces an old one as a whole; otherwise the old one is written into and
    continued. ``names`` of what is in it. ``recognize`` tells a folder that has no marker by its content.
    """

    purpose: str
    replaced: bool
    names: Collection[str]
    recognize: Callable[[Path], bool]


# ---- inputs


def check_regular(path: str | Path) -> None:
    """Raise :class:`DataError` for a pipe, a socket or a device, and for a name that no file can have.

    Reading one of these could wait forever or never end. A path where nothing is passes: the reader reports it.
    """
    found = _stat(path)
    if found is not None and not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise DataError(
            f"the input must be a regular file or a folder; got {_shown(path)}, {_what(found)}. Save the data to a "
            "file first, or pass - to read one text from standard input."
        )


def user_path(path: str | Path) -> Path:
    """A path as a user writes it: ``~`` is the home folder. Of an unknown user's it is left as it is."""
    return Path(os.path.expanduser(path))


def check_apart(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise :class:`DataError` where an output is an input, contains one, or lies in a folder that is one.

    Symbolic links are resolved, and hard links to the same file are the same file.
    """
    target = Path(os.path.realpath(output))
    found = _stat(target)
    for each in inputs:
        place = Path(os.path.realpath(user_path(each)))
        if _lies_in(place, target):
            relation = "be an input" if _same(place, target) else "contain an input"
        elif place.is_dir() and (_lies_in(target, place) or (found is not None and _links_to(place, found))):
            relation = "be in a folder that is an input"
        else:
            continue
        raise DataError(
            f"the output must not {relation}; got {_shown(output)} and {_shown(each)}. Name another place."
        )


def _lies_in(inner: Path, outer: Path) -> bool:
    return any(_same(each, outer) for each in (inner, *inner.parents))


def _same(one: Path, other: Path) -> bool:
    if one == other:
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _links_to(folder: Path, found: os.stat_result) -> bool:
    """Whether a file in a folder is another name of a file."""
    if stat.S_ISDIR(found.st_mode):
        return False
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a broken link is no other name of an existing file
                if os.path.samestat(os.stat(os.path.join(above, name)), found):
                    return True
    return False


# ---- files


def check_file(
    path: str | Path, kind: FileKind | None = None, *, inputs: Iterable[str | Path] = (), force: bool = False
) -> Path:
    """Return where a file is to be written, links resolved; raise :class:`DataError` where it cannot be.

    Refused are a missing folder, pipes and devices (but the null device and the standard streams), one of the
    ``inputs``, a read-only file, and, unless ``force``, a file that is not of ``kind``. Without a ``kind`` any
    writable regular file may be replaced: only for files in a folder that textlrp made.
    """
    found = _stat(path)
    if found is not None and _is_stream(found):
        return Path(path)
    target = Path(os.path.realpath(path))
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise DataError(f"cannot write the file {_shown(path)}: it is a folder. Name a file in it.")
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise DataError(f"the output must be a regular file; got {_shown(path)}, {_what(found)}. Name another file.")
    for folder in (Path(path).parent, target.parent):  # the latter is another one where the path is a link
        if not folder.is_dir():
            raise DataError(
                f"cannot write {_shown(path)}: the folder {_shown(folder)} does not exist. Make it first."
            )
    if not os.access(target.parent, os.W_OK):
        raise DataError(f"cannot write {_shown(path)}: {_shown(target.parent)} cannot be written to. Name another.")
    check_apart(path, inputs)
    if not force and (refusal := _file_refusal(target, kind)):
        raise DataError(f"{_shown(path)} {refusal}. {_REMEDY.format('file')}")
    return target


def _file_refusal(target: Path, kind: FileKind | None) -> str:
    """Why what is at ``target`` may not be replaced, or an empty string."""
    found = _stat(target)
    if found is None:
        return ""
    if not stat.S_ISREG(found.st_mode):
        return f"is {_what(found)}"
    if _is_read_only(target, found):
        return "is read-only"
    if kind is None or found.st_size == 0 or _recognizes(kind.recognize, target):
        return ""
    return f"exists and is not {kind.name} that textlrp wrote"


@contextmanager
def written_beside(path: str | Path, kind: FileKind | None = None, *, force: bool = False) -> Iterator[Path]:
    """A temporary path in the folder of ``path``: renamed to ``path`` at the end, removed on any failure.

    What was at ``path`` before stays until the new file is whole; its mode and, where the system allows it, its
    owner are kept, and a symbolic link is followed. The standard streams and the null device are yielded themselves.
    Raises as :func:`check_file` does. With ``force``, or where another file appeared at ``path`` in the meantime,
    what would be refused is moved to a backup name, with a warning.
    """
    target = check_file(path, kind, force=force)
    found = _stat(target)
    if found is not None and not stat.S_ISREG(found.st_mode):
        yield target
        return
    # not named after the target: a name near the file system's limit must stay writable
    beside = _temporary(target.parent, ".part")
    try:
        beside.touch(exist_ok=False)
        if found is not None:
            _make_like(beside, found)
    except OSError as reason:
        beside.unlink(missing_ok=True)
        raise DataError(f"cannot write {_shown(path)}: {reason.strerror}.") from None
    try:
        yield beside
        _put(beside, target, keep=bool(_file_refusal(target, kind)))
    finally:
        beside.unlink(missing_ok=True)


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
    found = _stat(path)
    target = Path(os.path.realpath(path))
    if found is not None and not stat.S_ISDIR(found.st_mode):
        what = "a file" if stat.S_ISREG(found.st_mode) else _what(found)
        if not force or not stat.S_ISREG(found.st_mode):
            raise DataError(f"cannot make the folder {_shown(path)}: it is {what}. Name a new folder.")
    above = next((each for each in target.parents if _stat(each) is not None), target)
    if not above.is_dir():
        raise DataError(f"cannot make the folder {_shown(path)}: {_shown(above)} is a file. Name a new folder.")
    if above != target.parent and not parents:
        raise DataError(
            f"cannot make the folder {_shown(path)}: {_shown(target.parent)} does not exist. Make it first."
        )
    if not os.access(above, os.W_OK):
        raise DataError(f"cannot make the folder {_shown(path)}: {_shown(above)} cannot be written to. Name another.")
    check_apart(path, inputs)
    if not force and (refusal := _folder_refusal(target, kind)):
        raise DataError(f"the folder {_shown(path)} {refusal}. {_REMEDY.format('folder')}")
    return target


def _folder_refusal(target: Path, kind: FolderKind) -> str:
    """Why what is at ``target`` may not be replaced or written into, or an empty string."""
    found = _stat(target)
    if found is None:
        return ""
    if not stat.S_ISDIR(found.st_mode):
        return f"is {_what(found)}"
    names = sorted(each.name for each in target.iterdir() if not is_half_written(each))
    if _is_read_only(target, found):
        return "is read-only"
    if not names:
        return ""
    marker = read_marker(target)
    if marker is None:
        if not _recognizes(kind.recognize, target):
            strange = next((name for name in names if name not in kind.names), names[0])
            return f"has other things in it ({_shown(strange)})"
        written: Collection[str] | None = None
    elif marker["purpose"] != kind.purpose:
        return f"holds {marker['purpose']}, not {kind.purpose}"
    else:
        written = {*marker["files"], MARKER}
    return _foreign_in(target, written) if kind.replaced else ""


def _foreign_in(target: Path, written: Collection[str] | None) -> str:
    """Which file below ``target`` is not ``written`` (None: all are), or is read-only; or an empty string."""
    above = {parent for name in written or () for parent in Path(name).parents}
    for folder, folders, names in os.walk(target):
        for name in (*folders, *names):
            place = Path(folder, name)
            below, found = place.relative_to(target), place.lstat()
            is_folder = stat.S_ISDIR(found.st_mode)
            if written is not None and not (below in above if is_folder else below.as_posix() in written):
                return f"has other things in it ({_shown(below)})"
            if not stat.S_ISREG(found.st_mode) and not is_folder:
                return f"has other things in it ({_shown(below)})"
            if _is_read_only(place, found):
                return f"has a read-only file in it ({_shown(below)})"
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
    beside = _temporary(target.parent, ".part")
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
    except OSError as reason:
        raise DataError(f"cannot make the folder {_shown(path)}: {reason.strerror}.") from None
    try:
        yield beside
        if mark:
            files = sorted(each.relative_to(beside).as_posix() for each in beside.rglob("*") if each.is_file())
            _write_marker(beside, kind, files)
        _keep_modes(target, beside)
        _put(beside, target, keep=bool(_folder_refusal(target, kind)))
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
        raise DataError(f"cannot make the folder {_shown(path)}: {reason.strerror}.") from None
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


def is_half_written(path: Path) -> bool:
    """Whether a path is what a process that was killed while writing left behind."""
    return _HALF_WRITTEN.fullmatch(path.name) is not None and not path.is_symlink()


# ---- putting the new in the place of the old


def _put(beside: Path, target: Path, *, keep: bool) -> None:
    """Rename ``beside`` to ``target``. What is there is moved to a backup name if ``keep``, otherwise removed."""
    old = None
    try:
        if keep:
            old = _move_aside(target)
        elif target.is_dir():
            old = _temporary(target.parent, ".old")
            os.rename(target, old)
        try:
            os.replace(beside, target)
        except OSError:
            if old is not None:
                os.rename(old, target)
            raise
    except OSError as reason:
        raise DataError(f"cannot write {_shown(target)}: {reason.strerror}.") from None
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
        raise DataError(f"cannot move {_shown(target)}: {reason.strerror}.") from None


def _say_moved(target: Path, backup: Path) -> None:
    warnings.warn(f"moved {_shown(target)} to {_shown(backup)}.", stacklevel=2)


def _temporary(folder: Path, suffix: str) -> Path:
    return folder / f".textlrp-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def _keep_modes(old: Path, new: Path) -> None:
    """Give a folder and its files the modes and owners of those of the same name in an older folder."""
    for each in (new, *new.rglob("*")):
        found = _stat(old / each.relative_to(new))
        if found is not None and stat.S_ISDIR(found.st_mode) == each.is_dir():
            _make_like(each, found)


def _make_like(path: Path, found: os.stat_result) -> None:
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # only an administrator may give a file to another user
            os.chown(path, found.st_uid, found.st_gid)
    always = stat.S_IWUSR | stat.S_IRUSR | (stat.S_IXUSR if stat.S_ISDIR(found.st_mode) else 0)
    path.chmod(stat.S_IMODE(found.st_mode) | always)


# ---- what is at a path


def _recognizes(recognize: Callable[[Path], bool], path: Path) -> bool:
    try:
        return recognize(path)
    except (OSError, ValueError, RecursionError):  # what cannot be read as one is none
        return False


def _stat(path: str | Path) -> os.stat_result | None:
    """What is at a path, links followed, None for nothing; raises :class:`DataError` where the system refuses it."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as reason:
        raise DataError(f"cannot use the path {_shown(path)}: {reason.strerror}.") from None
    except ValueError:
        raise DataError(
            f"the path {_shown(path)} holds a character that no file name can hold. Rename the file."
        ) from None


def _what(found: os.stat_result) -> str:
    """What is at a path that is not a file, with an article."""
    names: Sequence[tuple[Callable[[int], bool], str]] = (
        (stat.S_ISREG, "a file"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for is_one, name in names if is_one(found.st_mode)), "not a regular file")


def _is_stream(found: os.stat_result) -> bool:
    """Whether something is the null device, or what this process's standard output or error goes to, if no file."""
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return False
    for other in (os.devnull, 1, 2):
        with suppress(OSError):  # a closed stream
            if os.path.samestat(os.stat(other), found):
                return True
    return False


def _is_read_only(path: Path, found: os.stat_result) -> bool:
    # by the mode too: an administrator may write everything
    return not found.st_mode & 0o222 or not os.access(path, os.W_OK)


def _shown(path: str | Path) -> str:
    """A path for a message: quoted, and not longer than a line or two."""
    text = str(path)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN // 2]}...{text[-40:]}")


def readable_name(name: str) -> str:
    """A file's name with bytes that are not UTF-8 written as ``\\xe9``, so that it can be stored as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def json_text(data: Any, *, indent: int | None = 1) -> str:
    """Data as JSON that UTF-8 can hold: with lone surrogates, as file names may have, all is written in ASCII."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(data, ensure_ascii=True, indent=indent)
    return text + "\n"
