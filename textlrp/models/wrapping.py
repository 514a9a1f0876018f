"""``textlrp.wrap``: make a model of texts from a PyTorch module with its vocabulary, or from a function of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from torch import nn

from textlrp.errors import OptionError, must_be
from textlrp.models.black_box import REMOVE, FunctionModel, TextFunction, is_text_function
from textlrp.models.function_results import SCORE_KINDS, ScoreKind
from textlrp.models.options import check_whole, is_whole
from textlrp.models.torch_module.module_calls import ModuleCalls
from textlrp.models.torch_module.module_model import TorchTextModel
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.torch_module.word_reader import WordLookup, WordReader
from textlrp.text.tokens import make_tokenizer
from textlrp.text.user_tokenizers import UserTokenizer

SCORES_OF_METHODS: Mapping[str, ScoreKind] = {
    "predict_proba": "probability",
    "predict_log_proba": "log-probability",
}
"""Methods of scikit-learn's classifiers -> what they return; those of other names return scores."""


@overload
def wrap(
    model: nn.Module,
    *,
    tokenizer: str | UserTokenizer,
    vocabulary: WordLookup,
    unknown: int | None = None,
    classes: Sequence[Any] | None = None,
    lengths: bool | str | None = None,
    batch: bool = False,
    padding: int = 0,
    scores: str | int | None = None,
    min_length: int = 0,
) -> TorchTextModel: ...


@overload
def wrap(
    model: TextFunction,
    *,
    classes: Sequence[Any] | None = None,
    tokenizer: str | UserTokenizer = "auto",
    scores: ScoreKind | None = None,
    masked: str = REMOVE,
    batch_size: int = 64,
) -> FunctionModel: ...


def wrap(
    model: nn.Module | TextFunction,
    *,
    tokenizer: str | UserTokenizer | None = None,
    vocabulary: WordLookup | None = None,
    unknown: int | None = None,
    classes: Sequence[Any] | None = None,
    lengths: bool | str | None = None,
    batch: bool = False,
    padding: int = 0,
    scores: Any = None,
    min_length: int = 0,
    masked: str | None = None,
    batch_size: int | None = None,
) -> TorchTextModel | FunctionModel:
    """Wrap your own PyTorch module or function, so that textlrp can explain it.

    The result is accepted wherever a model is.

    **A module** (``torch.nn.Module``) maps token ids (1, T), int64, to one score for each class (1, C). It is neither
    changed nor copied, so you can continue to train it.

    - ``tokenizer``: a name ("spacy", "words") or a callable. A callable maps a text to strings (which are then found
      in the text from left to right) or to (start, end) pairs.
    - ``vocabulary``: a mapping or a callable, word -> id.
    - ``unknown``: the id of words that are not in the vocabulary. The default is to leave such words out.
    - ``classes``: the C labels. The default is the positions 0 to C - 1.
    - ``lengths``: True if the second argument of ``forward`` is the lengths (N,) of the texts, or the name of that
      argument.
    - ``batch``: the module is called with one text at a time. Pass True to call it with ids (N, T), padded at the
      right, where only scores are needed; padding must not change the scores.
    - ``padding``: the id of padding.
    - ``scores``: the name or position of the output with the class scores, if there are several outputs. The default
      is "logits", or the only output whose size does not depend on the text.
    - ``min_length``: the smallest number of ids that the module can read. Shorter texts are padded to it.

    **A function** maps a list of N texts to scores (N, C): an array, a tensor, a table, or a list of rows; a row may
    also be a mapping, class -> score. For two classes it may return (N,), the scores of the second. It is explained
    by leaving words out, with ``method="occlusion"``, ``"lime"``, ``"shap"`` or ``"kernel-shap"``. It is first called
    with one trial text, when its fingerprint is needed, and not by ``wrap``.

    - ``classes``: the C labels. It may be left out for a method of a scikit-learn classifier, such as
      ``pipeline.predict_proba``.
    - ``tokenizer``: as above, "auto" by default. Each token can be left out, punctuation marks too.
    - ``scores``: what the numbers are: "probability", "log-probability" or "score". Pages use this name. The default
      is "probability" for a method named ``predict_proba``, "log-probability" for ``predict_log_proba``, otherwise
      "score".
    - ``masked``: "remove" cuts a word that is left out from the text, together with the blanks on one side of it. Any
      other string, such as "[MASK]", takes its place.
    - ``batch_size``: the largest number of texts in one call.

    Raises :class:`OptionError` for a wrong option, and :class:`ModelError` for a module whose weights are
    uninitialized or not on the CPU.
    """
    of_modules = (
        ("vocabulary", vocabulary, None), ("unknown", unknown, None), ("lengths", lengths, None),
        ("batch", batch, False), ("padding", padding, 0), ("min_length", min_length, 0),
    )  # fmt: skip
    if is_text_function(model):
        _check_left_out("a function", of_modules)
        return _wrapped_function(
            model,
            classes,
            "auto" if tokenizer is None else tokenizer,
            scores,
            REMOVE if masked is None else masked,
            64 if batch_size is None else batch_size,
        )
    check_module(model)
    _check_left_out("a torch module", (("masked", masked, None), ("batch_size", batch_size, None)))
    if tokenizer is None:
        raise OptionError(
            "tokenizer must be the name of a tokenizer or a callable, so that textlrp knows how the module reads "
            "text; got None. Pass tokenizer=str.split, for example."
        )
    _check_vocabulary(vocabulary)
    assert vocabulary is not None
    for name, value, meaning in (
        ("unknown", unknown, "the id of unknown words, or leave it out"),
        ("padding", padding, "the id of padding"),
        ("min_length", min_length, "the smallest number of ids that the module can read"),
    ):
        if not (is_whole(value) and value >= 0) and not (value is None and name == "unknown"):
            raise OptionError(f"{name} must be a whole number of at least 0; got {value!r}. Pass {meaning}.")
    if lengths not in (None, False, True) and not isinstance(lengths, str):
        raise OptionError(
            f"lengths must be True or the name of an argument of forward; got {lengths!r}. Pass lengths=True if the "
            "second argument is the lengths of the texts."
        )
    if not (scores is None or isinstance(scores, str) or is_whole(scores)) or scores is True:
        raise OptionError(
            f"scores must be the name or position of an output of the module; got {scores!r}. Pass scores='logits', "
            "for example."
        )
    output = None if scores is None else str(scores)
    return TorchTextModel(
        model,
        WordReader(make_tokenizer(tokenizer), vocabulary, unknown, padding),
        ModuleCalls(lengths=lengths, padding=padding, min_length=int(min_length), output=output),
        classes=None if classes is None else _labels(classes),
        batch=batch,
    )


def _check_left_out(kind: str, options: Sequence[tuple[str, Any, Any]]) -> None:
    """Raise :class:`OptionError` if an option (name, value, default) of the other kind of model was passed."""
    for name, value, default in options:
        if value is not default and value != default:
            raise OptionError(must_be(name, f"left out for {kind}", value, "See help(textlrp.wrap)."))


def _wrapped_function(
    function: Any, classes: Sequence[Any] | None, tokenizer: str | UserTokenizer, scores: Any, masked: Any, size: Any
) -> FunctionModel:
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    others = [other for other in ("predict_proba", "decision_function") if hasattr(owner, other)]
    if name == "predict" and others:
        raise OptionError(
            f"model must be a function that returns the scores of all classes; got the method predict, which returns "
            f"labels. Pass its {others[0]} instead."
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
    check_whole("batch_size", size, hint="Pass batch_size=64.")
    return FunctionModel(function, _labels(classes), make_tokenizer(tokenizer), masked, scores, int(size))


def _check_vocabulary(vocabulary: object) -> None:
    listed = isinstance(vocabulary, (Sequence, np.ndarray))
    if listed or not (callable(vocabulary) or hasattr(vocabulary, "__getitem__")):
        hint = " Pass {word: id for id, word in enumerate(words)}." if listed else ""
        raise OptionError(
            "vocabulary must be a mapping or a callable, word -> id; got an object of type "
            f"{type(vocabulary).__name__}.{hint}"
        )


def _labels(classes: Sequence[Any]) -> NDArray[Any]:
    labels = np.array(list(classes))
    if labels.ndim != 1 or len(labels) < 2 or len(set(labels.tolist())) != len(labels):
        raise OptionError(
            f"classes must be a list of at least two different labels, one for each score; got {classes!r}. Pass "
            "classes=['no', 'yes'], for example."
        )
    return labels
