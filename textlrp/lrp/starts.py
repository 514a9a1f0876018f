"""The start of propagation: the score of a class, or its centered score (minus the mean over classes).

Open this module to see how the centered start is applied to a trace, and which start is the default of a rule.

Letters: N documents, C classes, J inputs of the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from textlrp.errors import ModelError, OptionError
from textlrp.lrp.composite import Composite
from textlrp.lrp.maps import Dense, Features, LinearMap
from textlrp.lrp.recorded.steps import Applied, Moved
from textlrp.lrp.rules import Zero
from textlrp.lrp.shares import Part, has_fixed_sign, remark_on_text
from textlrp.lrp.trace import Trace, layers_of
from textlrp.lrp.trace_steps import Linear, Step

Start = Literal["score", "centered"]
"""``"score"``: the pre-softmax score. ``"centered"``: the score minus the mean of all scores of the document."""


def check_start(start: object) -> None:
    """Raise :class:`OptionError` unless this is None or one of the two starts."""
    if start is not None and (not isinstance(start, str) or start not in get_args(Start)):
        raise OptionError(
            f"start must be 'score' or 'centered'; got {start!r}. Omit start= for the default of the rule."
        )


class Started(NamedTuple):
    """A trace whose ``scores`` are the relevance that propagation starts from.

    ``start`` is ``"score"`` or ``"centered"``. ``fixed_sign`` is :meth:`Composite.fixed_sign` and ``remarks``
    :meth:`Composite.remarks_on_text` of the layers of this trace.
    """

    trace: Trace
    start: str
    fixed_sign: bool
    remarks: tuple[str, ...]


def started(trace: Trace, composite: Composite, start: Start | None) -> Started:
    """Apply ``start`` to a trace; None is the default of the composite on this trace.

    The default is ``"centered"`` if the composite has a fixed sign. Such a rule gives words that raise a score the
    sign of that score. A one-vs-rest model scores most documents below 0, even for their true class, and the
    relevance of a negative score has the opposite sign everywhere. The centered score of the predicted class is
    never negative. All other composites start from the score, and so does a module whose scores are not the output
    of one linear layer. Raises :class:`ModelError` if ``"centered"`` is requested for such a module.
    """
    fixed = False
    remarks: tuple[str, ...] = ()
    # Most composites have no rule of either kind. The layers of their traces need not be collected.
    if any(has_fixed_sign(rule) or remark_on_text(rule) for rule in (*composite.layers.values(), composite.default)):
        layers = [layer for layer in layers_of(trace) if layer is not None]
        fixed, remarks = composite.fixed_sign(layers), composite.remarks_on_text(layers)
    if start == "score" or (start is None and not fixed):
        return Started(trace, "score", fixed, remarks)
    centered = _centered(trace)
    if centered is not None:
        return Started(centered, "centered", fixed, remarks)
    if start is None:
        return Started(trace, "score", fixed, remarks)
    raise ModelError(
        "start must be 'score' for this module; got 'centered'. Its scores are not the output of one linear layer, "
        "so their mean cannot be subtracted from the weights of that layer. Pass start='score'."
    )


def _centered(trace: Trace) -> Trace | None:
    """Return the trace of the same model with centered scores; None if no linear layer writes the scores.

    The mean over classes is subtracted from the weights and the bias of the last layer. The start of class c is then
    score_c - mean, and the last layer distributes it by the products with w_c - mean(w): the contribution of an input
    to the centered score. A function of the text that is added to all scores changes neither the prediction nor the
    softmax probabilities, and it does not change this relevance either.

    Two other definitions have the same start, and each is misleading for some rules:

    - A one-hot seed of score_c - mean at class c, with the weights unchanged. A rule that divides by score_c reverses
      all signs where score_c < 0 < score_c - mean.
    - The relevance of class c minus the mean of the relevance of all classes. For rules without a term for bias or
      stabilizer, such as LRP-0, it equals the definition here. With a rule of fixed sign, the negative scores of the
      other classes give words that support those classes positive relevance.

    A model with one output f has the scores (-f, f), which are centered already: its trace is returned unchanged.
    """
    way = _way_to_last_layer(trace)
    if way is None:
        return None
    last, moves = way
    if isinstance(last.map, Applied):
        if last.outputs[0].numel() == 1:
            return trace
        rows, bias = _written_out(last, last.map, moves, trace.scores)
        map: LinearMap | None = rows
    else:
        map = None if moves else _centered_map(last.map)
        # the bias is that of the layer, (C,), or one for each document, (N, C)
        bias = _less_mean(last.bias.expand(trace.scores.shape[2 - max(1, last.bias.dim()) :]))
    if map is None:
        return None
    # z is computed from the centered weights and not as score - mean: where the mean is large, the two differ in
    # float32, and relevance is conserved only if z is the sum of the products that the rule distributes by
    outputs = map.total(Part.PRODUCT) + bias
    direct = None if last.direct is None else map
    centered = replace(last, writes=trace.output, map=map, bias=bias, outputs=outputs, direct=direct)
    dropped = {id(step) for step in (last, *moves)}
    steps = tuple(step for step in trace.steps if id(step) not in dropped)
    windows = None if trace.windows is None else trace.windows._replace(output=centered)
    return replace(trace, steps=(*steps, centered), scores=_less_mean(trace.scores), windows=windows)


def _way_to_last_layer(trace: Trace) -> tuple[Linear, list[Step]] | None:
    """The linear layer whose output the scores are, and the steps after it, which only rearrange values.

    None if there is no such layer.
    """
    writer = {step.writes: step for step in trace.steps}
    readers = [value for step in trace.steps for value in step.reads]
    moves: list[Step] = []
    value = trace.output
    while True:
        step = writer.get(value)
        if step is None or (value != trace.output and readers.count(value) != 1):
            return None
        if isinstance(step, Linear):
            return step, moves
        only_moves = step.kind == "scores" or (isinstance(step, Moved) and step.reached is None)
        if not only_moves or len(step.reads) != 1:
            return None
        moves.append(step)
        (value,) = step.reads


def _centered_map(map: LinearMap) -> LinearMap | None:
    if isinstance(map, Dense):
        return replace(map, weight=map.weight - map.weight.mean(dim=0))
    if isinstance(map, Features):
        return replace(map, weight=map.weight - map.weight.mean(dim=-1, keepdim=True))
    return None


def _written_out(last: Linear, map: Applied, moves: Sequence[Step], scores: Tensor) -> tuple[Applied, Tensor]:
    """The last layer of a recorded module (one document) as one row of weights for each class, and its biases (1, C).

    The mean over classes is subtracted from both.
    """
    one_hot = torch.eye(scores.shape[1], dtype=scores.dtype)[:, None]
    for step in moves:
        (one_hot,), _ = step.back(one_hot, Zero())
    # with inputs of 1 the products are the weights themselves
    rows = replace(map, inputs=torch.ones_like(map.inputs)).pull(Part.PRODUCT, one_hot)[:, 0]
    bias = (one_hot * last.bias.expand_as(last.outputs)).flatten(1).sum(dim=1)
    return Applied(map.inputs, rows - rows.mean(dim=0), _rows_times, map.box), _less_mean(bias)[None]


def _rows_times(inputs: Tensor, weight: Tensor) -> Tensor:
    return (inputs * weight).flatten(start_dim=1).sum(dim=1)


def _less_mean(values: Tensor) -> Tensor:
    """(..., C) minus its mean over classes, rounded once.

    Where the mean is large compared with the differences, a float32 mean and a float32 difference would each lose
    digits; in float64 only the result is rounded.
    """
    exact = values.cpu().double()  # on the CPU, because some devices have no float64
    return (exact - exact.mean(dim=-1, keepdim=True)).to(values.device, values.dtype)
