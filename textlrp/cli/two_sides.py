"""A comparison page: the same documents explained by two models, two rules or two methods."""

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
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.known_labels import KnownLabels
from textlrp.records import Document
from textlrp.reports.comparison.comparison_page import comparison_page
from textlrp.reports.corpus.summary import with_targets


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two sides of a comparison.

    The first side is the model itself with ``rule`` and ``method``. The second side is the model ``against`` (None:
    the same model) with ``against_rule`` and ``against_method``. If both are None, it has the rule and the method of
    the first side. ``start`` applies to every side that is LRP.

    Both sides explain ``target``. If that is None, they explain the class that the first model predicts; if the
    models have different classes, each side explains its own predicted class.
    """

    against: Classifier | None = None
    rule: str | None = None
    method: str = "lrp"
    against_rule: str | None = None
    against_method: str | None = None
    target: str | None = None
    start: Start | None = None


def explain_both_sides(
    model: Classifier, documents: Iterable[Document], compared: Comparison
) -> Iterator[tuple[Explanation, Explanation]]:
    """Explain each document by both sides, lazily; raises as :func:`textlrp.explain` does."""
    other = compared.against or model
    rule, method = compared.against_rule, compared.against_method or "lrp"
    if compared.against_rule is None and compared.against_method is None:
        rule, method = compared.rule, compared.method
    targets = () if compared.target is None else (compared.target,)
    start = compared.start if compared.method == "lrp" else None
    other_start = compared.start if method == "lrp" else None
    first_documents, other_documents = tee(documents)
    firsts = explain_corpus(
        model, first_documents, targets=targets, rule=compared.rule, start=start, method=compared.method
    )
    if targets or not same_classes(model, other):
        seconds = explain_corpus(other, other_documents, targets=targets, rule=rule, start=other_start, method=method)
    else:
        firsts, ahead = tee(map(_of_one_target, firsts))
        positions = {str(label): Index(position) for position, label in enumerate(other.classes_.tolist())}
        # the second side explains the class that the first one predicts, by its position in the second model
        predicted = (positions[why.labels[why.predicted]] for why in ahead)
        known = KnownLabels(other.classes_.tolist()).resolve(other_documents)
        seconds = explain(other, known, targets=predicted, rule=rule, start=other_start, method=method)
    return zip(map(_of_one_target, firsts), map(_of_one_target, seconds), strict=True)


def _of_one_target(why: Explanation) -> Explanation:
    """Keep the first of several targets: of all predicted labels the one that is highest above its threshold."""
    return with_targets(why, [why.row()]) if len(why.targets) > 1 and why.thresholds is not None else why


def same_classes(one: Classifier, other: Classifier) -> bool:
    """Whether two models have the same classes, in any order."""
    return {str(label) for label in one.classes_.tolist()} == {str(label) for label in other.classes_.tolist()}


def write_comparison(
    model: Classifier,
    documents: Iterable[Document],
    path: str | Path,
    compared: Comparison,
    *,
    names: tuple[str, str] | None = None,
    title: str | None = None,
    palette: str = "red-blue",
    texts: bool = True,
    force: bool = False,
) -> Path:
    """Write a page with both explanations of each document; return the path. ``names`` are the names of the models.

    Without ``texts`` the page has no text of a document.

    Raises :class:`DataError` if ``path`` is not an ``.html`` file that can be written or if there are no documents,
    and as :func:`textlrp.explain` does.
    """
    check_output(path, PAGES, force=force)
    known = KnownLabels(model.classes_.tolist())
    pairs = explain_both_sides(model, known.resolve(documents), compared)
    about = _explained_class(model, compared)
    comparison_page(pairs, path, names=names, about=about, title=title, palette=palette, texts=texts, force=force)
    known.warn()
    return Path(path)


def _explained_class(model: Classifier, compared: Comparison) -> str:
    """One sentence for the page: which class both sides explain."""
    if compared.target is not None:
        return f"Both sides explain the score of {compared.target}."
    if thresholds_of(model) is not None:
        return "Each text is explained for the predicted label that is highest above its threshold."
    if compared.against is None:
        return "Both sides explain the score of the class that the model predicts."
    if same_classes(model, compared.against):
        return "Both sides explain the class that the first model predicts, even if the second predicts another."
    return "The models do not have the same classes, so each side explains the class that its own model predicts."
