"""Call a user's PyTorch module: the lengths it takes, the padding it needs, and which output holds the class scores.

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
from textlrp.models.torch_module.refusals import CUT_OFF, FORWARD_ERRORS, OFFSETS, on_one_line, unreadable
from textlrp.text.batches import Batch

MOST_PADDING = 64
"""The longest padded text that is tried to find the length that a module needs."""

Forward = Callable[[Tensor], Any]
"""Token ids (N, L) -> what the module returns."""


class ModuleCalls:
    """How a module is called; the module itself, or a copy of it in another dtype, is passed to each method.

    ``output`` names the output that holds the class scores. Where it is None, :meth:`choose_output` finds it.
    """

    def __init__(self, *, lengths: bool | str | None, padding: int, min_length: int, output: str | None) -> None:
        self.lengths = lengths
        self.padding = padding
        self.min_length = min_length
        self.output = output
        self._chosen = False
        self._output_given = output is not None

    def one_text(self, module: nn.Module, batch: Batch, n: int) -> tuple[Tensor, Forward]:
        """The ids (1, L) of a text, and the function that gives its class scores."""
        return ids_of_text(batch, n), self.forward(module, int(batch.lengths[n]))

    def forward(self, module: nn.Module, *lengths_of_texts: int) -> Forward:
        """The function from ids (N, L) to class scores."""
        whole = self._all_outputs(module, lengths_of_texts, self.min_length)
        return lambda ids: self._scores_in(whole(ids))

    def choose_output(self, module: nn.Module, ids: Tensor, classes: int | None) -> None:
        """Find the output that holds the class scores, on the first call: its size does not depend on the text.

        ``classes``: how many there are, None where that is not known.
        """
        if self._chosen:
            return
        shapes = self._shapes(module, ids)
        if shapes and not self._output_given:
            longer = ids.repeat(1, 2 + self.min_length // max(1, ids.shape[1]))  # longer than min_length, too
            try:
                more = self._shapes(module, longer)
            except FORWARD_ERRORS:  # a module may be unable to read a text of that length
                more = None
            self.output = choose_output(shapes, more, classes)
        self._chosen = True

    @contextmanager
    def explained_errors(self, module: nn.Module, batch: Batch, n: int) -> Iterator[None]:
        """Raise errors of the user's forward as one sentence that names the text."""
        name, length = batch.readings[n].document_id, int(batch.lengths[n])
        try:
            yield
        except TextlrpError:
            raise
        except FORWARD_ERRORS as problem:
            if not length:
                raise unreadable(name) from problem
            if "nference tensor" in str(problem):  # of an inference_mode() inside of forward
                raise ModelError(CUT_OFF) from problem
            raise ModelError(
                f"the module stopped at text {name!r} of {length} word{'s' * (length != 1)}: {on_one_line(problem)}"
                f"{self._hint(module, batch, n, problem)}"
            ) from problem

    def _all_outputs(self, module: nn.Module, lengths_of_texts: tuple[int, ...], min_length: int) -> Forward:
        """The function from ids (N, L) to everything the module returns."""
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
            f"scores must be the name or position of one of the module's outputs; got {self.output!r}. The module "
            f"returns {outputs_with_shapes(shapes) or 'no numbers'}."
        )

    def _shapes(self, module: nn.Module, ids: Tensor) -> list[tuple[str, tuple[int, ...]]]:
        with evaluating(module), torch.no_grad():
            outputs = named_outputs(self._all_outputs(module, (ids.shape[1],), self.min_length)(ids))
        return [(name, tuple(tensor.shape)) for name, tensor in outputs.items()]

    def _hint(self, module: nn.Module, batch: Batch, n: int, problem: Exception) -> str:
        """What to do about an error, where that is known."""
        if "offsets" in str(problem):
            return OFFSETS
        ids = ids_of_text(batch, n)
        length = ids.shape[1]
        for longer in range(max(length, self.min_length) + 1, MOST_PADDING + 1):
            try:
                with evaluating(module), torch.no_grad():
                    self._all_outputs(module, (length,), longer)(ids)
            except FORWARD_ERRORS:
                continue
            return (
                f". It reads the text when that is padded: pass min_length={longer}, and padding= the id of padding "
                f"if it is not {self.padding}."
            )
        return ""


def ids_of_text(batch: Batch, n: int) -> Tensor:
    """(1, L) ids of one text, without padding."""
    return torch.from_numpy(batch.text(n)[None].copy())
