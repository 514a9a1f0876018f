"""Document vectors (relevance-weighted sums of word vectors), and maps of documents.

How well document vectors separate the classes is in :mod:`textlrp.evaluation.neighbor_accuracy`.

Letters: N documents, T tokens, L words that the model reads, D dimensions of a word vector, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from textlrp.arrays import Array
from textlrp.errors import DataError, ModelError
from textlrp.evaluation.measured_corpus import ScoredCorpus
from textlrp.explainers.closed import gradients_by_dimension, has_closed_form
from textlrp.explainers.methods import SquaredGradient
from textlrp.lrp.composite import Composite
from textlrp.lrp.maps import Features
from textlrp.lrp.starts import started
from textlrp.lrp.trace import Trace, by_dimension, one_hot_seed, propagate
from textlrp.lrp.trace_steps import Linear
from textlrp.models.base import TextClassifier
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import CNNClassifier
from textlrp.models.encoders.encoder_scoring import EncoderScoring
from textlrp.models.nets import NetClassifier
from textlrp.text.batches import Batch

Weighting = Literal["lrp-elementwise", "squared-gradient-elementwise", "lrp", "squared-gradient", "tfidf", "uniform"]
WEIGHTINGS: dict[Weighting, str] = {
    "lrp-elementwise": "LRP, element-wise",
    "squared-gradient-elementwise": "squared gradient, element-wise",
    "lrp": "LRP",
    "squared-gradient": "squared gradient",
    "tfidf": "TF-IDF",
    "uniform": "uniform",
}
"""Each weighting with its title in tables."""


def weightings_of(model: Classifier) -> tuple[Weighting, ...]:
    """The weightings that a model supports.

    A bag of words has no word vectors for the element-wise ones. A sentence encoder has none at all: its words have
    pieces, whose vectors depend on the text.
    """
    if isinstance(model, EncoderScoring):
        return ()
    if isinstance(model, BagOfWordsClassifier):
        return ("lrp", "squared-gradient", "tfidf", "uniform")
    return tuple(WEIGHTINGS)


def document_vectors(
    corpus: ScoredCorpus,
    weighting: Weighting,
    *,
    composite: Composite,
    progress: Callable[[int], object] = lambda documents: None,
) -> Any:
    """One vector per document for its predicted class: (N, D), or sparse (N, F) for a bag of words.

    With word vectors x_t, a document vector is sum_t R_t x_t, or sum_t R_td x_td for an element-wise weighting. R is
    the LRP relevance by ``composite``, the squared gradient, the inverse document frequency of the word (each
    occurrence counts, so the sum is TF-IDF), or 1. A bag of words uses one dimension per feature: the feature's
    relevance, squared gradient, TF-IDF value, or 1 where the feature is present.
    ``progress`` is called with the number of documents done since the last call.
    Raises :class:`ModelError` for a model that is not a textlrp classifier, or for a weighting that it does not
    support. Source: Arras et al. 2017, section "Measuring model explanatory power".
    """
    model = corpus.model
    if weighting not in (supported := weightings_of(model) if isinstance(model, TextClassifier) else ()):
        has = f"it supports {', '.join(supported)}" if supported else "pass a textlrp classifier"
        raise ModelError(f"a {type(model).__name__} has no document vectors weighted by {weighting!r}; {has}.")
    parts, rows = [], []
    for batch, batch_rows in corpus.iter_batches():
        if isinstance(model, BagOfWordsClassifier):
            parts.append(_of_features(model, batch, weighting, composite))
        else:
            parts.append(_of_vectors(model, batch, weighting, composite))
        rows.append(batch_rows)
        progress(len(batch_rows))
    order = np.argsort(np.concatenate(rows))
    if isinstance(model, BagOfWordsClassifier):
        return sparse.vstack(parts, format="csr")[order]
    return np.concatenate(parts)[order]


def _of_vectors(model: Any, batch: Batch, weighting: Weighting, composite: Composite) -> Array:
    """The document vectors (N, D) of a batch."""
    vectors: Array = model.lookup_vectors(batch.ids)
    if weighting == "uniform":
        return np.asarray(vectors.sum(axis=1))
    if weighting == "tfidf":
        return np.asarray(np.einsum("nt,ntd->nd", model.inverse_document_frequencies(batch.ids, power=1.0), vectors))
    if weighting in ("lrp", "lrp-elementwise"):
        relevance = _lrp(started(model.trace(batch), composite, None).trace, composite)[:, : vectors.shape[1]]
    else:
        relevance = _squared_gradients(model, batch)[:, : vectors.shape[1]]
    if weighting in ("lrp", "squared-gradient"):
        relevance = relevance.sum(axis=2, keepdims=True) * (batch.ids > 0)[:, :, None]
    return np.asarray((relevance * vectors).sum(axis=1))


def _lrp(trace: Trace, composite: Composite) -> Array:
    """LRP relevance of each dimension of each token's vector for the predicted class: (N, T, D)."""
    vector_trace, value = by_dimension(trace)
    found = propagate(vector_trace, composite, _predicted_seed(trace), watch=(value,))
    relevance: Array = found.watched[value][0].numpy()
    return relevance


def _predicted_seed(trace: Trace) -> torch.Tensor:
    best = trace.scores.argmax(dim=1).tolist()
    return torch.cat([one_hot_seed(trace.scores[n : n + 1], [c]) for n, c in enumerate(best)], dim=1)


def _squared_gradients(model: NetClassifier, batch: Batch) -> Array:
    """Squared gradient of the predicted class's score with respect to each word vector: (N, L, D)."""
    if isinstance(model, CNNClassifier) and has_closed_form(model, SquaredGradient()):
        return gradients_by_dimension(model, batch).square().numpy()
    best = model.scores(batch).argmax(axis=1)
    found = np.zeros((len(batch), batch.ids.shape[1], model.weights_["embedding"].shape[1]), dtype=model.dtype)
    for n, c in enumerate(best.tolist()):
        point = model.input_point(batch, n)
        leaf = point.inputs[None].detach().requires_grad_()
        with torch.enable_grad():
            score = point.forward(leaf)[0, c]
        found[n, : int(batch.lengths[n])] = torch.autograd.grad(score, leaf)[0][0].square().numpy()
    return found


def _of_features(model: BagOfWordsClassifier, batch: Batch, weighting: Weighting, composite: Composite) -> Any:
    """The document vectors of a batch as a sparse matrix (N, F)."""
    features = model.tfidf_values(batch)
    trace = model.trace(batch)
    if weighting == "tfidf":
        return features
    weights = features.copy()
    if weighting == "uniform":
        weights.data = np.ones_like(weights.data)
        return weights
    (output,) = (step for step in trace.steps if isinstance(step, Linear))
    assert isinstance(output.map, Features)
    # the trace pads each document to the largest number of features; keep the entries that exist
    entries = np.arange(output.map.values.shape[1]) < output.map.counts.numpy()[:, None]
    if weighting == "lrp":
        begun = started(trace, composite, None).trace
        watched = propagate(begun, composite, _predicted_seed(begun), watch=("features",)).watched["features"][0]
        weights.data = watched.numpy()[entries]
    else:
        best = trace.scores.argmax(dim=1)
        predicted_weights = output.map.weight[torch.arange(len(best)), :, best]
        weights.data = predicted_weights.square().numpy()[entries]
    return weights


# ---- maps


class MapPositions(NamedTuple):
    """``coordinates`` (N, 2) of documents on their first two principal components, and the variance ratio of each."""

    coordinates: Array
    explained_variance_ratio: tuple[float, float]


def map_positions_of(vectors: Any) -> MapPositions:
    """Project document vectors (N, D), scaled to unit length, onto their first two principal components (PCA).

    Raises :class:`DataError` for fewer than two documents, and if all documents have the same vector, for example
    because the model reads no word of any.
    """
    if vectors.shape[0] < 2:
        raise DataError(f"vectors must be of at least 2 documents to draw a map; got {vectors.shape[0]}.")
    unit: Any = normalize(vectors) if vectors.shape[1] else np.zeros((vectors.shape[0], 1))
    if sparse.issparse(unit) and min(unit.shape) < 3:
        unit = unit.toarray()  # the sparse solver needs more rows and columns than components
    if not abs(unit - unit[[0] * unit.shape[0]]).max() > 0:
        raise DataError("all documents have the same vector, so there is no map to draw.")
    pca = PCA(min(2, *unit.shape), svd_solver="arpack" if sparse.issparse(unit) else "auto", random_state=0)
    coordinates = pca.fit_transform(unit)
    ratio = pca.explained_variance_ratio_.tolist()
    if coordinates.shape[1] < 2:
        coordinates, ratio = np.column_stack([coordinates, np.zeros(len(coordinates))]), [*ratio, 0.0]
    return MapPositions(coordinates, (float(ratio[0]), float(ratio[1])))
