"""What rules and methods are called, and what each does in one plain sentence.

Told from what an explanation records of itself, so that a stored one needs no model and no torch.
"""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from textlrp.explanation import Explanation


class DisplayName(NamedTuple):
    """A rule or method in the field's own term, and a sentence on what it does (empty for one unknown here)."""

    title: str
    sentence: str = ""


_METHODS = {
    "squared-gradient": DisplayName(
        "Sensitivity analysis", "How sharply the score would change with the word, squared: it has no sign."
    ),
    "gradient-x-input": DisplayName(
        "Gradient × input", "Each word’s vector times the slope of the score at it: a straight line through the text."
    ),
    "integrated-gradients": DisplayName(
        "Integrated gradients", "Gradient × input, averaged along the way from a text of zero vectors to this one."
    ),
    "smoothgrad": DisplayName(
        "SmoothGrad", "Gradient × input, its gradient averaged over copies of the text with noise."
    ),
    "deconvnet": DisplayName("Deconvnet", "Gradient × input, where every ReLU lets only positive signals back."),
    "guided-backprop": DisplayName(
        "Guided backprop",
        "Gradient × input, where a ReLU lets only positive signals back, and only if it was active.",
    ),
    "occlusion": DisplayName("Occlusion", "How much the score falls when the word is taken out."),
    "cam": DisplayName(
        "Class activation map (CAM)", "Each window’s own part of the score, shared equally over the words it covers."
    ),
    "grad-cam": DisplayName(
        "Grad-CAM for text",
        "What each filter adds to the score, given to every word of the window it saw; nothing speaks against.",
    ),
    "random": DisplayName("Random", "Numbers drawn at random: what any method must beat."),
    "lime": DisplayName(
        "LIME", "A linear model fitted to the scores of many copies of the text with words left out."
    ),
    "shap": DisplayName(
        "SHAP (Owen values)", "What a word adds to the score, averaged over orders in which words are put back."
    ),
}

_RULES = {
    "Zero": DisplayName("LRP-0", "Each unit passes its relevance on in proportion to what each input added to it."),
    "Epsilon": DisplayName(
        "LRP-ε", "As LRP-0, with a small ε in the denominator that absorbs relevance where inputs cancel out."
    ),
    "Gamma": DisplayName(
        "LRP-γ", "What agrees with a unit’s sign counts more: the larger γ, the less speaks against."
    ),
    "AlphaBeta": DisplayName("LRP-αβ", "What raises a unit and what lowers it are shared out apart, α against β."),
    "ZPlus": DisplayName("LRP-z⁺", "As LRP-α1β0, and biases get no relevance: all of it goes to words."),
    "WSquare": DisplayName("LRP-w²", "Relevance follows the squared weights, whichever words were read."),
    "Flat": DisplayName("LRP-flat", "Every input of a unit gets the same: it shows where the model looked."),
    "ZBox": DisplayName(
        "LRP-zᴮ", "For inputs between known bounds: in proportion to the distance from the lowest product."
    ),
}
_LETTERS = {"epsilon": "ε", "gamma": "γ", "alpha": "α", "beta": "β"}
_PLACES = {0: "where words are read", -1: "where scores are written", "convolution": "on convolutions"}


def name_of(explanation: Explanation) -> DisplayName:
    """The name of the rule, or of the method if that is not LRP; what is unknown goes by the name it came with."""
    if explanation.method != "lrp":
        return _METHODS.get(explanation.method, DisplayName(explanation.method or "a method without a name"))
    try:
        call = ast.parse(explanation.rule.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return DisplayName(explanation.rule or "LRP")
    return _rule(call) or DisplayName(explanation.rule)


def _rule(call: ast.expr) -> DisplayName | None:
    """A printed rule or composite; None for what is neither."""
    match call:
        case ast.Call(func=ast.Name(id="Composite"), args=[ast.Dict() as layers], keywords=[ast.keyword(value=rest)]):
            return _composite_name(layers, rest)
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
            sentence if beta else "Only what raises a unit gets relevance: nothing speaks against a high score."
        )
    else:
        numbers = [f"{_LETTERS[str(key)]} = {value:g}" for key, value in values.items() if key in _LETTERS]
        title = f"{title} ({', '.join(numbers)})" if numbers else title
    if values.get("bias") == "spread":
        title, sentence = f"{title}, bias spread", "As LRP-ε, with the bias spread evenly over the words it met."
    elif values.get("bias") == "ignore":
        title = f"{title}, no bias"
    return DisplayName(title, sentence)


def _composite_name(layers: ast.Dict, rest: ast.expr) -> DisplayName | None:
    default = _rule(rest)
    parts = [(_constant(key), _rule(rule)) for key, rule in zip(layers.keys, layers.values, strict=True) if key]
    if default is None or any(rule is None for _, rule in parts):
        return None
    placed = [f"{rule.title} {_PLACES.get(place, f'at {place}')}" for place, rule in parts if rule is not None]
    title = "; ".join([*placed, f"else {default.title}"])
    return DisplayName(title, "A composite: each kind of layer goes by the rule that suits it.")


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
