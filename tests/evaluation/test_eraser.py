"""Comprehensiveness and sufficiency of a document computed manually."""

from __future__ import annotations

import numpy as np
import pytest
from test_deletion import Sentiment
from toys import LABELS, TEXTS, fitted

from textlrp.errors import DataError
from textlrp.evaluation.eraser import eraser_scores
from textlrp.evaluation.measured_corpus import score_corpus
from textlrp.records import Document


def test_one_document_matches_manual_result() -> None:
    corpus = score_corpus(Sentiment(), [Document("a", "good the fine dull", "up")])  # type: ignore[arg-type]
    found = eraser_scores(corpus, [np.array([2.0, 0.0, 1.0, -1.0])], shares=(0.25, 0.5))
    # score of "up": 1.5; without good -0.5; without good and fine -1.5; only good 1.5; only good and fine 2.5
    assert found.comprehensiveness == pytest.approx(((1.5 + 0.5) + (1.5 + 1.5)) / 2)
    assert found.sufficiency == pytest.approx(((1.5 - 1.5) + (1.5 - 2.5)) / 2)
    assert found.quantity == "score"


def test_nets_are_measured_by_probability() -> None:
    corpus = score_corpus(fitted("cnn-max"), [Document("0", TEXTS[0], LABELS[0])])
    found = eraser_scores(corpus, [np.arange(int(corpus.lengths[0]), dtype=float)])
    assert found.quantity == "probability"
    assert abs(found.comprehensiveness) <= 1


def test_documents_left_out() -> None:
    corpus = score_corpus(Sentiment(), [Document(str(n), "good the", "up") for n in range(3)])  # type: ignore[arg-type]
    values = np.array([1.0, 0.0])
    assert len(eraser_scores(corpus, [values, None, values]).comprehensiveness_values) == 2
    assert len(eraser_scores(corpus, [values] * 3, mask=np.array([True, False, False])).comprehensiveness_values) == 1
    with pytest.raises(DataError, match="no document"):
        eraser_scores(corpus, [None] * 3)
