r"""Explanations as CoNLL-U Plus: one word a line with its relevance, one block per sentence.

The first line of the file names the columns, as CoNLL-U Plus requires; columns that CoNLL-U does not have begin with
``TEXTLRP:``. ``TEXTLRP:RELEVANCE`` has one value per target, separated by ``|``, in the order of the comment
``# targets``. MISC contains the text after a word if it is not one blank: ``SpaceAfter=No`` for none,
``SpacesAfter`` for white space, and ``TextAfter`` for anything else; ``SpacesBefore`` and ``TextBefore`` contain the
text before the first word.
A blank is written ``\s``, a tab ``\t``, a line break ``\n`` or ``\r``, a vertical bar ``\p``, and a backslash ``\\``.

Source: https://universaldependencies.org/ext-format.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from textlrp.explanation import Explanation
from textlrp.files.kinds import first_line
from textlrp.files.written_file import FileKind
from textlrp.store.exported_words import STATUS_NAMES, ExportedWords, exported_words
from textlrp.text.sentences import sentence_spans
from textlrp.text.surrogates import all_without_surrogates, without_surrogates

COLUMNS_LINE = "# global.columns = ID FORM TEXTLRP:START TEXTLRP:END TEXTLRP:STATUS TEXTLRP:RELEVANCE MISC\n"

_ESCAPES = {" ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r", "|": r"\p", "\\": r"\\"}
_ANY_BLANK = re.compile(r"\s+")
_IN_MISC = re.compile(r"[ \t\n\r|\\]")
_IN_LINE = re.compile(r"[\t\n\r]|\A\s|\s\Z")


def _is_conll(path: Path) -> bool:
    return first_line(path) == COLUMNS_LINE


CONLL_FILE = FileKind("a CoNLL-U Plus file", _is_conll)


def conll_blocks(explanation: Explanation) -> Iterator[str]:
    """Yield the block of each sentence that has words, with its comments and a blank line at the end."""
    e, words = explanation, exported_words(explanation)
    document = _one_line(without_surrogates(e.document_id))
    relevance = ["|".join(values) or "_" for values in words.relevance.T.astype(str).tolist()]
    targets, predicted = (_json_list(names) for names in (e.target_names, e.predicted_labels))
    comments = [f"# newdoc id = {document}", f"# predicted = {predicted}"]
    for number, (first, last) in enumerate(_sentence_words(words), start=1):
        lines = [_word_line(words, w, w - first + 1, relevance[w]) for w in range(first, last)]
        sentence = [
            f"# sent_id = {_ANY_BLANK.sub('_', document)}-{number}",
            f"# text = {_joined_forms(words, first, last)}",
        ]
        yield "\n".join([*comments, *sentence, f"# targets = {targets}", *lines]) + "\n\n"
        comments = []


def _sentence_words(words: ExportedWords) -> list[tuple[int, int]]:
    """Return the first and last word (exclusive) of each sentence with words; the sentences cover all words."""
    starts = np.array([start for start, _ in words.spans], dtype=np.int64)
    cuts = np.searchsorted(starts, sentence_spans(words.text)[1:, 0])
    bounds = [0, *np.unique(cuts).tolist(), len(starts)]
    return [(first, last) for first, last in pairwise(bounds) if first < last]


def _word_line(words: ExportedWords, w: int, number: int, relevance: str) -> str:
    start, end = words.spans[w]
    status = STATUS_NAMES[words.status[w]].replace(" ", "_")
    fields = (number, _one_line(words.text[start:end]), start, end, status, relevance, _misc(words, w))
    return "\t".join(map(str, fields))


def _one_line(text: str) -> str:
    """Escape tabs, line breaks, and white space at both ends."""
    return _IN_LINE.sub(lambda found: _ESCAPES.get(found[0], r"\s"), text)


def _misc(words: ExportedWords, w: int) -> str:
    before, after = words.text[: words.spans[0][0]] if w == 0 else "", _gap_after(words, w)
    found = []
    if before:
        found.append(f"{'TextBefore' if before.strip() else 'SpacesBefore'}={_escaped(before)}")
    if not after:
        found.append("SpaceAfter=No")
    elif after != " ":
        found.append(f"{'TextAfter' if after.strip() else 'SpacesAfter'}={_escaped(after)}")
    return "|".join(found) or "_"


def _gap_after(words: ExportedWords, w: int) -> str:
    following = words.spans[w + 1][0] if w + 1 < len(words.spans) else len(words.text)
    return words.text[words.spans[w][1] : following]


def _escaped(text: str) -> str:
    return _IN_MISC.sub(lambda found: _ESCAPES[found[0]], text)


def _joined_forms(words: ExportedWords, first: int, last: int) -> str:
    """Return the forms of a sentence, with a blank wherever text follows a word; without a final blank."""
    pieces = []
    for w in range(first, last):
        start, end = words.spans[w]
        pieces += [_one_line(words.text[start:end]), " " if w + 1 < last and _gap_after(words, w) else ""]
    return "".join(pieces)


def _json_list(names: tuple[str, ...]) -> str:
    return json.dumps(all_without_surrogates(names), ensure_ascii=False)
