"""The input of a command (texts, models, options given as text), and its lines of output.

Open it to change how a command reads ``INPUT`` or ``--text``, or how progress lines are printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from textlrp.cli.terminal import printable
from textlrp.errors import DataError, OptionError
from textlrp.records import UNNAMED, Document
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

    def __init__(self, documents: Iterable[Document], count: Callable[[], int], total: int | None = None) -> None:
        self._documents, self._count, self._total = documents, count, total

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
) -> FileOptions:
    """Collect the options about the format of files."""
    header = False if no_header else None
    return FileOptions(column, label, id, encoding, delimiter, header, columns, max_row_length, label_separator)


def open_texts(source: str | None, text: str | None, files: FileOptions, *, limit: int | None = None) -> InputTexts:
    """Open the texts that a command reads: ``text`` itself, standard input, or those of ``source``."""
    if text is not None:
        return InputTexts([Document(UNNAMED, text.removeprefix("\ufeff"))], lambda: 1)
    if source is None or source == "-":
        read = _standard_input(files.encoding or "utf-8", files.max_row_length or MAX_ROW_LENGTH)
        return InputTexts([Document("standard input", read)], lambda: 1)
    opened = open_corpus(source, "test", files)
    if limit is None:
        return InputTexts(opened, opened.__len__)
    total = len(opened)
    texts = InputTexts(spread(opened, limit), lambda: min(limit, total), total)
    if texts.limit_note:
        print_line(f"using {texts.limit_note}")
    return texts


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
