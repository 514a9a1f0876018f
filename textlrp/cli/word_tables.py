"""The work of ``textlrp words``: the most relevant words of each class of a corpus, as tables and files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from textlrp.class_words import ClassWord, ClassWords, class_words
from textlrp.errors import DataError
from textlrp.explainers.named import explain_corpus
from textlrp.files.kinds import csv_table, json_lines
from textlrp.files.spreadsheet_cells import table_line
from textlrp.files.written_file import atomic_file, check_output
from textlrp.lrp.starts import Start
from textlrp.models.classifier import Classifier
from textlrp.records import Document, Listing
from textlrp.reports.marks import UNSEEN, UNSEEN_NOTE
from textlrp.reports.numbers import decimals, number
from textlrp.text.surrogates import all_without_surrogates

WORD_COLUMNS = ("class", "kind", "rank", "word", "relevance", "documents", "in_training", "examples")
WORD_FILES = {
    ".jsonl": json_lines("a file of words", WORD_COLUMNS),
    ".csv": csv_table("a table of words", WORD_COLUMNS),
}


def words_of_classes(
    model: Classifier,
    documents: Iterable[Document],
    *,
    targets: Sequence[str] = (),
    rule: str | None = None,
    start: Start | None = None,
    method: str = "lrp",
    phrases: int = 0,
    top: int = 20,
) -> list[ClassWords]:
    """Explain a corpus and return the :func:`class_words`; ``targets`` are names, as in :func:`explain_corpus`.

    Without ``targets``, each document counts for its predicted class. ``phrases`` is the number of winning windows of
    each document to count, for a CNN with max pooling. Raises :class:`DataError` if there are no documents, and as
    :func:`explain_corpus` does.
    """
    explanations = explain_corpus(
        model, documents, targets=targets, rule=rule, start=start, method=method, phrases=phrases
    )
    found = class_words(explanations, top=top)
    if not found:
        raise DataError("the input has no texts, so there are no words to list. Pass at least one text.")
    return found


def word_listings(found: Iterable[ClassWords]) -> Iterator[Listing]:
    """A table of words for each class, and a table of its phrases if it has any."""
    for each in found:
        documents = f"{each.documents:,} document{'s' * (each.documents != 1)} explained for this class"
        yield _listing(f"{each.label}: {documents}", "word", each.words)
        if each.phrases:
            yield _listing(f"{each.label}: phrases (n-grams)", "phrase", each.phrases)


def write_words(
    found: Iterable[ClassWords], path: str | Path, *, keep_formulas: bool = False, force: bool = False
) -> Path:
    """Write words to a ``.jsonl`` or ``.csv`` file, one word or phrase per line; raises :class:`DataError`.

    ``in_training`` is empty if it is unknown. The examples in a CSV file are separated by spaces. Cells of
    a CSV file that a spreadsheet program would run get a leading apostrophe, unless ``keep_formulas``.
    """
    suffix = check_output(path, WORD_FILES, force=force)
    with (
        atomic_file(path, WORD_FILES[suffix], force=force) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        if suffix == ".csv":
            file.write(table_line(WORD_COLUMNS))
            for row in _word_rows(found):
                file.write(table_line([*row[:-1], " ".join(row[-1])], keep_formulas=keep_formulas))
        else:
            for row in _word_rows(found):
                file.write(json.dumps(dict(zip(WORD_COLUMNS, row, strict=True)), ensure_ascii=False) + "\n")
    return Path(path)


def _word_rows(found: Iterable[ClassWords]) -> Iterator[list[Any]]:
    for each in found:
        for kind, words in (("word", each.words), ("phrase", each.phrases)):
            for rank, word in enumerate(words, start=1):
                row = (
                    each.label, kind, rank, word.word, word.relevance, word.documents, word.in_training, word.examples
                )  # fmt: skip
                yield all_without_surrogates(row)


def _listing(title: str, kind: str, words: Sequence[ClassWord]) -> Listing:
    digits = decimals(max((abs(word.relevance) for word in words), default=0.0))
    known = any(word.in_training is not None for word in words)
    rows = tuple(
        (
            word.word + f" {UNSEEN}" * (word.in_training == 0),
            number(word.relevance, digits, signed=True),
            f"{word.documents:,}",
            *(("?" if word.in_training is None else f"{word.in_training:,}",) if known else ()),
            ", ".join(word.examples),
        )
        for word in words
    )
    unseen = any(word.in_training == 0 for word in words)
    note = UNSEEN_NOTE * unseen
    if not words:
        note = "No word has relevance for this class."
    headings = (kind, "relevance", "documents", *(("training documents",) if known else ()), "examples")
    return Listing(title, note, headings, rows)
