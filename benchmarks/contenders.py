"""Other tools that compute word relevance, written as their users would write it, for the timings of :mod:`speed`.

Each contender gets a batch of ids (N, T), padded with 0, and uses plain torch layers. Tools that cannot start at ids
start at the word vectors, so the embedding lookup is not part of their time.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import outside

Contender = Callable[[Tensor], object]


class PlainNet(nn.Module):
    """Embedding, one convolution, ReLU, max over time, dense: a typical manual implementation."""

    def __init__(self, table: Tensor, filters: int, width: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(table, padding_idx=0)
        self.top = nn.Sequential(
            nn.Conv1d(table.shape[1], filters, width),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
            nn.Flatten(),
            nn.Linear(filters, classes),
        )
        self.requires_grad_(False).eval()

    def vectors(self, ids: Tensor) -> Tensor:
        """The word vectors (N, D, T) of a batch of ids."""
        return self.embedding(ids).transpose(1, 2).contiguous()

    def forward(self, ids: Tensor) -> Tensor:
        scores: Tensor = self.top(self.embedding(ids).transpose(1, 2))
        return scores


def plain_net(model: object) -> PlainNet:
    """A :class:`PlainNet` with the weights of a fitted CNNClassifier of one width."""
    weights = {name: torch.from_numpy(weight) for name, weight in model.weights_.items()}  # type: ignore[attr-defined]
    (width,), (filters,) = model.widths_and_filters()  # type: ignore[attr-defined]
    net = PlainNet(weights["embedding"], filters, width, len(weights["output.bias"]))
    dimensions = weights["embedding"].shape[1]
    net.top[0].weight.copy_(weights[f"conv{width}.weight"].reshape(dimensions, width, filters).permute(2, 0, 1))
    net.top[0].bias.copy_(weights[f"conv{width}.bias"])
    net.top[4].weight.copy_(weights["output.weight"])
    net.top[4].bias.copy_(weights["output.bias"])
    return net


def forward(net: PlainNet) -> Contender:
    """Compute scores only."""

    @torch.no_grad()
    def run(ids: Tensor) -> object:
        return net(ids)

    return run


def forward_by_matrices(net: PlainNet) -> Contender:
    """Compute scores only, with the convolution as one matrix product over windows: the fastest eager way on CPU."""
    convolution, output = net.top[0], net.top[4]
    width = convolution.weight.shape[2]
    flat = convolution.weight.permute(2, 1, 0).reshape(-1, convolution.weight.shape[0]).contiguous()

    @torch.no_grad()
    def run(ids: Tensor) -> object:
        vectors = net.embedding(ids)
        windows = torch.cat([vectors[:, h : vectors.shape[1] - width + 1 + h] for h in range(width)], dim=2)
        return output(torch.relu((windows @ flat).amax(dim=1) + convolution.bias))

    return run


def forward_compiled(net: PlainNet) -> Contender:
    """Compute scores only, by ``torch.compile`` with dynamic shapes."""
    compiled = torch.compile(net, dynamic=True)

    @torch.no_grad()
    def run(ids: Tensor) -> object:
        return compiled(ids)

    return run


def forward_onnx(net: PlainNet) -> Contender:
    """Compute scores only, by ONNX Runtime on the exported net, with the same number of threads as torch."""
    import onnxruntime

    buffer = io.BytesIO()
    axes = {"ids": {0: "documents", 1: "words"}}
    torch.onnx.export(
        net,
        (torch.zeros(2, 7, dtype=torch.int64),),
        buffer,
        dynamo=False,
        input_names=["ids"],
        dynamic_axes=axes,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda ids: session.run(None, {"ids": ids.numpy()})


def forward_and_backward(net: nn.Module, vectors: Callable[[Tensor], Tensor]) -> Contender:
    """Scores and the gradient of the first class, by autograd: a lower bound for the cost of explaining one class."""

    def run(ids: Tensor) -> object:
        leaf = vectors(ids).detach().requires_grad_()
        return torch.autograd.grad(net(leaf)[:, 0].sum(), leaf)[0]

    return run


def gradient_times_input(net: PlainNet, classes: int = 1) -> Contender:
    """Gradient × input by autograd, for the first ``classes`` classes."""

    def run(ids: Tensor) -> object:
        vectors = net.vectors(ids).requires_grad_()
        scores = net.top(vectors).sum(dim=0)
        return [
            (torch.autograd.grad(scores[c], vectors, retain_graph=c + 1 < classes)[0] * vectors).sum(dim=1)
            for c in range(classes)
        ]

    return run


def captum_lrp(net: PlainNet, classes: int = 1) -> Contender:
    """Captum's LRP with its epsilon rule; the batch contains each document once per class."""
    rules, route, attr = outside.captum_rules(), outside.captum_route, outside.captum()

    def run(ids: Tensor) -> object:
        for layer in net.top:
            if isinstance(layer, (nn.Conv1d, nn.Linear)):
                layer.rule = rules.EpsilonRule(epsilon=1e-6)
            elif not isinstance(layer, nn.ReLU):
                layer.rule = route()
        vectors = net.vectors(ids).repeat_interleave(classes, dim=0).requires_grad_()
        target = torch.arange(classes).repeat(len(ids))
        return attr.LRP(net.top).attribute(vectors, target=target).detach().sum(dim=1)

    return run


def zennit_lrp(net: PlainNet, classes: int = 1) -> Contender:
    """Zennit's epsilon rule for the first ``classes`` classes, after one forward pass."""
    rules = outside.zennit().rules

    def run(ids: Tensor) -> object:
        handles = []
        for layer in net.top:
            if isinstance(layer, (nn.Conv1d, nn.Linear)):
                handles.append(rules.Epsilon(epsilon=1e-6).register(layer))
            elif isinstance(layer, nn.ReLU):
                handles.append(rules.Pass().register(layer))
        try:
            vectors = net.vectors(ids).requires_grad_()
            scores = net.top(vectors)
            found = []
            for c in range(classes):
                seed = torch.zeros_like(scores)
                seed[:, c] = scores[:, c].detach()
                found.append(torch.autograd.grad(scores, vectors, seed, retain_graph=c + 1 < classes)[0].sum(dim=1))
        finally:
            for handle in handles:
                handle.remove()
        return found

    return run


def predictor(net: PlainNet, lookup: Callable[[str], int]) -> Callable[[Sequence[str]], Any]:
    """A function from texts to probabilities (N, C), as LIME and SHAP need it, with 64 texts per forward pass."""

    @torch.no_grad()
    def predict(texts: Sequence[str]) -> Any:
        rows = [torch.tensor([lookup(word) for word in re.findall(r"\w+", text.lower())] or [0, 0]) for text in texts]
        found = []
        for begin in range(0, len(rows), 64):
            ids = nn.utils.rnn.pad_sequence(rows[begin : begin + 64], batch_first=True)
            found.append(torch.softmax(net(nn.functional.pad(ids, (0, max(0, 2 - ids.shape[1])))), dim=1))
        return torch.cat(found).double().numpy()

    return predict


def lime(predict: Callable[[Sequence[str]], Any], text: str) -> object:
    """LIME's own explainer with 5,000 perturbed texts, for the predicted class."""
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(random_state=0)
    return explainer.explain_instance(text, predict, num_features=100, num_samples=5000, top_labels=1)


def shap_partition(predict: Callable[[Sequence[str]], Any], text: str) -> object:
    """SHAP's own partition explainer over words, with its default number of evaluations, for all classes."""
    import shap

    explainer = shap.Explainer(predict, shap.maskers.Text(r"\W+"), silent=True)
    return explainer([text])


def layer_integrated_gradients(net: PlainNet) -> Contender:
    """Captum's integrated gradients at the embedding with 50 steps, for the first class."""
    attr = outside.captum()

    def run(ids: Tensor) -> object:
        found = attr.LayerIntegratedGradients(net, net.embedding).attribute(
            ids, baselines=torch.zeros_like(ids), target=0, n_steps=50, internal_batch_size=len(ids)
        )
        return found.sum(dim=2)

    return run
