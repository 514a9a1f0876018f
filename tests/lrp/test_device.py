"""The torch operations for accelerators equal the compiled loops; also on a GPU if there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import textlrp
from textlrp.errors import OptionError
from textlrp.lrp.kernels import device, window_relevance
from textlrp.lrp.kernels import windows as kernels
from textlrp.lrp.presets import PRESETS

WORDS, D, F = 12, 5, 7
LENGTHS = (9, 1, 4, 2, 6)


def made(width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[list[int]]]:
    """Vectors (U, D), weight (D, H × F), padded ids (N, T), and the ids of each text, with repeated phrases."""
    noise = torch.Generator().manual_seed(seed)
    vectors = torch.randn((WORDS, D), generator=noise, dtype=torch.float64)
    vectors[0] = 0
    weight = torch.randn((D, width * F), generator=noise, dtype=torch.float64)
    texts = [torch.randint(0, 4, (length,), generator=noise).tolist() for length in LENGTHS]
    ids = torch.zeros((len(texts), max(*LENGTHS, width)), dtype=torch.int64)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = torch.tensor(text)
    return vectors, weight, ids, texts


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("numbers", [1, 50, device.NUMBERS])
def test_windows_and_their_products_equal_the_compiled_loops(
    width: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "NUMBERS", numbers)
    vectors, weight, ids, texts = made(width, seed=width)
    projections = vectors @ weight
    flat = np.array([word for text in texts for word in text])
    starts = np.concatenate([[0], np.cumsum(LENGTHS)])
    _, where = kernels.winning_windows(projections.numpy(), flat, starts, width)
    expected = kernels.winners([(width, projections.numpy(), None)], flat, starts).products.reshape(
        *where.shape, width
    )
    products, start = device.winning_windows_on_device(projections, ids, torch.tensor(LENGTHS), width)
    assert start.tolist() == where.tolist()  # the first of equal windows: phrases are repeated here
    np.testing.assert_allclose(products, expected, rtol=1e-12, atol=1e-12)

    by_filter = weight.reshape(D, width, F).permute(2, 1, 0).contiguous()
    signed = window_relevance.signed_contributions(vectors.numpy(), by_filter.numpy(), ids.numpy(), start.numpy())
    for found, expected_sign in zip(
        device.signed_contributions_on_device(vectors, by_filter, ids, start), signed, strict=True
    ):
        np.testing.assert_allclose(found, expected_sign, rtol=1e-12, atol=1e-12)

    factor = torch.randn((2, len(texts), F), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spread = window_relevance.spread_over_windows(factor.numpy(), by_filter.numpy(), start.numpy(), ids.shape[1])
    np.testing.assert_allclose(
        device.spread_on_device(factor, by_filter, start, ids.shape[1]), spread, rtol=1e-12, atol=1e-12
    )


def test_a_missing_or_unsupported_device_is_refused() -> None:
    model = textlrp.load("20newsgroups-cnn")
    with pytest.raises(OptionError, match="device must be a device that torch can use here"):
        textlrp.explain(model, "The shuttle.", device="nowhere")
    with pytest.raises(OptionError, match="device must be 'cpu' unless method='lrp' and phrases=0; got 'cuda'"):
        textlrp.explain(model, "The shuttle.", device="cuda", method="occlusion")
    with pytest.raises(OptionError, match=r"device must be .cpu. unless the model is a CNNClassifier"):
        textlrp.explain(textlrp.load("20newsgroups-boe"), "The shuttle.", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("rule", sorted(PRESETS))
def test_a_gpu_gives_the_results_of_the_cpu(rule: str) -> None:
    model = textlrp.load("20newsgroups-cnn")
    texts = textlrp.load_sample_posts("test").texts[:20]
    here = textlrp.explain(model, texts, target="all", rule=rule, dtype="float64")
    there = textlrp.explain(model, texts, target="all", rule=rule, dtype="float64", device="cuda")
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one.relevance, other.relevance, rtol=1e-9, atol=1e-12)
