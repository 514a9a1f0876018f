"""Train a classifier again with the options of another one, for measures that change the training documents.

Open it for how these measures split a corpus, and for what they train.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from textlrp.errors import DataError, ModelError, OptionError, must_be
from textlrp.evaluation.planting import one_label
from textlrp.models.base import TextClassifier
from textlrp.records import Document

HELD_OUT = 0.25
"""Documents that are left out of training, as a share of those of each label."""


def split_documents(
    documents: Iterable[Document], *, share: float = HELD_OUT, seed: int = 0
) -> tuple[list[Document], list[Document]]:
    """Split labeled documents into training documents and held-out documents, both in corpus order.

    ``share`` of the documents of each label are held out, rounded down. Raises :class:`DataError` if a document has
    no label or several, or if nothing is held out, :class:`OptionError` for a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise OptionError(must_be("share", "between 0 and 1", share, f"Pass share={HELD_OUT}."))
    documents = list(documents)
    labels, random = [*map(one_label, documents)], np.random.default_rng(seed)
    held_out = np.zeros(len(documents), dtype=bool)
    for label in dict.fromkeys(labels):
        rows = random.permutation([row for row, own in enumerate(labels) if own == label])
        held_out[rows[: int(share * len(rows))]] = True
    if not held_out.any():
        raise DataError(
            f"documents must be enough to leave {share:.0%} of a label out of training; got {len(documents):,} "
            f"documents with {len(set(labels)):,} labels. Pass more documents."
        )
    return [documents[row] for row in np.flatnonzero(~held_out)], [documents[row] for row in np.flatnonzero(held_out)]


def trained(model: TextClassifier, documents: Sequence[Document], *, seed: int | None = 0) -> TextClassifier:
    """Return a new classifier with the options of ``model``, trained on labeled documents with ``seed``.

    Without a seed, the ``random_state`` of the model is kept. ``model`` may be fitted or not, and does not change.
    Warnings about the training texts are not repeated. Raises :class:`ModelError` if the model is not a textlrp
    classifier, KeyboardInterrupt if training is interrupted, and as ``fit`` does.
    """
    model = trainable(model)
    unfitted = type(model)(**model.options() | ({} if seed is None else {"random_state": seed}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("error", message="training was interrupted", category=UserWarning)
        try:
            return unfitted.fit(documents, [*map(one_label, documents)])
        except UserWarning:  # a model that was not trained to the end must not be measured
            raise KeyboardInterrupt from None


def trainable(model: object) -> TextClassifier:
    """Return the model; raise :class:`ModelError` if it is not a classifier that textlrp can train."""
    if not isinstance(model, TextClassifier):
        raise ModelError(
            f"a {type(model).__name__} cannot be trained again. Pass a textlrp classifier, such as "
            "BagOfWordsClassifier."
        )
    return model
