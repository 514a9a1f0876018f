"""``textlrp.wrap``: combine a PyTorch module, or a model of Hugging Face, with its tokenizer to a model of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.errors import OptionError
from textlrp.models.encoders.recognized_encoders import is_sentence_transformer, is_setfit
from textlrp.models.encoders.sentence_model import sentence_model
from textlrp.models.given_labels import distinct_labels
from textlrp.models.options import is_whole
from textlrp.models.torch_module.module_calls import ModuleCalls
from textlrp.models.torch_module.module_model import TorchTextModel
from textlrp.models.torch_module.refusals import check_module
from textlrp.models.torch_module.word_reader import WordLookup, WordReader
from textlrp.models.transformers.hugging_face import hugging_face_model
from textlrp.models.transformers.recognized import is_hugging_face
from textlrp.models.transformers.transformer_model import TransformerModel
from textlrp.text.tokens import make_tokenizer


def wrap(
    module: Any,
    *,
    tokenizer: Any = None,
    vocabulary: WordLookup | None = None,
    unknown: int | None = None,
    classes: Sequence[Any] | None = None,
    lengths: bool | str | None = None,
    batch: bool = False,
    padding: int = 0,
    scores: str | int | None = None,
    min_length: int = 0,
    windows: bool = False,
    head: Any = None,
) -> TorchTextModel | TransformerModel:
    """Wrap your own PyTorch module, or a model of Hugging Face; the result is accepted wherever a model is.

    A sequence classifier of Hugging Face needs its fast ``tokenizer`` only, and a text-classification pipeline not
    even that. ``classes`` and ``windows`` are its only other options. A SentenceTransformer needs its ``head``, and a
    SetFitModel nothing; both may have ``windows``. All other options are for your own modules:

    - ``module``: maps token ids (1, T), int64, to one score for each class (1, C). It is neither changed nor copied,
      so you can continue to train it.
    - ``tokenizer``: a name ("spacy", "words") or a callable (for Hugging Face: its tokenizer). A callable maps a text to strings (which are then found
      in the text from left to right) or to (start, end) pairs.
    - ``vocabulary``: a mapping or a callable, word -> id.
    - ``unknown``: the id of words that are not in the vocabulary. The default is to leave such words out.
    - ``classes``: the C labels. The default is the positions 0 to C - 1 (for Hugging Face: ``config.id2label``).
    - ``lengths``: True if the second argument of ``forward`` is the lengths (N,) of the texts, or the name of that
      argument.
    - ``batch``: the module is called with one text at a time. Pass True to call it with ids (N, T), padded at the
      right, where only scores are needed; padding must not change the scores.
    - ``padding``: the id of padding.
    - ``scores``: the name or position of the output with the class scores, if there are several outputs. The default
      is "logits", or the only output whose size does not depend on the text.
    - ``min_length``: the smallest number of ids that the module can read. Shorter texts are padded to it.
    - ``windows``: for Hugging Face. True reads a text that is too long for the model in overlapping windows and takes
      the mean of their scores; the default is to truncate it.

    - ``head``: for a SentenceTransformer, the linear classifier that was fitted on its embeddings.

    Raises :class:`OptionError` for a wrong option, and :class:`ModelError` for a module whose weights are
    uninitialized or not on the CPU.
    """
    if head is not None or is_sentence_transformer(module) or is_setfit(module):
        return _wrap_encoder(module, head, windows, tokenizer=tokenizer, vocabulary=vocabulary, unknown=unknown,
                             classes=classes, lengths=lengths, scores=scores)  # fmt: skip
    if is_hugging_face(module):
        own = {"vocabulary": vocabulary, "unknown": unknown, "lengths": lengths, "batch": batch or None,
               "padding": padding or None, "scores": scores, "min_length": min_length or None}  # fmt: skip
        return _wrap_hugging_face(module, tokenizer, classes, windows, own)
    check_module(module)
    if windows:
        raise OptionError(f"windows must be False for a {type(module).__name__}; got {windows!r}. Leave it out.")
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
        classes=None if classes is None else distinct_labels(classes),
        batch=batch,
    )


def _wrap_encoder(module: Any, head: Any, windows: bool, **own: Any) -> TransformerModel:
    """A SentenceTransformer with its head, or a SetFitModel; it has no other options."""
    if not (is_sentence_transformer(module) or is_setfit(module)):
        raise OptionError(
            f"head must be left out for a {type(module).__name__}: it is for a SentenceTransformer. Leave out head=."
        )
    for name, value in own.items():
        if value is not None:
            raise OptionError(
                f"{name} must be left out for a {type(module).__name__}, because its modules and its head determine "
                f"it; got {value!r}. Leave out {name}=."
            )
    return sentence_model(module, head, windows=windows)


def _wrap_hugging_face(
    model: Any, tokenizer: Any, classes: Sequence[Any] | None, windows: bool, own: dict[str, Any]
) -> TransformerModel:
    for name, value in own.items():
        if value is not None:
            raise OptionError(
                f"{name} must be left out for a {type(model).__name__}, because it is known from its tokenizer and "
                f"configuration; got {value!r}. Leave out {name}=."
            )
    return hugging_face_model(model, tokenizer, classes=classes, windows=windows)


def _check_vocabulary(vocabulary: object) -> None:
    listed = isinstance(vocabulary, (Sequence, np.ndarray))
    if listed or not (callable(vocabulary) or hasattr(vocabulary, "__getitem__")):
        hint = " Pass {word: id for id, word in enumerate(words)}." if listed else ""
        raise OptionError(
            "vocabulary must be a mapping or a callable, word -> id; got an object of type "
            f"{type(vocabulary).__name__}.{hint}"
        )
