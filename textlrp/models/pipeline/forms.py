"""Forms: what a part of a scikit-learn pipeline computes, as sums of weights × features of the text.

Steps that mix features (a singular value decomposition, a linear classifier, the mean of several) are affine, so any
chain of them is one matrix and one bias for each group of features. A form keeps these products instead of the
steps. Two things are not affine and stay visible: division by a norm, whose factor is a constant of the text, and
the activation of hidden units. Open it to support a step that mixes features.

Letters: N texts, J features of a source, O outputs of a form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.arrays import Array
from textlrp.models.pipeline.stages import Stage


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A sum of ``terms`` with O = ``width`` outputs."""

    terms: tuple[Term, ...]
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """A factor of each text: ``factor`` maps the outputs (..., O) of ``form`` to (..., 1)."""

    form: Form
    factor: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Hidden units: an ``activation`` of each output of ``form``.

    ``shift`` maps the outputs (..., O) to (..., 1), which is added before the activation as a constant of the text.
    ``bounds`` are the smallest and the largest possible value, 0 included.
    """

    name: str
    form: Form
    activation: Callable[[Tensor], Tensor]
    shift: Callable[[Tensor], Tensor] | None = None
    bounds: tuple[float, float] = (-np.inf, np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """``weight`` (R, J) times the J features of ``source``: outputs ``start`` to ``start`` + R of a form.

    The source is a stage of a pipeline, hidden units, or None for a single feature that is always 1. ``weight`` is
    an array or a sparse matrix. The term is multiplied by the factors of its ``norms``. ``absent``: each feature
    counts as 1 minus its value, so that the features that a text does not have contribute their weights. ``cause`` is
    the name in the ledger of a constant that is no bias.
    """

    source: Stage | Hidden | None
    weight: Any
    start: int = 0
    norms: tuple[Norm, ...] = ()
    absent: bool = False
    cause: str = ""

    @property
    def rows(self) -> slice:
        """Which outputs of the form the term contributes to."""
        return slice(self.start, self.start + self.weight.shape[0])


# ---- building forms


def identity_form(source: Stage | Hidden) -> Form:
    """Return the form whose outputs are the features of a source."""
    width = len(source.column) if isinstance(source, Stage) else source.form.width
    return Form((Term(source, sparse.eye_array(width, format="csr")),), width)


def constant_form(values: Array) -> Form:
    """Return the form that has the outputs (O,) for every text."""
    return Form((Term(None, np.asarray(values, dtype=np.float64)[:, None]),), len(values))


def affine(form: Form, weight: Any, bias: Array | None = None) -> Form:
    """Return ``weight`` (P, O) @ form + ``bias`` (P,): a form with P outputs."""
    columns = sparse.csc_array(weight) if sparse.issparse(weight) else weight
    terms = [replace(term, weight=_product(columns[:, term.rows], term.weight), start=0) for term in form.terms]
    if bias is not None:
        terms += constant_form(bias).terms
    return Form(_summed_terms(terms), weight.shape[0])


def mean_form(forms: Sequence[Form], shares: Sequence[float] | None = None) -> Form:
    """Return the weighted sum of forms with the same outputs; the shares are equal unless they are given."""
    parts = shares if shares is not None else [1 / len(forms)] * len(forms)
    scaled = [affine(form, share * np.eye(form.width)) for form, share in zip(forms, parts, strict=True)]
    return Form(_summed_terms([term for form in scaled for term in form.terms]), forms[0].width)


def contrasted(form: Form) -> Form:
    """Return scores minus their mean over classes, which changes neither the prediction nor the softmax."""
    return affine(form, np.eye(form.width) - 1 / form.width)


def joined_form(forms: Sequence[Form]) -> Form:
    """Return the form with the outputs of several forms, one after the other."""
    terms, width = [], 0
    for form in forms:
        terms += [replace(term, start=term.start + width) for term in form.terms]
        width += form.width
    return Form(tuple(terms), width)


def normalized_form(form: Form, factor: Callable[[Tensor], Tensor]) -> Form:
    """Return the form multiplied by a factor of each text, (..., O) -> (..., 1)."""
    norm = Norm(form, factor)
    return Form(tuple(replace(term, norms=(*term.norms, norm)) for term in form.terms), form.width)


def _product(one: Any, other: Any) -> Any:
    product = one @ other
    return sparse.csr_array(product) if sparse.issparse(product) else np.asarray(product)


def _summed_terms(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Add up the weights of terms that have everything else in common."""
    merged: dict[tuple[Any, ...], Term] = {}
    for term in terms:
        key = (id(term.source), *map(id, term.norms), term.absent, term.cause, term.start, term.weight.shape[0])
        if key in merged:
            term = replace(term, weight=merged[key].weight + term.weight)
        merged[key] = term
    return tuple(merged.values())


# ---- reading forms


def stages_of(form: Form) -> list[Stage]:
    """Return the distinct stages that a form reads, directly or through hidden units and norms."""
    found: dict[int, Stage] = {}
    for each in nested_forms(form):
        for term in each.terms:
            if isinstance(term.source, Stage):
                found.setdefault(id(term.source), term.source)
    return list(found.values())


def nested_forms(form: Form) -> list[Form]:
    """Return the form and all forms that it depends on, each once."""
    waiting, found = [form], dict[int, Form]()
    while waiting:
        each = waiting.pop()
        if id(each) in found:
            continue
        found[id(each)] = each
        for term in each.terms:
            waiting += [norm.form for norm in term.norms]
            if isinstance(term.source, Hidden):
                waiting.append(term.source.form)
    return list(found.values())


class Evaluation:
    """The values of forms for one batch, or for alternatives of one text; each is computed once.

    ``product`` returns ``weight`` times the features for a term over a stage: (..., R).
    """

    def __init__(self, product: Callable[[Term], Tensor], like: Tensor) -> None:
        self._product = product
        self._like = like
        self._known: dict[int, Tensor] = {}

    @property
    def numpy_dtype(self) -> str:
        """The dtype of all values, by numpy's name."""
        return str(self._like.dtype).removeprefix("torch.")

    def ones(self) -> Tensor:
        """Return (..., 1) ones."""
        return self._like.new_ones((*self._like.shape, 1))

    def values(self, form: Form) -> Tensor:
        """Return the outputs (..., O) of a form."""
        parts: dict[int, Tensor] = {}
        for term in form.terms:
            value = self._term(term)
            parts[term.start] = parts[term.start] + value if term.start in parts else value
        return torch.cat([parts[start] for start in sorted(parts)], dim=-1)

    def factor(self, norms: Sequence[Norm]) -> Tensor:
        """Return the product (..., 1) of the factors of the text."""
        factor = self.ones()
        for norm in norms:
            factor = factor * self._once(norm, partial(self._factor, norm))
        return factor

    def _factor(self, norm: Norm) -> Tensor:
        return norm.factor(self.values(norm.form))

    def before(self, hidden: Hidden) -> Tensor:
        """Return the input (..., O) of the activation."""
        return self.values(hidden.form) + self.shift(hidden)

    def shift(self, hidden: Hidden) -> Tensor:
        """Return the shift (..., 1) of hidden units."""
        if hidden.shift is None:
            return self._like.new_zeros((*self._like.shape, 1))
        return hidden.shift(self.values(hidden.form))

    def units(self, hidden: Hidden) -> Tensor:
        """Return the values (..., O) of hidden units."""
        return self._once(hidden, lambda: hidden.activation(self.before(hidden)))

    def term(self, term: Term) -> Tensor:
        """Return what a term contributes to its outputs, (..., R), without its norms."""
        if isinstance(term.source, Stage):
            return self._product(term)
        weight = torch.from_numpy(dense_weight(term.weight)).to(self._like.dtype)
        if term.source is None:
            return weight[:, 0].expand(*self._like.shape, len(weight))
        return self.units(term.source) @ weight.T

    def _term(self, term: Term) -> Tensor:
        value = self.term(term)
        return value * self.factor(term.norms) if term.norms else value

    def _once(self, key: object, compute: Callable[[], Tensor]) -> Tensor:
        if id(key) not in self._known:
            self._known[id(key)] = compute()
        return self._known[id(key)]


def dense_weight(weight: Any) -> Array:
    """Return a weight as an array."""
    return np.asarray(weight.toarray() if sparse.issparse(weight) else weight)
