"""The measure "roar" of an evaluation: recursive ROAR, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from textlrp.arrays import Array
from textlrp.errors import DataError
from textlrp.evaluation.intervals import PairedDifference, corrected_results, paired_difference
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.retraining import split_documents, trainable, trained
from textlrp.evaluation.roar import STEPS, RoarCurve, recursive_roar, relative_area
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, counted
from textlrp.evaluation.running.training_time import TrainingTime
from textlrp.explainers.methods import Random
from textlrp.models.base import TextClassifier


def roar(run: EvaluationRun) -> dict[str, Any]:
    """Accuracy of models trained on masked documents, for every method that is not slow, and RACU.

    A quarter of the documents is held out of training. The models without masked words and with all words masked are
    the same for all methods.
    """
    model = trainable(run.model)
    specs = (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed)))
    seeds = [run.plan.seed + repeat for repeat in range(run.plan.repeats)]
    trainings = len(seeds) * (2 + (STEPS - 1) * len(specs))
    n_training = len(split_documents(run.documents, seed=run.plan.seed)[0])
    clock = TrainingTime(
        run.log,
        trainings,
        n_training,
        f"{len(specs)} methods, {STEPS} steps and {counted(len(seeds), 'seed', 'seeds')}",
    )
    curves: dict[str, list[RoarCurve]] = {spec.title: [] for spec in specs}
    for seed in seeds:
        training, held_out = split_documents(run.documents, seed=seed)

        @cache
        def base(seed: int = seed) -> TextClassifier:
            return trained(model, split_documents(run.documents, seed=seed)[0], seed=seed)

        for spec in specs:
            settings = spec.settings(model)

            def keep(
                step: int,
                make: Callable[[], Mapping[str, Array]],
                seed: int = seed,
                name: str = f"{settings.name} {settings.printed}",
            ) -> Mapping[str, Array]:
                def timed() -> Mapping[str, Array]:
                    with clock.training():
                        return make()

                of = name if 0 < step < STEPS else "all methods"
                return run.stages.arrays(f"roar {seed} {STEPS} {step} {of}", timed)

            run.log(f"  {spec.title}: {STEPS} steps, seed {seed}")
            curves[spec.title].append(
                recursive_roar(model, training, spec, held_out=held_out, seed=seed, base=base, keep=keep)
            )
    return {
        "seeds": seeds,
        "trainings": trainings,
        "training_documents": n_training,
        "held_out_documents": len(run.documents) - n_training,
        "rows": roar_rows(curves, seed=run.plan.seed),
    }


def roar_rows(curves: Mapping[str, Sequence[RoarCurve]], *, seed: int = 0) -> list[dict[str, Any]]:
    """A row for each method: the mean curve over seeds, its range, RACU, and the difference from the first method.

    The difference is that of the areas under the curves of the held-out documents, averaged for each document over
    seeds, with paired intervals. Random masking, the curve of :data:`RANDOM`, has no RACU.
    """
    reference, rows, differences = next(iter(curves)), list[dict[str, Any]](), dict[str, PairedDifference]()
    for title, found in curves.items():
        accuracies = np.stack([each.accuracy for each in found])
        row: dict[str, Any] = {
            "method": title,
            "shares": found[0].shares.tolist(),
            "accuracy": accuracies.mean(axis=0).tolist(),
            "low": accuracies.min(axis=0).tolist(),
            "high": accuracies.max(axis=0).tolist(),
        }
        if title != RANDOM:
            row |= _racu(found, curves[RANDOM])
        if title != reference:
            own, first = (_areas(curves[name]) for name in (title, reference))
            differences[title] = paired_difference(own, first, seed=seed)
        rows.append(row)
    entries = corrected_results(differences, "lower")
    return [row | ({"difference": entries[row["method"]]} if row["method"] in entries else {}) for row in rows]


def _racu(found: Sequence[RoarCurve], random: Sequence[RoarCurve]) -> dict[str, Any]:
    """The mean of RACU over seeds and its standard deviation; None if it is not defined for a seed."""
    try:
        values = [relative_area(own.shares, own.accuracy, b.accuracy) for own, b in zip(found, random, strict=True)]
    except DataError:
        return {"racu": None, "racu_sd": None, "racu_values": None}
    return {"racu": float(np.mean(values)), "racu_sd": float(np.std(values)), "racu_values": values}


def _areas(curves: Sequence[RoarCurve]) -> list[float]:
    """The area under the curve of each held-out document, averaged over the seeds that measured it."""
    areas: dict[str, list[float]] = {}
    for each in curves:
        values = np.asarray(np.trapezoid(each.correct.astype(np.float64), each.shares, axis=1))
        for name, area in zip(each.ids, values.tolist(), strict=True):
            areas.setdefault(name, []).append(area)
    return [float(np.mean(values)) for values in areas.values()]
