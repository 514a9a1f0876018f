"""The trace of a form: one linear step for the scores, and one for each group of hidden units below them.

A form without hidden units is a single linear step from the features to the scores, whatever steps of the pipeline
it was made from: its relevance under LRP-0 is weight × feature. Open it for how a pipeline is propagated.

Letters: N texts, J features, E non-zero features of a text, H hidden units, I inputs of a step, O outputs, K targets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.arrays import Array
from textlrp.lrp.maps import Bounds, Dense, Features, LinearMap
from textlrp.lrp.shares import Box
from textlrp.lrp.trace_steps import Concat, Linear, Routing, Step
from textlrp.models.pipeline.form_values import row_sums
from textlrp.models.pipeline.forms import Evaluation, Form, Hidden, Norm, Term, dense_weight
from textlrp.models.pipeline.stages import JointFeatures, Stage, ValueRange
from textlrp.models.sparse_tape import Absent, padded_entries

FEATURES = "features"
"""The value with the non-zero features (N, E) of each text."""


class _Inputs(NamedTuple):
    """Inputs (N, I) of a linear step, the value that has them, and their weights (N, I, O), or (1, I, O)."""

    value: str
    inputs: Tensor
    weight: Tensor
    bounds: ValueRange


@dataclass
class FormTrace:
    """The ``steps`` that compute forms from the ``features`` (N, J), CSR, of a batch, in forward order.

    ``elements`` is the number of elements of the largest value.
    """

    joint: JointFeatures
    features: Any
    values: Evaluation
    steps: list[Step] = field(default_factory=list)
    elements: int = 1

    def layer(self, form: Form, name: str, writes: str, shift: Tensor | None = None) -> Tensor:
        """Add the linear step ``name`` that computes a form, after the hidden units that it reads.

        ``shift`` (N, 1) is added to its bias. Returns the outputs (N, O).
        """
        sources = {id(term.source): term.source for term in form.terms}
        hidden = [source for source in sources.values() if isinstance(source, Hidden)]
        stages = [source for source in sources.values() if isinstance(source, Stage)]
        inputs = [self._units(form, each) for each in hidden]
        counts = None
        if stages:
            of_features = self._chosen_features(stages)
            counts = np.diff(of_features.indptr) + sum(each.inputs.shape[1] for each in inputs)
            inputs.append(self._entries(form, stages, of_features, name))
        value = self._joined(inputs, name)
        if missing := [term for term in form.terms if term.absent]:
            inputs.insert(0, self._constants(form, missing))
            counts = None if counts is None else counts + 1
            self.steps.append(Absent(name, (value,), f"{name}.present"))
            value = f"{name}.present"
        for cause in dict.fromkeys(term.cause for term in form.terms if term.cause):
            inputs.insert(0, self._constants(form, [term for term in form.terms if term.cause == cause]))
            counts = None if counts is None else counts + 1
            self.steps.append(Absent(name, (value,), f"{name}.{cause}", cause=cause))
            value = f"{name}.{cause}"
        outputs, bias = self.values.values(form), self._bias(form)
        if shift is not None:
            outputs, bias = outputs + shift, bias + shift
        map = _map_of(inputs, counts)
        direct = None if hidden else map
        self.steps.append(Linear(name, "dense", (value,), writes, map, bias, outputs, direct))
        self.elements = max(self.elements, sum(each.inputs.numel() for each in inputs), outputs.numel())
        return outputs

    # ---- the inputs of a step

    def _units(self, form: Form, hidden: Hidden) -> _Inputs:
        """Hidden units, after the steps that compute them."""
        if not any(step.writes == hidden.name for step in self.steps):
            before, shift = f"{hidden.name}.sum", self.values.shift(hidden) if hidden.shift else None
            self.layer(hidden.form, hidden.name, before, shift)
            self.steps.append(Routing(f"{hidden.name}.activation", "activation", (before,), hidden.name))
        units = self.values.units(hidden)
        terms = [term for term in form.terms if term.source is hidden]
        weight = units.new_zeros((len(units) if any(t.norms for t in terms) else 1, hidden.form.width, form.width))
        for term in terms:
            of_term = torch.from_numpy(dense_weight(term.weight).T.copy()).to(units.dtype)[None]
            weight[..., term.rows] += of_term * self.values.factor(term.norms)[..., None] if term.norms else of_term
        return _Inputs(hidden.name, units, weight, ValueRange(*hidden.bounds))

    def _entries(self, form: Form, stages: Sequence[Stage], features: Any, name: str) -> _Inputs:
        """The non-zero features (N, E) of some stages, ``features`` (N, J)."""
        columns, position = np.unique(features.indices, return_inverse=True)
        shape = (features.shape[0], len(columns))
        occurring = sparse.csr_matrix((features.data, position, features.indptr), shape=shape)
        total: Tensor | None = None
        values = np.zeros((features.shape[0], 1))
        of_stages = [term for term in form.terms if isinstance(term.source, Stage)]
        for norms in {tuple(map(id, term.norms)): term.norms for term in of_stages}.values():
            weight = self._weight(form, norms, columns, occurring.dtype)
            _, values, weights = padded_entries(occurring, weight)
            factored = torch.from_numpy(weights)
            if norms:
                factored = factored * self.values.factor(norms)[..., None]
            total = factored if total is None else total + factored
        assert total is not None
        value = FEATURES if len(stages) == len(self.joint.stages) else self._picked(stages, values.shape[1], name)
        low, high = zip(*(stage.bounds for stage in stages), strict=True)
        return _Inputs(value, torch.from_numpy(values), total, ValueRange(min(low), max(high)))

    def _weight(self, form: Form, norms: Sequence[Norm], columns: Array, dtype: Any) -> Array:
        """The weights (O, columns) of all terms with these norms."""
        weight = np.zeros((form.width, len(columns)), dtype=dtype)
        for term in form.terms:
            if isinstance(term.source, Stage) and [*map(id, term.norms)] == [*map(id, norms)]:
                places = self.joint.places(term.source)
                first, last = np.searchsorted(columns, [places.start, places.stop])
                of_term = dense_weight(term.weight[:, columns[first:last] - places.start])
                if not term.absent:  # the weights of the absent features are those of the entry _constants
                    weight[term.rows, first:last] += of_term
        return weight

    def _chosen_features(self, stages: Sequence[Stage]) -> Any:
        """The features (N, J) of the batch; those of other stages are 0, so that they are no inputs of the step."""
        dtype = self.values.numpy_dtype
        if len(stages) == len(self.joint.stages):
            return self.features.astype(dtype)
        chosen = self.features.astype(dtype)
        of_stages = self._in_stages(stages)[chosen.indices]
        kept = np.concatenate([[0], np.cumsum(of_stages)])[chosen.indptr]
        return sparse.csr_matrix((chosen.data[of_stages], chosen.indices[of_stages], kept), shape=chosen.shape)

    def _in_stages(self, stages: Sequence[Stage]) -> Array:
        """(J,): whether each feature is one of these stages."""
        inside = np.zeros(self.features.shape[1], dtype=bool)
        for stage in stages:
            inside[self.joint.places(stage)] = True
        return inside

    def _picked(self, stages: Sequence[Stage], width: int, name: str) -> str:
        """Add the step that leaves out the features of all other stages: (N, E) to (N, ``width``)."""
        rows = self.features.shape[0]
        longest = max(1, int(np.diff(self.features.indptr).max(initial=0)))
        place = np.full((rows, width), longest)  # padding: one place after the last feature
        of_stages = self._in_stages(stages)[self.features.indices]
        for n in range(rows):
            chosen = np.flatnonzero(of_stages[self.features.indptr[n] : self.features.indptr[n + 1]])
            place[n, : len(chosen)] = chosen
        index = torch.from_numpy(place)

        def move(relevance: Tensor) -> Tensor:
            moved = relevance.new_zeros((*relevance.shape[:2], longest + 1))
            return moved.scatter_add_(2, index.expand_as(relevance), relevance)[..., :-1]

        value = f"{name}.features"
        self.steps.append(Routing(value, "routing", (FEATURES,), value, move))
        return value

    def _joined(self, inputs: Sequence[_Inputs], name: str) -> str:
        """Return the value with all inputs, which is a new one if there are several parts."""
        if len(inputs) == 1:
            return inputs[0].value
        value = f"{name}.inputs"
        sizes = tuple(each.inputs.shape[1] for each in inputs)
        self.steps.append(Concat(value, tuple(each.value for each in inputs), value, sizes))
        return value

    def _constants(self, form: Form, terms: Sequence[Term]) -> _Inputs:
        """One input of 1 for terms whose sum is a constant of each text; its weights are these sums.

        They are the features that a text does not have (BernoulliNB), or the labels that a chain predicted before.
        """
        one = self.values.ones()
        weight = one.new_zeros((len(one), 1, form.width))
        for term in terms:
            weight[:, 0, term.rows] += self.values.term(term) * self.values.factor(term.norms)
        return _Inputs("", one, weight, ValueRange(0.0, 1.0))

    def _bias(self, form: Form) -> Tensor:
        """(O,), or (N, O) if it depends on the text."""
        constants = [term for term in form.terms if term.source is None and not term.cause]
        if any(term.norms for term in constants):
            bias = self.values.ones().new_zeros((self.features.shape[0], form.width))
        else:
            bias = self.values.ones().new_zeros(form.width)
        for term in constants:
            of_term = torch.from_numpy(row_sums(term.weight)).to(bias.dtype)
            bias[..., term.rows] += of_term * self.values.factor(term.norms) if term.norms else of_term
        return bias


def _map_of(inputs: Sequence[_Inputs], counts: Array | None) -> LinearMap:
    """The map from all inputs; ``counts`` (N,) are their numbers without padding, None if none are padded."""
    rows = max(each.weight.shape[0] for each in inputs)
    values = torch.cat([each.inputs for each in inputs], dim=1) if len(inputs) > 1 else inputs[0].inputs
    weights = [each.weight.expand(rows, *each.weight.shape[1:]) for each in inputs]
    weight = torch.cat(weights, dim=1) if len(weights) > 1 else weights[0]
    box = _box([each.bounds for each in inputs], values.dtype)
    if counts is None and rows == 1:
        return Dense(values, weight[0].T, box)
    if counts is None:
        counts = np.full(len(values), values.shape[1])
    return Features(values, weight, torch.from_numpy(counts.astype(np.int64)), box)


def _box(bounds: Sequence[ValueRange], dtype: torch.dtype) -> Bounds | None:
    """Bounds of all inputs, if they are known; ZBox needs them."""
    low, high = min(each.low for each in bounds), max(each.high for each in bounds)
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return lambda: Box(torch.tensor(low, dtype=dtype), torch.tensor(high, dtype=dtype))
