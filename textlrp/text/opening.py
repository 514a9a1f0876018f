"""Opening files of text: encodings, byte order marks, packed files, long rows, and errors of the system."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular

MAX_ROW_LENGTH = 100_000_000
"""Characters of the longest row that is read unless another number is given: twenty times all of Shakespeare, and
what a usual machine can hold several times over while it parses the row. A longer one is no text: a sparse file, a
device, or a file without line ends.
"""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the codec of a file that begins with one; UTF-32's before UTF-16's, which it begins with."""


def known_encoding(encoding: str) -> str:
    """The codec of an encoding; raises :class:`OptionError` where there is none."""
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):  # a name with a NUL in it, or 'undefined', is a ValueError
        raise OptionError(
            f"encoding={encoding!r} is not known; 'utf-8', 'cp1252', 'latin-1' and 'utf-16' are."
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


def marked_encoding(start: bytes, encoding: str) -> str:
    """The codec of bytes that begin with ``start``: where UTF-8 is expected, the one that a byte order mark names.

    No UTF-8 begins with another mark, so this never misreads a file.
    """
    if encoding not in ("utf-8", "utf-8-sig"):
        return encoding
    return next((codec for mark, codec in _MARKS if start.startswith(mark)), encoding)


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where it is a ``.gz``; raises :class:`DataError` for a pipe or a device."""
    check_regular(path)
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def open_for_arrow(path: str | Path, mode: str = "rb") -> Any:
    """A file for pyarrow, which takes no path that is not UTF-8; raises OSError."""
    import pyarrow as pa  # late: some readers need no Arrow

    return pa.OSFile(os.fsencode(path), mode)


@contextmanager
def open_text(path: Path, encoding: str, errors: str, newline: str) -> Iterator[io.TextIOWrapper]:
    """The text of a file; the arguments are those of :func:`open`. A byte order mark is understood and left out."""
    with open_bytes(path) as raw:
        codec = marked_encoding(_first_bytes(raw), encoding)
        with io.TextIOWrapper(raw, encoding=codec, errors=errors, newline=newline) as file:
            yield file


def read_text(raw: IO[bytes], encoding: str, place: str, limit: int = MAX_ROW_LENGTH) -> str:
    """One whole text out of a stream of bytes; raises :class:`DataError` where it is longer than ``limit``."""
    buffered = raw if hasattr(raw, "peek") else io.BufferedReader(cast(io.RawIOBase, raw))
    codec = marked_encoding(_first_bytes(buffered), encoding)
    decoder = codecs.getincrementaldecoder(codec)()
    parts: list[str] = []
    room = limit
    while room >= 0:
        chunk = buffered.read(1 << 20)
        parts.append(decoder.decode(chunk, final=not chunk))
        room -= len(parts[-1])
        if not chunk:
            break
    if room < 0:
        raise DataError(too_long(place, limit))
    return "".join(parts)


def too_long(place: str, limit: int) -> str:
    """The sentence about a row of more than ``limit`` characters."""
    return (
        f"{place} is longer than {limit:,} characters, so it is hardly a text; look at the file, "
        "or pass max_row_length= to read longer rows."
    )


def _first_bytes(raw: IO[bytes]) -> bytes:
    # both kinds of file that are opened here can look ahead
    return cast(io.BufferedReader, raw).peek(4)[:4]


class RowTooLongError(DataError):
    """A row has no end within the limit: nothing behind it can be read."""


class Lines:
    """The lines of a text file, one row of at most ``limit`` characters at a time.

    ``begin_row()`` says that the next line begins a row: a byte order mark there, as joined files have it, is left
    out. ``number`` is that of the last line, from 1. Raises :class:`RowTooLongError`, which names the line, on a
    longer row.
    """

    def __init__(self, file: io.TextIOWrapper, path: Path, limit: int) -> None:
        self.number = 0
        self._file, self._path, self._limit = file, path, limit
        self._ahead: deque[str] = deque()
        self._error: Exception | None = None
        self._room, self._begins = limit, True

    def begin_row(self) -> None:
        """The next line is the first of a row."""
        self._room, self._begins = self._limit, True

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if self._ahead:
            line = self._ahead.popleft()
        elif self._error is not None:
            raise self._error
        elif not (line := self._file.readline(self._room + 1)):
            raise StopIteration
        self._room -= len(line)
        if self._room < 0:
            raise RowTooLongError(too_long(f"{self._path}, line {self.number + 1}: the row", self._limit))
        self.number += 1
        if self._begins:
            self._begins = False
            return line.removeprefix("\ufeff")
        return line

    def give_back(self, lines: list[str]) -> None:
        """Read these lines, the last that came, once more."""
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)

    def sample(self, lines: int, characters: int = 1 << 20) -> list[str]:
        """The next lines, which still come; at most about so many characters."""
        found = list(self._ahead)
        while len(found) < lines and characters > 0:
            try:
                line = self._file.readline(self._limit + 1)
            except (OSError, EOFError, zlib.error, UnicodeError) as error:
                if not found:
                    raise
                self._error = error  # raised when the lines before it are read
                break
            if not line:
                break
            characters -= len(line)
            self._ahead.append(line)
            found.append(line)
        return found


@contextmanager
def errors_of(path: Path, encoding: str) -> Iterator[None]:
    """Errors of the system and of decoding, in our words."""
    try:
        yield
    except UnicodeError:
        raise DataError(
            f"{path}, line {_undecodable_line(path, known_encoding(encoding))} is not {encoding.upper()}; "
            "pass the right encoding=, for example encoding='cp1252', encoding='latin-1' or encoding='utf-16'."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read: {reason}.") from None


def cannot_list(error: OSError) -> NoReturn:
    """What :func:`os.walk` is to do with an error."""
    raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _undecodable_line(path: Path, encoding: str) -> int:
    """The line, from 1, of the first bytes that cannot be decoded: read again, for text files decode ahead."""
    line = 1
    with open_bytes(path) as file:
        encoding = marked_encoding(_first_bytes(file), encoding)
        decoder = codecs.getincrementaldecoder(encoding)()
        while True:
            chunk = file.read(1 << 16)
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].decode(encoding, "ignore").count("\n")
            except UnicodeError:
                return line
            if not chunk:
                return line
