"""The equations once more, as plain loops: the third opinion.

Nothing here comes from ``textlrp.lrp`` or from the nets of ``textlrp.models``. A net is a handful of numpy arrays, a
convolution runs over every dimension of every word, and each output shares out its relevance by itself. The last
section has the same nets as plain torch modules, for gradients.

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
    """LRP-epsilon of one layer; epsilon 0 is LRP-0. ``spread`` hands bias and epsilon to the inputs, evenly."""

    epsilon: float = 0.0
    spread: bool = False


class Recipes(NamedTuple):
    """Which layer follows which recipe."""

    top: Recipe
    convolution: Recipe
    adding: Recipe = Recipe()


ZERO = Recipes(Recipe(), Recipe())
EPSILON = Recipes(Recipe(1e-6), Recipe(1e-6))
ARRAS = Recipes(Recipe(0.01, spread=True), Recipe(0.01, spread=True))
RECIPES = {"zero": ZERO, "epsilon": EPSILON, "arras2017": ARRAS}


class Explained(NamedTuple):
    """The scores (C,), the relevance (T,) of one class, and what was absorbed by step and cause."""

    scores: Array
    relevance: Array
    ledger: Ledger


def share(parts: Sequence[float], bias: float, recipe: Recipe) -> tuple[list[float], dict[str, float]]:
    """Which fraction of one output's relevance goes to each input, and which is absorbed why.

    ``parts`` are the products input × weight. The fractions sum to one.
    """
    z = math.fsum([*parts, bias])
    stabiliser = recipe.epsilon if z >= 0 else -recipe.epsilon
    denominator = z + stabiliser
    if denominator == 0:
        return [0.0] * len(parts), {"empty": 1.0}
    if recipe.spread and parts:
        even = (bias + stabiliser) / len(parts)
        return [(part + even) / denominator for part in parts], {}
    return [part / denominator for part in parts], {
        "bias": bias / denominator,
        "stabiliser": stabiliser / denominator,
    }


def enter(ledger: Ledger, step: str, causes: Mapping[str, float], relevance: float) -> None:
    """Write down what ``step`` absorbed of one output's relevance."""
    for cause, fraction in causes.items():
        ledger[step, cause] = ledger.get((step, cause), 0.0) + fraction * relevance


def dense(features: Array, weight: Array, bias: Array, target: int, recipe: Recipe) -> tuple[Array, Array, Ledger]:
    """Scores (C,), the relevance (J,) of the features for one class, and the ledger of the step ``output``."""
    scores = np.array([math.fsum([*(w * x for w, x in zip(weight[c], features, strict=True)), bias[c]])
                       for c in range(len(bias))])  # fmt: skip
    ledger: Ledger = {}
    fractions, causes = share([float(w * x) for w, x in zip(weight[target], features, strict=True)],
                              float(bias[target]), recipe)  # fmt: skip
    enter(ledger, "output", causes, scores[target])
    return scores, np.array(fractions) * scores[target], ledger


def to_words(received: Array, known: Sequence[bool], ledger: Ledger, step: str = "embedding") -> Array:
    """Relevance (T, D) or longer by padding -> (T,) of the words; the rest is ``unread``."""
    words = np.zeros(len(known))
    for t in range(len(received)):
        relevance = math.fsum(received[t])
        if t < len(known) and known[t]:
            words[t] = relevance
        else:
            enter(ledger, step, {"unread": 1.0}, relevance)
    return words


# ---- the convolutional net


class Convolution(NamedTuple):
    """``weight`` (F, D, H) as torch.nn.Conv1d lays it out, ``bias`` (F,)."""

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
) -> Explained:
    """A text of T word ``vectors`` (T, D), the unknown ones zero, through convolutions of several widths.

    A text shorter than a window is padded with zero vectors to one window of that width.
    """
    pre_activations = {width: convolve(vectors, conv, width) for width, conv in convolutions.items()}
    pooled = {width: pool(z, pooling) for width, z in pre_activations.items()}
    features = np.concatenate([pooled[width] for width in convolutions])
    scores, arriving, ledger = dense(features, weight, bias, target, recipes.top)
    longest = max(len(vectors), *convolutions)
    received = np.zeros((longest, vectors.shape[1]))
    begin = 0
    for width, conv in convolutions.items():
        z = pre_activations[width]
        for f in range(len(conv.bias)):
            for t, relevance in unpool(z[:, f], arriving[begin + f], pooling, recipes.adding, ledger, f"mean{width}"):
                lead_window_back(vectors, conv, width, f, t, relevance, recipes.convolution, received, ledger)
        begin += len(conv.bias)
    return Explained(scores, to_words(received, known, ledger), ledger)


def convolve(vectors: Array, conv: Convolution, width: int) -> Array:
    """Pre-activations (windows, F), one product at a time."""
    windows = max(len(vectors) - width + 1, 1)
    z = np.zeros((windows, len(conv.bias)))
    for t in range(windows):
        for f in range(len(conv.bias)):
            z[t, f] = math.fsum([*window_parts(vectors, conv, width, f, t), conv.bias[f]])
    return z


def window_parts(vectors: Array, conv: Convolution, width: int, f: int, t: int) -> list[float]:
    """The H × D products of filter ``f`` at position ``t``, offset by offset; beyond the text they are zero."""
    parts = []
    for h in range(width):
        for d in range(vectors.shape[1]):
            x = vectors[t + h, d] if t + h < len(vectors) else 0.0
            parts.append(float(x * conv.weight[f, d, h]))
    return parts


def pool(z: Array, pooling: str) -> Array:
    """(windows, F) -> (F,): the ReLU of the largest, or the mean of the ReLUs."""
    pooled = np.zeros(z.shape[1])
    for f in range(z.shape[1]):
        active = [max(value, 0.0) for value in z[:, f]]
        pooled[f] = max(active) if pooling == "max" else math.fsum(active) / len(active)
    return pooled


def unpool(
    z: Array, relevance: float, pooling: str, recipe: Recipe, ledger: Ledger, step: str
) -> list[tuple[int, float]]:
    """Which window of one filter gets which relevance."""
    if pooling == "max":
        winner = 0
        for t in range(len(z)):
            if z[t] > z[winner]:
                winner = t
        return [(winner, relevance)]
    fractions, causes = share([max(float(value), 0.0) / len(z) for value in z], 0.0, recipe)
    enter(ledger, step, causes, relevance)
    return [(t, fraction * relevance) for t, fraction in enumerate(fractions)]


def lead_window_back(
    vectors: Array,
    conv: Convolution,
    width: int,
    f: int,
    t: int,
    relevance: float,
    recipe: Recipe,
    received: Array,
    ledger: Ledger,
) -> None:
    """Add the relevance of one filter at one position to the (T, D) that it came from."""
    fractions, causes = share(window_parts(vectors, conv, width, f, t), float(conv.bias[f]), recipe)
    enter(ledger, f"conv{width}", causes, relevance)
    for h in range(width):
        for d in range(vectors.shape[1]):
            received[t + h, d] += fractions[h * vectors.shape[1] + d] * relevance


# ---- the bag of embeddings


def bag_of_embeddings(
    ids: Sequence[int], table: Array, idf: Sequence[float], weight: Array, bias: Array, target: int, recipes: Recipes
) -> Explained:
    """A text of T word ``ids`` (0 unknown) over a ``table`` (V + 1, D); ``idf`` (V + 1,) has 0 for the unknown."""
    parts = occurrence_weights(ids, idf)
    dimensions = table.shape[1]
    bag = np.array([math.fsum(g * table[w, d] for g, w in zip(parts, ids, strict=True)) for d in range(dimensions)])
    scores, arriving, ledger = dense(bag, weight, bias, target, recipes.top)
    received = np.zeros((len(ids), dimensions))
    for d in range(dimensions):
        products = [float(g * table[w, d]) for g, w in zip(parts, ids, strict=True)]
        fractions, causes = share(products, 0.0, recipes.adding)
        enter(ledger, "bag", causes, arriving[d])
        for t, fraction in enumerate(fractions):
            received[t, d] += fraction * arriving[d]
    return Explained(scores, to_words(received, [w > 0 for w in ids], ledger), ledger)


def occurrence_weights(ids: Sequence[int], idf: Sequence[float]) -> list[float]:
    """(1 + ln count) × idf per word, to unit length over the text's distinct words, shared over its occurrences."""
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
    """A text of T word ``ids`` through TF-IDF and a linear layer over the n-grams that occur in it."""
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
    scores, arriving, ledger = dense(inputs, weight, bias, target, recipes.top)
    words = np.zeros(len(ids))
    for j, relevance in zip(present, arriving, strict=True):
        for t in places[j]:
            for offset in range(len(features[j].words)):
                words[t + offset] += relevance / len(places[j]) / len(features[j].words)
    return Explained(scores, words, ledger)


# ---- the measure of every comparison


def gap(difference: Any, relevance: Any, ledger: Any) -> float:
    """The largest |difference| relative to sum |relevance| + sum |ledger| of one document and target."""
    size = float(np.abs(np.asarray(relevance, dtype=np.float64)).sum())
    size += float(sum(np.abs(np.asarray(entry, dtype=np.float64)).sum() for entry in ledger))
    largest = float(np.abs(np.asarray(difference, dtype=np.float64)).max(initial=0.0))
    return largest / size if size else largest


# ---- the same nets as plain torch modules, one text at a time


class PlainCNN(nn.Module):
    """torch's own Conv1d and Linear; a text (T, D) -> scores (C,)."""

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
            # the first of equals takes all (amax would share), also where only rounding makes them differ
            first = active.gather(1, active.detach().round(decimals=9).argmax(dim=1, keepdim=True))[:, 0]
            pooled.append(first if self.pooling == "max" else active.mean(dim=1))
        scores: Tensor = self.output(torch.cat(pooled))
        return scores


class PlainBag(nn.Module):
    """torch's own EmbeddingBag (sum, weighted) and Linear; word ids (T,) -> scores (C,)."""

    def __init__(self, table: Array, idf: Sequence[float], weight: Array, bias: Array) -> None:
        super().__init__()
        self.idf = idf
        self.bag = nn.EmbeddingBag.from_pretrained(torch.tensor(table, dtype=torch.float64), mode="sum")
        self.output = nn.Linear(weight.shape[1], len(bias), dtype=torch.float64)
        _put(self.output, weight, bias)

    def forward(self, ids: Sequence[int]) -> Tensor:
        read = [*ids, 0]  # EmbeddingBag takes no empty bag; the unknown word is the zero vector
        weights = torch.tensor([[*occurrence_weights(ids, self.idf), 0.0]], dtype=torch.float64)
        bag = self.bag(torch.tensor([read]), per_sample_weights=weights)
        scores: Tensor = self.output(bag)[0]
        return scores


def _put(layer: Any, weight: Array, bias: Array) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.array(weight), dtype=torch.float64))
        layer.bias.copy_(torch.tensor(np.array(bias), dtype=torch.float64))


def gradient_times_input(net: nn.Module, vectors: Array, target: int) -> Array:
    """(T,): the sum over D of vector × gradient of one score, by torch's autograd."""
    inputs = torch.tensor(vectors, dtype=torch.float64, requires_grad=True)
    net(inputs)[target].backward()
    assert inputs.grad is not None
    relevance: Array = (inputs.grad * inputs.detach()).sum(dim=1).numpy()
    return relevance
