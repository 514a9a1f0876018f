"""The measures "deletion" and "eraser" of an evaluation: deletion curves, comprehensiveness and sufficiency.

Letters: N documents, M documents of a protocol, S steps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from textlrp.arrays import Array
from textlrp.evaluation.deletion import (
    DELETION_PROTOCOLS,
    Protocol,
    protocol_documents,
    protocol_results,
    steps_as_in_training,
    still_correct,
)
from textlrp.evaluation.eraser import eraser_scores
from textlrp.evaluation.intervals import Better, kept_interval
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.running.compared_rows import compared_rows
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, progress
from textlrp.models.abilities import word_dropout_of
from textlrp.models.cnn import has_winning_windows

ERASER_BETTER: Mapping[str, Better] = {"comprehensiveness": "higher", "sufficiency": "lower"}

LONG = 2
"""Minutes from which the duration of word deletion is announced."""


class DocumentGroup(NamedTuple):
    """Documents that a protocol is measured on: a ``mask`` (N,), or None for all, and a name for the stages."""

    name: str
    mask: Array | None

    def select(self, relevances: Sequence[Any]) -> Sequence[Any]:
        """The relevances of the documents of the group, None for the others."""
        if self.mask is None:
            return relevances
        return [each if there else None for each, there in zip(relevances, self.mask, strict=True)]


def deletion(run: EvaluationRun) -> dict[str, Any]:
    """Deletion and insertion curves with their paired differences.

    The protocols of Arras et al. 2017 use all documents, the other protocols at most ``max_documents``. With slow
    methods, the protocols are repeated for all methods on the sample.
    """
    mask = run.sample_mask(run.plan.max_documents)
    subset = DocumentGroup("subset", mask)
    if not has_winning_windows(run.model):
        _log_duration(run, mask)
    found = []
    for protocol in run.plan.protocols:
        group = DocumentGroup("all", None) if protocol in DELETION_PROTOCOLS else subset
        found.append(_protocol(run, protocol, run.plan.methods, group))
    if run.plan.slow_methods:
        all_methods = (*run.plan.methods, *run.plan.slow_methods)
        for protocol in DELETION_PROTOCOLS:
            measured = _protocol(run, protocol, all_methods, DocumentGroup("sample", run.sampled))
            found.append(measured | {"name": f"sample-{protocol.name}", "title": f"{protocol.title} (sample)"})
        run.notes.append(
            f"{' and '.join(spec.title for spec in run.plan.slow_methods)} were measured on a sample of "
            f"{int(run.sampled.sum())} documents, drawn with seed {run.plan.seed}. The tables of the sample compare "
            "all methods on the same documents."
        )
    return {"steps": run.plan.steps, "min_words": run.plan.min_words, "protocols": found}


def _log_duration(run: EvaluationRun, subset: Array) -> None:
    """Log about how long word deletion by one forward pass for each changed text takes, if it is minutes."""
    texts = 0
    for protocol in run.plan.protocols:
        included = protocol_documents(run.corpus, protocol, run.plan.min_words)
        if protocol not in DELETION_PROTOCOLS:
            included &= subset
        words = np.minimum(run.corpus.known[included], run.plan.steps)
        texts += int((words + 1).sum()) * (len(run.plan.methods) + 1 + run.plan.n_random_orders)
    batch = run.corpus.batches[len(run.corpus.batches) // 2]
    batch = batch.select(range(min(4, len(batch))))
    began = time.perf_counter()
    run.model.scores(batch)
    minutes = texts * (time.perf_counter() - began) / len(batch) / 60
    if minutes >= LONG:
        run.log(
            f"  scores {texts:,} changed texts: about {minutes:,.0f} minutes. Fewer steps, methods or documents take "
            "less."
        )


def _protocol(
    run: EvaluationRun, protocol: Protocol, methods: Sequence[MethodSpec], group: DocumentGroup
) -> dict[str, Any]:
    correct = {spec.title: _method_correct(run, protocol, spec, group, reverse=False) for spec in methods}
    reference = methods[0]
    correct[f"{reference.title}, reversed"] = _method_correct(run, protocol, reference, group, reverse=True)
    correct[RANDOM] = _random_correct(run, protocol, group)
    results = protocol_results(protocol, correct, reference=reference.title, seed=run.plan.seed)
    included = protocol_documents(run.corpus, protocol, run.plan.min_words)
    if group.mask is not None:
        included &= group.mask
    # word dropout is deletion by the zero vector; removal and insertion change texts in other ways
    as_trained = steps_as_in_training(run.corpus.known[included], word_dropout_of(run.model))
    return results | ({"as_in_training": as_trained} if as_trained and protocol.change == "zero" else {})


def _method_correct(
    run: EvaluationRun, protocol: Protocol, spec: MethodSpec, group: DocumentGroup, *, reverse: bool
) -> Array:
    """(M, S + 1) whether predictions are correct, as a kept stage; see :func:`still_correct`."""
    settings = spec.settings(run.model)
    slow = spec in run.plan.slow_methods

    def make() -> Mapping[str, Array]:
        predicted, true_label = run.relevances(spec, sampled=slow)
        relevances = group.select(true_label if protocol.target == "true_label" else predicted)
        return {"correct": _still_correct(run, protocol, relevances, spec.title, reverse=reverse)}

    order = "reversed" if reverse else "in order"
    key = f"deletion {protocol.name} {protocol.change} {group.name} {order} {settings.name} {settings.printed}"
    correct = run.stages.arrays(key, make)["correct"]
    if spec.title not in run.seconds:
        run.relevances(spec, sampled=slow)  # reads the time of the method from the kept stage
    return correct


def _random_correct(run: EvaluationRun, protocol: Protocol, group: DocumentGroup) -> Array:
    """(M, S + 1) share of random orders for which the prediction is correct."""

    def make() -> Mapping[str, Array]:
        total: Any = 0.0
        for draw in range(run.plan.n_random_orders):
            noise = np.random.default_rng((run.plan.seed, draw))
            drawn = group.select([noise.uniform(size=length) for length in run.corpus.lengths.tolist()])
            total = total + _still_correct(run, protocol, drawn, f"random order {draw + 1}")
        return {"correct": total / run.plan.n_random_orders}

    return run.stages.arrays(f"deletion {protocol.name} {protocol.change} {group.name} random", make)["correct"]


def _still_correct(
    run: EvaluationRun, protocol: Protocol, relevances: Sequence[Any], title: str, *, reverse: bool = False
) -> Array:
    included = protocol_documents(run.corpus, protocol, run.plan.min_words)
    with progress(f"{title}: {protocol.title}", int(included.sum())) as done:
        return still_correct(
            run.corpus,
            protocol,
            relevances,
            steps=run.plan.steps,
            min_words=run.plan.min_words,
            reverse=reverse,
            progress=done,
        )


def eraser(run: EvaluationRun) -> list[dict[str, Any]]:
    """Comprehensiveness and sufficiency of every method that is not slow, on at most ``max_documents`` documents."""
    mask = run.sample_mask(run.plan.max_documents)
    noise = np.random.default_rng(run.plan.seed)
    chance = [noise.uniform(size=length) for length in run.corpus.lengths.tolist()]
    kept = [
        run.stages.plain(
            f"eraser with values {spec.settings(run.model).printed} {spec.title}",
            partial(_eraser_row_of, run, spec, mask),
        )
        for spec in run.plan.methods
    ]
    kept.append(run.stages.plain("eraser with values random", lambda: _eraser_row(run, RANDOM, chance, mask)))
    values = {name: [each["values"][name] for each in kept] for name in ERASER_BETTER}
    return compared_rows([each["row"] for each in kept], values, ERASER_BETTER, run.plan.seed)


def _eraser_row_of(run: EvaluationRun, spec: MethodSpec, mask: Array) -> dict[str, Any]:
    return _eraser_row(run, spec.title, run.relevances(spec)[0], mask)


def _eraser_row(run: EvaluationRun, title: str, relevances: Sequence[Any], mask: Array) -> dict[str, Any]:
    found = eraser_scores(run.corpus, relevances, mask=mask, seed=run.plan.seed)
    documents = len(found.comprehensiveness_values)
    row = {
        "method": title,
        "comprehensiveness": found.comprehensiveness,
        "comprehensiveness_interval": kept_interval(found.comprehensiveness_interval, documents),
        "sufficiency": found.sufficiency,
        "sufficiency_interval": kept_interval(found.sufficiency_interval, documents),
        "quantity": found.quantity,
        "documents": documents,
    }
    values = {
        "comprehensiveness": found.comprehensiveness_values.tolist(),
        "sufficiency": found.sufficiency_values.tolist(),
    }
    return {"row": row, "values": values}
