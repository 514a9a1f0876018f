"""Open a corpus by its name or path, and take evenly spaced documents of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular, user_path
from textlrp.records import Document
from textlrp.text.corpora import Corpus, load_20newsgroups, load_corpus, load_sample_posts
from textlrp.text.formats import layout_of
from textlrp.text.newsgroups import Subset
from textlrp.text.row_layout import Layout

NAMED = {"20newsgroups": load_20newsgroups, "sample": load_sample_posts}
"""Corpora that are asked for by name; ``./sample`` is a path."""

Log = Callable[[str], object]
"""What gets one line of text at a time from a function that takes a while."""


def silent(line: str) -> None:
    """Log nothing."""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files of texts are read: the options of :func:`textlrp.load_corpus`; None is its default."""

    text: str | None = None
    label: str | None = None
    id: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    columns: str | Sequence[str] | None = None
    max_row_length: int | None = None

    def layout(self) -> Layout:
        """How the fields of a row are laid out; raises :class:`OptionError`."""
        return layout_of(self.delimiter, self.header, self.columns, self.max_row_length)


def open_corpus(source: str | Path, subset: Subset, files: FileOptions | None = None) -> Corpus:
    """A corpus by name (``20newsgroups`` or ``sample``: its ``subset``) or from a path (all of it).

    Raises :class:`DataError` where there is none, :class:`OptionError` where a corpus with a name comes with options
    of files.
    """
    files = files or FileOptions()
    if str(source) in NAMED:
        if replace(files, max_row_length=None) != FileOptions():
            raise OptionError(
                f"{source} is read as it is; columns and encodings belong to files "
                f"(a folder of that name is ./{source})."
            )
        return NAMED[str(source)](subset)
    check_regular(user_path(source))
    if not user_path(source).exists():
        raise DataError(
            f"there is no file or folder {str(source)!r}; a corpus is a .csv, .tsv, .txt, .json, .jsonl or .parquet "
            f"file, a folder of class folders, or one of the names {' and '.join(NAMED)}."
        )
    return load_corpus(
        source,
        text=files.text,
        label=files.label,
        id=files.id,
        encoding=files.encoding or "utf-8",
        delimiter=files.delimiter,
        header=files.header,
        columns=files.columns,
        max_row_length=files.max_row_length,
    )


def spread(corpus: Corpus, limit: int) -> Iterator[Document]:
    """At most ``limit`` documents, evenly spaced: corpora are often sorted by class."""
    total = len(corpus)
    wanted = {position * total // limit for position in range(limit)} if limit < total else range(total)
    return (document for position, document in enumerate(corpus) if position in wanted)
