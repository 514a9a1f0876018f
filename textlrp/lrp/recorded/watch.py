"""Observe the operations of a forward pass without changing the module.

A :class:`Watch` is a torch function mode, which torch calls for every operation. It tracks the token ids through
operations that only move them, to the embeddings that look up their vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from textlrp.errors import ModelError
from textlrp.lrp.recorded.randomness import is_random, names

NO_POSITION = -1
"""The position of an id that is not in the text, such as padding that the module adds."""

SQUASHES = names("softmax log_softmax softmin sigmoid hardsigmoid logsigmoid")
"""Operations that make probabilities of scores, if they are at the end of a module."""

FRESH = names(
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_full new_empty new_tensor"
)
"""Operations that use only the shape or dtype of their first argument."""

LIKE = names("expand_as view_as reshape_as type_as to")
"""Operations that use only the shape or dtype of their second argument."""

_INDEXED = frozenset({"getitem", "index_select", "gather", "take_along_dim"})
"""Moves whose second tensor contains indices."""


class Watch(TorchFunctionMode):
    """Tracks the ids (1, T). Subclasses define what happens at look-ups and at all other operations.

    ``skip`` is the position, among all softmax and sigmoid operations, of one that returns its input unchanged.
    """

    def __init__(self, ids: Tensor, skip: int | None = None) -> None:
        super().__init__()
        self.skip = skip
        self.squashes = 0
        self.draws: str | None = None  # the first operation that draws random numbers
        self.alive: list[Tensor] = [ids]  # keeps the tensors, because the id() of a deleted one may be used again
        self.positions: dict[int, Tensor] = {id(ids): torch.arange(ids.numel(), device=ids.device).reshape(ids.shape)}

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        """Return the result of an embedding or bag for the ``vectors`` (..., D) of the ids at ``positions`` (...)."""
        return arguments.bag_of(vectors) if arguments.bag else vectors

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Return the result of an operation that does not read ids."""
        return function(*args, **kwargs)

    def describe(self, operation: str) -> str:
        """Return an operation as messages name it."""
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
            self.draws = self.describe(operation)
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
            self._track_ids(operation, func, args, kwargs, result)
        return result

    def _lookups(self, operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Lookups | None:
        """The arguments of an embedding of the ids, or of ``table[ids]`` with a parameter (V, D) as table."""
        if operation in ("embedding", "embedding_bag"):
            arguments = Lookups(operation, args, kwargs)
            return arguments if id(arguments.ids) in self.positions else None
        if operation == "getitem" and isinstance(args[0], nn.Parameter) and id(args[1]) in self.positions:
            # a parameter (V,) has a number for each word and no vector: a constant
            return Lookups("embedding", (args[1], args[0]), {}) if args[0].dim() == 2 else None
        return None

    def _track_ids(
        self, operation: str, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Track integers in a result that are ids, moved or changed one by one. Masks and counts are constants."""
        results = list(tensors_in(result))
        integers = [tensor for tensor in results if not tensor.is_floating_point() and tensor.dtype != torch.bool]
        if not integers:
            return
        read = {id(t): self.positions[id(t)] for t in tensors_in((args, kwargs)) if id(t) in self.positions}
        as_index = operation in _INDEXED and id(args[0]) not in self.positions  # ids that are indices do not move
        if operation in MOVES and not as_index:
            # repeat the move with the positions of the ids, and with 1 and 0: an entry that is the same for both is
            # not one of the ids but was inserted by the operation
            filled = ({key: fill(ids) for key, ids in read.items()} for fill in (torch.ones_like, torch.zeros_like))
            moved, ones, zeros = (
                list(tensors_in(replayed(func, args, kwargs, instead))) for instead in (read, *filled)
            )
            for ids, positions, one, zero in zip(results, moved, ones, zeros, strict=True):
                if any(ids is tensor for tensor in integers):
                    self.positions[id(ids)] = torch.where(one != zero, positions, NO_POSITION)
        elif len(integers) == 1 and integers[0].shape == next(iter(read.values())).shape:
            self.positions[id(integers[0])] = next(iter(read.values()))
        self.alive += integers


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
        if bag and self.table.dtype in (torch.int32, torch.int64):  # old versions of torch have the table first
            self.ids, self.table = self.table, self.ids
        self.padding: int | None = given.get("padding_idx")
        if self.padding is not None and self.padding < 0:
            self.padding += len(self.table)
        self.offsets: Tensor | None = given.get("offsets")
        self.mode: str = given.get("mode", "mean")
        self.weights: Tensor | None = given.get("per_sample_weights")
        self.max_norm: float | None = given.get("max_norm")

    def bag_weights(self) -> Tensor:
        """Return the weight (N, T) of each id in its bag."""
        ids = self.ids if self.ids.dim() == 2 else self.ids[None]
        counted = torch.ones(ids.shape, dtype=self.table.dtype)
        if self.padding is not None:
            counted = counted * (ids != self.padding)
        if self.weights is not None:
            return counted * self.weights.reshape(ids.shape)
        return counted / counted.sum(dim=1, keepdim=True).clamp(min=1) if self.mode == "mean" else counted

    def bag_of(self, vectors: Tensor) -> Tensor:
        """Return the result (N, D) of the embedding bag for vectors (N, T, D), or (T, D) of a single bag."""
        if self.mode == "max":
            counted = self.bag_weights() > 0
            whole = vectors if vectors.dim() == 3 else vectors[None]
            largest = whole.masked_fill(~counted[..., None], -torch.inf).max(dim=1).values
            return torch.where(counted.any(dim=1, keepdim=True), largest, 0)
        return weighted_sum(vectors, self.bag_weights().to(vectors.dtype))

    def check_range(self, positions: Tensor) -> None:
        """Raise :class:`ModelError` if the table has no row for an id."""
        rows = len(self.table)
        outside = (self.ids < 0) | (self.ids >= rows)
        if outside.any():
            word = int(positions[outside][0])
            where = f"word {word + 1}" if word >= 0 else "padding"
            raise ModelError(
                f"token ids must be from 0 to {rows - 1}, because the embedding of the module has {rows} rows; got "
                f"{int(self.ids[outside][0])} for {where}. Pass the vocabulary or tokenizer of the module."
            )


def weighted_sum(vectors: Tensor, weights: Tensor) -> Tensor:
    """Return the sum (N, D) of vectors (N, T, D), or (T, D) with N = 1, with weights (N, T)."""
    return (weights[..., None] * vectors).sum(dim=-2)


MOVES = names(
    "view reshape flatten ravel unflatten transpose swapaxes swapdims permute movedim moveaxis T mT t squeeze "
    "unsqueeze expand expand_as broadcast_to repeat tile repeat_interleave getitem narrow select index_select "
    "gather take_along_dim pad cat concat concatenate stack hstack vstack split chunk unbind tensor_split flip "
    "roll view_as reshape_as masked_fill where pack_padded_sequence pad_packed_sequence contiguous clone unfold "
    "diagonal"
)
"""Operations that only move values, or insert constants between them."""


@lru_cache(maxsize=4096)
def operation_of(function: Callable[..., Any]) -> str:
    """Return the plain name of a function, method or property: ``relu`` for F.relu, Tensor.relu_ and torch.relu."""
    name: str = resolve_name(function) or getattr(function, "__name__", str(function))
    parts = name.split(".")
    last = parts[-2] if parts[-1] in ("__get__", "__set__") and len(parts) > 1 else parts[-1]
    plain = last.strip("_")
    return plain[1:] if plain in _IN_PLACE_OPERATORS else plain


def written_in_place(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the tensors that an operation changes in place, if any."""
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
    """Yield the tensors in nested tuples, lists and dictionaries, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            if isinstance(part, (Tensor, tuple, list, dict)):  # most other parts are numbers
                yield from tensors_in(part)


def replayed(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], instead: dict[int, Tensor]
) -> Any:
    """Return the result of an operation with some tensors replaced; ``instead`` has the new ones by id()."""

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
