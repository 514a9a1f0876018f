"""Agreement with human rationales: are the most relevant words those that people marked?

Letters: N documents, S marked ranges, L words read of one document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.rationale_files import Rationale
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import Rule
from textlrp.models.adapt import as_classifier
from textlrp.models.base import Classifier
from textlrp.records import Explanation, Ranges
from textlrp.words.read import read_words, strongest

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from torch import nn

MEASURES = ("average_precision", "auroc", "pointing", "iou")
"""What :func:`rationale_agreement` measures; each from 0 to 1, and 1 is full agreement."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Means over the documents that count, their 95 % bootstrap ``intervals``, and what they are means of.

    ``values`` {measure: (counted,)}; ``kept`` (N,) says which documents count: those where some of the words read are
    marked and some are not. ``marked_share`` is the mean share of marked words: what the average precision of random
    relevance is near, and the pointing hits of it.
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
    model: Classifier | nn.Module | Pipeline,
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


def rationale_agreement(explanations: Iterable[Explanation], rationales: Iterable[Rationale]) -> Agreement:
    """Average precision, AUROC, pointing hits and intersection over union of the words read, document by document.

    A word is marked if it overlaps a range. The row explained is that of the document's label, else of the predicted
    class. Pointing: the most relevant word is marked. Intersection over union: of the m marked words and the m most
    relevant; of equals the first. Raises :class:`DataError` where texts differ or no document counts, and
    :class:`TargetError` where the label was not explained.
    Source: DeYoung et al. 2020 (arXiv 1911.03429), section 4; the m of people in place of a model's.
    """
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    kept, shares, how = [], [], ("", "")
    for explanation, rationale in zip(explanations, rationales, strict=True):
        if explanation.text != rationale.text:
            raise DataError(f"the explanation of {explanation.document_id!r} is of another text than its rationale.")
        how = explanation.method, explanation.rule
        words = read_words(explanation)
        marked = _marked(words.spans, rationale.spans)
        kept.append(bool(marked.any() and not marked.all()))
        if kept[-1]:
            shares.append(marked.mean())
            measured = _measured(words.relevance[explanation.row(rationale.label)], marked)
            for name, value in zip(MEASURES, measured, strict=True):
                values[name].append(value)
    if not any(kept):
        raise DataError(
            f"in none of the {len(kept)} documents are some of the words read marked and some not, so there is "
            "nothing to measure."
        )
    arrays = {name: np.array(column) for name, column in values.items()}
    return Agreement(
        method=how[0],
        rule=how[1],
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


def _measured(relevance: NDArray[np.float64], marked: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    common = int(marked[strongest(relevance, int(marked.sum()))].sum())
    return (
        float(average_precision_score(marked, relevance)),
        float(roc_auc_score(marked, relevance)),
        float(marked[strongest(relevance, 1)[0]]),
        common / (2 * int(marked.sum()) - common),
    )


def _marked(words: NDArray[np.int32], ranges: Ranges) -> NDArray[np.bool_]:
    """(L,) whether each word (L, 2) overlaps one of the ranges (S, 2): more have begun than were over before it."""
    begun = np.searchsorted(ranges[:, 0], words[:, 1], "left")
    over = np.searchsorted(ranges[:, 1], words[:, 0], "right")
    return np.asarray(begun > over)
