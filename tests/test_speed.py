"""Explaining all classes is faster than a plain PyTorch forward pass of the same CNN, measured in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import textlrp
from textlrp.explainers.batch_relevance import relevance_of_batch
from textlrp.explainers.explain import explain_settings
from textlrp.models.estimators import CNNClassifier
from textlrp.models.tapes import kept_projections, tracer
from textlrp.text.batches import Batch, Reading, end_to_end
from textlrp.text.vocabulary import Vocabulary

WORDS, D, F, C, TEXTS, LENGTH = 2000, 300, 800, 20, 64, 200

GUARD = 3
"""Minimum speedup: a fifth of the speedup on an idle machine."""

LATENCY_GUARD = 2.5
"""Maximum processor time of explaining a single text, in units of predicting it; about 1.7 on an idle machine."""


def net() -> CNNClassifier:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)

    model = CNNClassifier(widths=2, filters=F, embedding_dim=D)
    table = draw(WORDS + 1, D)
    table[0] = 0
    model.weights_ = {
        "embedding": table,
        "conv2.weight": draw(D, 2 * F),
        "conv2.bias": draw(F),
        "output.weight": draw(C, F),
        "output.bias": draw(C),
    }
    words = tuple(f"word{n}" for n in range(WORDS))
    model.vocabulary_ = Vocabulary(words, np.full(WORDS, 3, np.int32), 10)
    model.classes_, model.n_documents_ = np.arange(C), 10
    return model


def plain(model: CNNClassifier) -> Callable[[torch.Tensor], object]:
    weights = {name: torch.from_numpy(weight) for name, weight in model.weights_.items()}
    embedding = nn.Embedding.from_pretrained(weights["embedding"])  # type: ignore[no-untyped-call]
    convolution, output = nn.Conv1d(D, F, 2), nn.Linear(F, C)

    @torch.no_grad()
    def forward(ids: torch.Tensor) -> object:
        return output(torch.relu(convolution(embedding(ids).transpose(1, 2))).amax(dim=2))

    return forward


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@pytest.mark.slow
def test_all_classes_are_explained_several_times_faster_than_a_plain_forward_pass() -> None:
    model = net()
    words, starts = end_to_end([np.random.default_rng(n).integers(1, WORDS + 1, LENGTH) for n in range(TEXTS)])
    nothing = tuple(Reading(str(n), None, None, None, ()) for n in range(TEXTS))  # type: ignore[arg-type]
    batch = Batch(nothing, words, starts, (None,) * TEXTS, (None,) * TEXTS)  # type: ignore[arg-type]
    settings = explain_settings(model, None, "lrp")._replace(trace=tracer(model, kept=kept_projections(model)))
    forward, padded = plain(model), torch.from_numpy(batch.ids)

    def explain() -> object:
        return relevance_of_batch(model, batch, "all", None, settings)

    explain(), forward(padded)
    ratios = []
    for _ in range(7):
        before = seconds(explain)
        theirs = seconds(lambda: forward(padded))
        ratios.append(theirs / ((before + seconds(explain)) / 2))
    assert statistics.median(ratios) > GUARD, ratios


@pytest.mark.parametrize("words", [12, 200])
def test_one_text_is_explained_in_about_the_time_of_predicting_it(words: int) -> None:
    model = textlrp.load("20newsgroups-cnn")
    text = " ".join(("my doctor says the shuttle launch was delayed by bad weather " * 20).split()[:words])

    def quickest(call: Callable[[], object]) -> float:
        times = []
        for _ in range(60):
            before = time.process_time()
            call()
            times.append(time.process_time() - before)
        return min(times)

    predicting = quickest(lambda: model.predict([text]))
    assert quickest(lambda: textlrp.explain(model, text, target="all")) < LATENCY_GUARD * predicting
