"""What a pipeline reads of texts or of the rows of a table: features, and the words that they belong to.

The features are scikit-learn's own. What is added is the origin of each feature in the original text.

Letters: N documents, L tokens that the model reads, J features, E non-zero features of one document, Q other columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.errors import OptionError
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.pipeline.frame_rows import FrameRow, as_rows
from textlrp.models.pipeline.provenance import ReadSource, read_document
from textlrp.models.pipeline.stages import JointFeatures, StepOutputs
from textlrp.models.pipeline.step_values import Sources
from textlrp.models.pipeline.table_columns import features_of_rows
from textlrp.models.pipeline.vectorizers import check_rebuilt_counts, count_columns, vectorize
from textlrp.models.sparse_tape import ToWords, joint_shares
from textlrp.records import Document
from textlrp.text.batches import Batch, end_to_end


@dataclass(frozen=True, eq=False)
class PipelineBatch(Batch):
    """Encoded texts, with the pipeline's ``features`` (N, J), CSR, and the ``sources`` (N,) of these features.

    ``others`` are the outputs of the steps that read other columns of a table, each (N, width), CSR. The ``words``
    are all 1, because a pipeline has ids of n-grams and not of words.
    """

    features: Any
    sources: tuple[ReadSource, ...]
    others: tuple[Any, ...]

    def select(self, rows: Sequence[int]) -> PipelineBatch:
        """Return some of the texts, in the order of ``rows``."""
        chosen = list(rows)
        return replace(
            super().select(rows),
            features=self.features[chosen],
            sources=tuple(self.sources[row] for row in rows),
            others=tuple(each[chosen] for each in self.others),
        )


@dataclass(frozen=True, eq=False)
class PipelineInputs:
    """The vectorizers of a pipeline and all other steps that read its inputs (``sources``).

    ``joint`` are the features that its classifier reads.
    """

    sources: Sources
    joint: JointFeatures

    @property
    def text_columns(self) -> list[Any]:
        """The text columns of a table that the pipeline reads, in order; empty if it reads texts."""
        return [*dict.fromkeys(each.column for each in self.sources.readers if each.column is not None)]

    @cached_property
    def used_columns(self) -> list[NDArray[np.bool_]]:
        """For each vectorizer, which of its columns (V,) the classifier uses."""
        used = [np.zeros(reader.width, dtype=bool) for reader in self.sources.readers]
        for number, is_used in enumerate(used):
            is_used[self.joint.column[self.joint.vectorizer == number]] = True
        return used

    def rows(self, texts: Any) -> Any:
        """Return texts as they are, or the rows of a table as :class:`.FrameRow` if the pipeline reads a table.

        Raises :class:`DataError` if the pipeline reads a table and gets something else.
        """
        columns = self.text_columns
        return as_rows(texts, columns, self._other_columns()) if columns else texts

    def encode(self, texts: TextInputs) -> PipelineBatch:
        """Convert texts, or the rows of a table, to tokens and features.

        Raises :class:`ModelError` if a vectorizer's features cannot be located in a text.
        """
        documents = [
            text if isinstance(text, Document) else Document(str(row), text)
            for row, text in enumerate(check_texts(self.rows(texts)))
        ]
        read = [read_document(document, self.sources.readers, self.used_columns) for document in documents]
        sources = tuple(source for _, source in read)
        values = []
        for number, reader in enumerate(self.sources.readers):
            occurrences = [source.occurrences[number] for source in sources]
            vectorized = vectorize(reader, [source.texts[number] for source in sources])
            # Offsets are right only if the located n-grams give the same numbers as scikit-learn itself.
            rebuilt = count_columns(reader, [(each.columns, each.signs) for each in occurrences])
            check_rebuilt_counts(reader, vectorized, rebuilt)
            values.append(vectorized)
        readings = tuple(reading for reading, _ in read)
        others = tuple(
            features_of_rows(block, [_values_read(document) for document in documents])
            for block in self.sources.others
        )
        return PipelineBatch(
            readings,
            *end_to_end([np.ones(len(reading.positions), dtype=np.int64) for reading in readings]),
            tuple(reading.status for reading in readings),
            tuple(np.full(len(reading.tokens), -1, dtype=np.int32) for reading in readings),
            self.joint.run(StepOutputs(values, others)),
            sources,
            others,
        )

    def features_keeping(self, batch: PipelineBatch, keep: NDArray[np.bool_]) -> Any:
        """Return the features (N, J), CSR, of texts without the words (N, L) whose ``keep`` is False."""
        kept = [keep[n, : int(batch.lengths[n])] for n in range(len(batch))]
        values = [
            count_columns(
                reader,
                [each.occurrences[number].kept(of_text) for each, of_text in zip(batch.sources, kept, strict=True)],
            )
            for number, reader in enumerate(self.sources.readers)
        ]
        return self.joint.run(StepOutputs(values, batch.others))

    def original(self, batch: PipelineBatch) -> Any:
        """Return the input of the pipeline itself: texts with skipped ranges blanked, or a DataFrame."""
        if not self.text_columns:
            return [source.document.text for source in batch.sources]
        import pandas as pd  # imported late: only tables need it

        return pd.DataFrame.from_records([_values_read(source.document) for source in batch.sources])

    def words_step(self, batch: PipelineBatch, writes: str, dtype: str) -> ToWords:
        """Return the step of the trace that distributes the relevance of features over words and other columns."""
        longest = max(1, int(batch.lengths.max(initial=0)))
        counts = np.diff(batch.features.indptr)
        causes = ("ignored", *(f"column {name}" for name in self.sources.other_names))
        joint = joint_shares(self.shares(batch), counts, max(1, counts.max(initial=0)), longest, dtype, len(causes))
        return ToWords("ngrams", ("words",), writes, joint, (len(batch), longest), causes)

    def shares(self, batch: PipelineBatch) -> list[Any]:
        """For each text, how its non-zero features are distributed over its words: (E, L + 1 + Q), CSR.

        The columns after those of the words are what is ignored, and the other columns of a table.
        """
        shares = []
        columns = len(self.sources.other_names)
        for n, source in enumerate(batch.sources):
            entries = batch.features[[n]].indices
            vectorizer, column = self.joint.vectorizer[entries], self.joint.column[entries]
            parts, order = [], []
            for number, reader in enumerate(self.sources.readers):
                of_reader = np.flatnonzero(vectorizer == number)
                parts.append(source.occurrences[number].column_shares(column[of_reader], present=reader.present))
                order.append(of_reader)
            stacked = sparse.vstack(parts, format="csr")
            if columns:
                others = np.flatnonzero(vectorizer < 0)
                of_columns = (np.ones(len(others)), (np.arange(len(others)), -1 - vectorizer[others]))
                of_others = sparse.csr_matrix(of_columns, shape=(len(others), columns))
                stacked = sparse.block_diag([stacked, of_others], format="csr")
                order.append(others)
            shares.append(stacked[np.argsort(np.concatenate(order), kind="stable")])
        return shares

    def _other_columns(self) -> list[Any]:
        """The columns that the other steps read."""
        read = [each.columns if isinstance(each.columns, tuple) else (each.columns,) for each in self.sources.others]
        return [*dict.fromkeys(column for columns in read for column in columns)]


def _values_read(document: Document) -> dict[Any, Any]:
    """The values of a row, with the text columns as the vectorizers read them: skipped ranges are blank."""
    if not isinstance(document, FrameRow):
        return {}
    texts = {column: document.text[start:end] for column, (start, end) in document.places.items()}
    return {**document.values, **texts}


def checked_batch(batch: Batch) -> PipelineBatch:
    """Return a batch of a pipeline; raise :class:`OptionError` for that of another model."""
    if not isinstance(batch, PipelineBatch):
        raise OptionError(
            f"batch must come from this model's encode(); got a {type(batch).__name__} of another model."
        )
    return batch
