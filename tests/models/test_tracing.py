"""The traces of many batches: word projections are kept once that is worth it, and change no result."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from laws import gap
from toys import READ, TEXTS, VARIANTS, fitted

from textlrp.lrp.kernels.projections import Kept, words_kept
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.trace import Trace, one_hot_seed, propagate
from textlrp.models import tapes as tracing
from textlrp.models.convnet import ConvNet
from textlrp.models.tapes import kept_projections, tracer

ROW = (1 + 2 + 3) * 4
"""Number of projections of one word: the toy network has four filters of each of three widths."""


def model(dtype: str = "float32") -> Any:
    return fitted("cnn-max", dtype)


def bytes_of(trace: Trace) -> list[bytes]:
    """The bytes of scores and relevance."""
    walked = propagate(trace, PRESETS["epsilon"], one_hot_seed(trace.scores, [0, 1, 2]))
    return [trace.scores.numpy().tobytes(), walked.relevance.numpy().tobytes()]


def assert_close(one: Trace, other: Trace, within: float = 1e-6) -> None:
    """Assert equal scores, relevance and ledger for a rule that is linear in the projections and one that is not."""
    for preset in ("epsilon", "alpha2-beta1"):
        seeds = [one_hot_seed(trace.scores, [0, 1, 2]) for trace in (one, other)]
        first, second = (propagate(t, PRESETS[preset], seed) for t, seed in zip((one, other), seeds, strict=True))
        for k in range(3):
            for n in range(len(one.scores)):
                size = second.relevance[k, n], [float(entry[k, n]) for entry in second.ledger.values()]
                assert gap(first.relevance[k, n] - second.relevance[k, n], *size) < within
                assert gap(float(one.scores[n, k]) - float(other.scores[n, k]), *size) < within
                for key, entry in second.ledger.items():
                    assert gap(float(first.ledger[key][k, n] - entry[k, n]), *size) < within


@every("dtype", ["float32", "float64"])
@every("words", [0, 1, 7, 10_000])
def test_kept_projections_change_nothing(words: int, dtype: str) -> None:
    batch = model(dtype).encode(READ)
    kept = kept_projections(model(dtype), words * ROW * np.dtype(dtype).itemsize)
    assert kept is not None
    assert kept.words == min(words, len(model().weights_["embedding"]))
    traced = tracer(model(dtype), kept=kept)(batch)
    assert_close(traced, model(dtype).trace(batch))
    assert bytes_of(traced) == bytes_of(tracer(model(dtype), kept=kept)(batch))


def test_kept_projections_may_be_read_only() -> None:
    batch = model().encode(READ)
    kept = kept_projections(model(), 9 * ROW * 4)
    assert kept is not None
    frozen = {width: table.copy() for width, table in kept.tables.items()}
    for table in frozen.values():
        table.flags.writeable = False
    assert bytes_of(tracer(model(), kept=Kept(kept.words, frozen))(batch)) == bytes_of(
        tracer(model(), kept=kept)(batch)
    )


@cache
def counted() -> int:
    """Number of words in the vocabulary, including the unknown word."""
    return len(model().weights_["embedding"])


def test_projections_are_kept_after_that_number_of_words_was_projected(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_after: list[int] = []
    projected = 0
    own = tracing.keep

    def noted(table: torch.Tensor, weights: Any, words: int, *more: Any) -> Kept:
        kept_after.append(projected)
        assert words == counted()
        return own(table, weights, words, *more)

    monkeypatch.setattr(tracing, "keep", noted)
    trace = tracer(model())
    for text in TEXTS * 2:
        batch = model().encode([text])
        distinct = len(np.unique([0, *batch.ids[0, : batch.lengths[0]]]))
        before, projected = projected, projected + distinct
        assert_close(trace(batch), model().trace(batch))
        assert bool(kept_after) == (projected >= counted())
        if kept_after == [projected]:
            assert before < counted()
    assert len(kept_after) == 1


def test_a_tracer_without_memory_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "keep", lambda *_: pytest.fail("projections were kept"))
    trace = tracer(model(), memory=ROW * 4 - 1)
    for text in TEXTS * 2:
        batch = model().encode([text])
        assert bytes_of(trace(batch)) == bytes_of(model().trace(batch))


@pytest.mark.slow
def test_a_tracer_uses_the_requested_dtype() -> None:
    batch = model().encode(READ)
    wide = tracer(model(), dtype="float64")
    for _ in range(20):  # before and after it keeps
        traced = wide(batch)
        assert traced.scores.dtype == torch.float64
        assert_close(traced, model().trace(batch, dtype="float64"), 1e-13)


@pytest.mark.parametrize("variant", VARIANTS[1:])
def test_other_models_keep_nothing_and_are_traced_as_they_are(variant: str) -> None:
    batch = fitted(variant).encode(READ)
    assert kept_projections(fitted(variant)) is None
    assert torch.equal(tracer(fitted(variant))(batch).scores, fitted(variant).trace(batch).scores)
    wide = tracer(fitted(variant), dtype="float64")(batch)
    assert torch.equal(wide.scores, fitted(variant).trace(batch, dtype="float64").scores)


def test_kept_projections_are_those_of_the_vocabulary() -> None:
    net = model().fitted_net()
    assert isinstance(net, ConvNet)
    assert words_kept(net.table, net.convolutions) == counted()
    kept = kept_projections(model())
    assert kept is not None
    for width, table in kept.tables.items():
        np.testing.assert_allclose(table, net.table @ net.convolutions[width], rtol=1e-5, atol=1e-5)
