"""Detect values that depend on the words but were computed by operations that cannot be observed.

A scripted function, ``torch.func`` or a view as another tensor class computes values outside of torch's function
mode. In a recorded trace such a value would be a constant, and its relevance would be lost. The autograd graph does
contain these dependencies, so it is compared with the operations observed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.recorded.replaced_vectors import evaluating, output_of
from textlrp.lrp.recorded.watch import Lookups, Watch, tensors_in, written_in_place


def check_all_tracked(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> None:
    """Raise :class:`ModelError` if a value depends on the words by autograd, but by no operation observed."""
    watch = _Graph(ids)
    with evaluating(module), torch.enable_grad():
        try:
            with watch:
                output = output_of(forward(ids))
        except RuntimeError:  # a forward pass that runs only without gradients has no graph to compare with
            return
    watch.check([output], "the output of the module")


def check_not_compiled(module: nn.Module) -> None:
    """Raise :class:`ModelError` if a part of the module is compiled, because its operations cannot be observed."""
    for name, part in module.named_modules():
        compiled = hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None
        if compiled or isinstance(part, torch.jit.ScriptModule):
            which = f"the module {name!r}" if name else "the module"
            raise ModelError(
                f"{which} is compiled, and textlrp cannot observe its operations. Pass the module that was compiled, "
                "or one on which compile() was not called."
            )


def check_not_quantized(module: nn.Module) -> None:
    """Raise :class:`ModelError` if a part of the module has integers as weights: it passes no gradients."""
    for name, part in module.named_modules():
        integers = any(not weight.is_floating_point() for weight in part.parameters(recurse=False))
        if integers or "quantized" in type(part).__module__.split("."):
            raise ModelError(
                f"the module must have floating-point weights; its {name!r} ({type(part).__name__}) is quantized. "
                "Load it without quantization, or use method='occlusion', 'lime' or 'shap'."
            )


def check_observable(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> None:
    """Raise :class:`ModelError` if an operation of ``forward(ids)`` on values of the words cannot be observed."""
    check_not_compiled(module)
    check_not_quantized(module)
    check_all_tracked(module, ids, forward)


class _Graph(Watch):
    """Runs a module with gradients, and compares the autograd graph with the operations observed."""

    def __init__(self, ids: Tensor) -> None:
        super().__init__(ids)
        self.leaves: list[Tensor] = []
        self.tracked: dict[int, Tensor] = {}
        self.searched: dict[int, Any] = {}

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        leaf = vectors.detach().requires_grad_()
        self.leaves.append(leaf)
        result = super().looked_up(leaf.clone(), positions, arguments)
        self.tracked[id(result)] = result
        return result

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        read = list(tensors_in((args, kwargs)))
        self.check(read, repr(operation))
        depends = any(id(tensor) in self.tracked for tensor in read)
        result = function(*args, **kwargs)
        if depends:
            written = (*tensors_in(result), *written_in_place(function, args, kwargs))
            self.tracked |= {id(tensor): tensor for tensor in written}
        return result

    def check(self, tensors: Sequence[Tensor], where: str) -> None:
        """Raise :class:`ModelError` on a tensor that depends on the words and is not tracked."""
        for tensor in tensors:
            if id(tensor) not in self.tracked and tensor.grad_fn is not None and self._reaches_words(tensor.grad_fn):
                raise ModelError(
                    f"a value that depends on the words reaches {where} through an operation that textlrp cannot "
                    "observe, such as a torch.jit.script function, torch.func or a subclass of Tensor. Use plain "
                    "torch operations instead."
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
            self.searched[id(node)] = node  # keeps the node, because the id() of a deleted one may be used again
            waiting += [before for before, _ in node.next_functions]
        return False
