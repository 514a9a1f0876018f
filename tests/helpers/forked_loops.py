"""Run all parallel loops, fork, and run them again in the child; a script to run in a separate process.

It prints the number of loops, whether the sequential loops give the same bytes as the parallel ones, whether the
child gives the same bytes as its parent, and whether the child explains as its parent does.
"""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import torch
from toys import LABELS, TEXTS

import textlrp
import textlrp.lrp.kernels
from textlrp.lrp.kernels import window_relevance
from textlrp.lrp.kernels.compiling import ParallelLoop
from textlrp.models.word_orders import iter_extreme_orders
from textlrp.models.word_paths import path_scores

SECONDS = 120
"""A child that takes longer is ended: it waits for threads that do not exist."""


def parallel_loops() -> Iterator[tuple[str, ParallelLoop]]:
    """(name, loop) of all compiled loops that run on several threads."""
    for entry in pkgutil.iter_modules(textlrp.lrp.kernels.__path__):
        module = import_module(f"textlrp.lrp.kernels.{entry.name}")
        yield from ((name, loop) for name, loop in vars(module).items() if isinstance(loop, ParallelLoop))


def copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    return type(value)(*map(copied, value)) if hasattr(value, "_fields") else value


def recorder(loop: ParallelLoop, calls: list[tuple[Any, ...]]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        if not calls:
            calls.append(tuple(map(copied, arguments)))
        return loop(*arguments)

    return run


def work() -> None:
    """Use every parallel loop at least once."""
    for pooling in ("max", "mean"):
        model = textlrp.CNNClassifier(random_state=0, pooling=pooling, max_epochs=1, min_df=1).fit(TEXTS, LABELS)
        for rule in ("epsilon", "gamma"):
            list(textlrp.explain(model, TEXTS, target="all", rule=rule))
        batch = model.encode(TEXTS)
        if pooling == "max":
            path_scores(model, batch, [np.arange(int(length)) for length in batch.lengths])
            list(iter_extreme_orders(model, batch, [0] * len(TEXTS), beam_width=2))
    draw = np.random.default_rng(0)
    where = draw.integers(0, 5, (3, 4))
    window_relevance.spread_over_windows(draw.normal(size=(2, 3, 4)), draw.normal(size=(4, 2, 6)), where, 7)


def results(loop: Callable[..., Any], arguments: tuple[Any, ...]) -> list[bytes]:
    """The bytes of all arrays after a loop has run; it writes its results into some of them."""
    own = tuple(map(copied, arguments))
    loop(*own)
    return [each.tobytes() for each in own if isinstance(each, np.ndarray)]


def main() -> None:
    found = list(parallel_loops())
    calls: dict[str, list[tuple[Any, ...]]] = {name: [] for name, _ in found}
    for name, loop in found:
        for user in [user for user in list(sys.modules.values()) if vars(user).get(name) is loop]:
            setattr(user, name, recorder(loop, calls[name]))
    work()
    missing = sorted(name for name, arguments in calls.items() if not arguments)
    print("loops", len(found), "without a call", missing)
    parallel = {name: results(loop.parallel, calls[name][0]) for name, loop in found}
    same = [name for name, loop in found if results(loop.sequential, calls[name][0]) != parallel[name]]
    print("sequential loops that differ", same)
    model = textlrp.load("20newsgroups-cnn")
    before = [why.relevance.tobytes() for why in textlrp.explain(model, TEXTS)]
    print("threads", torch.get_num_threads(), flush=True)
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        differ = [name for name, loop in found if results(loop, calls[name][0]) != parallel[name]]
        after = [why.relevance.tobytes() for why in textlrp.explain(model, TEXTS)]
        print("loops that differ in the child", differ, "explanations agree", before == after, flush=True)
        os._exit(0)
    print("status of the child", os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
