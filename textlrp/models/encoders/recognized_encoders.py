"""Recognize sentence encoders by the names of their classes, without an import of their packages or of torch."""

from __future__ import annotations


def is_encoder(model: object) -> bool:
    """Whether this is a ``SentenceTransformer`` or a ``SetFitModel``."""
    return is_sentence_transformer(model) or is_setfit(model)


def is_sentence_transformer(model: object) -> bool:
    """Whether this is a ``SentenceTransformer``."""
    return _has_base(model, "sentence_transformers", "SentenceTransformer")


def is_setfit(model: object) -> bool:
    """Whether this is a ``SetFitModel``."""
    return _has_base(model, "setfit", "SetFitModel")


def _has_base(model: object, package: str, name: str) -> bool:
    return any(each.__name__ == name and each.__module__.partition(".")[0] == package for each in type(model).__mro__)
