"""A corpus (documents with labels), and the function of the public API that loads one from the user's files.

The readers of each file format are in :mod:`textlrp.text.formats`, and the corpora that come with textlrp or
scikit-learn in :mod:`textlrp.text.post_corpora`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import overload

from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import check_regular, readable_name, user_path
from textlrp.records import Document, Label, Labels, Ranges
from textlrp.text.formats import is_table, layout_of
from textlrp.text.readers import (
    BadRow,
    Record,
    read_files,
    read_folder,
    read_rows,
    read_table,
    readable_rows,
)
from textlrp.text.row_layout import FILE_TYPES, Columns
from textlrp.text.skip import Skip, make_skip


class Corpus:
    """Documents in a fixed order, with properties for training such as ``texts`` and ``labels``.

    Each iteration reads the documents from their source again, in constant memory if the source is a file. ``len``
    counts them in this way. The properties read all documents once and keep them in memory.
    """

    def __init__(
        self, source: Callable[[], Iterator[Document]], *, name: str, rejected: dict[int, str] | None = None
    ) -> None:
        self.name = name
        self._source = source
        self._rejected = {} if rejected is None else rejected
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

    @property
    def rejected(self) -> dict[int, str]:
        """The rows that were skipped so far (``skip_bad=True``): the number of each row from 1, and the reason."""
        return dict(sorted(self._rejected.items()))

    def __repr__(self) -> str:
        count = "not counted yet" if self._length is None else f"{self._length} documents"
        return f"<Corpus {self.name!r}: {count}>"


def load_corpus(
    path: str | Path,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
    label_separator: str | None = None,
    sheet: str | None = None,
    split: str | None = None,
    skip_bad: bool = False,
    needs_label: bool = False,
    skip: Skip = (),
) -> Corpus:
    """Load a CSV, TSV, text, JSON, Excel or Parquet file, a saved Hugging Face dataset, or a folder of class folders.

    The suffix of a file determines its format; all but Parquet and Excel may also be packed (``.csv.gz``).
    A ``.json`` or ``.jsonl`` file contains one object per line, one array, or one object that contains the rows. A
    ``.txt`` file contains one text per line, or fastText's ``__label__class text``. In a folder, each subfolder is a
    class and each file a text, unless it contains only Parquet files, which are parts of one table, or
    ``save_to_disk`` of Hugging Face's datasets wrote it.
    A file in UTF-16 or UTF-32 with a byte order mark is recognized. Quotes in a tab-separated file are characters,
    unless a field needs them (it contains a tab, a line end or a doubled quote) or all names in the header have them.

    - ``text``, ``label`` and ``id`` are names of columns; the case need not match if the name is unique. ``text`` may
      name several columns ("title,body"), whose texts are joined by a blank line. The default text is the column
      ``text``, else ``content``, ``body``, ``message``, another common name such as ``review``, or the only column of
      strings. The default label is ``label``, else ``category``, ``class``, ``target``, another common name such as
      ``sentiment``, else None. The default id is ``id``, else the number of the row from 1.
    - ``delimiter`` is the character between fields. ``header`` is whether the first row contains the column names.
      ``columns`` are the names for a file without a header, in order ("label,text"). If these are left out, another
      delimiter and a missing header are detected from the first rows if that is certain, with a warning.
    - ``max_row_length`` is the maximum length of a row in characters (default: 100 million). Reading stops at a
      longer row before it fills the memory.
    - ``label_separator`` separates the labels of a text in multi-label classification ("sports, politics" with
      ``","``). Each label is then a tuple, ``()`` for an empty field. Lists of labels in JSON and Parquet files are
      tuples without it.
    - ``sheet`` is the sheet of a workbook (default: the first that is not empty), and ``split`` the part of a dataset
      with several.
    - ``skip_bad`` skips rows that cannot be read or have no text, and lists them in ``Corpus.rejected``. With
      ``needs_label``, rows without a label are skipped too.
    - ``skip`` fills ``Document.skip``.

    A missing label becomes None. Labels of CSV files stay strings. White space at the edges of labels is removed,
    with a warning. Iterating streams the file. Raises :class:`DataError`, with the file and row, for what cannot be
    read: immediately for the file, its columns and its first row, and during iteration for the other rows. Raises
    :class:`OptionError` for options that do not fit the file.
    """
    path = user_path(path)
    check_regular(path)
    layout = layout_of(delimiter, header, columns, max_row_length, label_separator, sheet=sheet, split=split)
    if not path.exists():
        raise DataError(f"file not found: {path}. Pass one of {FILE_TYPES}.")
    if not is_table(path):
        if text or label or id or label_separator or delimiter or columns or header is not None:
            raise OptionError(
                f"{path} is a folder and has no columns. Leave out text=, label=, id=, label_separator=, delimiter=, "
                "header= and columns=."
            )
        strict: Callable[[], Iterable[Record]] = partial(
            read_folder, path, encoding=encoding, max_length=layout.max_row_length
        )
        lenient: RowSource = partial(read_files, path, encoding=encoding, max_length=layout.max_row_length)
    else:
        names = Columns(text if text is None or isinstance(text, str) else tuple(text), label, id)
        strict = partial(read_table, path, names, layout=layout, encoding=encoding)
        lenient = partial(read_rows, path, names, layout=layout, encoding=encoding)
    rejected: dict[int, str] = {}
    records: Callable[[], Iterable[Record]] = strict
    if skip_bad:
        records = partial(_skipping, lenient, rejected, needs_label)
    corpus = corpus_of(records, make_skip(skip), readable_name(path.resolve().name), rejected)
    if next(iter(corpus), None) is None:
        if rejected:
            first = next(iter(rejected.values()))
            raise DataError(f"{path}: none of its {len(rejected):,} rows could be read; the first: {first}")
        raise DataError(f"{path} contains no texts. Pass one of {FILE_TYPES} with at least one text.")
    return corpus


RowSource = Callable[[], Iterable[Record | BadRow]]
"""Reads the rows of a source from the beginning."""


def _skipping(rows: RowSource, rejected: dict[int, str], needs_label: bool) -> Iterator[Record]:
    return readable_rows(rows(), rejected, needs_label=needs_label)


def corpus_of(
    records: Callable[[], Iterable[Record]],
    skip: Callable[[str], Ranges],
    name: str,
    rejected: dict[int, str] | None = None,
) -> Corpus:
    """Return the corpus of some records, with the ranges that ``skip`` finds in each text."""
    return Corpus(partial(_documents_of_records, records, skip), name=name, rejected=rejected)


def _documents_of_records(
    records: Callable[[], Iterable[Record]], skip: Callable[[str], Ranges]
) -> Iterator[Document]:
    for id, text, label in records():
        yield Document(id, text, label, skip(text))
