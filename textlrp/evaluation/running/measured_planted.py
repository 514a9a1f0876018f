"""The measure "planted" of an evaluation: train on planted shortcuts, and measure which methods find their words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.evaluation.intervals import PairedDifference, corrected_results, paired_difference
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.planted_shortcuts import TAKEN, TFIDF, FoundWords, find_planted, largest_labels
from textlrp.evaluation.planting import KINDS, SHARE, Kind
from textlrp.evaluation.retraining import split_documents, trainable
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, counted
from textlrp.evaluation.running.training_time import TrainingTime
from textlrp.explainers.methods import Random

MAX_DOCUMENTS = 200
"""Held-out documents for each shortcut."""


def planted(run: EvaluationRun) -> dict[str, Any]:
    """How well every method that is not slow finds planted words, for each kind of shortcut.

    A quarter of the documents is held out of training. One model is trained for each kind and seed.
    """
    model, labels = trainable(run.model), largest_labels(run.documents)
    specs = (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed)))
    seeds = [run.plan.seed + repeat for repeat in range(run.plan.repeats)]
    parts = {seed: split_documents(run.documents, seed=seed) for seed in seeds}
    training, held_out = parts[seeds[0]]
    trainings = len(KINDS) * len(seeds)
    clock = TrainingTime(
        run.log,
        trainings,
        len(training),
        f"{len(KINDS)} kinds of shortcut and {counted(len(seeds), 'seed', 'seeds')}",
    )
    names = [f"{each.title} {each.settings(model).name} {each.settings(model).printed}" for each in specs]
    kinds = []
    for kind in KINDS:
        found: list[dict[str, Any]] = []
        for seed in seeds:

            def make(kind: Kind = kind, seed: int = seed) -> list[dict[str, Any]]:
                own_training, own_held_out = parts[seed]
                with clock.training():
                    measured = find_planted(
                        model, own_training, specs, held_out=own_held_out, labels=labels, kind=kind,
                        max_documents=MAX_DOCUMENTS, seed=seed,
                    )  # fmt: skip
                return [plain_found(each, seed) for each in measured]

            found += run.stages.plain(f"planted {kind} {seed} {SHARE} {MAX_DOCUMENTS} {names}", make)
        kinds.append(planted_results(kind, found, [*(each.title for each in specs), TFIDF], seed=run.plan.seed))
    return {
        "share": SHARE,
        "taken_from": TAKEN,
        "labels": labels,
        "seeds": seeds,
        "trainings": trainings,
        "training_documents": len(training),
        "held_out_documents": len(held_out),
        "kinds": kinds,
    }


def plain_found(found: FoundWords, seed: int) -> dict[str, Any]:
    """The words found of one shortcut as JSON data, with the values of each document."""
    return {
        "seed": seed,
        "label": found.shortcut.label,
        "words": list(found.shortcut.words),
        "carriers": len(found.shortcut.carriers),
        "changed": found.changed,
        "resisted": found.resisted,
        "taken": found.taken,
        "ids": list(found.ids),
        "chance": found.chance.tolist(),
        "precision": {title: values.tolist() for title, values in found.precision.items()},
        "rank": {title: values.tolist() for title, values in found.rank.items()},
    }


def planted_results(
    kind: Kind, found: Sequence[dict[str, Any]], titles: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """The results of one kind of shortcut: a row for each shortcut and model, and a row for each method.

    ``found`` has an entry of :func:`plain_found` for each shortcut and model. Only those whose bait was taken count
    for the methods: ``precision`` and ``rank`` are means over them of the mean over documents, ``sd`` is the standard
    deviation of the precision over them. The ``difference`` from the first method is paired over documents; the
    values of a document that was measured several times are averaged first.
    """
    taken = [each for each in found if each["taken"]]
    rows, differences = list[dict[str, Any]](), dict[str, PairedDifference]()
    for title in titles if taken else ():
        precisions = [float(np.mean(each["precision"][title])) for each in taken]
        row = {
            "method": title,
            "precision": float(np.mean(precisions)),
            "sd": float(np.std(precisions)),
            "lowest": min(precisions),
            "rank": float(np.mean([np.mean(each["rank"][title]) for each in taken])),
        }
        if title != titles[0]:
            own, first = (_by_document(taken, name) for name in (title, titles[0]))
            differences[title] = paired_difference(own, first, seed=seed)
        rows.append(row)
    entries = corrected_results(differences, "higher")
    rows = [row | ({"difference": entries[row["method"]]} if row["method"] in entries else {}) for row in rows]
    return {
        "kind": kind,
        "planted_words": len(found[0]["words"]) if found else None,
        "shortcuts": [
            {name: each[name] for name in ("seed", "label", "words", "carriers", "changed", "resisted", "taken")}
            | {"documents": len(each["ids"])}
            for each in found
        ],
        "taken": len(taken),
        "documents": len({name for each in taken for name in each["ids"]}),
        "chance": float(np.mean([np.mean(each["chance"]) for each in taken])) if taken else None,
        "rows": rows,
    }


def _by_document(found: Sequence[dict[str, Any]], title: str) -> list[float]:
    """The mean precision of a method for each document, over the shortcuts and models that measured it."""
    values: dict[str, list[float]] = {}
    for each in found:
        for name, value in zip(each["ids"], each["precision"][title], strict=True):
            values.setdefault(name, []).append(value)
    return [float(np.mean(each)) for each in values.values()]
