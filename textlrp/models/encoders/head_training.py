"""Train the linear classifier on the embeddings of the training texts, with scikit-learn.

Letters: N texts, C classes, D dimensions of an embedding.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from textlrp.arrays import Array
from textlrp.models.encoders.linear_heads import EncoderHead, encoder_head
from textlrp.models.pipeline.unwrapped import unwrapped

STRENGTHS = {"logistic": (1.0, 3.0, 10.0, 30.0), "svm": (0.1, 0.3, 1.0, 3.0)}
"""The values of C that cross-validation chooses from."""
FOLDS = 3
HeadLink = Literal["softmax", "none"]
"""How scores become probabilities; for two classes "softmax" is the sigmoid of the decision function."""


class FittedHead(NamedTuple):
    """A trained head, its link, and the chosen ``C``; None if the user's estimator chose it."""

    head: EncoderHead
    link: HeadLink
    C: float | None


def train_head(
    kind: Any,
    embeddings: Array,
    labels: NDArray[Any],
    *,
    C: float | None,
    class_weight: Any,
    seed: int,
) -> FittedHead:
    """Fit a head on embeddings (N, D) and labels (N,). ``kind`` is "logistic", "svm" or an estimator.

    ``C`` None is chosen by cross-validation with :data:`FOLDS` folds, from :data:`STRENGTHS`: the smallest value with
    the highest accuracy. If a class has fewer than two texts, it is the second smallest.
    """
    if not isinstance(kind, str):
        estimator = clone(kind).fit(embeddings, labels)
        return FittedHead(encoder_head(estimator, embeddings.shape[1]), head_link(estimator), None)
    strengths = STRENGTHS[kind] if C is None else (C,)
    candidates = [_estimator(kind, strength, class_weight, seed) for strength in strengths]
    best = 0 if len(candidates) == 1 else _most_accurate(candidates, embeddings, labels, seed)
    fitted = candidates[best].fit(embeddings, labels)
    return FittedHead(encoder_head(fitted, embeddings.shape[1]), head_link(fitted), strengths[best])


def head_link(estimator: Any) -> HeadLink:
    """Return the link of a fitted classifier: that of a multinomial or binary logistic regression, else none."""
    while isinstance(estimator := unwrapped(estimator, "head"), Pipeline):
        estimator = estimator.steps[-1][1]
    softmax = isinstance(estimator, LogisticRegression) and (
        len(estimator.classes_) == 2 or estimator.solver != "liblinear"
    )
    return "softmax" if softmax else "none"


def _estimator(kind: str, strength: float, class_weight: Any, seed: int) -> Any:
    if kind == "svm":
        return LinearSVC(C=strength, class_weight=class_weight, random_state=seed)
    return LogisticRegression(C=strength, class_weight=class_weight, max_iter=1000)


def _most_accurate(candidates: list[Any], embeddings: Array, labels: NDArray[Any], seed: int) -> int:
    """The position of the candidate with the highest accuracy in cross-validation, the first of equals."""
    folds = min(FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    if folds < 2:
        return 1
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    accuracies = [cross_val_score(each, embeddings, labels, cv=split).mean() for each in candidates]
    return int(np.argmax(accuracies))
