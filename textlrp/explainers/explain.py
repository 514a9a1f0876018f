"""``textlrp.explain``: from a model and texts to Explanations, one block of documents at a time.

Blocks have a fixed size and are cut by position in the input. So local, resumed and distributed runs see the same
batches and agree byte for byte.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch

from textlrp.errors import DataError, ModelError, OptionError, RuleError, TargetError, TextlrpError, must_be
from textlrp.explainers.batch_relevance import ExplainSettings
from textlrp.explainers.blocks import explain_block
from textlrp.explainers.method_table import as_method
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import resolve_targets
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import as_composite
from textlrp.lrp.shares import Rule
from textlrp.lrp.starts import Start, check_start
from textlrp.models.adapt import as_classifier
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.models.options import check_container, check_text, is_whole
from textlrp.models.tapes import tracer
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.records import Document

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BLOCK = 64
"""Number of documents in a block. It is fixed, so that results do not depend on the caller."""


@overload
def explain(  # type: ignore[overload-overlap]  # a string is an iterable of strings too
    model: Classifier | Pipeline,
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
) -> Explanation: ...


@overload
def explain(
    model: Classifier | Pipeline,
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
) -> Iterator[Explanation]: ...


def explain(
    model: Classifier | Pipeline,
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
) -> Explanation | Iterator[Explanation]:
    """Explain the score of a class by the words of a text, with layer-wise relevance propagation (LRP).

    Returns an :class:`Explanation` for one text and an iterator of them for an iterable. The score is pre-softmax.

    - ``model``: a fitted textlrp classifier, a fitted scikit-learn Pipeline of text vectorizers and a linear model,
      or a ``torch.nn.Module`` wrapped by :func:`textlrp.wrap`.
    - ``texts``: a string or :class:`Document`, or an iterable of them.
    - ``target``: None (the predicted class), a label, ``Index(3)``, a tuple (A, B) for why A and not B, ``"all"``, or
      a list of these for K targets. ``targets``: one such value for each document instead.
    - ``rule``: a name ("epsilon" by default; ``textlrp rules`` lists them), a Rule, or a Composite.
    - ``start``: where propagation starts. "score" is the score itself; "centered" is the score minus the mean of all
      C scores, propagated through the last layer with its mean over classes subtracted. None chooses "centered" for
      rules whose map reverses its signs for a negative score (alpha-beta, z-plus, w², flat, boxes), else "score".
    - ``method``: "lrp", or another method by name ("gradient-x-input", "lime", ...) or value.
    - ``phrases``: how many winning windows to list, most relevant first (CNNClassifier with max pooling only).
    - ``dtype``: "float32" or "float64". The default is the model's own, and "float32" for a module in half precision.
    - ``device``: for example "cuda", to explain a CNNClassifier with max pooling by LRP on a GPU.
    - ``errors``: what to do about a text of an iterable that cannot be explained: "raise", or "skip" it with a
      warning that names it. If no text at all can be explained, the error of the first one is raised.

    With LRP, ``relevance.sum() + absorbed == start_scores`` for each target (Bach et al. 2015; Arras et al. 2017).
    ``textlrp rules`` lists what the relevance of other methods sums to.

    Raises :class:`TargetError` for an unknown class, :class:`RuleError` for an unknown rule or method,
    :class:`OptionError` for an option out of its range, and :class:`ModelError` for a model with an operation that no
    rule covers, or for ``start="centered"`` on a module whose scores are not the output of one linear layer.
    """
    classifier = as_classifier(model)
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
    texts = getattr(classifier, "rows", _unchanged)(texts)
    checked = None if targets is None else _checked_targets(targets, texts)
    if isinstance(texts, (str, Document)):
        return next(explain_block(classifier, [_as_document(texts, 0)], target, checked, settings))
    explained = _explain_stream if errors == "raise" else _explain_or_skip
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
    composite = as_composite("epsilon" if rule is None else rule)
    fingerprint = model.fingerprint_  # raises scikit-learn's NotFittedError if the model is not fitted
    with torch.inference_mode(False):  # so that cached tensors can be used in any grad mode
        trace = tracer(model, dtype=dtype, device=device)
    if method == "lrp":
        return ExplainSettings(None, composite, trace, "lrp", composite.printed, fingerprint, dtype, phrases, start)
    if rule is not None:
        raise RuleError(
            f"rule must be left out with method={method!r}, because rules belong to LRP; got {rule!r}. Leave out "
            "rule= or method=."
        )
    other = as_method(method)
    if start == "centered":
        raise OptionError(
            f"start must be 'score' with method={method!r}, because 'centered' is for LRP; got 'centered'. Leave "
            "out start=."
        )
    return ExplainSettings(other, composite, trace, other.name, repr(other), fingerprint, dtype, 0)


def _unchanged(texts: Any) -> Any:
    """Most models read texts and no tables."""
    return texts


def _checked_targets(targets: Iterable[Any], texts: object) -> Iterable[Any]:
    """Return ``targets``; raise if their number is wrong, as far as both can be counted without iterating."""
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        raise TargetError(
            f"targets must be an iterable with one target for each document; got {targets!r}. Pass target= for one "
            "target of all documents."
        )
    documents = 1 if isinstance(texts, (str, Document)) else len(texts) if isinstance(texts, Sized) else None
    if documents is not None and isinstance(targets, Sized) and len(targets) != documents:
        raise TargetError(
            f"targets must have one target for each document; got {len(targets)} for {documents} documents. Pass "
            "target= for one target of all documents."
        )
    return targets


def _explain_stream(
    model: Classifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    settings: ExplainSettings,
) -> Iterator[Explanation]:
    documents = (_as_document(text, row) for row, text in enumerate(texts))
    remaining_targets = None if targets is None else iter(targets)
    while block := list(islice(documents, BLOCK)):
        of_block = None if remaining_targets is None else islice(remaining_targets, len(block))
        yield from explain_block(model, block, target, of_block, settings)


def _explain_or_skip(
    model: Classifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    settings: ExplainSettings,
) -> Iterator[Explanation]:
    """Explain as :func:`_explain_stream` does, but skip texts that cannot be explained, with a warning."""
    rows = enumerate(texts)
    remaining_targets = None if targets is None else iter(targets)
    first_error: TextlrpError | None = None
    count = 0
    while block := list(islice(rows, BLOCK)):
        of_block = None if remaining_targets is None else list(islice(remaining_targets, len(block)))
        try:
            found = list(
                explain_block(model, [_as_document(text, row) for row, text in block], target, of_block, settings)
            )
        except (DataError, ModelError):  # at least one text cannot be explained: try them one by one
            found = []
            for n, (row, text) in enumerate(block):
                single = None if of_block is None else of_block[n : n + 1]
                try:
                    found += explain_block(model, [_as_document(text, row)], target, single, settings)
                except (DataError, ModelError) as problem:
                    first_error = first_error or problem
                    warnings.warn(f"text {_name(text, row)!r} was skipped: {problem}", UserWarning, stacklevel=2)
        count += len(found)
        yield from found
    if first_error is not None and not count:
        raise first_error


def _name(text: Any, row: int) -> str:
    return text.id if isinstance(text, Document) else str(row + 1)


def _as_document(text: Any, row: int) -> Document:
    """Convert a plain string to a Document named by its position, counted from 1."""
    checked = check_text(text, row)
    return checked if isinstance(checked, Document) else Document(str(row + 1), checked)
