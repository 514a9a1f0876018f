"""The measure "vectors" of an evaluation: k-nearest-neighbor accuracy on document vectors, and maps of documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.errors import DataError, ModelError
from textlrp.evaluation.docvectors import (
    WEIGHTINGS,
    document_vectors,
    map_positions_of,
    weightings_of,
)
from textlrp.evaluation.intervals import paired_differences
from textlrp.evaluation.neighbor_accuracy import explanatory_power
from textlrp.evaluation.running.run_state import EvaluationRun, as_sentence, progress
from textlrp.lrp.presets import as_composite
from textlrp.models.abilities import default_rule


def vectors(run: EvaluationRun) -> dict[str, Any]:
    """The explanatory power index (EPI) of every weighting, and maps of the documents for LRP and uniform weights.

    Each weighting is compared with TF-IDF, which needs no explanation. All weightings have the same splits.
    """
    if not run.corpus.known.any():
        raise DataError("no document has a word in the model's vocabulary. Check the corpus and its language.")
    labels = [str(document.label) for document in run.documents]
    composite = as_composite(run.plan.methods[0].rule or default_rule(run.model))
    rows, maps, values = [], [], {}
    names = weightings_of(run.model)
    if not names:
        raise ModelError(f"a {type(run.model).__name__} has no word vectors that do not depend on the text.")
    for weighting in names:
        has_map = weighting in (names[0], "uniform")

        def make(weighting: Any = weighting, has_map: bool = has_map) -> dict[str, Any]:
            with progress(f"document vectors, {WEIGHTINGS[weighting]}", len(run.corpus)) as done:
                vectors = document_vectors(run.corpus, weighting, composite=composite, progress=done)
            power = explanatory_power(vectors, labels, seed=run.plan.seed)
            row = {
                "weighting": WEIGHTINGS[weighting],
                "epi": power.epi,
                "sd": power.sd,
                "k": power.k,
                "neighbors": list(power.neighbors),
                "accuracy": power.accuracy.tolist(),
                "accuracy_sd": power.accuracy_sd.tolist(),
            }
            found: dict[str, Any] = {"row": row, "values": power.values.tolist()}
            if not has_map:
                return found
            try:
                return found | {"map": _map(WEIGHTINGS[weighting], vectors, labels)}
            except DataError as reason:
                return found | {
                    "no map": f"Map of the documents, {WEIGHTINGS[weighting]}: not drawn. {as_sentence(reason)}",
                }

        done = run.stages.plain(f"vectors with contributions {weighting} {composite!r}", make)
        rows.append(done["row"])
        values[done["row"]["weighting"]] = done["values"]
        if done.get("map"):
            maps.append(done["map"])
        if "no map" in done:
            run.notes.append(done["no map"])
    compared = paired_differences(values, reference=WEIGHTINGS["tfidf"], better="higher", seed=run.plan.seed)
    rows = [
        row | ({"differences": {"epi": compared[name]}} if (name := row["weighting"]) in compared else {})
        for row in rows
    ]
    return {"splits": 10, "against": WEIGHTINGS["tfidf"], "rows": rows, "maps": maps}


def _map(title: str, vectors: Any, labels: Sequence[str]) -> dict[str, Any]:
    drawn = map_positions_of(vectors)
    return {
        "weighting": title,
        "x": np.round(drawn.coordinates[:, 0], 4).tolist(),
        "y": np.round(drawn.coordinates[:, 1], 4).tolist(),
        "group": [label.split(".")[0] for label in labels],
        "explained": list(drawn.explained_variance_ratio),
    }
