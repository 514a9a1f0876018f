"""The training loop of the nets: only the vectors of the words in a batch are touched.

AdamW (Loshchilov & Hutter 2019) under a one-cycle schedule (Smith & Topin 2019), word dropout (Iyyer et
al. 2015), label smoothing, a moving average of the weights (Polyak & Juditsky 1992), early stopping on
held-out training texts. Everything random comes from one seed.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.kernels.means import adam_rows
from textlrp.machine import progress_bar
from textlrp.models.net_scores import Net, scores_of
from textlrp.models.packing import Ids, pack
from textlrp.models.subword_table import SubwordTable

LOGGER = logging.getLogger(__name__)
"""Gets one line at level INFO after the first epoch: how long the training takes."""

MIN_LOGGED_SECONDS = 2.0
"""Seconds of training left from which the expected time is logged."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a net is trained; see the estimators for the meaning of each number."""

    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    word_dropout: float
    label_smoothing: float
    train_tokens: int | None
    validation_fraction: float
    patience: int
    tune_vectors: bool


@dataclass(frozen=True, slots=True)
class History:
    """What happened: accuracy on held-out texts after each epoch (empty without any), and the epoch kept."""

    held_out: int
    accuracies: tuple[float, ...]
    kept_epoch: int


def train(
    net: Net,
    texts: Sequence[Ids],
    codes: NDArray[np.int64],
    class_weights: Tensor | None,
    plan: TrainingPlan,
    seed: int,
    subwords: SubwordTable | None = None,
) -> History:
    """Train ``net`` in place and leave the best weights seen in it.

    ``texts`` N of (L,) ids, ``codes`` (N,) classes. Ctrl-C ends the training and keeps the best so far.
    With ``subwords``, word vectors are those of the net's table plus the means of their n-grams', which are left in
    the table in the end.
    """
    loop = _Loop(net, texts, codes, class_weights, plan, seed, subwords)
    accuracies: list[float] = []
    best, kept, best_state = -1.0, 0, loop.averages
    started = time.perf_counter()
    with progress_bar() as progress:
        task = progress.add_task("training", total=plan.max_epochs * loop.steps_per_epoch, note="")
        try:
            for epoch in range(1, plan.max_epochs + 1):
                for _ in loop.epoch():
                    progress.advance(task)
                if epoch == 1:
                    _log_expected_time(time.perf_counter() - started, plan.max_epochs)
                if not len(loop.held_out):
                    kept, best_state = epoch, loop.averaged()
                    continue
                accuracies.append(loop.accuracy())
                progress.update(task, note=f"held-out accuracy {accuracies[-1]:.1%}")
                if accuracies[-1] >= best:  # of equals the later: the schedule has cooled further
                    best, kept, best_state = accuracies[-1], epoch, loop.averaged()
                elif epoch - kept >= plan.patience:
                    break
        except KeyboardInterrupt:
            if kept == 0:
                raise
            warnings.warn(
                f"training was interrupted; the weights of epoch {kept} are kept.", UserWarning, stacklevel=4
            )
    loop.put(best_state)
    if subwords is not None:
        net.table.add_(subwords.means())
    return History(len(loop.held_out), tuple(accuracies), kept)


def _log_expected_time(seconds: float, epochs: int) -> None:
    """Log how long the epochs after the first take at most; ``seconds`` is the time of the first."""
    left = seconds * (epochs - 1)
    if left >= MIN_LOGGED_SECONDS:
        LOGGER.info("epoch 1 of at most %d took %.1f s; at most about %s more", epochs, seconds, _duration(left))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class _Loop:
    """The state of one training run."""

    def __init__(
        self,
        net: Net,
        texts: Sequence[Ids],
        codes: NDArray[np.int64],
        class_weights: Tensor | None,
        plan: TrainingPlan,
        seed: int,
        subwords: SubwordTable | None,
    ) -> None:
        self.net, self.plan, self.texts, self.codes = net, plan, texts, codes
        self.subwords = subwords
        self.class_weights = class_weights
        self.rng = np.random.default_rng(seed)
        self.noise = torch.Generator().manual_seed(seed)
        self.training, self.held_out = hold_out(codes, plan.validation_fraction, self.rng)
        self.steps_per_epoch = math.ceil(len(self.training) / plan.batch_size)
        for weight in net.weights.values():
            weight.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(
            net.weights.values(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.moments = (torch.zeros_like(net.table), torch.zeros_like(net.table))
        self.averages = {name: value.detach().clone() for name, value in self._state().items()}
        self.step = 0

    def _state(self) -> dict[str, Tensor]:
        state = {"embedding": self.net.table, **self.net.weights}
        return state if self.subwords is None else state | {"subwords": self.subwords.table}

    def averaged(self) -> dict[str, Tensor]:
        """A copy of the averaged weights."""
        return {name: value.clone() for name, value in self.averages.items()}

    def put(self, state: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self._state().items():
                value.copy_(state[name])
        for weight in self.net.weights.values():
            weight.requires_grad_(False)

    def epoch(self) -> Iterator[None]:
        order = self.rng.permutation(self.training)
        for begin in range(0, len(order), self.plan.batch_size):
            self._train_on(order[begin : begin + self.plan.batch_size])
            yield
        self._average(self.step % AVERAGE_EVERY or AVERAGE_EVERY)

    def _train_on(self, rows: NDArray[np.int64]) -> None:
        plan, net = self.plan, self.net
        rate = plan.learning_rate * one_cycle(self.step / (plan.max_epochs * self.steps_per_epoch))
        self.step += 1
        packed = pack([self._drop_words(self.texts[row][: plan.train_tokens]) for row in rows])
        vectors = net.table[torch.from_numpy(packed.distinct)].requires_grad_(plan.tune_vectors)
        parts = None if self.subwords is None else self.subwords.parts(packed.distinct, plan.tune_vectors)
        drop = None
        if plan.dropout > 0:
            kept = torch.rand((len(rows), net.features), generator=self.noise) >= plan.dropout
            drop = kept.to(net.table.dtype) / (1 - plan.dropout)
        loss = torch.nn.functional.cross_entropy(
            net.forward(vectors if parts is None else vectors + parts.means, packed, drop),
            torch.from_numpy(self.codes[rows]),
            weight=self.class_weights,
            label_smoothing=plan.label_smoothing,
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        if plan.tune_vectors and vectors.grad is not None:
            self._update_table(packed.distinct[1:], vectors.grad[1:], rate)
            if parts is not None and self.subwords is not None:
                self.subwords.update(parts, rate, self.step)
        if self.step % AVERAGE_EVERY == 0:
            self._average(AVERAGE_EVERY)

    def _drop_words(self, ids: Ids) -> Ids:
        if self.plan.word_dropout == 0:
            return ids
        return np.where(self.rng.random(len(ids)) < self.plan.word_dropout, 0, ids)

    def _update_table(self, rows: Ids, gradient: Tensor, rate: float) -> None:
        adam_rows(
            self.net.table.numpy(), self.moments[0].numpy(), self.moments[1].numpy(), rows, gradient.numpy(),
            rate, 1 - 0.9**self.step, 1 - 0.999**self.step,
        )  # fmt: skip

    @torch.no_grad()
    def _average(self, steps: int) -> None:
        memory = min(AVERAGE_DECAY**steps, (1 + self.step) / (10 + self.step))
        for name, value in self._state().items():
            self.averages[name].lerp_(value, 1 - memory)

    @torch.no_grad()
    def accuracy(self) -> float:
        """Accuracy of the averaged weights on the held-out texts."""
        now = {name: value.clone() for name, value in self._state().items()}
        self.put(self.averages)
        if self.subwords is not None:
            self.net.table.add_(self.subwords.means())
        texts = [self.texts[row] for row in self.held_out]
        right = (scores_of(self.net, texts).argmax(axis=1) == self.codes[self.held_out]).mean()
        self.put(now)
        for weight in self.net.weights.values():
            weight.requires_grad_(True)
        return float(right)


AVERAGE_DECAY = 0.998
"""What the moving average keeps of itself at each step."""

AVERAGE_EVERY = 4
"""Steps between two updates of the moving average."""


def one_cycle(done: float) -> float:
    """The learning rate at a fraction ``done`` of the training, relative to its peak at 0.3."""
    if done < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.3)) / 2
    return (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2


def hold_out(
    codes: NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to train on and positions held out, ``fraction`` of each class; a class keeps at least one."""
    held: list[NDArray[np.int64]] = []
    for code in np.unique(codes):
        members = rng.permutation(np.flatnonzero(codes == code))
        held.append(members[: min(round(len(members) * fraction), len(members) - 1)])
    held_out = np.sort(np.concatenate(held)).astype(np.int64)
    return np.setdiff1d(np.arange(len(codes)), held_out), held_out
