"""The plan of an evaluation: which measures and methods, on how many documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textlrp.errors import OptionError
from textlrp.evaluation.aopc_scale import BEAM_WIDTH
from textlrp.evaluation.deletion import DELETION_PROTOCOLS, MIN_WORDS, OTHER_PROTOCOLS, STEPS, Protocol
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.running.measures import MEASURES, ON_REQUEST, RETRAINING
from textlrp.explainers.perturbation import check_installed
from textlrp.models.abilities import default_rule
from textlrp.models.black_box import FunctionModel
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.models.encoders.encoder_model import EncoderModel
from textlrp.models.encoders.encoder_scoring import EncoderScoring
from textlrp.models.transformers.transformer_model import TransformerModel

RATIONALES_ONLY = frozenset({"rationales"})
"""The measures that do not need a corpus."""

RANDOM = "random"
"""The title of the random baseline in all tables and figures."""

_LRP_TITLES = {"cp-lrp": "CP-LRP", "attnlrp": "AttnLRP"}
"""Default rule of a model -> the title of LRP by it, if it is not epsilon."""


def lrp_title(model: Classifier) -> str:
    """Return the title of LRP by the default rule, the reference that other methods are compared with."""
    rule = default_rule(model)
    return _LRP_TITLES.get(rule, f"LRP {rule}")


def is_transformer(model: Classifier) -> bool:
    """Whether each changed text costs a forward pass of a transformer."""
    return isinstance(model, (EncoderScoring, EncoderModel, TransformerModel))


def default_plan(model: Classifier, **options: Any) -> EvaluationPlan:
    """The plan with :func:`default_methods`; ``options`` are other fields of :class:`EvaluationPlan`.

    A transformer has fewer random orders, and no deletion that closes the gap: its deletion always does.
    """
    if is_transformer(model):
        protocols = tuple(each for each in EvaluationPlan(()).protocols if each.change != "remove")
        options = {"n_random_orders": 2, "protocols": protocols} | options
    return EvaluationPlan(**({"methods": default_methods(model)} | options))


def default_methods(model: Classifier) -> tuple[MethodSpec, ...]:
    """LRP by the default rule, which is the reference, and the other methods that are fast on this model.

    For a function of the user it is occlusion alone.
    """
    if isinstance(model, FunctionModel):
        return (MethodSpec("occlusion", "occlusion"),)
    specs = [
        MethodSpec(lrp_title(model)),
        MethodSpec("gradient × input", "gradient-x-input"),
        MethodSpec("squared gradient", "squared-gradient"),
    ]
    if not is_transformer(model):  # it would take a forward and a backward pass for each step
        specs.append(MethodSpec("integrated gradients", "integrated-gradients"))
    if has_winning_windows(model):
        specs += [MethodSpec("occlusion", "occlusion"), MethodSpec("Grad-CAM", "grad-cam")]
    return tuple(specs)


SLOW_METHODS: tuple[MethodSpec, ...] = (MethodSpec("LIME", "lime"), MethodSpec("SHAP", "shap"))
"""Methods that are measured on a sample of documents only."""


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What :func:`evaluate` measures, and on how many documents.

    - ``methods``: attribution methods; the first is the reference that the others are compared with.
    - ``slow_methods``: methods that are measured only on ``n_slow_documents`` documents of at least ``min_words``
      words, drawn by ``seed``.
    - ``steps``: words deleted from each document. ``min_words``: words that a document must have.
    - ``n_random_orders``: random orders of the words that are averaged for the random baseline.
    - ``max_documents``: documents for comprehensiveness, normalized AOPC, randomized weights, the score breakdown,
      and the ``protocols`` other than those of Arras et al. 2017.
    - ``beam_width``: sets of words that the search for the limits of normalized AOPC keeps. ``max_search_words``:
      longest document for it, in known words; by default 50 if each candidate needs its own forward pass.
    - ``max_hybrids``: hybrid documents of the pointing game, by default all that can be created.
    - ``rationales``: a file of human rationales; see :func:`textlrp.evaluation.rationale_files.read_rationales`.
    - ``other_models``: models by name, to compare their explanations with those of this model.
    - ``measures``: names of :data:`.MEASURES`, by default all but those of :data:`.ON_REQUEST`.
    - ``repeats``: trainings with different seeds, for the measures that train models.
    - ``texts``: False leaves out words of documents, and words and phrases of classes of more than three words.
    """

    methods: tuple[MethodSpec, ...]
    slow_methods: tuple[MethodSpec, ...] = ()
    n_slow_documents: int = 100
    steps: int = STEPS
    min_words: int = MIN_WORDS
    n_random_orders: int = 10
    max_documents: int = 500
    beam_width: int = BEAM_WIDTH
    max_search_words: int | None = None
    protocols: tuple[Protocol, ...] = (*DELETION_PROTOCOLS, *OTHER_PROTOCOLS)
    max_hybrids: int | None = None
    seed: int = 0
    rationales: Path | None = None
    other_models: Mapping[str, Classifier] = field(default_factory=dict)
    measures: frozenset[str] | None = None
    repeats: int = 3
    texts: bool = True

    def takes(self, measure: str) -> bool:
        """Whether a measure is to be taken."""
        return measure in self.measures if self.measures is not None else measure not in ON_REQUEST

    def has_input_of(self, measure: str) -> bool:
        """Whether the plan has the rationales or the other models that a measure needs."""
        needed = {"rationales": self.rationales is not None, "stability": bool(self.other_models)}
        return needed.get(measure, True)


_BY_DEFAULT = tuple(name for name in MEASURES if name not in ON_REQUEST)


def make_plan(
    model: Classifier,
    *,
    methods: Sequence[str] = (),
    rules: Sequence[str] = (),
    measures: Sequence[str] = (),
    retraining: Sequence[str] = (),
    slow: bool = False,
    **options: Any,
) -> EvaluationPlan:
    """Create a plan from names of methods, LRP rules and measures.

    ``methods`` are names of attribution methods, by default :func:`default_methods`. ``rules`` are names of LRP rules
    to measure in addition. ``measures`` are names of :data:`.MEASURES`, by default all but :data:`.ON_REQUEST`;
    ``retraining`` are names of :data:`.RETRAINING` to measure in addition. ``slow`` adds LIME and SHAP.
    ``options`` are other fields of :class:`EvaluationPlan`. Raises :class:`RuleError` for an unknown method or rule,
    :class:`MissingExtraError` for a method whose package is not installed, :class:`OptionError` for an unknown
    measure.
    """
    named = [MethodSpec(lrp_title(model) if name == "lrp" else name, name) for name in methods]
    specs = named or list(default_methods(model))
    specs += [MethodSpec(f"LRP {name}", rule=name) for name in rules]
    titles = {each.title for each in specs}
    slow_methods = tuple(each for each in SLOW_METHODS if slow and each.title not in titles)
    for each in (*specs, *slow_methods):
        if (method := each.settings(model).method) is not None:
            check_installed(method)
    for name in (*measures, *retraining):
        if name not in MEASURES:
            raise OptionError(f"measure must be one of {', '.join(MEASURES)}; got {name!r}.")
    if "rationales" in measures and options.get("rationales") is None:
        raise OptionError("the measure rationales needs a file with human rationales. Pass --rationales FILE.")
    return default_plan(
        model,
        methods=tuple({each.title: each for each in specs}.values()),
        slow_methods=slow_methods,
        measures=frozenset((*(measures or _BY_DEFAULT), *retraining)) if measures or retraining else None,
        **options,
    )


def without_corpus(plan: EvaluationPlan) -> EvaluationPlan:
    """The plan for an evaluation without a corpus; raises :class:`OptionError` if a measure needs one."""
    if plan.rationales is None:
        raise OptionError(
            "CORPUS is missing. Pass a file of labeled texts, or --rationales FILE to measure only agreement with "
            "human rationales."
        )
    needing = [
        name for name in (*RETRAINING, *MEASURES) if name in (plan.measures or ()) and name not in RATIONALES_ONLY
    ]
    if needing:
        raise OptionError(f"CORPUS is missing, and the measure {needing[0]} needs it. Pass a file of labeled texts.")
    return replace(plan, measures=RATIONALES_ONLY)
