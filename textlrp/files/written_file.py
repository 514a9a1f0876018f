"""Write one file safely: whole or not at all, in place of a file of the same kind alone.

A file is recognized by its content (:class:`FileKind`). With ``force=True`` anything else is moved to a free name,
such as ``page.html.bak1``.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError
from textlrp.files.input_paths import check_apart, is_read_only, is_stream, shown_path, stat_of, what_it_is
from textlrp.files.replacing import REMEDY, make_like, put_in_place, recognizes, temporary_beside


class FileKind(NamedTuple):
    """A kind of file that textlrp writes: its ``name`` with an article, and a test whether a file is one."""

    name: str
    recognize: Callable[[Path], bool]


# ---- files


def check_file(
    path: str | Path, kind: FileKind | None = None, *, inputs: Iterable[str | Path] = (), force: bool = False
) -> Path:
    """Return where a file is to be written, links resolved; raise :class:`DataError` where it cannot be.

    Refused are a missing folder, pipes and devices (but the null device and the standard streams), one of the
    ``inputs``, a read-only file, and, unless ``force``, a file that is not of ``kind``. Without a ``kind`` any
    writable regular file may be replaced: only for files in a folder that textlrp made.
    """
    found = stat_of(path)
    if found is not None and is_stream(found):
        return Path(path)
    target = Path(os.path.realpath(path))
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise DataError(f"cannot write the file {shown_path(path)}: it is a folder. Name a file in it.")
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise DataError(
            f"the output must be a regular file; got {shown_path(path)}, {what_it_is(found)}. Name another file."
        )
    for folder in (Path(path).parent, target.parent):  # the latter is another one where the path is a link
        if not folder.is_dir():
            raise DataError(
                f"cannot write {shown_path(path)}: the folder {shown_path(folder)} does not exist. Make it first."
            )
    if not os.access(target.parent, os.W_OK):
        raise DataError(
            f"cannot write {shown_path(path)}: {shown_path(target.parent)} cannot be written to. Name another."
        )
    check_apart(path, inputs)
    if not force and (refusal := _file_refusal(target, kind)):
        raise DataError(f"{shown_path(path)} {refusal}. {REMEDY.format('file')}")
    return target


def _file_refusal(target: Path, kind: FileKind | None) -> str:
    """Why what is at ``target`` may not be replaced, or an empty string."""
    found = stat_of(target)
    if found is None:
        return ""
    if not stat.S_ISREG(found.st_mode):
        return f"is {what_it_is(found)}"
    if is_read_only(target, found):
        return "is read-only"
    if kind is None or found.st_size == 0 or recognizes(kind.recognize, target):
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
    found = stat_of(target)
    if found is not None and not stat.S_ISREG(found.st_mode):
        yield target
        return
    # not named after the target: a name near the file system's limit must stay writable
    beside = temporary_beside(target.parent, ".part")
    try:
        beside.touch(exist_ok=False)
        if found is not None:
            make_like(beside, found)
    except OSError as reason:
        beside.unlink(missing_ok=True)
        raise DataError(f"cannot write {shown_path(path)}: {reason.strerror}.") from None
    try:
        yield beside
        put_in_place(beside, target, keep=bool(_file_refusal(target, kind)))
    finally:
        beside.unlink(missing_ok=True)


def json_text(data: Any, *, indent: int | None = 1) -> str:
    """Data as JSON that UTF-8 can hold: with lone surrogates, as file names may have, all is written in ASCII."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(data, ensure_ascii=True, indent=indent)
    return text + "\n"


def check_output(
    path: str | Path, kinds: Mapping[str, FileKind], *, inputs: Iterable[str | Path] = (), force: bool = False
) -> str:
    """The suffix of a file to write, one of ``kinds``.

    Raises :class:`DataError` for another suffix, and as :func:`textlrp.files.written_file.check_file` does.
    """
    suffix = check_suffix(path, tuple(kinds))
    check_file(path, kinds[suffix], inputs=inputs, force=force)
    return suffix


def check_suffix(path: str | Path, suffixes: Sequence[str]) -> str:
    """The suffix of a file to write; raises :class:`DataError` if it is none of these."""
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise DataError(f"cannot tell the format of {str(path)!r}; end the name in {' or '.join(suffixes)}.")
    return suffix
