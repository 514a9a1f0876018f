"""Check the options of ``textlrp.wrap`` for a function of texts, and make its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textlrp.errors import OptionError, must_be
from textlrp.models.black_box import REMOVE, FunctionModel, TextFunction
from textlrp.models.function_results import SCORE_KINDS, ScoreKind
from textlrp.models.given_labels import labels_given
from textlrp.models.options import check_whole
from textlrp.text.tokens import make_tokenizer
from textlrp.text.user_tokenizers import UserTokenizer

BATCH_SIZE = 64
"""Largest number of texts in one call of a function."""

SCORES_OF_METHODS: Mapping[str, ScoreKind] = {
    "predict_proba": "probability",
    "predict_log_proba": "log-probability",
}
"""Methods of scikit-learn's classifiers -> what they return; those of other names return scores."""


def function_model(
    function: TextFunction,
    *,
    classes: Sequence[Any] | None = None,
    tokenizer: str | UserTokenizer | None = None,
    scores: Any = None,
    masked: str = REMOVE,
    batch_size: int = BATCH_SIZE,
) -> FunctionModel:
    """Return the model of a function; :func:`textlrp.wrap` describes the options.

    Raises :class:`OptionError` for a wrong option, and for a function that returns labels.
    """
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    others = [other for other in ("predict_proba", "decision_function") if hasattr(owner, other)]
    if name == "predict" and others:
        raise OptionError(
            "model must be a function that returns the scores of all classes; got the method predict, which returns "
            f"labels. Pass {others[0]} of the same object."
        )
    if classes is None:
        classes = getattr(owner, "classes_", None)
    if classes is None or isinstance(classes, (str, bytes, set, frozenset)):
        what = "a list with the labels of the function's scores, in their order"
        raise OptionError(must_be("classes", what, classes, "Pass classes=['no', 'yes'], for example."))
    if scores is None:
        scores = SCORES_OF_METHODS.get(name, "score")
    if scores not in SCORE_KINDS:
        kinds = "'probability', 'log-probability' or 'score' for a function"
        raise OptionError(must_be("scores", kinds, scores, "Leave it out for scores of any size."))
    if not isinstance(masked, str) or not masked:
        hint = "Pass masked='remove' to cut words out, or masked='[MASK]'."
        raise OptionError(must_be("masked", "'remove' or the text in place of a word", masked, hint))
    check_whole("batch_size", batch_size, hint="Pass batch_size=64.")
    reader = make_tokenizer("auto" if tokenizer is None else tokenizer)
    return FunctionModel(function, labels_given(classes), reader, masked, scores, int(batch_size))
