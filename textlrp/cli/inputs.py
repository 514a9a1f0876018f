"""What the commands read, and what they say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from textlrp.cli.terminal import printable
from textlrp.errors import DataError, OptionError
from textlrp.records import Document
from textlrp.text.opening import MAX_ROW_LENGTH, known_encoding, read_text

if TYPE_CHECKING:
    from textlrp.cli.predictions import Prediction
    from textlrp.models.base import TextClassifier
    from textlrp.models.pipeline.pipeline_model import PipelineModel


class InputTexts:
    """The documents that a command reads: ``len`` of them, of the ``total`` of its input.

    Both are counted only when they are asked for.
    """

    def __init__(self, documents: Iterable[Document], count: Callable[[], int], total: int | None = None) -> None:
        self._documents, self._count, self._total = documents, count, total

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def __len__(self) -> int:
        return self._count()

    @property
    def left_out(self) -> str:
        """How many texts of the input were taken, where it has more."""
        if self._total is None or self._total <= len(self):
            return ""
        return f"{len(self):,} of the {self._total:,} texts, evenly spaced; --limit takes more"


def load_model(name: str, *, trust_pickle: bool = False) -> TextClassifier | PipelineModel:
    """The model of that name or path; scikit-learn is imported for its pipelines alone."""
    from textlrp.models.loading import load  # late: it brings torch

    return load(name, trust_pickle=trust_pickle)


def check_input(source: str | None, text: str | None) -> None:
    if source is not None and text is not None:
        raise OptionError(f"both INPUT ({source}) and --text came; give one of them.")
    if source is None and text is None:
        raise OptionError("no text came; give an INPUT, - for standard input, or --text TEXT.")


def names_in(values: Iterable[str]) -> list[str]:
    """The names in options that may be repeated or hold several, separated by commas: not those inside brackets."""
    names, depth = [""], 0
    for letter in ",".join(values):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            names.append("")
        else:
            names[-1] += letter
    return [name.strip() for name in names if name.strip()]


def layout_asked(
    delimiter: str | None, no_header: bool, columns: str | None, max_row_length: int | None
) -> dict[str, Any]:
    """Options of :func:`textlrp.load_corpus` for what a command line asks for."""
    header = False if no_header else None
    return {"delimiter": delimiter, "header": header, "columns": columns, "max_row_length": max_row_length}


def texts_of(
    source: str | None,
    text: str | None,
    *,
    column: str | None,
    label: str | None,
    id: str | None,
    encoding: str | None,
    layout: Mapping[str, Any],
    limit: int | None = None,
) -> InputTexts:
    if text is not None:
        return InputTexts([Document("text", text.removeprefix("\ufeff"))], lambda: 1)
    if source is None or source == "-":
        read = _standard_input(encoding or "utf-8", layout.get("max_row_length") or MAX_ROW_LENGTH)
        return InputTexts([Document("standard input", read)], lambda: 1)
    from textlrp.text.named_corpora import open_corpus, spread

    opened = open_corpus(source, "test", text=column, label=label, id=id, encoding=encoding, **layout)
    if limit is None:
        return InputTexts(opened, opened.__len__)
    total = len(opened)
    texts = InputTexts(spread(opened, limit), lambda: min(limit, total), total)
    if texts.left_out:
        say(f"taking {texts.left_out}")
    return texts


def _standard_input(encoding: str, limit: int) -> str:
    try:
        return read_text(sys.stdin.buffer, known_encoding(encoding), "standard input", limit)
    except UnicodeError:
        raise DataError(
            f"standard input is not {encoding.upper()}; pass the right encoding=, cp1252 or latin-1 for instance."
        ) from None


def with_outcomes(predictions: Iterable[Prediction], outcomes: Counter[bool | None]) -> Iterator[Prediction]:
    for prediction in predictions:
        outcomes[prediction.right] += 1
        yield prediction


def say_written(path: object, texts: InputTexts) -> None:
    """Say where the output is, and how many texts are in it where the input has more."""
    say(f"wrote {path}" + f" with {texts.left_out}" * bool(texts.left_out))


def say(line: str) -> None:
    print(printable(line), flush=True)
