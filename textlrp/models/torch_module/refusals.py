"""Why a module of the user's own cannot be explained, in one sentence each."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from textlrp.errors import DataError, ModelError, OptionError
from textlrp.models.finite import not_finite
from textlrp.text.batches import Batch

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
"""What a forward pass may stop with."""


CUT_OFF = (
    "the module cuts the gradient between its word vectors and its scores, with detach(), torch.no_grad() or "
    "torch.inference_mode() in its forward; gradient methods need it. Use method='occlusion', 'lime' or 'shap'."
)
"""Why there is no gradient."""


OFFSETS = (
    ". textlrp calls a module with the ids (1, T) of one text. If its forward takes the offsets of bags, explain "
    "a module around it whose forward(ids) calls it with ids.flatten() and torch.tensor([0])."
)
"""What to do with a module that reads several texts as one row of ids."""


def unreadable(name: str) -> DataError:
    """The error of a text without a known word, where the module stops at one."""
    return DataError(
        f"text {name!r} has no word that the vocabulary knows, and the module cannot read an empty text; leave it "
        "out, or give unknown= an id."
    )


_MODULE_ADVICE = "The module has a weight that is not finite, or it divides by zero or overflows for this text."


def check_finite_scores(scores: Tensor, batch: Batch) -> None:
    """Raise where a score (N, C) is not finite, as that of an empty text often is."""
    for n in scores.isfinite().logical_not().any(dim=1).nonzero().flatten().tolist():
        name = batch.readings[n].document_id
        if not batch.lengths[n]:
            raise unreadable(name)
        raise not_finite(scores[n].numpy(), range(scores.shape[1]), name, _MODULE_ADVICE)


def check_module(module: nn.Module) -> None:
    """Raise :class:`OptionError` on anything but a module, and :class:`ModelError` on weights that are not there yet
    or not on the CPU."""
    if not isinstance(module, nn.Module):
        raise OptionError(
            f"module must be a torch.nn.Module; got a {type(module).__name__}. Other models need no textlrp.wrap."
        )
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor):
            raise ModelError(f"the module's {name!r} has no numbers yet; call the module once with token ids.")
        if tensor.device.type != "cpu":
            raise ModelError(
                f"the module's {name!r} lies on {str(tensor.device)!r}, and textlrp reads modules on the CPU; pass "
                "copy.deepcopy(module).cpu()."
            )


def on_one_line(problem: Exception) -> str:
    """An error of the user's module on one line."""
    return f"{type(problem).__name__}: {str(problem).strip().split(chr(10))[0].rstrip('.')}"
