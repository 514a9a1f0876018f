"""The measures of an evaluation, in the order of its page. Open it to add one.

A measure is a function of :class:`.Run` that returns plain data for ``results.json``; the section of the page that
shows the data stands under the same name in ``reports/evaluation/sections.py``. Functions are imported when a measure
is taken, so that the command line can list the names without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlrp.evaluation.running.run_state import Run

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "deletion": "running.measured_deletion:deletion",
        "eraser": "running.measured_deletion:eraser",
        "vectors": "running.measured_vectors:vectors",
        "pointing": "running.measured:pointing",
        "rationales": "running.measured:rationales",
        "words": "running.measured:words",
        "sanity": "running.measured:sanity",
        "stability": "running.measured:stability",
        "ledger": "running.measured:ledger",
    }
)
"""Each measure's name, and ``module:function`` within :mod:`textlrp.evaluation`."""


def measure_of(name: str) -> Callable[[Run], Any]:
    """The function that takes the measure ``name``, one of :data:`MEASURES`."""
    module, function = MEASURES[name].split(":")
    found: Callable[[Run], Any] = getattr(import_module(f"textlrp.evaluation.{module}"), function)
    return found
