"""What n-grams are made of: the words or characters that a scikit-learn text vectorizer cuts a text into.

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
from textlrp.models.pipeline.alignment import Aligned, align_changed, align_pieces, same_places
from textlrp.text.placing import Offsets, place, place_most, warn_unsure

_WHITESPACE = re.compile(r"\s\s+")


class Units(NamedTuple):
    """The units of a text and the runs of them that are n-grams.

    ``spans`` (M, 2) int32 of the units in the text, empty for what came from nowhere (padding), and their
    ``forms`` (M,); each n-gram is the units from ``first`` to ``last`` (not included). ``stopped`` (S, 2) are the
    spans of the stop words.
    """

    spans: Offsets
    forms: tuple[str, ...]
    first: IntArray
    last: IntArray
    stopped: Offsets


def make_units(vectorizer: Any, name: str) -> Callable[[str], Units]:
    """How this vectorizer cuts a text up; what it returns raises :class:`ModelError` where places cannot be told."""
    if vectorizer.analyzer in ("char", "char_wb"):
        return _characters(vectorizer, name)
    return _words(vectorizer, name)


# ---- units of words


def _words(vectorizer: Any, name: str) -> Callable[[str], Units]:
    """Cut a text into the words of a word analyzer, or into the results of a callable one."""
    own_analyzer = callable(vectorizer.analyzer)
    low, high = (1, 1) if own_analyzer else vectorizer.ngram_range
    stop_words = None if own_analyzer else vectorizer.get_stop_words()
    if own_analyzer:
        cut = _located(vectorizer.analyzer, str, same_places, f"the callable analyzer of {name}")
    else:
        cut = _tokens(vectorizer, name)

    def units(text: str) -> Units:
        forms, spans = cut(text)
        stopped = np.array([stop_words is not None and form in stop_words for form in forms], dtype=bool)
        kept = tuple(form for form, stop in zip(forms, stopped.tolist(), strict=True) if not stop)
        return Units(spans[~stopped], kept, *_runs(len(kept), low, high), spans[stopped])

    return units


_Cut = Callable[[str], tuple[tuple[str, ...], Offsets]]
"""A text -> the words in it, and their spans in it."""


def _tokens(vectorizer: Any, name: str) -> _Cut:
    preprocess, align = vectorizer.build_preprocessor(), _aligner(vectorizer, name)
    if vectorizer.tokenizer is not None or type(vectorizer).build_tokenizer is not CountVectorizer.build_tokenizer:
        return _located(vectorizer.build_tokenizer(), preprocess, align, f"the tokenizer of {name}")
    pattern = re.compile(vectorizer.token_pattern)

    def cut(text: str) -> tuple[tuple[str, ...], Offsets]:
        aligned = align(text)
        # scikit-learn allows no group or one; one that took no part is at -1
        spans = np.array([match.span(pattern.groups) for match in pattern.finditer(aligned.text)], dtype=np.int32)
        spans = spans.reshape(-1, 2).clip(min=0)
        return tuple(aligned.text[start:end] for start, end in spans.tolist()), aligned.origin(spans)

    return cut


def _located(
    function: Callable[[str], Any], preprocess: Callable[[str], str], align: Callable[[str], Aligned], name: str
) -> _Cut:
    """Find the strings that a user's callable gave in the preprocessed text.

    A callable may have a ``spans`` of its own, text -> (start, end) of each string in the text that it gets.
    """
    exact = getattr(function, "spans", None)

    def cut(text: str) -> tuple[tuple[str, ...], Offsets]:
        changed = preprocess(text)
        forms = tuple(function(changed))
        if not all(isinstance(form, str) for form in forms):
            kind = next(type(form).__name__ for form in forms if not isinstance(form, str))
            raise ModelError(f"{name} gave a {kind}; strings are wanted: let it give the words as they are written.")
        aligned = align(text)
        if exact is not None:
            return forms, aligned.origin(_checked_spans(exact(changed), len(forms), len(changed), name))
        spans, unsure = _spans_of_results(forms, changed, name)
        if unsure:
            warn_unsure(name, SPANS_REMEDY)
        return forms, aligned.origin(spans)

    return cut


SPANS_REMEDY = "give the callable an attribute spans: a function text -> (start, end) pairs, one for each result"


def _spans_of_results(forms: Sequence[str], text: str, name: str) -> tuple[Offsets, bool]:
    """Spans of strings in a text, or in the same text in lower case; and whether others are just as likely."""
    lowered = align_pieces(text, str.lower)
    versions = [each for each in (same_places(text), lowered) if each is not None]
    for aligned in versions:
        placement = place(forms, aligned.text)
        if placement is not None:
            return aligned.origin(placement.spans), bool(placement.unsure.any())
    for aligned in versions:  # some were repeated, or put in another order
        if all(form in aligned.text for form in forms):
            placement = place_most(forms, aligned.text)
            return aligned.origin(placement.spans), bool(placement.unsure.any())
    missing = next(form for form in forms if form not in versions[-1].text)
    raise ModelError(
        f"{name} cannot be traced: its result {missing!r} is not in the text. Let it give the words as they are "
        f"written (the vectorizer's own ngram_range=, stop_words= and lowercase= do the rest), or {SPANS_REMEDY}."
    )


def _checked_spans(given: Any, count: int, length: int, name: str) -> Offsets:
    """The pairs that a user's ``spans`` gave, (M, 2); raises :class:`ModelError` on anything else."""
    try:
        spans = np.array(given if isinstance(given, np.ndarray) else list(given)).reshape(-1, 2)
    except (TypeError, ValueError):
        spans = np.zeros((0, 3))
    whole = spans.dtype.kind in "iu" or not spans.size
    if not whole or len(spans) != count or (spans < 0).any() or (spans > length).any() or (np.diff(spans) < 0).any():
        raise ModelError(
            f"spans of {name} must be {count} (start, end) pairs from 0 to {length}, one for each result; got "
            f"{given!r:.200}."
        )
    return spans.astype(np.int32)


def _runs(units: int, low: int, high: int) -> tuple[IntArray, IntArray]:
    """First and last (not included) of all runs of ``low`` to ``high`` units."""
    lengths = range(low, min(high, units) + 1)
    first = [np.arange(units - length + 1) for length in lengths]
    last = [starts + length for starts, length in zip(first, lengths, strict=True)]
    nothing = np.zeros(0, dtype=np.int64)
    return np.concatenate([nothing, *first]), np.concatenate([nothing, *last])


# ---- units of characters


def _characters(vectorizer: Any, name: str) -> Callable[[str], Units]:
    """Cut a text into the characters of a character analyzer; several blanks in a row are one."""
    align = _aligner(vectorizer, name)
    low, high = vectorizer.ngram_range
    bounded = vectorizer.analyzer == "char_wb"

    def units(text: str) -> Units:
        aligned = align(text)
        spaced, spans = _spaced(aligned)
        if bounded:
            return _within_words(spaced, spans, low, high)
        return Units(spans, tuple(spaced), *_runs(len(spaced), low, high), _none())

    return units


def _spaced(aligned: Aligned) -> tuple[str, Offsets]:
    """The text with each run of two or more whitespace characters as one blank, and its characters' spans."""
    places = [[at, at + 1] for at in range(len(aligned.text))]
    pieces: list[list[int]] = []
    position = 0
    for match in _WHITESPACE.finditer(aligned.text):
        pieces += places[position : match.start()]
        pieces.append([match.start(), match.end()])
        position = match.end()
    pieces += places[position:]
    spans = np.array(pieces, dtype=np.int32).reshape(-1, 2)
    return _WHITESPACE.sub(" ", aligned.text), aligned.origin(spans)


def _within_words(text: str, spans: Offsets, low: int, high: int) -> Units:
    """n-grams that stay within a word and the blanks that scikit-learn puts around it (``char_wb``)."""
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
            if len(starts) == 1:  # a word that is no longer than the n-gram counts once
                break
    return Units(np.concatenate(all_spans), tuple(forms), np.concatenate(first), np.concatenate(last), _none())


# ---- the preprocessed text


def _aligner(vectorizer: Any, name: str) -> Callable[[str], Aligned]:
    """Preprocess a text and align it with the original.

    What it returns raises :class:`ModelError` where a user's own preprocessor cannot be followed. A preprocessor may
    have a ``spans`` of its own, text -> (start, end) of each character of its result.
    """
    preprocess = vectorizer.build_preprocessor()
    overridden = type(vectorizer).build_preprocessor is not CountVectorizer.build_preprocessor
    own = overridden or vectorizer.preprocessor is not None or callable(vectorizer.strip_accents)
    exact, named = getattr(vectorizer.preprocessor, "spans", None), f"the preprocessor of {name}"

    def align(text: str) -> Aligned:
        if exact is not None:
            changed = preprocess(text)
            spans = _checked_spans(exact(text), len(changed), len(text), named)
            return Aligned(changed, spans[:, 0], spans[:, 1])
        aligned = align_pieces(text, preprocess, known=not own)
        if aligned is None:  # it looks at more than single characters
            aligned = align_changed(text, preprocess(text))
        if aligned is None:
            raise ModelError(
                f"{named} cannot be traced: its result has too little in common with the text. Preprocess the texts "
                "before they come to the pipeline, or give the callable an attribute spans: a function text -> "
                "(start, end) pairs, one for each character of its result."
            )
        if aligned.unsure:
            warn_unsure(named, "give it an attribute spans: a function text -> (start, end) of each character")
        return aligned

    return align


def _none() -> Offsets:
    return np.zeros((0, 2), dtype=np.int32)
