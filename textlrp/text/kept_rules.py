"""The rules of spaCy's tokenizers, kept in the user's cache folder so that spaCy need not be imported for them.

Open it when :mod:`textlrp.text.spacy_rules` takes other rules from spaCy: ``RULES_FORMAT`` must then be raised.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.text.patterns import Expression
from textlrp.text.spacy_rules import SpacyRules, WrittenRules, load_spacy_tokenizer, written_rules
from textlrp.user_cache import cache_path, read_cached, write_cached

RULES_FORMAT = 1
"""Rules that were kept with another number are not read."""

_EXPRESSIONS = ("prefix", "suffix", "infix", "whole", "whole_at_last")


class Language(NamedTuple):
    """A language of spaCy: its ``rules``, None where it is not cut by patterns (Chinese, Thai, ...), and a function
    that makes its ``tokenizer`` when it is first called.
    """

    rules: SpacyRules | None
    tokenizer: Callable[[], Any]


def spacy_language(name: str) -> Language:
    """The rules of ``spacy.blank(name)`` from the cache, or from spaCy and then kept for the next process.

    Rules from the cache import spaCy only for a chunk that spaCy's own tokenizer must read. Raises
    :class:`OptionError` where spaCy has no tokenizer for the language.
    """
    tokenizer = cache(partial(load_spacy_tokenizer, name))
    key = _key(name)
    written = None if key is None else _from_json(read_cached(_path(key), key))
    if written is None:
        written = written_rules(tokenizer())
        if key is not None and written is not None:
            write_cached(_path(key), key, _as_json(written))
    return Language(None if written is None else SpacyRules(written, tokenizer), tokenizer)


@cache
def sentence_marks() -> frozenset[str]:
    """The tokens that end a sentence for spaCy's sentencizer, from the cache or from spaCy."""
    key = _key("sentence-marks")
    kept = None if key is None else read_cached(_path(key), key)
    if isinstance(kept, list) and kept and all(isinstance(mark, str) for mark in kept):
        return frozenset(kept)
    from spacy.pipeline import Sentencizer  # a second to import

    marks = sorted(Sentencizer.default_punct_chars)
    if key is not None:
        write_cached(_path(key), key, marks)
    return frozenset(marks)


def _key(language: str) -> dict[str, Any] | None:
    """What the kept rules depend on; None where the rules may differ from those that spaCy's version comes with.

    They may once spaCy is imported, because a program can change its languages, and where another package adds some.
    """
    if "spacy" in sys.modules or not re.fullmatch(r"[\w-]+", language) or entry_points(group="spacy_languages"):
        return None
    try:
        return {"format": RULES_FORMAT, "spacy": version("spacy"), "language": language}
    except PackageNotFoundError:
        return None


def _path(key: Mapping[str, Any]) -> Path:
    return cache_path("spacy", f"{key['language']}-{key['spacy']}.json")


def _as_json(rules: WrittenRules) -> dict[str, Any]:
    expressions = {name: getattr(rules, name) for name in _EXPRESSIONS}
    return {
        "expressions": {name: each and [each.pattern, each.flags] for name, each in expressions.items()},
        "cases": {text: list(lengths) for text, lengths in rules.cases.items()},
        "joins": sorted(map(list, rules.joins)),
        "alone": sorted(rules.alone),
    }


def _from_json(stored: Any) -> WrittenRules | None:
    """The inverse of :func:`_as_json`; None where ``stored`` is something else."""
    try:
        expressions = {name: each and Expression(*each) for name, each in stored["expressions"].items()}
        return WrittenRules(
            **expressions,
            cases={text: tuple(lengths) for text, lengths in stored["cases"].items()},
            joins=frozenset((first, second) for first, second in stored["joins"]),
            alone=frozenset(stored["alone"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
