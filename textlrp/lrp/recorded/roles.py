"""The role that a recorded value plays in a product: which of two factors is the gate, and which the source.

Open this module if a product of two values is refused, or if the wrong factor receives the relevance.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Role(IntEnum):
    """What a value is as a factor. In a product the value with the higher role is the gate, the other the source."""

    VALUE = 0
    """Any other value."""
    ACTIVATION = 1
    """The result of an activation, such as a GELU: it gates the other half of a gated layer (GEGLU, SwiGLU)."""
    GATE = 2
    """The result of a sigmoid."""
    WEIGHT = 3
    """The result of a softmax: attention weights."""
    LENGTH = 4
    """A length, deviation or power: a constant as a factor or divisor, as the deviation in LayerNorm."""


class Roles:
    """The role of each value, and its origin: the value that it is an elementwise function of.

    Both are kept by the names of values in the trace.
    """

    def __init__(self) -> None:
        self._roles: dict[str, Role] = {}
        self._origins: dict[str, str] = {}

    def __getitem__(self, value: str) -> Role:
        return self._roles.get(value, Role.VALUE)

    def set(self, value: str, role: Role) -> None:
        """Set the role of a value."""
        self._roles[value] = role

    def origin(self, value: str) -> str:
        """Return the value that ``value`` is an elementwise function of; the value itself if there is none."""
        return self._origins.get(value, value)

    def follows(self, value: str, reads: Sequence[str], *, at_least: Role = Role.VALUE) -> None:
        """Note that ``value`` is an elementwise function of the values ``reads``: of one, or a sum of several.

        A function of one value keeps its role. A sum is a length if all are lengths, and otherwise any value.
        """
        roles, origins = {self[read] for read in reads}, {self.origin(read) for read in reads}
        kept = next(iter(roles)) if len(reads) == 1 or roles == {Role.LENGTH} else Role.VALUE
        self.set(value, max(kept, at_least))
        if len(origins) == 1:
            self._origins[value] = next(iter(origins))

    def multiplies(self, value: str, factors: Sequence[str]) -> None:
        """Note that ``value`` is the product, element by element, of two values."""
        roles = [self[factor] for factor in factors]
        if self.same_origin(factors):  # an elementwise function of one value
            self.follows(value, factors, at_least=Role.LENGTH if min(roles) == Role.LENGTH else Role.ACTIVATION)
        elif roles[0] == roles[1] >= Role.GATE:  # a product of two gates is a gate
            self.set(value, roles[0])

    def same_origin(self, values: Sequence[str]) -> bool:
        """Whether all values are elementwise functions of the same value."""
        return len({self.origin(value) for value in values}) == 1
