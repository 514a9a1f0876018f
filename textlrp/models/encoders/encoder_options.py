"""The options of EncoderClassifier and their checks; no encoder is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textlrp.errors import OptionError, must_be
from textlrp.models.base import TextClassifier
from textlrp.models.encoders.linear_heads import HEADS
from textlrp.models.encoders.recognized_encoders import is_sentence_transformer
from textlrp.models.encoders.sentence_encoder import encoder_folder
from textlrp.models.options import check_flag, check_positive, check_whole
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.text.skip import make_skip


class EncoderOptions(TextClassifier):
    """What a user chooses; :class:`textlrp.EncoderClassifier` documents each option."""

    scoring_options = ("windows", "normalize", "max_length", "skip")
    training_options = ("encoder", "head", "C", "class_weight", "batch_size", "cache", "dtype", "random_state")

    encoder: Any
    head: Any
    C: float | None
    windows: bool
    normalize: bool | None
    max_length: int | None
    batch_size: int
    cache: bool

    def check_options(self) -> None:
        """Raise :class:`OptionError` if an option is out of its range; fit also checks ``encoder`` and ``head``."""
        if not isinstance(self.dtype, str) or self.dtype not in TORCH_DTYPES:
            raise OptionError(must_be("dtype", "'float32' or 'float64'", self.dtype, self._hint("dtype")))
        for name in ("windows", "cache"):
            check_flag(name, getattr(self, name), self._hint(name))
        if self.normalize is not None:
            check_flag("normalize", self.normalize, self._hint("normalize"))
        check_whole("batch_size", self.batch_size, hint=self._hint("batch_size"))
        check_whole("max_length", self.max_length, none="that of the encoder", hint=self._hint("max_length"))
        if self.C is not None:
            check_positive("C", self.C, hint=self._hint("C"))
        if not callable(self.skip) and not isinstance(self.skip, (str, Sequence)):
            raise OptionError(
                f"skip must be names of parts of a text, a callable, or () to ignore nothing; got {self.skip!r}. "
                f"{self._hint('skip')}"
            )
        make_skip(self.skip)

    def check_encoder_and_head(self) -> None:
        """Raise :class:`OptionError` if there is no encoder to load, or no head to train."""
        if not is_sentence_transformer(self.encoder):
            if not isinstance(self.encoder, (str, Path)):
                what = "the folder of a SentenceTransformer, or a SentenceTransformer"
                got = self.encoder if self.encoder is None else type(self.encoder).__name__
                raise OptionError(must_be("encoder", what, got, "Pass encoder='all-MiniLM-L6-v2', a folder."))
            encoder_folder(self.encoder)
        if isinstance(self.head, str):
            if self.head not in HEADS:
                what = f"{', '.join(map(repr, HEADS))} or a linear classifier of scikit-learn"
                raise OptionError(must_be("head", what, self.head, self._hint("head")))
            return
        if not (hasattr(self.head, "fit") and hasattr(self.head, "get_params")):
            got = type(self.head).__name__
            raise OptionError(
                f"head must be {', '.join(map(repr, HEADS))} or a linear classifier of scikit-learn; got a {got}. "
                f"{self._hint('head')}"
            )
        for name, value in (("C", self.C), ("class_weight", self.class_weight)):
            if value is not None:
                raise OptionError(
                    f"{name} must be None with an estimator as head, which has its own; got {value!r}. Leave out "
                    f"{name}=."
                )
