"""What propagation starts from: the score of a class, or the score minus the mean over classes.

Open this for the two starts, for how the second is put on a trace, and for which one a rule takes by default.

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
            f"start must be 'score' or 'centered'; got {start!r}. Leave it out for the one that suits the rule."
        )


class Started(NamedTuple):
    """A trace to propagate through, whose ``scores`` are what propagation starts from.

    ``start`` names it. ``fixed_sign`` is :meth:`Composite.fixed_sign` and ``remarks``
    :meth:`Composite.remarks_on_text` of this trace's layers.
    """

    trace: Trace
    start: str
    fixed_sign: bool
    remarks: tuple[str, ...]


def started(trace: Trace, composite: Composite, start: Start | None) -> Started:
    """Apply ``start`` to a trace; None is the default of the composite on this trace.

    The default is ``"centered"`` where the composite has a fixed sign: a rule that shares the parts of one sign gives
    words that raise a score the sign of that score, and a one-vs-rest model scores most documents below 0 even for
    their own class, so the map of a negative score is upside down. The centered score of the predicted class is
    never negative. Every other composite, and a module whose scores are not written by one linear layer, starts from
    the score. Raises :class:`ModelError` for an explicit ``"centered"`` on such a module.
    """
    fixed = False
    remarks: tuple[str, ...] = ()
    # most composites have no such rule, and need not be asked layer by layer
    if any(has_fixed_sign(rule) or remark_on_text(rule) for rule in (*composite.layers.values(), composite.default)):
        layers = [layer for layer in layers_of(trace) if layer is not None]
        fixed, remarks = composite.fixed_sign(layers), composite.remarks_on_text(layers)
    if start == "score" or (start is None and not fixed):
        return Started(trace, "score", fixed, remarks)
    found = _centered(trace)
    if found is not None:
        return Started(found, "centered", fixed, remarks)
    if start is None:
        return Started(trace, "score", fixed, remarks)
    raise ModelError(
        "start must be 'score' for this module: its scores are not the output of one linear layer, so their mean "
        "cannot be subtracted from that layer's weights. Pass start='score'."
    )


def _centered(trace: Trace) -> Trace | None:
    """The trace of the model whose scores are centered: from the last layer's weights and bias, their mean over
    classes is subtracted.

    So the start of class c is score_c - mean, and the last layer shares it by w_c - mean(w), which is what a word
    adds to the centered score. Two other definitions have the same start, and neither reads correctly under every
    rule. A one-hot seed of score_c - mean at class c keeps the layer's own products, so that a rule that divides by
    score_c turns the map upside down where score_c < 0 < score_c - mean. The map of c minus the mean of all maps is
    correct for rules without a bias or stabilizer term of their own, such as LRP-0, and equals this definition there;
    but with a rule of fixed sign the other classes' negative scores give their words positive relevance. A function
    of the text that is added to all scores changes neither the prediction nor softmax probabilities; nor does it
    change a map from a centered start.

    None where the scores are not written by one linear layer. A model with one output f has the scores (-f, f), which
    are centered: its trace comes back as it is.
    """
    way = _way_to_last_layer(trace)
    if way is None:
        return None
    last, moves = way
    if isinstance(last.map, Applied):
        if last.outputs[0].numel() == 1:
            return trace
        found, bias = _written_out(last, last.map, moves, trace.scores)
        map: LinearMap | None = found
    else:
        map = None if moves else _centered_map(last.map)
        bias = _less_mean(last.bias.expand(trace.scores.shape[1:]))
    if map is None:
        return None
    # not the centered scores: in float32 these differ from the sum of the products where the mean is large
    outputs = map.total(Part.PRODUCT) + bias
    direct = None if last.direct is None else map
    centered = replace(last, writes=trace.output, map=map, bias=bias, outputs=outputs, direct=direct)
    dropped = {id(step) for step in (last, *moves)}
    steps = tuple(step for step in trace.steps if id(step) not in dropped)
    windows = None if trace.windows is None else trace.windows._replace(output=centered)
    return replace(trace, steps=(*steps, centered), scores=_less_mean(trace.scores), windows=windows)


def _way_to_last_layer(trace: Trace) -> tuple[Linear, list[Step]] | None:
    """The linear layer that writes the scores, and the steps behind it, which only move numbers; None without one."""
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
    """The last layer of a recorded module (one document) with a row of weights for each class, and the biases (1, C);
    the mean over classes is subtracted from both."""
    chosen = torch.eye(scores.shape[1], dtype=scores.dtype)[:, None]
    for step in moves:
        (chosen,), _ = step.back(chosen, Zero())
    rows = replace(map, inputs=torch.ones_like(map.inputs)).pull(Part.PRODUCT, chosen)[:, 0]
    bias = (chosen * last.bias.expand_as(last.outputs)).flatten(1).sum(dim=1)
    return Applied(map.inputs, rows - rows.mean(dim=0), _rows_times, map.box), _less_mean(bias)[None]


def _rows_times(inputs: Tensor, weight: Tensor) -> Tensor:
    return (inputs * weight).flatten(start_dim=1).sum(dim=1)


def _less_mean(values: Tensor) -> Tensor:
    """(..., C) minus its mean over classes, rounded once."""
    exact = values.cpu().double()  # not every device has float64
    return (exact - exact.mean(dim=-1, keepdim=True)).to(values.device, values.dtype)
