"""Agreement with human rationales: are the most relevant words the words that people marked?

There are two baselines without a model: word position, and term frequency × log ratio. Files of rationales are read
by :mod:`textlrp.evaluation.rationale_files`. Letter: N documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from textlrp.class_words import read_words
from textlrp.errors import DataError, OptionError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.marked_words import (
    By,
    RankedUnits,
    TextWords,
    agreement_measures,
    max_by_group,
    ranked_units,
    sum_by_group,
    text_words,
    word_relevance,
)
from textlrp.evaluation.rationale_files import Rationale
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.adapt import as_classifier
from textlrp.models.classifier import Classifier
from textlrp.records import Document

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


RATIONALE_MEASURES = ("average_precision", "auroc", "pointing", "iou")
"""What :func:`rationale_agreement` measures; each is between 0 and 1, and 1 is full agreement."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Mean agreement over the included documents, with 95% bootstrap ``intervals``.

    A document is included if some of its words (or sentences) are marked and some are not: ``is_included`` (N,),
    ``n_documents`` of them; ``n_excluded`` counts the others. ``values`` {measure: (n_documents,)} are the values of
    the single documents. ``marked_share`` is the mean share of marked words; it is about what random relevance
    reaches in average precision and pointing.
    """

    method: str
    rule: str
    average_precision: float
    auroc: float
    pointing: float
    iou: float
    intervals: Mapping[str, Interval]
    marked_share: float
    n_documents: int
    n_excluded: int
    values: Mapping[str, NDArray[np.float64]]
    is_included: NDArray[np.bool_]


def explain_rationales(
    model: Classifier | Pipeline,
    rationales: Sequence[Rationale],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
) -> Iterator[Explanation]:
    """Explain each text for the label of its rationale, or for the predicted class if the label is missing.

    Raises :class:`DataError` for a label that is not a class of the model.
    """
    classifier = as_classifier(model)
    known = {str(name): Index(position) for position, name in enumerate(classifier.classes_.tolist())}
    for rationale in rationales:
        if rationale.label is not None and rationale.label not in known:
            raise DataError(
                f"document {rationale.id!r}: label must be a class of the model; got {rationale.label!r}. Pass one "
                f"of {', '.join(known)}, or leave the label out to explain the predicted class."
            )
    targets = [None if rationale.label is None else known[rationale.label] for rationale in rationales]
    documents = [rationale.document for rationale in rationales]
    return explain(classifier, documents, targets=targets, method=method, rule=rule)


def rationale_agreement(
    explanations: Iterable[Explanation],
    rationales: Iterable[Rationale],
    *,
    by: By = "token",
    read_only: bool = False,
) -> Agreement:
    """Compute average precision, AUROC, pointing accuracy and intersection over union per document.

    By default all words of the text are ranked, so the words are the same for every model; words that the model
    ignores have relevance 0. The relevance of a token is distributed over the words it overlaps, by characters. With
    ``read_only=True`` only the words that the model reads are ranked, so a model with a smaller vocabulary has fewer
    words to rank.

    ``by="token"`` ranks single occurrences. ``by="word"`` ranks distinct lowercase words by the sum of relevance over
    their occurrences; a word is marked if one of its occurrences is. ``by="sentence"`` ranks sentences by the sum of
    relevance over their words. A word is marked if it overlaps a marked range, a sentence if one of its words is
    marked.

    The relevance is that of the rationale's label, or of the predicted class if the label is missing. Pointing is 1
    if the most relevant word is marked. Intersection over union (IoU) compares the m marked words with the m most
    relevant words; ties go to the first.

    Raises :class:`DataError` if the texts differ or no document can be included, :class:`TargetError` if the label
    was not explained, :class:`OptionError` for another ``by``. Source: DeYoung et al. 2020 (arXiv 1911.03429),
    section 4; here m is the number of words that people marked, and not a number of words that a model chose.
    """
    settings = ["", ""]

    def ranked() -> Iterator[RankedUnits]:
        for explanation, rationale in zip(explanations, rationales, strict=True):
            if explanation.text != rationale.text:
                raise DataError(
                    f"explanations must be of the rationales' texts, in the same order; got another text for "
                    f"{explanation.document_id!r}. Explain the rationales with explain_rationales."
                )
            settings[:] = explanation.method, explanation.rule
            row = explanation.row(rationale.label)
            if read_only:
                read = read_words(explanation)
                words = TextWords(read.spans, read.forms)
                relevance = read.relevance[row]
            else:
                words = text_words(rationale.text)
                relevance = word_relevance(words, explanation, row)
            yield ranked_units(words, relevance, rationale, by, sum_by_group)

    return _agreement(ranked(), settings, by, "the words that the model reads" if read_only else "the words")


def position_agreement(
    rationales: Iterable[Rationale], *, first: Literal["late", "early"], by: By = "token"
) -> Agreement:
    """Compute the agreement of a baseline that ranks words by position only.

    ``first="late"`` ranks later words higher, ``first="early"`` earlier words. A distinct word has the position of
    its last (or first) occurrence. Raises as :func:`rationale_agreement` does.
    """
    if first not in ("late", "early"):
        raise OptionError(f"first must be 'late' or 'early'; got {first!r}.")

    def ranked() -> Iterator[RankedUnits]:
        for rationale in rationales:
            words = text_words(rationale.text)
            positions = np.arange(len(words.spans), dtype=np.float64)
            yield ranked_units(words, positions if first == "late" else -positions, rationale, by, max_by_group)

    return _agreement(ranked(), [f"{first} words first", ""], by, "the words")


def log_ratio_agreement(
    rationales: Sequence[Rationale],
    documents: Iterable[Document],
    *,
    labels: Sequence[str] | None = None,
    by: By = "token",
) -> Agreement:
    """Compute the agreement of a baseline without a model: term frequency × log ratio of class frequencies.

    An occurrence of word w has relevance log((n_wc + 1) / (N_c + V)) - log((n_w + 1) / (N + V)), where n_wc is the
    number of occurrences of w among the N_c words of the labeled ``documents`` of class c, n_w and N are the same
    counts for the other classes together, and V is the number of distinct words. Summed over the occurrences in a
    text, this is tf × log ratio. The class c is the rationale's label, or the entry of ``labels`` (N,) if the label
    is missing. Documents with the same text as a rationale are left out of the counts for it. Raises
    :class:`DataError` if a class has no document, and as :func:`rationale_agreement` does.
    """
    counts: dict[str, Counter[str]] = {}
    texts: Counter[tuple[str, str]] = Counter()
    for document in documents:
        if document.label is not None:
            counts.setdefault(str(document.label), Counter()).update(text_words(document.read_text()).forms)
            texts[document.text, str(document.label)] += 1
    total: Counter[str] = sum(counts.values(), Counter())

    def ranked() -> Iterator[RankedUnits]:
        for n, rationale in enumerate(rationales):
            label = rationale.label if rationale.label is not None or labels is None else labels[n]
            if label is None or label not in counts:
                raise DataError(
                    f"documents must contain a document of class {label!r}, the class of rationale {rationale.id!r}; "
                    "got none. Add one, or leave this baseline out."
                )
            words = text_words(rationale.text)
            in_text = Counter(words.forms)
            # the corpus may contain the text itself; subtract the words of its copies, by label
            copies = {name: texts[rationale.text, name] for name in counts}
            class_total = counts[label].total() - copies[label] * in_text.total()
            all_total = total.total() - sum(copies.values()) * in_text.total()
            ratios = {}
            for form, times in in_text.items():
                in_class = counts[label][form] - copies[label] * times
                elsewhere = total[form] - sum(copies.values()) * times - in_class
                ratios[form] = np.log((in_class + 1) / (class_total + len(total))) - np.log(
                    (elsewhere + 1) / (all_total - class_total + len(total))
                )
            yield ranked_units(words, np.array([ratios[form] for form in words.forms]), rationale, by, sum_by_group)

    return _agreement(ranked(), ["tf × log ratio", ""], by, "the words")


# ---- measures


def _agreement(ranked: Iterable[RankedUnits], settings: Sequence[str], by: By, words: str) -> Agreement:
    values: dict[str, list[float]] = {name: [] for name in RATIONALE_MEASURES}
    included, shares = [], []
    for relevance, marked in ranked:
        included.append(bool(marked.any() and not marked.all()))
        if included[-1]:
            shares.append(marked.mean())
            for name, value in zip(RATIONALE_MEASURES, agreement_measures(relevance, marked), strict=True):
                values[name].append(value)
    if not any(included):
        units = "the sentences" if by == "sentence" else words
        raise DataError(
            f"not one of the {len(included)} documents has both marked and unmarked units among {units}. Mark some "
            "of the words of each text, not all."
        )
    arrays = {name: np.array(column) for name, column in values.items()}
    return Agreement(
        method=settings[0],
        rule=settings[1],
        average_precision=float(arrays["average_precision"].mean()),
        auroc=float(arrays["auroc"].mean()),
        pointing=float(arrays["pointing"].mean()),
        iou=float(arrays["iou"].mean()),
        intervals={name: bootstrap_interval(column) for name, column in arrays.items()},
        marked_share=float(np.mean(shares)),
        n_documents=sum(included),
        n_excluded=len(included) - sum(included),
        values=arrays,
        is_included=np.array(included),
    )
