"""Read word vectors from word2vec, GloVe, fastText, npz and spaCy files."""

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
from textlrp.text.opening import open_bytes
from textlrp.text.vectors import Vectors

if TYPE_CHECKING:
    from spacy.language import Language


LONGEST_WORD = 1 << 16
"""Bytes; a binary file with no space in so many is none of word2vec's."""

LONGEST_LINE = 1 << 24
"""Bytes of a line of a text file; a longer one is no word with its vector."""

FASTTEXT_MAGIC = b"\xba\x16\x4f\x2f"

VECTOR_FILE_KINDS = "word2vec text or binary (.bin), GloVe .txt, fastText .vec (each also as .gz) or .npz"


def load_vectors(source: str | Path | Language, *, words: Collection[str] | None = None) -> Vectors:
    """Read word vectors from a file, told by its name and first line, or from a spaCy pipeline or its name.

    ``words`` limits what is kept to these and their lower-cased forms, so that a large file needs little memory.
    Raises :class:`DataError`, with the file and line, if it is missing, broken or has no vectors.
    """
    wanted = None if words is None else frozenset(words) | {word.lower() for word in words}
    if not isinstance(source, str | Path):
        return _from_spacy(source, wanted)
    path = Path(source)
    check_regular(path)
    if not path.is_file():
        return _from_spacy(_load_spacy(source), wanted)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        if suffixes[-1:] == [".npz"]:
            return _from_npz(path, wanted)
        with open_bytes(path) as stream:
            binary = ".bin" in suffixes[-2:]
            return (_from_binary if binary else _from_text)(stream, path, wanted)
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut off or damaged ({error}); fetch it again.") from error


# ---- files


def _from_npz(path: Path, wanted: frozenset[str] | None) -> Vectors:
    try:
        # opened here, since numpy leaves a broken archive open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = {"words", "vectors"} - set(archive.files)
            if missing:
                raise DataError(
                    f"{path} has no array {' or '.join(sorted(missing))}, only {', '.join(archive.files) or 'none'}; "
                    "an .npz of word vectors has words (V,) and vectors (V, D)."
                )
            names, matrix = archive["words"], archive["vectors"]
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} holds Python objects or is no .npz file; save words as an array of text (dtype 'U')."
        ) from error
    if names.ndim != 1 or names.dtype.kind != "U" or matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise DataError(
            f"{path} has words of {names.dtype} {names.shape} and vectors of {matrix.dtype} {matrix.shape}; "
            "text (V,) and numbers (V, D) are wanted."
        )
    if len(names) != len(matrix):
        raise DataError(f"{path} has {len(names)} words but {len(matrix)} vectors.")
    kept = tuple(names.tolist())
    if wanted is not None:
        rows = [row for row, word in enumerate(kept) if word in wanted]
        kept, matrix = tuple(kept[row] for row in rows), matrix[rows]
    return _checked_vectors(kept, matrix.astype(np.float32), path)


def _from_text(stream: IO[bytes], path: Path, wanted: frozenset[str] | None) -> Vectors:
    lines = enumerate(_lines(stream, path), 1)
    number, line = next(lines, (1, b""))
    line = line.removeprefix(codecs.BOM_UTF8)
    announced = _counts_in_header(line)
    dimensions = announced[1] if announced else len(_line_fields(line)) - 1
    if dimensions < 1 or b"\0" in line:
        raise DataError(f"{path}, line 1, is no word with numbers after it; {VECTOR_FILE_KINDS} is wanted.")
    words: list[str] = []
    values = array("f")
    if not announced:
        _add_line(line, 1, dimensions, path, wanted, words, values)
    for number, line in lines:
        _add_line(line, number, dimensions, path, wanted, words, values)
    if announced and number - 1 != announced[0]:
        raise DataError(
            f"{path} announces {announced[0]} words in line 1 and has {number - 1}; it is cut off or was changed."
        )
    return _checked_vectors(tuple(words), np.array(values, dtype=np.float32).reshape(-1, dimensions), path)


def _lines(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    for number in count(1):
        line = stream.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"{path}, line {number}, is longer than {LONGEST_LINE:,} bytes; {VECTOR_FILE_KINDS} is wanted."
            )
        if not line:
            return
        yield line


def _add_line(
    line: bytes,
    number: int,
    dimensions: int,
    path: Path,
    wanted: frozenset[str] | None,
    words: list[str],
    values: array[float],
) -> None:
    fields = _line_fields(line)
    # some files have words with spaces inside, so the numbers are counted from the right
    cut = len(fields) - dimensions
    if cut < 1 or (cut > 1 and _is_numeral(fields[cut - 1])):
        raise DataError(
            f"{path}, line {number}, has {len(fields) - 1} numbers after its word; {dimensions} are wanted."
        )
    word = b" ".join(fields[:cut]).decode("utf-8", errors="replace")
    if wanted is not None and word not in wanted:
        return
    try:
        values.extend(map(float, fields[cut:]))
    except ValueError as error:
        raise DataError(f"{path}, line {number}, has something other than numbers after {word!r}.") from error
    words.append(word)


def _from_binary(stream: IO[bytes], path: Path, wanted: frozenset[str] | None) -> Vectors:
    first = stream.readline(LONGEST_WORD)
    announced = _counts_in_header(first)
    if announced is None:
        hint = (
            "it is fastText's own; take its .vec file"
            if first.startswith(FASTTEXT_MAGIC)
            else f"{VECTOR_FILE_KINDS} is wanted"
        )
        raise DataError(f"{path} is no word2vec binary: its first line does not give words and dimensions; {hint}.")
    count, dimensions = announced
    words: list[str] = []
    values = array("f")
    for raw, vector in _records(stream, count, 4 * dimensions, path):
        word = raw.decode("utf-8", errors="replace")
        if wanted is None or word in wanted:
            words.append(word)
            values.frombytes(vector)
    return _checked_vectors(tuple(words), np.array(values, dtype=np.float32).reshape(-1, dimensions), path)


def _records(stream: IO[bytes], count: int, size: int, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The words of a word2vec binary and the ``size`` bytes of each one's vector."""
    held, position = b"", 0
    for number in range(1, count + 1):
        while (space := held.find(b" ", position)) < 0 or len(held) < space + 1 + size:
            more = stream.read(1 << 20)
            if not more or (space < 0 and len(held) - position > LONGEST_WORD):
                raise DataError(f"{path} announces {count} words and breaks off in word {number}; fetch it again.")
            held, position = held[position:] + more, 0
        start = space + 1
        yield held[position:space].lstrip(b"\n"), held[start : start + size]
        position = start + size


def _line_fields(line: bytes) -> list[bytes]:
    # not split(): in some files a word holds other kinds of whitespace
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
            f"{str(name)!r} is neither a file of word vectors ({VECTOR_FILE_KINDS}) nor an installed spaCy pipeline; "
            f"check the path, or run: python -m spacy download {name}"
        ) from error


def _from_spacy(pipeline: Any, wanted: frozenset[str] | None) -> Vectors:
    name = pipeline.meta.get("name") or "without a name"
    table = pipeline.vocab.vectors
    if not table.shape[1] or not (len(table) or table.mode == "floret"):
        raise DataError(f"the spaCy pipeline {name!r} has no word vectors; take one of its larger sizes (md, lg).")
    if table.mode == "floret":
        if wanted is None:
            raise DataError(
                f"the spaCy pipeline {name!r} makes vectors from parts of words and has no list; pass words=."
            )
        kept = tuple(sorted(wanted))
        rows: Iterable[Any] = (pipeline.vocab.get_vector(word) for word in kept)
        matrix = np.array(list(rows), dtype=np.float32).reshape(-1, table.shape[1])
        return _checked_vectors(kept, matrix, name)
    strings = pipeline.vocab.strings
    pairs = [(strings[key], row) for key, row in table.key2row.items() if key in strings]
    pairs = sorted(pair for pair in pairs if wanted is None or pair[0] in wanted)
    matrix = np.asarray(table.data[[row for _, row in pairs]], dtype=np.float32).reshape(-1, table.shape[1])
    return _checked_vectors(tuple(word for word, _ in pairs), matrix, name)
