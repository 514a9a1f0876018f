"""Read word vectors from word2vec, GloVe, fastText, npz and spaCy files. Open this module to add a format."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from array import array
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular
from textlrp.text.packed import open_bytes
from textlrp.text.vectors import Vectors

if TYPE_CHECKING:
    from spacy.language import Language

LONGEST_WORD = 1 << 16
"""Maximum length of a word in bytes. A binary file without a space within this length is not from word2vec."""

LONGEST_LINE = 1 << 24
"""Maximum length of a line of a text file in bytes. A longer line is not a word with its vector."""

FASTTEXT_MAGIC = b"\xba\x16\x4f\x2f"
"""The first bytes of fastText's own binary format, which is not supported."""

VECTOR_FILE_KINDS = "word2vec text or binary (.bin), GloVe .txt, fastText .vec (each also as .gz) or .npz"
_SUPPORTED = f"Use {VECTOR_FILE_KINDS}"


def load_vectors(source: str | Path | Language, *, words: Collection[str] | None = None) -> Vectors:
    """Read word vectors from a file, or from a spaCy pipeline or its name.

    The format is recognized by the file name and the first line. With ``words``, only these and their lower-cased
    forms are kept, so that a large file needs little memory. Raises :class:`DataError`, with the file and line, if
    the source is missing, damaged or has no vectors.
    """
    selected = None if words is None else frozenset(words) | {word.lower() for word in words}
    if not isinstance(source, str | Path):
        return _from_spacy(source, selected)
    path = Path(source)
    check_regular(path)
    if not path.is_file():
        return _from_spacy(_load_spacy(source), selected)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        if suffixes[-1:] == [".npz"]:
            return _from_npz(path, selected)
        with open_bytes(path) as stream:
            binary = ".bin" in suffixes[-2:]
            return (_from_binary if binary else _from_text)(stream, path, selected)
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: incomplete or damaged ({error}). Download it again.") from error


# ---- files


def _from_npz(path: Path, selected: frozenset[str] | None) -> Vectors:
    try:
        # opened here because numpy does not close a damaged archive
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = {"words", "vectors"} - set(archive.files)
            if missing:
                raise DataError(
                    f"{path}: must contain the arrays words (V,) and vectors (V, D); got "
                    f"{', '.join(archive.files) or 'none'}. Save it with np.savez(path, words=..., vectors=...)."
                )
            names, matrix = archive["words"], archive["vectors"]
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: contains Python objects or is not an .npz file. Save words as an array of text (dtype 'U')."
        ) from error
    if names.ndim != 1 or names.dtype.kind != "U" or matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: words must be text (V,) and vectors must be numbers (V, D); got {names.dtype} {names.shape} "
            f"and {matrix.dtype} {matrix.shape}."
        )
    if len(names) != len(matrix):
        raise DataError(f"{path}: there must be one vector per word; got {len(names)} words, {len(matrix)} vectors.")
    kept = tuple(names.tolist())
    if selected is not None:
        rows = [row for row, word in enumerate(kept) if word in selected]
        kept, matrix = tuple(kept[row] for row in rows), matrix[rows]
    return _checked_vectors(kept, matrix.astype(np.float32), path)


def _from_text(stream: IO[bytes], path: Path, selected: frozenset[str] | None) -> Vectors:
    lines = enumerate(_lines(stream, path), 1)
    number, line = next(lines, (1, b""))
    line = line.removeprefix(codecs.BOM_UTF8)
    announced = _counts_in_header(line)
    dimensions = announced[1] if announced else len(_line_fields(line)) - 1
    if dimensions < 1 or b"\0" in line:
        raise DataError(f"line 1 ({path}): must be a word followed by numbers. {_SUPPORTED}.")
    words: list[str] = []
    values = array("f")
    if not announced:
        _add_line(line, 1, dimensions, path, selected, words, values)
    for number, line in lines:
        _add_line(line, number, dimensions, path, selected, words, values)
    if announced and number - 1 != announced[0]:
        raise DataError(f"{path}: must have {announced[0]} words (line 1); got {number - 1}. Download it again.")
    return _checked_vectors(tuple(words), np.array(values, dtype=np.float32).reshape(-1, dimensions), path)


def _lines(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    for number in count(1):
        line = stream.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise DataError(f"line {number} ({path}): longer than {LONGEST_LINE:,} bytes. {_SUPPORTED}.")
        if not line:
            return
        yield line


def _add_line(
    line: bytes,
    number: int,
    dimensions: int,
    path: Path,
    selected: frozenset[str] | None,
    words: list[str],
    values: array[float],
) -> None:
    fields = _line_fields(line)
    # in some files words contain spaces, so the numbers are counted from the right
    cut = len(fields) - dimensions
    if cut < 1 or (cut > 1 and _is_numeral(fields[cut - 1])):
        raise DataError(
            f"line {number} ({path}): must have {dimensions} numbers after the word; got {len(fields) - 1}. "
            "Correct or remove the line."
        )
    word = b" ".join(fields[:cut]).decode("utf-8", errors="replace")
    if selected is not None and word not in selected:
        return
    try:
        values.extend(map(float, fields[cut:]))
    except ValueError as error:
        raise DataError(
            f"line {number} ({path}): must have only numbers after the word {word!r}. Correct or remove the line."
        ) from error
    words.append(word)


def _from_binary(stream: IO[bytes], path: Path, selected: frozenset[str] | None) -> Vectors:
    first = stream.readline(LONGEST_WORD)
    announced = _counts_in_header(first)
    if announced is None:
        if first.startswith(FASTTEXT_MAGIC):
            raise DataError(f"{path}: fastText's own .bin format is not supported. Use the .vec file.")
        raise DataError(
            f"{path}: a word2vec binary must begin with the numbers of words and dimensions. {_SUPPORTED}."
        )
    count, dimensions = announced
    words: list[str] = []
    values = array("f")
    for raw, vector in _records(stream, count, 4 * dimensions, path):
        word = raw.decode("utf-8", errors="replace")
        if selected is None or word in selected:
            words.append(word)
            values.frombytes(vector)
    return _checked_vectors(tuple(words), np.array(values, dtype=np.float32).reshape(-1, dimensions), path)


def _records(stream: IO[bytes], count: int, size: int, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the words of a word2vec binary, each with the ``size`` bytes of its vector."""
    buffer, position = b"", 0
    for number in range(1, count + 1):
        while (space := buffer.find(b" ", position)) < 0 or len(buffer) < space + 1 + size:
            more = stream.read(1 << 20)
            if not more or (space < 0 and len(buffer) - position > LONGEST_WORD):
                raise DataError(f"{path}: must have {count} words; it ends in word {number}. Download it again.")
            buffer, position = buffer[position:] + more, 0
        start = space + 1
        yield buffer[position:space].lstrip(b"\n"), buffer[start : start + size]
        position = start + size


def _line_fields(line: bytes) -> list[bytes]:
    # not split(): in some files words contain other kinds of white space
    return line.replace(b"\t", b" ").rstrip(b" \r\n").split(b" ")


def _counts_in_header(line: bytes) -> tuple[int, int] | None:
    fields = _line_fields(line)
    if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():
        return int(fields[0]), int(fields[1])
    return None


def _is_numeral(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _checked_vectors(words: tuple[str, ...], matrix: NDArray[np.float32], source: object) -> Vectors:
    try:
        return Vectors(words, matrix)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None


# ---- spaCy


def _load_spacy(name: str | Path) -> Any:
    import spacy

    try:
        return spacy.load(name)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(
            f"vectors must be a file of word vectors ({VECTOR_FILE_KINDS}) or an installed spaCy pipeline; got "
            f"{str(name)!r}. Check the path, or run: python -m spacy download {name}"
        ) from error


def _from_spacy(pipeline: Any, selected: frozenset[str] | None) -> Vectors:
    name = pipeline.meta.get("name") or "unnamed"
    table = pipeline.vocab.vectors
    if not table.shape[1] or not (len(table) or table.mode == "floret"):
        raise DataError(f"the spaCy pipeline {name!r} has no word vectors. Use a larger one (md, lg).")
    if table.mode == "floret":
        if selected is None:
            raise DataError(
                f"the spaCy pipeline {name!r} computes vectors from subwords and has no list of words. Pass words=."
            )
        kept = tuple(sorted(selected))
        rows: Iterable[Any] = (pipeline.vocab.get_vector(word) for word in kept)
        matrix = np.array(list(rows), dtype=np.float32).reshape(-1, table.shape[1])
        return _checked_vectors(kept, matrix, name)
    strings = pipeline.vocab.strings
    pairs = [(strings[key], row) for key, row in table.key2row.items() if key in strings]
    pairs = sorted(pair for pair in pairs if selected is None or pair[0] in selected)
    matrix = np.asarray(table.data[[row for _, row in pairs]], dtype=np.float32).reshape(-1, table.shape[1])
    return _checked_vectors(tuple(word for word, _ in pairs), matrix, name)
