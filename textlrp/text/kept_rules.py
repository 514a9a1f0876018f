"""Cache the rules of spaCy's tokenizers in the user's cache folder, so that spaCy need not be imported.

Open this module if :mod:`textlrp.text.spacy_rules` reads other rules from spaCy: increase ``RULES_FORMAT`` then.
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
"""The version of the cached form. Rules that were cached with another version are not used."""

_EXPRESSIONS = ("prefix", "suffix", "infix", "whole", "whole_at_last")


class Language(NamedTuple):
    """A language of spaCy.

    ``rules`` is None if spaCy does not tokenize the language by patterns (Chinese, Thai, ...). ``tokenizer`` returns
    spaCy's tokenizer, which is created at the first call.
    """

    rules: SpacyRules | None
    tokenizer: Callable[[], Any]


def spacy_language(name: str) -> Language:
    """Return the rules of ``spacy.blank(name)``, from the cache if possible. Rules from spaCy are then cached.

    With cached rules, spaCy is imported only for a chunk that needs spaCy's own tokenizer. Raises
    :class:`OptionError` if spaCy has no tokenizer for the language.
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
    """Return the tokens that end a sentence for spaCy's sentencizer, from the cache if possible."""
    key = _key("sentence-marks")
    cached = None if key is None else read_cached(_path(key), key)
    if isinstance(cached, list) and cached and all(isinstance(mark, str) for mark in cached):
        return frozenset(cached)
    from spacy.pipeline import Sentencizer  # imported here because the import takes a second

    marks = sorted(Sentencizer.default_punct_chars)
    if key is not None:
        write_cached(_path(key), key, marks)
    return frozenset(marks)


def _key(language: str) -> dict[str, Any] | None:
    """Return the cache key of a language, or None if its rules may differ from those of the installed spaCy version.

    They may differ if spaCy has been imported, because a program can change its languages, and if another package
    adds languages.
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
    """Return the rules that :func:`_as_json` wrote; None if ``stored`` is anything else."""
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
