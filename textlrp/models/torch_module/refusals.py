"""Error messages for PyTorch modules that cannot be explained: each names the reason and what to do.

Open it to change what a user reads when ``textlrp.wrap`` or ``textlrp.explain`` refuses a module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from textlrp.errors import DataError, ModelError, OptionError, TextlrpError
from textlrp.models.finite import not_finite
from textlrp.records import Status
from textlrp.text.batches import Batch, Reading

FORWARD_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Exceptions that a forward pass of a user's module may raise."""


NO_GRADIENT = (
    "module must pass gradients from its word vectors to its scores; its forward cuts them with detach(), "
    "torch.no_grad() or torch.inference_mode(). Remove that call, or use method='occlusion', 'lime' or 'shap', which "
    "need no gradient."
)
"""The message if a gradient method finds no gradient."""


OFFSETS_HINT = (
    ". textlrp calls a module with the ids (1, T) of one text. If forward takes the offsets of bags, wrap a module "
    "whose forward(ids) calls yours with ids.flatten() and torch.tensor([0])."
)
"""The advice for a module that reads several texts as one row of ids (``nn.EmbeddingBag`` with offsets)."""


def unreadable(reading: Reading) -> DataError:
    """Return the error for a text of which the module reads no word, if the module raises for an empty text."""
    name = reading.document_id
    if not len(reading.tokens):
        return DataError(
            f"the tokenizer found no word in document {name!r}. Leave it out, or pass "
            "errors='skip' to textlrp.explain."
        )
    if not (reading.status == Status.UNKNOWN).any():
        return DataError(
            f"all words of document {name!r} are skipped: they are headers, quotes or footers. Leave it out, or pass "
            "errors='skip' to textlrp.explain."
        )
    return DataError(
        f"text {name!r} has no word that is in the vocabulary, and the module cannot read an empty text. Leave the "
        "text out, or pass unknown= to textlrp.wrap: the id of unknown words."
    )


_MODULE_ADVICE = "A weight of the module is not finite, or its forward divides by zero or overflows for this text."


def check_finite_scores(scores: Tensor, batch: Batch) -> None:
    """Raise if a score (N, C) is NaN or infinite, which is frequent for an empty text."""
    for n in scores.isfinite().logical_not().any(dim=1).nonzero().flatten().tolist():
        reading = batch.readings[n]
        if not batch.lengths[n]:
            raise unreadable(reading)
        raise not_finite(scores[n].numpy(), range(scores.shape[1]), reading.document_id, _MODULE_ADVICE)


def check_module(module: nn.Module) -> None:
    """Raise :class:`OptionError` unless this is a module.

    Raises :class:`ModelError` if its weights are uninitialized or not on the CPU.
    """
    if not isinstance(module, nn.Module):
        raise OptionError(
            f"module must be a torch.nn.Module; got a {type(module).__name__}. Other models need no textlrp.wrap: "
            "pass them to textlrp.explain directly."
        )
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor):
            raise ModelError(
                f"module must be initialized; its lazy parameter {name!r} has no values yet. Call the module once "
                "with token ids."
            )
        if tensor.device.type != "cpu":
            raise ModelError(
                f"module must be on the CPU; its {name!r} is on {str(tensor.device)!r}. Pass "
                "copy.deepcopy(module).cpu()."
            )


@contextmanager
def errors_of_forward(module: nn.Module, advice: str) -> Iterator[None]:
    """Convert an error that the forward pass of a module raises to one sentence and ``advice``."""
    try:
        yield
    except TextlrpError:
        raise
    except FORWARD_ERRORS as problem:
        raise ModelError(
            f"the {type(module).__name__} raised an error: {on_one_line(problem)}. {advice}"
        ) from problem


def on_one_line(problem: Exception) -> str:
    """Format an error of the user's module on one line."""
    return f"{type(problem).__name__}: {str(problem).strip().split(chr(10))[0].rstrip('.')}"
