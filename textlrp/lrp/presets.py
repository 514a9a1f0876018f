"""Named composites, and reading a rule or composite from text.

Open this module to see what a name such as ``"epsilon-gamma"`` means, or to add one. The names are those of
iNNvestigate 2.1 (they begin with ``lrp.`` or ``deep_taylor``) and Zennit 0.5.1, and those of the papers on
transformers: ``cp-lrp`` (Ali et al. 2022, arXiv 2202.07304) and ``attnlrp`` (Achtibat et al. 2024, arXiv 2402.05602).
In all of them, averages, sums and embedding bags follow LRP-0, and position 0 is every weighted layer that reads the
words.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from textlrp.errors import RuleError, closest, must_be
from textlrp.lrp.composite import Composite, is_rule
from textlrp.lrp.product_rules import PRODUCT_RULES, Halves, SourceOnly
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.shares import Rule

ALPHA_1_BETA_0 = AlphaBeta(1.0, 0.0)
ALPHA_2_BETA_1 = AlphaBeta(2.0, 1.0)


def _one_rule(rule: Rule) -> Composite:
    return Composite(default=rule)


def _layered(convolution: Rule, first: Rule | None = None) -> Composite:
    """Epsilon at all layers except the convolutions and, if ``first`` is given, the layers that read the words."""
    return Composite({"convolution": convolution} if first is None else {0: first, "convolution": convolution})


PRESETS: Mapping[str, Composite] = MappingProxyType(
    {
        "zero": _one_rule(Zero()),
        "epsilon": _one_rule(Epsilon()),
        "gamma": _one_rule(Gamma()),
        "alpha1-beta0": _one_rule(ALPHA_1_BETA_0),
        "alpha2-beta1": _one_rule(ALPHA_2_BETA_1),
        "z-plus": _one_rule(ZPlus()),
        "w-square": _one_rule(WSquare()),
        "flat": _one_rule(Flat()),
        "arras2017": _one_rule(Epsilon(0.01, bias="spread")),
        "cp-lrp": Composite({"product": SourceOnly()}, default=Zero()),
        "attnlrp": Composite({"product": Halves()}, default=Zero()),
        "epsilon-gamma": _layered(Gamma()),
        "epsilon-gamma-box": _layered(Gamma(), ZBox()),
        "epsilon-plus": _layered(ALPHA_1_BETA_0),
        "epsilon-plus-flat": _layered(ALPHA_1_BETA_0, Flat()),
        "epsilon-alpha2-beta1": _layered(ALPHA_2_BETA_1),
        "epsilon-alpha2-beta1-flat": _layered(ALPHA_2_BETA_1, Flat()),
        "excitation-backprop": _one_rule(ZPlus()),
        "lrp.z": _one_rule(Zero()),
        "lrp.epsilon": _one_rule(Epsilon(1e-7)),
        "lrp.w_square": _one_rule(WSquare()),
        "lrp.flat": _one_rule(Flat()),
        "lrp.alpha_beta": _one_rule(ALPHA_2_BETA_1),
        "lrp.alpha_2_beta_1": _one_rule(ALPHA_2_BETA_1),
        "lrp.alpha_2_beta_1_IB": _one_rule(AlphaBeta(2.0, 1.0, bias="ignore")),
        "lrp.alpha_1_beta_0": _one_rule(ALPHA_1_BETA_0),
        "lrp.alpha_1_beta_0_IB": _one_rule(AlphaBeta(1.0, 0.0, bias="ignore")),
        "lrp.z_plus": _one_rule(ZPlus()),
        "lrp.z_plus_fast": _one_rule(ZPlus()),
        "lrp.sequential_preset_a": _layered(ALPHA_1_BETA_0),
        "lrp.sequential_preset_b": _layered(ALPHA_2_BETA_1),
        "lrp.sequential_preset_a_flat": _layered(ALPHA_1_BETA_0, Flat()),
        "lrp.sequential_preset_b_flat": _layered(ALPHA_2_BETA_1, Flat()),
        "deep_taylor": Composite({0: WSquare()}, default=ZPlus()),
        "deep_taylor.bounded": Composite({0: ZBox()}, default=ZPlus()),
    }
)
"""The composite of each name."""

_PAPER_NAMES = {"alpha1beta0": "alpha1-beta0", "alpha2beta1": "alpha2-beta1"}
"""Names as they are written in papers, and our names."""

PASTEABLE: Mapping[str, type] = {rule.__name__: rule for rule in (*RULES, *PRODUCT_RULES)} | {"Composite": Composite}
"""The classes that a rule given as text may call."""


def as_composite(rule: str | Rule | Composite) -> Composite:
    """Return the composite that ``rule`` describes.

    ``rule`` is the name of a preset, a rule (for every weighted layer), a composite, or a rule or composite as text,
    such as ``"Gamma(gamma=0.5)"``. Zennit's names may be written with underscores, as Zennit does. Raises
    :class:`RuleError` on anything else.
    """
    if isinstance(rule, Composite):
        return rule
    if isinstance(rule, str):
        for name in (rule, rule.replace("_", "-"), _PAPER_NAMES.get(rule, "")):
            if name in PRESETS:
                return PRESETS[name]
        if is_call(rule):
            return as_composite(pasted(rule, PASTEABLE))
        raise RuleError(
            f"no rule is called {rule!r}.{closest(rule, PRESETS)} 'textlrp rules' lists all {len(PRESETS)} names."
        )
    if is_rule(rule):
        return Composite(default=rule)
    raise RuleError(
        must_be("rule", "a name, a Rule or a Composite", rule, "Try 'epsilon', Epsilon(0.01) or Composite(...).")
    )


# ---- values from text: Gamma(gamma=0.5), Composite({0: Flat()}, default=Epsilon())


def is_call(text: str) -> bool:
    """Whether a text looks like a call, such as ``Gamma(0.5)``, and not like a name."""
    return text.rstrip().endswith(")") and "(" in text


def pasted(text: str, classes: Mapping[str, Any]) -> Any:
    """Return the value whose ``repr`` is ``text``, built from ``classes`` (by name).

    Nothing is evaluated as Python code: the text may only call the given classes with numbers, strings, dictionaries
    and other such calls. Raises :class:`RuleError` on anything else, and the errors of the classes.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise RuleError(f"{text!r} cannot be read as a Python call. Write it like Gamma(gamma=0.5).") from None
    return _pasted_value(tree, text, classes)


def _pasted_value(node: ast.expr, text: str, classes: Mapping[str, Any]) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in classes and all(each.arg for each in node.keywords):
            options = {str(each.arg): _pasted_value(each.value, text, classes) for each in node.keywords}
            try:
                return classes[name](*(_pasted_value(each, text, classes) for each in node.args), **options)
            except TypeError as problem:
                takes = ", ".join(inspect.signature(classes[name]).parameters) or "no arguments"
                raise RuleError(f"{text!r} cannot be created: {problem}. {name} takes {takes}.") from None
        case ast.Dict(keys=keys, values=values):
            return {
                _pasted_value(key, text, classes): _pasted_value(value, text, classes)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.Constant(value=value) if value is None or isinstance(value, (bool, int, float, str)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise RuleError(
        f"{ast.unparse(node)!r} in {text!r} is not allowed here. Use only {', '.join(classes)}, numbers and strings."
    )
