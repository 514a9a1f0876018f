"""LRP through LSTM, GRU and plain RNN layers as plain loops over all units, for one document and one target.

After Arras, Montavon, Müller and Samek 2017 (WASSA, arXiv 1706.07206), section 3.2: in gate × source the source
receives all relevance and the gate none; every other step is a sum of terms. The paper defines the LSTM; the GRU and
the plain RNN apply the same two principles. Values are Python floats; weights have the layout of torch.

Letters: T positions, E inputs, H units, S states per unit (h and c of an LSTM, h of the others).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reference import Recipe, share

Row = list[float]
Rows = list[Row]
Matrix = Sequence[Sequence[float]]
Vector = Sequence[float]

BOX = (-2.0, 1.5)
"""The bounds of every input of every step, for LRP-z^B."""


class Weights(NamedTuple):
    """Input weights (gates × H, E), recurrent weights (gates × H, H) and their two biases (gates × H,)."""

    w_ih: Matrix
    w_hh: Matrix
    b_ih: Vector
    b_hh: Vector


class Found(NamedTuple):
    """The states, one (S, H) per position, the relevance (T, E) of the inputs, and what was absorbed by cause."""

    states: list[Rows]
    relevance: Rows
    absorbed: dict[str, float]


def recurrent(
    kind: str,
    words: Matrix,
    weights: Weights,
    h_0: Vector,
    c_0: Vector,
    arriving: Sequence[Matrix],
    recipe: Recipe,
    reverse: bool,
) -> Found:
    """One direction of one layer; ``arriving`` (T, S, H) is the relevance of its states."""
    way = -1 if reverse else 1
    found = LAYERS[kind](words[::way], weights, h_0, c_0, arriving[::way], recipe)
    return Found(found.states[::way], found.relevance[::way], found.absorbed)


# ---- the three layers


def lstm(
    words: Matrix, weights: Weights, h_0: Vector, c_0: Vector, arriving: Sequence[Matrix], recipe: Recipe
) -> Found:
    """i, f, o = sigmoids, g = tanh; c_t = f c_{t-1} + i g; h_t = o tanh(c_t)."""
    units, absorbed = len(h_0), new_ledger()
    h, c, gates = [list(h_0)], [list(c_0)], []
    for x in words:
        i, f, g, o = ([affine(x, h[-1], weights, block * units + j) for j in range(units)] for block in range(4))
        gates.append(([sigmoid(v) for v in i], [sigmoid(v) for v in f], [math.tanh(v) for v in g]))
        c.append([gates[-1][1][j] * c[-1][j] + gates[-1][0][j] * gates[-1][2][j] for j in range(units)])
        h.append([sigmoid(o[j]) * math.tanh(c[-1][j]) for j in range(units)])
    relevance = [[0.0] * len(words[0]) for _ in words]
    of_c, of_h = [0.0] * units, [0.0] * units  # relevance that the following position passes to this one
    for t in reversed(range(len(words))):
        i, f, g = gates[t]
        before_c, before_h = [0.0] * units, [0.0] * units
        for j in range(units):
            # h_t = gate o × source tanh(c_t): all relevance of h_t passes to c_t
            all_c = of_c[j] + of_h[j] + arriving[t][0][j] + arriving[t][1][j]
            # c_t is a sum of two terms, in each of which c_{t-1} or g is the source
            (kept, entered) = distribute([f[j] * c[t][j], i[j] * g[j]], [1.0, 1.0], 0.0, all_c, recipe, absorbed)
            before_c[j] = kept
            propagate_affine(
                words[t], h[t], weights, 2 * units + j, entered, recipe, absorbed, relevance[t], before_h
            )
        of_c, of_h = before_c, before_h
    absorbed["ignored"] = math.fsum(of_c + of_h)
    return Found([[h[t + 1], c[t + 1]] for t in range(len(words))], relevance, absorbed)


def gru(
    words: Matrix, weights: Weights, h_0: Vector, c_0: Vector, arriving: Sequence[Matrix], recipe: Recipe
) -> Found:
    """r, z = sigmoids; n = tanh(u + r m) with u = W x + b, m = W h + b; h_t = (1 - z) n + z h_{t-1}."""
    units, absorbed = len(h_0), new_ledger()
    h, seen = [list(h_0)], []
    for x in words:
        state, r, z, u, m = h[-1], [], [], [], []
        for j in range(units):
            r.append(sigmoid(affine(x, state, weights, j)))
            z.append(sigmoid(affine(x, state, weights, units + j)))
            u.append(math.fsum([*products(x, weights.w_ih[2 * units + j]), weights.b_ih[2 * units + j]]))
            m.append(math.fsum([*products(state, weights.w_hh[2 * units + j]), weights.b_hh[2 * units + j]]))
        n = [math.tanh(u[j] + r[j] * m[j]) for j in range(units)]
        seen.append((r, z, u, m, n))
        h.append([(1 - z[j]) * n[j] + z[j] * state[j] for j in range(units)])
    relevance = [[0.0] * len(words[0]) for _ in words]
    of_h = [0.0] * units
    for t in reversed(range(len(words))):
        r, z, u, m, n = seen[t]
        before = [0.0] * units
        for j in range(units):
            all_h, row = of_h[j] + arriving[t][0][j], 2 * units + j
            to_n, kept = distribute([(1 - z[j]) * n[j], z[j] * h[t][j]], [1.0, 1.0], 0.0, all_h, recipe, absorbed)
            before[j] += kept
            to_u, to_m = distribute([u[j], r[j] * m[j]], [1.0, 1.0], 0.0, to_n, recipe, absorbed)
            from_x = distribute(words[t], weights.w_ih[row], weights.b_ih[row], to_u, recipe, absorbed)
            from_h = distribute(h[t], weights.w_hh[row], weights.b_hh[row], to_m, recipe, absorbed)
            for e, received in enumerate(from_x):
                relevance[t][e] += received
            for k, received in enumerate(from_h):
                before[k] += received
        of_h = before
    absorbed["ignored"] = math.fsum(of_h)
    return Found([[h[t + 1]] for t in range(len(words))], relevance, absorbed)


def rnn(activation: Callable[[float], float]) -> Layer:
    """h_t = activation(W x_t + b + W h_{t-1} + b), through which relevance passes."""

    def layer(
        words: Matrix, weights: Weights, h_0: Vector, c_0: Vector, arriving: Sequence[Matrix], recipe: Recipe
    ) -> Found:
        units, absorbed = len(h_0), new_ledger()
        h = [list(h_0)]
        for x in words:
            h.append([activation(affine(x, h[-1], weights, j)) for j in range(units)])
        relevance = [[0.0] * len(words[0]) for _ in words]
        of_h = [0.0] * units
        for t in reversed(range(len(words))):
            before = [0.0] * units
            for j in range(units):
                all_h = of_h[j] + arriving[t][0][j]
                propagate_affine(words[t], h[t], weights, j, all_h, recipe, absorbed, relevance[t], before)
            of_h = before
        absorbed["ignored"] = math.fsum(of_h)
        return Found([[h[t + 1]] for t in range(len(words))], relevance, absorbed)

    return layer


Layer = Callable[[Matrix, Weights, Vector, Vector, Sequence[Matrix], Recipe], Found]
LAYERS: dict[str, Layer] = {
    "lstm": lstm,
    "gru": gru,
    "rnn_tanh": rnn(math.tanh),
    "rnn_relu": rnn(lambda value: max(value, 0.0)),
}


# ---- one unit


def new_ledger() -> dict[str, float]:
    return {"bias": 0.0, "stabilizer": 0.0, "empty": 0.0}


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def products(values: Vector, weights: Vector) -> Row:
    return [a * w for a, w in zip(values, weights, strict=True)]


def affine(x: Vector, h: Vector, weights: Weights, row: int) -> float:
    """One pre-activation of the inputs and the previous states."""
    terms = products(x, weights.w_ih[row]) + products(h, weights.w_hh[row])
    return math.fsum([*terms, weights.b_ih[row], weights.b_hh[row]])


def distribute(
    inputs: Vector, weights: Vector, bias: float, relevance: float, recipe: Recipe, absorbed: dict[str, float]
) -> Row:
    """The relevance that each input of one output receives; the rest is added to ``absorbed``."""
    fractions, causes = share(list(inputs), list(weights), bias, recipe, [BOX] * len(inputs))
    for cause, fraction in causes.items():
        absorbed[cause] += fraction * relevance
    return [fraction * relevance for fraction in fractions]


def propagate_affine(
    x: Vector,
    h: Vector,
    weights: Weights,
    row: int,
    relevance: float,
    recipe: Recipe,
    absorbed: dict[str, float],
    to_x: Row,
    to_h: Row,
) -> None:
    """Distribute the relevance of one pre-activation over the inputs and the previous states together."""
    received = distribute(
        [*x, *h],
        [*weights.w_ih[row], *weights.w_hh[row]],
        weights.b_ih[row] + weights.b_hh[row],
        relevance,
        recipe,
        absorbed,
    )
    for e in range(len(x)):
        to_x[e] += received[e]
    for k in range(len(h)):
        to_h[k] += received[len(x) + k]


# ---- the message of the paper, for the LSTM only


def message(a: float, w: float, z: float, b: float, connected: int, epsilon: float, factor: float) -> float:
    """The fraction of the relevance of z that input ``a`` receives (section 3.2 of the paper).

    ``factor`` 1 spreads the bias and epsilon over the ``connected`` inputs of z, 0 leaves them out.
    """
    sign = 1.0 if z >= 0 else -1.0
    return (a * w + factor * (b + epsilon * sign) / connected) / (z + epsilon * sign)


def paper_lstm(
    words: Matrix,
    weights: Weights,
    arriving: Vector,
    epsilon: float,
    factor: float,
) -> tuple[Rows, float]:
    """The relevance (T, E) of the inputs, and the sum of that of the states before the first word, which are zero.

    ``arriving`` (H,) is the relevance of the last h.
    """
    units, inputs, steps = len(arriving), len(words[0]), len(words)
    h, c = [[0.0] * units], [[0.0] * units]
    into: list[tuple[Row, Row, Row, Row]] = []  # i, f, z_g, g
    for x in words:
        z_i, z_f, z_g, z_o = (
            [affine(x, h[-1], weights, block * units + j) for j in range(units)] for block in range(4)
        )
        i, f, g = [sigmoid(v) for v in z_i], [sigmoid(v) for v in z_f], [math.tanh(v) for v in z_g]
        into.append((i, f, z_g, g))
        c.append([f[j] * c[-1][j] + i[j] * g[j] for j in range(units)])
        h.append([sigmoid(z_o[j]) * math.tanh(c[-1][j]) for j in range(units)])
    r_x = [[0.0] * inputs for _ in words]
    r_h = [[0.0] * units for _ in range(steps + 1)]
    r_c = [[0.0] * units for _ in range(steps + 1)]
    r_h[steps] = list(arriving)
    for t in reversed(range(steps)):
        i, f, z_g, g = into[t]
        for j in range(units):
            r_c[t + 1][j] += r_h[t + 1][j]
            r = r_c[t + 1][j]
            r_c[t][j] += r * message(f[j] * c[t][j], 1.0, c[t + 1][j], 0.0, 2, epsilon, factor)
            r_g = r * message(i[j] * g[j], 1.0, c[t + 1][j], 0.0, 2, epsilon, factor)
            row = 2 * units + j
            bias, connected = weights.b_ih[row] + weights.b_hh[row], inputs + units
            for e in range(inputs):
                r_x[t][e] += r_g * message(
                    words[t][e], weights.w_ih[row][e], z_g[j], bias, connected, epsilon, factor
                )
            for k in range(units):
                r_h[t][k] += r_g * message(h[t][k], weights.w_hh[row][k], z_g[j], bias, connected, epsilon, factor)
    return r_x, math.fsum(r_h[0] + r_c[0])
