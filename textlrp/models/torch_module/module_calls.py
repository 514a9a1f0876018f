"""Call a user's PyTorch module with the lengths and padding it needs, and find the output with the class scores.

Letters: N documents, L words the module reads, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError, OptionError, TextlrpError
from textlrp.lrp.recorded.replaced_vectors import evaluating
from textlrp.models.outputs import choose_output, named_outputs, outputs_with_shapes
from textlrp.models.torch_module.refusals import FORWARD_ERRORS, NO_GRADIENT, OFFSETS_HINT, on_one_line, unreadable
from textlrp.text.batches import Batch

MAX_PADDING = 64
"""The longest padded text that is tried, to find the minimum length of a module's input."""

Forward = Callable[[Tensor], Any]
"""Token ids (N, L) -> what the module returns."""


class ModuleCalls:
    """How to call a module. Each method gets the module to call: the user's own, or a copy of it in another dtype.

    ``output`` names the output that has the class scores. If it is None, :meth:`choose_output` finds it.
    """

    def __init__(self, *, lengths: bool | str | None, padding: int, min_length: int, output: str | None) -> None:
        self.lengths = lengths
        self.padding = padding
        self.min_length = min_length
        self.output = output
        self._chosen = False
        self._output_given = output is not None

    def one_text(self, module: nn.Module, batch: Batch, n: int) -> tuple[Tensor, Forward]:
        """Return the ids (1, L) of a text, and the function from ids to its class scores."""
        return ids_of_text(batch, n), self.forward(module, int(batch.lengths[n]))

    def forward(self, module: nn.Module, *lengths_of_texts: int) -> Forward:
        """Return the function from ids (N, L) to class scores, for texts of these lengths."""
        whole = self._all_outputs(module, lengths_of_texts, self.min_length)
        return lambda ids: self._scores_in(whole(ids))

    def choose_output(self, module: nn.Module, ids: Tensor, classes: int | None) -> None:
        """Find the output with the class scores, on the first call: its size does not depend on the text.

        ``classes``: the number of classes, None if it is not known.
        """
        if self._chosen:
            return
        shapes = self._shapes(module, ids)
        if shapes and not self._output_given:
            longer = ids.repeat(1, 2 + self.min_length // max(1, ids.shape[1]))  # must also be longer than min_length
            try:
                shapes_of_longer = self._shapes(module, longer)
            except FORWARD_ERRORS:  # the module may not accept a text of that length
                shapes_of_longer = None
            self.output = choose_output(shapes, shapes_of_longer, classes)
        self._chosen = True

    @contextmanager
    def explained_errors(self, module: nn.Module, batch: Batch, n: int) -> Iterator[None]:
        """Convert errors of the user's forward to one sentence that names the text."""
        name, length = batch.readings[n].document_id, int(batch.lengths[n])
        try:
            yield
        except TextlrpError:
            raise
        except FORWARD_ERRORS as problem:
            if not length:
                raise unreadable(batch.readings[n]) from problem
            if "nference tensor" in str(problem):  # torch's message if forward uses inference_mode()
                raise ModelError(NO_GRADIENT) from problem
            raise ModelError(
                f"module raised an error for text {name!r} of {length} word{'s' * (length != 1)}: "
                f"{on_one_line(problem)}{self._hint(module, batch, n, problem)}"
            ) from problem

    def _all_outputs(self, module: nn.Module, lengths_of_texts: tuple[int, ...], min_length: int) -> Forward:
        """Return the function from ids (N, L) to everything the module returns."""
        lengths = torch.tensor(lengths_of_texts)

        def forward(ids: Tensor) -> Any:
            if ids.shape[1] < min_length:
                ids = nn.functional.pad(ids, (0, min_length - ids.shape[1]), value=self.padding)
            if not self.lengths:
                return module(ids)
            return module(ids, lengths) if self.lengths is True else module(ids, **{self.lengths: lengths})

        return forward

    def _scores_in(self, result: Any) -> Any:
        if self.output is None:
            return result
        outputs = named_outputs(result)
        if self.output in outputs:
            return outputs[self.output]
        shapes = [(name, tuple(tensor.shape)) for name, tensor in outputs.items()]
        raise OptionError(
            f"scores must be the name or position of an output of the module; got {self.output!r}. The module "
            f"returns {outputs_with_shapes(shapes) or 'no tensor'}."
        )

    def _shapes(self, module: nn.Module, ids: Tensor) -> list[tuple[str, tuple[int, ...]]]:
        with evaluating(module), torch.no_grad():
            outputs = named_outputs(self._all_outputs(module, (ids.shape[1],), self.min_length)(ids))
        return [(name, tuple(tensor.shape)) for name, tensor in outputs.items()]

    def _hint(self, module: nn.Module, batch: Batch, n: int, problem: Exception) -> str:
        """Advice on an error of the module, if the cause is known; else the empty string."""
        if "offsets" in str(problem):
            return OFFSETS_HINT
        ids = ids_of_text(batch, n)
        length = ids.shape[1]
        for longer in range(max(length, self.min_length) + 1, MAX_PADDING + 1):
            try:
                with evaluating(module), torch.no_grad():
                    self._all_outputs(module, (length,), longer)(ids)
            except FORWARD_ERRORS:
                continue
            return (
                f". The module accepts the text if it is padded: pass min_length={longer} to textlrp.wrap, and "
                f"padding= (the id of padding) if it is not {self.padding}."
            )
        return ""


def ids_of_text(batch: Batch, n: int) -> Tensor:
    """Return the ids (1, L) of one text, without padding."""
    return torch.from_numpy(batch.text(n)[None].copy())
