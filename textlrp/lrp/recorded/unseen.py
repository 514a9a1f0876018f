"""Find values that depend on the words without a torch operation that could be watched.

A scripted function, ``torch.func`` or a view as another tensor class makes a value outside of the function mode. On
the tape such a value would be a constant, and its relevance would be lost; torch's own graph knows better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.recorded.swapped_vectors import evaluating, output_of
from textlrp.lrp.recorded.watch import Lookups, Watch, tensors_in, written_in_place


def check_all_seen(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> None:
    """Raise :class:`ModelError` where torch's graph says that a value depends on the words and no watched operation
    does."""
    watch = _Graph(ids)
    with evaluating(module), torch.enable_grad():
        try:
            with watch:
                output = output_of(forward(ids))
        except RuntimeError:  # a forward pass that only runs without gradients has no graph to compare with
            return
    watch.check([output], "the end")


class _Graph(Watch):
    """Runs a module with gradients and compares torch's graph with the operations seen."""

    def __init__(self, ids: Tensor) -> None:
        super().__init__(ids)
        self.leaves: list[Tensor] = []
        self.seen: dict[int, Tensor] = {}
        self.searched: dict[int, Any] = {}

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        leaf = vectors.detach().requires_grad_()
        self.leaves.append(leaf)
        result = super().looked_up(leaf.clone(), positions, arguments)
        self.seen[id(result)] = result
        return result

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        read = list(tensors_in((args, kwargs)))
        self.check(read, repr(operation))
        known = any(id(tensor) in self.seen for tensor in read)
        result = function(*args, **kwargs)
        if known:
            made = (*tensors_in(result), *written_in_place(function, args, kwargs))
            self.seen |= {id(tensor): tensor for tensor in made}
        return result

    def check(self, tensors: Sequence[Tensor], where: str) -> None:
        """Raise on a tensor that is not known to depend on the words, and does."""
        for tensor in tensors:
            if id(tensor) not in self.seen and tensor.grad_fn is not None and self._reaches_words(tensor.grad_fn):
                raise ModelError(
                    f"a value that depends on the words reaches {where} by a way that textlrp cannot follow, such as "
                    "a torch.jit.script function, torch.func or a subclass of Tensor; use plain torch operations."
                )

    def _reaches_words(self, node: Any) -> bool:
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node is None or id(node) in self.searched:
                continue
            variable = getattr(node, "variable", None)
            if any(variable is leaf for leaf in self.leaves):
                return True
            self.searched[id(node)] = node  # kept, so that its id() stays its own
            waiting += [before for before, _ in node.next_functions]
        return False
