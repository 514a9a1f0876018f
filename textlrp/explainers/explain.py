"""Texts -> Explanations, lazily, all classes at once.

Input is cut into fixed blocks by position, so local, resumed and distributed runs see the same batches
and agree byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.errors import OptionError, TargetError
from textlrp.explainers.targets import resolve_targets
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import as_composite
from textlrp.lrp.rules import Rule
from textlrp.lrp.trace import one_hot_seed, propagate
from textlrp.models.base import DTYPES, TextClassifier
from textlrp.models.inputs import check_container, check_text
from textlrp.records import Document, Explanation
from textlrp.text.batches import Batch
from textlrp.version import __version__

BLOCK = 64
"""Documents explained together; fixed, so that results do not depend on who asks."""


class _How(NamedTuple):
    """What is the same for every document of a call."""

    composite: Composite
    rule: str
    fingerprint: str
    dtype: str | None


PADDED_WORDS = 1 << 16
"""A block with long texts is split so that documents × longest stays below this, or one text is left."""


@overload
def explain(  # type: ignore[overload-overlap]  # a string is an iterable of strings too
    model: TextClassifier,
    texts: str | Document,
    *,
    target: Any = None,
    targets: Iterable[Any] | None = None,
    rule: str | Rule | Composite = "epsilon",
    dtype: str | None = None,
) -> Explanation: ...


@overload
def explain(
    model: TextClassifier,
    texts: Iterable[str | Document],
    *,
    target: Any = None,
    targets: Iterable[Any] | None = None,
    rule: str | Rule | Composite = "epsilon",
    dtype: str | None = None,
) -> Iterator[Explanation]: ...


def explain(
    model: TextClassifier,
    texts: str | Document | Iterable[str | Document],
    *,
    target: Any = None,
    targets: Iterable[Any] | None = None,
    rule: str | Rule | Composite = "epsilon",
    dtype: str | None = None,
) -> Explanation | Iterator[Explanation]:
    """Lead the score of a class back onto the words, by layer-wise relevance propagation.

    ``texts``: one text or Document gives an :class:`Explanation`, an iterable of them an iterator.
    ``target``: None (the predicted class), a label, ``Index(3)``, a tuple (A, B) for why A and not B,
    ``"all"``, or a list of these for K targets. ``targets``: one such value per document instead.
    ``rule``: "epsilon", "zero", "arras2017", a Rule, or a Composite. ``dtype``: "float32" or "float64";
    the model's own unless given. The score explained is the pre-softmax one.

    For each target, ``relevance.sum() + absorbed == score`` (Bach et al. 2015; Arras et al. 2017).
    Raises :class:`TargetError` on an unknown class and :class:`RuleError` on an unknown rule.
    """
    if not isinstance(model, TextClassifier):
        raise OptionError(
            f"a {type(model).__name__} came as the model; a fitted textlrp classifier is wanted, "
            "or textlrp.load(...)."
        )
    if dtype is not None and dtype not in DTYPES:
        raise OptionError(f"dtype={dtype!r} came; 'float32' or 'float64' is wanted.")
    if target is not None and targets is not None:
        raise TargetError(
            "target= and targets= both came; target= is for all documents, targets= holds one for each."
        )
    composite = as_composite(rule)
    how = _How(composite, printed(composite), model.fingerprint_, dtype)
    resolve_targets(target, model.classes_, np.zeros((0, len(model.classes_))))  # refuses a wrong one at once
    own = None if targets is None else _own_targets(targets, texts)
    if isinstance(texts, (str, Document)):
        return next(_explain_block(model, [_named(texts, 0)], target, own, how))
    return _explain_stream(model, check_container(texts), target, own, how)


def _own_targets(targets: Iterable[Any], texts: object) -> Iterable[Any]:
    """``targets``, after a look at how many there are where both sides can be counted."""
    if isinstance(targets, str) or not isinstance(targets, Iterable):
        raise TargetError(f"targets={targets!r} came; one target per document is wanted. Did you mean target=?")
    documents = 1 if isinstance(texts, (str, Document)) else len(texts) if isinstance(texts, Sized) else None
    if documents is not None and isinstance(targets, Sized) and len(targets) != documents:
        raise TargetError(f"targets= holds {len(targets)} for {documents} documents; one for each is wanted.")
    return targets


def _explain_stream(
    model: TextClassifier,
    texts: Iterable[Any],
    target: Any,
    targets: Iterable[Any] | None,
    how: _How,
) -> Iterator[Explanation]:
    named = (_named(text, row) for row, text in enumerate(texts))
    own_targets = None if targets is None else iter(targets)
    while block := list(islice(named, BLOCK)):
        own = None if own_targets is None else islice(own_targets, len(block))
        yield from _explain_block(model, block, target, own, how)


def _named(text: Any, row: int) -> Document:
    """A plain string becomes a Document named by its position, counted from 1."""
    checked = check_text(text, row)
    return checked if isinstance(checked, Document) else Document(str(row + 1), checked)


def _explain_block(
    model: TextClassifier,
    block: list[Document],
    target: Any,
    targets: Iterable[Any] | None,
    how: _How,
) -> Iterator[Explanation]:
    own = None if targets is None else list(targets)
    if own is not None and len(own) != len(block):
        raise TargetError(
            f"targets= ended before the documents did; one for each is wanted, {block[len(own)].id!r} has none."
        )
    batch = model.encode(block)
    done: dict[int, Explanation] = {}
    for rows in _pieces(batch.lengths):
        piece = batch.select(rows)
        documents = [block[row] for row in rows]
        own_piece = None if own is None else [own[row] for row in rows]
        done |= zip(rows, _explain_piece(model, documents, piece, target, own_piece, how), strict=True)
    for row in range(len(block)):
        yield done.pop(row)


def _pieces(lengths: NDArray[np.int32]) -> Iterator[list[int]]:
    """Rows of a block, texts of like length together, few enough that padding stays small."""
    piece: list[int] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        if piece and (len(piece) + 1) * int(lengths[row]) > PADDED_WORDS:
            yield piece
            piece = []
        piece.append(row)
    yield piece


def _explain_piece(
    model: TextClassifier,
    documents: list[Document],
    batch: Batch,
    target: Any,
    own: list[Any] | None,
    how: _How,
) -> list[Explanation]:
    trace = model.trace(batch, dtype=how.dtype)
    scores = trace.scores.numpy()
    if own is None:
        wanted = resolve_targets(target, model.classes_, scores)
    else:
        wanted = [resolve_targets(own[n], model.classes_, scores[n : n + 1])[0] for n in range(len(documents))]
    most = max(len(targets) for targets in wanted)
    seed = torch.zeros((most, *scores.shape), dtype=trace.scores.dtype)
    for n, targets in enumerate(wanted):
        seed[: len(targets), n] = one_hot_seed(trace.scores[n : n + 1], targets)[:, 0]
    relevance, ledger, _ = propagate(trace, how.composite, seed)
    probabilities = model.probabilities(scores)
    labels = tuple(str(name) for name in model.classes_)
    explanations = []
    for n, document in enumerate(documents):
        count = len(wanted[n])
        reading = batch.readings[n]
        on_tokens = np.zeros((count, len(reading.tokens)), dtype=scores.dtype)
        on_tokens[:, reading.positions] = relevance[:count, n, : len(reading.positions)].numpy()
        entries = {key: entry[:count, n].numpy() for key, entry in ledger.items()}
        explanations.append(
            Explanation(
                document_id=document.id,
                tokens=reading.tokens,
                labels=labels,
                scores=scores[n],
                probabilities=None if probabilities is None else probabilities[n],
                targets=wanted[n],
                relevance=on_tokens,
                status=batch.status[n],
                counts=batch.counts[n],
                ledger={key: entry for key, entry in entries.items() if entry.any()},
                rule=how.rule,
                model=how.fingerprint,
                version=__version__,
                gold=None if document.label is None else str(document.label),
            )
        )
    return explanations


def printed(composite: Composite) -> str:
    """A composite as it can be pasted back; a single rule for everything as that rule."""
    return repr(composite) if composite.layers else repr(composite.default)
