"""The trace of a text that is read in one or several windows, made of one recorded trace for each window.

Letters: K targets, L words, P pieces of the text, W windows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Routing, Step, Sum
from textlrp.models.transformers.piece_batch import PIECES


def trace_of_windows(
    traces: Sequence[Trace], windows: Sequence[tuple[int, int]], word_of: NDArray[np.int64], words: int
) -> Trace:
    """Join the traces of the windows of a text: its scores are the mean of their scores.

    ``windows`` are the first piece of each window and the piece after its last one. ``word_of`` (P,) is the word of
    each piece. Pieces of two windows get the sum of both parts, and words the sum of their pieces.
    """
    to_words = partial(summed_by, torch.from_numpy(word_of), words)
    steps: list[Step] = [Routing("words", "pieces", ("words",), PIECES, to_words)]
    outputs = []
    for number, (trace, (first, end)) in enumerate(zip(traces, windows, strict=True)):
        input, output = _named(trace.input, number), _named(trace.output, number)
        steps.append(Routing("window", "move", (PIECES,), input, _into(first, end, len(word_of))))
        steps += [_renamed(step, number) for step in trace.steps]
        outputs.append(output)
    scores = [trace.scores for trace in traces]
    if len(traces) == 1:
        steps.append(Routing("scores", "scores", (outputs[0],), "scores"))
    else:
        steps.append(Sum("windows", tuple(outputs), "scores", tuple(scores)))
    mean = torch.stack(scores).mean(dim=0)
    return Trace(tuple(steps), mean, "words", "scores", max(trace.elements for trace in traces))


def summed_by(word_of: Tensor, words: int, values: Tensor) -> Tensor:
    """Sum values (..., P) of pieces by word: (..., L); ``word_of`` (P,) is the word of each piece."""
    return values.new_zeros(*values.shape[:-1], words).index_add_(-1, word_of, values)


def _into(first: int, end: int, pieces: int) -> Any:
    """Return the function from the relevance of the pieces of a window to that of all pieces of the text."""
    return lambda relevance: torch.nn.functional.pad(relevance, (first, pieces - end))


def _named(value: str, number: int) -> str:
    return f"{value}@{number}"


def _renamed(step: Any, number: int) -> Any:
    reads = tuple(_named(value, number) for value in step.reads)
    return replace(step, reads=reads, writes=_named(step.writes, number))
