"""The table of measures, in the order of the evaluation page. Open it to add a measure.

A measure is a function of :class:`.EvaluationRun` that returns plain data for ``results.json``. The section of the
page that shows the data has the same name in ``reports/evaluation/sections.py``. A function is imported only when its
measure is computed, so that the command line can list the names without importing torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlrp.evaluation.running.run_state import EvaluationRun

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "deletion": "running.measured_deletion:deletion",
        "eraser": "running.measured_deletion:eraser",
        "vectors": "running.measured_vectors:vectors",
        "pointing": "running.measured:pointing",
        "rationales": "running.measured:rationales",
        "words": "running.measured:words",
        "sanity": "running.measured:sanity",
        "stability": "running.measured:stability_across_models",
        "ledger": "running.measured:ledger",
        "planted": "running.measured_planted:planted",
        "roar": "running.measured_roar:roar",
    }
)
"""The name of each measure, and its ``module:function`` within :mod:`textlrp.evaluation`."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "deletion": "word deletion",
        "eraser": "comprehensiveness and sufficiency",
        "vectors": "document vectors",
        "pointing": "pointing game",
        "rationales": "agreement with human rationales",
        "words": "most relevant words of each class",
        "sanity": "sanity check (randomized weights)",
        "stability": "stability across models",
        "ledger": "score breakdown",
        "planted": "planted shortcuts",
        "roar": "recursive ROAR",
    }
)
"""What progress lines and notes call each measure."""


RETRAINING = ("planted", "roar")
"""The measures that train models, which can take hours; they are measured only if they are named."""

ONE_LABEL_ONLY = ("deletion", "vectors", "pointing", *RETRAINING)
"""The measures that need one true label for each document, and so do not apply to multi-label models."""


def measure_of(name: str) -> Callable[[EvaluationRun], Any]:
    """The function that computes the measure ``name``, one of :data:`MEASURES`."""
    module, function = MEASURES[name].split(":")
    found: Callable[[EvaluationRun], Any] = getattr(import_module(f"textlrp.evaluation.{module}"), function)
    return found
