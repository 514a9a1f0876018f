"""Watch a module's forward pass from the token ids on, without touching the module.

A :class:`Watch` is a torch function mode: it sees every torch operation of a forward pass. It follows the token ids
through operations that only move them, and says where an embedding looks them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

NOWHERE = -1
"""The position of an id that was made up on the way: padding."""

SQUASHES = frozenset({"softmax", "log_softmax", "softmin", "sigmoid", "hardsigmoid", "logsigmoid"})
"""Operations that make probabilities of scores, where they stand at the end."""

_SHAPE_ONLY = {
    "zeros_like",
    "ones_like",
    "empty_like",
    "full_like",
    "rand_like",
    "randn_like",
    "new_zeros",
    "new_ones",
}
_BORROWS_A_SHAPE = {"expand_as", "view_as", "reshape_as", "type_as", "to"}


class Watch(TorchFunctionMode):
    """Follows the ids (1, T); subclasses say what becomes of looked-up vectors and of all other operations.

    ``skip`` is the ordinal of a softmax or sigmoid that is left out, so that its input is what it would have given.
    """

    def __init__(self, ids: Tensor, skip: int | None = None) -> None:
        super().__init__()
        self.skip = skip
        self.squashes = 0
        self.alive: list[Tensor] = [ids]  # an id() names a tensor only while it lives
        self.positions: dict[int, Tensor] = {id(ids): torch.arange(ids.numel()).reshape(ids.shape)}

    def looked_up(self, vectors: Tensor, positions: Tensor, call: Callable[..., Any], arguments: Lookups) -> Any:
        """What an embedding answers: ``vectors`` (..., D) of the ids at ``positions`` (...)."""
        raise NotImplementedError

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Any operation that is not about ids."""
        return function(*args, **kwargs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        operation = operation_of(func)
        if operation in SQUASHES:
            self.squashes += 1
            if self.squashes - 1 == self.skip:
                return args[0] if args else kwargs["input"]
        if operation in ("embedding", "embedding_bag"):
            arguments = Lookups(operation, args, kwargs)
            positions = self.positions.get(id(arguments.ids))
            if positions is not None:
                vectors = nn.functional.embedding(arguments.ids, arguments.table)
                return self.looked_up(vectors, positions, func, arguments)
        if not any(id(tensor) in self.positions for tensor in tensors_in((args, kwargs))):
            return self.other(operation, func, args, kwargs)
        result = func(*args, **kwargs)
        self._follow(operation, func, args, kwargs, result)
        return result

    def _follow(
        self, operation: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Note where the ids went: whole numbers that are ids moved about, or changed one by one."""
        if operation in _SHAPE_ONLY or (operation in _BORROWS_A_SHAPE and id(args[0]) not in self.positions):
            return
        whole = [t for t in tensors_in(result) if not t.is_floating_point() and t.dtype != torch.bool]
        if not whole:
            return
        read = [t for t in tensors_in((args, kwargs)) if id(t) in self.positions]
        same = [t for t in whole if t.shape == read[0].shape]
        if operation not in MOVES and len(whole) == 1 and same:
            self.follow(whole[0], self.positions[id(read[0])])
        elif operation in MOVES:
            moved = replayed(func, args, kwargs, {id(t): self.positions[id(t)] for t in read}, others=NOWHERE)
            for found, positions in zip(tensors_in(result), tensors_in(moved), strict=True):
                if any(found is t for t in whole):
                    self.follow(found, positions)

    def follow(self, ids: Tensor, positions: Tensor) -> None:
        """From now on these are ids, of these positions."""
        self.alive.append(ids)
        self.positions[id(ids)] = positions


class Lookups:
    """The arguments of an embedding or an embedding bag, by name."""

    def __init__(self, operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        bag = operation == "embedding_bag"
        names = (
            ("input", "weight", "offsets", "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse",
             "per_sample_weights", "include_last_offset", "padding_idx")
            if bag
            else ("input", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
        )  # fmt: skip
        given = dict(zip(names, args, strict=False)) | kwargs
        self.bag = bag
        self.ids: Tensor = given["input"]
        self.table: Tensor = given["weight"]
        if bag and self.table.dtype in (torch.int32, torch.int64):  # the order of old versions
            self.ids, self.table = self.table, self.ids
        self.padding: int | None = given.get("padding_idx")
        if self.padding is not None and self.padding < 0:
            self.padding += len(self.table)
        self.offsets: Tensor | None = given.get("offsets")
        self.mode: str = given.get("mode", "mean")
        self.weights: Tensor | None = given.get("per_sample_weights")
        self.max_norm: float | None = given.get("max_norm")

    def bag_weights(self) -> Tensor:
        """(N, T) what each id counts in its bag."""
        ids = self.ids if self.ids.dim() == 2 else self.ids[None]
        counted = torch.ones(ids.shape, dtype=self.table.dtype)
        if self.padding is not None:
            counted = counted * (ids != self.padding)
        if self.weights is not None:
            return counted * self.weights.reshape(ids.shape)
        return counted / counted.sum(dim=1, keepdim=True).clamp(min=1) if self.mode == "mean" else counted

    def bag_of(self, vectors: Tensor) -> Tensor:
        """(N, D) what the embedding bag makes of the vectors (N, T, D), or (T, D) of a single bag."""
        if self.mode == "max":
            return (vectors if vectors.dim() == 3 else vectors[None]).amax(dim=1)
        return weighted_sum(vectors, self.bag_weights().to(vectors.dtype))


def weighted_sum(vectors: Tensor, weights: Tensor) -> Tensor:
    """(N, T, D), or (T, D) with N = 1, and weights (N, T) -> (N, D)."""
    return (weights[..., None] * vectors).sum(dim=-2)


def names(listed: str) -> list[str]:
    """Names that are separated by blanks."""
    return listed.split()


MOVES = frozenset(
    names(
        "view reshape flatten ravel unflatten transpose swapaxes swapdims permute movedim moveaxis T mT t squeeze "
        "unsqueeze expand expand_as broadcast_to repeat tile repeat_interleave getitem narrow select index_select "
        "gather take_along_dim pad cat concat concatenate stack hstack vstack split chunk unbind tensor_split flip "
        "roll view_as reshape_as masked_fill where pack_padded_sequence pad_packed_sequence contiguous clone unfold"
    )
)
"""Operations that only move numbers about, or put constants between them."""


def operation_of(function: Callable[..., Any]) -> str:
    """The plain name of a torch function, method or property: ``relu`` for F.relu, Tensor.relu_ and torch.relu."""
    name: str = resolve_name(function) or getattr(function, "__name__", str(function))
    parts = name.split(".")
    last = parts[-2] if parts[-1] in ("__get__", "__set__") and len(parts) > 1 else parts[-1]
    plain = last.strip("_")
    return plain[1:] if plain in _IN_PLACE else plain


_IN_PLACE = ("iadd", "isub", "imul", "itruediv", "imatmul")


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dictionaries, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_in(part)


def replayed(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    instead: dict[int, Tensor],
    *,
    others: float | None = None,
) -> Any:
    """The result of an operation with some tensors, by id(), replaced.

    With ``others`` every other tensor of the same kind of number is filled with that value.
    """
    floating = next(iter(instead.values())).is_floating_point() if instead else False

    def put(value: Any) -> Any:
        if isinstance(value, Tensor):
            if id(value) in instead:
                return instead[id(value)]
            alike = value.is_floating_point() == floating and value.dtype != torch.bool
            return torch.full_like(value, others) if others is not None and alike else value
        if isinstance(value, dict):
            return {name: put(part) for name, part in value.items()}
        if isinstance(value, (tuple, list)):
            parts = [put(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value

    return function(*put(tuple(args)), **put(dict(kwargs)))
