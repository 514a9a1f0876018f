"""``textlrp.wrap``: a user's PyTorch module, told how it reads text, as a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from textlrp.errors import OptionError
from textlrp.models.options import is_whole
from textlrp.models.torch_module.module_calls import ModuleCalls
from textlrp.models.torch_module.module_model import TorchTextModel
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.torch_module.word_reader import WordLookup, WordReader
from textlrp.text.tokens import make_tokenizer


def wrap(
    module: nn.Module,
    *,
    tokenizer: str | Callable[[str], Any],
    vocabulary: WordLookup,
    unknown: int | None = None,
    classes: Sequence[Any] | None = None,
    lengths: bool | str | None = None,
    batch: bool = False,
    padding: int = 0,
    scores: str | int | None = None,
    min_length: int = 0,
) -> TorchTextModel:
    """Say how a PyTorch module reads text; the result is accepted wherever a model is.

    The ``module`` maps token ids (1, T), int64, to one score for each class (1, C). It is neither changed nor copied,
    so that it can be trained further.

    ``tokenizer``: a name ("spacy", "words") or a callable, text -> strings (found from left to right in the text) or
    (start, end) pairs. ``vocabulary``: a mapping or a callable, word -> id. ``unknown``: the id of words that are not
    in the vocabulary; without it they are left out. ``classes``: the C labels; without them the positions 0 to C - 1.
    ``lengths``: True if the second argument of ``forward`` is the lengths (N,) of the texts, or the name of that
    argument. ``min_length``: the smallest number of ids that the module can read; shorter texts are padded to it.
    ``padding``: the id of padding. ``scores``: the name or position of the output that holds the class scores, where
    there are several; without it "logits", or the only one whose size does not depend on the text.

    The module is called with one text at a time. With ``batch=True`` it is called with ids (N, T), padded at the
    right, where only scores are needed. Pass it if padding does not change the scores.

    Raises :class:`OptionError` on a wrong option, and :class:`ModelError` on a module whose weights are not there yet
    or not on the CPU.
    """
    check_module(module)
    _check_vocabulary(vocabulary)
    for name, value in (("unknown", unknown), ("padding", padding), ("min_length", min_length)):
        if not (is_whole(value) and value >= 0) and not (value is None and name == "unknown"):
            raise OptionError(f"{name} must be a whole number >= 0; got {value!r}.")
    if lengths not in (None, False, True) and not isinstance(lengths, str):
        raise OptionError(f"lengths must be True or the name of an argument of forward; got {lengths!r}.")
    if not (scores is None or isinstance(scores, str) or is_whole(scores)) or scores is True:
        raise OptionError(f"scores must be the name or position of an output of the module; got {scores!r}.")
    output = None if scores is None else str(scores)
    return TorchTextModel(
        module,
        WordReader(make_tokenizer(tokenizer), vocabulary, unknown, padding),
        ModuleCalls(lengths=lengths, padding=padding, min_length=int(min_length), output=output),
        classes=None if classes is None else _labels(classes),
        batch=batch,
    )


def _check_vocabulary(vocabulary: object) -> None:
    listed = isinstance(vocabulary, (Sequence, np.ndarray))
    if listed or not (callable(vocabulary) or hasattr(vocabulary, "__getitem__")):
        hint = " Pass {word: id for id, word in enumerate(words)}." if listed else ""
        raise OptionError(
            f"vocabulary must be a mapping or a callable, word -> id; got a {type(vocabulary).__name__}.{hint}"
        )


def _labels(classes: Sequence[Any]) -> NDArray[Any]:
    """(C,) the labels."""
    labels = np.array(list(classes))
    if labels.ndim != 1 or len(labels) < 2 or len(set(labels.tolist())) != len(labels):
        raise OptionError(f"classes must be a list of different labels, one for each score; got {classes!r}.")
    return labels
