"""From an Arrow batch of texts to an Arrow batch of explanations: the one function that every engine maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from textlrp.errors import DataError, OptionError
from textlrp.explainers.batch_relevance import DocumentRelevance
from textlrp.explainers.blocks import relevance_in_batches
from textlrp.explainers.explain import BLOCK, explain_settings
from textlrp.explainers.methods import Method
from textlrp.explainers.notes import note_of_table
from textlrp.explainers.targets import resolve_targets
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels.projections import Kept
from textlrp.lrp.kernels.threads import one_thread
from textlrp.lrp.shares import Rule
from textlrp.lrp.starts import Start, started
from textlrp.machine import KEPT_BYTES
from textlrp.models.adapt import check_wrapped
from textlrp.models.classifier import Classifier
from textlrp.models.loading import load_classifier
from textlrp.models.options import is_whole
from textlrp.models.tapes import kept_projections, tracer
from textlrp.records import Document
from textlrp.store.columns import About, Precision, TableRow, to_table
from textlrp.text.batches import Batch
from textlrp.version import __version__


class BatchExplainer:
    """A function from Arrow tables of texts to Arrow tables of explanations, for any engine that maps batches.

    ``model``: a fitted classifier, the path of a saved one, or a bundled name; by name it is loaded where the
    function runs. ``target``, ``rule``, ``start``, ``method`` and ``device`` as in :func:`textlrp.explain`.
    ``top_k``: keep only the words that are among so many of largest absolute relevance for some target.
    ``precision``: "float16" (relevance scaled per document, error at most 0.001 of its largest) or "float32" (exact).
    ``memory``: bytes that the projections of frequent words may take.

    A batch has the column ``text`` and may have ``document_id``, ``label`` and ``row`` (places in the whole input);
    the result has the columns of :mod:`textlrp.store`. Documents are explained in blocks of 64, so batches of
    a multiple of that, cut at the same places, give the same bytes whoever maps them. One thread computes.
    """

    def __init__(
        self,
        model: Classifier | str,
        *,
        target: Any = None,
        rule: str | Rule | Composite | None = None,
        start: Start | None = None,
        method: str | Method = "lrp",
        top_k: int | None = None,
        precision: Precision = "float16",
        device: str = "cpu",
        memory: int = KEPT_BYTES,
        kept: Kept | None = None,
    ) -> None:
        if top_k is not None and not (is_whole(top_k) and top_k >= 1):
            raise OptionError(f"top_k={top_k!r} came; the number of words to keep, or None for all, is wanted.")
        self._model = load_classifier(model) if isinstance(model, str) else model
        check_wrapped(self._model)
        self._target = target
        settings = explain_settings(self._model, rule, method, device=device, start=start)
        classes = self._model.classes_
        resolve_targets(target, classes, np.zeros((0, len(classes))))  # refuses a wrong target at once
        if settings.method is None and device == "cpu":
            settings = settings._replace(
                trace=tracer(self._model, kept=kept or kept_projections(self._model, memory))
            )
        self._how = settings
        names = tuple(str(name) for name in classes)
        begun, notes = self._start()
        self.about = About(
            names, settings.name, settings.printed, settings.fingerprint, __version__, precision, top_k, begun, notes
        )
        self.about.schema()  # refuses a wrong precision at once

    def _start(self) -> tuple[str, tuple[str, ...]]:
        """What propagation starts from, which is the same for every text, and how its relevance is to be read."""
        if self._how.method is not None:
            return "score", ()
        empty = self._model.encode([Document("", "")])
        begun = started(self._model.trace(empty), self._how.composite, self._how.start)
        notes = (*begun.remarks, note_of_table(begun.start)) if begun.fixed_sign else begun.remarks
        return begun.start, notes

    def __call__(self, batch: pa.Table | pa.RecordBatch) -> pa.Table:
        """Explain the documents of a batch; raises :class:`DataError` where a text is none."""
        return pa.concat_tables([to_table([], self.about), *self.tables(batch)])

    def tables(self, batch: pa.Table | pa.RecordBatch) -> Iterator[pa.Table]:
        """The same, block after block."""
        documents = list(_documents_of_batch(batch))
        places = batch["row"].to_pylist() if "row" in batch.schema.names else range(len(documents))
        for begin in range(0, len(documents), BLOCK):
            with one_thread():
                rows = list(self._rows(documents[begin : begin + BLOCK], places[begin : begin + BLOCK]))
                table = to_table(rows, self.about)
            yield table

    def _rows(self, block: list[Document], places: Sequence[int]) -> Iterator[TableRow]:
        batch = self._model.encode(block)
        rows: dict[int, TableRow] = {}
        for some, piece, found in relevance_in_batches(self._model, batch, self._target, None, self._how):
            for place, (n, explained) in enumerate(zip(some, found, strict=True)):
                rows[n] = self._row(block[n], places[n], piece, place, explained)
        return (rows[n] for n in range(len(block)))

    def _row(self, document: Document, place: int, batch: Batch, n: int, explained: DocumentRelevance) -> TableRow:
        reading = batch.readings[n]
        absorbed = np.zeros(len(explained.targets), explained.relevance.dtype)
        for entry in explained.ledger.values():
            absorbed = absorbed + entry
        return TableRow(
            row=place,
            document_id=document.id,
            true_label=None if document.label is None else str(document.label),
            predicted=self.about.classes[int(np.argmax(explained.scores))],
            scores=explained.scores,
            targets=[t[0] if isinstance(t, tuple) else t for t in explained.targets],
            versus=[t[1] if isinstance(t, tuple) else -1 for t in explained.targets],
            words=reading.forms,
            spans=reading.tokens.spans[reading.positions],
            status=batch.status[n][reading.positions],
            relevance=explained.relevance,
            absorbed=absorbed,
            left_out=np.zeros(len(explained.targets), np.float32),
        )


def _documents_of_batch(batch: pa.Table | pa.RecordBatch) -> Iterator[Document]:
    names = batch.schema.names
    if "text" not in names:
        raise DataError(f"a batch has no column 'text'; it has {', '.join(names) or 'none'}.")
    count = batch.num_rows
    texts = batch["text"].to_pylist()
    ids = batch["document_id"].to_pylist() if "document_id" in names else [str(n) for n in range(count)]
    labels = batch["label"].to_pylist() if "label" in names else [None] * count
    for n, (text, id, label) in enumerate(zip(texts, ids, labels, strict=True)):
        if not isinstance(text, str):
            raise DataError(f"row {n} of a batch holds {type(text).__name__}, not a text; drop such rows.")
        yield Document(str(id), text, label)
