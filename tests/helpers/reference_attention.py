"""LRP of one attention block as plain loops over the equations of the papers; it imports nothing of textlrp.

The block reads word vectors x (T, D)::

    y = LayerNorm(x)
    q, k, v = y W^T + b of each
    s = scale q k^T + bias          scores (T, T) with a constant bias, -inf at a mask
    a = softmax(s)
    o = (a v) W^T + b
    h = x + o                       residual connection
    score_c = mean_t(h_t) W_c + b_c

CP-LRP holds ``a`` constant (Ali et al. 2022, arXiv 2202.07304); AttnLRP propagates through it (Achtibat et al. 2024,
arXiv 2402.05602, propositions 3.1 and 3.3). Both hold the deviation of the LayerNorm constant and follow LRP-0
elsewhere.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Block(NamedTuple):
    """The parameters of the block: ``layers`` has (weight (O, J), bias (O,)) of query, key, value, out and head."""

    layers: Mapping[str, tuple[Array, Array]]
    gamma: Array
    beta: Array
    epsilon: float
    scale: float
    bias: Array  # (T, T), added to the scores


class Explained(NamedTuple):
    """The score of a class, the relevance (T,) of the words, and what was absorbed: (layer, cause) -> number."""

    score: float
    relevance: Array
    ledger: dict[tuple[str, str], float]


def explain(block: Block, x: Array, target: int, *, halves: bool) -> Explained:
    """Explain the score of class ``target`` by AttnLRP (``halves``) or CP-LRP."""
    length, width = x.shape
    ledger: dict[tuple[str, str], float] = defaultdict(float)
    deviation = [math.sqrt(np.mean((x[t] - x[t].mean()) ** 2) + block.epsilon) for t in range(length)]
    y = np.array([(x[t] - x[t].mean()) / deviation[t] * block.gamma + block.beta for t in range(length)])
    q, k, v = (_dense(block, name, y) for name in ("query", "key", "value"))
    products = np.array(
        [[sum(q[i, p] * k[j, p] for p in range(width)) for j in range(length)] for i in range(length)]
    )
    scores = block.scale * products + block.bias
    attention = np.array([_softmax(row) for row in scores])
    weighted = np.array([[sum(attention[i, j] * v[j, p] for j in range(length)) for p in range(width)]
                         for i in range(length)])  # fmt: skip
    out = _dense(block, "out", weighted)
    hidden = x + out
    mean = hidden.mean(axis=0)
    weight, bias = block.layers["head"]
    score = float(weight[target] @ mean + bias[target])

    # ---- backward
    relevance_mean = np.array([mean[p] * weight[target, p] for p in range(width)])
    ledger["head", "bias"] += float(bias[target])
    relevance_x, relevance_out = np.zeros((length, width)), np.zeros((length, width))
    for t in range(length):
        for p in range(width):
            relevance_hidden = hidden[t, p] / length / mean[p] * relevance_mean[p]
            relevance_x[t, p] += x[t, p] / hidden[t, p] * relevance_hidden
            relevance_out[t, p] += out[t, p] / hidden[t, p] * relevance_hidden
    relevance_weighted = _dense_back(block, "out", weighted, out, relevance_out, ledger)
    relevance_v, relevance_attention = np.zeros((length, width)), np.zeros((length, length))
    for i in range(length):
        for p in range(width):
            for j in range(length):
                share = attention[i, j] * v[j, p] / weighted[i, p] * relevance_weighted[i, p]
                relevance_v[j, p] += share / 2 if halves else share
                relevance_attention[i, j] += share / 2 if halves else 0.0
    relevance_y = _dense_back(block, "value", y, v, relevance_v, ledger)
    if halves:
        relevance_q, relevance_k = np.zeros((length, width)), np.zeros((length, width))
        for i in range(length):
            total = sum(relevance_attention[i])
            for j in range(length):
                if scores[i, j] == -math.inf:
                    continue
                relevance_score = scores[i, j] * (relevance_attention[i, j] - attention[i, j] * total)
                ledger["softmax", "softmax"] += relevance_attention[i, j] - relevance_score
                ledger["mask", "position"] += block.bias[i, j] / scores[i, j] * relevance_score
                from_product = block.scale * products[i, j] / scores[i, j] * relevance_score
                for p in range(width):
                    share = q[i, p] * k[j, p] / products[i, j] * from_product
                    relevance_q[i, p] += share / 2
                    relevance_k[j, p] += share / 2
        relevance_y = relevance_y + _dense_back(block, "query", y, q, relevance_q, ledger)
        relevance_y = relevance_y + _dense_back(block, "key", y, k, relevance_k, ledger)
    for t in range(length):
        for i in range(width):
            ledger["norm", "bias"] += block.beta[i] / y[t, i] * relevance_y[t, i]
            for j in range(width):
                factor = ((i == j) - 1 / width) * block.gamma[i] / deviation[t]
                relevance_x[t, j] += x[t, j] * factor / y[t, i] * relevance_y[t, i]
    return Explained(score, relevance_x.sum(axis=1), dict(ledger))


def _softmax(row: Array) -> Array:
    powers = np.array([math.exp(value - max(row)) for value in row])
    result: Array = powers / powers.sum()
    return result


def _dense(block: Block, name: str, inputs: Array) -> Array:
    weight, bias = block.layers[name]
    return np.array([[sum(row[j] * weight[i, j] for j in range(len(row))) + bias[i] for i in range(len(bias))]
                     for row in inputs])  # fmt: skip


def _dense_back(block: Block, name: str, inputs: Array, outputs: Array, relevance: Array, ledger: Any) -> Array:
    weight, bias = block.layers[name]
    received = np.zeros(inputs.shape)
    for t in range(len(inputs)):
        for i in range(len(bias)):
            ledger[name, "bias"] += bias[i] / outputs[t, i] * relevance[t, i]
            for j in range(inputs.shape[1]):
                received[t, j] += inputs[t, j] * weight[i, j] / outputs[t, i] * relevance[t, i]
    return received
