"""What :func:`textlrp.find_shortcuts` returns: groups of documents, their leading words, and how suspicious each is.

Letters: G documents of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

EFFECTS = ("concentration", "dependence")
"""Parts of the suspicion that tell how much the model relies on the words."""
ORIGINS = ("one source", "outside the body", "names and codes", "unlike the class")
"""Parts of the suspicion that tell whether the words are about the topic."""

PART_MEANINGS: Mapping[str, str] = {
    "concentration": "share of the supporting relevance that is on the leading words",
    "dependence": "share of the margin over the next class that is lost without the leading words",
    "one source": "share of the documents that have the same author, or a near-duplicate",
    "outside the body": "share of the leading words' occurrences in headers and signatures",
    "names and codes": "share of the leading words' relevance on names of authors, addresses, numbers and symbols",
    "unlike the class": "share of the documents whose other words are more like those of another class (TF-IDF)",
}
"""What each part of the suspicion is; all are between 0 and 1."""


class LeadingWord(NamedTuple):
    """One of the words that the predictions of a group rest on.

    ``share``: the mean share of the supporting relevance that it has in the documents of the group. ``documents``:
    how many documents of the whole corpus contain it, ``of_class`` how many of these have the class as true label.
    ``z``: how far their share is above that of the class in the corpus, in standard deviations (Gardner et al. 2021,
    arXiv 2104.08646, section 4).
    """

    word: str
    share: float
    documents: int
    of_class: int
    z: float


class Deleted(NamedTuple):
    """The predictions of the G documents of a group with and without its leading words.

    ``correct`` and ``correct_without`` count predictions that are the true label. ``changed`` counts documents with
    another predicted class without the words, ``changed_correct`` those of them that were correct before.
    """

    correct: int
    correct_without: int
    changed: int
    changed_correct: int


class Origins(NamedTuple):
    """Where the documents of a group come from, and where its leading words appear.

    ``authors`` and ``threads`` are the number of different ones, ``largest_author`` and ``largest_thread`` the number
    of documents of the most frequent one; None if no text names any. ``near_duplicates``: documents with a
    near-duplicate in the group. ``parts``: the share of occurrences in each part of the text.
    """

    authors: int | None
    largest_author: int | None
    threads: int | None
    largest_thread: int | None
    near_duplicates: int
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class ShortcutGroup:
    """Documents of one predicted class whose prediction rests on the same few words.

    ``documents`` are the positions of its G documents in the corpus, those with the largest share first.
    ``of_predictions`` is the number of documents with that predicted class. ``share_of_relevance`` is the share of
    the class's supporting relevance, over all of these, that is on the leading words in this group.
    ``suspicion_parts`` are explained in :data:`PART_MEANINGS`. ``suspicion`` is the geometric mean of two numbers:
    the mean of :data:`EFFECTS`, and the largest of :data:`ORIGINS`. Groups are sorted by ``weight``, the suspicion
    times the square root of the number of documents. Whether a group is a shortcut is for a person to decide.
    """

    label: str
    words: tuple[LeadingWord, ...]
    documents: tuple[int, ...]
    ids: tuple[str, ...]
    of_predictions: int
    share_of_relevance: float
    deleted: Deleted
    origins: Origins
    suspicion_parts: Mapping[str, float]
    suspicion: float

    @property
    def weight(self) -> float:
        """The suspicion times the square root of the number of documents."""
        return self.suspicion * float(len(self.documents) ** 0.5)

    def to_dict(self) -> dict[str, Any]:
        """Return the group as plain data."""
        plain = asdict(self)
        plain["words"] = [word._asdict() for word in self.words]
        plain["deleted"], plain["origins"] = self.deleted._asdict(), self.origins._asdict()
        return plain


@dataclass(frozen=True, slots=True, eq=False)
class Shortcuts:
    """The groups of a model on a corpus, the most suspicious first.

    ``labels`` are the classes of the model; ``predicted`` counts the documents of each predicted class, and
    ``grouped`` those that were compared (a sample of large classes). ``method`` and ``rule`` name the explanation.
    """

    labels: tuple[str, ...]
    groups: tuple[ShortcutGroup, ...]
    n_documents: int
    accuracy: float
    predicted: Mapping[str, int]
    grouped: Mapping[str, int]
    method: str
    rule: str
    model: str

    def of_class(self, label: str) -> tuple[ShortcutGroup, ...]:
        """Return the groups of one class, the most suspicious first."""
        return tuple(group for group in self.groups if group.label == label)

    def words(self, *, suspicion: float = 0.5) -> tuple[str, ...]:
        """Return the leading words of all groups of at least this ``suspicion``, sorted, each once."""
        return tuple(
            sorted({word.word for each in self.groups if each.suspicion >= suspicion for word in each.words})
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON."""
        plain = {name: getattr(self, name) for name in ("n_documents", "accuracy", "method", "rule", "model")}
        plain |= {"labels": list(self.labels), "predicted": dict(self.predicted), "grouped": dict(self.grouped)}
        return plain | {"groups": [group.to_dict() for group in self.groups]}
