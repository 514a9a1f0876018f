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
        "naopc": "running.measured_naopc:naopc",
        "soft": "running.measured_soft:soft",
        "vectors": "running.measured_vectors:vectors",
        "pointing": "running.measured:pointing",
        "rationales": "running.measured:rationales",
        "words": "running.measured:words",
        "sanity": "running.measured_sanity:sanity",
        "cascade": "running.measured_sanity:cascade",
        "stability": "running.measured:stability_across_models",
        "ledger": "running.measured:ledger",
        "errors": "running.measured_errors:errors",
        "planted-errors": "running.measured_errors:planted_errors",
        "planted": "running.measured_planted:planted",
        "roar": "running.measured_roar:roar",
    }
)
"""The name of each measure, and its ``module:function`` within :mod:`textlrp.evaluation`."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "deletion": "word deletion",
        "eraser": "comprehensiveness and sufficiency",
        "naopc": "normalized AOPC",
        "soft": "soft comprehensiveness and sufficiency",
        "vectors": "document vectors",
        "pointing": "pointing game",
        "rationales": "agreement with human rationales",
        "words": "most relevant words of each class",
        "sanity": "sanity check (randomized weights)",
        "cascade": "cascading randomization",
        "stability": "stability across models",
        "ledger": "score breakdown",
        "errors": "likely label errors",
        "planted-errors": "planted label errors",
        "planted": "planted shortcuts",
        "roar": "recursive ROAR",
    }
)
"""What progress lines and notes call each measure."""


RETRAINING = ("planted", "roar", "planted-errors")
"""The measures that train models, which can take hours."""

ON_REQUEST = ("cascade", *RETRAINING)
"""The measures that are computed only if they are named: slow, or replaced by better ones."""

ONE_LABEL_ONLY = ("deletion", "vectors", "pointing", "errors", *RETRAINING)
"""The measures that need one true label for each document, and so do not apply to multi-label models."""


def measure_of(name: str) -> Callable[[EvaluationRun], Any]:
    """The function that computes the measure ``name``, one of :data:`MEASURES`."""
    module, function = MEASURES[name].split(":")
    found: Callable[[EvaluationRun], Any] = getattr(import_module(f"textlrp.evaluation.{module}"), function)
    return found
