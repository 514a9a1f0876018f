"""Write explanations for annotation tools and other programs, one at a time: :func:`write_annotations`.

Open this module to add a format: one line of :data:`ANNOTATION_FORMATS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from textlrp.errors import DataError, OptionError, closest, must_be
from textlrp.explanation import Explanation
from textlrp.files.kinds import json_lines, json_list
from textlrp.files.spreadsheet_cells import table_line
from textlrp.files.written_file import FileKind, atomic_file, check_file
from textlrp.store.annotation_records import (
    DOCCANO_FIELDS,
    argilla_record,
    doccano_row,
    label_studio_task,
    prodigy_task,
)
from textlrp.store.conll_blocks import COLUMNS_LINE, CONLL_FILE, conll_blocks
from textlrp.store.exported_words import MARKED_WORDS
from textlrp.store.labeling_config import LABELING_CONFIG, config_path, with_config
from textlrp.store.stored_checks import checked_float32
from textlrp.store.words_csv import CSV_COLUMNS, WORDS_CSV_FILE, words_csv_lines


class AnnotationFormat(NamedTuple):
    """A format for other programs: the suffix and kind of its files, and the pieces of text that a file consists of.

    ``pieces(explanation, top_k, keep_formulas)`` yields the text of one explanation. A file is ``head``, the pieces
    with ``between`` between them, and ``tail``. ``top_k`` is the default number of words on each side; None marks
    all words.
    """

    suffix: str
    kind: FileKind
    pieces: Callable[[Explanation, int | None, bool], Iterable[str]]
    top_k: int | None = MARKED_WORDS
    head: str = ""
    between: str = ""
    tail: str = ""


RecordOf = Callable[[Explanation, int], dict[str, Any]]


def _json_pieces(record: RecordOf, end: str, explanation: Explanation, top_k: int | None, _: bool) -> Iterator[str]:
    count = MARKED_WORDS if top_k is None else top_k
    yield json.dumps(record(explanation, count), ensure_ascii=False, separators=(",", ":")) + end


def _line_format(record: RecordOf, kind: FileKind) -> AnnotationFormat:
    return AnnotationFormat(".jsonl", kind, partial(_json_pieces, record, "\n"))


def _list_format(record: RecordOf, kind: FileKind) -> AnnotationFormat:
    pieces = partial(_json_pieces, record, "")
    return AnnotationFormat(".json", kind, pieces, head="[\n", between=",\n", tail="\n]\n")


_TASK_FIELDS = ("text", "tokens", "spans", "options", "accept", "meta", "label")

ANNOTATION_FORMATS: Mapping[str, AnnotationFormat] = MappingProxyType(
    {
        "label-studio": _list_format(label_studio_task, json_list("a file of tasks", ("data", "predictions"))),
        "prodigy": _line_format(prodigy_task, json_lines("a file of tasks", _TASK_FIELDS, added=("label",))),
        "doccano": _line_format(doccano_row, json_lines("a file of labeled texts", DOCCANO_FIELDS)),
        "argilla": _list_format(
            argilla_record, json_list("a file of records", ("id", "fields", "metadata", "suggestions"))
        ),
        "conll": AnnotationFormat(
            ".conllup", CONLL_FILE, lambda why, top_k, keep: conll_blocks(why), top_k=None, head=COLUMNS_LINE
        ),
        "words-csv": AnnotationFormat(
            ".csv",
            WORDS_CSV_FILE,
            lambda why, top_k, keep: words_csv_lines(why, top_k, keep_formulas=keep),
            top_k=None,
            head=table_line(CSV_COLUMNS),
        ),
    }
)
"""Name of the format -> the format."""


def write_annotations(
    explanations: Explanation | Iterable[Explanation],
    path: str | Path,
    *,
    format: str,
    top_k: int | None = None,
    keep_formulas: bool = False,
    force: bool = False,
) -> Path:
    """Write explanations for an annotation tool or another program, one explanation at a time.

    | ``format`` | suffix of ``path`` | contents |
    |---|---|---|
    | ``"label-studio"`` | ``.json`` | tasks with predictions, and a labeling configuration with the suffix ``.xml`` |
    | ``"prodigy"`` | ``.jsonl`` | tasks with tokens, spans and options |
    | ``"doccano"`` | ``.jsonl`` | texts with labeled spans |
    | ``"argilla"`` | ``.json`` | records with suggestions |
    | ``"conll"`` | ``.conllup`` | CoNLL-U Plus: one word a line with its relevance, in sentences |
    | ``"words-csv"`` | ``.csv`` | one row per document, target and word |

    The first four mark the ``top_k`` words (default: 10) with the largest and the smallest relevance of each target,
    as "supports CLASS" and "opposes CLASS". Each occurrence of a word counts. Words without relevance are not marked.
    ``"words-csv"`` contains all words, or with ``top_k`` only these. ``"conll"`` always contains all words.

    In a ``.csv`` file, texts that a spreadsheet program would run as a formula get a leading apostrophe, unless
    ``keep_formulas``. An existing file of the same format is replaced. Any other existing file is refused, or with
    ``force=True`` moved to a backup name.

    Raises :class:`OptionError` for an unknown format and for options that do not fit it, and :class:`DataError` for
    another suffix, for an existing file of another kind, and for numbers that are not finite in float32. Returns
    ``path``.
    """
    check_annotations(path, format, top_k=top_k, keep_formulas=keep_formulas, force=force)
    chosen = known_format(format)
    number = chosen.top_k if top_k is None else top_k
    checked = checked_float32(explanations)
    with ExitStack() as stack:
        target = stack.enter_context(atomic_file(path, chosen.kind, force=force))
        if format == "label-studio":
            config = stack.enter_context(atomic_file(config_path(path), LABELING_CONFIG, force=force))
            checked = stack.enter_context(with_config(checked, config))
        texts = chain.from_iterable(chosen.pieces(each, number, keep_formulas) for each in checked)
        with target.open("w", encoding="utf-8", newline="") as file:
            file.write(chosen.head)
            for position, text in enumerate(texts):
                file.write(chosen.between * (position > 0) + text)
            file.write(chosen.tail)
    return Path(path)


def known_format(name: str) -> AnnotationFormat:
    """Return a format by name; raises :class:`OptionError` for an unknown one."""
    if name not in ANNOTATION_FORMATS:
        hint = f"Pass format='label-studio', for example.{closest(name, ANNOTATION_FORMATS)}"
        raise OptionError(must_be("format", f"one of {', '.join(ANNOTATION_FORMATS)}", name, hint))
    return ANNOTATION_FORMATS[name]


def check_annotations(
    path: str | Path,
    format: str,
    *,
    top_k: int | None = None,
    keep_formulas: bool = False,
    inputs: Iterable[str | Path] = (),
    force: bool = False,
) -> None:
    """Check the options and the output of :func:`write_annotations`, and raise its errors."""
    chosen = known_format(format)
    if top_k is not None and top_k < 1:
        raise OptionError(must_be("top_k", "at least 1", top_k, f"Pass top_k={MARKED_WORDS}."))
    if top_k is not None and format == "conll":
        raise OptionError("top_k must not be used with format='conll', which has all words. Leave it out.")
    if keep_formulas and chosen.suffix != ".csv":
        raise OptionError("keep_formulas must be used with format='words-csv' only. Leave it out.")
    if Path(path).suffix.lower() != chosen.suffix:
        raise DataError(
            f"the output must be a {chosen.suffix} file for format={format!r}; got {str(path)!r}. Change its suffix."
        )
    check_file(path, chosen.kind, inputs=inputs, force=force)
    if format == "label-studio":
        check_file(config_path(path), LABELING_CONFIG, inputs=inputs, force=force)
