"""The embeddings of a sentence encoder, and the relevance of words for each of their numbers.

The encoder gets the identity as its linear head, so that its scores are the embedding. The fast engine then
propagates all numbers of an embedding in one pass, or the recorded trace for a rule that the engine lacks.

Letters: N texts, L words that the model reads, D dimensions of an embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from textlrp.arrays import Array
from textlrp.explainers.similar.embedding_features import FeatureRelevance
from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import Zero
from textlrp.lrp.trace import propagate
from textlrp.models.abilities import BatchLimits, fast_passes
from textlrp.models.encoders.encoder_classifier import EncoderClassifier
from textlrp.models.encoders.encoder_model import EncoderModel, encoder_model
from textlrp.models.encoders.linear_heads import EncoderHead
from textlrp.models.encoders.pooled_encoder import EncoderScores, linear_layer
from textlrp.models.encoders.sentence_encoder import encoder_of
from textlrp.models.options import TextInputs
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.transformers.recognized import model_inside
from textlrp.text.batches import Batch


@dataclass(frozen=True, slots=True, eq=False)
class SentenceEmbeddings:
    """A sentence encoder that can be compared: ``reader`` reads texts, the scores of ``encoder`` are embeddings."""

    reader: EncoderClassifier | EncoderModel
    encoder: EncoderModel

    @property
    def fingerprint_(self) -> str:
        """The fingerprint of the model that reads the texts."""
        return self.reader.fingerprint_

    @property
    def default_rule(self) -> str:
        """The rule if none is named."""
        return self.reader.default_rule

    @property
    def max_texts_per_trace(self) -> int:
        """Largest number of texts in one trace."""
        return self.reader.max_texts_per_trace

    @property
    def batch_limits(self) -> BatchLimits:
        """The largest batch that is embedded together."""
        return self.reader.batch_limits

    def encode(self, texts: TextInputs) -> Batch:
        """Convert texts to words and pieces."""
        return self.reader.encode(texts)

    def embeddings(self, batch: Batch) -> Array:
        """Return the embeddings (N, D) of a batch."""
        return self.encoder.scores(batch)

    def relevance(self, batch: Batch, composite: Composite, dtype: str | None) -> FeatureRelevance:
        """Return the embedding of the only text of a batch, and the relevance of its words for each number of it."""
        make = fast_passes(self.encoder, composite, dtype)
        passed = None if make is None else make(batch)
        if passed is None:
            trace = self.encoder.trace(batch, dtype=dtype)
            values = trace.scores
            # the identity is not a layer of the model: whatever the rule is, nothing is absorbed there
            rules = Composite({**composite.layers, "output": Zero()}, default=composite.default)
            found = propagate(trace, rules, torch.diag(values[0])[:, None])
        else:
            values = passed.scores
            found = passed.propagate(torch.diag(values[0])[:, None])
        relevance = found.relevance[:, 0, : int(batch.lengths[0])].T.numpy()
        ledger = {key: entry[:, 0].numpy() for key, entry in found.ledger.items()}
        return FeatureRelevance(values[0].numpy(), None, np.ascontiguousarray(relevance), ledger)


def sentence_embeddings(model: EncoderClassifier | EncoderModel) -> SentenceEmbeddings:
    """Return the embeddings of a model with a sentence encoder and a linear head."""
    built = model.encoder_model() if isinstance(model, EncoderClassifier) else model
    module: Any = built.module
    count = module.output.weight.shape[1]
    weight = torch.eye(count, dtype=module.output.weight.dtype)
    head = _identity_head(count)
    scores = EncoderScores(module.encoder, linear_layer(weight, weight.new_zeros(count)))
    return SentenceEmbeddings(model, EncoderModel(scores, built.reader, head, together=built.together))


def embeddings_without_head(model: Any) -> SentenceEmbeddings:
    """Return the embeddings of a bare ``SentenceTransformer``; raises :class:`ModelError` if it is not supported."""
    encoder = encoder_of(model_inside(model))
    check_module(encoder.module)
    built = encoder_model(encoder, _identity_head(encoder.dimensions))
    return SentenceEmbeddings(built, built)


def _identity_head(count: int) -> EncoderHead:
    return EncoderHead(np.arange(count), np.eye(count), np.zeros(count))
