"""Explain a stream of texts one block at a time, and skip texts that cannot be explained if the user wants that.

Blocks have a fixed size and are cut by position in the input. So local, resumed and distributed runs see the same
batches and agree byte for byte.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from textlrp.errors import DataError, ModelError, TextlrpError
from textlrp.explainers.batch_relevance import ExplainSettings
from textlrp.explainers.blocks import explain_block
from textlrp.explanation import Explanation
from textlrp.models.classifier import Classifier
from textlrp.models.options import check_text
from textlrp.records import Document

BLOCK = 64
"""Number of documents in a block. It is fixed, so that results do not depend on the caller."""


def explain_stream(
    model: Classifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    settings: ExplainSettings,
) -> Iterator[Explanation]:
    documents = (as_document(text, row) for row, text in enumerate(texts))
    remaining_targets = None if targets is None else iter(targets)
    while block := list(islice(documents, BLOCK)):
        of_block = None if remaining_targets is None else islice(remaining_targets, len(block))
        yield from explain_block(model, block, target, of_block, settings)


def explain_or_skip(
    model: Classifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    settings: ExplainSettings,
) -> Iterator[Explanation]:
    """Explain as :func:`explain_stream` does, but skip texts that cannot be explained, with a warning."""
    rows = enumerate(texts)
    remaining_targets = None if targets is None else iter(targets)
    first_error: TextlrpError | None = None
    count = 0
    while block := list(islice(rows, BLOCK)):
        of_block = None if remaining_targets is None else list(islice(remaining_targets, len(block)))
        try:
            found = list(
                explain_block(model, [as_document(text, row) for row, text in block], target, of_block, settings)
            )
        except (DataError, ModelError):  # at least one text cannot be explained: try them one by one
            found = []
            for n, (row, text) in enumerate(block):
                single = None if of_block is None else of_block[n : n + 1]
                try:
                    found += explain_block(model, [as_document(text, row)], target, single, settings)
                except (DataError, ModelError) as problem:
                    first_error = first_error or problem
                    warnings.warn(f"text {_name(text, row)!r} was skipped: {problem}", UserWarning, stacklevel=2)
        count += len(found)
        yield from found
    if first_error is not None and not count:
        raise first_error


def _name(text: Any, row: int) -> str:
    return text.id if isinstance(text, Document) else str(row + 1)


def as_document(text: Any, row: int) -> Document:
    """Convert a plain string to a Document named by its position, counted from 1."""
    checked = check_text(text, row)
    return checked if isinstance(checked, Document) else Document(str(row + 1), checked)
