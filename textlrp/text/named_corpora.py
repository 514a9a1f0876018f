"""Open a corpus by its name or path, and select evenly spaced documents from it.

Commands and evaluations open their corpora here. Open this module to add a corpus that has a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from textlrp.errors import DataError, OptionError, must_be
from textlrp.files.input_paths import check_regular, user_path
from textlrp.records import Document
from textlrp.text.corpora import Corpus, load_corpus
from textlrp.text.dataset_rows import dataset_splits
from textlrp.text.formats import layout_of
from textlrp.text.newsgroups import Subset
from textlrp.text.parquet_folders import shard_splits
from textlrp.text.post_corpora import load_20newsgroups, load_sample_posts
from textlrp.text.row_layout import Columns, Layout, warn_of_guess

NAMED = {"20newsgroups": load_20newsgroups, "sample": load_sample_posts}
"""The corpora that have a name. A path to a folder of the same name is written ``./sample``."""

Log = Callable[[str], object]
"""A function that a long computation calls with one line of progress at a time, such as ``print``."""


def silent(line: str) -> None:
    """Ignore a line of progress: the default for functions that report progress."""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The options of :func:`textlrp.load_corpus` for reading files; None is the default of each."""

    text: str | Sequence[str] | None = None
    label: str | None = None
    id: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    columns: str | Sequence[str] | None = None
    max_row_length: int | None = None
    label_separator: str | None = None
    sheet: str | None = None
    split: str | None = None
    skip_bad: bool = False
    needs_label: bool = False

    def layout(self) -> Layout:
        """Return the layout of the file; raises :class:`OptionError` for wrong options."""
        return layout_of(
            self.delimiter,
            self.header,
            self.columns,
            self.max_row_length,
            self.label_separator,
            sheet=self.sheet,
            split=self.split,
        )

    def names(self) -> Columns:
        """Return the names of the columns to read."""
        text = self.text if self.text is None or isinstance(self.text, str) else tuple(self.text)
        return Columns(text, self.label, self.id)

    def for_subset(self, path: Path, subset: Subset) -> FileOptions:
        """Return the options with the split of a dataset that has the name of ``subset``, if none is chosen."""
        if self.split is not None or subset not in (dataset_splits(path) or shard_splits(path)):
            return self
        warn_of_guess(path, f"the split {subset!r} is read. Pass split={subset!r} to confirm this.")
        return replace(self, split=subset)


def open_corpus(source: str | Path, subset: Subset, files: FileOptions | None = None) -> Corpus:
    """Open a corpus by name (``20newsgroups`` or ``sample``: only its ``subset``) or by path (all documents).

    The ``split`` of ``files`` chooses another subset. Raises :class:`DataError` if nothing exists at the path,
    :class:`OptionError` for an unknown split, or if other file options are passed with a corpus that has a name.
    """
    files = files or FileOptions()
    if str(source) in NAMED:
        if files.split is not None:
            subset = _subset(str(source), files.split)
        if replace(files, max_row_length=None, skip_bad=False, needs_label=False, split=None) != FileOptions():
            raise OptionError(
                f"the corpus {source!r} takes no options for columns or encoding. Leave them out, or pass ./{source} "
                "for a file or folder of that name."
            )
        return NAMED[str(source)](subset)
    check_regular(user_path(source))
    if not user_path(source).exists():
        raise DataError(
            f"there is no file or folder {str(source)!r}. Pass a .csv, .tsv, .txt, .json, .jsonl, .xlsx or .parquet "
            f"file, a folder, or one of the names {' and '.join(NAMED)}."
        )
    files = files.for_subset(user_path(source), subset)
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
        label_separator=files.label_separator,
        sheet=files.sheet,
        split=files.split,
        skip_bad=files.skip_bad,
        needs_label=files.needs_label,
    )


def _subset(corpus: str, split: str) -> Subset:
    for known in get_args(Subset):
        if split == known:
            return known  # type: ignore[no-any-return]
    raise OptionError(must_be(f"the split of the corpus {corpus!r}", f"one of {', '.join(get_args(Subset))}", split))


def spread(corpus: Corpus, limit: int) -> Iterator[Document]:
    """Select at most ``limit`` documents, evenly spaced because corpora are often sorted by class."""
    total = len(corpus)
    chosen = {position * total // limit for position in range(limit)} if limit < total else range(total)
    return (document for position, document in enumerate(corpus) if position in chosen)
