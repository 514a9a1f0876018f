"""Explanations as a CSV table with one row per document, target and word; :mod:`textlrp.store.frame` has the columns.

Unlike :func:`textlrp.store.to_frame`, it needs no pandas, and a word of a model with character n-grams is one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textlrp.explanation import Explanation
from textlrp.files.kinds import csv_table
from textlrp.files.spreadsheet_cells import table_cell
from textlrp.store.exported_words import STATUS_NAMES, chosen_words, exported_words
from textlrp.text.surrogates import all_without_surrogates

CSV_COLUMNS = ("document", "token", "start", "end", "class", "relevance", "seen", "status", "word", "count")
WORDS_CSV_FILE = csv_table("a table of words with relevance", CSV_COLUMNS)


def words_csv_lines(explanation: Explanation, top_k: int | None, *, keep_formulas: bool = False) -> Iterator[str]:
    """Yield the rows of each target; with ``top_k`` only those of the most relevant words."""
    words = exported_words(explanation)
    document, *names = all_without_surrogates([explanation.document_id, *explanation.target_names])
    cell = partial(table_cell, keep_formulas=keep_formulas)
    # all cells but class and relevance are the same for every target
    before = [f"{cell(document)},{cell(words.text[start:end])},{start},{end}" for start, end in words.spans]
    after = [
        f"{status == 0},{STATUS_NAMES[status]},{cell(form)},{count}\n"
        for status, form, count in zip(
            words.status.tolist(), all_without_surrogates(words.forms), words.counts.tolist(), strict=True
        )
    ]
    for k, name in enumerate(map(cell, names)):
        relevance = words.relevance[k].astype(str)
        chosen = range(len(before)) if top_k is None else chosen_words(words.relevance[k], top_k).tolist()
        yield "".join(f"{before[w]},{name},{relevance[w]},{after[w]}" for w in chosen)
