"""A fitted scikit-learn pipeline of text vectorizers and a classifier, as a model that textlrp can explain.

Letters: N documents, L tokens that the model reads, E non-zero features of one document, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import __version__ as sklearn_version
from sklearn.base import BaseEstimator
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError, OptionError
from textlrp.lrp.trace import Trace
from textlrp.models.abilities import OwnResults
from textlrp.models.differentiable import InputPoint
from textlrp.models.finite import check_scores
from textlrp.models.options import TextInputs
from textlrp.models.pipeline.classifiers import decision
from textlrp.models.pipeline.decisions import Decision, own_predictions
from textlrp.models.pipeline.fingerprint import digest
from textlrp.models.pipeline.form_trace import FEATURES, FormTrace
from textlrp.models.pipeline.form_values import batch_evaluation, point_evaluation
from textlrp.models.pipeline.forms import nested_forms, stages_of
from textlrp.models.pipeline.pipeline_inputs import PipelineBatch, PipelineInputs, checked_batch
from textlrp.models.pipeline.stages import JointFeatures
from textlrp.models.pipeline.step_values import Sources
from textlrp.models.pipeline.unwrapped import reads_texts
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.text.batches import Batch

WEIGHTS_TOGETHER = 1 << 12
"""Texts × outputs of the largest layer in one trace: each of their features has that many weights."""


@dataclass(eq=False)
class PipelineModel:
    """A pipeline as a ``Classifier``; made by :func:`pipeline_model`.

    ``inputs`` are its vectorizers and the features that its classifier reads, ``decision`` the scores of the
    classifier as a function of these. ``estimator`` is the pipeline itself.
    """

    fingerprint_: str
    dtype: str
    inputs: PipelineInputs
    decision: Decision
    estimator: Any

    @property
    def max_texts_per_trace(self) -> int:
        """Largest number of texts in one trace."""
        widest = max(form.width for form in nested_forms(self.decision.form))
        return max(1, min(64, WEIGHTS_TOGETHER // widest))

    @property
    def classes_(self) -> Array:
        """The labels (C,)."""
        return self.decision.classes

    @property
    def thresholds_(self) -> Array | None:
        """The thresholds (C,) of a multi-label classifier, else None."""
        return self.decision.thresholds

    @property
    def _separate_probabilities(self) -> bool:
        """Whether the pipeline has probabilities that are no function of the scores."""
        scores = self.decision
        known = scores.probabilities is not None or scores.thresholds is not None
        return not known and hasattr(self.estimator, "predict_proba")

    def rows(self, texts: Any) -> Any:
        """Return texts as they are, or the rows of a table if the pipeline reads the columns of a table.

        Raises :class:`DataError` if it does and gets something else.
        """
        return self.inputs.rows(texts)

    def encode(self, texts: TextInputs) -> PipelineBatch:
        """Convert texts, or the rows of a table, to tokens and features.

        Raises :class:`ModelError` if a vectorizer's features cannot be located in a text.
        """
        return self.inputs.encode(texts)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> Array:
        """Return the classifier's scores (N, C).

        ``keep`` (N, L): a feature does not count if one of its units was dropped. A unit (word or character) is
        dropped when all its tokens have ``keep`` False. The remaining features are weighted and normalized again.
        """
        batch = checked_batch(batch)
        features = batch.features if keep is None else self.inputs.features_keeping(batch, keep)
        scores = batch_evaluation(self.inputs.joint, features, self.dtype).values(self.decision.form).numpy()
        return check_scores(scores, self.classes_, lambda n: batch.readings[n].document_id)

    def probabilities(self, scores: Array) -> Array | None:
        """Return ``predict_proba`` for these scores (N, C); None if it is no function of them, or does not exist."""
        return None if self.decision.probabilities is None else self.decision.probabilities(scores)

    def own_results(self, batch: Batch, scores: Array) -> OwnResults:
        """Return what the pipeline itself predicts for a batch with these ``scores`` (N, C).

        A classifier that predicts by other numbers than its scores is called for this, and a note states it.
        """
        by_scores = self.decision.probabilities is not None or self.decision.thresholds is not None
        if by_scores or not (self.decision.note or self._separate_probabilities):
            notes = (self.decision.note,) if self.decision.note else ()
            return OwnResults(scores.argmax(axis=1), self.probabilities(scores), (notes,) * len(scores))
        return own_predictions(self.estimator, self.inputs.original(checked_batch(batch)), self.decision, scores)

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Return the trace of the forward pass: words to features, and features to scores."""
        batch, dtype = checked_batch(batch), dtype or self.dtype
        values = batch_evaluation(self.inputs.joint, batch.features, dtype)
        words = self.inputs.words_step(batch, FEATURES, dtype)
        steps = FormTrace(self.inputs.joint, batch.features, values, [words])
        scores = steps.layer(self.decision.form, "output", "scores")
        return Trace(tuple(steps.steps), scores, elements=max(steps.elements, words.shares.shape[0]))

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the non-zero features of text ``n``, (E, 1), and the classifier that reads them.

        ``to_words`` drops the relevance of features that belong to no word: an n-gram that consists of padding only,
        and the other columns of a table.
        """
        batch, dtype = checked_batch(batch), dtype or self.dtype
        row = batch.features[[n]].astype(dtype)
        shares = self.inputs.shares(batch.select([n]))[0].tocsc()
        words = shares[:, : int(batch.lengths[n])].astype(dtype)

        def forward(inputs: Tensor) -> Tensor:
            return point_evaluation(self.inputs.joint, row.indices, inputs[..., 0]).values(self.decision.form)

        def to_words(values: Tensor) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray((words.T @ values.numpy().T).T))

        return InputPoint(torch.from_numpy(row.data[:, None].copy()), forward, to_words)


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
    try:
        found = decision(pipeline, type(pipeline).__name__, None, sources)
    except AttributeError as missing:
        raise ModelError(
            f"model must have the attributes of a model that scikit-learn {sklearn_version} fitted; {missing}. Fit "
            "it again, or use the version of scikit-learn that it was fitted with."
        ) from missing
    if len({reader.column is None for reader in sources.readers}) == 2:
        raise ModelError(
            "all vectorizers must read the columns of a table, or all must read texts; got both. Put every "
            "vectorizer into the ColumnTransformer, and fit the pipeline again."
        )
    inputs = PipelineInputs(sources, JointFeatures(tuple(stages_of(found.form))))
    fingerprint = digest(pipeline, sources.readers, sources.learned, found)
    return PipelineModel(fingerprint, dtype, inputs, found, pipeline)
