"""``textlrp.explain``: from a model and texts to Explanations. Open it for the options and their checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch

from textlrp.errors import OptionError, RuleError, TargetError, must_be
from textlrp.explainers.batch_relevance import ExplainSettings
from textlrp.explainers.blocks import explain_block
from textlrp.explainers.method_table import as_method, check_applies
from textlrp.explainers.methods import Method
from textlrp.explainers.streams import as_document, explain_or_skip, explain_stream
from textlrp.explainers.targets import checked_targets, resolve_targets
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import as_composite
from textlrp.lrp.shares import Rule
from textlrp.lrp.starts import Start, check_start
from textlrp.models.abilities import default_rule, fast_passes, score_name_of, texts_of_rows
from textlrp.models.adapt import as_classifier
from textlrp.models.black_box import TextFunction
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.models.options import check_container, is_whole
from textlrp.models.tapes import tracer
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.records import Document

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@overload
def explain(  # type: ignore[overload-overlap]  # a string is an iterable of strings too
    model: Classifier | Pipeline | TextFunction,
    texts: str | Document,
    *,
    target: Any = None,
    targets: Iterable[Any] | None = None,
    rule: str | Rule | Composite | None = None,
    start: Start | None = None,
    method: str | Method = "lrp",
    phrases: int = 0,
    dtype: str | None = None,
    device: str = "cpu",
    errors: Literal["raise", "skip"] = "raise",
    classes: Sequence[Any] | None = None,
    tokenizer: Any = None,
    windows: bool = False,
    head: Any = None,
) -> Explanation: ...


@overload
def explain(
    model: Classifier | Pipeline | TextFunction,
    texts: Iterable[str | Document],
    *,
    target: Any = None,
    targets: Iterable[Any] | None = None,
    rule: str | Rule | Composite | None = None,
    start: Start | None = None,
    method: str | Method = "lrp",
    phrases: int = 0,
    dtype: str | None = None,
    device: str = "cpu",
    errors: Literal["raise", "skip"] = "raise",
    classes: Sequence[Any] | None = None,
    tokenizer: Any = None,
    windows: bool = False,
    head: Any = None,
) -> Iterator[Explanation]: ...


def explain(
    model: Classifier | Pipeline | TextFunction,
    texts: str | Document | Iterable[str | Document],
    *,
    target: Any = None,
    targets: Iterable[Any] | None = None,
    rule: str | Rule | Composite | None = None,
    start: Start | None = None,
    method: str | Method = "lrp",
    phrases: int = 0,
    dtype: str | None = None,
    device: str = "cpu",
    errors: Literal["raise", "skip"] = "raise",
    classes: Sequence[Any] | None = None,
    tokenizer: Any = None,
    windows: bool = False,
    head: Any = None,
) -> Explanation | Iterator[Explanation]:
    """Explain the score of a class by the words of a text, with layer-wise relevance propagation (LRP).

    Returns an :class:`Explanation` for one text and an iterator of them for an iterable. The score is pre-softmax, or
    what a function returns.

    - ``model``: a fitted textlrp classifier, a fitted scikit-learn Pipeline of text vectorizers and a linear model,
      a sequence classifier or a text-classification pipeline of Hugging Face, a SentenceTransformer with its
      ``head``, a SetFitModel, any function of a list of N texts to scores (N, C), or a ``torch.nn.Module`` wrapped by
      :func:`textlrp.wrap`.
    - ``texts``: a string or :class:`Document`, or an iterable of them.
    - ``target``: None (the predicted class), a label, ``Index(3)``, a tuple (A, B) for why A and not B, ``"all"``, or
      a list of these for K targets. ``targets``: one such value for each document instead.
    - ``rule``: a name (``textlrp rules`` lists them), a Rule, or a Composite. The default is "epsilon", and "cp-lrp"
      for transformers.
    - ``start``: where propagation starts. "score" is the score itself; "centered" is the score minus the mean of all
      C scores, propagated through the last layer with its mean over classes subtracted. None chooses "centered" for
      rules whose map reverses its signs for a negative score (alpha-beta, z-plus, w², flat, boxes), else "score".
    - ``method``: "lrp", or another method by name ("gradient-x-input", "lime", ...) or value. For a function:
      "occlusion", "lime", "shap" or "kernel-shap".
    - ``phrases``: how many winning windows to list, most relevant first (CNNClassifier with max pooling only).
    - ``dtype``: "float32" or "float64". The default is the model's own, and "float32" for a module in half precision.
    - ``device``: for example "cuda", to explain a CNNClassifier with max pooling by LRP on a GPU.
    - ``errors``: what to do about a text of an iterable that cannot be explained: "raise", or "skip" it with a
      warning that names it. If no text at all can be explained, the error of the first one is raised.
    - ``classes``, ``tokenizer``: for a function; see :func:`textlrp.wrap`, which has more options.
    - ``tokenizer``, ``windows``: for a Hugging Face model, its fast tokenizer. ``windows=True`` reads texts that are
      too long for it in overlapping windows and takes the mean of their scores; the default is to truncate them.
    - ``head``: the linear classifier of scikit-learn that was fitted on the embeddings of a SentenceTransformer.

    With LRP, ``relevance.sum() + absorbed == start_scores`` for each target (Bach et al. 2015; Arras et al. 2017).
    ``textlrp rules`` lists what the relevance of other methods sums to.

    Raises :class:`TargetError` for an unknown class, :class:`RuleError` for an unknown rule or method,
    :class:`OptionError` for an option out of its range, and :class:`ModelError` for a model with an operation that no
    rule covers, or for ``start="centered"`` on a module whose scores are not the output of one linear layer.
    """
    classifier = as_classifier(model, classes=classes, tokenizer=tokenizer, windows=windows, head=head)
    if errors not in ("raise", "skip"):
        raise OptionError(f"errors must be 'raise' or 'skip'; got {errors!r}.")
    if target is not None and targets is not None:
        raise TargetError(
            "target= and targets= must not be used together: target= applies to all documents, targets= has one "
            "target for each. Leave one of them out."
        )
    settings = explain_settings(classifier, rule, method, dtype, phrases, device, start)
    # raises for a wrong target now, not when the first explanation is requested
    resolve_targets(target, classifier.classes_, np.zeros((0, len(classifier.classes_))))
    texts = texts_of_rows(classifier, texts)
    checked = None if targets is None else checked_targets(targets, texts)
    if isinstance(texts, (str, Document)):
        return next(explain_block(classifier, [as_document(texts, 0)], target, checked, settings))
    explained = explain_stream if errors == "raise" else explain_or_skip
    return explained(classifier, check_container(texts), target, checked, settings)


def explain_settings(
    model: Classifier,
    rule: str | Rule | Composite | None,
    method: str | Method,
    dtype: str | None = None,
    phrases: int = 0,
    device: str = "cpu",
    start: Start | None = None,
) -> ExplainSettings:
    """Check the options of :func:`explain` and collect them; raises as it does."""
    if dtype is not None and dtype not in TORCH_DTYPES:
        raise OptionError(f"dtype must be 'float32' or 'float64'; got {dtype!r}. Leave it out for the model's own.")
    if not (is_whole(phrases) and phrases >= 0):
        raise OptionError(must_be("phrases", "the number of phrases to list, 0 or more", phrases, "Pass phrases=10."))
    if phrases and not (method == "lrp" and has_winning_windows(model)):
        what = "0 unless the model is a CNNClassifier with max pooling and method='lrp'"
        raise OptionError(must_be("phrases", what, phrases, "Leave out phrases=."))
    if device != "cpu" and (phrases or method != "lrp"):
        raise OptionError(
            f"device must be 'cpu' unless method='lrp' and phrases=0; got {device!r}. Leave out device=, or method= "
            "and phrases=."
        )
    check_start(start)
    composite = as_composite(default_rule(model) if rule is None else rule)
    check_applies(model, method)
    fingerprint = model.fingerprint_  # raises scikit-learn's NotFittedError if the model is not fitted
    with torch.inference_mode(False):  # so that cached tensors can be used in any grad mode
        trace = tracer(model, dtype=dtype, device=device)
    of_model = trace, fingerprint, dtype, score_name_of(model)
    if method == "lrp":
        fast = None if start == "centered" else fast_passes(model, composite, dtype)
        return ExplainSettings(None, composite, "lrp", composite.printed, *of_model, phrases, start, fast)
    if rule is not None:
        what = f"left out with method={method!r}, because rules belong to LRP"
        raise RuleError(must_be("rule", what, rule, "Leave out rule= or method=."))
    other = as_method(method)
    if start == "centered":
        what = f"'score' with method={method!r}, because 'centered' is for LRP"
        raise OptionError(must_be("start", what, start, "Leave out start=."))
    return ExplainSettings(other, composite, other.name, repr(other), *of_model)
