"""The table of attribution methods: name, implementation, description. Open it to add a method.

Letters: L words the model reads, D dimensions of a word vector x_t, f_c the score of class c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from textlrp.errors import ModelError, RuleError, closest
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
    KernelShap,
    Lime,
    Method,
    Occlusion,
    Random,
    Shap,
    SmoothGrad,
    SquaredGradient,
)
from textlrp.explainers.perturbation import kernel_shap, lime, occlusions, random, shap
from textlrp.lrp.presets import is_call, pasted
from textlrp.models.black_box import FunctionModel, method_refusal


class MethodEntry(NamedTuple):
    """A method with its default options, its implementation, a description, and what its relevance sums to.

    ``exact``: relevance and ledger sum to the score. ``without_words``: the implementation is also called for a text
    without known words. ``by_scores``: needs no more of a model than its scores of a text without some words.
    """

    value: Method
    explain: Callable[[Case, Any], Attribution]
    description: str
    sums_to: str
    exact: bool = False
    without_words: bool = False
    by_scores: bool = False


_ENTRIES = (
    MethodEntry(
        SquaredGradient(),
        lambda case, _: squared_gradient(case),
        "sensitivity analysis: squared gradient",
        "the squared norm of the gradient",
    ),
    MethodEntry(
        GradientTimesInput(),
        lambda case, _: gradient_times_input(case),
        "gradient × input",
        "the score minus biases, for nets of ReLU and max pooling",
    ),
    MethodEntry(
        IntegratedGradients(),
        integrated_gradients,
        "gradient × input, averaged on the path from zero vectors (transformers: from padding)",
        "the score minus that of the empty text; rest in the score breakdown",
        exact=True,
    ),
    MethodEntry(
        SmoothGrad(), smoothgrad, "gradient × input, gradient averaged over noisy inputs", "no known quantity"
    ),
    MethodEntry(
        Deconvnet(),
        lambda case, _: rectified_gradient(case, guided=False),
        "gradient × input, each ReLU passes positive gradients only",
        "no known quantity",
    ),
    MethodEntry(
        GuidedBackprop(),
        lambda case, _: rectified_gradient(case, guided=True),
        "as deconvnet, but only where the ReLU was active",
        "no known quantity",
    ),
    MethodEntry(
        Occlusion(),
        lambda case, _: occlusions(case.model, case.batch.select([case.n]), [case.classes])[0],
        "score minus the score without the word",
        "no known quantity; rest in the score breakdown",
        exact=True,
        by_scores=True,
    ),
    MethodEntry(
        CAM(),
        lambda case, _: cam(case),
        "class activation map, for CNNs with mean pooling",
        "the score minus the output bias; rest in the score breakdown",
        without_words=True,
    ),
    MethodEntry(
        GradCAM(),
        lambda case, _: grad_cam(case),
        "Grad-CAM for text, for CNNs",
        "no known quantity; never negative",
        without_words=True,
    ),
    MethodEntry(Random(), random, "random baseline: uniform in [-1, 1)", "no known quantity", by_scores=True),
    MethodEntry(
        Lime(),
        lime,
        "linear regression on the text with random words left out",
        "the regression's prediction minus its intercept; rest in the score breakdown",
        exact=True,
        by_scores=True,
    ),
    MethodEntry(
        Shap(),
        shap,
        "Owen values over a balanced tree of word positions",
        "the score minus that of the empty text; rest in the score breakdown",
        exact=True,
        by_scores=True,
    ),
    MethodEntry(
        KernelShap(),
        kernel_shap,
        "Shapley values by regression on samples of word subsets",
        "the score minus that of the empty text; rest in the score breakdown",
        exact=True,
        by_scores=True,
    ),
)

METHODS: Mapping[str, MethodEntry] = MappingProxyType({entry.value.name: entry for entry in _ENTRIES})
"""Method names and their entries. "lrp" is not one of them."""

_OTHER_NAMES = {
    "kernelshap": "kernel-shap",
    "input-t-gradient": "gradient-x-input",
    "sensitivity-analysis": "squared-gradient",
    "ig": "integrated-gradients",
    "gradcam": "grad-cam",
}


def as_method(method: str | Method) -> Method:
    """Return a method from its name, from its printed form (``"Lime(samples=500)"``), or as given.

    Underscores may replace hyphens, as in other toolkits. Raises :class:`RuleError` for anything else; the message
    names the closest method.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):
        raise RuleError(
            f"method must be a name or a method object; got {method!r}. Pass 'lime' or Lime(), for example."
        )
    if is_call(method):
        made = pasted(method, {type(entry.value).__name__: type(entry.value) for entry in _ENTRIES})
        return as_method(made)
    name = method.replace("_", "-")
    name = _OTHER_NAMES.get(name, name)
    if name in METHODS:
        return METHODS[name].value
    names = ("lrp", *METHODS)
    raise RuleError(f"method must be one of {', '.join(names)}; got {method!r}.{closest(name, names)}")


def check_applies(model: object, method: str | Method) -> None:
    """Raise :class:`ModelError` if the model is a function and the method needs more of it than scores of texts."""
    if isinstance(model, FunctionModel):
        if method == "lrp":
            raise ModelError(method_refusal("'lrp', which is the default"))
        if not METHODS[as_method(method).name].by_scores:
            raise ModelError(method_refusal(repr(as_method(method).name)))
