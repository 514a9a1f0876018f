"""Constants that have a name in the ledger: position and token-type embeddings.

A constant that is added to a value that depends on the words absorbs relevance as a bias. If it was looked up in a
table of positions or of token types, the ledger has the name of that table. Open this module if such a table is not
recognized.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from textlrp.lrp.recorded.randomness import DROPOUTS, names
from textlrp.lrp.recorded.watch import MOVES, Lookups, replayed, tensors_in

_POSITIONS = names("pos position positions positional relative rel wpe posemb pe")
_TOKEN_TYPES = names("segment segments seg tokentype")
"""Parts of the names of tables of positions and of token types, as in ``embeddings.position_embeddings``."""

_KEEPS = MOVES | DROPOUTS | names("to float double half type type_as detach mul rmul multiply div truediv")
"""Operations that are linear in one constant, so that they can be repeated for each of its terms."""

_ADDS = names("add radd")


class ConstantTerm(NamedTuple):
    """One term of a constant: the step and the cause that absorb its relevance, and its values."""

    step: str
    cause: str
    values: Tensor


class NamedConstants:
    """The named terms of constants, by the id() of their tensors.

    ``layers`` has the name of the layer of each parameter and buffer of ``module``, by id().
    """

    def __init__(self, module: nn.Module, layers: Mapping[int, str]) -> None:
        self._layers = layers
        self._parameters = {
            id(tensor): name
            for found in (module.named_parameters, module.named_buffers)
            for name, tensor in found(remove_duplicate=False)
        }
        self._terms: dict[int, Sequence[ConstantTerm]] = {}
        self._alive: list[Tensor] = []  # keeps the tensors, because the id() of a deleted tensor may be used again

    def terms(self, constant: Any) -> Sequence[ConstantTerm]:
        """Return the named terms of a constant; empty if it has none."""
        if id(constant) in self._terms:
            return self._terms[id(constant)]
        name = self._parameters.get(id(constant), "")
        cause = cause_of(name)
        return [ConstantTerm(name, cause, constant.detach())] if cause and constant.is_floating_point() else []

    def follow(
        self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Keep track of named terms through an operation on constants."""
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return
        terms: Sequence[ConstantTerm] = ()
        if operation == "embedding":
            layer = self._layers.get(id(Lookups(operation, args, kwargs).table), "")
            terms = [ConstantTerm(layer, cause, result)] if (cause := cause_of(layer)) else []
        elif operation in _KEEPS or operation in _ADDS:
            read = [(tensor, self.terms(tensor)) for tensor in tensors_in((args, kwargs))]
            named = [(tensor, found) for tensor, found in read if found]
            if operation in _ADDS:
                whole = len(named) == len(read) == 2 and not kwargs
                terms = [term for _, found in named for term in found] if whole else []
            elif len(named) == 1:
                ((tensor, found),) = named
                terms = [
                    term._replace(values=replayed(function, args, kwargs, {id(tensor): term.values}))
                    for term in found
                ]
        if terms:
            for tensor, found in ((result, terms), *((term.values, [term]) for term in terms if len(terms) > 1)):
                self._terms[id(tensor)] = found
                self._alive.append(tensor)


def cause_of(name: str) -> str:
    """Return the cause of the ledger for the table of this name; empty if it is not one of positions or types.

    >>> cause_of("bert.embeddings.position_embeddings"), cause_of("token_type_embeddings"), cause_of("words")
    ('position', 'token type', '')
    """
    parts = set(re.split(r"[._]", name.lower()))
    if parts & _TOKEN_TYPES or {"token", "type"} <= parts:
        return "token type"
    return "position" if parts & _POSITIONS else ""
