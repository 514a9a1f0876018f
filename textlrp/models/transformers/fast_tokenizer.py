"""What textlrp needs of a fast tokenizer of Hugging Face: its own copy, the special tokens, the id of padding.

The user's tokenizer is never changed.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from textlrp.errors import OptionError

MODEL_MAX = 1 << 30
"""A larger maximum length of a tokenizer means that it has none."""


class SpecialTokens(NamedTuple):
    """The special tokens that a tokenizer puts around a text.

    ``prefix`` and ``suffix`` are ids. ``types`` are the token-type ids of the prefix, of each piece of the text and
    of the suffix, or None if all are 0.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    types: tuple[tuple[int, ...], int, tuple[int, ...]] | None = None

    @property
    def size(self) -> int:
        return len(self.prefix) + len(self.suffix)

    def types_of(self, pieces: int) -> list[int] | None:
        """Return the token-type ids of a text of that many pieces and its special tokens; None if all are 0."""
        if self.types is None:
            return None
        before, inside, after = self.types
        return [*before, *[inside] * pieces, *after]


@dataclass(frozen=True, slots=True, eq=False)
class FastTokenizer:
    """A copy of a ``tokenizers.Tokenizer`` without truncation and padding.

    ``padding`` is the id of padding, None if there is none; ``left`` is whether padding is put before the text.
    ``most`` is the largest number of ids of a text with its special tokens, None if there is no limit. ``unknown`` is
    the id of a piece that is not in the vocabulary, None if there is none.
    """

    backend: Any
    special_tokens: SpecialTokens
    padding: int | None
    left: bool
    most: int | None
    unknown: int | None
    digest: str
    """A hash of the vocabulary and of all rules of the tokenizer."""

    def special_tokens_of(self, pieces: int) -> SpecialTokens:
        """Return the special tokens around that many pieces: one of padding if the model had nothing to read else."""
        if pieces or self.special_tokens.size:
            return self.special_tokens
        return SpecialTokens((self.padding or self.unknown or 0,), ())


_COPIES: WeakKeyDictionary[Any, tuple[object, FastTokenizer]] = WeakKeyDictionary()
"""Copying a large vocabulary takes up to a second: user's tokenizer -> its settings, and the copy with these."""


def is_tokenizer(tokenizer: object) -> bool:
    """Whether this is a tokenizer of the packages transformers or tokenizers, fast or not."""
    return any(
        each.__module__.split(".")[0] in ("tokenizers", "transformers") and "okeniz" in each.__name__
        for each in type(tokenizer).__mro__
    )


def fast_tokenizer(tokenizer: Any) -> FastTokenizer:
    """Return the copy for a tokenizer of transformers or tokenizers.

    Raises :class:`OptionError` for anything else, and for a tokenizer that is written in Python, because it does not
    tell which characters each piece represents.
    """
    if not is_tokenizer(tokenizer):
        raise OptionError(
            f"tokenizer must be the model's own tokenizer; got a {type(tokenizer).__name__}. Pass "
            "tokenizer=AutoTokenizer.from_pretrained(...)."
        )
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "no_truncation"):
        raise OptionError(
            "tokenizer must be a fast tokenizer, which knows the characters of each piece; got a "
            f"{type(tokenizer).__name__}, which is written in Python. Pass "
            "tokenizer=AutoTokenizer.from_pretrained(..., use_fast=True)."
        )
    settings = _settings(tokenizer, backend)
    known = _COPIES.get(tokenizer)
    if known is None or known[0] != settings:
        known = settings, _copied(tokenizer, backend)
        _COPIES[tokenizer] = known
    return known[1]


def _settings(tokenizer: Any, backend: Any) -> object:
    """Everything that the copy depends on and that a user may change, except the entries of the vocabulary."""
    own = ("model_max_length", "padding_side", "pad_token_id", "unk_token_id")
    rules = ("normalizer", "pre_tokenizer", "post_processor", "padding")
    return (
        backend.get_vocab_size(),
        backend.encode_special_tokens,
        *(getattr(tokenizer, name, None) for name in own),
        *(repr(getattr(backend, name)) for name in rules),
    )


def _copied(tokenizer: Any, backend: Any) -> FastTokenizer:
    own = copy.deepcopy(backend)
    own.encode_special_tokens = backend.encode_special_tokens
    padding = own.padding or {}
    own.no_truncation()
    own.no_padding()
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None and getattr(own.model, "unk_token", None) is not None:
        unknown = own.token_to_id(own.model.unk_token)
    most = getattr(tokenizer, "model_max_length", None)
    return FastTokenizer(
        own,
        _special_tokens(own),
        getattr(tokenizer, "pad_token_id", padding.get("pad_id")),
        getattr(tokenizer, "padding_side", padding.get("direction", "right")) == "left",
        None if most is None or most > MODEL_MAX else int(most),
        unknown,
        hashlib.sha256(own.to_str().encode()).hexdigest(),
    )


def _special_tokens(own: Any) -> SpecialTokens:
    """The special tokens around a text, found by reading one with and without them."""
    text = "a"
    plain, whole = own.encode(text, add_special_tokens=False), own.encode(text)
    size = len(plain.ids)
    starts = [n for n in range(len(whole.ids) - size + 1) if whole.ids[n : n + size] == plain.ids]
    if not starts or not size:
        raise OptionError(
            "tokenizer must put its special tokens before or after the text; this one changes the text itself. Pass "
            "another tokenizer."
        )
    start = starts[0]
    prefix, suffix = tuple(whole.ids[:start]), tuple(whole.ids[start + size :])
    types = whole.type_ids
    by_part = tuple(types[:start]), types[start], tuple(types[start + size :])
    return SpecialTokens(prefix, suffix, by_part if any(types) else None)
