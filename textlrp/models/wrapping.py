"""``textlrp.wrap``: make a model of texts from a PyTorch module, a model of Hugging Face, or a function of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textlrp.errors import OptionError, must_be
from textlrp.models.black_box import REMOVE, FunctionModel, is_text_function
from textlrp.models.encoders.recognized_encoders import is_encoder
from textlrp.models.encoders.sentence_model import sentence_model
from textlrp.models.function_options import BATCH_SIZE, function_model
from textlrp.models.torch_module.module_model import TorchTextModel
from textlrp.models.torch_module.module_options import module_model
from textlrp.models.torch_module.word_reader import WordLookup
from textlrp.models.transformers.hugging_face import hugging_face_model
from textlrp.models.transformers.recognized import is_hugging_face
from textlrp.models.transformers.transformer_model import TransformerModel

_OF_HUGGING_FACE = ("tokenizer", "classes", "windows")
_OF_ENCODERS = ("windows", "head")
_OF_FUNCTIONS = ("tokenizer", "classes", "scores", "masked", "batch_size")
_NOT_OF_MODULES = ("windows", "masked", "batch_size", "head")


def wrap(
    model: Any,
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
    masked: str = REMOVE,
    batch_size: int = BATCH_SIZE,
    head: Any = None,
) -> TorchTextModel | TransformerModel | FunctionModel:
    """Wrap your own PyTorch module, a model of Hugging Face, a sentence encoder, or a function, to explain it.

    The result is accepted wherever a model is. Each kind of model has its own options.

    **Your own module** (``torch.nn.Module``) maps token ids (1, T), int64, to one score for each class (1, C). It is
    neither changed nor copied, so you can continue to train it.

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

    **A sequence classifier of Hugging Face**, or a text-classification pipeline:

    - ``tokenizer``: its fast tokenizer; a pipeline has its own.
    - ``classes``: the C labels. The default is those of ``config.id2label``.
    - ``windows``: True reads a text that is too long for the model in overlapping windows and takes the mean of their
      scores; the default is to truncate it.

    **A SentenceTransformer**, or a SetFitModel, whose body is one:

    - ``head``: the linear classifier of scikit-learn that was fitted on ``model.encode(texts)``; a SetFitModel has
      its own.
    - ``windows``: True reads a text that is too long in windows side by side, whose embeddings are averaged; the
      default is to truncate it after the last whole word that fits (``encode`` cuts between any two pieces).

    **A function** maps a list of N texts to scores (N, C): an array, a tensor, a table, or a list of rows; a row may
    also be a mapping, class -> score. For two classes it may return (N,), the scores of the second. It is explained
    by leaving words out, with ``method="occlusion"``, ``"lime"``, ``"shap"`` or ``"kernel-shap"``. ``wrap`` does not
    call it; its first call is with one trial text, when its fingerprint is needed.

    - ``classes``: the C labels. They may be left out for a method of a scikit-learn classifier, such as
      ``pipeline.predict_proba``.
    - ``tokenizer``: as for a module, "auto" by default. Each token can be left out, punctuation marks too.
    - ``scores``: what the numbers are: "probability", "log-probability" or "score". Pages use this name. The default
      is "probability" for a method named ``predict_proba``, "log-probability" for ``predict_log_proba``, otherwise
      "score".
    - ``masked``: "remove" cuts a word that is left out from the text, together with the blanks on one side of it. Any
      other string, such as "[MASK]", takes its place.
    - ``batch_size``: the largest number of texts in one call.

    Raises :class:`OptionError` for a wrong option, and :class:`ModelError` for a module whose weights are
    uninitialized or not on the CPU.
    """
    options: dict[str, tuple[Any, Any]] = {
        "tokenizer": (tokenizer, None), "vocabulary": (vocabulary, None), "unknown": (unknown, None),
        "classes": (classes, None), "lengths": (lengths, None), "batch": (batch, False), "padding": (padding, 0),
        "scores": (scores, None), "min_length": (min_length, 0), "windows": (windows, False),
        "masked": (masked, REMOVE), "batch_size": (batch_size, BATCH_SIZE),
        "head": (head, None),
    }  # fmt: skip
    if is_hugging_face(model):
        _check_left_out(f"a {type(model).__name__}", {k: v for k, v in options.items() if k not in _OF_HUGGING_FACE})
        return hugging_face_model(model, tokenizer, classes=classes, windows=windows)
    if is_encoder(model):
        _check_left_out(f"a {type(model).__name__}", {k: v for k, v in options.items() if k not in _OF_ENCODERS})
        return sentence_model(model, head, windows=windows)
    if is_text_function(model):
        _check_left_out("a function", {k: v for k, v in options.items() if k not in _OF_FUNCTIONS})
        return function_model(
            model, classes=classes, tokenizer=tokenizer, scores=scores, masked=masked, batch_size=batch_size
        )
    _check_left_out("your own module", {k: v for k, v in options.items() if k in _NOT_OF_MODULES})
    return module_model(
        model,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        unknown=unknown,
        classes=classes,
        lengths=lengths,
        batch=batch,
        padding=padding,
        scores=scores,
        min_length=min_length,
    )


def _check_left_out(kind: str, options: dict[str, tuple[Any, Any]]) -> None:
    """Raise :class:`OptionError` if an option, name -> (value, default), was passed."""
    for name, (value, default) in options.items():
        if value is not default and (isinstance(value, (dict, list)) or value != default):
            raise OptionError(must_be(name, f"left out for {kind}", value, f"Leave out {name}=."))
