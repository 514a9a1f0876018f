"""Explain documents with classes, rules and methods given as text, as on the command line or in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textlrp.explainers.explain import explain
from textlrp.explainers.targets import targets_from_text
from textlrp.explanation import Explanation
from textlrp.lrp.starts import Start
from textlrp.models.classifier import Classifier
from textlrp.models.known_labels import KnownLabels
from textlrp.records import Document


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
    """Call :func:`textlrp.explain` with classes given as text, as on the command line.

    ``"3"`` is the class 3 of a model with whole-number labels. The labels of documents are matched with the classes
    of the model; see :class:`KnownLabels`. ``targets`` may contain ``"all"``; an empty one means the predicted class.
    ``versus`` B explains, for each target A, why A and not B. Raises :class:`TargetError` and :class:`RuleError` as
    ``explain`` does, and :class:`OptionError` for ``versus`` without a target.
    """
    names = targets_from_text(targets, versus)
    known = KnownLabels(model.classes_.tolist()).resolve(documents)
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
