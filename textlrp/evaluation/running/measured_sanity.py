"""The measures "sanity" and "cascade" of an evaluation: explanations of the model with randomized weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from textlrp.evaluation.complexity_rise import efficient_mprt
from textlrp.evaluation.intervals import corrected_results, kept_interval, paired_difference
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.randomizing import randomizable
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun
from textlrp.evaluation.sanity import randomization_check
from textlrp.explainers.methods import Random

SANITY_DOCUMENTS = 100
"""The largest number of documents that are explained with randomized weights."""


def sanity(run: EvaluationRun) -> dict[str, Any]:
    """Efficient model parameter randomization test of every method that is not slow, and of random relevance."""
    randomizable(run.model)  # raises before anything is explained
    documents = run.sample(min(SANITY_DOCUMENTS, run.plan.max_documents))
    values, rows = {}, []
    for spec in (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed))):
        settings = spec.settings(run.model)

        def make(spec: MethodSpec = spec) -> dict[str, Any]:
            run.log(f"  {spec.title}: {len(documents):,} documents, with the weights of the model and randomized")
            found = efficient_mprt(run.model, documents, method=spec.method, rule=spec.rule, seed=run.plan.seed)
            # JSON has no nan
            listed = [float(value) if np.isfinite(value) else None for value in found.values]
            return {**found._asdict(), "interval": kept_interval(found.interval, found.n_documents), "values": listed}

        kept = run.stages.plain(f"sanity by complexity {settings.name} {settings.printed}", make)
        values[spec.title] = np.array(kept.pop("values"), dtype=np.float64)
        rows.append({"method": spec.title, **kept})
    reference = run.plan.methods[0].title
    differences = {}
    for title, ours in values.items():
        if title != reference:
            both = np.isfinite(ours) & np.isfinite(values[reference])
            differences[title] = paired_difference(ours[both], values[reference][both], seed=run.plan.seed)
    entries = corrected_results(differences, "higher")
    for row in rows:
        if row["method"] in entries:
            row["difference"] = entries[row["method"]]
    return {"documents": rows[0]["n_documents"], "against": reference, "rows": rows}


def cascade(run: EvaluationRun) -> dict[str, Any]:
    """Rank correlation under cascading randomization, of the reference method."""
    documents, spec = run.sample(min(SANITY_DOCUMENTS, run.plan.max_documents)), run.plan.methods[0]
    found = randomization_check(run.model, documents, method=spec.method, rule=spec.rule, seed=run.plan.seed)
    rows = [
        {
            "layer": each.layer,
            "rank_correlation": each.rank_correlation,
            "interval": kept_interval(each.interval, each.n_documents),
        }
        for each in found
    ]
    return {"documents": found[0].n_documents, "rows": rows}
