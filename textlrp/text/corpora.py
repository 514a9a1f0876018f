"""Load a corpus (documents with labels) from 20 Newsgroups, the sample posts, or the user's files.

Open this module for the loading functions of the public API. The readers of each file format are in
:mod:`textlrp.text.formats`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from importlib import resources
from pathlib import Path
from typing import overload

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular, readable_name, user_path
from textlrp.records import Document, Label, Labels, Ranges
from textlrp.text.formats import layout_of
from textlrp.text.newsgroups import (
    ARCHIVE_HINT,
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
    """Documents in a fixed order, with properties for training such as ``texts`` and ``labels``.

    Each iteration reads the documents from their source again, in constant memory if the source is a file. ``len``
    counts them in this way. The properties read all documents once and keep them in memory.
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
        """The N texts, unchanged."""
        return [document.text for document in self.documents]

    @property
    def labels(self) -> list[Label | Labels | None]:
        """The N labels; None for a document without a label, a tuple for one with a list of labels."""
        return [document.label for document in self.documents]

    @property
    def ids(self) -> list[str]:
        """The N document ids."""
        return [document.id for document in self.documents]

    @property
    def label_names(self) -> list[Label]:
        """The C distinct labels in scikit-learn's order; raises :class:`DataError` if their types differ."""
        every = [label for labels in self.labels for label in (labels if isinstance(labels, tuple) else (labels,))]
        labels = {type(label): label for label in every if label is not None}
        if len(labels) > 1:
            some = " and ".join(repr(label) for label in labels.values())
            raise DataError(f"the labels of {self.name} must all have the same type; got {some}. Make them all text.")
        return sorted({label for label in every if label is not None})

    def __repr__(self) -> str:
        count = "not counted yet" if self._length is None else f"{self._length} documents"
        return f"<Corpus {self.name!r}: {count}>"


def load_20newsgroups(subset: Subset = "train", path: str | Path | None = None, *, remove: Skip = ()) -> Corpus:
    """Load 20 Newsgroups, by-date version: 11,314 training posts and 7,532 test posts, sorted by group and number.

    ``path`` is the official ``20news-bydate.tar.gz`` or its unpacked folder; the default is ``$TEXTLRP_20NEWS``. If
    neither is given, the posts come from scikit-learn's cache or download. That is the only place where a pickle is
    opened: scikit-learn opens a file that it wrote itself. Ids have the form ``sci.med/59000``.
    ``remove`` marks ``"headers"``, ``"footers"``, ``"quotes"`` or the ranges of a function in ``Document.skip``; the
    texts stay unchanged. Raises :class:`DataError` if the posts cannot be found or downloaded, :class:`OptionError`
    for an unknown ``subset`` or ``remove``.
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
            raise DataError(f"{place} contains no posts in {' and '.join(folders)}. {ARCHIVE_HINT}.")
    return _corpus(partial(iter, sorted(posts, key=group_and_number)), skip, f"20newsgroups-{subset}")


def load_sample_posts(subset: Subset = "train", *, remove: Skip = ()) -> Corpus:
    """Load a small corpus written for this project in the style of 20 Newsgroups: 20 groups with 13 posts each.

    ``remove`` is as in :func:`load_20newsgroups`. Raises :class:`DataError` if the posts are not installed.
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
    label_separator: str | None = None,
    skip: Skip = (),
) -> Corpus:
    """Load a CSV, TSV, text, JSON or Parquet file, or a folder of class folders.

    The suffix of a file determines its format; all but Parquet may also be packed (``.csv.gz``).
    A ``.json`` or ``.jsonl`` file contains one object per line, or one array of objects. A ``.txt`` file contains one
    text per line, or fastText's ``__label__class text``. In a folder, each subfolder is a class and each file a text.
    A file in UTF-16 or UTF-32 with a byte order mark is recognized. Quotes in a tab-separated file are characters,
    unless a field needs them (it contains a tab, a line end or a doubled quote) or all names in the header have them.

    - ``text``, ``label`` and ``id`` are names of columns. The default text is the column ``text``, else ``content``,
      ``body``, ``message``, or the only column of strings. The default label is ``label``, else ``category``,
      ``class`` or ``target``, else None. The default id is ``id``, else the number of the row from 1.
    - ``delimiter`` is the character between fields. ``header`` is whether the first row contains the column names.
      ``columns`` are the names for a file without a header, in order ("label,text"). If these are left out, another
      delimiter and a missing header are detected from the first rows if that is certain, with a warning.
    - ``max_row_length`` is the maximum length of a row in characters (default: 100 million). Reading stops at a
      longer row before it fills the memory.
    - ``label_separator`` separates the labels of a text in multi-label classification ("sports, politics" with
      ``","``). Each label is then a tuple, ``()`` for an empty field. Lists of labels in JSON and Parquet files are
      tuples without it.
    - ``skip`` fills ``Document.skip``.

    A missing label becomes None. Labels of CSV files stay strings. White space at the edges of labels is removed,
    with a warning. Iterating streams the file. Raises :class:`DataError`, with the file and row, for what cannot be
    read: immediately for the file, its columns and its first row, and during iteration for the other rows. Raises
    :class:`OptionError` for options that do not fit the file.
    """
    path = user_path(path)
    check_regular(path)
    layout = layout_of(delimiter, header, columns, max_row_length, label_separator)
    if not path.exists():
        raise DataError(f"file not found: {path}. Pass one of {FILE_TYPES}.")
    if path.is_dir():
        if text or label or id or label_separator or delimiter or columns or header is not None:
            raise OptionError(
                f"{path} is a folder and has no columns. Leave out text=, label=, id=, label_separator=, delimiter=, "
                "header= and columns=."
            )
        records: Callable[[], Iterable[Record]] = partial(
            read_folder, path, encoding=encoding, max_length=layout.max_row_length
        )
    else:
        records = partial(read_table, path, Columns(text, label, id), layout=layout, encoding=encoding)
    corpus = _corpus(records, make_skip(skip), readable_name(path.resolve().name))
    if next(iter(corpus), None) is None:
        raise DataError(f"{path} contains no texts. Pass one of {FILE_TYPES} with at least one text.")
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
    raise DataError(f"the sample posts are missing: found neither {installed} nor {checkout}. Reinstall textlrp.")
