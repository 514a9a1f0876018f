"""Paths of inputs: what may be read, and that no output is, contains or lies in an input."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from textlrp.errors import DataError

_LONGEST_SHOWN = 120  # characters of a path in a message


# ---- inputs


def check_regular(path: str | Path) -> None:
    """Raise :class:`DataError` for a pipe, a socket or a device, and for a name that no file can have.

    Reading one of these could wait forever or never end. A path where nothing is passes: the reader reports it.
    """
    found = stat_of(path)
    if found is not None and not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise DataError(
            f"the input must be a regular file or a folder; got {shown_path(path)}, {what_it_is(found)}. Save the "
            "data to a file first, or pass - to read one text from standard input."
        )


def user_path(path: str | Path) -> Path:
    """A path as a user writes it: ``~`` is the home folder. Of an unknown user's it is left as it is."""
    return Path(os.path.expanduser(path))


def check_apart(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise :class:`DataError` where an output is an input, contains one, or lies in a folder that is one.

    Symbolic links are resolved, and hard links to the same file are the same file.
    """
    target = Path(os.path.realpath(output))
    found = stat_of(target)
    for each in inputs:
        place = Path(os.path.realpath(user_path(each)))
        if _lies_in(place, target):
            relation = "be an input" if _same_file(place, target) else "contain an input"
        elif place.is_dir() and (_lies_in(target, place) or (found is not None and _links_to(place, found))):
            relation = "be in a folder that is an input"
        else:
            continue
        raise DataError(
            f"the output must not {relation}; got {shown_path(output)} and {shown_path(each)}. Name another place."
        )


def _lies_in(inner: Path, outer: Path) -> bool:
    return any(_same_file(each, outer) for each in (inner, *inner.parents))


def _same_file(one: Path, other: Path) -> bool:
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


def stat_of(path: str | Path) -> os.stat_result | None:
    """What is at a path, links followed, None for nothing; raises :class:`DataError` where the system refuses it."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as reason:
        raise DataError(f"cannot use the path {shown_path(path)}: {reason.strerror}.") from None
    except ValueError:
        raise DataError(
            f"the path {shown_path(path)} holds a character that no file name can hold. Rename the file."
        ) from None


def what_it_is(found: os.stat_result) -> str:
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


def is_stream(found: os.stat_result) -> bool:
    """Whether something is the null device, or what this process's standard output or error goes to, if no file."""
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return False
    for other in (os.devnull, 1, 2):
        with suppress(OSError):  # a closed stream
            if os.path.samestat(os.stat(other), found):
                return True
    return False


def is_read_only(path: Path, found: os.stat_result) -> bool:
    # by the mode too: an administrator may write everything
    return not found.st_mode & 0o222 or not os.access(path, os.W_OK)


def shown_path(path: str | Path) -> str:
    """A path for a message: quoted, and not longer than a line or two."""
    text = str(path)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN // 2]}...{text[-40:]}")


def readable_name(name: str) -> str:
    """A file's name with bytes that are not UTF-8 written as ``\\xe9``, so that it can be stored as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
