"""How well do rankings find wrong labels? Plant label errors at random, train on them, and look for them.

Letters: N documents, M planted errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from textlrp.arrays import Array
from textlrp.errors import DataError, OptionError, must_be
from textlrp.evaluation.label_errors import RANKINGS, Ranking, suspicions
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus
from textlrp.evaluation.planting import one_label
from textlrp.evaluation.retraining import trained
from textlrp.models.base import TextClassifier
from textlrp.models.options import is_whole
from textlrp.records import Document

PLANTED_SHARE = 0.05
"""Documents that get a wrong label, as a share of all."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundErrors:
    """How well one ranking finds the planted label errors.

    ``auroc`` is the probability that a planted error is more suspicious than a document that keeps its label, and
    ``precision`` the share of planted errors among the M most suspicious documents, M being the number planted. Both
    are means over the planted errors: ``auroc_values`` (M,) are the shares of the other documents that are less
    suspicious (ties count half), and ``is_found`` (M,) tells which errors are among the M most suspicious documents.
    Two rankings are compared by these.
    """

    ranking: str
    auroc: float
    precision: float
    auroc_values: Array
    is_found: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PlantedErrors:
    """The result of :func:`planted_label_errors`.

    ``is_planted`` (N,) marks the documents with a wrong label, ``labels`` (N,) are the labels after planting,
    ``suspicions`` {ranking: (N,)} are the values of each ranking, and ``found`` has one entry per ranking.
    """

    is_planted: NDArray[np.bool_]
    labels: tuple[str, ...]
    suspicions: Mapping[Ranking, Array]
    found: tuple[FoundErrors, ...]


def planted_label_errors(
    model: TextClassifier,
    documents: Iterable[Document],
    *,
    share: float = PLANTED_SHARE,
    folds: int | None = 5,
    rankings: Sequence[Ranking] = tuple(RANKINGS),
    spec: MethodSpec | None = None,
    seed: int = 0,
    progress: Callable[[int], object] = lambda documents: None,
) -> PlantedErrors:
    """Give a random ``share`` of the documents a random other label, retrain, and look for them by each ranking.

    ``model`` is a textlrp classifier, trained or not; new ones with its options are trained. With ``folds``, each
    document is ranked by a model that was trained on the other folds (stratified cross-validation). With
    ``folds=None``, one model is trained on all documents and ranks them itself; it has learned the wrong labels too
    and finds fewer.
    ``progress`` is called with the number of documents ranked since the last call.

    Raises :class:`DataError` if a document has no label, if there is a single label, if no error or nothing but
    errors would be planted, or if a label has fewer documents than ``folds``; :class:`OptionError` for ``share``
    outside 0 to 1 or ``folds`` below 2.
    """
    documents = list(documents)
    if not 0 < share < 1:
        raise OptionError(must_be("share", "between 0 and 1", share, "Pass share=0.05."))
    if folds is not None and (not is_whole(folds) or folds < 2):
        raise OptionError(must_be("folds", "a whole number >= 2, or None", folds, "Pass folds=5."))
    labels, is_planted = flipped_labels([one_label(each) for each in documents], share=share, seed=seed)
    relabeled = [replace(each, label=label) for each, label in zip(documents, labels, strict=True)]
    found: dict[Ranking, Array] = {name: np.zeros(len(documents)) for name in rankings}
    for train, held_out in _splits(labels, folds, seed):
        again = trained(model, [relabeled[n] for n in train], seed=None)
        corpus = score_corpus(again, [relabeled[n] for n in held_out])
        for name, values in suspicions(corpus, rankings, spec=spec).items():
            found[name][held_out] = values
        progress(len(held_out))
    results = tuple(found_errors(name, values, is_planted) for name, values in found.items())
    return PlantedErrors(is_planted, tuple(labels), found, results)


def flipped_labels(labels: Sequence[str], *, share: float, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Replace the labels of a random ``share`` of N documents by another label, and mark them (N,).

    Each other label of the corpus is equally likely. Raises :class:`DataError` if there is a single label, or if no
    document or every document would get another label.
    """
    names, count = sorted({*labels}), round(share * len(labels))
    if len(names) < 2:
        raise DataError(f"documents must have at least 2 labels; got {len(names)}. Add documents of other labels.")
    if not 0 < count < len(labels):
        raise DataError(
            f"share={share} of {len(labels)} documents must be at least one document and not all; got {count}. Add "
            "documents."
        )
    random, changed = np.random.default_rng(seed), list(labels)
    is_planted = np.zeros(len(labels), dtype=bool)
    is_planted[random.permutation(len(labels))[:count]] = True
    for n in np.flatnonzero(is_planted).tolist():
        others = [name for name in names if name != labels[n]]
        changed[n] = others[random.integers(len(others))]
    return changed, is_planted


def found_errors(ranking: str, suspicion: Array, is_planted: NDArray[np.bool_]) -> FoundErrors:
    """How well ``suspicion`` (N,) finds the documents where ``is_planted`` (N,) is True; on a tie, in order."""
    others, planted = np.sort(suspicion[~is_planted]), suspicion[is_planted]
    below, up_to = (np.searchsorted(others, planted, side) for side in ("left", "right"))
    values = (below + up_to) / (2 * len(others))
    rank = np.argsort(np.argsort(-suspicion, kind="stable"), kind="stable")
    is_found = rank[is_planted] < is_planted.sum()
    return FoundErrors(ranking, float(values.mean()), float(is_found.mean()), values, is_found)


def _splits(
    labels: Sequence[str], folds: int | None, seed: int
) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to train on and rows to rank; all rows for both without ``folds``."""
    rows = np.arange(len(labels))
    if folds is None:
        return [(rows, rows)]
    names, counts = np.unique([*labels], return_counts=True)
    if counts.min() < folds:
        few = int(counts.argmin())
        raise DataError(
            f"every label must have at least folds={folds} documents; got {counts[few]} of {str(names[few])!r}. Pass "
            "fewer folds, or leave the label out."
        )
    return StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, labels)  # type: ignore[no-any-return]
