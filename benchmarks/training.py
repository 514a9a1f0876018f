"""Training time of the default CNN compared with a plain PyTorch loop for the same net.

Both use the same ids, batch size, epochs, word dropout, dropout, label smoothing, AdamW, learning-rate schedule and
number of threads. Runs are interleaved, and the ratio is the ratio of the medians.

    python benchmarks/training.py [--posts 1000] [--epochs 1] [--runs 3]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import textlrp
from textlrp.models.convnet import new_convnet
from textlrp.models.options import check_labels
from textlrp.models.packing import Ids
from textlrp.models.training import TrainingPlan, one_cycle, train
from textlrp.models.training_objectives import objective_of
from textlrp.text.vocabulary import Vocabulary

SMOOTHING = 0.1
"""Label smoothing of both loops, the default of CNNClassifier."""


class PlainCNN(nn.Module):
    """Embedding, convolutions, ReLU, max over time, dropout, dense: a typical manual implementation."""

    def __init__(self, table: Tensor, widths: Sequence[int], filters: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(table.clone(), freeze=False, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(table.shape[1], filters, width) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(filters * len(widths), classes)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids).transpose(1, 2)
        pooled = [torch.relu(convolution(vectors)).amax(dim=2) for convolution in self.convolutions]
        scores: Tensor = self.output(self.dropout(torch.cat(pooled, dim=1)))
        return scores


def plain_loop(net: PlainCNN, texts: Sequence[Ids], codes: NDArray[np.int64], plan: TrainingPlan, seed: int) -> None:
    """A typical training loop: pad, forward, backward, step."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    per_epoch = math.ceil(len(texts) / plan.batch_size)
    net.train()
    for epoch in range(plan.max_epochs):
        order = rng.permutation(len(texts))
        for step in range(per_epoch):
            rows = order[step * plan.batch_size : (step + 1) * plan.batch_size]
            batch = [torch.from_numpy(texts[row][: plan.train_tokens]) for row in rows]
            ids = nn.utils.rnn.pad_sequence(batch, batch_first=True)
            ids = torch.where(torch.from_numpy(rng.random(ids.shape)) < plan.word_dropout, 0, ids)
            ids = nn.functional.pad(ids, (0, max(0, 3 - ids.shape[1])))
            loss = nn.functional.cross_entropy(net(ids), torch.from_numpy(codes[rows]), label_smoothing=SMOOTHING)
            for group in optimizer.param_groups:
                group["lr"] = plan.learning_rate * one_cycle(
                    (epoch * per_epoch + step) / (plan.max_epochs * per_epoch)
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--posts", type=int, default=1000, help="training posts, drawn at random")
    options = parser.parse_args()
    model = textlrp.CNNClassifier(max_epochs=options.epochs, validation_fraction=0.0)
    corpus = textlrp.load_20newsgroups("train")
    words = [model.reader().words(document) for document in corpus.documents]
    vocabulary = Vocabulary.build(words, min_df=model.min_df)
    texts = [vocabulary.ids(forms) for forms in words]
    classes, codes = check_labels(corpus.labels, len(texts))
    drawn = np.random.default_rng(0).permutation(len(texts))[: options.posts]
    texts, codes = [texts[row] for row in drawn], codes[drawn]
    plan = model.training_plan()
    widths, filters = model.widths_and_filters()
    noise = torch.Generator().manual_seed(0)
    start = torch.randn((len(vocabulary) + 1, model.embedding_dim), generator=noise) * 0.1
    start[0] = 0
    ours, plain = [], []
    for run in range(options.runs + 1):  # the first run compiles and warms up
        net = new_convnet(start.clone(), widths=widths, filters=filters, classes=len(classes), pooling="max", seed=0)
        begin = time.perf_counter()
        train(net, texts, objective_of(codes, None, SMOOTHING, start.dtype), plan, 0)
        ours.append(time.perf_counter() - begin)
        plain_net = PlainCNN(start, widths, filters[0], len(classes), plan.dropout)
        begin = time.perf_counter()
        plain_loop(plain_net, texts, codes, plan, 0)
        plain.append(time.perf_counter() - begin)
        print(f"run {run}: textlrp {ours[-1]:.1f} s, plain PyTorch {plain[-1]:.1f} s", flush=True)
    ratio = statistics.median(plain[1:]) / statistics.median(ours[1:])
    print(
        f"training {options.epochs} epoch(s) of {len(texts):,} posts, {torch.get_num_threads()} threads: "
        f"textlrp is {ratio:.2f} times as fast as the plain PyTorch loop (medians of {options.runs} interleaved runs)"
    )


if __name__ == "__main__":
    main()
