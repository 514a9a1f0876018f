"""The relevance of the words of one text for each feature of its embedding.

The embedding of a text is the input of the last layer of its model: TF-IDF features, a weighted sum of word vectors,
pooled filters, or a sentence embedding. LRP propagates each feature by itself to the words (Eberle et al. 2020,
section 3). Open this module to make another kind of model comparable.

Letters: L words that the model reads, M features, F filters, H window width, D embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from textlrp.arrays import Array, IntArray
from textlrp.errors import ModelError
from textlrp.explainers.similar.embedding_features import FeatureRelevance, words_and_ignored
from textlrp.explainers.similar.encoder_features import (
    SentenceEmbeddings,
    embeddings_without_head,
    sentence_embeddings,
)
from textlrp.explainers.similar.filter_relevance import windows_relevance, winners_relevance
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels.threads import threads_for
from textlrp.lrp.maps import WordBag
from textlrp.lrp.rules import is_plain_share
from textlrp.lrp.shares import Flow, Part, Rule
from textlrp.lrp.trace import Trace, layers_of
from textlrp.lrp.trace_steps import Linear, Lookup, Routing
from textlrp.models.adapt import without_options
from textlrp.models.boe import BagOfEmbeddingsClassifier
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.models.cnn import CNNClassifier
from textlrp.models.encoders.encoder_classifier import EncoderClassifier
from textlrp.models.encoders.encoder_model import EncoderModel
from textlrp.models.encoders.recognized_encoders import is_sentence_transformer
from textlrp.models.feature_shares import FeaturesToWords
from textlrp.text.batches import Batch

if TYPE_CHECKING:
    from textlrp.models.pipeline.pipeline_model import PipelineModel

    Comparable = BagOfWordsClassifier | BagOfEmbeddingsClassifier | CNNClassifier | PipelineModel | SentenceEmbeddings
    """The models whose texts can be compared."""

_EMBEDDINGS = {"svm": "TF-IDF features", "boe": "TF-IDF-weighted sum of word vectors", "cnn": "pooled filters"}
"""What the embedding of a text consists of, by kind of model."""


def as_comparable(model: object) -> Comparable:
    """Return the model; raise :class:`ModelError` if the texts of such a model cannot be compared."""
    if isinstance(model, (BagOfWordsClassifier, BagOfEmbeddingsClassifier, CNNClassifier)):
        model.check_fitted()
        return model
    if isinstance(model, (EncoderClassifier, EncoderModel)):
        return sentence_embeddings(model)
    if is_sentence_transformer(model):
        return embeddings_without_head(model)
    found = _pipeline_of(model)
    if found is not None:
        return found
    raise ModelError(
        "similarity is available for textlrp's classifiers, for a scikit-learn Pipeline that reads texts, and for a "
        f"SentenceTransformer; got a {type(model).__name__}. Train one of these, or load a bundled model."
    )


def _pipeline_of(model: object) -> PipelineModel | None:
    """A pipeline of scikit-learn that reads texts; None for other models."""
    from sklearn.base import BaseEstimator  # imported late: textlrp's own classifiers do not need scikit-learn

    from textlrp.models.pipeline.pipeline_model import PipelineModel

    found = without_options(model) if isinstance(model, BaseEstimator) else model
    if isinstance(found, PipelineModel) and not found.inputs.text_columns:
        return found
    return None


def embedding_name(model: Comparable) -> str:
    """Return what the embedding of a text consists of, in words."""
    if isinstance(model, SentenceEmbeddings):
        return "sentence embedding"
    return _EMBEDDINGS.get(getattr(model, "kind", ""), "features of the vectorizers")


def feature_relevance(
    model: Comparable, batch: Batch, composite: Composite, *, dtype: str | None = None
) -> FeatureRelevance:
    """Return the embedding of the only text of a batch, and the relevance of its words for each feature.

    ``composite`` gives the rule of each layer before the embedding. Raises :class:`RuleError` if it does not fit.
    """
    length = int(batch.lengths[0])
    if isinstance(model, SentenceEmbeddings):
        with torch.inference_mode(False):
            return model.relevance(batch, composite, dtype)
    with torch.inference_mode(False), threads_for(1, length):
        trace = model.trace(batch, dtype=dtype)
        rules = _rules_of(trace, composite)
        if isinstance(model, BagOfWordsClassifier):
            return _of_ngrams(trace, np.asarray(sparse_features(model, batch).indices), length)
        if isinstance(model, BagOfEmbeddingsClassifier):
            return _of_bag(trace, rules, length)
        if isinstance(model, CNNClassifier):
            return (winners_relevance if model.pooling == "max" else windows_relevance)(trace, rules, batch, length)
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
    from textlrp.models.pipeline.pipeline_inputs import checked_batch  # imported late, as scikit-learn is

    read = checked_batch(batch)
    row = read.features[[0]].astype(dtype)
    shares = model.inputs.shares(read)[0].astype(dtype)  # (E, L + 1): the last column belongs to no word
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
    return words_and_ignored(values, on_words, ledger, lookup.name, lookup.grid()[0], length)
