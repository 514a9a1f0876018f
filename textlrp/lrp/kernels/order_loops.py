"""Compiled beam search for the order of deletion with the smallest or largest sum of a class's probability.

Open it to change the search; :mod:`textlrp.lrp.kernels.word_changes` updates the states. A state is a set of deleted
words: two orders of the same words are one state, and the better one is kept. A word that changes no score is
interchangeable with all other such words in the next step, so the first of them is tried for all.

Letters: N texts, L words of a text, F filters of all widths, S the sum of their widths, C classes, B beam width.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from textlrp.lrp.kernels.compiling import compiled
from textlrp.lrp.kernels.windows import Floats, Ids
from textlrp.lrp.kernels.word_changes import FINITE, LANES, NOTED, WordChanges, delete_word


class PooledNet(NamedTuple):
    """The part of a network after its lookup, for all widths together.

    ``widths`` (G,) and ``filters`` (G,) are those of each of G convolutions. ``products`` (U, S) are the projections
    of U distinct words: offset h of filter f of a convolution is in column ``begin + h × filters + f``, where
    ``begin`` is the sum of widths × filters of the convolutions before it. ``bias`` (F,), ``weight`` (F, C) and
    ``output_bias`` (C,) are the other parameters. The probability is a softmax over C classes, or else the logistic
    function of each score.
    """

    widths: Ids
    filters: Ids
    products: Floats
    bias: Floats
    weight: Floats
    output_bias: Floats
    softmax: bool


def searched_orders(net: PooledNet, ids: Ids, starts: Ids, targets: Ids, width: int) -> Ids:
    """Return two orders of the known words of N texts (2, L): positions in the text, -1 after the last known word.

    ``ids`` are rows of ``net.products``, text after text; row 0 is the unknown word, which is not deleted.
    ``starts`` (N + 1,) is where each text begins, ``targets`` (N,) the class of each. The first order is the one with
    the smallest sum of the probability over all steps that a search of ``width`` states finds, the second the one
    with the largest.
    """
    orders = np.full((2, len(ids)), -1, dtype=np.int64)
    longest = max(1, int(np.diff(starts).max(initial=0)))
    keys = np.random.default_rng(0).integers(1, 1 << 62, size=longest)
    net = net._replace(bias=net.bias.astype(np.float32), products=net.products.astype(np.float32, copy=False))
    _search_all(net, ids, starts, targets, width, keys, orders)
    return orders


@numba.njit(inline="always")
def _offer_one(value, slot, word, deleted, candidates, found):  # type: ignore[no-untyped-def]
    """Insert a candidate into the sorted list unless it has a better one of the same words; return its length."""
    values, parents, words, sets = candidates
    if found == len(values) and value >= values[found - 1]:
        return found
    place = found
    for n in range(found):
        if sets[n] == deleted:
            if values[n] <= value:
                return found
            place = n
            break
    grown = found
    if place == found:
        if found < len(values):
            grown = found + 1
        else:
            place = found - 1
    while place > 0 and values[place - 1] > value:
        values[place], parents[place] = values[place - 1], parents[place - 1]
        words[place], sets[place] = words[place - 1], sets[place - 1]
        place -= 1
    values[place], parents[place], words[place], sets[place] = value, slot, word, deleted
    return grown


@compiled(fastmath=FINITE)
def _offer(slot, state, total, deleted, target, softmax, sign, ids, keys, candidates, found):  # type: ignore[no-untyped-def]
    """Offer every next word of a state; return the length of the list of candidates."""
    present, scores, factors, actives = state.present, state.scores, state.factors, state.actives
    exps = np.exp(scores - scores.max())
    others = 0.0 if softmax else math.exp(min(-scores.max(), 700.0))
    whole = exps.sum() if softmax else others + exps[target]
    idle = False
    for w in range(len(present)):
        if present[w] == 0 or ids[w] == 0:
            continue
        if actives[w] == 0:
            if idle:
                continue
            idle = True
            probability = exps[target] / whole
        else:
            own = exps[target] * factors[w, target]
            all_classes = 0.0
            if softmax:
                for c in range(len(exps)):
                    all_classes += exps[c] * factors[w, c]
            else:
                all_classes = others + own
            probability = own / all_classes
        found = _offer_one(sign * (total + probability), slot, w, deleted ^ keys[w], candidates, found)
    return found


@compiled()
def _copy(source, goal):  # type: ignore[no-untyped-def]
    for w in range(len(source.present)):
        if source.actives[w] > 0:
            for c in range(len(source.scores)):
                goal.change[w, c], goal.factors[w, c] = source.change[w, c], source.factors[w, c]
        elif goal.actives[w] > 0:
            goal.change[w] = 0
    goal.present[:], goal.scores[:], goal.actives[:] = source.present, source.scores, source.actives
    goal.pooled[:], goal.floors[:], goal.noted[:] = source.pooled, source.floors, source.noted
    goal.noted_words[:], goal.noted_changes[:] = source.noted_words, source.noted_changes


@numba.njit(inline="always")
def _new_state(length, scores, filters):  # type: ignore[no-untyped-def]
    classes = len(scores)
    return WordChanges(
        np.ones(length, np.float32),
        scores.copy(),
        np.zeros((length, classes)),
        np.empty((length, classes)),
        np.zeros(length, np.int64),
        np.zeros(filters, np.float32),
        np.zeros(filters, np.float32),
        np.zeros(filters, np.int64),
        np.zeros((filters, NOTED), np.int32),
        np.zeros((filters, NOTED), np.float32),
    )


@compiled()
def _search_text(net, ids, target, beam, sign, keys, order):  # type: ignore[no-untyped-def]
    """Write the order of one text into ``order`` (L,)."""
    widths, net_filters, products, bias, weight, output_bias, softmax = net
    length = len(ids)
    rows = products[ids]
    columns = np.ascontiguousarray(rows.T)
    work = np.empty((5, max(length, net_filters.max(), LANES)), np.float32)
    touched = np.zeros(length, np.bool_)
    states = [_new_state(length, output_bias, len(bias)) for _ in range(beam)]
    delete_word(-1, widths, net_filters, bias, weight, columns, rows, states[0], work, touched)
    steps = int((ids > 0).sum())
    parent_of = np.zeros((steps, beam), np.int64)
    word_of = np.zeros((steps, beam), np.int64)
    totals, deleted = np.zeros(beam), np.zeros(beam, np.int64)
    alive = np.zeros(beam, np.bool_)
    alive[0] = True
    uses, slots = np.zeros(beam, np.int64), np.zeros(beam, np.int64)
    values, parents, words, sets = np.empty(beam), slots.copy(), slots.copy(), slots.copy()
    candidates = (values, parents, words, sets)
    new_totals, new_deleted = np.zeros(beam), np.zeros(beam, np.int64)
    for step in range(steps):
        found = 0
        for s in range(beam):
            if alive[s]:
                found = _offer(
                    s, states[s], totals[s], deleted[s], target, softmax, sign, ids, keys, candidates, found
                )
        uses[:] = 0
        for n in range(found):
            uses[parents[n]] += 1
        alive[:] = uses > 0
        for n in range(found):  # the last child of a state takes its place, the others are copies
            s = parents[n]
            uses[s] -= 1
            slots[n] = s
            if uses[s] > 0:
                free = 0
                while alive[free]:
                    free += 1
                alive[free] = True
                slots[n] = free
                _copy(states[s], states[free])
        for n in range(found):
            s = slots[n]
            delete_word(words[n], widths, net_filters, bias, weight, columns, rows, states[s], work, touched)
            new_totals[s], new_deleted[s] = sign * values[n], sets[n]
            parent_of[step, s], word_of[step, s] = parents[n], words[n]
        totals[:], deleted[:] = new_totals, new_deleted
    last = slots[0]  # the candidates are sorted
    for step in range(steps - 1, -1, -1):
        order[step] = word_of[step, last]
        last = parent_of[step, last]


@compiled(parallel=True)
def _search_all(net, ids, starts, targets, beam, keys, orders):  # type: ignore[no-untyped-def]
    texts = len(targets)
    for task in numba.prange(2 * texts):  # two threads get the same texts, with one sign each
        n, which = task % texts, task // texts
        begin, end = starts[n], starts[n + 1]
        sign = 1.0 if which == 0 else -1.0
        _search_text(net, ids[begin:end], targets[n], beam, sign, keys, orders[which, begin:end])
