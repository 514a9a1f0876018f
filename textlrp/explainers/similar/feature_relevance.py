"""The relevance of the words of one text for each feature of its embedding.

The embedding of a text is the input of the last layer of its model: TF-IDF features, a weighted sum of word vectors,
or pooled filters. LRP propagates each feature by itself to the words (Eberle et al. 2020, section 3). Open this
module to make another kind of model comparable.

Letters: L words that the model reads, M features, F filters, H window width, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.arrays import Array, IntArray
from textlrp.errors import ModelError
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels.threads import threads_for
from textlrp.lrp.maps import WordBag
from textlrp.lrp.rules import is_plain_share
from textlrp.lrp.shares import Flow, Part, Rule
from textlrp.lrp.trace import Trace, layers_of
from textlrp.lrp.trace_steps import Linear, Lookup, Routing
from textlrp.lrp.window_maps import WinningWindows, WordWindows
from textlrp.models.adapt import without_options
from textlrp.models.boe import BagOfEmbeddingsClassifier
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.models.cnn import CNNClassifier
from textlrp.models.feature_shares import FeaturesToWords
from textlrp.text.batches import Batch

if TYPE_CHECKING:
    from textlrp.models.pipeline.pipeline_model import PipelineModel

    Comparable = BagOfWordsClassifier | BagOfEmbeddingsClassifier | CNNClassifier | PipelineModel
    """The models whose texts can be compared."""

_EMBEDDINGS = {"svm": "TF-IDF features", "boe": "TF-IDF-weighted sum of word vectors", "cnn": "pooled filters"}
"""What the embedding of a text consists of, by kind of model."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRelevance:
    """The embedding of one text, and the relevance of its words for each feature.

    ``values`` (M,) is the embedding, and ``columns`` (M,) are the indices of its features, ascending; None if all
    texts have the same features. ``relevance`` (L, M) is a CSR matrix or an array. ``ledger`` {(step, cause): (M,)}
    is what was absorbed. For each feature, relevance and ledger sum to its value.
    """

    values: Array
    columns: IntArray | None
    relevance: Any
    ledger: Mapping[tuple[str, str], Array]


def as_comparable(model: object) -> Comparable:
    """Return the model; raise :class:`ModelError` if the texts of such a model cannot be compared."""
    if isinstance(model, (BagOfWordsClassifier, BagOfEmbeddingsClassifier, CNNClassifier)):
        model.check_fitted()
        return model
    from sklearn.base import BaseEstimator  # imported late: textlrp's own classifiers do not need scikit-learn

    from textlrp.models.pipeline.pipeline_model import PipelineModel

    found = without_options(model) if isinstance(model, BaseEstimator) else model
    if isinstance(found, PipelineModel) and not found.inputs.text_columns:
        return found
    raise ModelError(
        "similarity is available for a BagOfWordsClassifier, a BagOfEmbeddingsClassifier, a CNNClassifier and a "
        f"scikit-learn Pipeline that reads texts; got a {type(model).__name__}. Train one of these, or load a "
        "bundled model."
    )


def embedding_name(model: Comparable) -> str:
    """Return what the embedding of a text consists of, in words."""
    return _EMBEDDINGS.get(getattr(model, "kind", ""), "features of the vectorizers")


def feature_relevance(
    model: Comparable, batch: Batch, composite: Composite, *, dtype: str | None = None
) -> FeatureRelevance:
    """Return the embedding of the only text of a batch, and the relevance of its words for each feature.

    ``composite`` gives the rule of each layer before the embedding. Raises :class:`RuleError` if it does not fit.
    """
    length = int(batch.lengths[0])
    with torch.inference_mode(False), threads_for(1, length):
        trace = model.trace(batch, dtype=dtype)
        rules = _rules_of(trace, composite)
        if isinstance(model, BagOfWordsClassifier):
            return _of_ngrams(trace, np.asarray(sparse_features(model, batch).indices), length)
        if isinstance(model, BagOfEmbeddingsClassifier):
            return _of_bag(trace, rules, length)
        if isinstance(model, CNNClassifier):
            return (_of_winners if model.pooling == "max" else _of_all_windows)(trace, rules, batch, length)
        return _of_vectorizers(model, batch, dtype or model.dtype, length)


def _rules_of(trace: Trace, composite: Composite) -> dict[str, Rule]:
    layers = [layer for layer in layers_of(trace) if layer is not None]
    composite.check(layers)
    return {layer.name: composite.rule_for(layer) for layer in layers}


def sparse_features(model: Comparable, batch: Batch) -> Any:
    """Return the features (N, J), CSR, of the texts of a batch, for a bag of words or a pipeline."""
    if isinstance(model, BagOfWordsClassifier):
        return model.tfidf_values(batch)
    from textlrp.models.pipeline.pipeline_inputs import checked_batch  # imported late, as scikit-learn is

    return checked_batch(batch).features


def embedding_of(trace: Trace) -> Tensor:
    """Return the inputs (N, M) of the last layer of a bag of embeddings or a CNN."""
    last = trace.steps[-1] if trace.windows is None else trace.windows.output
    found: Tensor = last.map.inputs  # type: ignore[attr-defined]  # of Dense
    return found


# ---- sparse features: a feature is shared equally among its occurrences


def _of_ngrams(trace: Trace, columns: IntArray, length: int) -> FeatureRelevance:
    route, last = trace.steps
    assert isinstance(route, Routing)
    assert isinstance(route.move, FeaturesToWords)
    values: Array = last.map.values[0].numpy()[: len(columns)]  # type: ignore[attr-defined]  # of Features
    move = route.move
    places = (move.place.numpy(), move.entry.numpy())
    shares = sparse.csr_matrix((move.share.numpy(), places), shape=(move.shape[1], len(columns)))[:length]
    relevance = shares.astype(values.dtype).multiply(values).tocsr()
    relevance.sort_indices()
    return FeatureRelevance(values, columns, relevance, {})


def _of_vectorizers(model: PipelineModel, batch: Batch, dtype: str, length: int) -> FeatureRelevance:
    """A pipeline of scikit-learn: its features before steps that mix them, such as a singular value decomposition."""
    row = sparse_features(model, batch)[[0]].astype(dtype)
    shares = model.inputs.shares(batch)[0]  # type: ignore[arg-type].astype(dtype)  # (E, L + 1): the last column belongs to no word
    relevance = shares[:, :length].T.multiply(row.data).tocsr()
    relevance.sort_indices()
    ignored = row.data * shares[:, length:].toarray().sum(axis=1)
    return FeatureRelevance(row.data, row.indices, relevance, {("ngrams", "ignored"): ignored})


# ---- a bag of embeddings: a feature is a dimension of the word vectors


def _of_bag(trace: Trace, rules: Mapping[str, Rule], length: int) -> FeatureRelevance:
    lookup, bag = trace.steps[:2]
    assert isinstance(lookup, Lookup)
    assert isinstance(bag, Linear)
    assert isinstance(bag.map, WordBag)
    values, rule, ledger = bag.outputs, rules[bag.name], {}
    if is_plain_share(rule):  # (g v / z) z = g v: without the division nothing is lost where z is 0
        flows: tuple[Flow, ...] = (Flow(Part.PRODUCT, torch.ones_like(values)),)
    else:
        shares = rule.shares(bag)
        flows = tuple(Flow(part, factor * values) for part, factor in shares.flows)
        ledger = {(bag.name, cause): values * share for cause, share in shares.absorbed.items()}
    on_words = reduce(add, (bag.map.pull_dimensions(part, factor[None]) for part, factor in flows))[0, 0]
    return _of_words(values, on_words, ledger, lookup.name, lookup.grid()[0], length)


# ---- a CNN: a feature is a filter


def _of_winners(trace: Trace, rules: Mapping[str, Rule], batch: Batch, length: int) -> FeatureRelevance:
    """Max pooling: the relevance of a filter is in the one window that it chose."""
    row, column, share, ledger = [], [], [], _FilterLedger()
    for first, step, values in _convolution_steps(trace):
        assert isinstance(step.map, WinningWindows)
        shares = rules[step.name].shares(step)
        parts = (step.map.contributions(part) * factor[..., None] for part, factor in shares.flows)
        on_window = (reduce(add, parts) * values[..., None])[0]  # (F, H)
        filters, width = step.map.products.shape[1:]
        row.append((step.map.start[0].numpy()[:, None] + np.arange(width)).ravel())
        column.append(np.repeat(np.arange(first, first + filters), width))
        share.append(on_window.numpy().ravel())
        ledger.add(step.name, first, values, shares.absorbed)
    values = embedding_of(trace)
    # a text that is shorter than a window has padding after its last word
    ids = np.append(batch.text(0), 0)
    rows = np.minimum(np.concatenate(row), length)
    read = ids[rows] > 0
    columns, found = np.concatenate(column), np.concatenate(share)
    ignored = np.zeros(values.shape[1], dtype=found.dtype)
    np.add.at(ignored, columns[~read], found[~read])
    shape = (length, values.shape[1])
    relevance = sparse.csr_matrix((found[read], (rows[read], columns[read])), shape=shape)
    relevance.sort_indices()
    entries = ledger.entries(values) | {(trace.steps[0].name, "ignored"): ignored}
    return FeatureRelevance(values[0].numpy(), None, relevance, entries)


def _of_all_windows(trace: Trace, rules: Mapping[str, Rule], batch: Batch, length: int) -> FeatureRelevance:
    """Mean pooling: the relevance of a filter is in all windows, and that of a window in its words."""
    on_words, ledger = [], _FilterLedger()
    lookup = trace.steps[0]
    assert isinstance(lookup, Lookup)
    for first, step, values in _convolution_steps(trace):
        assert isinstance(step.map, WordWindows)
        mean = next(each for each in trace.steps if each.name == step.name.replace("conv", "mean"))
        assert isinstance(mean, Linear)
        pooling = rules[mean.name].shares(mean)
        of_windows = reduce(add, (mean.map.pull(p, (values * factor)[None]) for p, factor in pooling.flows))[0]
        ledger.add(mean.name, first, values, pooling.absorbed)
        shares = rules[step.name].shares(step)
        on_words.append(_words_of_windows(step.map, of_windows, shares.flows))
        absorbed = {cause: (of_windows * share).sum(dim=1) for cause, share in shares.absorbed.items()}
        ledger.add(step.name, first, torch.ones_like(values), absorbed)
    values = embedding_of(trace)
    words = torch.cat(on_words, dim=1)
    return _of_words(values, words, ledger.tensors(values), lookup.name, lookup.grid()[0], length)


def _words_of_windows(map: WordWindows, of_windows: Tensor, flows: tuple[Flow, ...]) -> Tensor:
    """The relevance (T, F) of words, given that of the windows (1, W, F) of each filter."""
    windows = of_windows.shape[1]
    found = of_windows.new_zeros((map.ids.shape[1], of_windows.shape[2]))
    for part, factor in flows:
        projections, flowing = map.projections(part), (of_windows * factor)[0]
        for offset in range(map.width):
            reached = slice(offset, offset + windows)
            found[reached] += flowing * projections[:, offset][map.ids[0, reached]]
    return found


def _convolution_steps(trace: Trace) -> Iterator[tuple[int, Linear, Tensor]]:
    """The convolutions of a CNN, each with the index of its first filter and its part of the embedding (1, F)."""
    embedding, first = embedding_of(trace), 0
    for step in trace.steps:
        if isinstance(step, Linear) and step.kind == "convolution":
            filters = step.bias.shape[-1]
            yield first, step, embedding[:, first : first + filters]
            first += filters


class _FilterLedger:
    """What the layers of all convolutions absorbed, collected for the features of all of them."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], tuple[int, Tensor]] = {}

    def add(self, step: str, first: int, values: Tensor, shares: Mapping[str, Tensor]) -> None:
        """Add the ``values`` (1, F) times the absorbed ``shares`` of the filters from number ``first`` on."""
        for cause, share in shares.items():
            self._parts[step, cause] = (first, (values * share).expand_as(values))

    def tensors(self, like: Tensor) -> dict[tuple[str, str], Tensor]:
        found = {}
        for key, (first, part) in self._parts.items():
            found[key] = torch.zeros_like(like)
            found[key][:, first : first + part.shape[1]] = part
        return found

    def entries(self, like: Tensor) -> dict[tuple[str, str], Array]:
        return {key: entry[0].numpy() for key, entry in self.tensors(like).items()}


def _of_words(
    values: Tensor, on_words: Tensor, ledger: Mapping[tuple[str, str], Tensor], lookup: str, ids: Tensor, length: int
) -> FeatureRelevance:
    """Put the relevance (T, M) of unknown words and padding into the ledger."""
    read = (ids > 0)[:, None]
    entries = {key: entry.expand_as(values)[0].numpy() for key, entry in ledger.items()}
    entries[lookup, "ignored"] = (on_words * ~read).sum(dim=0).numpy()
    return FeatureRelevance(values[0].numpy(), None, (on_words * read)[:length].numpy(), entries)
