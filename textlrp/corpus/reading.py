"""Corpora by name or path, and the files that results go to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from textlrp.errors import DataError, OptionError
from textlrp.files import FileKind, check_file, check_regular, user_path
from textlrp.models.folder import CONFIG, TENSORS, check_model
from textlrp.records import Document
from textlrp.text.datasets import (
    NEWSGROUPS_VARIABLE,
    Corpus,
    Subset,
    load_20newsgroups,
    load_corpus,
    load_sample_posts,
)

NAMED = {"20newsgroups": load_20newsgroups, "sample": load_sample_posts}
"""Corpora that are asked for by name; ``./sample`` is a path."""

Say = Callable[[str], object]
"""What gets one line of text at a time from a function that takes a while."""


def silent(line: str) -> None:
    """Say nothing."""


def open_corpus(
    source: str | Path,
    subset: Subset,
    *,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
) -> Corpus:
    """A corpus by name (``20newsgroups`` or ``sample``: its ``subset``) or from a path (all of it).

    The options are those of :func:`textlrp.load_corpus`. Raises :class:`DataError` where there is none,
    :class:`OptionError` where a corpus with a name comes with options of files.
    """
    if str(source) in NAMED:
        if text or label or id or encoding or delimiter or columns or header is not None:
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
        text=text,
        label=label,
        id=id,
        encoding=encoding or "utf-8",
        delimiter=delimiter,
        header=header,
        columns=columns,
        max_row_length=max_row_length,
    )


def spread(corpus: Corpus, limit: int) -> Iterator[Document]:
    """At most ``limit`` documents, evenly spaced: corpora are often sorted by class."""
    total = len(corpus)
    wanted = {position * total // limit for position in range(limit)} if limit < total else range(total)
    return (document for position, document in enumerate(corpus) if position in wanted)


def inputs_of(
    source: str | Path | None, *, models: Iterable[str | Path | None] = (), files: Iterable[str | Path | None] = ()
) -> list[Path]:
    """The files and folders that a command reads: a corpus by name or path, saved models, and other ``files``.

    Raises :class:`DataError` for a pipe or a device; see :func:`textlrp.files.check_regular`.
    """
    found = [user_path(path) for path in files if path is not None]
    if str(source) == "20newsgroups" and (place := os.environ.get(NEWSGROUPS_VARIABLE)):
        folder = user_path(place)
        found += [folder / f"20news-bydate-{part}" for part in ("train", "test")] if folder.is_dir() else [folder]
    elif source is not None and str(source) not in ("-", *NAMED):
        found.append(user_path(source))
    for model in models:
        if model is not None:
            check_model(model)  # a missing one is found out before torch is imported
        found += [Path(model, name) for name in (CONFIG, TENSORS) if model is not None and Path(model, name).exists()]
    for path in found:
        check_regular(path)
    return found


def check_output(
    path: str | Path, kinds: Mapping[str, FileKind], *, inputs: Iterable[str | Path] = (), force: bool = False
) -> str:
    """The suffix of a file to write, one of ``kinds``.

    Raises :class:`DataError` for another suffix, and as :func:`textlrp.files.check_file` does.
    """
    suffix = check_suffix(path, tuple(kinds))
    check_file(path, kinds[suffix], inputs=inputs, force=force)
    return suffix


def check_suffix(path: str | Path, suffixes: Sequence[str]) -> str:
    """The suffix of a file to write; raises :class:`DataError` if it is none of these."""
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise DataError(f"cannot tell the format of {str(path)!r}; end the name in {' or '.join(suffixes)}.")
    return suffix
