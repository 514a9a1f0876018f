"""Load the models of a service, and find out which rules and methods explain each of them.

Open it to change the names of models, or which rules and methods a service offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from textlrp.errors import OptionError, TextlrpError, must_be
from textlrp.explainers.batch_relevance import ExplainSettings
from textlrp.explainers.blocks import explain_block
from textlrp.explainers.explain import explain_settings
from textlrp.explainers.method_table import METHODS
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.starts import Start
from textlrp.models.abilities import default_rule
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.loading import load_classifier
from textlrp.records import Document

METHODS_OF_MANY_CALLS = frozenset({"integrated-gradients", "lime", "shap", "kernel-shap", "occlusion", "smoothgrad"})
"""Methods that evaluate the model many times for each text."""
TRIAL = "The shuttle reached its orbit, and the doctor is well."
"""The text that is explained once with each rule and method when the service starts."""


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A loaded model with its name, its labels as text, and the rules and methods that it can be explained with.

    ``settings`` caches the checked options of recent requests.
    """

    name: str
    classifier: Classifier
    labels: tuple[str, ...]
    rules: tuple[str, ...]
    methods: tuple[str, ...]
    settings: Any = field(repr=False)

    @property
    def multilabel(self) -> bool:
        """Whether the model predicts any number of labels per text."""
        return thresholds_of(self.classifier) is not None

    @property
    def default_rule(self) -> str:
        """The rule of a request that names none."""
        return default_rule(self.classifier)

    def describe(self) -> dict[str, Any]:
        """Return what ``GET /v1/models`` answers about the model."""
        return {
            "name": self.name,
            "kind": type(self.classifier).__name__,
            "fingerprint": self.classifier.fingerprint_,
            "labels": list(self.labels),
            "multilabel": self.multilabel,
            "rules": list(self.rules),
            "default_rule": self.default_rule,
            "methods": list(self.methods),
        }


def load_served(
    models: Sequence[str], *, slow_methods: bool = False, trust_pickle: bool = False
) -> list[ServedModel]:
    """Load models from their folders or by their bundled names; ``NAME=FOLDER`` names a model itself.

    Raises :class:`OptionError` if two models have the same name, and the errors of :func:`textlrp.load`.
    """
    return [
        served_model(name, load_classifier(place, trust_pickle=trust_pickle), slow_methods=slow_methods)
        for name, place in named_places(models).items()
    ]


def named_places(models: Sequence[str]) -> Mapping[str, str]:
    """Return the folder or bundled name of each model by the name that requests use."""
    places: dict[str, str] = {}
    for model in models:
        name, equals, place = model.partition("=")
        if not equals or not name or Path(model).exists():
            name, place = Path(model).name or Path(model).resolve().name, model
        if not place:
            hint = "Pass a folder or the name of a bundled model."
            raise OptionError(must_be("MODEL", "a model or NAME=MODEL", model, hint))
        if name in places:
            raise OptionError(
                f"models must have different names; got {name!r} twice. Pass NAME={place} to rename one."
            )
        places[name] = place
    return places


def served_model(name: str, classifier: Classifier, *, slow_methods: bool = False) -> ServedModel:
    """Prepare a model for a service: explain a short text with every rule and method, and keep those that can.

    This also compiles what the first request would otherwise wait for.
    """
    methods = [method for method in METHODS if slow_methods or method not in METHODS_OF_MANY_CALLS]
    rules = tuple(rule for rule in PRESETS if _explains(classifier, rule, "lrp"))
    return ServedModel(
        name,
        classifier,
        tuple(map(str, classifier.classes_)),
        rules,
        (*(("lrp",) if rules else ()), *(method for method in methods if _explains(classifier, None, method))),
        lru_cache(maxsize=32)(lambda rule, method, start: explain_settings(classifier, rule, method, start=start)),
    )


def _explains(classifier: Classifier, rule: str | None, method: str) -> bool:
    try:
        settings = explain_settings(classifier, rule, method)
        list(explain_block(classifier, [Document("1", TRIAL)], "all", None, settings))
    except (TextlrpError, ImportError):
        return False
    return True


def settings_of(model: ServedModel, rule: str | None, method: str, start: Start | None) -> ExplainSettings:
    """Return the checked options of a request; raises as :func:`textlrp.explain`."""
    found: ExplainSettings = model.settings(rule, method, start)
    return found


def by_name(models: Iterable[ServedModel]) -> Mapping[str, ServedModel]:
    """Return models by their names, in order."""
    return {model.name: model for model in models}
