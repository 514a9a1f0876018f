"""Recognize sentence encoders by the names of their classes, without an import of their packages or of torch."""

from __future__ import annotations

from textlrp.models.transformers.recognized import has_base, model_inside


def is_encoder(model: object) -> bool:
    """Whether this is a ``SentenceTransformer`` or a ``SetFitModel``."""
    return is_sentence_transformer(model) or is_setfit(model)


def is_sentence_transformer(model: object) -> bool:
    """Whether this is a ``SentenceTransformer``, perhaps compiled."""
    return has_base(model_inside(model), "sentence_transformers", "SentenceTransformer")


def is_setfit(model: object) -> bool:
    """Whether this is a ``SetFitModel``."""
    return has_base(model, "setfit", "SetFitModel")
