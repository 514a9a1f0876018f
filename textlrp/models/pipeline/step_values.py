"""What the steps of a pipeline read: texts, columns of a table, and the values of other steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from textlrp.models.pipeline.forms import Form
from textlrp.models.pipeline.stages import Stage
from textlrp.models.pipeline.vectorizers import TextVectorizer


@dataclass(frozen=True, slots=True)
class TextColumn:
    """The texts of one column of a table, as the value that a vectorizer reads."""

    name: Any


@dataclass(frozen=True, slots=True, eq=False)
class OtherColumns:
    """A step that makes ``width`` features of other columns of a table than texts.

    ``columns`` are the names of its columns, or one name if it reads a single column as a series.
    """

    name: str
    step: Any
    columns: Any
    width: int


Value = Stage | Form | TextColumn | None
"""What a step returns: features, sums of features, the texts of a column, or None for the texts or the table itself.
"""


@dataclass
class Sources:
    """What the steps of a pipeline read: its vectorizers, and what other steps learned.

    ``others`` are the steps that read other columns of a table than texts, ``other_names`` the names of the columns.
    """

    readers: list[TextVectorizer] = field(default_factory=list)
    others: list[OtherColumns] = field(default_factory=list)
    other_names: list[Any] = field(default_factory=list)
    learned: list[Any] = field(default_factory=list)
    known: dict[tuple[Any, int], tuple[Any, ...]] = field(default_factory=dict)
    layers: set[str] = field(default_factory=lambda: {"output"})

    def layer_name(self, *names: str) -> str:
        """Return a name for a layer that no other layer has: the first name, all names, or these with a number."""
        full = ".".join(reversed(names))
        numbered = (f"{full}.{number}" for number in count(2))
        name = next(each for each in chain([names[0], full], numbered) if each not in self.layers)
        self.layers.add(name)
        return name

    def shared(self, key: Any, before: Value, make: Callable[[], Any]) -> Any:
        """Return ``make()``, or what it returned when it was called with this key and value before.

        Classifiers that read the same features so have them once.
        """
        if (key, id(before)) not in self.known:
            self.known[key, id(before)] = (before, make())  # with the value, so that its id stays its own
        return self.known[key, id(before)][-1]


ReadStep = Callable[[Any, str, Value, Sources], Value]
"""A function: fitted step, its name, the value that it reads, sources -> the value that it returns."""
