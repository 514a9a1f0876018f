"""Check the options of ``textlrp.wrap`` for a user's PyTorch module, and make its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.errors import OptionError
from textlrp.models.given_labels import labels_given
from textlrp.models.options import is_whole
from textlrp.models.torch_module.module_calls import ModuleCalls
from textlrp.models.torch_module.module_model import TorchTextModel
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.torch_module.word_reader import WordLookup, WordReader
from textlrp.text.tokens import make_tokenizer


def module_model(
    module: Any,
    *,
    tokenizer: Any,
    vocabulary: WordLookup | None,
    unknown: int | None,
    classes: Sequence[Any] | None,
    lengths: bool | str | None,
    batch: bool,
    padding: int,
    scores: str | int | None,
    min_length: int,
) -> TorchTextModel:
    """Return the model of a module; :func:`textlrp.wrap` describes the options and the errors."""
    check_module(module)
    if tokenizer is None or vocabulary is None:
        name = "tokenizer" if tokenizer is None else "vocabulary"
        raise OptionError(
            f"{name} must be given for your own module; got None. Pass textlrp.wrap(module, tokenizer=str.split, "
            "vocabulary={'word': 1, ...})."
        )
    _check_vocabulary(vocabulary)
    for name, value, meaning in (
        ("unknown", unknown, "the id of unknown words, or leave it out"),
        ("padding", padding, "the id of padding"),
        ("min_length", min_length, "the smallest number of ids that the module can read"),
    ):
        if not (is_whole(value) and value >= 0) and not (value is None and name == "unknown"):
            raise OptionError(f"{name} must be a whole number of at least 0; got {value!r}. Pass {meaning}.")
    if lengths not in (None, False, True) and not isinstance(lengths, str):
        raise OptionError(
            f"lengths must be True or the name of an argument of forward; got {lengths!r}. Pass lengths=True if the "
            "second argument is the lengths of the texts."
        )
    if not (scores is None or isinstance(scores, str) or is_whole(scores)) or scores is True:
        raise OptionError(
            f"scores must be the name or position of an output of the module; got {scores!r}. Pass scores='logits', "
            "for example."
        )
    output = None if scores is None else str(scores)
    return TorchTextModel(
        module,
        WordReader(make_tokenizer(tokenizer), vocabulary, unknown, padding),
        ModuleCalls(lengths=lengths, padding=padding, min_length=int(min_length), output=output),
        classes=None if classes is None else labels_given(classes),
        batch=batch,
    )


def _check_vocabulary(vocabulary: object) -> None:
    listed = isinstance(vocabulary, (Sequence, np.ndarray))
    if listed or not (callable(vocabulary) or hasattr(vocabulary, "__getitem__")):
        hint = " Pass {word: id for id, word in enumerate(words)}." if listed else ""
        raise OptionError(
            "vocabulary must be a mapping or a callable, word -> id; got an object of type "
            f"{type(vocabulary).__name__}.{hint}"
        )
