"""The input of a command (texts, models, options given as text), and its lines of output.

Open it to change how a command reads ``INPUT`` or ``--text``, or how progress lines are printed.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textlrp.cli.terminal import printable
from textlrp.errors import DataError, OptionError
from textlrp.files.input_paths import user_path
from textlrp.files.rejected_rows import REJECTED_ROWS, rejected_sentence, write_rejected
from textlrp.files.written_file import check_file
from textlrp.records import UNNAMED, Document
from textlrp.text.corpora import Corpus
from textlrp.text.named_corpora import FileOptions, open_corpus, spread
from textlrp.text.opening import MAX_ROW_LENGTH, known_encoding, read_text

if TYPE_CHECKING:
    from textlrp.cli.predictions import Prediction
    from textlrp.models.base import TextClassifier
    from textlrp.models.pipeline.pipeline_model import PipelineModel


class InputTexts:
    """The documents that a command reads: ``len`` of them, out of ``total`` in its input.

    Both numbers are computed on first use, because counting the rows of a large file takes time.
    """

    def __init__(
        self,
        documents: Iterable[Document],
        count: Callable[[], int],
        total: int | None = None,
        list_rejected: Callable[[], None] | None = None,
    ) -> None:
        self._documents, self._count, self._total, self._list_rejected = documents, count, total, list_rejected

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def __len__(self) -> int:
        return self._count()

    @property
    def limit_note(self) -> str:
        """How many texts of the input are used; empty if all are."""
        if self._total is None or self._total <= len(self):
            return ""
        return f"{len(self):,} of {self._total:,} texts, evenly spaced (raise --limit for more)"

    def list_rejected(self) -> None:
        """List the rows that ``--skip-bad`` skipped in a file. Call it after the last text."""
        if self._list_rejected is not None:
            self._list_rejected()


def load_model(name: str, *, trust_pickle: bool = False) -> TextClassifier | PipelineModel:
    """Load a model by name or path. scikit-learn is imported only for a pipeline."""
    from textlrp.models.loading import load_classifier  # late: it imports torch

    return load_classifier(name, trust_pickle=trust_pickle)


def check_input(source: str | None, text: str | None) -> None:
    """Raise :class:`OptionError` unless exactly one of INPUT and ``--text`` is given."""
    if source is not None and text is not None:
        raise OptionError(f"INPUT and --text must not be given together; got INPUT {source!r}. Remove one of them.")
    if source is None and text is None:
        raise OptionError("there is no text to read. Pass an INPUT, '-' for standard input, or --text TEXT.")


def split_names(values: Iterable[str]) -> list[str]:
    """Split the values of an option at commas, except at commas inside brackets."""
    names, depth = [""], 0
    for letter in ",".join(values):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            names.append("")
        else:
            names[-1] += letter
    return [name.strip() for name in names if name.strip()]


def file_options(
    column: str | None,
    label: str | None,
    id: str | None,
    encoding: str | None,
    delimiter: str | None,
    no_header: bool,
    columns: str | None,
    max_row_length: int | None,
    label_separator: str | None = None,
    *,
    sheet: str | None = None,
    split: str | None = None,
    skip_bad: bool = False,
    needs_label: bool = False,
) -> FileOptions:
    """Collect the options about the format of files."""
    header = False if no_header else None
    return FileOptions(
        column, label, id, encoding, delimiter, header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad, needs_label=needs_label,
    )  # fmt: skip


def open_texts(
    source: str | None,
    text: str | None,
    files: FileOptions,
    *,
    limit: int | None = None,
    output: str | Path | None = None,
    force: bool = False,
) -> InputTexts:
    """Open the texts that a command reads: ``text`` itself, standard input, or those of ``source``.

    Rows that ``--skip-bad`` skips are listed next to ``output``, or in the current folder without one; ``force``
    moves another file in the place of the list to a backup name.
    """
    if text is not None:
        return InputTexts([Document(UNNAMED, text.removeprefix("\ufeff"))], lambda: 1)
    if source is None or source == "-":
        read = _standard_input(files.encoding or "utf-8", files.max_row_length or MAX_ROW_LENGTH)
        return InputTexts([Document("standard input", read)], lambda: 1)
    listed = rejected_path(source, output, force=force) if files.skip_bad else None
    opened = open_corpus(source, "test", files)
    finish = None if listed is None else partial(list_rejected_rows, opened, listed, force=force)
    if files.needs_label:
        _check_labels(opened)
    if limit is None:
        return InputTexts(_checked(opened, files.label_separator), opened.__len__, list_rejected=finish)
    total = len(opened)
    chosen = _checked(spread(opened, limit), files.label_separator)
    texts = InputTexts(chosen, lambda: min(limit, total), total, finish)
    if texts.limit_note:
        print_line(f"using {texts.limit_note}")
    return texts


def _check_labels(corpus: Corpus) -> None:
    """Raise :class:`DataError` if no document has a label. It reads the documents before the first that has one."""
    if all(document.label is None for document in corpus):
        raise DataError(f"{corpus.name} has no labels. Pass the name of their column as label=.")


def _checked(documents: Iterable[Document], separator: str | None) -> Iterable[Document]:
    return documents if separator is None else _SeparatedLabels(documents, separator)


@dataclass(frozen=True, slots=True)
class _SeparatedLabels:
    """Documents whose labels were separated; after the last one, a warning if none of them has several labels."""

    documents: Iterable[Document]
    separator: str

    def __iter__(self) -> Iterator[Document]:
        labeled, several = 0, False
        for document in self.documents:
            labeled += document.label is not None
            several |= isinstance(document.label, tuple) and len(document.label) > 1
            yield document
        if labeled and not several:
            warnings.warn(
                f"label_separator={self.separator!r} occurs in none of the {labeled:,} labels. Pass the right one, "
                "or leave it out for one label per text.",
                UserWarning,
                stacklevel=2,
            )


def rejected_path(source: str, output: str | Path | None, *, force: bool = False) -> Path:
    """Return the path of the file that lists skipped rows; raises :class:`DataError` if it must not be written."""
    folder = Path() if output is None or str(output) == "-" else Path(output).parent
    place = user_path(source).resolve()
    return check_file(folder / f"{place.name}.rejected.jsonl", REJECTED_ROWS, inputs=[place], force=force)


def list_rejected_rows(corpus: Corpus, path: Path, *, force: bool = False) -> None:
    """Write the rows of a corpus that were skipped, if any, and report it on standard error."""
    if rows := corpus.rejected:
        write_rejected(path, rows.items(), force=force)
        shown = os.path.relpath(path)
        print(printable(rejected_sentence(len(rows), shown, next(iter(rows.values())))), file=sys.stderr)


def _standard_input(encoding: str, limit: int) -> str:
    try:
        return read_text(sys.stdin.buffer, known_encoding(encoding), "standard input", limit)
    except UnicodeError:
        raise DataError(
            f"standard input is not {encoding.upper()}. Pass its encoding, such as encoding='cp1252' or "
            "encoding='latin-1'."
        ) from None


def count_outcomes(predictions: Iterable[Prediction], outcomes: Counter[bool | None]) -> Iterator[Prediction]:
    """Pass predictions through and count how many are correct (True), incorrect (False) or unlabeled (None)."""
    for prediction in predictions:
        outcomes[prediction.correct] += 1
        yield prediction


def print_written(path: object, texts: InputTexts) -> None:
    """Print where the output is, and how many texts it contains if the input has more."""
    print_line(f"wrote {path}" + (f": {texts.limit_note}" if texts.limit_note else ""))


def print_line(line: str) -> None:
    """Print one line of progress or result, safe for the terminal, and flush it."""
    print(printable(line), flush=True)
