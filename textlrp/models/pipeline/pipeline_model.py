"""A fitted scikit-learn pipeline of text vectorizers and a linear model, explained on the original text.

The numbers are scikit-learn's own; what is added is where in the text each of them came from.

Letters: N documents, L tokens read, J features, E features of one document, C classes, K targets.
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
from textlrp.models.pipeline.vectorizers import TextVectorizer, check_rebuilt_counts, count_columns, own_numbers
from textlrp.models.sparse_tape import Absent, ToWords, joint_shares, padded_entries
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.records import Document
from textlrp.text.batches import Batch, end_to_end


@dataclass(frozen=True, eq=False)
class PipelineBatch(Batch):
    """Readings with the pipeline's own ``features`` (N, J), CSR, and the ``sources`` (N,) that they came from.

    The ``words`` are 1: a pipeline knows n-grams and not words.
    """

    features: Any
    sources: tuple[ReadSource, ...]

    def select(self, rows: Sequence[int]) -> PipelineBatch:
        """Some of the readings, in the order of ``rows``."""
        some = super().select(rows)
        return replace(some, features=self.features[list(rows)], sources=tuple(self.sources[row] for row in rows))


@dataclass(eq=False)
class PipelineModel:
    """A pipeline behind the ``Classifier`` protocol; see :func:`pipeline_model`.

    ``readers`` are its vectorizers, ``stage`` what lies between them and the linear model, ``head`` that model.
    ``used``: which columns (V,) of each vectorizer the linear model sees.
    """

    max_texts_per_trace = 64

    classes_: Array
    fingerprint_: str
    dtype: str
    readers: tuple[TextVectorizer, ...]
    used: tuple[NDArray[np.bool_], ...]
    stage: Stage
    head: Head

    def encode(self, texts: TextInputs) -> PipelineBatch:
        """Texts with their tokens and features.

        Raises :class:`ModelError` where a vectorizer's features cannot be found in a text.
        """
        documents = [
            text if isinstance(text, Document) else Document(str(row), text)
            for row, text in enumerate(check_texts(texts))
        ]
        read = [read_document(document, self.readers, self.used) for document in documents]
        sources = tuple(source for _, source in read)
        numbers = []
        for place, reader in enumerate(self.readers):
            traced = [source.traced[place] for source in sources]
            own = own_numbers(reader, [source.text for source in sources])
            check_rebuilt_counts(reader, own, count_columns(reader, [(each.columns, each.signs) for each in traced]))
            numbers.append(own)
        readings = tuple(reading for reading, _ in read)
        return PipelineBatch(
            readings,
            *end_to_end([np.ones(len(reading.positions), dtype=np.int64) for reading in readings]),
            tuple(reading.status for reading in readings),
            tuple(np.full(len(reading.tokens), -1, dtype=np.int32) for reading in readings),
            self.head.prepare(self.stage.run(numbers)),
            sources,
        )

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> Array:
        """The linear model's scores (N, C); features that a token with ``keep`` (N, L) False is part of do not count.

        A word is dropped when all its tokens are; what the others make is weighted and normalized anew.
        """
        batch = _own(batch)
        if keep is None:
            return self._finite(self.head.scores(batch.features, self.dtype), batch)
        kept = [keep[n, : int(batch.lengths[n])] for n in range(len(batch))]
        numbers = [
            count_columns(reader, [source.traced[place].kept(kept[n]) for n, source in enumerate(batch.sources)])
            for place, reader in enumerate(self.readers)
        ]
        return self._finite(self.head.scores(self.head.prepare(self.stage.run(numbers)), self.dtype), batch)

    def probabilities(self, scores: Array) -> Array | None:
        """What ``predict_proba`` says where the scores are these (N, C); None where the linear model has none."""
        return None if self.head.probabilities is None else self.head.probabilities(scores)

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """The tape of the forward pass: words to features, and features to scores."""
        batch, dtype = _own(batch), dtype or self.dtype
        features, head = batch.features.astype(dtype), self.head
        counts, values, weight = padded_entries(features, head.weight)
        longest = max(1, int(batch.lengths.max(initial=0)))
        shares = joint_shares(self._shares(batch), counts, values.shape[1], longest, dtype)
        steps: list[Step] = [ToWords("ngrams", ("words",), "features", shares, (len(batch), longest))]
        if head.absent is not None:
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
        """The features of text ``n`` that are not zero, (E, 1), and the linear model over them.

        What an n-gram made of padding alone is given is lost in ``to_words``: no word stands for it.
        """
        batch, dtype = _own(batch), dtype or self.dtype
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
        """Bounds of the features, where both are known."""
        low, high = (0.0, 1.0) if self.head.threshold is not None else self.stage.bounds
        if not (math.isfinite(low) and math.isfinite(high)):
            return None
        return lambda: Box(
            torch.tensor(low, dtype=TORCH_DTYPES[dtype]), torch.tensor(high, dtype=TORCH_DTYPES[dtype])
        )

    def _shares(self, batch: PipelineBatch) -> list[Any]:
        """How each text's features that are not zero are shared over its words: (E, L + 1), the last is ignored."""
        shares = []
        for n, source in enumerate(batch.sources):
            entries = batch.features[[n]].indices
            vectorizer, column = self.stage.vectorizer[entries], self.stage.column[entries]
            parts, order = [], []
            for place, reader in enumerate(self.readers):
                mine = np.flatnonzero(vectorizer == place)
                parts.append(source.traced[place].column_shares(column[mine], present=reader.present))
                order.append(mine)
            stacked = sparse.vstack(parts, format="csr")
            shares.append(stacked[np.argsort(np.concatenate(order), kind="stable")])
        return shares


def pipeline_model(pipeline: Any, *, dtype: str = "float64") -> PipelineModel:
    """A fitted scikit-learn ``Pipeline`` as a model that ``explain`` can read; the pipeline stays as it is.

    Before the linear model it may have CountVectorizer, TfidfVectorizer and HashingVectorizer (words, characters,
    ``char_wb``), TfidfTransformer, FeatureUnion, selectors, Normalizer, MaxAbsScaler,
    and StandardScaler and RobustScaler that do not center. A text is read as a whole,
    but for a Document's ``skip``, whose characters become blanks.
    Raises :class:`ModelError` on any other step, by name, and where it is not fitted.
    """
    if dtype not in TORCH_DTYPES:
        raise OptionError(f"dtype={dtype!r} came; 'float32' or 'float64' is wanted.")
    if not isinstance(pipeline, Pipeline):
        raise ModelError(
            f"a {type(pipeline).__name__} came; a scikit-learn Pipeline is wanted: "
            "make_pipeline(vectorizer, classifier) puts fitted parts together and does not fit them again."
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
            f"nothing before the {type(estimator).__name__} {last!r} reads text; a CountVectorizer, TfidfVectorizer "
            "or HashingVectorizer is wanted: make_pipeline(vectorizer, classifier)."
        )
    if len(stage.column) != head.weight.shape[1]:
        raise ModelError(
            f"the {type(estimator).__name__} {last!r} was fitted on {head.weight.shape[1]} features, but the steps "
            f"before it make {len(stage.column)}; fit the pipeline again."
        )
    used = []
    for place, reader in enumerate(readers):
        seen = np.zeros(reader.width, dtype=bool)
        seen[stage.column[stage.vectorizer == place]] = True
        used.append(seen)
    return PipelineModel(
        head.classes, digest(pipeline, readers, learned, head), dtype, tuple(readers), tuple(used), stage, head
    )


def _own(batch: Batch) -> PipelineBatch:
    if not isinstance(batch, PipelineBatch):
        raise OptionError(f"a {type(batch).__name__} of another model came; use what this model's encode() returns.")
    return batch
