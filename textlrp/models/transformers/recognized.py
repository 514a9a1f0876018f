"""Recognize models of Hugging Face by the names of their classes, without an import of transformers or torch."""

from __future__ import annotations


def is_hugging_face(model: object) -> bool:
    """Whether this is a model or a pipeline of transformers."""
    return _has_base(model, "PreTrainedModel") or is_pipeline(model)


def is_pipeline(model: object) -> bool:
    """Whether this is a pipeline of transformers."""
    return _has_base(model, "Pipeline")


def _has_base(model: object, name: str) -> bool:
    return any(each.__name__ == name and each.__module__.startswith("transformers.") for each in type(model).__mro__)
