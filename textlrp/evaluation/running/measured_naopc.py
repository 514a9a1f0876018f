"""The measure "naopc" of an evaluation: normalized AOPC of every method, with paired differences.

Letters: N documents, M documents that are measured, L words of a document that the model reads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from textlrp.arrays import Array, FloatArray
from textlrp.evaluation.aopc_scale import (
    AopcLimits,
    NormalizedAopc,
    aopc_limits,
    deletion_areas,
    normalized_areas,
    searched_documents,
)
from textlrp.evaluation.intervals import corrected_results, kept_interval, paired_difference
from textlrp.evaluation.running.measured_deletion import LONG
from textlrp.evaluation.running.plan import RANDOM, is_transformer
from textlrp.evaluation.running.run_state import EvaluationRun, progress
from textlrp.models.black_box import FunctionModel
from textlrp.models.cnn import has_winning_windows
from textlrp.models.pipeline.additive import is_additive

SEARCHED_WORDS = 50
"""Longest document, in known words, if every candidate of the beam search needs its own forward pass."""


def naopc(run: EvaluationRun) -> dict[str, Any] | None:
    """Normalized AOPC on at most ``max_documents`` documents; None for a slow model unless the plan names it."""
    if run.plan.measures is None and (is_transformer(run.model) or isinstance(run.model, FunctionModel)):
        run.notes.append(
            "Normalized AOPC: not measured, because its search takes thousands of forward passes for a document. "
            "Pass --measure naopc to measure it."
        )
        return None
    limits = _limits(run)
    noise = np.random.default_rng(run.plan.seed)
    chance = [noise.uniform(size=length) for length in run.corpus.lengths.tolist()]
    areas = {spec.title: _method_areas(run, limits, spec.title, run.relevances(spec)[0]) for spec in run.plan.methods}
    areas[RANDOM] = _method_areas(run, limits, RANDOM, chance)
    found = normalized_areas(areas, limits, seed=run.plan.seed)
    reference = run.plan.methods[0].title
    defined = np.isfinite(found[reference].comprehensiveness_values)
    return {
        "documents": int(defined.sum()),
        "left_out": int((~defined).sum()),
        "max_words": _max_words(run),
        "beam_width": run.plan.beam_width,
        "exact": int(limits.exact.sum()),
        "quantity": limits.quantity,
        "lower": float(limits.lower.mean()),
        "upper": float(limits.upper.mean()),
        "against": reference,
        "rows": _rows(found, reference, areas, limits, run.plan.seed),
    }


def _rows(
    found: Mapping[str, NormalizedAopc],
    reference: str,
    areas: Mapping[str, Sequence[FloatArray]],
    limits: AopcLimits,
    seed: int,
) -> list[dict[str, Any]]:
    differences = {}
    for title, each in found.items():
        if title != reference:
            defined = np.isfinite(each.comprehensiveness_values)
            values, others = (one.comprehensiveness_values[defined] for one in (each, found[reference]))
            differences[title] = paired_difference(values, others, seed=seed)
    entries = corrected_results(differences, "higher")
    return [
        _row(title, each, areas[title], limits) | ({"difference": entries[title]} if title in entries else {})
        for title, each in found.items()
    ]


def _row(title: str, found: NormalizedAopc, areas: Sequence[FloatArray], limits: AopcLimits) -> dict[str, Any]:
    """The row of a method: ``outside`` counts documents whose order, or its reverse, is outside the limits found."""
    outside = ~limits.exact & np.any([(each < limits.lower) | (each > limits.upper) for each in areas], axis=0)
    n_documents = int(np.isfinite(found.comprehensiveness_values).sum())
    return {
        "method": title,
        "naopc": found.comprehensiveness,
        "interval": kept_interval(found.comprehensiveness_interval, n_documents),
        "reversed": found.sufficiency,
        "reversed_interval": kept_interval(found.sufficiency_interval, n_documents),
        "aopc": float(areas[0].mean()),
        "outside": int(outside.sum()),
    }


def _max_words(run: EvaluationRun) -> int | None:
    """The longest document that is measured, in known words; None for any."""
    fast = has_winning_windows(run.model) or is_additive(run.model)
    return run.plan.max_search_words or (None if fast else SEARCHED_WORDS)


def _limits(run: EvaluationRun) -> AopcLimits:
    mask, max_words = run.sample_mask(run.plan.max_documents), _max_words(run)
    options: dict[str, Any] = {"mask": mask, "beam_width": run.plan.beam_width, "max_words": max_words}
    documents = searched_documents(run.corpus, mask=mask, max_words=max_words)

    def make() -> dict[str, Any]:
        if max_words is not None and not is_additive(run.model):
            _log_search(run, documents)
        with progress("normalized AOPC: searching for the limits", int(documents.sum())) as done:
            found = aopc_limits(run.corpus, **options, progress=done)
        return {name: getattr(found, name) for name in AopcLimits.__slots__}

    stored = run.stages.arrays(f"naopc limits {run.plan.beam_width} {max_words}", make)
    plain: dict[str, Any] = {"beam_width": int(stored["beam_width"]), "quantity": str(stored["quantity"])}
    return AopcLimits(**{**stored, **plain})


def _log_search(run: EvaluationRun, documents: Array) -> None:
    """Log about how long a search by forward passes takes, if it is minutes."""
    words = run.corpus.known[documents]
    candidates = int(run.plan.beam_width * (words.astype(np.int64) * (words + 1)).sum())
    if not candidates:
        return
    batch, _ = next(run.corpus.iter_batches(documents))
    batch = batch.select([0] * 64)
    began = time.perf_counter()
    run.model.scores(batch)
    minutes = candidates * (time.perf_counter() - began) / len(batch) / 60
    if minutes >= LONG:
        run.log(
            f"  the search scores {candidates:,} sets of words: about {minutes:,.0f} minutes. A smaller --beam-width "
            "or --beam-words takes less."
        )


def _method_areas(run: EvaluationRun, limits: AopcLimits, title: str, relevances: Sequence[Any]) -> list[FloatArray]:
    """The AOPC (M,) of the order of a method and of its reverse, as a kept stage."""

    def make() -> dict[str, Array]:
        measure = partial(deletion_areas, run.corpus, relevances, limits.documents)
        return {"first": measure(), "last": measure(most_relevant_first=False)}

    spec = next((each for each in run.plan.methods if each.title == title), None)
    name = title if spec is None else f"{spec.settings(run.model).name} {spec.settings(run.model).printed}"
    stored = run.stages.arrays(f"naopc {name} {_max_words(run)}", make)
    return [stored["first"], stored["last"]]
