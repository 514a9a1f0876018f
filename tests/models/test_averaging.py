"""Averaging CNNs gives one CNN whose scores, relevance and ledger are the means of those of its members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from toys import LABELS, READ, TEXTS, scrambled, small

import textlrp
from textlrp import CNNClassifier
from textlrp.errors import OptionError

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "alike": [{}, {}, {}],
    "one": [{}],
    "of other sizes": [{"filters": 3}, {"filters": (2, 1, 5), "embedding_dim": 7}],
    "mean pooling": [{"pooling": "mean"}, {"pooling": "mean", "filters": 2}],
    "one width": [{"widths": 2}, {"widths": (2,), "filters": 6}],
}


def some(variant: str, seed: int = 0) -> list[CNNClassifier]:
    models = [small("cnn", dtype="float64", **options).fit(TEXTS, LABELS) for options in VARIANTS[variant]]
    return [scrambled(model, seed + n) for n, model in enumerate(models)]  # type: ignore[misc]


@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 99))
def test_scores_and_relevance_are_the_means(variant: str, seed: int) -> None:
    members = some(variant, seed)
    model = CNNClassifier.averaged(members)
    close: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(
        model.decision_function(list(READ)),
        np.mean([own.decision_function(list(READ)) for own in members], 0),
        **close,
    )
    for text in READ:
        why = textlrp.explain(model, text, target="all", rule="zero")
        of_members = [textlrp.explain(own, text, target="all", rule="zero") for own in members]
        np.testing.assert_allclose(why.relevance, np.mean([own.relevance for own in of_members], 0), **close)
        np.testing.assert_allclose(why.absorbed, np.mean([own.absorbed for own in of_members], 0), **close)


def test_an_averaged_model_can_be_saved_and_loaded(tmp_path: Path) -> None:
    model = CNNClassifier.averaged(some("of other sizes"))
    assert (model.embedding_dim, model.widths_and_filters()) == (12, ((1, 2, 3), (5, 4, 8)))
    expected = model.decision_function(TEXTS)
    model.save(tmp_path / "model")
    again = textlrp.load(str(tmp_path / "model"))
    assert again.decision_function(TEXTS).tobytes() == expected.tobytes()
    assert again.get_params() == model.get_params()


def test_models_that_do_not_read_the_same_are_refused() -> None:
    model = small("cnn").fit(TEXTS, LABELS)
    for other, what in (
        (small("cnn").fit(TEXTS[:16], LABELS[:16]), "classes"),
        (small("cnn", min_df=2).fit(TEXTS, LABELS), "vocabulary"),
        (small("cnn", widths=(1, 2)).fit(TEXTS, LABELS), "widths"),
        (small("cnn", pooling="mean").fit(TEXTS, LABELS), "pooling"),
        (small("cnn", max_tokens=50).fit(TEXTS, LABELS), "max_tokens"),
        (small("cnn", dtype="float64").fit(TEXTS, LABELS), "dtype"),
    ):
        with pytest.raises(OptionError, match=rf"^models must have the same {what}; got models that differ"):
            CNNClassifier.averaged([model, other])  # type: ignore[list-item]
    with pytest.raises(OptionError, match=r"^models must be one or more fitted CNNClassifiers; got none\."):
        CNNClassifier.averaged([])
    with pytest.raises(NotFittedError):
        CNNClassifier.averaged([model, small("cnn")])  # type: ignore[list-item]
