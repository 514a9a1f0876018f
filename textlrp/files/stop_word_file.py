"""Read and write files of stop words: UTF-8 text with one word per line.

Empty lines are ignored, and so are comments: lines of "#" alone or "#" and a blank. A line in double quotes is a JSON
string. So a file can have every word, also one that looks like a comment, begins with a quote, or has a line break.
Open this module for ``textlrp train --stop-words``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from textlrp.errors import DataError, must_be
from textlrp.files.input_paths import check_regular, shown_path, user_path
from textlrp.files.written_file import FileKind, atomic_file

MAX_BYTES = 1 << 23
"""Largest file of stop words that is read, in bytes. A saved model stores the words in its ``config.json``."""
_ENDING = ": one word per line. An edited file is not overwritten."


def read_stop_words(path: str | Path) -> tuple[str, ...]:
    """Return the distinct words of a file in order; blanks around them are removed.

    Raises :class:`DataError` if the file cannot be read, is longer than :data:`MAX_BYTES`, is not UTF-8 text, or has
    no word.
    """
    source = user_path(path)
    check_regular(source)
    try:
        with source.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig") if len(data) <= MAX_BYTES else ""
    except UnicodeDecodeError:
        text = "\0"
    except OSError as problem:
        raise DataError(f"the file of stop words {shown_path(path)} cannot be read: {problem.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise DataError(f"a file of stop words must have at most {MAX_BYTES:,} bytes; {shown_path(path)} has more.")
    if "\0" in text:
        raise DataError(f"the file of stop words {shown_path(path)} is not UTF-8 text. Save it as text in UTF-8.")
    words = dict.fromkeys(_word(line.strip()) for line in text.split("\n"))
    words.pop("", None)
    if not words:
        raise DataError(f"the file of stop words {shown_path(path)} has no word. Write one word per line.")
    return tuple(words)


def write_stop_words(words: Iterable[str], path: str | Path, *, comment: str = "", force: bool = False) -> None:
    """Write words to a file that :func:`read_stop_words` reads again, with a ``comment`` before them.

    A file of stop words is replaced unless it has been edited. Raises :class:`DataError` for an empty word, and as
    :func:`textlrp.files.written_file.atomic_file` does.
    """
    lines = [f"# {_printable(line)}".rstrip() for line in comment.splitlines()]
    for word in dict.fromkeys(words):
        if not word:
            raise DataError(must_be("stop words", "at least one character long", word))
        lines.append(_line(word))
    body = "".join(f"{line}\n" for line in lines).encode()
    with atomic_file(path, STOP_WORDS, force=force) as unfinished:
        unfinished.write_bytes(_first_line(body) + body)


def _printable(line: str) -> str:
    """A line of a comment with a blank for each character that a text file should not have, such as NUL."""
    return "".join(c if c.isprintable() else " " for c in line)


def _word(line: str) -> str:
    """The word in a line without blanks at its ends; empty for a comment."""
    if line == "#" or (line[:1] == "#" and line[1].isspace()):
        return ""
    if line[:1] == line[-1:] == '"':
        try:
            return str(json.loads(line)) or line
        except ValueError:
            pass
    return line


def _line(word: str) -> str:
    """The line of a word: a JSON string where :func:`_word` would read the word itself as something else."""
    plain = word.isprintable() and word == word.strip() and not word.startswith('"') and _word(word) == word
    return word if plain else json.dumps(word)


def _first_line(body: bytes) -> bytes:
    """The first line of a file, with a checksum of the others, so that an edited file is recognized."""
    return f"# Stop words of textlrp {hashlib.sha256(body).hexdigest()[:12]}{_ENDING}\n".encode()


def _is_unedited(path: Path) -> bool:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES)
    start, _, body = data.partition(b"\n")
    return start + b"\n" == _first_line(body)


STOP_WORDS = FileKind("a list of stop words", _is_unedited)
"""Files that :func:`write_stop_words` wrote and nobody has edited."""
