"""A fitted scikit-learn pipeline of text vectorizers and a linear model, as a model that textlrp can explain.

The features and scores are scikit-learn's own. What is added is the origin of each feature in the original text.

Letters: N documents, L tokens that the model reads, J features, E non-zero features of one document, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.pipeline import Pipeline
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError, OptionError
from textlrp.lrp.maps import Bounds, Features
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear, Step
from textlrp.models.differentiable import InputPoint
from textlrp.models.finite import check_scores
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.pipeline.fingerprint import digest
from textlrp.models.pipeline.linear import Head, linear_head
from textlrp.models.pipeline.pipeline_steps import Stage, make_stage
from textlrp.models.pipeline.provenance import ReadSource, read_document
from textlrp.models.pipeline.vectorizers import TextVectorizer, check_rebuilt_counts, count_columns, vectorize
from textlrp.models.sparse_tape import Absent, ToWords, joint_shares, padded_entries
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

    ``readers`` are its vectorizers, ``stage`` the steps between them and the linear model, ``head`` that model.
    ``used_columns``: for each vectorizer, which of its columns (V,) the linear model uses.
    """

    max_texts_per_trace = 64

    classes_: Array
    fingerprint_: str
    dtype: str
    readers: tuple[TextVectorizer, ...]
    used_columns: tuple[NDArray[np.bool_], ...]
    stage: Stage
    head: Head

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
            self.head.prepare(self.stage.run(values)),
            sources,
        )

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> Array:
        """Return the linear model's scores (N, C).

        ``keep`` (N, L): a feature does not count if one of its units was dropped. A unit (word or character) is
        dropped when all its tokens have ``keep`` False. The remaining features are weighted and normalized again.
        """
        batch = _checked_batch(batch)
        if keep is None:
            return self._finite(self.head.scores(batch.features, self.dtype), batch)
        kept = [keep[n, : int(batch.lengths[n])] for n in range(len(batch))]
        values = [
            count_columns(
                reader,
                [each.occurrences[number].kept(of_text) for each, of_text in zip(batch.sources, kept, strict=True)],
            )
            for number, reader in enumerate(self.readers)
        ]
        return self._finite(self.head.scores(self.head.prepare(self.stage.run(values)), self.dtype), batch)

    def probabilities(self, scores: Array) -> Array | None:
        """Return ``predict_proba`` for these scores (N, C); None if the linear model has none."""
        return None if self.head.probabilities is None else self.head.probabilities(scores)

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Return the trace of the forward pass: words to features, and features to scores."""
        batch, dtype = _checked_batch(batch), dtype or self.dtype
        features, head = batch.features.astype(dtype), self.head
        counts, values, weight = padded_entries(features, head.weight)
        longest = max(1, int(batch.lengths.max(initial=0)))
        shares = joint_shares(self._shares(batch), counts, values.shape[1], longest, dtype)
        steps: list[Step] = [ToWords("ngrams", ("words",), "features", shares, (len(batch), longest))]
        if head.absent is not None:  # BernoulliNB: one extra entry for all features that the text does not have
            missing = head.missing(batch.features).astype(dtype)
            values = np.concatenate([np.ones((len(values), 1), dtype=dtype), values], axis=1)
            weight = np.concatenate([missing[:, None], weight], axis=1)
            counts = counts + 1
            steps.append(Absent("output", ("features",), "present"))
        scores = torch.from_numpy(head.scores(batch.features, dtype))
        real = torch.from_numpy(counts)
        bias = torch.from_numpy(head.bias.astype(dtype))
        entries = Features(torch.from_numpy(values), torch.from_numpy(weight), real, self._box(dtype))
        steps.append(Linear("output", "dense", (steps[-1].writes,), "scores", entries, bias, scores, entries))
        return Trace(tuple(steps), scores, elements=max(values.size, len(batch) * (longest + 1)))

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the non-zero features of text ``n``, (E, 1), and the linear model that reads them.

        ``to_words`` drops the relevance of an n-gram that consists of padding only, because no word belongs to it.
        """
        batch, dtype = _checked_batch(batch), dtype or self.dtype
        row = batch.features[[n]].astype(dtype)
        weights, biases = self.head.as_linear(row.indices)
        weight = torch.from_numpy(np.ascontiguousarray(weights.T.astype(dtype)))
        bias = torch.from_numpy(biases.astype(dtype))
        words = self._shares(batch.select([n]))[0][:, :-1].astype(dtype)

        def forward(inputs: Tensor) -> Tensor:
            return inputs[..., 0] @ weight + bias

        def to_words(values: Tensor) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray((words.T @ values.numpy().T).T))

        return InputPoint(torch.from_numpy(row.data[:, None].copy()), forward, to_words)

    def _finite(self, scores: Array, batch: Batch) -> Array:
        return check_scores(scores, self.classes_, lambda n: batch.readings[n].document_id)

    def _box(self, dtype: str) -> Bounds | None:
        """Bounds of the features, if both are known; ZBox needs them."""
        low, high = (0.0, 1.0) if self.head.threshold is not None else self.stage.bounds
        if not (math.isfinite(low) and math.isfinite(high)):
            return None
        return lambda: Box(
            torch.tensor(low, dtype=TORCH_DTYPES[dtype]), torch.tensor(high, dtype=TORCH_DTYPES[dtype])
        )

    def _shares(self, batch: PipelineBatch) -> list[Any]:
        """For each text, how its non-zero features are distributed over its words: (E, L + 1).

        The last column is what is ignored.
        """
        shares = []
        for n, source in enumerate(batch.sources):
            entries = batch.features[[n]].indices
            vectorizer, column = self.stage.vectorizer[entries], self.stage.column[entries]
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

    Supported before the linear model: CountVectorizer, TfidfVectorizer and HashingVectorizer (words, characters,
    ``char_wb``), TfidfTransformer, FeatureUnion, feature selectors, Normalizer, MaxAbsScaler, and StandardScaler and
    RobustScaler without centering. The whole text is read, except for a Document's ``skip``, whose characters are
    replaced by blanks. Raises :class:`ModelError` for any other step, which it names, and for a pipeline that is not
    fitted.
    """
    if dtype not in TORCH_DTYPES:
        raise OptionError(f"dtype must be 'float32' or 'float64'; got {dtype!r}.")
    if not isinstance(pipeline, Pipeline):
        raise ModelError(
            f"model must be a fitted scikit-learn Pipeline; got a {type(pipeline).__name__}. Pass "
            "make_pipeline(vectorizer, classifier): fitted parts stay fitted."
        )
    (*steps, (last, estimator)) = pipeline.steps
    while isinstance(estimator, Pipeline):
        (*inner, (last, estimator)) = estimator.steps
        steps += inner
    readers: list[TextVectorizer] = []
    learned: list[Any] = []
    head = linear_head(estimator, last)
    stage = make_stage(Pipeline(steps), "", None, readers, learned) if steps else None
    if stage is None:
        raise ModelError(
            f"the pipeline must have a text vectorizer before its classifier; got none before {last!r}, a "
            f"{type(estimator).__name__}. Pass make_pipeline(CountVectorizer(), classifier), or use TfidfVectorizer "
            "or HashingVectorizer."
        )
    if len(stage.column) != head.weight.shape[1]:
        raise ModelError(
            f"step {last!r} must be fitted on the features of the steps before it; got a {type(estimator).__name__} "
            f"of {head.weight.shape[1]} features after steps that make {len(stage.column)}. Fit the pipeline again."
        )
    used_columns = []
    for number, reader in enumerate(readers):
        is_used = np.zeros(reader.width, dtype=bool)
        is_used[stage.column[stage.vectorizer == number]] = True
        used_columns.append(is_used)
    fingerprint = digest(pipeline, readers, learned, head)
    return PipelineModel(head.classes, fingerprint, dtype, tuple(readers), tuple(used_columns), stage, head)


def _checked_batch(batch: Batch) -> PipelineBatch:
    if not isinstance(batch, PipelineBatch):
        raise OptionError(
            f"batch must come from this model's encode(); got a {type(batch).__name__} of another model."
        )
    return batch
