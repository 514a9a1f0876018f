"""Explanations as a CSV table with one row per document, target and word; :mod:`textlrp.store.frame` has the columns.

Unlike :func:`textlrp.store.to_frame`, it needs no pandas, and a word of a model with character n-grams is one row.
"""

from __future__ import annotations

from collections.abc import Iterator

from textlrp.explanation import Explanation
from textlrp.files.kinds import csv_table
from textlrp.files.spreadsheet_cells import table_line
from textlrp.store.exported_words import STATUS_NAMES, chosen_words, exported_words
from textlrp.text.surrogates import all_without_surrogates

CSV_COLUMNS = ("document", "token", "start", "end", "class", "relevance", "seen", "status", "word", "count")
WORDS_CSV_FILE = csv_table("a table of words with relevance", CSV_COLUMNS)


def words_csv_lines(explanation: Explanation, top_k: int | None, *, keep_formulas: bool = False) -> Iterator[str]:
    """Yield the rows of an explanation, target by target; with ``top_k`` only those of the most relevant words."""
    words = exported_words(explanation)
    document, *names = all_without_surrogates([explanation.document_id, *explanation.target_names])
    forms = all_without_surrogates(words.forms)
    for k, name in enumerate(names):
        row = words.relevance[k]
        chosen = range(len(row)) if top_k is None else chosen_words(row, top_k).tolist()
        for w in chosen:
            start, end = words.spans[w]
            status = words.status[w]
            cells = (
                document, words.text[start:end], start, end, name, row[w], status == 0, STATUS_NAMES[status],
                forms[w], words.counts[w],
            )  # fmt: skip
            yield table_line(cells, keep_formulas=keep_formulas)
