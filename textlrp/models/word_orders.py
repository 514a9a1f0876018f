"""Search the orders of the words of a text for the one that lowers, or keeps, the probability of a class most.

Open it for the limits of normalized AOPC: a beam search over sets of deleted words, fast for a CNN with max pooling,
by one forward pass for each candidate for any other model, and not needed if the score is a sum over words.

Letters: N texts, L words read, S alternatives, C classes, B beam width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from textlrp.lrp.kernels.order_loops import PooledNet, searched_orders
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.cnn import CNNClassifier, has_winning_windows
from textlrp.models.convnet import ConvNet
from textlrp.models.packing import Packed
from textlrp.models.pipeline.additive import is_additive
from textlrp.models.word_paths import masked_scores
from textlrp.text.batches import Batch

Order = NDArray[np.int64]
"""Positions of the known words of a text, in the order of their deletion."""

SetValues = Callable[[NDArray[np.bool_]], NDArray[Any]]
"""A function from the words that are kept (S, L) to one number for each set (S,)."""

SUM_ROUNDING = 1e-9
"""Largest difference between a score and the sum over its words, relative to the sum of their absolute values."""


class ExtremeOrders(NamedTuple):
    """The orders of deletion of a text's known words with the lowest and the highest mean probability of a class.

    If ``exact``, no order is lower or higher; otherwise a search found them.
    """

    lowest: Order
    highest: Order
    exact: bool


def iter_extreme_orders(
    model: Classifier, batch: Batch, targets: Sequence[int], *, beam_width: int
) -> Iterator[ExtremeOrders]:
    """Yield the two orders of each text, for the class ``targets[n]`` of text n.

    The probability is the score if the model has none. If the score is a sum over the words, the words are sorted by
    what each adds to it. This is exact if the model has no probability or only two classes: a softmax over more
    classes depends on their scores too.
    """
    if has_winning_windows(model):
        yield from _by_pooled_windows(model, batch, targets, beam_width)
        return
    for n, target in enumerate(targets):
        yield _extreme_orders_of(model, batch, n, target, beam_width)


def _extreme_orders_of(model: Classifier, batch: Batch, n: int, target: int, beam_width: int) -> ExtremeOrders:
    if (exact := _sorted_by_share(model, batch, n, target)) is not None:
        return ExtremeOrders(exact, exact[::-1], exact=True)
    known = np.flatnonzero(batch.text(n) > 0)
    values = target_values(model, batch, n, target)
    lowest, highest = (search_order(values, known, int(batch.lengths[n]), beam_width, sign) for sign in (1.0, -1.0))
    return ExtremeOrders(lowest, highest, exact=False)


def target_values(model: Classifier, batch: Batch, n: int, target: int) -> SetValues:
    """Return the function from the words that are kept to the probability, or else the score, of a class."""

    def values(keep: NDArray[np.bool_]) -> NDArray[Any]:
        scores = masked_scores(model, batch, n, keep)
        probabilities = model.probabilities(scores)
        return np.asarray((scores if probabilities is None else probabilities)[:, target])

    return values


def search_order(values: SetValues, known: Sequence[int] | Order, length: int, beam_width: int, sign: float) -> Order:
    """Return the order of the ``known`` words with the smallest sum of ``sign`` × value after each deletion.

    A beam search keeps the ``beam_width`` best sets of deleted words after each step. Two orders of the same set are
    one state, so that the search is exact if it is as wide as there are sets.
    """
    states: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for _ in range(len(known)):
        next_words = [(total, order, word) for total, order in states for word in known if word not in order]
        keep = np.ones((len(next_words), length), dtype=bool)
        for row, (_, order, word) in zip(keep, next_words, strict=True):
            row[[*order, word]] = False
        distinct, place = np.unique(keep, axis=0, return_inverse=True)
        found = (sign * np.asarray(values(distinct), dtype=np.float64))[place.reshape(-1)]
        best: dict[int, tuple[float, tuple[int, ...]]] = {}
        for (total, order, word), value, key in zip(
            next_words, found.tolist(), place.reshape(-1).tolist(), strict=True
        ):
            if key not in best or total + value < best[key][0]:
                best[key] = (total + value, (*order, int(word)))
        states = sorted(best.values(), key=lambda state: state[0])[:beam_width]
    return np.array(states[0][1], dtype=np.int64)


def _sorted_by_share(model: Classifier, batch: Batch, n: int, target: int) -> Order | None:
    """The known words by what each adds to the score, largest first; None if another order may be better."""
    if not is_additive(model) or thresholds_of(model) is not None:
        return None
    if len(model.classes_) > 2 and model.probabilities(np.zeros((1, len(model.classes_)))) is not None:
        return None
    known = np.flatnonzero(batch.text(n) > 0)
    keep = np.ones((len(known) + 2, int(batch.lengths[n])), dtype=bool)
    keep[np.arange(len(known)), known] = False
    keep[-1] = False
    scores = masked_scores(model, batch, n, keep)[:, target].astype(np.float64)
    shares = scores[-2] - scores[:-2]
    # a word of the model may consist of several tokens: then deleting one of them alone changes nothing
    remainder = abs(scores[-2] - scores[-1] - shares.sum())
    if remainder > SUM_ROUNDING * (np.abs(shares).sum() + abs(scores[-2]) + abs(scores[-1])):
        return None
    return np.asarray(known[np.argsort(-shares, kind="stable")])


def _by_pooled_windows(
    model: CNNClassifier, batch: Batch, targets: Sequence[int], beam_width: int
) -> list[ExtremeOrders]:
    packed = Packed(batch.words, batch.starts)
    found = searched_orders(pooled_net(model, packed), packed.ids, packed.starts, np.array(targets), beam_width)
    pairs = [found[:, begin:end] for begin, end in pairwise(batch.starts.tolist())]
    return [ExtremeOrders(low[low >= 0], high[high >= 0], exact=False) for low, high in pairs]


def pooled_net(model: CNNClassifier, packed: Packed) -> PooledNet:
    """Return the projections of the words of some texts, and the parameters after them."""
    net = model.fitted_net()
    assert isinstance(net, ConvNet)
    vectors = net.table[torch.from_numpy(packed.distinct)]
    filters = [len(net.weights[f"conv{width}.bias"]) for width in net.widths]
    products = [(vectors @ net.weights[f"conv{width}.weight"]).numpy() for width in net.widths]
    bias = np.concatenate([net.weights[f"conv{width}.bias"].numpy() for width in net.widths])
    weight, output_bias = (net.weights[f"output.{name}"].numpy().astype(np.float64) for name in ("weight", "bias"))
    return PooledNet(
        np.array(net.widths, dtype=np.int64),
        np.array(filters, dtype=np.int64),
        np.concatenate(products, axis=1),
        bias,
        np.ascontiguousarray(weight.T),
        output_bias,
        model.thresholds_ is None,
    )
