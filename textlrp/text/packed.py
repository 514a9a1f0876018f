"""Open packed files: .gz, .bz2, .xz, .zst, and a .zip that contains one file.

A packed file is unpacked while it is read, never as a whole. Open this module to add a way of packing.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular, shown_path

PACKINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""The suffixes of packed files."""

READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)
"""What reading a damaged file raises, packed or not, besides errors of decoding."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading bytes, unpacked if it is packed; raises :class:`DataError` for a pipe or device."""
    check_regular(path)
    packing = path.suffix.lower()
    openers: dict[str, Callable[[Path], Any]] = {
        ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zst": _open_zst, ".zip": _open_zip,
    }  # fmt: skip
    return cast(IO[bytes], openers[packing](path)) if packing in openers else path.open("rb")


def open_for_arrow(path: str | Path, mode: str = "rb") -> Any:
    """Open a file for pyarrow, which by itself rejects paths that are not UTF-8; raises OSError."""
    import pyarrow as pa  # imported here because most readers do not need Arrow

    return pa.OSFile(os.fsencode(path), mode)


def content_suffixes(path: Path) -> tuple[str, str]:
    """Return the suffix of the content of a file, and the suffix of its packing (empty if it is not packed)."""
    suffixes = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    if suffixes[-1] not in PACKINGS:
        return suffixes[-1], ""
    if suffixes[-1] == ".zip":
        with _opened_zip(path) as archive:
            return PurePosixPath(_only_member(archive, path).filename).suffix.lower(), ".zip"
    return suffixes[-2], suffixes[-1]


def _open_zst(path: Path) -> io.BufferedReader:
    import pyarrow as pa

    stream: Any = pa.CompressedInputStream(open_for_arrow(path), "zstd")
    return io.BufferedReader(stream)


def _open_zip(path: Path) -> IO[bytes]:
    archive = _opened_zip(path)
    return archive.open(_only_member(archive, path))


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError(f"{path}: not a readable .zip file. Pack it again, or pass the file inside it.") from None


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if not (each.is_dir() or _is_by_product(each.filename))]
    if len(members) != 1:
        some = "".join(f"; the first is {shown_path(each.filename)}" for each in members[:1])
        raise DataError(f"{path}: must contain one file; got {len(members)}{some}. Unpack it and pass one file.")
    if members[0].flag_bits & 1:
        raise DataError(f"{path}: is protected by a password. Unpack it and pass the file inside it.")
    return members[0]


def _is_by_product(name: str) -> bool:
    """Whether a program for archives added this file, and not the user."""
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name.startswith(".")
