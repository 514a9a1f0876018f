"""Texts -> Explanations, lazily, all classes at once.

Input is cut into fixed blocks by position, so local, resumed and distributed runs see the same batches
and agree byte for byte.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch

from textlrp.errors import DataError, ModelError, OptionError, RuleError, TargetError, TextlrpError
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
from textlrp.models.options import check_container, check_text, is_whole
from textlrp.models.tapes import tracer
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.records import Document

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BLOCK = 64
"""Documents explained together; fixed, so that results do not depend on who asks."""


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
    """Lead the score of a class back onto the words, by layer-wise relevance propagation.

    ``model``: a fitted textlrp classifier, a fitted scikit-learn Pipeline of text vectorizers and a linear model, or
    a ``torch.nn.Module`` wrapped by :func:`textlrp.wrap`. ``texts``: one text or Document gives an
    :class:`Explanation`, an iterable of them an iterator. ``target``: None (the predicted class), a label,
    ``Index(3)``, a tuple (A, B) for why A and not B, ``"all"``, or a list of these for K targets. ``targets``: one
    such value per document instead. ``rule``: a name ("epsilon" unless given; see ``textlrp rules``), a Rule, or a
    Composite. ``start``: what propagation starts from, "score", "centered" (the score minus the mean of all C scores,
    explained through the last layer with its mean over classes subtracted), or None for the one that suits the rule:
    "centered" for rules whose map turns upside down where the score is negative (alpha-beta, z-plus, w², flat,
    boxes), else "score". ``method``: "lrp", or another one to compare it with, by name ("gradient-x-input", "lime",
    ...) or value. ``phrases``: for a CNNClassifier with max pooling, how many winning windows to list, those with the
    largest relevance. ``dtype``: "float32" or "float64"; the model's own unless given, "float32" for a module in half
    precision. ``device``: where a CNNClassifier with max pooling is explained by LRP, "cuda" for instance. The score
    explained is the pre-softmax one.

    ``errors``: what an iterable does at a text that cannot be explained: "raise", or "skip" with a warning that
    names it. Where no text at all can be explained, the error of the first is raised.

    For each target, ``relevance.sum() + absorbed == start_scores`` with LRP (Bach et al. 2015; Arras et al. 2017);
    what other methods sum to is said by ``textlrp rules``.
    Raises :class:`TargetError` on an unknown class, :class:`RuleError` on an unknown rule or method,
    :class:`OptionError` on an unknown start, and :class:`ModelError` on a model with an operation that cannot be led
    back, or with ``start="centered"`` on a module whose scores are not the output of one linear layer.
    """
    classifier = as_classifier(model)
    if errors not in ("raise", "skip"):
        raise OptionError(f"errors must be 'raise' or 'skip'; got {errors!r}.")
    if target is not None and targets is not None:
        raise TargetError(
            "target= and targets= both came; target= is for all documents, targets= holds one for each."
        )
    settings = explain_settings(classifier, rule, method, dtype, phrases, device, start)
    # refuses a wrong target at once
    resolve_targets(target, classifier.classes_, np.zeros((0, len(classifier.classes_))))
    own = None if targets is None else _own_targets(targets, texts)
    if isinstance(texts, (str, Document)):
        return next(explain_block(classifier, [_as_document(texts, 0)], target, own, settings))
    explained = _explain_stream if errors == "raise" else _explain_readable
    return explained(classifier, check_container(texts), target, own, settings)


def explain_settings(
    model: Classifier,
    rule: str | Rule | Composite | None,
    method: str | Method,
    dtype: str | None = None,
    phrases: int = 0,
    device: str = "cpu",
    start: Start | None = None,
) -> ExplainSettings:
    """The options of :func:`explain`, checked; raises as it does."""
    if dtype is not None and dtype not in TORCH_DTYPES:
        raise OptionError(f"dtype={dtype!r} came; 'float32' or 'float64' is wanted.")
    if not (is_whole(phrases) and phrases >= 0):
        raise OptionError(f"phrases={phrases!r} came; the number of phrases to list is wanted, 0 for none.")
    if device != "cpu" and (phrases or method != "lrp"):
        raise OptionError(f"device={device!r} came; it is for LRP alone, without phrases=. Leave it or them out.")
    check_start(start)
    composite = as_composite("epsilon" if rule is None else rule)
    fingerprint = model.fingerprint_  # scikit-learn's own error where the model is not fitted
    with torch.inference_mode(False):  # tensors that it keeps must be usable in any grad mode
        trace = tracer(model, dtype=dtype, device=device)
    if method == "lrp":
        return ExplainSettings(None, composite, trace, "lrp", composite.printed, fingerprint, dtype, phrases, start)
    if rule is not None:
        raise RuleError(f"rule={rule!r} came with method={method!r}; a rule belongs to LRP: leave one of them out.")
    other = as_method(method)
    if start == "centered":
        raise OptionError(
            f"start must be 'score' with method={method!r}; got 'centered', which is for LRP. Leave it out."
        )
    return ExplainSettings(other, composite, trace, other.name, repr(other), fingerprint, dtype, 0)


def _own_targets(targets: Iterable[Any], texts: object) -> Iterable[Any]:
    """``targets``, after a look at how many there are where both sides can be counted."""
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        raise TargetError(f"targets={targets!r} came; one target per document is wanted. Did you mean target=?")
    documents = 1 if isinstance(texts, (str, Document)) else len(texts) if isinstance(texts, Sized) else None
    if documents is not None and isinstance(targets, Sized) and len(targets) != documents:
        raise TargetError(f"targets= holds {len(targets)} for {documents} documents; one for each is wanted.")
    return targets


def _explain_stream(
    model: Classifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    settings: ExplainSettings,
) -> Iterator[Explanation]:
    named = (_as_document(text, row) for row, text in enumerate(texts))
    own_targets = None if targets is None else iter(targets)
    while block := list(islice(named, BLOCK)):
        own = None if own_targets is None else islice(own_targets, len(block))
        yield from explain_block(model, block, target, own, settings)


def _explain_readable(
    model: Classifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    settings: ExplainSettings,
) -> Iterator[Explanation]:
    """As :func:`_explain_stream`, without the texts that cannot be explained."""
    rows = enumerate(texts)
    own_targets = None if targets is None else iter(targets)
    first: TextlrpError | None = None
    explained = 0
    while block := list(islice(rows, BLOCK)):
        own = None if own_targets is None else list(islice(own_targets, len(block)))
        try:
            found = list(
                explain_block(model, [_as_document(text, row) for row, text in block], target, own, settings)
            )
        except (DataError, ModelError):  # one text at least; each is asked for by itself
            found = []
            for place, (row, text) in enumerate(block):
                alone = None if own is None else own[place : place + 1]
                try:
                    found += explain_block(model, [_as_document(text, row)], target, alone, settings)
                except (DataError, ModelError) as problem:
                    first = first or problem
                    warnings.warn(f"text {_name(text, row)!r} was skipped: {problem}", UserWarning, stacklevel=2)
        explained += len(found)
        yield from found
    if first is not None and not explained:
        raise first


def _name(text: Any, row: int) -> str:
    return text.id if isinstance(text, Document) else str(row + 1)


def _as_document(text: Any, row: int) -> Document:
    """A plain string becomes a Document named by its position, counted from 1."""
    checked = check_text(text, row)
    return checked if isinstance(checked, Document) else Document(str(row + 1), checked)
