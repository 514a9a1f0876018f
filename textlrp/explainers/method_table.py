"""The attribution methods by their names, and how each explains a text. Open it to add a method.

Letters: L words read, D dimensions of a word vector x_t, f_c the score of class c.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from textlrp.errors import RuleError
from textlrp.explainers.attribution import Attribution, Case
from textlrp.explainers.cams import cam, grad_cam
from textlrp.explainers.gradients import (
    gradient_times_input,
    integrated_gradients,
    rectified_gradient,
    smoothgrad,
    squared_gradient,
)
from textlrp.explainers.methods import (
    CAM,
    Deconvnet,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    Lime,
    Method,
    Occlusion,
    Random,
    Shap,
    SmoothGrad,
    SquaredGradient,
)
from textlrp.explainers.perturbation import lime, occlusions, random, shap
from textlrp.lrp.presets import is_call, pasted


class MethodEntry(NamedTuple):
    """A method with its defaults, how it explains a text, what it is, and what its relevance sums to.

    ``exact``: relevance and ledger sum to the score. ``without_words``: it is asked also where no word is known.
    """

    value: Method
    explain: Callable[[Case, Any], Attribution]
    what: str
    sums_to: str
    exact: bool = False
    without_words: bool = False


_ENTRIES = (
    MethodEntry(
        SquaredGradient(),
        lambda case, _: squared_gradient(case),
        "sensitivity analysis: squared gradient",
        "the gradient's squared length",
    ),
    MethodEntry(
        GradientTimesInput(),
        lambda case, _: gradient_times_input(case),
        "gradient × input",
        "the score less biases on ReLU and max-pooling nets",
    ),
    MethodEntry(
        IntegratedGradients(),
        integrated_gradients,
        "gradient × input along the way from zero vectors",
        "the score less that of no word; the ledger has the rest",
        exact=True,
    ),
    MethodEntry(SmoothGrad(), smoothgrad, "gradient × input, gradient averaged over noise", "nothing known"),
    MethodEntry(
        Deconvnet(),
        lambda case, _: rectified_gradient(case, guided=False),
        "gradient × input, ReLU lets positive signals back",
        "nothing known",
    ),
    MethodEntry(
        GuidedBackprop(),
        lambda case, _: rectified_gradient(case, guided=True),
        "as deconvnet, where the ReLU was active",
        "nothing known",
    ),
    MethodEntry(
        Occlusion(),
        lambda case, _: occlusions(case.model, case.batch.select([case.n]), [case.classes])[0],
        "the score less that without the word",
        "nothing known",
    ),
    MethodEntry(
        CAM(),
        lambda case, _: cam(case),
        "class activation map, CNN with mean pooling",
        "the score less the output's bias; the ledger has the rest",
        without_words=True,
    ),
    MethodEntry(
        GradCAM(),
        lambda case, _: grad_cam(case),
        "Grad-CAM for text, CNN",
        "nothing known; never negative",
        without_words=True,
    ),
    MethodEntry(Random(), random, "uniform in [-1, 1)", "nothing"),
    MethodEntry(
        Lime(),
        lime,
        "local linear regression on thinned-out texts",
        "what the regression predicts less its intercept; the ledger has the rest",
        exact=True,
    ),
    MethodEntry(
        Shap(),
        shap,
        "Owen values over a balanced tree of positions",
        "the score less that of no word; the ledger has the rest",
        exact=True,
    ),
)

METHODS: Mapping[str, MethodEntry] = MappingProxyType({entry.value.name: entry for entry in _ENTRIES})
"""Each name and what it stands for; "lrp" itself is not among them."""

_OTHER_NAMES = {"input-t-gradient": "gradient-x-input", "sensitivity-analysis": "squared-gradient"}


def as_method(method: str | Method) -> Method:
    """A method by its name or as it is.

    A method may also come as the text it prints as: ``"Lime(samples=500)"``. Underscores may stand for hyphens, as
    other toolkits write these names. Raises :class:`RuleError` for anything
    else, with the closest name there is.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        raise RuleError(f"method={method!r} came; a name such as 'lime', or a method such as Lime(), is wanted.")
    if is_call(method):
        made = pasted(method, {type(entry.value).__name__: type(entry.value) for entry in _ENTRIES})
        return as_method(made)
    name = method.replace("_", "-")
    name = _OTHER_NAMES.get(name, name)
    if name in METHODS:
        return METHODS[name].value
    close = difflib.get_close_matches(name.lower(), ("lrp", *METHODS), n=1, cutoff=0.0)
    raise RuleError(
        f"no method is called {method!r}; the closest name is {close[0]!r}, and there are lrp, {', '.join(METHODS)}."
    )
