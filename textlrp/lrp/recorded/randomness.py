"""Detect modules whose forward pass is random, so that its scores differ from call to call."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textlrp.errors import ModelError


def names(listed: str) -> frozenset[str]:
    """Return the names in a text that are separated by spaces."""
    return frozenset(listed.split())


RANDOM_OPERATIONS = names(
    "rand rand_like randn randn_like randint randint_like randperm bernoulli multinomial normal poisson binomial "
    "uniform random exponential geometric cauchy log_normal gumbel_softmax standard_gamma"
)
"""Torch operations that draw random numbers, in place or not."""

DROPOUTS = names("dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d dropout3d rrelu")
"""Operations that draw random numbers in training mode only."""

_TRAINING = {"rrelu": (3, False)}
"""The position and default of the argument ``training``, where the position is not 2."""

REPEATS = 3
"""Number of further forward passes that are compared if a module used a random number generator."""


def is_random(operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether an operation draws random numbers when it is called with these arguments."""
    if operation in RANDOM_OPERATIONS:
        return True
    if operation not in DROPOUTS:
        return False
    position, default = _TRAINING.get(operation, (2, operation != "feature_alpha_dropout"))
    training = args[position] if len(args) > position else kwargs.get("training", kwargs.get("train", default))
    p = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
    return bool(training) and (operation == "rrelu" or bool(p))


class Draws:
    """Whether a forward pass drew random numbers, and the random ``operation`` that was seen, if any."""

    def __init__(self) -> None:
        self.operation: str | None = None
        self.any = False


@contextmanager
def watched_generators() -> Iterator[Draws]:
    """Notice whether the global generators of torch, numpy or Python are used inside the ``with`` block."""
    draws, before = Draws(), _states()
    yield draws
    after = _states()
    draws.any = draws.operation is not None or not torch.equal(before[0], after[0]) or before[1:] != after[1:]


def check_repeats(output: Tensor, again: Callable[[], Tensor], draws: Draws) -> None:
    """Raise :class:`ModelError` if a module that drew random numbers returns another ``output`` when called again.

    A module may draw numbers without using them in its scores, so ``again`` calls it up to :data:`REPEATS` times.
    """
    if not draws.any:
        return
    for _ in range(REPEATS):
        other = again()
        if output.shape != other.shape or not torch.equal(output.detach().nan_to_num(), other.detach().nan_to_num()):
            where = "" if draws.operation is None else f" ({draws.operation})"
            raise ModelError(
                f"the module draws random numbers in eval mode{where}: its scores differ from call to call, so they "
                "cannot be explained. Turn this off in eval mode, for example with training=self.training."
            )


def _states() -> tuple[Tensor, Any, bytes, Any]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state(), random.getstate(), np.asarray(keys).tobytes(), (name, *rest)
