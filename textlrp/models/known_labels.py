"""Match the labels of documents with the classes of a model, in the same way in every command."""

from __future__ import annotations

import dataclasses
import difflib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from textlrp.records import Document, Label, Labels, label_text

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_SHOWN = 5  # labels or classes in a warning


class KnownLabels:
    """Find the class of a label, and count the labels that are not a class.

    A label is the class with the same text, or else the only class with the same number ("1", 1, "1.0").
    ``known`` and ``unknown`` count the labels passed to :meth:`class_of` and :meth:`classes_of`.
    """

    def __init__(self, classes: Iterable[Any]) -> None:
        self._classes: dict[str, Label] = {str(name): name for name in classes}
        numbers: dict[float, list[str]] = {}
        for name in self._classes:
            if (number := _number(name)) is not None:
                numbers.setdefault(number, []).append(name)
        self._numbers = {number: names[0] for number, names in numbers.items() if len(names) == 1}
        self.known = 0
        self.unknown: Counter[str] = Counter()

    def class_of(self, label: Label | Labels) -> Label | None:
        """Return the class of a label as it is in the model; None if the label is not a class.

        A tuple of one label counts as this label, a tuple of several labels is not a class.
        """
        text = label_text(label) or ""
        name: str | None = text
        if name not in self._classes:
            number = _number(text)
            name = None if number is None else self._numbers.get(number)
        if name is None:
            self.unknown[text] += 1
            return None
        self.known += 1
        return self._classes[name]

    def classes_of(self, labels: Label | Labels) -> tuple[Label | None, ...]:
        """Return the classes of all labels of a document; None for each label that is not a class."""
        return tuple(map(self.class_of, labels if isinstance(labels, tuple) else (labels,)))

    def resolve(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents; a label that matches a class becomes that class."""
        for document in documents:
            label = getattr(document, "label", None)  # a plain string has no label
            if label is None:
                yield document
                continue
            if isinstance(label, tuple) and len(label) != 1:
                classes = zip(self.classes_of(label), label, strict=True)
                yield dataclasses.replace(document, label=tuple(each if c is None else c for c, each in classes))
                continue
            found = self.class_of(label)
            same = found is None or str(found) == label_text(label)
            yield document if same else dataclasses.replace(document, label=found)

    def warn(self) -> None:
        """Warn once about the labels that are not a class, if there are any."""
        if not self.unknown:
            return
        left_out, total = self.unknown.total(), self.known + self.unknown.total()
        examples = ", ".join(map(self._described, (label for label, _ in self.unknown.most_common(_SHOWN))))
        more = f" and {len(self.unknown) - _SHOWN:,} more" if len(self.unknown) > _SHOWN else ""
        classes = ", ".join(map(repr, list(self._classes)[:_SHOWN])) + (
            ", ..." if len(self._classes) > _SHOWN else ""
        )
        warnings.warn(
            f"{left_out:,} of {total:,} labels are not classes of the model: {examples}{more}. "
            f"Its classes are {classes}. Documents with these labels do not count in the accuracy.",
            UserWarning,
            stacklevel=2,
        )

    def _described(self, label: str) -> str:
        folded = {name.casefold().strip(): name for name in self._classes}
        near = difflib.get_close_matches(label.casefold().strip(), folded, 1, 0.75)
        return f"{label!r} (did you mean {folded[near[0]]!r}?)" if near else repr(label)


def _number(text: str) -> float | None:
    return float(text) if len(text) < 30 and _NUMBER.fullmatch(text) else None
