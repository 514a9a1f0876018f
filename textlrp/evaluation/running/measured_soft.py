"""The measure "soft" of an evaluation: soft comprehensiveness and sufficiency of every method.

Letters: N documents, L words of a document that the model reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from textlrp.arrays import FloatArray
from textlrp.evaluation.intervals import corrected_results, kept_interval, paired_difference
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, progress
from textlrp.evaluation.soft_masks import DRAWS, soft_erasure

SOFT_DOCUMENTS = 100
"""The largest number of documents: each draw takes a complete forward pass."""

_MEASURED = ("comprehensiveness", "sufficiency")


def soft(run: EvaluationRun) -> dict[str, Any]:
    """Soft comprehensiveness and sufficiency of every method that is not slow, and of random relevance."""
    rows = []
    for spec in (*run.plan.methods, None):
        settings = None if spec is None else spec.settings(run.model)
        name = RANDOM if settings is None else f"{settings.name} {settings.printed}"
        found = run.stages.plain(f"soft {name}", partial(_soft_row, run, spec))
        rows.append({"method": RANDOM if spec is None else spec.title, **found})
    values = [{name: np.array(row.pop(f"{name}_values"), dtype=np.float64) for name in _MEASURED} for row in rows]
    entries = {
        name: corrected_results(
            {
                row["method"]: paired_difference(*_both(own[name], values[0][name]), seed=run.plan.seed)
                for row, own in zip(rows[1:], values[1:], strict=True)
            },
            "higher",
        )
        for name in _MEASURED
    }
    for row in rows[1:]:
        row["differences"] = {name: entries[name][row["method"]] for name in _MEASURED}
    return {"draws": DRAWS, "against": rows[0]["method"], "rows": rows}


def _both(own: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    defined = np.isfinite(own) & np.isfinite(other)
    return own[defined], other[defined]


def _soft_row(run: EvaluationRun, spec: MethodSpec | None) -> dict[str, Any]:
    """The values of a method, or of random relevance if ``spec`` is None."""
    mask = run.sample_mask(min(SOFT_DOCUMENTS, run.plan.max_documents))
    noise = np.random.default_rng(run.plan.seed)
    relevances: Sequence[Any] = (
        [noise.uniform(size=length) for length in run.corpus.lengths.tolist()]
        if spec is None
        else run.relevances(spec)[0]
    )
    title = RANDOM if spec is None else spec.title
    with progress(f"{title}: soft comprehensiveness and sufficiency", int(mask.sum())) as done:
        found = soft_erasure(run.corpus, relevances, mask=mask, seed=run.plan.seed, progress=done)
    plain: dict[str, Any] = found._asdict()
    for name in _MEASURED:
        n_documents = int(np.isfinite(plain[f"{name}_values"][mask]).sum())
        plain[f"{name}_interval"] = kept_interval(plain[f"{name}_interval"], n_documents)
        # JSON has no nan
        plain[f"{name}_values"] = [float(v) if np.isfinite(v) else None for v in plain[f"{name}_values"][mask]]
    return plain
