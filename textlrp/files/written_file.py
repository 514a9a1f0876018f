"""Write one file atomically: completely or not at all. Only a file of the same kind is overwritten.

The kind of an existing file is recognized by its content (:class:`FileKind`). With ``force=True`` any other file is
moved to a backup name, such as ``page.html.bak1``. Open this module to write a new kind of output file.
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
from textlrp.files.input_paths import check_no_overlap, is_read_only, is_stream, shown_path, stat_of, what_it_is
from textlrp.files.replacing import REMEDY, make_like, put_in_place, recognizes, temporary_path


class FileKind(NamedTuple):
    """A kind of file that textlrp writes: its ``name`` with an article, and a function that recognizes its files."""

    name: str
    recognize: Callable[[Path], bool]


# ---- files


def check_file(
    path: str | Path, kind: FileKind | None = None, *, inputs: Iterable[str | Path] = (), force: bool = False
) -> Path:
    """Return the path to write to, with links resolved.

    Raises :class:`DataError` if the folder does not exist; for a pipe or device other than the null device and the
    standard streams; for one of the ``inputs``; for a read-only file; and, unless ``force``, for an existing file
    that is not of ``kind``. Without a ``kind``, any writable regular file is accepted: use that only for files in a
    folder that textlrp created.
    """
    found = stat_of(path)
    if found is not None and is_stream(found):
        return Path(path)
    target = Path(os.path.realpath(path))
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise DataError(f"cannot write the file {shown_path(path)}: it is a folder. Pass the path of a file in it.")
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise DataError(
            f"the output must be a regular file; got {shown_path(path)}, {what_it_is(found)}. Choose another file."
        )
    for folder in (Path(path).parent, target.parent):  # they differ if the path is a link
        if not folder.is_dir():
            raise DataError(
                f"cannot write {shown_path(path)}: the folder {shown_path(folder)} does not exist. Create it first."
            )
    if not os.access(target.parent, os.W_OK):
        raise DataError(
            f"cannot write {shown_path(path)}: the folder {shown_path(target.parent)} is not writable. "
            "Choose another folder."
        )
    check_no_overlap(path, inputs)
    if not force and (refusal := _file_refusal(target, kind)):
        raise DataError(f"{shown_path(path)} {refusal}. {REMEDY.format('file')}")
    return target


def _file_refusal(target: Path, kind: FileKind | None) -> str:
    """Return why the file at ``target`` must not be replaced, or an empty string if it may be."""
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
def atomic_file(path: str | Path, kind: FileKind | None = None, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to ``path`` at the end, or remove it on any failure.

    An existing file stays until the new one is complete. Its mode is kept, and its owner if the operating system
    allows that. A symbolic link is followed. The standard streams and the null device are yielded unchanged.
    Raises :class:`DataError` in the cases of :func:`check_file`. With ``force``, a file that must not be replaced is
    moved to a backup name, with a warning; the same happens if such a file appeared while this one was written.
    """
    target = check_file(path, kind, force=force)
    found = stat_of(target)
    if found is not None and not stat.S_ISREG(found.st_mode):
        yield target
        return
    # the temporary name is not derived from the target: a name at the file system's length limit must work too
    temporary = temporary_path(target.parent, ".part")
    try:
        temporary.touch(exist_ok=False)
        if found is not None:
            make_like(temporary, found)
    except OSError as reason:
        temporary.unlink(missing_ok=True)
        raise DataError(f"cannot write {shown_path(path)}: {reason.strerror}. Choose another output path.") from None
    try:
        yield temporary
        put_in_place(temporary, target, keep=bool(_file_refusal(target, kind)))
    finally:
        temporary.unlink(missing_ok=True)


def json_text(data: Any, *, indent: int | None = 1) -> str:
    """Return data as JSON text with a final newline.

    Lone surrogates, which file names can contain, cannot be encoded in UTF-8. If there are any, all characters
    outside ASCII are escaped.
    """
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(data, ensure_ascii=True, indent=indent)
    return text + "\n"


def check_output(
    path: str | Path, kinds: Mapping[str, FileKind], *, inputs: Iterable[str | Path] = (), force: bool = False
) -> str:
    """Check the path of an output file and return its suffix, one of ``kinds``.

    Raises :class:`DataError` for another suffix, and in the cases of :func:`check_file`.
    """
    suffix = check_suffix(path, tuple(kinds))
    check_file(path, kinds[suffix], inputs=inputs, force=force)
    return suffix


def check_suffix(path: str | Path, suffixes: Sequence[str]) -> str:
    """Return the suffix of an output file; raises :class:`DataError` if it is not one of ``suffixes``."""
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise DataError(f"the output file name must end in {' or '.join(suffixes)}; got {str(path)!r}.")
    return suffix
