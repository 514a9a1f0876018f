"""Values back from what they print as: ``Gamma(gamma=0.5)``, ``Composite({0: Flat()}, default=Epsilon())``.

Nothing is evaluated: the text may call the given classes with plain numbers, strings and dictionaries, no more.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from textlrp.errors import RuleError


def is_call(text: str) -> bool:
    """Whether a text looks like a printed value and not like a name."""
    return text.rstrip().endswith(")") and "(" in text


def pasted(text: str, classes: Mapping[str, Any]) -> Any:
    """The value that prints as ``text``, made from these classes.

    Raises :class:`RuleError` on anything but calls of them with plain values, and as they do.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise RuleError(
            f"{text!r} cannot be read; a value as Python prints it is wanted, such as Gamma(gamma=0.5)."
        ) from None
    return _value(tree, text, classes)


def _value(node: ast.expr, text: str, classes: Mapping[str, Any]) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in classes and all(each.arg for each in node.keywords):
            options = {str(each.arg): _value(each.value, text, classes) for each in node.keywords}
            try:
                return classes[name](*(_value(each, text, classes) for each in node.args), **options)
            except TypeError as problem:
                raise RuleError(f"{text!r} cannot be made: {problem}.") from None
        case ast.Dict(keys=keys, values=values):
            return {
                _value(key, text, classes): _value(value, text, classes)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.Constant(value=value) if value is None or isinstance(value, (bool, int, float, str)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise RuleError(
        f"{ast.unparse(node)!r} in {text!r} is not known; there are {', '.join(classes)}, numbers and strings."
    )
