"""Find the documents of a corpus that are most similar to a text, each with the reason.

The search is exact: it computes the embedding of every document, block by block, and keeps only the documents found.

Letters: N documents of a block, M features of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappush, heapreplace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from textlrp.arrays import Array
from textlrp.errors import OptionError, must_be
from textlrp.explainers.blocks import batches_of_block
from textlrp.explainers.similar.embedding_features import FeatureRelevance, embedding_of
from textlrp.explainers.similar.encoder_features import SentenceEmbeddings
from textlrp.explainers.similar.feature_relevance import as_comparable, feature_relevance, sparse_features
from textlrp.explainers.similar.two_texts import as_named, checked_composite, embedding_length, similarity_of
from textlrp.explainers.streams import BLOCK, as_document
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels.threads import threads_for
from textlrp.lrp.shares import Rule
from textlrp.models.abilities import batch_limits
from textlrp.models.options import check_container, is_whole
from textlrp.models.tapes import tracer
from textlrp.records import Document
from textlrp.similar_texts import Similarity
from textlrp.text.batches import Batch

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from textlrp.explainers.similar.feature_relevance import Comparable

__all__ = ["Neighbor", "nearest"]


class Neighbor(NamedTuple):
    """A document of a corpus, its position (from 0), and why it is similar to the text.

    The text is the first one of ``similarity``, the document is the second.
    """

    position: int
    document: Document
    similarity: Similarity


def nearest(
    model: Comparable | Pipeline,
    corpus: Iterable[str | Document],
    text: str | Document,
    *,
    k: int = 5,
    rule: str | Rule | Composite | None = None,
    normalize: bool = True,
    dtype: str | None = None,
) -> list[Neighbor]:
    """Return the ``k`` documents of a corpus that are most similar to a text, the most similar first.

    ``normalize=True`` ranks by the cosine; the dot product prefers long documents. Documents with the same
    similarity are in the order of the corpus. ``corpus`` may be an iterator: it is read once, in blocks, and only
    ``k`` documents are kept. All options and errors are those of :func:`textlrp.similarity`; in addition, ``k`` below
    1 raises :class:`OptionError`, and a corpus that is not a list or an iterator of texts :class:`DataError`.
    """
    comparable = as_comparable(model)
    if not (is_whole(k) and k >= 1):
        raise OptionError(must_be("k", "the number of documents to find, 1 or more", k, "Pass k=5."))
    composite = checked_composite(comparable, rule, normalize, dtype)
    query = as_named(text, "text")
    known = feature_relevance(comparable, comparable.encode([query]), composite, dtype=dtype)
    best: list[tuple[float, int, Document]] = []
    documents = (as_document(each, row) for row, each in enumerate(check_container(corpus)))
    for position, (document, score) in enumerate(_scores(comparable, documents, known, normalize, dtype)):
        entry = (score, -position, document)
        if len(best) < k:
            heappush(best, entry)
        elif entry[:2] > best[0][:2]:
            heapreplace(best, entry)
    found = [
        Neighbor(
            -position,
            document,
            similarity_of(comparable, [query, document], composite, normalize=normalize, dtype=dtype, known=known),
        )
        for _, position, document in best
    ]
    # the scores of a block differ from those of single texts in the last digits
    return sorted(found, key=lambda each: (-each.similarity.score, each.position))


def _scores(
    model: Comparable, documents: Iterator[Document], query: FeatureRelevance, normalize: bool, dtype: str | None
) -> Iterator[tuple[Document, float]]:
    """The similarity of each document with the query, computed in blocks."""
    embed = _embedder(model, dtype)
    limits = model.batch_limits if isinstance(model, SentenceEmbeddings) else batch_limits(model)
    length = embedding_length(query.values)
    while block := list(islice(documents, BLOCK)):
        encoded, scores = model.encode(block), np.zeros(len(block))
        for rows in batches_of_block(encoded.lengths, limits):
            batch = encoded.select(rows)
            with threads_for(len(rows), int(batch.lengths.max(initial=0))), torch.inference_mode(False):
                products, squares = _products(model, embed, batch, query)
            lengths = length * np.sqrt(squares)
            divisor = np.where(lengths > 0, lengths, np.inf) if normalize else 1.0
            scores[rows] = products / divisor
        yield from zip(block, scores.tolist(), strict=True)


def _embedder(model: Comparable, dtype: str | None) -> Callable[[Batch], Array]:
    """A function from a batch to its embeddings (N, M), for models whose embeddings are not sparse."""
    if isinstance(model, SentenceEmbeddings):
        return model.embeddings
    with torch.inference_mode(False):
        trace = tracer(model, dtype=dtype)
    return lambda batch: embedding_of(trace(batch)).numpy()


def _products(
    model: Comparable, embed: Callable[[Batch], Array], batch: Batch, query: FeatureRelevance
) -> tuple[Array, Array]:
    """The dot products (N,) of embeddings with the query, and with themselves, in float64."""
    if query.columns is not None:
        features = sparse_features(model, batch).astype(np.float64)
        of_query = np.zeros(features.shape[1])
        of_query[query.columns] = query.values
        return features @ of_query, np.asarray(features.power(2).sum(axis=1)).reshape(-1)
    embeddings = embed(batch).astype(np.float64)
    return embeddings @ query.values.astype(np.float64), np.einsum("nm,nm->n", embeddings, embeddings)
