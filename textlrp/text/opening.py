"""Open text files: encodings, byte order marks, the maximum row length, and errors of the operating system.

Every reader of texts goes through this module; :mod:`textlrp.text.packed` unpacks. Open it to change how bytes become
text.
"""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, cast

from textlrp.errors import DataError, OptionError, must_be
from textlrp.text.packed import READ_ERRORS, open_bytes

MAX_ROW_LENGTH = 100_000_000
"""Default maximum length of a row in characters.

This is twenty times the complete works of Shakespeare, and a usual computer can keep several copies in memory while
it parses the row. A longer row is not a text but, for example, a sparse file or a binary file without line ends.
"""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, each with the codec it announces. UTF-32 comes first: its mark begins with that of UTF-16."""


def known_encoding(encoding: str) -> str:
    """Return the codec name of an encoding; raises :class:`OptionError` if Python does not have it."""
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):  # names that contain NUL, and 'undefined', raise ValueError
        hint = "Pass encoding='utf-8', 'cp1252', 'latin-1' or 'utf-16'."
        raise OptionError(must_be("encoding", "a text encoding that Python knows", encoding, hint)) from None
    return "utf-8-sig" if name == "utf-8" else name


def marked_encoding(start: bytes, encoding: str) -> str:
    """Return the codec for bytes that begin with ``start``: the one of a byte order mark if UTF-8 is expected.

    Valid UTF-8 never begins with the mark of another encoding, so this never misreads a file.
    """
    if encoding not in ("utf-8", "utf-8-sig"):
        return encoding
    return next((codec for mark, codec in _MARKS if start.startswith(mark)), encoding)


def _table_encoding(start: bytes, encoding: str) -> str:
    """Return the codec of a file with rows, which never begins with NUL characters: also of unmarked UTF-16."""
    codec = marked_encoding(start, encoding)
    if codec != encoding or encoding not in ("utf-8", "utf-8-sig") or len(start) < 4:
        return codec
    filled = [byte > 0 for byte in start]
    if filled[:2] * 2 != filled or filled[0] == filled[1]:
        return codec
    return "utf-16-le" if filled[0] else "utf-16-be"


@contextmanager
def open_text(path: Path, encoding: str, errors: str, newline: str) -> Iterator[io.TextIOWrapper]:
    """Open a file as text; the arguments are those of :func:`open`. A byte order mark is interpreted and removed."""
    with open_bytes(path) as raw:
        codec = _table_encoding(_first_bytes(raw), encoding)
        with io.TextIOWrapper(raw, encoding=codec, errors=errors, newline=newline) as file:
            yield file


def read_text(raw: IO[bytes], encoding: str, place: str, limit: int = MAX_ROW_LENGTH) -> str:
    """Read one whole text from a stream of bytes.

    Raises :class:`DataError`, which begins with ``place``, if the text is longer than ``limit`` characters.
    """
    buffered = raw if hasattr(raw, "peek") else io.BufferedReader(cast(io.RawIOBase, raw))
    codec = marked_encoding(_first_bytes(buffered), encoding)
    decoder = codecs.getincrementaldecoder(codec)()
    parts: list[str] = []
    remaining = limit
    while remaining >= 0:
        chunk = buffered.read(1 << 20)
        parts.append(decoder.decode(chunk, final=not chunk))
        remaining -= len(parts[-1])
        if not chunk:
            break
    if remaining < 0:
        raise DataError(too_long(place, limit))
    return "".join(parts)


def too_long(place: str, limit: int) -> str:
    """Return the message for a row of more than ``limit`` characters."""
    return (
        f"{place}: longer than {limit:,} characters, so probably not a text. Check the file, "
        "or pass max_row_length= to read longer rows."
    )


def _first_bytes(raw: IO[bytes]) -> bytes:
    # every stream that is opened here has a peek method
    return cast(io.BufferedReader, raw).peek(4)[:4]


class RowTooLongError(DataError):
    """A row does not end within the limit, so the rows after it cannot be read either."""


class Lines:
    """The lines of a text file, read in rows of at most ``limit`` characters each.

    Call ``begin_row()`` before the first line of each row. A byte order mark there is removed: concatenated files
    contain such marks. ``number`` is the number of the last line, from 1. Raises :class:`RowTooLongError`, which
    names the line, for a longer row.
    """

    def __init__(self, file: io.TextIOWrapper, path: Path, limit: int) -> None:
        self.number = 0
        self._file, self._path, self._limit = file, path, limit
        self._ahead: deque[str] = deque()
        self._error: Exception | None = None
        self._remaining, self._begins = limit, True

    def begin_row(self) -> None:
        """Declare that the next line is the first line of a row."""
        self._remaining, self._begins = self._limit, True

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if self._ahead:
            line = self._ahead.popleft()
        elif self._error is not None:
            raise self._error
        elif not (line := self._file.readline(self._remaining + 1)):
            raise StopIteration
        self._remaining -= len(line)
        if self._remaining < 0:
            raise RowTooLongError(too_long(f"line {self.number + 1} ({self._path})", self._limit))
        self.number += 1
        if self._begins:
            self._begins = False
            return line.removeprefix("\ufeff")
        return line

    def put_back(self, lines: list[str]) -> None:
        """Return the last lines that were read, so that they are read again."""
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)

    def sample(self, lines: int, characters: int = 1 << 20) -> list[str]:
        """Look ahead at the next lines, about ``characters`` at most. They are still read afterwards."""
        found = list(self._ahead)
        while len(found) < lines and characters > 0:
            try:
                line = self._file.readline(self._limit + 1)
            except (*READ_ERRORS, UnicodeError) as error:
                if not found:
                    raise
                self._error = error  # raised after the lines before it have been read
                break
            if not line:
                break
            characters -= len(line)
            self._ahead.append(line)
            found.append(line)
        return found


@contextmanager
def errors_of(path: Path, encoding: str, otherwise: str = "") -> Iterator[None]:
    """Turn errors of decoding and of the operating system into :class:`DataError` with the file and line.

    ``otherwise`` ends the message about bytes that cannot be decoded.
    """
    try:
        yield
    except UnicodeError:
        raise DataError(
            f"line {_undecodable_line(path, known_encoding(encoding))} ({path}): the text is not {encoding.upper()}. "
            f"Pass the encoding of the file, such as encoding='cp1252', encoding='latin-1' or encoding='utf-16'."
            f"{otherwise}"
        ) from None
    except READ_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataError(f"cannot read {path}: {reason}. Check the file.") from None


def cannot_list(error: OSError) -> NoReturn:
    """Raise :class:`DataError` for an error of :func:`os.walk`."""
    raise DataError(f"cannot read {error.filename}: {error.strerror}. Check the folder.") from None


def _undecodable_line(path: Path, encoding: str) -> int:
    """Return the line, from 1, of the first bytes that cannot be decoded.

    The file is read again, because a text file decodes ahead of the line that it returns.
    """
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
