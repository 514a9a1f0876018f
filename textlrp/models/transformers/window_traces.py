"""The trace of a text that is read in one or several windows, made of one recorded trace for each window.

Letters: K targets, L words, P pieces of the text, W windows, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.recorded.record import SCORES
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Absorbed, Routing, Step, Sum
from textlrp.models.transformers.piece_batch import PIECES

TEXT = "text"
"""The value with the words of the text, from which the pieces are read."""


def trace_of_windows(
    traces: Sequence[Trace], windows: Sequence[tuple[int, int]], word_of: NDArray[np.int64], words: int
) -> Trace:
    """Join the traces of the windows of a text: its scores are the mean of their scores.

    ``windows`` are the first piece of each window and the piece after its last one. ``word_of`` (P,) is the word of
    each piece. Pieces of two windows get the sum of both parts, and words the sum of their pieces.
    """
    to_words = partial(summed_by, torch.from_numpy(word_of), words)
    begin = Routing("words", "pieces", (TEXT,), PIECES, to_words)
    if len(traces) == 1:
        (only,) = traces
        same = Routing("words", "pieces", (PIECES,), only.input)
        return replace(only, steps=(begin, same, *only.steps), input=TEXT)
    steps: list[Step] = [begin]
    for number, (trace, (first, end)) in enumerate(zip(traces, windows, strict=True)):
        input = _in_window(trace.input, number)
        steps.append(Routing("window", "move", (PIECES,), input, _into(first, end, len(word_of))))
        steps += [(RuledInWindow if step.ruled else InWindow)(step, number) for step in trace.steps]
    scores = tuple(trace.scores for trace in traces)
    outputs = tuple(_in_window(trace.output, number) for number, trace in enumerate(traces))
    steps.append(Sum("windows", outputs, SCORES, scores))
    mean = torch.stack(scores).mean(dim=0)
    return Trace(tuple(steps), mean, TEXT, SCORES, max(trace.elements for trace in traces))


@dataclass(frozen=True, slots=True, eq=False)
class InWindow:
    """A step of the trace of one window, with other names for the values that it reads and writes."""

    step: Step
    window: int
    ruled: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return self.step.name

    @property
    def kind(self) -> str:
        return self.step.kind

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(_in_window(value, self.window) for value in self.step.reads)

    @property
    def writes(self) -> str:
        return _in_window(self.step.writes, self.window)

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return self.step.back(relevance, rule)


class RuledInWindow(InWindow):
    """A step that needs a rule, in the trace of one window."""

    ruled: ClassVar[bool] = True


def summed_by(word_of: Tensor, words: int, values: Tensor) -> Tensor:
    """Sum values (..., P) of pieces by word: (..., L); ``word_of`` (P,) is the word of each piece."""
    return values.new_zeros(*values.shape[:-1], words).index_add_(-1, word_of, values)


def _into(first: int, end: int, pieces: int) -> Callable[[Tensor], Tensor]:
    """Return the function from the relevance of the pieces of a window to that of all pieces of the text."""
    return lambda relevance: torch.nn.functional.pad(relevance, (first, pieces - end))


def _in_window(value: str, window: int) -> str:
    return f"{value}@{window}"
