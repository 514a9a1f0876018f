"""The files of an encoder's folder: which of them matter, their hash, and a copy of them. Needs no torch."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from textlrp.errors import ModelError

ENCODER = "encoder"
"""Name of the copy of an encoder in the folder of a model."""
MATTERING = (".json", ".safetensors", ".txt", ".model")
"""File name extensions that an encoder is loaded from: settings, weights and vocabularies."""


def encoder_files(folder: Path) -> list[Path]:
    """Return the files that the encoder in a folder is loaded from, as sorted paths relative to the folder."""
    found = (each for each in folder.rglob("*") if each.suffix in MATTERING and each.is_file())
    return sorted(each.relative_to(folder) for each in found)


def hash_of_files(folder: Path) -> str:
    """Return a hash of the names and contents of :func:`encoder_files`, in hexadecimal."""
    digest = hashlib.sha256()
    for name in encoder_files(folder):
        with (folder / name).open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{name.as_posix()}\n{content}\n".encode())
    return digest.hexdigest()


def copy_encoder(folder: Path, target: Path) -> None:
    """Copy :func:`encoder_files` to a new folder ``target``; raise :class:`ModelError` if that fails."""
    try:
        for name in encoder_files(folder):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)
    except OSError as reason:
        raise ModelError(f"cannot copy the encoder {str(folder)!r}: {reason}. Choose another folder.") from None
