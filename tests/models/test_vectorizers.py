"""Offsets of a vectorizer's n-grams: the same n-grams as scikit-learn's, each with correct offsets."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

from textlrp.errors import ModelError
from textlrp.models.pipeline.alignment import align_characters
from textlrp.models.pipeline.vectorizers import (
    TextVectorizer,
    analyze,
    check_rebuilt_counts,
    count_columns,
    text_vectorizer,
    vectorize,
)
from textlrp.text.placing import place

LEARNED = (
    "the old car will not start and the engine is loud",
    "a straße in the café, naïve and fine",
    "the pill did not help against the fever",
)
PIECES = (
    "the", "car", "The CAR", "engine", "not", "café", "cafe\u0301", "İstanbul", "Straße", "STRASSE", "ﬁne", "ﬀ", "½",
    "ΟΔΟΣ", "ὈΔΥΣΣΕΎΣ", "가각", "🚀", "👩\u200d🚀", "e\u0301\u0323", "\u0301", "x", "1", "_", "-", "'", ".", "\u2044",
    "न\u093f", "שלום", "\ufb01", "\u00a0", "Ǆ", "ŉ",
)  # fmt: skip
GAPS = (" ", "  ", "\n\n", "\t", " \u3000 ", "\r\n", "", "\u2028", "\x1c")

WORD_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"ngram_range": (1, 3)},
    {"ngram_range": (2, 2), "stop_words": ["the", "not"]},
    {"token_pattern": r"(?u)\b\w+\b"},
    {"token_pattern": r"(?u)(\w)\w+"},
    {"token_pattern": r"(?u)(?=(\w\w))", "ngram_range": (1, 2)},
    {"token_pattern": r"(?u)x|(\w\w)"},
    {"token_pattern": r"\w*", "ngram_range": (1, 2)},
    {"lowercase": False, "strip_accents": "unicode"},
    {"strip_accents": "ascii", "ngram_range": (1, 2)},
    {"strip_accents": "unicode", "token_pattern": r"\S+"},
    {"tokenizer": str.split, "token_pattern": None, "ngram_range": (1, 2)},
    {"tokenizer": re.compile(r"\w+").findall, "token_pattern": None, "strip_accents": "unicode"},
    {"preprocessor": str.swapcase},
    {"preprocessor": str.strip},
)
CHARACTER_OPTIONS: tuple[dict[str, Any], ...] = tuple(
    {"analyzer": analyzer, "ngram_range": ngrams, "strip_accents": strip, "lowercase": lower}
    for analyzer in ("char", "char_wb")
    for ngrams, strip, lower in (
        ((1, 1), None, True), ((1, 3), "unicode", True), ((2, 5), "ascii", True), ((3, 3), None, False),
        ((6, 7), None, True),
    )
)  # fmt: skip


def random_texts(seed: int, count: int, longest: int = 12) -> list[str]:
    """Texts with characters that make offsets difficult."""
    draw = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        size = draw.integers(0, longest)
        parts = [str(draw.choice(PIECES)) + str(draw.choice(GAPS, p=[0.6, *[0.05] * 8])) for _ in range(size)]
        texts.append(str(draw.choice(["", " ", "\n"])) + "".join(parts))
    return texts


def reader_of(options: dict[str, Any], kind: type = CountVectorizer) -> TextVectorizer:
    fitted = kind(**options)
    return text_vectorizer(fitted if kind is HashingVectorizer else fitted.fit([*LEARNED, *random_texts(0, 20)]), "v")


def ngrams(reader: TextVectorizer, text: str) -> list[str]:
    units = reader.units(text)
    return [
        reader.separator.join(units.forms[a:b])
        for a, b in zip(units.first.tolist(), units.last.tolist(), strict=True)
    ]


def stripped(text: str, how: str | None, lower: bool = True) -> str:
    text = text.lower() if lower else text
    if how is None:
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    if how == "ascii":
        return "".join(c for c in decomposed if ord(c) < 128)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


# ---- the same n-grams as scikit-learn's


@every("options", [*WORD_OPTIONS, *CHARACTER_OPTIONS])
def test_the_ngrams_equal_those_of_the_vectorizer(options: dict[str, Any]) -> None:
    reader = reader_of(options)
    analyzer = reader.vectorizer.build_analyzer()
    for text in random_texts(1, 60):
        assert Counter(ngrams(reader, text)) == Counter(analyzer(text)), text


@every("options", [*WORD_OPTIONS, *CHARACTER_OPTIONS])
@every("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
def test_the_output_rebuilt_from_occurrences_equals_the_vectorizers(options: dict[str, Any], kind: type) -> None:
    reader = reader_of(options, kind)
    texts = random_texts(2, 20)
    found = [analyze(reader, text) for text in texts]
    rebuilt = count_columns(reader, [(each.columns, each.signs) for each in found])
    own = vectorize(reader, texts)
    check_rebuilt_counts(reader, own, rebuilt)
    assert own.nnz
    assert abs(own - rebuilt).max() < 1e-14


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.sampled_from(CHARACTER_OPTIONS))
def test_character_ngrams_of_any_text_equal_scikit_learns(text: str, options: dict[str, Any]) -> None:
    reader = text_vectorizer(HashingVectorizer(**options), "v")
    assert Counter(ngrams(reader, text)) == Counter(reader.vectorizer.build_analyzer()(text))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.sampled_from([None, "ascii", "unicode"]), st.booleans())
def test_each_character_of_any_text_is_made_from_its_origin(text: str, strip: str | None, lower: bool) -> None:
    aligned = align_characters(text, lambda t: stripped(t, strip, lower))
    assert aligned is not None
    assert aligned.text == stripped(text, strip, lower)
    assert len(aligned.starts) == len(aligned.ends) == len(aligned.text)
    assert (np.diff(aligned.starts) >= 0).all()
    assert (aligned.starts < aligned.ends).all()
    for character, start, end in zip(aligned.text, aligned.starts, aligned.ends, strict=True):
        assert character.replace("ς", "σ") in stripped(text[start:end], strip, lower).replace("ς", "σ")


@every(
    "options",
    [
        {"binary": True},
        {"alternate_sign": False, "norm": "l1"},
        {"norm": None},
        {"binary": True, "norm": None, "n_features": 7},
        {"n_features": 1, "norm": None},
        {"dtype": np.float32, "n_features": 32},
    ],
)
def test_hashed_columns_and_signs_equal_scikit_learns(options: dict[str, Any]) -> None:
    reader = text_vectorizer(HashingVectorizer(ngram_range=(1, 2), **options), "v")
    texts = random_texts(3, 40)
    found = [analyze(reader, text) for text in texts]
    difference = count_columns(reader, [(each.columns, each.signs) for each in found]) - vectorize(reader, texts)
    assert abs(difference).max() < 1e-6


# ---- each at its place


@every("strip", [None, "ascii", "unicode"])
@every("pattern", [r"(?u)\b\w\w+\b", r"\S+"])
def test_a_words_form_is_made_from_its_span(strip: str | None, pattern: str) -> None:
    reader = text_vectorizer(HashingVectorizer(strip_accents=strip, token_pattern=pattern), "v")
    for text in random_texts(4, 150):
        units = reader.units(text)
        for (start, end), form in zip(units.spans.tolist(), units.forms, strict=True):
            assert 0 <= start < end <= len(text)
            # a span covers a whole character that became several, although the word may have only some of these
            assert form.replace("ς", "σ") in stripped(text[start:end], strip).replace("ς", "σ")


def spans_of(text: str, **options: Any) -> list[str]:
    units = text_vectorizer(HashingVectorizer(**options), "v").units(text)
    return [text[start:end] for start, end in units.spans.tolist()]


def test_a_removed_accent_belongs_to_its_letter() -> None:
    assert spans_of("Cafe\u0301 ole\u0301!", strip_accents="unicode") == ["Cafe\u0301", "ole\u0301"]
    assert spans_of("Cafe\u0301x", strip_accents="ascii") == ["Cafe\u0301x"]
    assert spans_of("go🚀 on", strip_accents="ascii") == ["go", "on"]


def test_characters_that_become_several_keep_their_offsets() -> None:
    assert spans_of("İİ ok", token_pattern=r"\S+") == ["İİ", "ok"]  # each becomes an i and a dot
    assert spans_of("Straße ok", preprocessor=str.casefold) == ["Straße", "ok"]
    assert spans_of("ﬁn ok", strip_accents="unicode") == ["ﬁn", "ok"]
    assert spans_of("ﬁ", strip_accents="unicode", analyzer="char", ngram_range=(1, 1)) == ["ﬁ", "ﬁ"]
    assert spans_of("aİb", analyzer="char") == ["a", "İ", "İ", "b"]


def test_a_run_of_whitespace_becomes_one_blank() -> None:
    assert spans_of("a \n b\tc", analyzer="char") == ["a", " \n ", "b", "\t", "c"]


def test_blanks_around_words_have_no_origin() -> None:
    reader = text_vectorizer(HashingVectorizer(analyzer="char_wb", ngram_range=(2, 3)), "v")
    units = reader.units(" ab  c")
    assert units.spans.tolist() == [[0, 0], [1, 2], [2, 3], [0, 0], [0, 0], [5, 6], [0, 0]]
    assert "".join(units.forms) == " ab  c "
    assert ngrams(reader, " ab  c") == [" a", "ab", "b ", " ab", "ab ", " c", "c ", " c "]


def test_stop_words_are_left_out_and_ngrams_span_them() -> None:
    reader = text_vectorizer(HashingVectorizer(stop_words="english", ngram_range=(2, 2)), "v")
    units = reader.units("The engine of the car")
    assert units.forms == ("engine", "car")
    assert units.stopped.tolist() == [[0, 3], [11, 13], [14, 17]]
    assert ngrams(reader, "The engine of the car") == ["engine car"]


def test_strings_are_found_as_whole_words_first() -> None:
    def places(strings: Sequence[str], text: str) -> list[tuple[int, ...]] | None:
        found = place(strings, text)
        return None if found is None else [tuple(span) for span in found.spans.tolist()]

    assert places(["a"], "banana a") == [(7, 8)]
    assert places(["run", "run"], "running run") == [(0, 3), (8, 11)]
    assert places(["run", "run"], "running runs") == [(0, 3), (8, 11)]
    assert places(["b", "a"], "a b") is None
    assert places([], "") == []


def test_results_of_a_callable_analyzer_are_located_in_the_text() -> None:
    capitals = re.compile(r"[A-Z]\w*").findall
    assert spans_of("The Engine of my Car", analyzer=capitals) == ["The", "Engine", "Car"]
    assert spans_of("The Engine", analyzer=lambda text: text.lower().split()) == ["The", "Engine"]


def test_a_preprocessor_that_changes_the_length_is_aligned_by_words() -> None:
    def without_marks(text: str) -> str:
        return re.sub(r"<[^>]*>", "", text).lower()

    assert spans_of("<p>The <b>Car</b>", preprocessor=without_marks) == ["The", "Car"]


def without_tags(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text)


def offsets(text: str, **options: Any) -> list[tuple[int, ...]]:
    return [tuple(span) for span in text_vectorizer(HashingVectorizer(**options), "v").units(text).spans.tolist()]


REMOVING: dict[str, dict[str, Any]] = {
    "preprocessor": {"preprocessor": without_tags},
    "tokenizer": {"tokenizer": lambda text: without_tags(text).split(), "token_pattern": None},
    "analyzer": {"analyzer": lambda text: without_tags(text).split()},
    "both": {"preprocessor": without_tags, "tokenizer": str.split, "token_pattern": None},
}


@pytest.mark.parametrize("options", REMOVING.values(), ids=REMOVING)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from(["good", "bad", "film", "cast"]), min_size=1, max_size=3)),
        min_size=1,
        max_size=6,
    )
)
def test_words_are_located_where_the_function_kept_them(options: dict[str, Any], parts: list[Any]) -> None:
    text, truth = "", []
    for removed, words in parts:
        if removed:
            text += f'<img alt="{" ".join(words)}"> '
            continue
        for word in words:
            truth.append((len(text), len(text) + len(word)))
            text += f"{word} "
    if truth:
        assert offsets(text, **options) == truth


def test_the_origin_of_a_replacement_is_what_it_replaces() -> None:
    def replaced(text: str) -> str:
        return re.sub(r"https?://\S+", "link", text).replace("&amp;", "and")

    text = "see https://a.org/good&amp;more R&amp;D now"
    assert spans_of(text, preprocessor=replaced, token_pattern=r"\w+") == [
        "see",
        "https://a.org/good&amp;more",
        "R&amp;D",
        "now",
    ]
    assert spans_of("1999 cars", preprocessor=lambda text: re.sub(r"\d", "0", text)) == ["1999", "cars"]


def test_the_origin_of_a_repeated_passage_is_the_passage() -> None:
    text = "Good film\nI liked the cast of the film"
    title = {"preprocessor": lambda text: " ".join([text.split("\n")[0]] * 2 + [text])}
    words = {"tokenizer": lambda text: text.split("\n")[0].split() * 2 + text.split(), "token_pattern": None}
    for options in (title, words):
        found = offsets(text, lowercase=False, **options)
        assert found[:6] == [(0, 4), (5, 9)] * 3
        assert [text[start:end] for start, end in found[6:]][-3:] == ["of", "the", "film"]


def test_a_function_may_return_the_offsets_itself() -> None:
    class Last:
        """Reads only the last word."""

        def __call__(self, text: str) -> list[str]:
            return text.split()[-1:]

        def spans(self, text: str) -> list[tuple[int, int]]:
            return [(len(text) - len(text.split()[-1]), len(text))]

    text = "good good good"
    assert offsets(text, tokenizer=Last(), token_pattern=None) == [(10, 14)]
    assert offsets(text, analyzer=Last()) == [(10, 14)]

    class Tail:
        """Reads only the last four characters."""

        def __call__(self, text: str) -> str:
            return text[-4:]

        def spans(self, text: str) -> list[tuple[int, int]]:
            return [(at, at + 1) for at in range(len(text) - 4, len(text))]

    assert offsets(text, preprocessor=Tail()) == [(10, 14)]

    class Wrong(Last):
        def spans(self, text: str) -> list[tuple[int, int]]:
            return [(0, 400)]

    assert "spans of the callable analyzer of the HashingVectorizer 'words' must be 1 (start, end) pairs" in refusal(
        HashingVectorizer(analyzer=Wrong())
    )


def test_ambiguous_offsets_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="the callable analyzer of .* occur several times"):
        offsets("good film good", analyzer=lambda text: text.split()[-1:])


# ---- refusals


def refusal(vectorizer: Any, text: str = "the car and The Engine") -> str:
    with pytest.raises(ModelError) as refused:
        text_vectorizer(vectorizer, "words").units(text)
    return str(refused.value)


def test_results_that_are_not_in_the_text_are_refused_by_name() -> None:
    message = refusal(HashingVectorizer(analyzer=lambda text: ["motor", "car"]))
    assert "callable analyzer of the HashingVectorizer 'words'" in message
    assert "must return parts of the text; got 'motor', which is not in the text" in message
    message = refusal(HashingVectorizer(tokenizer=lambda text: ["auto"], token_pattern=None))
    assert "tokenizer of the HashingVectorizer 'words'" in message
    message = refusal(HashingVectorizer(preprocessor=lambda text: "xyz"))
    assert "preprocessor of the HashingVectorizer 'words'" in message
    message = refusal(HashingVectorizer(tokenizer=lambda text: [1, 2], token_pattern=None))
    assert "must return strings; got an object of type int" in message


def test_characters_of_a_preprocessed_text_are_located_or_refused() -> None:
    refused = refusal(HashingVectorizer(analyzer="char", preprocessor=lambda text: "xyz"))
    assert "its result has too little in common with it" in refused
    assert spans_of('<img alt="so"> so', analyzer="char", preprocessor=without_tags) == [" ", "s", "o"]


def test_files_are_refused() -> None:
    assert "must have input='content', because textlrp passes the texts themselves; got 'filename'" in refusal(
        HashingVectorizer(input="filename")
    )


def test_an_unfitted_vectorizer_is_refused_and_a_given_vocabulary_is_enough() -> None:
    assert "CountVectorizer 'words' must be fitted" in refusal(CountVectorizer())
    assert "TfidfVectorizer 'words' must be fitted" in refusal(TfidfVectorizer(vocabulary=["car"]))
    given_words = CountVectorizer(vocabulary=["car", "the"])
    found = analyze(text_vectorizer(given_words, "words"), "the old car")
    assert found.columns.tolist() == [1, 0]
    assert not hasattr(given_words, "vocabulary_")


def test_a_change_that_depends_on_several_characters_is_not_aligned_by_characters() -> None:
    assert align_characters("é and more", lambda text: text[:3]) is None


class Doubling(CountVectorizer):  # type: ignore[misc]
    """A vectorizer that overrides how n-grams are made."""

    def _word_ngrams(self, tokens: Any, stop_words: Any = None) -> Any:
        return [*tokens, *tokens]


class Splitting(CountVectorizer):  # type: ignore[misc]
    """A vectorizer that overrides methods that textlrp supports."""

    def build_tokenizer(self) -> Any:
        return str.split

    def build_preprocessor(self) -> Any:
        return str.upper


def test_overridden_methods_are_supported_or_refused() -> None:
    texts = ["The car, the pill", "no, the car"]
    for kind, noticed in ((Doubling, True), (Splitting, False)):
        reader = text_vectorizer(kind().fit(texts), "words")
        found = [analyze(reader, text) for text in texts]
        rebuilt = count_columns(reader, [(each.columns, each.signs) for each in found])
        if noticed:
            with pytest.raises(ModelError, match="Doubling 'words' must make its features from n-grams"):
                check_rebuilt_counts(reader, vectorize(reader, texts), rebuilt)
        else:
            check_rebuilt_counts(reader, vectorize(reader, texts), rebuilt)
            assert reader.units("The car,").forms == ("THE", "CAR,")
