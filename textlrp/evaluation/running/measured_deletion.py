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
    still_right,
)
from textlrp.evaluation.eraser import eraser_scores
from textlrp.evaluation.measured_corpus import Asked
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import Run, progress


class Part(NamedTuple):
    """Some of the documents (N,), or all, under the name that stages give them."""

    name: str
    documents: Array | None

    def of(self, relevances: Sequence[Any]) -> Sequence[Any]:
        """Those of its documents, None for the others."""
        if self.documents is None:
            return relevances
        return [each if there else None for each, there in zip(relevances, self.documents, strict=True)]


def deletion(run: Run) -> dict[str, Any]:
    """Curves and differences: the paper's protocols on all documents, others on a part of them.

    Slow methods are measured on the sample, beside the others there.
    """
    part = Part("part", run.some_rows(run.plan.smaller))
    found = []
    for protocol in run.plan.protocols:
        where = Part("all", None) if protocol in PROTOCOLS else part
        found.append(_protocol(run, protocol, run.plan.methods, where))
    if run.plan.slow:
        every = (*run.plan.methods, *run.plan.slow)
        for protocol in PROTOCOLS:
            measured = _protocol(run, protocol, every, Part("sample", run.sampled))
            found.append(measured | {"name": f"sample-{protocol.name}", "title": f"{protocol.title} (a sample)"})
        run.notes.append(
            f"{' and '.join(asked.title for asked in run.plan.slow)} were measured on {int(run.sampled.sum())} "
            f"documents drawn with seed {run.plan.seed}, the other methods there on the same ones."
        )
    return {"steps": run.plan.steps, "at_least": run.plan.at_least, "protocols": found}


def _protocol(run: Run, protocol: Protocol, methods: Sequence[Asked], part: Part) -> dict[str, Any]:
    rights = {asked.title: _still_right(run, protocol, asked, part, reverse=False) for asked in methods}
    reference = methods[0]
    rights[f"{reference.title}, reversed"] = _still_right(run, protocol, reference, part, reverse=True)
    rights[RANDOM] = _random(run, protocol, part)
    return protocol_results(protocol, rights, reference=reference.title, seed=run.plan.seed)


def _still_right(run: Run, protocol: Protocol, asked: Asked, part: Part, *, reverse: bool) -> Array:
    how = asked.how(run.model)
    slow = asked in run.plan.slow

    def make() -> Mapping[str, Array]:
        predicted, gold = run.relevances(asked, sampled=slow)
        relevances = part.of(gold if protocol.target == "gold" else predicted)
        return {"right": _walk(run, protocol, relevances, asked.title, reverse=reverse)}

    order = "reversed" if reverse else "in order"
    key = f"deletion {protocol.name} {protocol.change} {part.name} {order} {how.name} {how.printed}"
    right = run.stages.arrays(key, make)["right"]
    if asked.title not in run.seconds:
        run.relevances(asked, sampled=slow)  # for its time alone: it is there already
    return right


def _random(run: Run, protocol: Protocol, part: Part) -> Array:
    """(M, S + 1) the mean over random orders."""

    def make() -> Mapping[str, Array]:
        total: Any = 0.0
        for draw in range(run.plan.draws):
            noise = np.random.default_rng((run.plan.seed, draw))
            drawn = part.of([noise.uniform(size=length) for length in run.corpus.lengths.tolist()])
            total = total + _walk(run, protocol, drawn, f"random order {draw + 1}")
        return {"right": total / run.plan.draws}

    return run.stages.arrays(f"deletion {protocol.name} {protocol.change} {part.name} random", make)["right"]


def _walk(run: Run, protocol: Protocol, relevances: Sequence[Any], title: str, *, reverse: bool = False) -> Array:
    wanted = documents_of(run.corpus, protocol, run.plan.at_least)
    with progress(f"{title}: {protocol.title}", int(wanted.sum())) as done:
        return still_right(
            run.corpus,
            protocol,
            relevances,
            steps=run.plan.steps,
            at_least=run.plan.at_least,
            reverse=reverse,
            progress=done,
        )


def eraser(run: Run) -> list[dict[str, Any]]:
    """Comprehensiveness and sufficiency of every quick method, on a part of the corpus."""
    wanted = run.some_rows(run.plan.smaller)
    noise = np.random.default_rng(run.plan.seed)
    chance = [noise.uniform(size=length) for length in run.corpus.lengths.tolist()]
    rows = [
        run.stages.plain(
            f"eraser {asked.how(run.model).printed} {asked.title}",
            partial(_eraser_row_of, run, asked, wanted),
        )
        for asked in run.plan.methods
    ]
    return [*rows, run.stages.plain("eraser random", lambda: _eraser_row(run, RANDOM, chance, wanted))]


def _eraser_row_of(run: Run, asked: Asked, wanted: Array) -> dict[str, Any]:
    return _eraser_row(run, asked.title, run.relevances(asked)[0], wanted)


def _eraser_row(run: Run, title: str, relevances: Sequence[Any], wanted: Array) -> dict[str, Any]:
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
