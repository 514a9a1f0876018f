"""Watch a module's forward pass from the token ids on, without touching the module.

A :class:`Watch` is a torch function mode: it sees every torch operation of a forward pass. It follows the token ids
through operations that only move them, to the embeddings that look them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from textlrp.errors import ModelError
from textlrp.lrp.recorded.randomness import is_random, names

NOWHERE = -1
"""The position of an id that was made up on the way: padding."""

SQUASHES = names("softmax log_softmax softmin sigmoid hardsigmoid logsigmoid")
"""Operations that make probabilities of scores, where they stand at the end."""

FRESH = names(
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_full new_empty new_tensor"
)
"""Operations that take no more than a shape or a type from their first argument."""

LIKE = names("expand_as view_as reshape_as type_as to")
"""Operations that take no more than that from their second argument."""

_INDEXED = frozenset({"getitem", "index_select", "gather", "take_along_dim"})
"""Moves that read positions from another tensor."""


class Watch(TorchFunctionMode):
    """Follows the ids (1, T); subclasses decide about looked-up vectors and all other operations.

    ``skip`` is the ordinal of a softmax or sigmoid that is left out, so that its input is what it would have given.
    """

    def __init__(self, ids: Tensor, skip: int | None = None) -> None:
        super().__init__()
        self.skip = skip
        self.squashes = 0
        self.draws: str | None = None  # the first operation that draws random numbers
        self.alive: list[Tensor] = [ids]  # an id() names a tensor only while it lives
        self.positions: dict[int, Tensor] = {id(ids): torch.arange(ids.numel()).reshape(ids.shape)}

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        """The result of an embedding or bag: ``vectors`` (..., D) of the ids at ``positions`` (...)."""
        return arguments.bag_of(vectors) if arguments.bag else vectors

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Any operation that is not about ids."""
        return function(*args, **kwargs)

    def place(self, operation: str) -> str:
        """An operation as messages name it."""
        return repr(operation)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        operation = operation_of(func)
        if operation in SQUASHES:
            self.squashes += 1
            if self.squashes - 1 == self.skip:
                return args[0] if args else kwargs["input"]
        if self.draws is None and is_random(operation, args, kwargs):
            self.draws = self.place(operation)
        arguments = self._lookups(operation, args, kwargs)
        if arguments is not None:
            positions = self.positions[id(arguments.ids)]
            arguments.check_range(positions)
            vectors = nn.functional.embedding(arguments.ids, arguments.table)
            return self.looked_up(vectors, positions, arguments)
        read = [tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self.positions]
        if not read or (operation in LIKE and id(args[0]) not in self.positions):
            return self.other(operation, func, args, kwargs)
        result = func(*args, **kwargs)
        if operation not in FRESH:
            self._follow(operation, func, args, kwargs, result)
        return result

    def _lookups(self, operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Lookups | None:
        """The arguments of an embedding of the ids, or of ``table[ids]`` with a parameter (V, D) as the table."""
        if operation in ("embedding", "embedding_bag"):
            arguments = Lookups(operation, args, kwargs)
            return arguments if id(arguments.ids) in self.positions else None
        if operation == "getitem" and isinstance(args[0], nn.Parameter) and id(args[1]) in self.positions:
            # a number for each word is not a vector but a constant
            return Lookups("embedding", (args[1], args[0]), {}) if args[0].dim() == 2 else None
        return None

    def _follow(
        self, operation: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Note where the ids went: whole numbers that are ids moved about, or changed one by one.

        A mask or a count made of them is a constant.
        """
        found = list(tensors_in(result))
        whole = [tensor for tensor in found if not tensor.is_floating_point() and tensor.dtype != torch.bool]
        if not whole:
            return
        read = {id(t): self.positions[id(t)] for t in tensors_in((args, kwargs)) if id(t) in self.positions}
        indexed = operation in _INDEXED and id(args[0]) not in self.positions  # ids say where, and are not moved
        if operation in MOVES and not indexed:
            filled = ({key: fill(ids) for key, ids in read.items()} for fill in (torch.ones_like, torch.zeros_like))
            moved, ones, zeros = (
                list(tensors_in(replayed(func, args, kwargs, instead))) for instead in (read, *filled)
            )
            for ids, positions, one, zero in zip(found, moved, ones, zeros, strict=True):
                if any(ids is tensor for tensor in whole):  # where the two do not differ, it is none of the ids
                    self.positions[id(ids)] = torch.where(one != zero, positions, NOWHERE)
        elif len(whole) == 1 and whole[0].shape == next(iter(read.values())).shape:
            self.positions[id(whole[0])] = next(iter(read.values()))
        self.alive += whole


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
            counted = self.bag_weights() > 0
            whole = vectors if vectors.dim() == 3 else vectors[None]
            largest = whole.masked_fill(~counted[..., None], -torch.inf).max(dim=1).values
            return torch.where(counted.any(dim=1, keepdim=True), largest, 0)
        return weighted_sum(vectors, self.bag_weights().to(vectors.dtype))

    def check_range(self, positions: Tensor) -> None:
        """Raise :class:`ModelError` on an id that the table does not have."""
        rows = len(self.table)
        outside = (self.ids < 0) | (self.ids >= rows)
        if outside.any():
            word = int(positions[outside][0])
            place = f"word {word + 1} has" if word >= 0 else "padding has"
            raise ModelError(
                f"{place} the id {int(self.ids[outside][0])}, and the module's embedding has {rows} rows; ids from 0 "
                f"to {rows - 1} are wanted of the vocabulary."
            )


def weighted_sum(vectors: Tensor, weights: Tensor) -> Tensor:
    """(N, T, D), or (T, D) with N = 1, and weights (N, T) -> (N, D)."""
    return (weights[..., None] * vectors).sum(dim=-2)


MOVES = names(
    "view reshape flatten ravel unflatten transpose swapaxes swapdims permute movedim moveaxis T mT t squeeze "
    "unsqueeze expand expand_as broadcast_to repeat tile repeat_interleave getitem narrow select index_select "
    "gather take_along_dim pad cat concat concatenate stack hstack vstack split chunk unbind tensor_split flip "
    "roll view_as reshape_as masked_fill where pack_padded_sequence pad_packed_sequence contiguous clone unfold "
    "diagonal"
)
"""Operations that only move numbers about, or put constants between them."""


def operation_of(function: Callable[..., Any]) -> str:
    """The plain name of a torch function, method or property: ``relu`` for F.relu, Tensor.relu_ and torch.relu."""
    name: str = resolve_name(function) or getattr(function, "__name__", str(function))
    parts = name.split(".")
    last = parts[-2] if parts[-1] in ("__get__", "__set__") and len(parts) > 1 else parts[-1]
    plain = last.strip("_")
    return plain[1:] if plain in _IN_PLACE_OPERATORS else plain


def written_in_place(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensor that an operation writes into, if it does."""
    plain = getattr(function, "__name__", "")
    if (
        operation_of(function) == "setitem"
        or (plain.endswith("_") and not plain.startswith("_"))
        or (plain.startswith("__i") and plain.strip("_") in _IN_PLACE_OPERATORS)
    ):
        return [tensor for tensor in args[:1] if isinstance(tensor, Tensor) and tensor.is_floating_point()]
    return list(tensors_in(kwargs.get("out")))


_IN_PLACE_OPERATORS = ("iadd", "isub", "imul", "itruediv", "imatmul")


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
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], instead: dict[int, Tensor]
) -> Any:
    """The result of an operation with some tensors, by id(), replaced."""

    def put(value: Any) -> Any:
        if isinstance(value, Tensor):
            return instead.get(id(value), value)
        if isinstance(value, dict):
            return {name: put(part) for name, part in value.items()}
        if isinstance(value, (tuple, list)):
            parts = [put(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value

    return function(*put(tuple(args)), **put({name: value for name, value in kwargs.items() if name != "out"}))
