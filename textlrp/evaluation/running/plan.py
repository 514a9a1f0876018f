"""What an evaluation measures, and on how much of a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textlrp.errors import OptionError
from textlrp.evaluation.deletion import AT_LEAST, OTHER_PROTOCOLS, PROTOCOLS, STEPS, Protocol
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.running.measures import MEASURES
from textlrp.explainers.perturbation import check_installed
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows

RATIONALES_ALONE = frozenset({"rationales"})
"""The measures of an evaluation without a corpus."""

RANDOM = "random"
"""The title of random relevance, in every table."""

LRP = "LRP epsilon"
"""The title of the default, which the others are held against."""


def usual_methods(model: Classifier) -> tuple[MethodSpec, ...]:
    """LRP by the default rule, and the methods that are quick on this model; the first is the reference."""
    spec = [
        MethodSpec(LRP),
        MethodSpec("gradient × input", "gradient-x-input"),
        MethodSpec("squared gradient", "squared-gradient"),
        MethodSpec("integrated gradients", "integrated-gradients"),
    ]
    if has_winning_windows(model):
        spec += [MethodSpec("occlusion", "occlusion"), MethodSpec("Grad-CAM", "grad-cam")]
    return tuple(spec)


SLOW_METHODS: tuple[MethodSpec, ...] = (MethodSpec("LIME", "lime"), MethodSpec("SHAP", "shap"))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to measure, and on how much of the corpus.

    ``methods``: the first is the reference. ``slow``: methods for the ``sample`` documents alone, drawn by ``seed``
    among the long ones. ``draws`` random orders are averaged. ``smaller`` documents serve comprehensiveness, sanity,
    the ledger, and those of the ``protocols`` that are not the paper's. ``hybrids``: at most so many glued
    documents. ``others``: models by name whose explanations are compared with this one's. ``measures`` to take.
    """

    methods: tuple[MethodSpec, ...]
    slow: tuple[MethodSpec, ...] = ()
    sample: int = 100
    steps: int = STEPS
    min_words: int = AT_LEAST
    draws: int = 10
    smaller: int = 500
    protocols: tuple[Protocol, ...] = (*PROTOCOLS, *OTHER_PROTOCOLS)
    hybrids: int | None = None
    seed: int = 0
    rationales: Path | None = None
    others: Mapping[str, Classifier] = field(default_factory=dict)
    measures: frozenset[str] | None = None


def planned(
    model: Classifier,
    *,
    methods: Sequence[str] = (),
    rules: Sequence[str] = (),
    measures: Sequence[str] = (),
    slow: bool = False,
    **options: Any,
) -> Evaluation:
    """A plan from names: ``methods`` (none: the usual ones), ``rules`` of LRP beside them, ``measures`` (none: all).

    ``options`` are fields of :class:`Evaluation`. Raises :class:`RuleError` and :class:`MissingExtraError` for
    methods and rules that cannot be had, :class:`OptionError` for a measure that there is not.
    """
    spec = [MethodSpec(LRP if name == "lrp" else name, name) for name in methods] or list(usual_methods(model))
    spec += [MethodSpec(f"LRP {name}", rule=name) for name in rules]
    titles = {each.title for each in spec}
    extra = tuple(each for each in SLOW_METHODS if slow and each.title not in titles)
    for each in (*spec, *extra):
        if (method := each.settings(model).method) is not None:
            check_installed(method)
    for name in measures:
        if name not in MEASURES:
            raise OptionError(f"no measure is called {name!r}; there are {', '.join(MEASURES)}.")
    if "rationales" in measures and options.get("rationales") is None:
        raise OptionError("the measure rationales needs a file of rationales. Pass --rationales FILE.")
    return Evaluation(
        tuple({each.title: each for each in spec}.values()),
        slow=extra,
        measures=frozenset(measures) if measures else None,
        **options,
    )


def alone(plan: Evaluation) -> Evaluation:
    """The plan of an evaluation without a corpus; raises :class:`OptionError` where a measure needs one."""
    if plan.rationales is None:
        raise OptionError(
            "CORPUS is missing. Name texts with a class each, or pass --rationales FILE to measure agreement with "
            "people alone."
        )
    needing = [name for name in MEASURES if name in (plan.measures or ()) and name not in RATIONALES_ALONE]
    if needing:
        raise OptionError(f"CORPUS is missing, and the measure {needing[0]} needs it. Name texts with a class each.")
    return replace(plan, measures=RATIONALES_ALONE)
