"""The units of n-grams: the words or characters that a scikit-learn text vectorizer splits a text into.

Open it for tokenizers, analyzers and preprocessors: each unit gets its offsets in the original text, even if these
are user-defined functions.

Letters: M units of a text, S stop words in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from textlrp.arrays import IntArray
from textlrp.errors import ModelError
from textlrp.models.pipeline.alignment import Aligned, align_characters, align_words, identity_alignment
from textlrp.text.placing import Offsets, place, place_most, warn_unsure

_WHITESPACE = re.compile(r"\s\s+")


class Units(NamedTuple):
    """The units of a text, and which runs of them are n-grams.

    ``spans`` (M, 2) int32 are the offsets of the units in the original text (empty for a unit without origin, such as
    padding) and ``forms`` (M,) the units themselves. Each n-gram consists of the units ``first`` to ``last``
    (exclusive). ``stopped`` (S, 2) are the offsets of the stop words.
    """

    spans: Offsets
    forms: tuple[str, ...]
    first: IntArray
    last: IntArray
    stopped: Offsets


def make_units(vectorizer: Any, name: str) -> Callable[[str], Units]:
    """Return the function that splits a text as this vectorizer does; ``name`` is that of its step, for messages.

    The function raises :class:`ModelError` if the offsets of a unit cannot be determined.
    """
    if vectorizer.analyzer in ("char", "char_wb"):
        return _characters(vectorizer, name)
    return _words(vectorizer, name)


# ---- units of words


def _words(vectorizer: Any, name: str) -> Callable[[str], Units]:
    """Split a text into the words of a word analyzer, or into the results of a callable analyzer."""
    is_callable = callable(vectorizer.analyzer)
    low, high = (1, 1) if is_callable else vectorizer.ngram_range
    stop_words = None if is_callable else vectorizer.get_stop_words()
    if is_callable:
        split = _split_by_callable(vectorizer.analyzer, str, identity_alignment, f"the callable analyzer of {name}")
    else:
        split = _tokens(vectorizer, name)

    def units(text: str) -> Units:
        forms, spans = split(text)
        stopped = np.array([stop_words is not None and form in stop_words for form in forms], dtype=bool)
        kept = tuple(form for form, stop in zip(forms, stopped.tolist(), strict=True) if not stop)
        return Units(spans[~stopped], kept, *_runs(len(kept), low, high), spans[stopped])

    return units


_Split = Callable[[str], tuple[tuple[str, ...], Offsets]]
"""A function: text -> its words, and their offsets."""


def _tokens(vectorizer: Any, name: str) -> _Split:
    preprocess, align = vectorizer.build_preprocessor(), _aligner(vectorizer, name)
    if vectorizer.tokenizer is not None or type(vectorizer).build_tokenizer is not CountVectorizer.build_tokenizer:
        return _split_by_callable(vectorizer.build_tokenizer(), preprocess, align, f"the tokenizer of {name}")
    pattern = re.compile(vectorizer.token_pattern)

    def split(text: str) -> tuple[tuple[str, ...], Offsets]:
        aligned = align(text)
        # token_pattern has no group or one (scikit-learn's rule); a group that took no part in the match is at -1
        spans = np.array([match.span(pattern.groups) for match in pattern.finditer(aligned.text)], dtype=np.int32)
        spans = spans.reshape(-1, 2).clip(min=0)
        return tuple(aligned.text[start:end] for start, end in spans.tolist()), aligned.origin(spans)

    return split


def _split_by_callable(
    function: Callable[[str], Any], preprocess: Callable[[str], str], align: Callable[[str], Aligned], name: str
) -> _Split:
    """Split a text with a user's callable, and find the strings it returns in the preprocessed text.

    A callable may have an attribute ``spans``, a function text -> (start, end) of each result: then it is used
    instead.
    """
    exact = getattr(function, "spans", None)

    def split(text: str) -> tuple[tuple[str, ...], Offsets]:
        changed = preprocess(text)
        forms = tuple(function(changed))
        if not all(isinstance(form, str) for form in forms):
            kind = next(type(form).__name__ for form in forms if not isinstance(form, str))
            raise ModelError(
                f"{name} must return strings; got an object of type {kind}. Let it return the words as they are "
                "written in the text."
            )
        aligned = align(text)
        if exact is not None:
            return forms, aligned.origin(_checked_spans(exact(changed), len(forms), len(changed), name))
        spans, unsure = _spans_of_results(forms, changed, name)
        if unsure:
            warn_unsure(name, SPANS_REMEDY)
        return forms, aligned.origin(spans)

    return split


SPANS_REMEDY = "give the callable an attribute spans, a function text -> (start, end) pairs, one for each result"


def _spans_of_results(forms: Sequence[str], text: str, name: str) -> tuple[Offsets, bool]:
    """Find strings in a text or its lower case; also return whether other offsets are just as likely."""
    lowered = align_characters(text, str.lower)
    versions = [each for each in (identity_alignment(text), lowered) if each is not None]
    for aligned in versions:
        placement = place(forms, aligned.text)
        if placement is not None:
            return aligned.origin(placement.spans), bool(placement.unsure.any())
    for aligned in versions:  # not found in order: some results are repeated or rearranged
        if all(form in aligned.text for form in forms):
            placement = place_most(forms, aligned.text)
            return aligned.origin(placement.spans), bool(placement.unsure.any())
    missing = next(form for form in forms if form not in versions[-1].text)
    raise ModelError(
        f"{name} must return parts of the text; got {missing!r}, which is not in the text. Let it return the words "
        "as they are written (use the vectorizer's ngram_range=, stop_words= and lowercase= for the rest), or "
        f"{SPANS_REMEDY}."
    )


def _checked_spans(pairs: Any, count: int, length: int, name: str) -> Offsets:
    """Return the pairs that a user's ``spans`` returned, (M, 2); raise :class:`ModelError` for anything else."""
    try:
        spans = np.array(pairs if isinstance(pairs, np.ndarray) else list(pairs)).reshape(-1, 2)
    except (TypeError, ValueError):
        spans = np.zeros((0, 3))
    whole = spans.dtype.kind in "iu" or not spans.size
    if not whole or len(spans) != count or (spans < 0).any() or (spans > length).any() or (np.diff(spans) < 0).any():
        raise ModelError(
            f"spans of {name} must be {count} (start, end) pairs from 0 to {length}, one for each result; got "
            f"{pairs!r:.200}."
        )
    return spans.astype(np.int32)


def _runs(units: int, low: int, high: int) -> tuple[IntArray, IntArray]:
    """First and last unit (exclusive) of all runs of ``low`` to ``high`` units."""
    lengths = range(low, min(high, units) + 1)
    first = [np.arange(units - length + 1) for length in lengths]
    last = [starts + length for starts, length in zip(first, lengths, strict=True)]
    nothing = np.zeros(0, dtype=np.int64)
    return np.concatenate([nothing, *first]), np.concatenate([nothing, *last])


# ---- units of characters


def _characters(vectorizer: Any, name: str) -> Callable[[str], Units]:
    """Split a text into the characters of a character analyzer; a run of whitespace counts as one blank."""
    align = _aligner(vectorizer, name)
    low, high = vectorizer.ngram_range
    within_words = vectorizer.analyzer == "char_wb"

    def units(text: str) -> Units:
        aligned = align(text)
        collapsed, spans = _collapse_whitespace(aligned)
        if within_words:
            return _within_words(collapsed, spans, low, high)
        return Units(spans, tuple(collapsed), *_runs(len(collapsed), low, high), _no_spans())

    return units


def _collapse_whitespace(aligned: Aligned) -> tuple[str, Offsets]:
    """Replace each run of two or more whitespace characters by one blank; also return the characters' offsets."""
    characters = [[at, at + 1] for at in range(len(aligned.text))]
    ranges: list[list[int]] = []
    position = 0
    for match in _WHITESPACE.finditer(aligned.text):
        ranges += characters[position : match.start()]
        ranges.append([match.start(), match.end()])
        position = match.end()
    ranges += characters[position:]
    spans = np.array(ranges, dtype=np.int32).reshape(-1, 2)
    return _WHITESPACE.sub(" ", aligned.text), aligned.origin(spans)


def _within_words(text: str, spans: Offsets, low: int, high: int) -> Units:
    """N-grams that stay within a word and the blanks that scikit-learn puts around it (``char_wb``)."""
    pad = np.zeros((1, 2), dtype=np.int32)
    all_spans, forms = [np.zeros((0, 2), dtype=np.int32)], ""
    first, last = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for match in re.finditer(r"\S+", text):
        begin, length = len(forms), len(match[0]) + 2
        forms += f" {match[0]} "
        all_spans += [pad, spans[match.start() : match.end()], pad]
        for size in range(low, high + 1):
            starts = np.arange(max(1, length - size + 1))
            first.append(begin + starts)
            last.append(begin + np.minimum(starts + size, length))
            if len(starts) == 1:  # a word that is not longer than the n-gram is one n-gram, not one for each size
                break
    return Units(np.concatenate(all_spans), tuple(forms), np.concatenate(first), np.concatenate(last), _no_spans())


# ---- the preprocessed text


def _aligner(vectorizer: Any, name: str) -> Callable[[str], Aligned]:
    """Return the function that preprocesses a text and aligns the result with the original.

    It raises :class:`ModelError` if the result of a user's preprocessor cannot be aligned. A preprocessor may have an
    attribute ``spans``, a function text -> (start, end) of each character of its result: then it is used instead.
    """
    preprocess = vectorizer.build_preprocessor()
    overridden = type(vectorizer).build_preprocessor is not CountVectorizer.build_preprocessor
    users_own = overridden or vectorizer.preprocessor is not None or callable(vectorizer.strip_accents)
    exact, preprocessor_name = getattr(vectorizer.preprocessor, "spans", None), f"the preprocessor of {name}"

    def align(text: str) -> Aligned:
        if exact is not None:
            changed = preprocess(text)
            spans = _checked_spans(exact(text), len(changed), len(text), preprocessor_name)
            return Aligned(changed, spans[:, 0], spans[:, 1])
        aligned = align_characters(text, preprocess, known=not users_own)
        if aligned is None:  # its result for a character depends on more than that character
            aligned = align_words(text, preprocess(text))
        if aligned is None:
            raise ModelError(
                f"{preprocessor_name} must return a text that can be aligned with the original; its result has too "
                "little in common with it. Preprocess the texts before you pass them to the pipeline, or give the "
                "callable an attribute spans, a function text -> (start, end) pairs, one for each character of its "
                "result."
            )
        if aligned.unsure:
            warn_unsure(
                preprocessor_name, "give it an attribute spans, a function text -> (start, end) of each character"
            )
        return aligned

    return align


def _no_spans() -> Offsets:
    return np.zeros((0, 2), dtype=np.int32)
