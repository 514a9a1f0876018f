"""Opening files of text: their encodings, what is packed, and the system's errors in our words."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from textlrp.errors import DataError, OptionError
from textlrp.files import check_regular


def known_encoding(encoding: str) -> str:
    """The codec of an encoding; raises :class:`OptionError` where there is none."""
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError:
        raise OptionError(
            f"encoding={encoding!r} is not known; 'utf-8', 'latin-1', 'cp1252' and 'utf-16' are."
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


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
    """The text of a file; the arguments are those of :func:`open`."""
    with (
        open_bytes(path) as raw,
        io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline=newline) as file,
    ):
        yield file


@contextmanager
def errors_of(path: Path, encoding: str) -> Iterator[None]:
    """Errors of the system and of decoding, in our words."""
    try:
        yield
    except UnicodeError:
        raise DataError(
            f"{path}, line {_undecodable_line(path, known_encoding(encoding))} is not {encoding.upper()}; "
            "pass the right encoding=, for example encoding='latin-1' or encoding='utf-16'."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read: {reason}.") from None


def cannot_list(error: OSError) -> NoReturn:
    """What :func:`os.walk` is to do with an error."""
    raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _undecodable_line(path: Path, encoding: str) -> int:
    """The line, from 1, of the first bytes that cannot be decoded: read again, for text files decode ahead."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with open_bytes(path) as file:
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
