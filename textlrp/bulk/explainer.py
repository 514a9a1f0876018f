"""Convert an Arrow batch of texts to an Arrow batch of explanations: the function that every bulk engine maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from textlrp.errors import DataError, OptionError, must_be
from textlrp.explainers.batch_relevance import DocumentRelevance
from textlrp.explainers.blocks import relevance_in_batches
from textlrp.explainers.explain import explain_settings
from textlrp.explainers.methods import Method
from textlrp.explainers.notes import note_of_table
from textlrp.explainers.streams import BLOCK
from textlrp.explainers.targets import resolve_targets
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels.projections import Kept
from textlrp.lrp.kernels.threads import one_thread
from textlrp.lrp.shares import Rule
from textlrp.lrp.starts import Start, started
from textlrp.machine import KEPT_BYTES
from textlrp.models.abilities import own_predictions_of
from textlrp.models.adapt import without_options
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.loading import load_classifier
from textlrp.models.options import is_whole
from textlrp.models.tapes import kept_projections, tracer
from textlrp.models.torch_module.module_model import TorchTextModel
from textlrp.predicted import highest_position, predicted_positions
from textlrp.records import Document, label_text, label_texts
from textlrp.store.columns import Precision, RunMetadata, TableRow, to_table
from textlrp.text.batches import Batch
from textlrp.version import __version__


class BatchExplainer:
    """A function from Arrow tables of texts to Arrow tables of explanations, for any engine that maps batches.

    Parameters:

    - ``model``: a fitted classifier, also one of scikit-learn, the path of a saved one, or the name of a bundled one.
      A path or name is loaded when the object is created, so the engine can create it in each of its processes.
    - ``target``, ``rule``, ``start``, ``method``, ``device``: as in :func:`textlrp.explain`.
    - ``top_k``: keep only the words that are among the ``top_k`` with the largest absolute relevance for at least one
      target. None keeps all words.
    - ``precision``: ``"float16"`` (scaled per document; the error is at most 0.001 of the largest absolute relevance)
      or ``"float32"`` (exact).
    - ``memory``: limit in bytes for the cached projections of frequent words.
    - ``kept``: projections that are already computed, to use instead.

    A batch must have the column ``text``. The columns ``document_id``, ``label`` (text, or a list of labels for a
    multi-label model) and ``row`` (position in the whole input) are optional; other columns are ignored. The result
    has the columns that :mod:`textlrp.store` describes.

    Documents are explained in blocks of 64 by a single thread. Batches whose sizes are multiples of 64 therefore give
    the same bytes on every engine, whatever the batch size.

    Raises :class:`OptionError` for a wrong ``top_k`` or ``precision``, :class:`TargetError` for a class that the
    model does not have, :class:`RuleError` for a rule that does not fit the model, and :class:`ModelError` if the
    model cannot be loaded.
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
            hint = "Pass top_k=20, or None to keep all words."
            raise OptionError(must_be("top_k", "a whole number of at least 1, or None", top_k, hint))
        self._model = load_classifier(model) if isinstance(model, str) else without_options(model)
        self._target = target
        settings = explain_settings(self._model, rule, method, device=device, start=start)
        classes = self._model.classes_
        resolve_targets(target, classes, np.zeros((0, len(classes))))  # raises for a wrong target
        if settings.method is None and device == "cpu":
            settings = settings._replace(
                trace=tracer(self._model, kept=kept or kept_projections(self._model, memory))
            )
        self._settings = settings
        names = tuple(str(name) for name in classes)
        start_name, notes = self._start()
        thresholds = thresholds_of(self._model)
        self.metadata = RunMetadata(
            classes=names,
            method=settings.name,
            rule=settings.printed,
            model=settings.fingerprint,
            version=__version__,
            precision=precision,
            top_k=top_k,
            start=start_name,
            notes=notes,
            score_name=settings.score_name,
            thresholds=None if thresholds is None else tuple(thresholds.tolist()),
        )
        self._thresholds = thresholds
        self.metadata.schema()  # raises for a wrong precision

    def _start(self) -> tuple[str, tuple[str, ...]]:
        """The start of propagation, ``"score"`` or ``"centered"``, and notes for readers of the relevance.

        Both depend only on the model and the rule, so the trace of a text without words is enough to determine them.
        """
        if self._settings.method is not None:
            return "score", ()
        if isinstance(self._model, TorchTextModel):  # it may be unable to read an empty text
            trace = self._model.trace_of_padding()
        else:
            trace = self._model.trace(self._model.encode([Document("", "")]))
        propagation = started(trace, self._settings.composite, self._settings.start)
        notes = propagation.remarks
        if propagation.fixed_sign:
            notes = (*notes, note_of_table(propagation.start))
        return propagation.start, notes

    def __call__(self, batch: pa.Table | pa.RecordBatch) -> pa.Table:
        """Explain the documents of a batch; return one row per document, in the same order.

        Raises :class:`DataError` if the batch has no column ``text`` or a value in it is not a string.
        """
        return pa.concat_tables([to_table([], self.metadata), *self.tables(batch)])

    def tables(self, batch: pa.Table | pa.RecordBatch) -> Iterator[pa.Table]:
        """Explain a batch block by block: yield one table per block of 64 documents."""
        documents = list(_documents_of_batch(batch))
        positions = batch["row"].to_pylist() if "row" in batch.schema.names else range(len(documents))
        for begin in range(0, len(documents), BLOCK):
            with one_thread():
                rows = list(self._rows(documents[begin : begin + BLOCK], positions[begin : begin + BLOCK]))
                table = to_table(rows, self.metadata)
            yield table

    def _rows(self, block: list[Document], positions: Sequence[int]) -> Iterator[TableRow]:
        batch = self._model.encode(block)
        rows: dict[int, TableRow] = {}
        # pieces of a block contain documents of similar length, so they are not in input order
        for indexes, piece, found in relevance_in_batches(self._model, batch, self._target, None, self._settings):
            own = own_predictions_of(self._model, piece, np.stack([each.scores for each in found]))
            for place, (n, explained) in enumerate(zip(indexes, found, strict=True)):
                best = highest_position(explained.scores, self._thresholds) if own is None else int(own[place])
                rows[n] = self._row(block[n], positions[n], piece, place, explained, best)
        return (rows[n] for n in range(len(block)))

    def _row(
        self, document: Document, position: int, batch: Batch, n: int, explained: DocumentRelevance, best: int
    ) -> TableRow:
        reading = batch.readings[n]
        several, chosen = self._thresholds is not None, predicted_positions(explained.scores, self._thresholds)
        absorbed = np.zeros(len(explained.targets), explained.relevance.dtype)
        for entry in explained.ledger.values():
            absorbed = absorbed + entry
        return TableRow(
            row=position,
            document_id=document.id,
            true_label=None if several else label_text(document.label),
            predicted=self.metadata.classes[best],
            scores=explained.scores,
            targets=[t[0] if isinstance(t, tuple) else t for t in explained.targets],
            versus=[t[1] if isinstance(t, tuple) else -1 for t in explained.targets],
            words=reading.forms,
            spans=reading.tokens.spans[reading.positions],
            status=batch.status[n][reading.positions],
            relevance=explained.relevance,
            absorbed=absorbed,
            left_out=np.zeros(len(explained.targets), np.float32),
            predicted_labels=[self.metadata.classes[c] for c in chosen] if several else (),
            true_labels=label_texts(document.label) if several else None,
        )


def _documents_of_batch(batch: pa.Table | pa.RecordBatch) -> Iterator[Document]:
    names = batch.schema.names
    if "text" not in names:
        found = ", ".join(map(repr, names)) or "no columns"
        raise DataError(f"a batch must have a column 'text'; got {found}. Rename the column with the texts.")
    count = batch.num_rows
    texts = batch["text"].to_pylist()
    ids = batch["document_id"].to_pylist() if "document_id" in names else [str(n) for n in range(count)]
    labels = batch["label"].to_pylist() if "label" in names else [None] * count
    if "labels" in names:  # lists of labels; null for a document that has one label or none
        lists = batch["labels"].to_pylist()
        labels = [one if several is None else tuple(several) for one, several in zip(labels, lists, strict=True)]
    for n, (text, id, label) in enumerate(zip(texts, ids, labels, strict=True)):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise DataError(f"row {n} of a batch: text must be a string; got {kind}. Drop the row or fill it in.")
        yield Document(str(id), text, tuple(label) if isinstance(label, list) else label)
