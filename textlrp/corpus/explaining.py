"""Explain the documents of a corpus, and look into the filters of a net."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textlrp.explainers.explain import explain
from textlrp.explainers.phrases import filter_phrases
from textlrp.explainers.targets import targets_named
from textlrp.lrp.starts import Start
from textlrp.models.base import Classifier
from textlrp.models.known_labels import KnownLabels
from textlrp.records import Document, Explanation, Listing
from textlrp.reports.marks import number


def explain_corpus(
    model: Classifier,
    documents: Iterable[Document],
    *,
    targets: Sequence[str] = (),
    versus: str | None = None,
    rule: str | None = None,
    start: Start | None = None,
    method: str = "lrp",
    phrases: int = 0,
    device: str = "cpu",
) -> Iterator[Explanation]:
    """:func:`textlrp.explain` with classes given as text: ``"3"`` is the class 3 of a model of whole numbers.

    Labels of documents are matched with the classes of the model; see :class:`KnownLabels`.
    ``targets`` may hold ``"all"``; none is the predicted class. ``versus`` B asks of each target A why A and not B.
    Raises :class:`TargetError`, :class:`RuleError`, and :class:`OptionError` where ``versus`` has nothing to
    be compared with.
    """
    names = targets_named(targets, versus)
    known = KnownLabels(model.classes_.tolist()).named(documents)
    return explain(
        model,
        known,
        target=names or None,
        rule=rule,
        start=start,
        method=method,
        phrases=phrases,
        device=device,
    )


def strongest_filters(model: Classifier, documents: Iterable[Document], *, top: int = 5, most: int = 20) -> Listing:
    """The ``most`` filters of a CNN with the largest activation in a corpus: their phrases and their class.

    Raises :class:`ModelError` for a model without winning windows; see :func:`filter_phrases`.
    """
    filters = [found for found in filter_phrases(model, documents, top=top) if found.phrases]
    filters.sort(key=lambda found: -found.phrases[0].activation)
    rows = tuple(
        (
            f"{found.step} {found.number}",
            f"{found.classes[0][0]} {number(found.classes[0][1], 2, signed=True)}",
            ", ".join(f"{phrase.words} {phrase.activation:.2f}" for phrase in found.phrases),
        )
        for found in filters[:most]
    )
    note = "Each filter with the class it speaks for (weight) and the phrases that excite it most (activation)."
    if not rows:
        note = "No text has a word that the model reads."
    return Listing(f"{len(rows)} of {len(filters)} filters", note, ("filter", "class", "phrases"), rows)
