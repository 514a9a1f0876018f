"""Handlers of products: of a value and a constant, of a gate and a source, and of any two values.

Each value has a :class:`~textlrp.lrp.recorded.roles.Role`, which defines which of two factors is the gate. A strict
gate, such as the result of a sigmoid or the length that a value is divided by, never receives relevance. For
attention weights and gated layers the rule for products decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.factors import Multiplied, MultipliedMatrices
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.steps import Bilinear

WHICH_GATE = (
    "it multiplies two values that both depend on the words, and it is not clear which of them is the gate (a gate "
    "is the result of a sigmoid, a softmax or an activation)."
)
"""Of gate × source the source gets all relevance, so exactly one of two factors must be a gate."""

USE_HALVES = 'Pass rule="attnlrp": its rule Halves() for products gives each factor half of the relevance.'

REFLECTED = ("radd", "rsub", "rmul", "rdiv", "rtruediv")
"""The operators of Python that have their operands in reverse order."""


def operands(call: Call) -> tuple[Any, Any]:
    """Return the left and the right operand."""
    left, right = call.argument(0, "input"), call.argument(1, "other")
    return (right, left) if call.operation in REFLECTED else (left, right)


# ---- element by element


def multiplication(call: Call) -> None:
    """Through a constant factor or divisor relevance passes; products of two values: see the module."""
    left, right = operands(call)
    dividing = "div" in call.operation
    if call.tracks(right) and dividing:
        _division(call, left, right)
    elif call.tracks(left) and call.tracks(right):
        _multiplied(call, left, right)
    else:
        constant = right if call.tracks(left) else left
        factor = torch.as_tensor(call.numbers(constant))
        blocked = None if dividing or bool((factor != 0).all()) else (factor == 0).expand(call.outputs[0].shape)
        call.passes(blocked=blocked)


def _division(call: Call, left: Any, right: Tensor) -> None:
    """A division by a length, which is a constant; 1 / length is a length."""
    if call.role(right) != Role.LENGTH:
        raise call.refuse(
            "it divides by a value that depends on the words.",
            "It may only divide by a length or deviation: the result of sqrt(), norm(), std(), var() or pow().",
        )
    if call.tracks(left):
        call.product(right, left)
    else:
        length(call)


def _multiplied(call: Call, left: Tensor, right: Tensor) -> None:
    roles, names = (call.role(left), call.role(right)), (call.names[id(left)], call.names[id(right)])
    source = _position_of_source(*roles)
    strict = max(roles) in (Role.GATE, Role.LENGTH) or call.trace.roles.same_origin(names)
    if source is not None and strict:
        call.product(*((right, left) if source == 0 else (left, right)))
        return
    expanded = [call.expanded(factor) for factor in (left, right)]
    name = call.trace.step_name(call.operation)
    value = call.trace.write(call.outputs[0], call.operation)
    reads = (expanded[0][0], expanded[1][0])
    call.trace.steps.append(Multiplied(name, reads, value, source, str(call.refuse(WHICH_GATE, USE_HALVES))))
    call.trace.roles.multiplies(value, names)
    if names[0] == names[1]:  # a square
        call.trace.roles.set(value, Role.LENGTH)


def _position_of_source(left: Role, right: Role) -> int | None:
    """The position of the factor with the lower role; None if both have the same."""
    return None if left == right else int(left > right)


def length(call: Call) -> None:
    """A power, root, norm or deviation: a constant wherever it is a factor or divisor (Ali et al. 2022)."""
    value = call.stops(
        str(
            call.refuse(
                "it has no rule.",
                "Its result may only scale another value, as a length or deviation. Otherwise define how relevance "
                f"passes through it with @textlrp.register({call.operation!r}); see textlrp.register.",
            )
        )
    )
    reads = [call.names[id(tensor)] for tensor in call.tracked]
    if call.outputs[0].shape == call.numbers(call.tracked[0]).shape:
        call.trace.roles.follows(value, reads)
    call.trace.roles.set(value, Role.LENGTH)


# ---- matrices


def matrix_product(call: Call) -> None:
    """A dense layer without bias, or a product of two values, such as attention."""
    left = call.argument(0, "input")
    right = call.argument(1, "other", call.kwargs.get("mat2", call.kwargs.get("vec")))
    if call.operation == "rmatmul":
        left, right = right, left
    multiplied_matrices(call, left, right, torch.matmul)


def einsum(call: Call) -> None:
    """As :func:`matrix_product`, for ``einsum`` with two operands."""
    equation, *given = call.args
    factors = list(given[0]) if isinstance(given[0], (list, tuple)) else given
    if not isinstance(equation, str) or len(factors) != 2:
        raise call.refuse("only two operands are supported.")

    def apply(left: Tensor, right: Tensor) -> Tensor:
        result: Tensor = torch.einsum(equation, left, right)
        return result

    multiplied_matrices(call, factors[0], factors[1], apply)


def multiplied_matrices(call: Call, left: Tensor, right: Tensor, apply: Bilinear) -> None:
    """Record apply(left, right), which is linear in each of the two."""
    if not (call.tracks(left) and call.tracks(right)):
        source = 0 if call.tracks(left) else 1
        constant = right if source == 0 else left
        call.linear("dense", (left, right)[source], constant, _source_first(apply, source), layer=(constant,))
        return
    roles, numbers = (call.role(left), call.role(right)), (call.numbers(left), call.numbers(right))
    source_of_two = _position_of_source(*roles)
    if source_of_two is not None and max(roles) in (Role.GATE, Role.LENGTH):
        gate = numbers[1 - source_of_two]
        call.linear("sum", (left, right)[source_of_two], gate, _source_first(apply, source_of_two))
        return
    name = call.trace.step_name(call.operation)
    z = call.outputs[0]
    call.trace.steps.append(
        MultipliedMatrices(
            name,
            "product" if source_of_two is None else "weighted sum",
            (call.names[id(left)], call.names[id(right)]),
            call.trace.write(z, call.operation),
            (numbers[0].detach(), numbers[1].detach()),
            apply,
            z.detach().clone(),
            source_of_two,
            str(call.refuse(WHICH_GATE, USE_HALVES)),
        )
    )


def _source_first(apply: Bilinear, source: int) -> Bilinear:
    """``apply`` as a function of the source and the other factor, in this order."""
    return apply if source == 0 else lambda inputs, weight: apply(weight, inputs)


def matrices_and_sum(call: Call) -> None:
    """``addmm``, ``addbmm``, ``baddbmm``: a sum of a value and a product of matrices, or a dense layer."""
    added, left, right = call.argument(0, "input"), call.argument(1, "mat1"), call.argument(2, "mat2")
    plain = call.kwargs.get("beta", 1) == 1 == call.kwargs.get("alpha", 1)
    if call.operation == "addmm" and plain and not call.tracks(right) and not call.tracks(added):
        call.linear("dense", left, right, torch.matmul, bias=added, layer=(right, added))
        return
    call.expands(MATRICES_AND_SUM[call.operation])


def _added_product(product: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """beta × input + alpha × product(left, right); torch names the factors mat1 and mat2, or batch1 and batch2."""

    def added(input: Tensor, *factors: Tensor, beta: float = 1, alpha: float = 1, **named: Tensor) -> Tensor:
        left, right = (*factors, *(named[name] for name in sorted(named)))
        found = product(left, right)
        found = found if alpha == 1 else found * alpha
        return found if beta == 0 else found + (input if beta == 1 else input * beta)

    return added


MATRICES_AND_SUM = {
    "addmm": _added_product(torch.mm),
    "baddbmm": _added_product(torch.bmm),
    "addbmm": _added_product(lambda left, right: torch.bmm(left, right).sum(0)),
}
"""The operations with a sum of a value and a product of matrices, as the operations that they are made of."""
