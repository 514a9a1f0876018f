"""Methods that leave words out and compare scores (occlusion, LIME, SHAP), and the random baseline.

Letters: J known words of the text, S alternatives, K classes to explain, L words the model reads.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import missing_extra
from textlrp.explainers.attribution import BASELINE, UNSUMMED, Attribution, Case
from textlrp.explainers.methods import KernelShap, Lime, Method, Random, Shap
from textlrp.models.classifier import Classifier
from textlrp.models.word_paths import path_scores
from textlrp.text.batches import Batch

KERNEL_WIDTH = 25.0
"""The kernel width of lime's text explainer, for distances from 0 to 100."""

Masks = NDArray[np.bool_]
"""(S, J) for S alternatives, which of the J known words they keep."""


def random(case: Case, method: Random) -> Attribution:
    """Draw relevance uniformly in [-1, 1), determined by seed, class, document id and text."""
    reading = case.batch.readings[case.n]
    maps = []
    for c in case.classes:
        key = f"{int(method.seed)}\0{c}\0{reading.document_id}\0{reading.tokens.text}"
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        maps.append(np.random.default_rng(int.from_bytes(digest, "big")).uniform(-1, 1, len(case.known)))
    return Attribution(np.stack(maps) * case.known)


def check_installed(method: Method) -> None:
    """Raise :class:`MissingExtraError` if the package that a method needs is not installed."""
    if isinstance(method, Lime):
        _lime_base()
    if isinstance(method, (Shap, KernelShap)):
        _shap_explainer("PartitionExplainer", method.name)


def occlusions(model: Classifier, batch: Batch, classes: Sequence[Sequence[int]]) -> list[Attribution]:
    """Compute, for each text n and its ``classes[n]``, the score minus the score without each word."""
    cases = [Case(model, batch, n, tuple(each), None) for n, each in enumerate(classes)]
    paths = path_scores(model, batch, [np.flatnonzero(case.known) for case in cases], change="single")
    attributions = []
    for case, scores in zip(cases, paths, strict=True):
        of_classes = scores[:, list(case.classes)].astype(np.float64)  # row 0: nothing left out
        relevance = (of_classes[0] - of_classes[1:]).T
        rest = of_classes[0] - relevance.sum(axis=1)
        attributions.append(Attribution(case.on_words(relevance), {UNSUMMED: rest}, exact=True))
    return attributions


# ---- lime


def lime(case: Case, method: Lime) -> Attribution:
    """Fit lime's local regression: relevance is its weights; the ledger has its intercept and its error.

    Raises :class:`MissingExtraError` if lime is not installed.
    """
    draw = np.random.RandomState(int(method.seed))
    masks = _random_masks(int(case.known.sum()), method.samples, draw)
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
        raise missing_extra("method 'lime'", "lime", "baselines") from error
    return LimeBase


def _random_masks(words: int, samples: int, draw: Any) -> Masks:
    """Draw ``samples`` masks (S, J) as lime's text explainer does.

    The first mask keeps all J words; each other one drops 1 to J of them.
    """
    masks = np.ones((samples, words), dtype=bool)
    for row, size in enumerate(draw.randint(1, words + 1, samples - 1), start=1):
        masks[row, draw.choice(range(words), size, replace=False)] = False
    return masks


def _distances(masks: Masks) -> Array:
    """(S,) 100 × the cosine distance between each mask and the full one; 100 for an empty mask."""
    return np.asarray((1 - np.sqrt(masks.mean(axis=1))) * 100)


def _kernel(distances: Array) -> Array:
    return np.asarray(np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2)))


# ---- shap


def shap(case: Case, method: Shap) -> Attribution:
    """Compute Owen values with shap's partition explainer; the ledger has the score of the empty text.

    Raises :class:`MissingExtraError` if shap is not installed.
    """
    explainer = _shap_explainer("PartitionExplainer", method.name)
    words = int(case.known.sum())
    if words == 1:  # shap's tree needs at least two leaves
        scores = case.scores_keeping(np.array([[False], [True]]))
        return Attribution(case.on_words((scores[1:] - scores[:1]).T), {BASELINE: scores[0]}, exact=True)
    with _numpy_seeded(int(method.seed)):
        result = explainer(case.scores_keeping, _Masker(words))(
            np.ones((1, words), dtype=bool), max_evals=int(method.samples), batch_size=64, silent=True
        )
    return Attribution(case.on_words(result.values[0].T), {BASELINE: result.base_values[0].copy()}, exact=True)


def _shap_explainer(kind: str, method: str) -> Any:
    """The class of that name in ``shap.explainers``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # shap's plots, unused here, call a deprecated function of matplotlib
            explainers = import_module("shap.explainers")
    except ImportError as error:
        raise missing_extra(f"method {method!r}", "shap", "baselines") from error
    return getattr(explainers, kind)


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, which shap uses to break ties, and restore its state afterwards."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


class _Masker:
    """The masker that shap needs: it applies a mask to J words and provides the tree of word groups."""

    immutable_outputs = True

    def __init__(self, words: int) -> None:
        self.shape = (1, words)
        self.clustering = balanced_tree(words)

    def __call__(self, mask: Masks, text: Masks) -> tuple[Masks]:
        return (mask[None] & text,)


def kernel_shap(case: Case, method: KernelShap) -> Attribution:
    """Estimate Shapley values with shap's kernel explainer; the ledger has the score of the empty text.

    Raises :class:`MissingExtraError` if shap is not installed.
    """
    explainer = _shap_explainer("KernelExplainer", method.name)
    words = int(case.known.sum())

    def scores(masks: Array) -> Array:
        return case.scores_keeping(masks.astype(bool))

    samples = int(method.samples) + 2 * words
    with _numpy_seeded(int(method.seed)):
        made = explainer(scores, np.zeros((1, words)))
        values = made.shap_values(np.ones((1, words)), nsamples=samples, l1_reg=False, silent=True)
    baseline = np.array(made.expected_value, dtype=np.float64)
    relevance = np.asarray(values)[0].T
    missed = case.scores() - baseline - relevance.sum(axis=1)  # shap sets values below 1e-10 to zero
    # without them, what is left is a rounding error, which is no part of the score
    missed[np.abs(missed) <= 1e-13 * (np.abs(relevance).sum(axis=1) + np.abs(baseline))] = 0
    return Attribution(case.on_words(relevance), {BASELINE: baseline, UNSUMMED: missed}, exact=True)


def balanced_tree(words: int) -> Array:
    """Return a balanced binary tree over J positions as a scipy linkage (J - 1, 4).

    The columns are two nodes, their distance, and the number of leaves.
    """
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
