"""Attention in autoLRP 0.2 (MIT): the same where the rules are, and different conventions elsewhere.

autoLRP starts from a relevance of 1 and adds ε = 1e-11 to denominators. Its sums divide relevance by magnitude,
|a| / (|a| + |b|), where LRP-0 divides by a / (a + b): this concerns residual connections and biases. Its LayerNorm
passes relevance unchanged, and its rule ``detach_std`` subtracts the mean by magnitudes. On a tiny BERT with random
biases, the largest difference from textlrp is 4% (CP-LRP) and 5% (AttnLRP) of all relevance of textlrp, with
correlations of 0.06 and 0.05 over words and classes; without biases 11% and 11%, with correlations of 0.43 and 0.47.
autoLRP does not report what biases absorb: its relevance of the words sums to 1% to 4% of the score of this BERT, and
to 15% (AttnLRP) or 26% to 28% (CP-LRP) of the score without biases.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from external_modules import CLASSES, SIZE, WORDS
from torch import Tensor, nn

from textlrp.lrp.presets import PRESETS
from textlrp.lrp.recorded.record import record
from textlrp.lrp.trace import one_hot_seed, propagate

pytestmark = pytest.mark.transformers
autolrp = pytest.importorskip("autolrp")

IDS = torch.tensor([[3, 5, 2, 7, 5]])
FRAGMENTS = {"cp-lrp": "CPLRP", "attnlrp": "ATTNLRP"}


class Block(nn.Module):
    """Attention without biases, residual connections and LayerNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, SIZE)
        self.query, self.key, self.value, self.out = (nn.Linear(SIZE, SIZE, bias=False) for _ in range(4))
        self.head = nn.Linear(SIZE, CLASSES, bias=False)

    def scores(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) * 0.4, dim=-1)
        return self.head(F.gelu(self.out(weights @ self.value(x)))[:, 0])

    def forward(self, ids: Tensor) -> Tensor:
        return self.scores(self.embed(ids))


@pytest.mark.parametrize("rule", FRAGMENTS)
def test_attention_without_biases_and_residuals_is_the_same(rule: str) -> None:
    torch.manual_seed(0)
    module = Block().double()
    trace = record(module, IDS)
    found = propagate(trace, PRESETS[rule], one_hot_seed(trace.scores, range(CLASSES))).relevance[:, 0]
    config = autolrp.LRPConfig(rule={**autolrp.BASE, **getattr(autolrp, FRAGMENTS[rule])})
    for target in range(CLASSES):
        x = autolrp.tensor(module.embed(IDS).detach().clone())
        module.scores(x)[0, target].lrp(config=config)
        expected = torch.as_tensor(x.relevance).detach().sum(-1)[0] * trace.scores[0, target]
        torch.testing.assert_close(found[target], expected, rtol=1e-7, atol=1e-9)
