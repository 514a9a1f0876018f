"""The measures that take words away: curves of word deletion, comprehensiveness and sufficiency.

Letters: N documents, M documents of a protocol, S steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from textlrp.arrays import Array
from textlrp.evaluation.deletion import (
    PROTOCOLS,
    Protocol,
    documents_of,
    protocol_results,
    still_correct,
)
from textlrp.evaluation.eraser import eraser_scores
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, progress


class DocumentGroup(NamedTuple):
    """Some of the documents (N,), or all, under the name that stages give them."""

    name: str
    documents: Array | None

    def of(self, relevances: Sequence[Any]) -> Sequence[Any]:
        """Those of its documents, None for the others."""
        if self.documents is None:
            return relevances
        return [each if there else None for each, there in zip(relevances, self.documents, strict=True)]


def deletion(run: EvaluationRun) -> dict[str, Any]:
    """Curves and differences: the paper's protocols on all documents, others on a part of them.

    Slow methods are measured on the sample, beside the others there.
    """
    part = DocumentGroup("part", run.some_rows(run.plan.smaller))
    found = []
    for protocol in run.plan.protocols:
        where = DocumentGroup("all", None) if protocol in PROTOCOLS else part
        found.append(_protocol(run, protocol, run.plan.methods, where))
    if run.plan.slow:
        every = (*run.plan.methods, *run.plan.slow)
        for protocol in PROTOCOLS:
            measured = _protocol(run, protocol, every, DocumentGroup("sample", run.sampled))
            found.append(measured | {"name": f"sample-{protocol.name}", "title": f"{protocol.title} (a sample)"})
        run.notes.append(
            f"{' and '.join(spec.title for spec in run.plan.slow)} were measured on {int(run.sampled.sum())} "
            f"documents drawn with seed {run.plan.seed}, the other methods there on the same ones."
        )
    return {"steps": run.plan.steps, "min_words": run.plan.min_words, "protocols": found}


def _protocol(
    run: EvaluationRun, protocol: Protocol, methods: Sequence[MethodSpec], part: DocumentGroup
) -> dict[str, Any]:
    rights = {spec.title: _still_right(run, protocol, spec, part, reverse=False) for spec in methods}
    reference = methods[0]
    rights[f"{reference.title}, reversed"] = _still_right(run, protocol, reference, part, reverse=True)
    rights[RANDOM] = _random(run, protocol, part)
    return protocol_results(protocol, rights, reference=reference.title, seed=run.plan.seed)


def _still_right(
    run: EvaluationRun, protocol: Protocol, spec: MethodSpec, part: DocumentGroup, *, reverse: bool
) -> Array:
    settings = spec.settings(run.model)
    slow = spec in run.plan.slow

    def make() -> Mapping[str, Array]:
        predicted, true_label = run.relevances(spec, sampled=slow)
        relevances = part.of(true_label if protocol.target == "true_label" else predicted)
        return {"right": _still_correct(run, protocol, relevances, spec.title, reverse=reverse)}

    order = "reversed" if reverse else "in order"
    key = f"deletion {protocol.name} {protocol.change} {part.name} {order} {settings.name} {settings.printed}"
    right = run.stages.arrays(key, make)["right"]
    if spec.title not in run.seconds:
        run.relevances(spec, sampled=slow)  # for its time alone: it is there already
    return right


def _random(run: EvaluationRun, protocol: Protocol, part: DocumentGroup) -> Array:
    """(M, S + 1) the mean over random orders."""

    def make() -> Mapping[str, Array]:
        total: Any = 0.0
        for draw in range(run.plan.draws):
            noise = np.random.default_rng((run.plan.seed, draw))
            drawn = part.of([noise.uniform(size=length) for length in run.corpus.lengths.tolist()])
            total = total + _still_correct(run, protocol, drawn, f"random order {draw + 1}")
        return {"right": total / run.plan.draws}

    return run.stages.arrays(f"deletion {protocol.name} {protocol.change} {part.name} random", make)["right"]


def _still_correct(
    run: EvaluationRun, protocol: Protocol, relevances: Sequence[Any], title: str, *, reverse: bool = False
) -> Array:
    wanted = documents_of(run.corpus, protocol, run.plan.min_words)
    with progress(f"{title}: {protocol.title}", int(wanted.sum())) as done:
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
    """Comprehensiveness and sufficiency of every quick method, on a part of the corpus."""
    wanted = run.some_rows(run.plan.smaller)
    noise = np.random.default_rng(run.plan.seed)
    chance = [noise.uniform(size=length) for length in run.corpus.lengths.tolist()]
    rows = [
        run.stages.plain(
            f"eraser {spec.settings(run.model).printed} {spec.title}",
            partial(_eraser_row_of, run, spec, wanted),
        )
        for spec in run.plan.methods
    ]
    return [*rows, run.stages.plain("eraser random", lambda: _eraser_row(run, RANDOM, chance, wanted))]


def _eraser_row_of(run: EvaluationRun, spec: MethodSpec, wanted: Array) -> dict[str, Any]:
    return _eraser_row(run, spec.title, run.relevances(spec)[0], wanted)


def _eraser_row(run: EvaluationRun, title: str, relevances: Sequence[Any], wanted: Array) -> dict[str, Any]:
    found = eraser_scores(run.corpus, relevances, wanted=wanted, seed=run.plan.seed)
    return {
        "method": title,
        "comprehensiveness": found.comprehensiveness,
        "comprehensiveness_interval": list(found.comprehensiveness_interval),
        "sufficiency": found.sufficiency,
        "sufficiency_interval": list(found.sufficiency_interval),
        "of": found.of,
        "documents": len(found.comprehensive),
    }
