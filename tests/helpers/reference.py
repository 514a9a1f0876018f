"""The equations of LRP as plain loops: an independent reference for the closed form and the recorded trace.

Nothing here imports ``textlrp.lrp`` or the nets of ``textlrp.models``. A net is a few numpy arrays, a convolution is
a loop over all dimensions of all words, and the relevance of each output is distributed separately. The last section
has the same nets as plain torch modules, for gradients.

Letters: T positions of one text, D dimensions, F filters, H width, C classes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.floating[Any]]
Ledger = dict[tuple[str, str], float]


class Recipe(NamedTuple):
    """One rule and its parameters.

    ``rule``: "epsilon" (which with epsilon 0 is LRP-0), "gamma", "alpha-beta", "z-plus", "w-square", "flat" or
    "z-box". ``epsilon`` is the stabilizer of any rule. ``spread`` distributes bias and epsilon evenly over the
    inputs; ``ignore_bias`` is alpha-beta without bias.
    """

    epsilon: float = 0.0
    spread: bool = False
    rule: str = "epsilon"
    gamma: float = 0.25
    alpha: float = 2.0
    beta: float = 1.0
    ignore_bias: bool = False


class Recipes(NamedTuple):
    """The recipe of each kind of layer; ``first``, if given, is for the layer that reads the words.

    ``products`` names the rule for products of two values; these networks have none.
    """

    dense: Recipe
    convolution: Recipe
    first: Recipe | None = None
    adding: Recipe = Recipe()
    products: str = ""


def everywhere(recipe: Recipe) -> Recipes:
    """The same recipe for all layers except those that only add up."""
    return Recipes(recipe, recipe)


LRP_0, LRP_EPSILON = Recipe(), Recipe(1e-6)
ARRAS = Recipe(0.01, spread=True)
GAMMA, Z_PLUS = Recipe(rule="gamma"), Recipe(rule="z-plus")
W_SQUARE, FLAT, Z_BOX = Recipe(rule="w-square"), Recipe(rule="flat"), Recipe(rule="z-box")
ALPHA_1 = Recipe(rule="alpha-beta", alpha=1.0, beta=0.0)
ALPHA_2 = Recipe(rule="alpha-beta", alpha=2.0, beta=1.0)

RECIPES: dict[str, Recipes] = {
    "zero": everywhere(LRP_0),
    "epsilon": everywhere(LRP_EPSILON),
    "gamma": everywhere(GAMMA),
    "alpha1-beta0": everywhere(ALPHA_1),
    "alpha2-beta1": everywhere(ALPHA_2),
    "z-plus": everywhere(Z_PLUS),
    "w-square": everywhere(W_SQUARE),
    "flat": everywhere(FLAT),
    "arras2017": everywhere(ARRAS),
    "epsilon-gamma": Recipes(LRP_EPSILON, GAMMA),
    "epsilon-gamma-box": Recipes(LRP_EPSILON, GAMMA, first=Z_BOX),
    "epsilon-plus": Recipes(LRP_EPSILON, ALPHA_1),
    "epsilon-plus-flat": Recipes(LRP_EPSILON, ALPHA_1, first=FLAT),
    "epsilon-alpha2-beta1": Recipes(LRP_EPSILON, ALPHA_2),
    "epsilon-alpha2-beta1-flat": Recipes(LRP_EPSILON, ALPHA_2, first=FLAT),
    "excitation-backprop": everywhere(Z_PLUS),
    "lrp.z": everywhere(LRP_0),
    "lrp.epsilon": everywhere(Recipe(1e-7)),
    "lrp.w_square": everywhere(W_SQUARE),
    "lrp.flat": everywhere(FLAT),
    "lrp.alpha_beta": everywhere(ALPHA_2),
    "lrp.alpha_2_beta_1": everywhere(ALPHA_2),
    "lrp.alpha_2_beta_1_IB": everywhere(ALPHA_2._replace(ignore_bias=True)),
    "lrp.alpha_1_beta_0": everywhere(ALPHA_1),
    "lrp.alpha_1_beta_0_IB": everywhere(ALPHA_1._replace(ignore_bias=True)),
    "lrp.z_plus": everywhere(Z_PLUS),
    "lrp.z_plus_fast": everywhere(Z_PLUS),
    "lrp.sequential_preset_a": Recipes(LRP_EPSILON, ALPHA_1),
    "lrp.sequential_preset_b": Recipes(LRP_EPSILON, ALPHA_2),
    "lrp.sequential_preset_a_flat": Recipes(LRP_EPSILON, ALPHA_1, first=FLAT),
    "lrp.sequential_preset_b_flat": Recipes(LRP_EPSILON, ALPHA_2, first=FLAT),
    "deep_taylor": Recipes(Z_PLUS, Z_PLUS, first=W_SQUARE),
    "deep_taylor.bounded": Recipes(Z_PLUS, Z_PLUS, first=Z_BOX),
    "cp-lrp": Recipes(LRP_0, LRP_0, products="source"),
    "attnlrp": Recipes(LRP_0, LRP_0, products="halves"),
}
"""The recipes of the preset names, from the lists of iNNvestigate and Zennit."""


class Explained(NamedTuple):
    """The scores (C,), the relevance (T,) of one class, and the absorbed relevance by step and cause."""

    scores: Array
    relevance: Array
    ledger: Ledger


# ---- one output


Fractions = tuple[list[float], dict[str, float]]
"""The fraction of the relevance of an output for each input, and those absorbed by cause; they sum to one."""

Bounds = Sequence[tuple[float, float]]
"""The smallest and the largest possible value of each input, 0 included."""


def share(
    inputs: Sequence[float], weights: Sequence[float], bias: float, recipe: Recipe, bounds: Bounds = ()
) -> Fractions:
    """The fractions of one output with these ``inputs``, ``weights`` and ``bias``."""
    terms = [(float(a), float(w)) for a, w in zip(inputs, weights, strict=True)]
    products = [a * w for a, w in terms]
    match recipe.rule:
        case "epsilon" if recipe.spread:
            return divide_and_spread(products, bias, recipe.epsilon)
        case "epsilon":
            return divide(products, bias, recipe.epsilon)
        case "gamma":
            return gamma(terms, bias, recipe)
        case "alpha-beta":
            return alpha_beta(products, 0.0 if recipe.ignore_bias else bias, recipe)
        case "z-plus":
            return divide([product if product > 0 else 0.0 for product in products], 0.0, recipe.epsilon)
        case "w-square":
            return divide([w**2 for _, w in terms], 0.0, recipe.epsilon)
        case "flat":
            return divide([1.0 for _ in terms], 0.0, recipe.epsilon)
        case "z-box":
            boxed = [
                a * w - (low * w if w > 0 else high * w) for (a, w), (low, high) in zip(terms, bounds, strict=True)
            ]
            return divide(boxed, 0.0, recipe.epsilon)
    raise AssertionError(recipe.rule)


def divide(parts: Sequence[float], bias: float, epsilon: float) -> Fractions:
    """Each part over the sum of all parts and the bias, moved away from 0 by epsilon; 0 counts as positive."""
    total = math.fsum([*parts, bias])
    pushed = epsilon if total >= 0 else -epsilon
    denominator = total + pushed
    if denominator == 0:
        return [0.0] * len(parts), {"empty": 1.0}
    return [part / denominator for part in parts], {"bias": bias / denominator, "stabilizer": pushed / denominator}


def divide_and_spread(products: Sequence[float], bias: float, epsilon: float) -> Fractions:
    """As :func:`divide`, but what bias and epsilon would absorb is distributed evenly over the inputs."""
    fractions, causes = divide(products, bias, epsilon)
    if not products or "empty" in causes:
        return fractions, causes
    even = math.fsum(causes.values()) / len(products)
    return [fraction + even for fraction in fractions], {}


def gamma(terms: Sequence[tuple[float, float]], bias: float, recipe: Recipe) -> Fractions:
    """Generalized LRP-gamma, with its cases z > 0 and z < 0 written out in inputs and weights."""
    g = recipe.gamma
    z = math.fsum([*(a * w for a, w in terms), bias])
    if z == 0:
        return [0.0] * len(terms), {"empty": 1.0}
    parts = []
    for a, w in terms:
        above, below = w + g * max(w, 0.0), w + g * min(w, 0.0)
        parts.append(
            max(a, 0.0) * above + min(a, 0.0) * below if z > 0 else max(a, 0.0) * below + min(a, 0.0) * above
        )
    return divide(parts, bias + g * (max(bias, 0.0) if z > 0 else min(bias, 0.0)), recipe.epsilon)


def alpha_beta(products: Sequence[float], bias: float, recipe: Recipe) -> Fractions:
    """Alpha times the positive fractions minus beta times the negative ones."""
    positive, positive_causes = divide([max(product, 0.0) for product in products], max(bias, 0.0), recipe.epsilon)
    negative, negative_causes = divide([min(product, 0.0) for product in products], min(bias, 0.0), recipe.epsilon)
    causes = {
        cause: recipe.alpha * positive_causes.get(cause, 0.0) - recipe.beta * negative_causes.get(cause, 0.0)
        for cause in ("bias", "stabilizer", "empty")
    }
    return [recipe.alpha * up - recipe.beta * down for up, down in zip(positive, negative, strict=True)], causes


def enter(ledger: Ledger, step: str, causes: Mapping[str, float], relevance: float) -> None:
    """Add the relevance that ``step`` absorbs of one output to the ledger."""
    for cause, fraction in causes.items():
        ledger[step, cause] = ledger.get((step, cause), 0.0) + fraction * relevance


def dense(
    features: Array, weight: Array, bias: Array, target: int, recipe: Recipe, bounds: Bounds = ()
) -> tuple[Array, Array, Ledger]:
    """Scores (C,), the relevance (J,) of the features for one class, and the ledger of the step ``output``."""
    scores = np.array([math.fsum([*(w * x for w, x in zip(weight[c], features, strict=True)), bias[c]])
                       for c in range(len(bias))])  # fmt: skip
    ledger: Ledger = {}
    fractions, causes = share(features.tolist(), weight[target].tolist(), float(bias[target]), recipe, bounds)
    enter(ledger, "output", causes, scores[target])
    return scores, np.array(fractions) * scores[target], ledger


def to_words(received: Array, known: Sequence[bool], ledger: Ledger, step: str = "embedding") -> Array:
    """Sum relevance (T, D), or longer by padding, to that of the words (T,); the rest is ``ignored``."""
    words = np.zeros(len(known))
    for t in range(len(received)):
        relevance = math.fsum(received[t])
        if t < len(known) and known[t]:
            words[t] = relevance
        else:
            enter(ledger, step, {"ignored": 1.0}, relevance)
    return words


def table_bounds(table: Array) -> list[tuple[float, float]]:
    """The smallest and the largest value in each of the D columns of a ``table`` (V + 1, D), 0 included."""
    return [(min(0.0, *column), max(0.0, *column)) for column in table.T.tolist()]


# ---- the convolutional net


class Convolution(NamedTuple):
    """``weight`` (F, D, H) in the layout of torch.nn.Conv1d, ``bias`` (F,)."""

    weight: Array
    bias: Array


def cnn(
    vectors: Array,
    known: Sequence[bool],
    convolutions: Mapping[int, Convolution],
    weight: Array,
    bias: Array,
    pooling: str,
    target: int,
    recipes: Recipes,
    bounds: Bounds = (),
) -> Explained:
    """Explain a text of T word ``vectors`` (T, D), zero for unknown words, with convolutions of several widths.

    A text shorter than a window is padded with zero vectors to one window of that width. ``bounds`` (D) are those
    of the word vectors.
    """
    pre_activations = {width: convolve(vectors, conv, width) for width, conv in convolutions.items()}
    pooled = {width: pool(z, pooling) for width, z in pre_activations.items()}
    features = np.concatenate([pooled[width] for width in convolutions])
    scores, arriving, ledger = dense(features, weight, bias, target, recipes.dense)
    longest = max(len(vectors), *convolutions)
    received = np.zeros((longest, vectors.shape[1]))
    begin = 0
    for width, conv in convolutions.items():
        z = pre_activations[width]
        for f in range(len(conv.bias)):
            for t, relevance in unpool(z[:, f], arriving[begin + f], pooling, recipes.adding, ledger, f"mean{width}"):
                inputs, weights = window_terms(vectors, conv, width, f, t)
                recipe = recipes.first or recipes.convolution
                fractions, causes = share(inputs, weights, float(conv.bias[f]), recipe, [*bounds] * width)
                enter(ledger, f"conv{width}", causes, relevance)
                for place, fraction in enumerate(fractions):  # offset by offset
                    received[t + place // vectors.shape[1], place % vectors.shape[1]] += fraction * relevance
        begin += len(conv.bias)
    return Explained(scores, to_words(received, known, ledger), ledger)


def convolve(vectors: Array, conv: Convolution, width: int) -> Array:
    """Pre-activations (windows, F), one product at a time."""
    windows = max(len(vectors) - width + 1, 1)
    z = np.zeros((windows, len(conv.bias)))
    for t in range(windows):
        for f in range(len(conv.bias)):
            inputs, weights = window_terms(vectors, conv, width, f, t)
            z[t, f] = math.fsum([*(a * w for a, w in zip(inputs, weights, strict=True)), conv.bias[f]])
    return z


def window_terms(vectors: Array, conv: Convolution, width: int, f: int, t: int) -> tuple[list[float], list[float]]:
    """The H × D inputs and weights of filter ``f`` at position ``t``, offset by offset; zeros beyond the text."""
    inputs: list[float] = []
    weights: list[float] = []
    for h in range(width):
        inputs += vectors[t + h].tolist() if t + h < len(vectors) else [0.0] * vectors.shape[1]
        weights += conv.weight[f, :, h].tolist()
    return inputs, weights


def pool(z: Array, pooling: str) -> Array:
    """Pool (windows, F) to (F,): the ReLU of the largest window, or the mean of the ReLUs."""
    pooled = np.zeros(z.shape[1])
    for f in range(z.shape[1]):
        active = [max(value, 0.0) for value in z[:, f]]
        pooled[f] = max(active) if pooling == "max" else math.fsum(active) / len(active)
    return pooled


def unpool(
    z: Array, relevance: float, pooling: str, recipe: Recipe, ledger: Ledger, step: str
) -> list[tuple[int, float]]:
    """The windows of one filter that receive relevance, and how much."""
    if pooling == "max":
        winner = 0
        for t in range(len(z)):
            if z[t] > z[winner]:
                winner = t
        return [(winner, relevance)]
    fractions, causes = share([max(float(value), 0.0) for value in z], [1 / len(z)] * len(z), 0.0, recipe)
    enter(ledger, step, causes, relevance)
    return [(t, fraction * relevance) for t, fraction in enumerate(fractions)]


# ---- the bag of embeddings


def bag_of_embeddings(
    ids: Sequence[int], table: Array, idf: Sequence[float], weight: Array, bias: Array, target: int, recipes: Recipes
) -> Explained:
    """Explain a text of T word ``ids`` (0 unknown); ``table`` (V + 1, D), ``idf`` (V + 1,) with 0 for unknown."""
    parts = occurrence_weights(ids, idf)
    dimensions = table.shape[1]
    bag = np.array([math.fsum(g * table[w, d] for g, w in zip(parts, ids, strict=True)) for d in range(dimensions)])
    limits = table_bounds(table)
    heavy = math.fsum(parts)
    scores, arriving, ledger = dense(
        bag,
        weight,
        bias,
        target,
        recipes.first or recipes.dense,
        [(low * heavy, high * heavy) for low, high in limits],
    )
    received = np.zeros((len(ids), dimensions))
    for d in range(dimensions):
        inputs = [float(table[w, d]) for w in ids]
        fractions, causes = share(inputs, parts, 0.0, recipes.adding, [limits[d]] * len(ids))
        enter(ledger, "bag", causes, arriving[d])
        for t, fraction in enumerate(fractions):
            received[t, d] += fraction * arriving[d]
    return Explained(scores, to_words(received, [w > 0 for w in ids], ledger), ledger)


def occurrence_weights(ids: Sequence[int], idf: Sequence[float]) -> list[float]:
    """(1 + ln count) × idf per word, scaled to unit length over distinct words, divided among the occurrences."""
    counts = Counter(ids)
    weights = {word: (1 + math.log(count)) * float(idf[word]) for word, count in counts.items()}
    norm = math.sqrt(math.fsum(value**2 for value in weights.values())) or 1.0
    return [weights[word] / norm / counts[word] for word in ids]


# ---- the bag of words


class Feature(NamedTuple):
    """An n-gram of word ids with its inverse document frequency and its weights (C,)."""

    words: tuple[int, ...]
    idf: float
    weight: Array


def bag_of_words(
    ids: Sequence[int], features: Sequence[Feature], bias: Array, sublinear: bool, target: int, recipes: Recipes
) -> Explained:
    """Explain a text of T word ``ids`` with TF-IDF and a linear layer over the n-grams that occur in it."""
    places = [
        [t for t in range(len(ids) - len(f.words) + 1) if tuple(ids[t : t + len(f.words)]) == f.words]
        for f in features
    ]
    present = [j for j, found in enumerate(places) if found]
    values = []
    for j in present:
        count = len(places[j])
        values.append((1 + math.log(count) if sublinear else count) * features[j].idf)
    norm = math.sqrt(math.fsum(value**2 for value in values)) or 1.0
    inputs = np.array([value / norm for value in values])
    weight = np.array([features[j].weight for j in present]).reshape(len(present), len(bias)).T
    scores, arriving, ledger = dense(
        inputs, weight, bias, target, recipes.first or recipes.dense, [(0.0, 1.0)] * len(inputs)
    )
    words = np.zeros(len(ids))
    for j, relevance in zip(present, arriving, strict=True):
        for t in places[j]:
            for offset in range(len(features[j].words)):
                words[t + offset] += relevance / len(places[j]) / len(features[j].words)
    return Explained(scores, words, ledger)


# ---- the same nets as plain torch modules, one text at a time


class PlainCNN(nn.Module):
    """A net of torch's Conv1d and Linear: a text (T, D) -> scores (C,)."""

    def __init__(self, convolutions: Mapping[int, Convolution], weight: Array, bias: Array, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling
        self.convolutions = nn.ModuleList()
        for width, conv in convolutions.items():
            layer = nn.Conv1d(conv.weight.shape[1], len(conv.bias), width, dtype=torch.float64)
            _put(layer, conv.weight, conv.bias)
            self.convolutions.append(layer)
        self.output = nn.Linear(weight.shape[1], len(bias), dtype=torch.float64)
        _put(self.output, weight, bias)

    def forward(self, vectors: Tensor) -> Tensor:
        pooled = []
        for layer in self.convolutions:
            missing = max(0, layer.kernel_size[0] - len(vectors))
            active = torch.relu(layer(nn.functional.pad(vectors, (0, 0, 0, missing)).T))
            # the first of equal windows gets all (amax would divide), also if only rounding makes them differ
            first = active.gather(1, active.detach().round(decimals=9).argmax(dim=1, keepdim=True))[:, 0]
            pooled.append(first if self.pooling == "max" else active.mean(dim=1))
        scores: Tensor = self.output(torch.cat(pooled))
        return scores


class PlainBag(nn.Module):
    """A net of torch's EmbeddingBag (weighted sum) and Linear: word ids (T,) -> scores (C,)."""

    def __init__(self, table: Array, idf: Sequence[float], weight: Array, bias: Array) -> None:
        super().__init__()
        self.idf = idf
        self.bag = nn.EmbeddingBag.from_pretrained(torch.tensor(table, dtype=torch.float64), mode="sum")
        self.output = nn.Linear(weight.shape[1], len(bias), dtype=torch.float64)
        _put(self.output, weight, bias)

    def forward(self, ids: Sequence[int]) -> Tensor:
        read = [*ids, 0]  # EmbeddingBag does not accept an empty bag; the unknown word has the zero vector
        weights = torch.tensor([[*occurrence_weights(ids, self.idf), 0.0]], dtype=torch.float64)
        bag = self.bag(torch.tensor([read]), per_sample_weights=weights)
        scores: Tensor = self.output(bag)[0]
        return scores


def _put(layer: Any, weight: Array, bias: Array) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.array(weight), dtype=torch.float64))
        layer.bias.copy_(torch.tensor(np.array(bias), dtype=torch.float64))


def gradient_times_input(net: nn.Module, vectors: Array, target: int) -> Array:
    """The sum over D of vector × gradient of one score (T,), by torch's autograd."""
    inputs = torch.tensor(vectors, dtype=torch.float64, requires_grad=True)
    net(inputs)[target].backward()
    assert inputs.grad is not None
    relevance: Array = (inputs.grad * inputs.detach()).sum(dim=1).numpy()
    return relevance
