"""``textlrp.wrap``: combine a PyTorch module with its tokenizer and vocabulary to a model of texts."""

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
    """Wrap your own PyTorch module, so that textlrp can explain it; the result is accepted wherever a model is.

    - ``module``: maps token ids (1, T), int64, to one score for each class (1, C). It is neither changed nor copied,
      so you can continue to train it.
    - ``tokenizer``: a name ("spacy", "words") or a callable. A callable maps a text to strings (which are then found
      in the text from left to right) or to (start, end) pairs.
    - ``vocabulary``: a mapping or a callable, word -> id.
    - ``unknown``: the id of words that are not in the vocabulary. The default is to leave such words out.
    - ``classes``: the C labels. The default is the positions 0 to C - 1.
    - ``lengths``: True if the second argument of ``forward`` is the lengths (N,) of the texts, or the name of that
      argument.
    - ``batch``: the module is called with one text at a time. Pass True to call it with ids (N, T), padded at the
      right, where only scores are needed; padding must not change the scores.
    - ``padding``: the id of padding.
    - ``scores``: the name or position of the output with the class scores, if there are several outputs. The default
      is "logits", or the only output whose size does not depend on the text.
    - ``min_length``: the smallest number of ids that the module can read. Shorter texts are padded to it.

    Raises :class:`OptionError` for a wrong option, and :class:`ModelError` for a module whose weights are
    uninitialized or not on the CPU.
    """
    check_module(module)
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
        classes=None if classes is None else _labels(classes),
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


def _labels(classes: Sequence[Any]) -> NDArray[Any]:
    labels = np.array(list(classes))
    if labels.ndim != 1 or len(labels) < 2 or len(set(labels.tolist())) != len(labels):
        raise OptionError(
            f"classes must be a list of at least two different labels, one for each score; got {classes!r}. Pass "
            "classes=['no', 'yes'], for example."
        )
    return labels
