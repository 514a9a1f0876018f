"""Optional abilities of a :class:`.Classifier`, asked for in one place: a model that lacks one gets the usual answer."""

from __future__ import annotations

from textlrp.models.classifier import Classifier
from textlrp.text.batches import Batch


def default_rule(model: Classifier) -> str:
    """Return the name of the rule that explains a model if the user names none."""
    name: str = getattr(model, "default_rule", "epsilon")
    return name


def notes_of_text(model: Classifier, batch: Batch, n: int) -> tuple[str, ...]:
    """Return sentences on how the model read text ``n`` of a batch, for the notes of its explanation."""
    notes = getattr(model, "notes", None)
    return () if notes is None else tuple(notes(batch, n))
