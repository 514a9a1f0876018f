"""A second opinion on LRP of transformers: the module with its gates held constant, differentiated or occluded.

It uses nothing of textlrp. A torch function mode runs an unmodified module and replaces its nonlinear operations:

- the result of a softmax or sigmoid, of a length or deviation, and of an activation that is a factor is kept;
- an activation f(x) is x times the kept number f(x) / x;
- a LayerNorm subtracts the mean and multiplies by the kept 1 / deviation.

With all of these numbers kept, the module is affine in its word vectors, so CP-LRP is gradient × input, and also the
decrease of the score when a word vector is set to 0. For AttnLRP, attention weights are not kept, and the gradient of
each factor of a product is halved (the modified gradients of Achtibat et al. 2024, arXiv 2402.05602, appendix B).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

ACTIVATIONS = {"relu", "gelu", "silu", "tanh", "mish", "elu", "leaky_relu", "softplus", "hardswish", "relu6", "selu"}
LENGTHS = {"pow", "square", "sqrt", "rsqrt", "reciprocal", "norm", "vector_norm", "var", "std", "rpow"}
GATES = {"sigmoid", "erf"}
KEEPS_ROLE = {"dropout", "to", "float", "type", "type_as", "chunk", "split", "getitem", "view", "reshape",
              "transpose", "contiguous", "clone", "unsqueeze", "expand", "double"}  # fmt: skip


class HeldConstant(TorchFunctionMode):
    """Replaces nonlinear operations. ``kept`` has the numbers of an earlier pass; None keeps those of this pass.

    ``table`` is the weight of the word embedding and ``change`` a function of the looked-up vectors.
    """

    def __init__(
        self, table: Tensor, change: Callable[[Tensor], Tensor], *, halves: bool, kept: Sequence[Tensor] | None = None
    ) -> None:
        super().__init__()
        self.table, self.change, self.halves = table, change, halves
        self.kept: list[Tensor] = []
        self._given = None if kept is None else iter(kept)
        self._activations: dict[int, Tensor] = {}  # results of activations that may be factors

    def keep(self, compute: Callable[[], Tensor]) -> Tensor:
        value = compute().detach() if self._given is None else next(self._given)
        self.kept.append(value)
        return value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = _plain_name(func)
        if name == "embedding" and args[1] is self.table:
            return self.change(func(*args, **kwargs))
        handler = getattr(self, f"_{name}", None)
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        if not any(tensor.requires_grad for tensor in tensors if tensor.is_floating_point()):
            return func(*args, **kwargs)
        if name in ACTIVATIONS:
            return self._activation(func, args, kwargs)
        if name in LENGTHS or name in GATES:
            return self.keep(lambda: func(*args, **kwargs))
        if handler is not None:
            return handler(func, args, kwargs)
        result = func(*args, **kwargs)
        if name in KEEPS_ROLE and id(args[0]) in self._activations:
            self._mark(*(result if isinstance(result, (tuple, list)) else [result]))
        return result

    def _mark(self, *results: Tensor) -> None:
        self._activations |= {id(result): result for result in results}

    def _activation(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        x = args[0] if args else kwargs["input"]

        def ratio() -> Tensor:
            return torch.where(x == 0, 0, func(*args, **kwargs) / torch.where(x == 0, 1, x))

        result = x * self.keep(ratio)
        self._mark(result)
        return result

    # ---- sums and products

    def _add(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        result = func(*args, **kwargs)
        constants = [value for value in args if not (isinstance(value, Tensor) and value.requires_grad)]
        if constants and any(id(value) in self._activations for value in args):
            self._mark(result)
        return result

    _radd = _sub = _rsub = _add

    def _mul(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        left, right = args[:2]
        depend = [isinstance(value, Tensor) and value.requires_grad for value in (left, right)]
        if left is right:
            return self.keep(lambda: left * right)
        if not all(depend):
            result = func(*args, **kwargs)
            if any(id(value) in self._activations for value in (left, right)):
                self._mark(result)
            return result
        factors = [id(value) in self._activations for value in (left, right)]
        if factors[0] == factors[1]:
            return self._product(torch.mul, left, right)
        gate, source = (left, right) if factors[0] else (right, left)
        if self.halves and not self._of_one_value(gate, source):
            return self._product(torch.mul, left, right)
        result = source * self.keep(lambda: gate)
        if self._of_one_value(gate, source):
            self._mark(result)
        return result

    _rmul = _multiply = _mul

    def _of_one_value(self, gate: Tensor, source: Tensor) -> bool:
        """Whether a factor is a function of the other, as in x (1 + tanh(...)); found by the last linear layers."""
        return _linear_before(gate) == _linear_before(source)

    def _product(self, multiply: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor) -> Tensor:
        """A product without a gate; for CP-LRP it may only be part of the input of a softmax."""
        return multiply(_halved(left), _halved(right)) if self.halves else self.keep(lambda: multiply(left, right))

    def _matmul(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        left, right = (*args, *kwargs.values())[:2]
        if self.halves and left.requires_grad and right.requires_grad:
            return self._product(torch.matmul, left, right)
        return func(left, right)

    _bmm = _mm = _matmul

    def _einsum(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        equation, left, right = args
        if self.halves and left.requires_grad and right.requires_grad:
            return self._product(lambda a, b: func(equation, a, b), left, right)
        return func(equation, left, right)

    # ---- attention and normalization

    def _softmax(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        return func(*args, **kwargs) if self.halves else self.keep(lambda: func(*args, **kwargs))

    def _scaled_dot_product_attention(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        query, key, value = args[:3]
        mask, scale = kwargs.get("attn_mask"), kwargs.get("scale") or 1 / math.sqrt(query.shape[-1])
        if kwargs.get("enable_gqa"):
            repeats = query.shape[-3] // key.shape[-3]
            key, value = (x.repeat_interleave(repeats, dim=-3) for x in (key, value))
        if self.halves:
            query, key, value = _halved(query), _halved(key), _halved(value)
        scores = query @ key.transpose(-2, -1) * scale
        if kwargs.get("is_causal"):
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        weights = torch.softmax(scores, dim=-1)
        return (_halved(weights) if self.halves else self.keep(lambda: weights)) @ value

    def _layer_norm(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        options = dict(zip(("input", "normalized_shape", "weight", "bias", "eps"), args, strict=False)) | kwargs
        x, shape, epsilon = options["input"], options["normalized_shape"], options.get("eps", 1e-5)
        weight, bias = options.get("weight"), options.get("bias")
        axes = tuple(range(-len(shape), 0))
        centered = x - x.mean(axes, keepdim=True)
        result = centered * self.keep(lambda: 1 / torch.sqrt(x.var(axes, unbiased=False, keepdim=True) + epsilon))
        result = result if weight is None else result * weight
        return result if bias is None else result + bias

    def _rms_norm(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        return args[0] * self.keep(lambda: func(*args, **kwargs) / args[0])

    _normalize = _rms_norm


class InDouble(TorchFunctionMode):
    """Makes conversions to float32 inside of a module conversions to float64, for comparisons beyond 1e-8."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {name: _in_double(value) for name, value in (kwargs or {}).items()}
        args = tuple(_in_double(value) for value in args)
        return args[0].double() if _plain_name(func) == "float" else func(*args, **kwargs)


def _in_double(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


def _plain_name(func: Any) -> str:
    return (resolve_name(func) or getattr(func, "__name__", "")).split(".")[-1].strip("_")


def _halved(value: Tensor) -> Tensor:
    """The value with half of its gradient."""
    return value / 2 + (value / 2).detach()


def _linear_before(value: Tensor) -> set[tuple[int, int]]:
    """The outputs of the last linear layers and moves before a value, found in the autograd graph."""
    waiting, found = [(value.grad_fn, value.output_nr)], set()
    while waiting:
        node, output = waiting.pop()
        if node is None:
            continue
        if any(name in type(node).__name__ for name in ("Addmm", "Mm", "Bmm", "View", "Conv", "Split", "Slice")):
            found.add((id(node), output))
        else:
            waiting += node.next_functions
    return found


def relevance_of(
    module: nn.Module, table: Tensor, run: Callable[[], Tensor], *, halves: bool = False
) -> tuple[Tensor, Tensor]:
    """Return scores (C,) and gradient × input (C, L) of the word vectors with kept numbers, for each class.

    ``run`` calls the module on one text and returns its scores.
    """
    leaves: list[Tensor] = []

    def leaf(vectors: Tensor) -> Tensor:
        leaves.append(vectors.detach().requires_grad_())
        return leaves[-1]

    frozen = [parameter.requires_grad for parameter in module.parameters()]
    module.requires_grad_(False)
    with HeldConstant(table, leaf, halves=halves):
        scores = run().reshape(-1)
    gradients = [torch.autograd.grad(score, leaves, retain_graph=True) for score in scores]
    for parameter, before in zip(module.parameters(), frozen, strict=True):
        parameter.requires_grad_(before)
    found = [
        sum((gradient * vectors).detach().sum(-1).reshape(-1) for gradient, vectors in zip(each, leaves, strict=True))
        for each in gradients
    ]
    return scores.detach(), torch.stack(found)


def occluded(module: nn.Module, table: Tensor, run: Callable[[], Tensor], words: int) -> Tensor:
    """Return the decrease (C, L) of the scores of one text when each of its word vectors is set to 0.

    All numbers that CP-LRP holds constant are those of the whole text.
    """
    frozen = [parameter.requires_grad for parameter in module.parameters()]
    module.requires_grad_(False)
    with HeldConstant(table, lambda vectors: vectors.detach().requires_grad_(), halves=False) as whole:
        scores = run().reshape(-1).detach()
    decreases = []
    for word in range(words):

        def without(vectors: Tensor, word: int = word) -> Tensor:
            changed = vectors.detach().clone()
            changed.view(words, -1)[word] = 0
            return changed.requires_grad_()

        with HeldConstant(table, without, halves=False, kept=whole.kept):
            decreases.append(scores - run().reshape(-1).detach())
    for parameter, before in zip(module.parameters(), frozen, strict=True):
        parameter.requires_grad_(before)
    return torch.stack(decreases, dim=1)
