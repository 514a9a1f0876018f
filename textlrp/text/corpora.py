"""Corpora: documents in a fixed order with labels, from 20 Newsgroups, the sample posts, or the user's files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from importlib import resources
from pathlib import Path
from typing import overload

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular, readable_name, user_path
from textlrp.records import Document, Label, Ranges
from textlrp.text.formats import layout_of
from textlrp.text.newsgroups import (
    ARCHIVE_WANTED,
    NEWSGROUPS_VARIABLE,
    Subset,
    archived_posts,
    group_and_number,
    parts_of,
    scikit_learn_posts,
    unpacked_posts,
)
from textlrp.text.readers import Record, read_folder, read_table
from textlrp.text.row_layout import FILE_TYPES, Columns
from textlrp.text.skip import Skip, make_skip


class Corpus:
    """Documents in a fixed order, with the short names that training needs.

    Iterating streams the documents from their source, anew each time and in constant memory where
    the source is a file; ``len`` counts them that way. The properties read all of them once and keep them.
    """

    def __init__(self, source: Callable[[], Iterator[Document]], *, name: str) -> None:
        self.name = name
        self._source = source
        self._length: int | None = None

    def __iter__(self) -> Iterator[Document]:
        return self._source()

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(1 for _ in self)
        return self._length

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> Corpus: ...
    def __getitem__(self, index: int | slice) -> Document | Corpus:
        if isinstance(index, slice):
            return Corpus(partial(iter, self.documents[index]), name=self.name)
        return self.documents[index]

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """All N documents."""
        documents = tuple(self._source())
        self._length = len(documents)
        return documents

    @property
    def texts(self) -> list[str]:
        """The N texts, untouched."""
        return [document.text for document in self.documents]

    @property
    def labels(self) -> list[Label | None]:
        """The N labels; None where a document has none."""
        return [document.label for document in self.documents]

    @property
    def ids(self) -> list[str]:
        """The N names of the documents."""
        return [document.id for document in self.documents]

    @property
    def label_names(self) -> list[Label]:
        """The C distinct labels in scikit-learn's order; raises :class:`DataError` if they are of several kinds."""
        labels = {type(label): label for label in self.labels if label is not None}
        if len(labels) > 1:
            some = " and ".join(repr(label) for label in labels.values())
            raise DataError(f"the labels of {self.name} are of several kinds ({some}); make them all text.")
        return sorted({label for label in self.labels if label is not None})

    def __repr__(self) -> str:
        count = "not counted yet" if self._length is None else f"{self._length} documents"
        return f"<Corpus {self.name!r}: {count}>"


def load_20newsgroups(subset: Subset = "train", path: str | Path | None = None, *, remove: Skip = ()) -> Corpus:
    """20 Newsgroups, by-date version: 11,314 posts to train and 7,532 to test, sorted by group and number.

    ``path`` is the official ``20news-bydate.tar.gz`` or the folder it unpacks to; without it
    ``$TEXTLRP_20NEWS`` is taken, and without that scikit-learn's own cache or download (the one place
    where a pickle is opened: by scikit-learn, of its own making). Ids read ``sci.med/59000``.
    ``remove`` marks ``"headers"``, ``"footers"``, ``"quotes"`` or a function's ranges in ``Document.skip``;
    the texts stay whole. Raises :class:`DataError` if the posts cannot be had.
    """
    parts, skip = parts_of(subset), make_skip(remove)
    given = path if path is not None else os.environ.get(NEWSGROUPS_VARIABLE) or None
    if given is None:
        posts = scikit_learn_posts(subset)
    else:
        place = user_path(given)
        check_regular(place)
        folders = tuple(f"20news-bydate-{part}" for part in parts)
        posts = list((unpacked_posts if place.is_dir() else archived_posts)(place, folders))
        if not posts:
            raise DataError(f"{place} holds no posts in {' and '.join(folders)}; {ARCHIVE_WANTED}.")
    return _corpus(partial(iter, sorted(posts, key=group_and_number)), skip, f"20newsgroups-{subset}")


def load_sample_posts(subset: Subset = "train", *, remove: Skip = ()) -> Corpus:
    """A small corpus written for this project in the manner of 20 Newsgroups: the same 20 groups, a few posts each.

    ``remove`` is that of :func:`load_20newsgroups`. Raises :class:`DataError` if the posts are not installed.
    """
    parts, skip = parts_of(subset), make_skip(remove)
    folder = _sample_folder()
    posts = [post for part in parts for post in read_folder(folder / part, suffix=".txt")]
    return _corpus(partial(iter, sorted(posts, key=group_and_number)), skip, f"sample-posts-{subset}")


def load_corpus(
    path: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
    skip: Skip = (),
) -> Corpus:
    """A CSV, TSV, text, JSON or Parquet file (by suffix; all but Parquet also ``.gz``), or a folder of class folders.

    A ``.json`` or ``.jsonl`` file holds one object a line, or one array of objects; a ``.txt`` file one text a line,
    or fastText's ``__label__class text``. A file in UTF-16 or UTF-32 with a byte order mark is read as such.
    Quotes in a tab-separated file are characters unless a field needs them (it contains a tab, a line end or a
    doubled quote) or all names of the header are quoted.

    ``text``, ``label`` and ``id`` name columns. Left out, the text is the column ``text`` (else ``content``,
    ``body``, ``message`` or the only one of strings), the label ``label`` (else ``category``, ``class``,
    ``target``, else None), the id ``id`` (else the row's number from 1). In a folder each folder is a class,
    each file a text. A missing label becomes None; labels of CSV stay strings. ``skip`` fills ``Document.skip``.
    ``delimiter`` is the character between fields, ``header`` says whether the first row names the columns, and
    ``columns`` names those of a file without such a row, in order ("label,text"). Left out, the delimiter and a
    missing header are told from the first rows where that is certain; a warning says what was found.
    ``max_row_length`` is the longest row in characters, 100 million unless given; a longer one ends the reading
    before it fills the memory. Blanks at the edges of labels are removed, with a warning.
    Iterating streams the file. Raises :class:`DataError` naming file and row for what cannot be read: at once
    for the file, its columns and its first row, and on the way for the others.
    """
    path = user_path(path)
    check_regular(path)
    layout = layout_of(delimiter, header, columns, max_row_length)
    if not path.exists():
        raise DataError(f"{path} does not exist; a corpus is one of {FILE_TYPES}.")
    if path.is_dir():
        if text or label or id or delimiter or columns or header is not None:
            raise OptionError(
                f"{path} is a folder: it has no columns, so text=, label=, id=, delimiter=, header= and columns= "
                "must be left out."
            )
        records: Callable[[], Iterable[Record]] = partial(
            read_folder, path, encoding=encoding, max_length=layout.max_row_length
        )
    else:
        records = partial(read_table, path, Columns(text, label, id), layout=layout, encoding=encoding)
    corpus = _corpus(records, make_skip(skip), readable_name(path.resolve().name))
    if next(iter(corpus), None) is None:
        raise DataError(f"{path} holds no texts; a corpus is one of {FILE_TYPES}.")
    return corpus


def _corpus(records: Callable[[], Iterable[Record]], skip: Callable[[str], Ranges], name: str) -> Corpus:
    return Corpus(partial(_documents_of_records, records, skip), name=name)


def _documents_of_records(
    records: Callable[[], Iterable[Record]], skip: Callable[[str], Ranges]
) -> Iterator[Document]:
    for id, text, label in records():
        yield Document(id, text, label, skip(text))


def _sample_folder() -> Path:
    installed = Path(str(resources.files("textlrp"))) / "data" / "sample-posts"
    checkout = Path(__file__).parents[2] / "data" / "sample-posts"
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise DataError(f"the sample posts are missing, neither {installed} nor {checkout} is there; reinstall textlrp.")
