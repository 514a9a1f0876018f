"""Agreement with human rationales: are the most relevant words those that people marked?

Letters: N documents, S marked ranges, L words, word types or sentences of one document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from textlrp.class_words import most_relevant, read_words
from textlrp.errors import DataError, OptionError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.marked_words import (
    By,
    RankedWords,
    TextWords,
    largest_parts,
    over_words,
    ranked_parts,
    summed_parts,
    text_words,
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
"""What :func:`rationale_agreement` measures; each from 0 to 1, and 1 is full agreement."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Means over the documents that count, their 95 % bootstrap ``intervals``, and what they are means of.

    ``values`` {measure: (counted,)}; ``kept`` (N,) says which documents count: those where some of the words (or
    sentences) are marked and some are not; ``left_out`` counts the others. ``marked_share`` is the mean share of the
    marked ones, which the average precision and the pointing hits of random relevance are near.
    """

    method: str
    rule: str
    average_precision: float
    auroc: float
    pointing: float
    iou: float
    intervals: Mapping[str, Interval]
    marked_share: float
    counted: int
    left_out: int
    values: Mapping[str, NDArray[np.float64]]
    kept: NDArray[np.bool_]


def explain_rationales(
    model: Classifier | Pipeline,
    rationales: Sequence[Rationale],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
) -> Iterator[Explanation]:
    """An explanation of each rationale's own label, or of the predicted class where it has none.

    Raises :class:`DataError` for a label that the model does not know.
    """
    classifier = as_classifier(model)
    known = {str(name): Index(place) for place, name in enumerate(classifier.classes_.tolist())}
    for rationale in rationales:
        if rationale.label is not None and rationale.label not in known:
            raise DataError(
                f"document {rationale.id!r} has the label {rationale.label!r}, which the model does not know; it has "
                f"{', '.join(known)}. Leave the label out to explain the predicted class."
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
    """Average precision, AUROC, pointing hits and intersection over union, document by document.

    All words of the text count, the same for every model: those that the model did not read, or does not know, have
    relevance 0. A token's relevance is shared over the words that it overlaps, by characters. With ``read_only=True``
    only the words that the model read count, so a model with a smaller vocabulary has fewer words to rank.

    ``by="token"`` ranks the occurrences of words; ``by="word"`` distinct words, in lower case, with the relevance of
    their occurrences summed, marked if one occurrence is; ``by="sentence"`` sentences with the relevance of their
    words summed. A word is marked if it overlaps a range, a sentence if one of its words is. The row explained is
    that of the document's label, or of the predicted class. Pointing: the most relevant word is marked.
    Intersection over union: of the m marked words and the m most relevant; of equals the first.
    Raises :class:`DataError` where texts differ or no document counts, :class:`TargetError` where the label was not
    explained, :class:`OptionError` for another ``by``.
    Source: DeYoung et al. 2020 (arXiv 1911.03429), section 4; the m of people in place of a model's.
    """
    settings = ["", ""]

    def ranked() -> Iterator[RankedWords]:
        for explanation, rationale in zip(explanations, rationales, strict=True):
            if explanation.text != rationale.text:
                raise DataError(
                    f"the explanation of {explanation.document_id!r} is of another text than its rationale."
                )
            settings[:] = explanation.method, explanation.rule
            row = explanation.row(rationale.label)
            if read_only:
                read = read_words(explanation)
                words = TextWords(read.spans, read.forms)
                relevance = read.relevance[row]
            else:
                words = text_words(rationale.text)
                relevance = over_words(words, explanation, row)
            yield ranked_parts(words, relevance, rationale, by, summed_parts)

    return _agreement(ranked(), settings, by, "the words read" if read_only else "the words")


def position_agreement(
    rationales: Iterable[Rationale], *, first: Literal["late", "early"], by: By = "token"
) -> Agreement:
    """The agreement of a baseline of positions alone: the later (or the earlier) a word, the more relevant it is.

    A distinct word counts by its last (or first) occurrence, a sentence by its position. Raises as
    :func:`rationale_agreement` does.
    """
    if first not in ("late", "early"):
        raise OptionError(f"first must be 'late' or 'early'; got {first!r}.")

    def ranked() -> Iterator[RankedWords]:
        for rationale in rationales:
            words = text_words(rationale.text)
            positions = np.arange(len(words.spans), dtype=np.float64)
            yield ranked_parts(words, positions if first == "late" else -positions, rationale, by, largest_parts)

    return _agreement(ranked(), [f"{first} words first", ""], by, "the words")


def log_ratio_agreement(
    rationales: Sequence[Rationale],
    documents: Iterable[Document],
    *,
    labels: Sequence[str] | None = None,
    by: By = "token",
) -> Agreement:
    """The agreement of a baseline without a model: term frequency times the log ratio of class frequencies.

    An occurrence of word w has relevance log((n_wc + 1) / (N_c + V)) − log((n_w + 1) / (N + V)), with n_wc the
    occurrences of w among the N_c words of the labeled ``documents`` of class c, n_w and N those in the other
    classes, and V distinct words in all. Summed over the occurrences in the text it is tf × log ratio. A document
    with the text of a rationale is left out of its counts. c is the rationale's label, or that of ``labels`` (N,).
    Raises :class:`DataError` where a class has no document, and as :func:`rationale_agreement` does.
    """
    counts: dict[str, Counter[str]] = {}
    texts: Counter[tuple[str, str]] = Counter()
    for document in documents:
        if document.label is not None:
            counts.setdefault(str(document.label), Counter()).update(text_words(document.read_text()).forms)
            texts[document.text, str(document.label)] += 1
    everything: Counter[str] = sum(counts.values(), Counter())

    def ranked() -> Iterator[RankedWords]:
        for n, rationale in enumerate(rationales):
            label = rationale.label if rationale.label is not None or labels is None else labels[n]
            if label is None or label not in counts:
                raise DataError(f"the corpus has no document of the class {label!r} of document {rationale.id!r}.")
            words = text_words(rationale.text)
            own = Counter(words.forms)
            copies = {name: texts[rationale.text, name] for name in counts}
            inside = counts[label].total() - copies[label] * own.total()
            whole = everything.total() - sum(copies.values()) * own.total()
            ratios = {}
            for form, times in own.items():
                here = counts[label][form] - copies[label] * times
                elsewhere = everything[form] - sum(copies.values()) * times - here
                ratios[form] = np.log((here + 1) / (inside + len(everything))) - np.log(
                    (elsewhere + 1) / (whole - inside + len(everything))
                )
            yield ranked_parts(words, np.array([ratios[form] for form in words.forms]), rationale, by, summed_parts)

    return _agreement(ranked(), ["tf × log ratio", ""], by, "the words")


# ---- measures


def _agreement(ranked: Iterable[RankedWords], settings: Sequence[str], by: By, words: str) -> Agreement:
    values: dict[str, list[float]] = {name: [] for name in RATIONALE_MEASURES}
    kept, shares = [], []
    for relevance, marked in ranked:
        kept.append(bool(marked.any() and not marked.all()))
        if kept[-1]:
            shares.append(marked.mean())
            for name, value in zip(RATIONALE_MEASURES, _rationale_measures(relevance, marked), strict=True):
                values[name].append(value)
    if not any(kept):
        what = "the sentences" if by == "sentence" else words
        raise DataError(
            f"in none of the {len(kept)} documents are some of {what} marked and some not, so there is nothing to "
            "measure."
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
        counted=sum(kept),
        left_out=len(kept) - sum(kept),
        values=arrays,
        kept=np.array(kept),
    )


def _rationale_measures(
    relevance: NDArray[np.float64], marked: NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    common = int(marked[most_relevant(relevance, int(marked.sum()))].sum())
    return (
        float(average_precision_score(marked, relevance)),
        float(roc_auc_score(marked, relevance)),
        float(marked[most_relevant(relevance, 1)[0]]),
        common / (2 * int(marked.sum()) - common),
    )
