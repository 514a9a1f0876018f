"""Dummy classifiers, which score every text alike: all bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from textlrp.errors import ModelError
from textlrp.models.pipeline.decisions import Decision, features_before
from textlrp.models.pipeline.form_steps import as_form
from textlrp.models.pipeline.forms import affine
from textlrp.models.pipeline.step_values import Sources, Value


def constant_decision(estimator: Any, name: str, before: Value, sources: Sources) -> Decision:
    """Return the probabilities of a DummyClassifier as its scores.

    Raises :class:`ModelError` if it draws its predictions at random, or has several labels for each text.
    """
    if isinstance(estimator.classes_, list):
        raise ModelError(
            f"step {name!r} must be fitted on one label for each text; got a DummyClassifier fitted with several. "
            "Put it into a MultiOutputClassifier."
        )
    if estimator.strategy not in ("prior", "most_frequent", "constant"):
        raise ModelError(
            f"step {name!r} must predict the same class for the same text; got a DummyClassifier(strategy="
            f"{estimator.strategy!r}), which draws classes at random. Pass strategy='prior'."
        )
    form = as_form(features_before(before, name, estimator))
    scores = np.asarray(estimator.predict_proba(np.zeros((1, 1))), dtype=np.float64)[0]
    nothing = sparse.csr_array((len(scores), form.width))
    note = "The score of a class is its probability, which is the same for every text."
    return Decision(estimator.classes_, affine(form, nothing, scores), lambda scores: scores, note)
