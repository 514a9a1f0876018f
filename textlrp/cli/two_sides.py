"""Two models, rules or methods on the same documents, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee
from pathlib import Path

from textlrp.explainers.explain import explain
from textlrp.explainers.named import explain_corpus
from textlrp.explainers.targets import Index
from textlrp.explanation import Explanation
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output
from textlrp.lrp.starts import Start
from textlrp.models.classifier import Classifier
from textlrp.models.known_labels import KnownLabels
from textlrp.records import Document
from textlrp.reports.comparison.comparison_page import comparison_page


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a model's explanations by ``rule`` and ``method`` are compared with.

    That is the model ``against``, or the same one, by ``against_rule`` or ``against_method``, or where neither is
    given by the same rule and method; ``start`` is that of every side that is LRP. Both sides explain ``target``;
    without one the class that the first model predicts, but each side its own where the two do not have the same
    classes.
    """

    against: Classifier | None = None
    rule: str | None = None
    method: str = "lrp"
    against_rule: str | None = None
    against_method: str | None = None
    target: str | None = None
    start: Start | None = None


def explained_twice(
    model: Classifier, documents: Iterable[Document], asked: Comparison
) -> Iterator[tuple[Explanation, Explanation]]:
    """Each document explained by both sides, lazily; raises as :func:`textlrp.explain` does."""
    other = asked.against or model
    rule, method = asked.against_rule, asked.against_method or "lrp"
    if asked.against_rule is None and asked.against_method is None:
        rule, method = asked.rule, asked.method
    targets = () if asked.target is None else (asked.target,)
    start = asked.start if asked.method == "lrp" else None
    other_start = asked.start if method == "lrp" else None
    mine, theirs = tee(documents)
    firsts = explain_corpus(model, mine, targets=targets, rule=asked.rule, start=start, method=asked.method)
    if targets or not same_classes(model, other):
        seconds = explain_corpus(other, theirs, targets=targets, rule=rule, start=other_start, method=method)
    else:
        firsts, ahead = tee(firsts)
        positions = {str(label): Index(position) for position, label in enumerate(other.classes_.tolist())}
        own = (positions[why.labels[why.predicted]] for why in ahead)
        known = KnownLabels(other.classes_.tolist()).resolve(theirs)
        seconds = explain(other, known, targets=own, rule=rule, start=other_start, method=method)
    return zip(firsts, seconds, strict=True)


def same_classes(one: Classifier, other: Classifier) -> bool:
    """Whether two models have the same classes, in whatever order."""
    mine, theirs = ({str(label) for label in model.classes_.tolist()} for model in (one, other))
    return mine == theirs


def write_comparison(
    model: Classifier,
    documents: Iterable[Document],
    path: str | Path,
    asked: Comparison,
    *,
    names: tuple[str, str] | None = None,
    title: str | None = None,
    palette: str = "red-blue",
    force: bool = False,
) -> Path:
    """Write a page with both explanations of each document; gives back the path. ``names`` are those of the models.

    Raises :class:`DataError` where ``path`` is no ``.html`` that can be written, or no document came, else as
    :func:`textlrp.explain` does.
    """
    check_output(path, PAGES, force=force)
    known = KnownLabels(model.classes_.tolist())
    pairs = explained_twice(model, known.resolve(documents), asked)
    about = _explained_class(model, asked)
    comparison_page(pairs, path, names=names, about=about, title=title, palette=palette, force=force)
    known.warn()
    return Path(path)


def _explained_class(model: Classifier, asked: Comparison) -> str:
    """Which class the page is about."""
    if asked.target is not None:
        return f"Both sides explain the score of {asked.target}."
    if asked.against is None:
        return "Both sides explain the score of the class that the model predicts."
    if same_classes(model, asked.against):
        return "Both sides explain the class that the first model predicts, also where the second predicts another."
    return "The models do not have the same classes, so each side explains the class that its own model predicts."
