"""A fitted scikit-learn pipeline of text vectorizers and a linear model, as a model that textlrp can explain.

The features and scores are scikit-learn's own. What is added is the origin of each feature in the original text.

Letters: N documents, L tokens that the model reads, J features, E non-zero features of one document, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError, OptionError
from textlrp.lrp.trace import Trace
from textlrp.models.abilities import OwnResults
from textlrp.models.differentiable import InputPoint
from textlrp.models.finite import check_scores
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.pipeline.classifiers import decision
from textlrp.models.pipeline.decisions import Decision, own_predictions
from textlrp.models.pipeline.fingerprint import digest
from textlrp.models.pipeline.form_trace import FEATURES, FormTrace
from textlrp.models.pipeline.form_values import batch_evaluation, point_evaluation
from textlrp.models.pipeline.forms import stages_of
from textlrp.models.pipeline.pipeline_steps import Sources
from textlrp.models.pipeline.provenance import ReadSource, read_document
from textlrp.models.pipeline.stages import JointFeatures
from textlrp.models.pipeline.unwrapped import reads_texts
from textlrp.models.pipeline.vectorizers import TextVectorizer, check_rebuilt_counts, count_columns, vectorize
from textlrp.models.sparse_tape import ToWords, joint_shares
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.records import Document
from textlrp.text.batches import Batch, end_to_end


@dataclass(frozen=True, eq=False)
class PipelineBatch(Batch):
    """Encoded texts, with the pipeline's ``features`` (N, J), CSR, and the ``sources`` (N,) of these features.

    The ``words`` are all 1, because a pipeline has ids of n-grams and not of words.
    """

    features: Any
    sources: tuple[ReadSource, ...]

    def select(self, rows: Sequence[int]) -> PipelineBatch:
        """Return some of the texts, in the order of ``rows``."""
        some = super().select(rows)
        return replace(some, features=self.features[list(rows)], sources=tuple(self.sources[row] for row in rows))


@dataclass(eq=False)
class PipelineModel:
    """A pipeline as a ``Classifier``; made by :func:`pipeline_model`.

    ``readers`` are its vectorizers, ``joint`` the features that its classifier reads, ``decision`` the scores of the
    classifier as a function of these. ``used_columns``: for each vectorizer, which of its columns (V,) the classifier
    uses. ``estimator`` is the pipeline itself.
    """

    max_texts_per_trace = 64

    fingerprint_: str
    dtype: str
    readers: tuple[TextVectorizer, ...]
    used_columns: tuple[NDArray[np.bool_], ...]
    joint: JointFeatures
    decision: Decision
    estimator: Any

    @property
    def classes_(self) -> Array:
        """The labels (C,)."""
        return self.decision.classes

    @property
    def thresholds_(self) -> Array | None:
        """The thresholds (C,) of a multi-label classifier, else None."""
        return self.decision.thresholds

    def encode(self, texts: TextInputs) -> PipelineBatch:
        """Convert texts to tokens and features.

        Raises :class:`ModelError` if a vectorizer's features cannot be located in a text.
        """
        documents = [
            text if isinstance(text, Document) else Document(str(row), text)
            for row, text in enumerate(check_texts(texts))
        ]
        read = [read_document(document, self.readers, self.used_columns) for document in documents]
        sources = tuple(source for _, source in read)
        values = []
        for number, reader in enumerate(self.readers):
            occurrences = [source.occurrences[number] for source in sources]
            vectorized = vectorize(reader, [source.text for source in sources])
            # Offsets are right only if the located n-grams give the same numbers as scikit-learn itself.
            rebuilt = count_columns(reader, [(each.columns, each.signs) for each in occurrences])
            check_rebuilt_counts(reader, vectorized, rebuilt)
            values.append(vectorized)
        readings = tuple(reading for reading, _ in read)
        return PipelineBatch(
            readings,
            *end_to_end([np.ones(len(reading.positions), dtype=np.int64) for reading in readings]),
            tuple(reading.status for reading in readings),
            tuple(np.full(len(reading.tokens), -1, dtype=np.int32) for reading in readings),
            self.joint.run(values),
            sources,
        )

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> Array:
        """Return the linear model's scores (N, C).

        ``keep`` (N, L): a feature does not count if one of its units was dropped. A unit (word or character) is
        dropped when all its tokens have ``keep`` False. The remaining features are weighted and normalized again.
        """
        batch = _checked_batch(batch)
        if keep is None:
            return self._finite(self._scores_of(batch.features), batch)
        kept = [keep[n, : int(batch.lengths[n])] for n in range(len(batch))]
        values = [
            count_columns(
                reader,
                [each.occurrences[number].kept(of_text) for each, of_text in zip(batch.sources, kept, strict=True)],
            )
            for number, reader in enumerate(self.readers)
        ]
        return self._finite(self._scores_of(self.joint.run(values)), batch)

    def probabilities(self, scores: Array) -> Array | None:
        """Return ``predict_proba`` for these scores (N, C); None if it is no function of them, or does not exist."""
        return None if self.decision.probabilities is None else self.decision.probabilities(scores)

    def own_results(self, batch: Batch, scores: Array) -> OwnResults:
        """Return what the pipeline itself predicts for a batch with these ``scores`` (N, C).

        A classifier that predicts by other numbers than its scores is called for this, and a note says so.
        """
        by_scores = self.decision.probabilities is not None or self.decision.thresholds is not None
        if not self.decision.note or by_scores:
            notes = (self.decision.note,) if self.decision.note else ()
            return OwnResults(scores.argmax(axis=1), self.probabilities(scores), (notes,) * len(scores))
        texts = [source.text for source in _checked_batch(batch).sources]
        return own_predictions(self.estimator, texts, self.decision, scores)

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Return the trace of the forward pass: words to features, and features to scores."""
        batch, dtype = _checked_batch(batch), dtype or self.dtype
        longest = max(1, int(batch.lengths.max(initial=0)))
        counts = np.diff(batch.features.indptr)
        shares = joint_shares(self._shares(batch), counts, max(1, counts.max(initial=0)), longest, dtype)
        words = ToWords("ngrams", ("words",), FEATURES, shares, (len(batch), longest))
        values = batch_evaluation(self.joint, batch.features, dtype)
        steps = FormTrace(self.joint, batch.features, values, [words])
        scores = steps.layer(self.decision.form, "output", "scores")
        return Trace(tuple(steps.steps), scores, elements=max(steps.elements, len(batch) * (longest + 1)))

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the non-zero features of text ``n``, (E, 1), and the classifier that reads them.

        ``to_words`` drops the relevance of an n-gram that consists of padding only, because no word belongs to it.
        """
        batch, dtype = _checked_batch(batch), dtype or self.dtype
        row = batch.features[[n]].astype(dtype)
        words = self._shares(batch.select([n]))[0][:, :-1].astype(dtype)

        def forward(inputs: Tensor) -> Tensor:
            return point_evaluation(self.joint, row.indices, inputs[..., 0]).values(self.decision.form)

        def to_words(values: Tensor) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray((words.T @ values.numpy().T).T))

        return InputPoint(torch.from_numpy(row.data[:, None].copy()), forward, to_words)

    def _scores_of(self, features: Any) -> Array:
        return batch_evaluation(self.joint, features, self.dtype).values(self.decision.form).numpy()

    def _finite(self, scores: Array, batch: Batch) -> Array:
        return check_scores(scores, self.classes_, lambda n: batch.readings[n].document_id)

    def _shares(self, batch: PipelineBatch) -> list[Any]:
        """For each text, how its non-zero features are distributed over its words: (E, L + 1).

        The last column is what is ignored.
        """
        shares = []
        for n, source in enumerate(batch.sources):
            entries = batch.features[[n]].indices
            vectorizer, column = self.joint.vectorizer[entries], self.joint.column[entries]
            parts, order = [], []
            for number, reader in enumerate(self.readers):
                of_reader = np.flatnonzero(vectorizer == number)
                parts.append(source.occurrences[number].column_shares(column[of_reader], present=reader.present))
                order.append(of_reader)
            stacked = sparse.vstack(parts, format="csr")
            shares.append(stacked[np.argsort(np.concatenate(order), kind="stable")])
        return shares


def pipeline_model(pipeline: Any, *, dtype: str = "float64") -> PipelineModel:
    """Convert a fitted scikit-learn ``Pipeline`` to a model that ``explain`` accepts. The pipeline is not changed.

    Also accepted are a search or a classifier that contains such pipelines (``GridSearchCV``,
    ``CalibratedClassifierCV``, ...). :mod:`.pipeline_steps` and :mod:`.classifiers` list the supported steps. The
    whole text is read, except for a Document's ``skip``, whose characters are replaced by blanks. Raises
    :class:`ModelError` for any other step, which it names, and for a pipeline that is not fitted.
    """
    if dtype not in TORCH_DTYPES:
        raise OptionError(f"dtype must be 'float32' or 'float64'; got {dtype!r}.")
    if not isinstance(pipeline, BaseEstimator) or not reads_texts(pipeline):
        raise ModelError(
            f"model must be a fitted scikit-learn Pipeline; got a {type(pipeline).__name__}. Pass "
            "make_pipeline(vectorizer, classifier): fitted parts stay fitted."
        )
    sources = Sources()
    found = decision(pipeline, type(pipeline).__name__, None, sources)
    joint = JointFeatures(tuple(stages_of(found.form)))
    used_columns = []
    for number, reader in enumerate(sources.readers):
        is_used = np.zeros(reader.width, dtype=bool)
        is_used[joint.column[joint.vectorizer == number]] = True
        used_columns.append(is_used)
    fingerprint = digest(pipeline, sources.readers, sources.learned, found)
    return PipelineModel(fingerprint, dtype, tuple(sources.readers), tuple(used_columns), joint, found, pipeline)


def _checked_batch(batch: Batch) -> PipelineBatch:
    if not isinstance(batch, PipelineBatch):
        raise OptionError(
            f"batch must come from this model's encode(); got a {type(batch).__name__} of another model."
        )
    return batch
