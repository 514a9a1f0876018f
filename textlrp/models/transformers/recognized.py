"""Recognize models of Hugging Face by the names of their classes, without an import of transformers or torch."""

from __future__ import annotations


def is_hugging_face(model: object) -> bool:
    """Whether this is a model or a pipeline of transformers."""
    return has_base(model, "transformers", "PreTrainedModel") or is_pipeline(model)


def is_pipeline(model: object) -> bool:
    """Whether this is a pipeline of transformers."""
    return has_base(model, "transformers", "Pipeline")


def has_base(model: object, package: str, name: str) -> bool:
    """Whether the class of a model, or one that it inherits from, is the class ``name`` of a package."""
    return any(each.__name__ == name and each.__module__.partition(".")[0] == package for each in type(model).__mro__)
