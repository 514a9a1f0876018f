"""Methods that leave words out and look at the scores, and chance.

Letters: J known words of the text, S alternatives, K classes to explain, L words read.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import MissingExtraError
from textlrp.explainers.attribution import BASELINE, UNSUMMED, Attribution, Case
from textlrp.explainers.methods import Lime, Method, Random, Shap
from textlrp.models.classifier import Classifier
from textlrp.models.word_paths import path_scores
from textlrp.text.batches import Batch

KERNEL_WIDTH = 25.0
"""Of lime's text explainer, for distances from 0 to 100."""

Masks = NDArray[np.bool_]


def random(case: Case, method: Random) -> Attribution:
    """Uniform in [-1, 1), the same for the same seed, class, document and text."""
    reading = case.batch.readings[case.n]
    maps = []
    for c in case.classes:
        named = f"{int(method.seed)}\0{c}\0{reading.document_id}\0{reading.tokens.text}"
        digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()
        maps.append(np.random.default_rng(int.from_bytes(digest, "big")).uniform(-1, 1, len(case.known)))
    return Attribution(np.stack(maps) * case.known)


def check_installed(method: Method) -> None:
    """Raise :class:`MissingExtraError` where the package of a method is not there."""
    if isinstance(method, Lime):
        _lime_base()
    if isinstance(method, Shap):
        _partition_explainer()


def occlusions(model: Classifier, batch: Batch, classes: Sequence[Sequence[int]]) -> list[Attribution]:
    """Of each text, the score of its own ``classes[n]`` less that without the word, word by word."""
    cases = [Case(model, batch, n, tuple(own), None) for n, own in enumerate(classes)]
    paths = path_scores(model, batch, [np.flatnonzero(case.known) for case in cases], change="single")
    found = []
    for case, scores in zip(cases, paths, strict=True):
        own = scores[:, list(case.classes)].astype(np.float64)
        found.append(Attribution(case.on_words((own[0] - own[1:]).T)))
    return found


# ---- lime


def lime(case: Case, method: Lime) -> Attribution:
    """The weights of lime's local regression; its intercept and what it misses are in the ledger.

    Raises :class:`MissingExtraError` where lime is not installed.
    """
    draw = np.random.RandomState(int(method.seed))
    masks = _thinned(int(case.known.sum()), method.samples, draw)
    scores = case.scores_keeping(masks)
    kept = masks.astype(np.float64)
    base = _lime_base()(_kernel, random_state=draw)
    weights = np.zeros((len(case.classes), kept.shape[1]))
    intercepts = np.zeros(len(case.classes))
    for k in range(len(case.classes)):
        intercepts[k], pairs, _, _ = base.explain_instance_with_data(
            kept, scores, _distances(masks), k, kept.shape[1], feature_selection="none"
        )
        for word, weight in pairs:
            weights[k, word] = weight
    missed = case.scores() - intercepts - weights.sum(axis=1)
    return Attribution(case.on_words(weights), {BASELINE: intercepts, UNSUMMED: missed}, exact=True)


def _lime_base() -> Any:
    try:
        from lime.lime_base import LimeBase
    except ImportError as error:
        raise MissingExtraError(
            "method 'lime' needs lime, which is not installed; run: pip install 'textlrp[baselines]'"
        ) from error
    return LimeBase


def _thinned(words: int, samples: int, draw: Any) -> Masks:
    """The text, and ``samples`` - 1 times one with 1 to J words left out, drawn as lime's text explainer does."""
    masks = np.ones((samples, words), dtype=bool)
    for row, size in enumerate(draw.randint(1, words + 1, samples - 1), start=1):
        masks[row, draw.choice(range(words), size, replace=False)] = False
    return masks


def _distances(masks: Masks) -> Array:
    """(S,) 100 × the cosine distance between each mask and the full one, 100 for an empty one."""
    return np.asarray((1 - np.sqrt(masks.mean(axis=1))) * 100)


def _kernel(distances: Array) -> Array:
    return np.asarray(np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2)))


# ---- shap


def shap(case: Case, method: Shap) -> Attribution:
    """Owen values by shap's partition explainer; the score of no word is in the ledger.

    Raises :class:`MissingExtraError` where shap is not installed.
    """
    explainer = _partition_explainer()
    words = int(case.known.sum())
    if words == 1:  # a tree has two leaves at least
        scores = case.scores_keeping(np.array([[False], [True]]))
        return Attribution(case.on_words((scores[1:] - scores[:1]).T), {BASELINE: scores[0]}, exact=True)
    with _numpy_seeded(int(method.seed)):
        found = explainer(case.scores_keeping, _Masker(words))(
            np.ones((1, words), dtype=bool), max_evals=int(method.samples), batch_size=64, silent=True
        )
    return Attribution(case.on_words(found.values[0].T), {BASELINE: found.base_values[0].copy()}, exact=True)


def _partition_explainer() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its plots, which nobody wants here, use what matplotlib will drop
            from shap.explainers import PartitionExplainer
    except ImportError as error:
        raise MissingExtraError(
            "method 'shap' needs shap, which is not installed; run: pip install 'textlrp[baselines]'"
        ) from error
    return PartitionExplainer


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """numpy's global generator, by which shap breaks ties, with a seed; afterwards it is as it was."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


class _Masker:
    """What shap asks about J words: which alternatives there are, and the tree of its groups."""

    immutable_outputs = True

    def __init__(self, words: int) -> None:
        self.shape = (1, words)
        self.clustering = balanced_tree(words)

    def __call__(self, mask: Masks, text: Masks) -> tuple[Masks]:
        return (mask[None] & text,)


def balanced_tree(words: int) -> Array:
    """(J - 1, 4) a tree over J positions, halved again and again, as scipy writes it: two nodes, distance, leaves."""
    rows: list[tuple[float, ...]] = []

    def node(begin: int, end: int) -> int:
        if end - begin == 1:
            return begin
        middle = (begin + end) // 2
        left, right = node(begin, middle), node(middle, end)
        rows.append((left, right, float(end - begin), float(end - begin)))
        return words + len(rows) - 1

    node(0, words)
    return np.array(rows)
