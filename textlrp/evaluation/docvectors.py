"""Documents as sums of their words' vectors, weighted by relevance, and how much they say of the classes.

The explanatory power index of Arras et al. 2017, section "Measuring model explanatory power": the accuracy of nearest
neighbors among unit vectors of documents, half of them held out, over random splits; the best mean over K.

Letters: N documents, T tokens, L words read of one, D dimensions of a word vector, F features of a bag of words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from textlrp.arrays import Array
from textlrp.errors import DataError, ModelError
from textlrp.evaluation.measured_corpus import ReadCorpus
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
from textlrp.models.nets import NetClassifier
from textlrp.text.batches import Batch

Weighting = Literal["lrp-elementwise", "sa-elementwise", "lrp", "sa", "tfidf", "uniform"]
WEIGHTINGS: dict[Weighting, str] = {
    "lrp-elementwise": "LRP, element-wise",
    "sa-elementwise": "squared gradient, element-wise",
    "lrp": "LRP",
    "sa": "squared gradient",
    "tfidf": "TF-IDF",
    "uniform": "uniform",
}
"""Each weighting and the title tables give it."""


def weightings_of(model: Classifier) -> tuple[Weighting, ...]:
    """Those that a model has; a bag of words has no dimensions to weigh."""
    if isinstance(model, BagOfWordsClassifier):
        return ("lrp", "sa", "tfidf", "uniform")
    return tuple(WEIGHTINGS)


def document_vectors(
    corpus: ReadCorpus,
    weighting: Weighting,
    *,
    composite: Composite,
    progress: Callable[[int], object] = lambda documents: None,
) -> Any:
    """A vector per document (N, D), or sparse (N, F) for a bag of words, for the predicted class.

    With word vectors x_t: sum_t R_t x_t, element-wise sum_t R_td x_td; R is LRP's relevance by ``composite``, the
    squared gradient, the inverse document frequency of each occurrence (so that a word weighs its TF-IDF), or 1. For
    a bag of words: the features' own values, where present (0/1 for ``uniform``). Raises :class:`ModelError` for
    another model, or a weighting it does not have.
    """
    model = corpus.model
    if not isinstance(model, TextClassifier) or weighting not in weightings_of(model):
        raise ModelError(f"a {type(model).__name__} has no document vectors weighted by {weighting!r}.")
    pieces, rows = [], []
    for batch, own in corpus.each_batch():
        if isinstance(model, BagOfWordsClassifier):
            pieces.append(_of_features(model, batch, weighting, composite))
        else:
            pieces.append(_of_vectors(model, batch, weighting, composite))
        rows.append(own)
        progress(len(own))
    order = np.argsort(np.concatenate(rows))
    if isinstance(model, BagOfWordsClassifier):
        return sparse.vstack(pieces, format="csr")[order]
    return np.concatenate(pieces)[order]


def _of_vectors(model: Any, batch: Batch, weighting: Weighting, composite: Composite) -> Array:
    """(N, D) of the texts of a batch."""
    vectors: Array = model.lookup_vectors(batch.ids)
    if weighting == "uniform":
        return np.asarray(vectors.sum(axis=1))
    if weighting == "tfidf":
        return np.asarray(np.einsum("nt,ntd->nd", model.inverse_document_frequencies(batch.ids, power=1.0), vectors))
    if weighting in ("lrp", "lrp-elementwise"):
        relevance = _lrp(started(model.trace(batch), composite, None).trace, composite)[:, : vectors.shape[1]]
    else:
        relevance = _squared_gradients(model, batch)[:, : vectors.shape[1]]
    if weighting in ("lrp", "sa"):
        relevance = relevance.sum(axis=2, keepdims=True) * (batch.ids > 0)[:, :, None]
    return np.asarray((relevance * vectors).sum(axis=1))


def _lrp(trace: Trace, composite: Composite) -> Array:
    """(N, T, D) for the predicted class."""
    tape, value = by_dimension(trace)
    relevance: Array = propagate(tape, composite, _predicted_seed(trace), watch=(value,)).watched[value][0].numpy()
    return relevance


def _predicted_seed(trace: Trace) -> torch.Tensor:
    best = trace.scores.argmax(dim=1).tolist()
    return torch.cat([one_hot_seed(trace.scores[n : n + 1], [c]) for n, c in enumerate(best)], dim=1)


def _squared_gradients(model: NetClassifier, batch: Batch) -> Array:
    """(N, L, D) for the predicted class."""
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
    """Sparse (N, F) of the texts of a batch."""
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
    entries = np.arange(output.map.values.shape[1]) < output.map.counts.numpy()[:, None]
    if weighting == "lrp":
        begun = started(trace, composite, None).trace
        watched = propagate(begun, composite, _predicted_seed(begun), watch=("features",)).watched["features"][0]
        weights.data = watched.numpy()[entries]
    else:
        best = trace.scores.argmax(dim=1)
        own = output.map.weight[torch.arange(len(best)), :, best]
        weights.data = own.square().numpy()[entries]
    return weights


# ---- how much they say of the classes


@dataclass(frozen=True, slots=True, eq=False)
class ExplanatoryPower:
    """``epi``: the best mean accuracy over K, its standard deviation over splits, and the K it was reached with.

    ``accuracy`` and ``spread`` hold mean and standard deviation for each K of ``neighbors``.
    """

    epi: float
    sd: float
    k: int
    neighbors: tuple[int, ...]
    accuracy: Array
    spread: Array


def explanatory_power(
    vectors: Any, labels: Sequence[Any], *, splits: int = 10, most: int = 40, seed: int = 0
) -> ExplanatoryPower:
    """The explanatory power index of document vectors (N, D), dense or sparse, for K from 1 to ``most``.

    Each split halves the documents at random; the held-out half is named by a vote of its K nearest neighbors
    (cosine) in the other, the first class of equals. Raises :class:`DataError` for fewer than four documents.
    Source: Arras et al. 2017, section "Measuring model explanatory power".
    """
    codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1]
    count = len(codes)
    if count < 4:
        raise DataError(f"{count} documents came; nearest neighbors of halves want four at least.")
    unit = normalize(vectors)
    draw = np.random.default_rng(seed)
    most = min(most, count // 2)
    found = np.zeros((splits, most))
    for split in range(splits):
        order = draw.permutation(count)
        known, spec = order[: count // 2], order[count // 2 :]
        nearest = NearestNeighbors(n_neighbors=most, metric="cosine").fit(unit[known])
        neighbors = codes[known][nearest.kneighbors(unit[spec], return_distance=False)]
        found[split] = _votes(neighbors, int(codes.max()) + 1, codes[spec])
    mean, spread = found.mean(axis=0), found.std(axis=0, ddof=1 if splits > 1 else 0)
    best = int(mean.argmax())
    return ExplanatoryPower(float(mean[best]), float(spread[best]), best + 1, tuple(range(1, most + 1)), mean, spread)


def _votes(neighbors: NDArray[np.int64], classes: int, truth: NDArray[np.int64]) -> Array:
    """(most,) the accuracy of the vote of the first 1, 2, ... neighbors (M, most)."""
    tally = np.zeros((len(neighbors), classes), dtype=np.int32)
    row = np.arange(len(neighbors))
    accuracy = np.zeros(neighbors.shape[1])
    for k, named in enumerate(neighbors.T):
        tally[row, named] += 1
        accuracy[k] = (tally.argmax(axis=1) == truth).mean()
    return accuracy


class Picture(NamedTuple):
    """Documents (N, 2) on their first two principal axes, and the share of the variance each explains."""

    places: Array
    explained: tuple[float, float]


def picture(vectors: Any) -> Picture:
    """Documents (N, D), to unit length, on their first two principal axes.

    Raises :class:`DataError` for fewer than two documents, and where all documents have the same vector, as with
    documents in which the model reads no word.
    """
    if vectors.shape[0] < 2:
        raise DataError("a picture of documents wants two at least.")
    unit: Any = normalize(vectors) if vectors.shape[1] else np.zeros((vectors.shape[0], 1))
    if sparse.issparse(unit) and min(unit.shape) < 3:
        unit = unit.toarray()  # the sparse solver finds fewer axes than there are rows and columns
    if not abs(unit - unit[[0] * unit.shape[0]]).max() > 0:
        raise DataError("all documents have the same vector, so they have no map.")
    pca = PCA(min(2, *unit.shape), svd_solver="arpack" if sparse.issparse(unit) else "auto", random_state=0)
    places = pca.fit_transform(unit)
    explained = pca.explained_variance_ratio_.tolist()
    if places.shape[1] < 2:
        places, explained = np.column_stack([places, np.zeros(len(places))]), [*explained, 0.0]
    return Picture(places, (float(explained[0]), float(explained[1])))
