"""The training loop of the neural classifiers.

AdamW (Loshchilov & Hutter 2019) under a one-cycle schedule (Smith & Topin 2019), word dropout (Iyyer et al. 2015),
label smoothing, a moving average of the weights (Polyak & Juditsky 1992), and early stopping on held-out training
texts. A step updates only the vectors of the words in its batch. All randomness comes from one seed.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.kernels.means import adam_rows
from textlrp.machine import progress_bar
from textlrp.models.net_scores import Net, scores_of
from textlrp.models.packing import Ids, pack
from textlrp.models.subword_table import SubwordTable
from textlrp.models.thresholds import ChosenThresholds
from textlrp.models.training_objectives import Objective

LOGGER = logging.getLogger(__name__)
"""Logs one line at level INFO after the first epoch: how long the training takes."""

MIN_LOGGED_SECONDS = 2.0
"""The expected time is logged if at least this many seconds of training remain."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Options of the training loop; :class:`textlrp.CNNClassifier` documents each."""

    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    word_dropout: float
    train_tokens: int | None
    validation_fraction: float
    patience: int
    tune_vectors: bool


@dataclass(frozen=True, slots=True)
class History:
    """Record of a training run.

    ``held_out`` is the number of held-out texts, ``accuracies`` the accuracy on them after each epoch (empty without
    held-out texts), and ``kept_epoch`` the epoch, counted from 1, whose weights the model has. In multi-label
    classification ``measure`` is "micro F1", which ``accuracies`` then are, and ``chosen`` are the thresholds.
    """

    held_out: int
    accuracies: tuple[float, ...]
    kept_epoch: int
    measure: str = "accuracy"
    chosen: ChosenThresholds | None = field(default=None, compare=False)


def train(
    net: Net,
    texts: Sequence[Ids],
    objective: Objective,
    plan: TrainingPlan,
    seed: int,
    subwords: SubwordTable | None = None,
) -> History:
    """Train ``net`` in place and leave the best weights in it.

    ``texts`` are N arrays of ids (L,), and ``objective`` has their labels. With ``subwords``, the vector of a word is
    its row in the network's table plus the mean of its n-gram vectors; after training the table has the sums. Ctrl-C
    ends the training and keeps the best weights; before the first epoch is complete it raises KeyboardInterrupt.
    """
    loop = _Loop(net, texts, objective, plan, seed, subwords)
    accuracies: list[float] = []
    best, best_epoch, best_state = -1.0, 0, loop.averages
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
                    best_epoch, best_state = epoch, loop.averaged()
                    continue
                accuracies.append(loop.quality())
                progress.update(task, note=f"held-out {objective.measure} {accuracies[-1]:.1%}")
                if accuracies[-1] >= best:  # of equal accuracies the later epoch: its learning rate was lower
                    best, best_epoch, best_state = accuracies[-1], epoch, loop.averaged()
                elif epoch - best_epoch >= plan.patience:
                    break
        except KeyboardInterrupt:
            if best_epoch == 0:
                raise
            warnings.warn(
                f"training was interrupted; the model has the weights of epoch {best_epoch}.",
                UserWarning,
                stacklevel=4,
            )
    loop.restore(best_state)
    if subwords is not None:
        net.table.add_(subwords.means())
    chosen = objective.thresholds(loop.held_out, lambda: scores_of(net, [texts[row] for row in loop.held_out]))
    return History(len(loop.held_out), tuple(accuracies), best_epoch, objective.measure, chosen)


def _log_expected_time(seconds: float, epochs: int) -> None:
    """Log an upper bound of the remaining time; ``seconds`` is the duration of the first epoch."""
    left = seconds * (epochs - 1)
    if left >= MIN_LOGGED_SECONDS:
        LOGGER.info("epoch 1 of at most %d took %.1f s; at most about %s remain", epochs, seconds, _duration(left))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class _Loop:
    """The state of one training run."""

    def __init__(
        self,
        net: Net,
        texts: Sequence[Ids],
        objective: Objective,
        plan: TrainingPlan,
        seed: int,
        subwords: SubwordTable | None,
    ) -> None:
        self.net, self.plan, self.texts, self.objective = net, plan, texts, objective
        self.subwords = subwords
        self.rng = np.random.default_rng(seed)
        self.noise = torch.Generator().manual_seed(seed)
        self.training, self.held_out = objective.hold_out(plan.validation_fraction, self.rng)
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
        """Return a copy of the averaged weights."""
        return {name: value.clone() for name, value in self.averages.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Copy ``state`` into the network."""
        with torch.no_grad():
            for name, value in self._state().items():
                value.copy_(state[name])
        for weight in self.net.weights.values():
            weight.requires_grad_(False)

    def epoch(self) -> Iterator[None]:
        """Train on all texts in random order; yield after each step."""
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
        scores = net.forward(vectors if parts is None else vectors + parts.means, packed, drop)
        loss = self.objective.loss(scores, rows)
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
        # the second term lets the first steps outweigh the random initial weights
        decay = min(AVERAGE_DECAY**steps, (1 + self.step) / (10 + self.step))
        for name, value in self._state().items():
            self.averages[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def quality(self) -> float:
        """Return the measure of the objective, for the averaged weights on the held-out texts."""
        now = {name: value.clone() for name, value in self._state().items()}
        self.restore(self.averages)
        if self.subwords is not None:
            self.net.table.add_(self.subwords.means())
        texts = [self.texts[row] for row in self.held_out]
        quality = self.objective.quality(self.held_out, scores_of(self.net, texts))
        self.restore(now)
        for weight in self.net.weights.values():
            weight.requires_grad_(True)
        return quality


AVERAGE_DECAY = 0.998
"""Decay of the moving average of the weights per step."""

AVERAGE_EVERY = 4
"""Number of steps between two updates of the moving average."""


def one_cycle(done: float) -> float:
    """Return the learning rate after a fraction ``done`` of the training, relative to its peak at 0.3."""
    if done < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.3)) / 2
    return (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2
