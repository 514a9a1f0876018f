"""Check the paths of inputs and outputs: an input must be readable, and an output must not overlap an input.

Open this module when a command reads or writes a new kind of path. It also formats paths for messages.
"""

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

    Reading from one of these can block forever or never end. A missing file raises nothing here: its reader does.
    """
    found = stat_of(path)
    if found is not None and not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise DataError(
            f"the input must be a regular file or a folder; got {shown_path(path)}, {what_it_is(found)}. Save the "
            "data to a file first, or pass - to read one text from standard input."
        )


def user_path(path: str | Path) -> Path:
    """Expand ``~`` to the home folder in a path that a user wrote; ``~name`` of an unknown user stays unchanged."""
    return Path(os.path.expanduser(path))


def check_no_overlap(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise :class:`DataError` if an output is an input, contains an input, or is in a folder that is an input.

    Symbolic links are resolved. Two hard links to the same file count as the same file.
    """
    target = Path(os.path.realpath(output))
    found = stat_of(target)
    for each in inputs:
        place = Path(os.path.realpath(user_path(each)))
        if _is_inside(place, target):
            relation = "be an input" if _same_file(place, target) else "contain an input"
        elif place.is_dir() and (_is_inside(target, place) or (found is not None and _links_to(place, found))):
            relation = "be in a folder that is an input"
        else:
            continue
        raise DataError(
            f"the output must not {relation}; got output {shown_path(output)} and input {shown_path(each)}. "
            "Choose another output path."
        )


def _is_inside(inner: Path, outer: Path) -> bool:
    return any(_same_file(each, outer) for each in (inner, *inner.parents))


def _same_file(one: Path, other: Path) -> bool:
    if one == other:
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _links_to(folder: Path, found: os.stat_result) -> bool:
    """Whether a folder contains a hard link or symbolic link to the file ``found``."""
    if stat.S_ISDIR(found.st_mode):
        return False
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a broken link cannot point to an existing file
                if os.path.samestat(os.stat(os.path.join(above, name)), found):
                    return True
    return False


def stat_of(path: str | Path) -> os.stat_result | None:
    """Return the status of the file at a path, links followed; None if nothing is there.

    Raises :class:`DataError` if the operating system rejects the path.
    """
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as reason:
        raise DataError(f"cannot use the path {shown_path(path)}: {reason.strerror}. Pass another path.") from None
    except ValueError:
        raise DataError(
            f"the path {shown_path(path)} contains a character that file names must not contain. Pass another path."
        ) from None


def what_it_is(found: os.stat_result) -> str:
    """Name the kind of file with an article, such as "a pipe"."""
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
    """Whether ``found`` is the null device, or the pipe or terminal of this process's standard output or error."""
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return False
    for other in (os.devnull, 1, 2):
        with suppress(OSError):  # the stream may be closed
            if os.path.samestat(os.stat(other), found):
                return True
    return False


def is_read_only(path: Path, found: os.stat_result) -> bool:
    # check the mode too: os.access is always True for an administrator
    return not found.st_mode & 0o222 or not os.access(path, os.W_OK)


def shown_path(path: str | Path) -> str:
    """Quote a path for a message, shortened in the middle if it is long."""
    text = str(path)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN // 2]}...{text[-40:]}")


def readable_name(name: str) -> str:
    """Write the bytes of a file name that are not UTF-8 as ``\\xe9``, so that the name can be stored as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
