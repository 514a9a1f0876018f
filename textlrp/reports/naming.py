"""Display names of rules and methods, each with one sentence that describes it.

The names are derived from the ``rule`` and ``method`` strings of an explanation, so a stored explanation can be shown
without the model and without torch. Add a new rule or method here, so that pages show its usual name.
"""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from textlrp.explanation import Explanation


class DisplayName(NamedTuple):
    """The usual name of a rule or method, and a sentence that describes it (empty if it is not known here)."""

    title: str
    sentence: str = ""


_METHODS = {
    "squared-gradient": DisplayName(
        "Sensitivity analysis",
        "The squared norm of the gradient of the score with respect to the word’s vector; never negative.",
    ),
    "gradient-x-input": DisplayName(
        "Gradient × input",
        "The gradient of the score times the word’s vector: a linear approximation of the score at this text.",
    ),
    "integrated-gradients": DisplayName(
        "Integrated gradients",
        "Gradient × input, with the gradient averaged along the straight path from zero vectors to this text.",
    ),
    "smoothgrad": DisplayName(
        "SmoothGrad", "Gradient × input, with the gradient averaged over noisy copies of the text."
    ),
    "deconvnet": DisplayName(
        "Deconvnet", "Gradient × input, with negative gradients set to zero at every ReLU in the backward pass."
    ),
    "guided-backprop": DisplayName(
        "Guided backprop",
        "Gradient × input, with gradients set to zero at every ReLU where they are negative or the unit is inactive.",
    ),
    "occlusion": DisplayName("Occlusion", "The decrease of the score when the word is removed."),
    "cam": DisplayName(
        "Class activation map (CAM)", "The part of the score from each window, divided equally among its words."
    ),
    "grad-cam": DisplayName(
        "Grad-CAM for text",
        "The part of the score from each filter, assigned to every word of its window; never negative.",
    ),
    "random": DisplayName("Random", "Random numbers: the baseline that every method must beat."),
    "lime": DisplayName(
        "LIME", "The weights of a linear model fitted to the scores of many copies of the text with words removed."
    ),
    "kernel-shap": DisplayName(
        "Kernel SHAP (Shapley values)",
        "The average change of the score when the word is added, over all orders of adding the words (estimated).",
    ),
    "shap": DisplayName(
        "SHAP (Owen values)",
        "The average change of the score when the word is added, over many orders of adding the words.",
    ),
}

_RULES = {
    "Zero": DisplayName(
        "LRP-0", "Each unit distributes its relevance to its inputs in proportion to their contributions."
    ),
    "Epsilon": DisplayName(
        "LRP-ε", "Like LRP-0, with a small ε in the denominator that absorbs relevance where contributions cancel."
    ),
    "Gamma": DisplayName(
        "LRP-γ",
        "Contributions with the sign of the unit count more: the larger γ, the less relevance opposes the class.",
    ),
    "AlphaBeta": DisplayName(
        "LRP-αβ", "Positive contributions are weighted by α and negative ones by β, and distributed separately."
    ),
    "ZPlus": DisplayName("LRP-z⁺", "Like LRP-α1β0, but biases absorb no relevance: all of it reaches words."),
    "WSquare": DisplayName("LRP-w²", "Relevance is proportional to the squared weights, whatever the inputs are."),
    "Flat": DisplayName(
        "LRP-flat", "Every input of a unit gets the same relevance: shows where the model looked, not what it found."
    ),
    "ZBox": DisplayName(
        "LRP-zᴮ",
        "For bounded inputs: relevance is proportional to each contribution minus its lowest possible value.",
    ),
}
_PRODUCT_RULES = {
    "SourceOnly": DisplayName(
        "CP-LRP", "Attention weights and gates are constants: what they weigh gets the relevance."
    ),
    "Halves": DisplayName(
        "AttnLRP", "Attention weights and what they weigh get half of the relevance each, and so do query and key."
    ),
}
_LETTERS = {"epsilon": "ε", "gamma": "γ", "alpha": "α", "beta": "β"}
_LAYERS = {
    0: "at the first layer",
    -1: "at the last layer",
    "convolution": "at convolutions",
    "product": "at products",
}


def name_of(explanation: Explanation) -> DisplayName:
    """Return the name of the rule, or of the method if it is not LRP. An unknown one keeps its recorded name."""
    if explanation.method != "lrp":
        return _METHODS.get(explanation.method, DisplayName(explanation.method or "unnamed method"))
    try:
        call = ast.parse(explanation.rule.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return DisplayName(explanation.rule or "LRP")
    return _rule(call) or DisplayName(explanation.rule)


def _rule(call: ast.expr) -> DisplayName | None:
    """Name a rule or composite from its parsed ``repr``; None if it is neither."""
    match call:
        case ast.Call(func=ast.Name(id="Composite"), args=[ast.Dict() as layers], keywords=[ast.keyword(value=rest)]):
            return _composite_name(layers, rest)
        case ast.Call(func=ast.Name(id=kind)) if kind in _PRODUCT_RULES:
            return _PRODUCT_RULES[kind]
        case ast.Call(func=ast.Name(id=kind), keywords=options) if kind in _RULES:
            values = {each.arg: _constant(each.value) for each in options}
            return _single(kind, values)
    return None


def _single(kind: str, values: dict[str | None, Any]) -> DisplayName:
    title, sentence = _RULES[kind]
    if kind == "AlphaBeta":
        alpha, beta = values.get("alpha", 2.0), values.get("beta", 1.0)
        title = f"LRP-α{alpha:g}β{beta:g}"
        sentence = (
            sentence if beta else "Only positive contributions get relevance: no word opposes a positive score."
        )
    else:
        numbers = [f"{_LETTERS[str(key)]} = {value:g}" for key, value in values.items() if key in _LETTERS]
        title = f"{title} ({', '.join(numbers)})" if numbers else title
    if values.get("bias") == "spread":
        title, sentence = f"{title}, bias spread", "Like LRP-ε, with the bias distributed equally over the inputs."
    elif values.get("bias") == "ignore":
        title = f"{title}, no bias"
    return DisplayName(title, sentence)


def _composite_name(layers: ast.Dict, rest: ast.expr) -> DisplayName | None:
    default = _rule(rest)
    parts = [(_constant(key), _rule(rule)) for key, rule in zip(layers.keys, layers.values, strict=True) if key]
    if default is None or any(rule is None for _, rule in parts):
        return None
    if len(parts) == 1 and parts[0][0] == "product" and parts[0][1] is not None:
        return DisplayName(f"{default.title} ({parts[0][1].title})", parts[0][1].sentence)
    named = [f"{rule.title} {_LAYERS.get(layer, f'at {layer}')}" for layer, rule in parts if rule is not None]
    title = "; ".join([*named, f"{default.title} elsewhere"])
    return DisplayName(title, "A composite: different layers use different rules.")


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
