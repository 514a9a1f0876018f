"""The measures that take words away: curves of word deletion, comprehensiveness and sufficiency.

Letters: N documents, M documents of a protocol, S steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from textlrp.corpus.measuring import Numbers, Run, progress
from textlrp.corpus.plans import RANDOM
from textlrp.evaluation.deletion import (
    OTHER_PROTOCOLS,
    PROTOCOLS,
    Protocol,
    documents_of,
    protocol_results,
    still_right,
)
from textlrp.evaluation.eraser import eraser as erased
from textlrp.evaluation.reading import Asked


def deletion(run: Run) -> dict[str, Any]:
    """Curves and differences of every protocol; slow methods on the sample, beside the others there."""
    whole = [_protocol(run, protocol, run.plan.methods, None) for protocol in (*PROTOCOLS, *OTHER_PROTOCOLS)]
    if run.plan.slow:
        every = (*run.plan.methods, *run.plan.slow)
        whole += [_protocol(run, protocol, every, run.sampled) for protocol in PROTOCOLS]
        run.notes.append(
            f"{' and '.join(asked.title for asked in run.plan.slow)} were measured on {int(run.sampled.sum())} "
            f"documents drawn with seed {run.plan.seed}, the other methods there on the same ones."
        )
    return {"steps": run.plan.steps, "at_least": run.plan.at_least, "protocols": whole}


def _protocol(run: Run, protocol: Protocol, methods: Sequence[Asked], only: Numbers | None) -> dict[str, Any]:
    rights: dict[str, Numbers] = {}
    for asked in methods:
        rights[asked.title] = _still_right(run, protocol, asked, only, reverse=False)
    reference = methods[0]
    rights[f"{reference.title}, reversed"] = _still_right(run, protocol, reference, only, reverse=True)
    rights[RANDOM] = _random(run, protocol, only)
    found = protocol_results(protocol, rights, reference=reference.title, seed=run.plan.seed)
    if only is None:
        return found | {"name": protocol.name.split("-removed")[0].split("-inserted")[0]}
    return found | {"name": f"sample-{protocol.name}", "title": f"{protocol.title} (a sample)"}


def _still_right(run: Run, protocol: Protocol, asked: Asked, only: Numbers | None, *, reverse: bool) -> Numbers:
    how = asked.how(run.model)
    slow = asked in run.plan.slow

    def make() -> Mapping[str, Numbers]:
        predicted, gold = run.relevances(asked, sampled=slow)
        relevances = gold if protocol.target == "gold" else predicted
        if only is not None:
            relevances = [each if only[n] else None for n, each in enumerate(relevances)]
        return {"right": _walk(run, protocol, relevances, asked.title, reverse=reverse)}

    name = f"deletion {protocol.name} {how.name} {how.printed} {reverse} {'all' if only is None else 'sample'}"
    right = run.stages.arrays(name, make)["right"]
    if asked.title not in run.seconds:
        run.relevances(asked, sampled=slow)  # for its time alone: it is there already
    return right


def _random(run: Run, protocol: Protocol, only: Numbers | None) -> Numbers:
    """(M, S + 1) the mean over random orders."""

    def make() -> Mapping[str, Numbers]:
        total: Any = 0.0
        for draw in range(run.plan.draws):
            noise = np.random.default_rng((run.plan.seed, draw))
            relevances = [
                noise.uniform(size=length) if only is None or only[n] else None
                for n, length in enumerate(run.corpus.lengths.tolist())
            ]
            total = total + _walk(run, protocol, relevances, f"random order {draw + 1}")
        return {"right": total / run.plan.draws}

    return run.stages.arrays(f"deletion {protocol.name} random {'all' if only is None else 'sample'}", make)["right"]


def _walk(run: Run, protocol: Protocol, relevances: Sequence[Any], title: str, *, reverse: bool = False) -> Numbers:
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
    order = np.random.default_rng(run.plan.seed + 1).permutation(len(run.corpus))
    wanted = np.zeros(len(run.corpus), dtype=bool)
    wanted[order[: run.plan.smaller]] = True
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


def _eraser_row_of(run: Run, asked: Asked, wanted: Numbers) -> dict[str, Any]:
    return _eraser_row(run, asked.title, run.relevances(asked)[0], wanted)


def _eraser_row(run: Run, title: str, relevances: Sequence[Any], wanted: Numbers) -> dict[str, Any]:
    found = erased(run.corpus, relevances, wanted=wanted, seed=run.plan.seed)
    return {
        "method": title,
        "comprehensiveness": found.comprehensiveness,
        "comprehensiveness_interval": list(found.comprehensiveness_interval),
        "sufficiency": found.sufficiency,
        "sufficiency_interval": list(found.sufficiency_interval),
        "of": found.of,
        "documents": len(found.comprehensive),
    }
