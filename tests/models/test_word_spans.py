"""Words from the offsets of pieces, and windows of words: laws over random texts, without any tokenizer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textlrp.models.transformers.reading_windows import overlap_of, windows_of_words, words_within
from textlrp.models.transformers.word_spans import word_spans

TEXTS = st.text(alphabet=st.sampled_from("ab é.-'\n\u00a0漢字ไทย😀\u0301_9"), max_size=30)
MOST = 1000

Case = tuple[str, list[tuple[int, int]], list[int | None]]
"""A text, the offsets of its pieces, and their word ids."""


@st.composite
def cut_texts(draw: st.DrawFn) -> Case:
    """A text, offsets of pieces that may overlap, be empty or have blanks, and word ids that never fall."""
    text = draw(TEXTS)
    place = st.integers(0, len(text))
    starts = sorted(draw(st.lists(place, max_size=12)))
    offsets = [(start, draw(st.integers(start, min(len(text), start + 5)))) for start in starts]
    words: list[int | None] = []
    for _ in offsets:
        last = next((word for word in reversed(words) if word is not None), 0)
        words.append(draw(st.sampled_from([None, last, last, last + 1])))
    return text, offsets, words


@given(cut_texts(), st.integers(1, 4))
def test_spans_are_disjoint_not_empty_and_in_order(case: Case, most: int) -> None:
    text, offsets, ids = case
    found = word_spans(text, offsets, ids, most)
    flat = found.spans.reshape(-1)
    assert (np.diff(flat) >= 0).all()
    assert (found.spans[:, 0] < found.spans[:, 1]).all() or not text
    assert not len(flat) or (flat[0] >= 0 and flat[-1] <= len(text))
    assert len(found.word_of) == len(found.pieces) == len(offsets)
    assert (np.diff(found.word_of) >= 0).all()
    assert set(found.word_of.tolist()) == set(range(len(found.spans)))


@given(cut_texts())
def test_a_piece_lies_in_its_word_and_words_have_no_blanks_at_their_ends(
    case: Case,
) -> None:
    text, offsets, ids = case
    found = word_spans(text, offsets, ids, MOST)
    visible = [text[start:end].strip() for start, end in offsets]
    for (start, end), word, seen in zip(found.pieces.tolist(), found.word_of.tolist(), visible, strict=True):
        assert text[start:end] == seen
        if seen:
            assert found.spans[word][0] <= start < end <= found.spans[word][1]
    if any(visible):
        assert all(text[start:end] == text[start:end].strip() for start, end in found.spans.tolist())


def words_of(text: str, *pieces: str, ids: list[int] | None = None) -> list[str]:
    """The words of a text whose pieces are given as text, in order; a blank before a piece is part of it."""
    offsets, position = [], 0
    for piece in pieces:
        position = text.index(piece, position)
        offsets.append((position, position + len(piece)))
        position += len(piece)
    found = word_spans(text, offsets, ids or [0] * len(pieces), MOST)
    return [text[start:end] for start, end in found.spans.tolist()]


def test_boundaries_inside_a_word_of_the_tokenizer() -> None:
    assert words_of("unbelievable", "un", "believ", "able") == ["unbelievable"]
    assert words_of("a doctor", "a", " doc", "tor") == ["a", "doctor"], "some tokenizers have one word id for a text"
    assert words_of("doctor, sir", "doctor", ",", " sir") == ["doctor", ",", "sir"]
    assert words_of("don't", "don", "'", "t") == ["don", "'", "t"]
    assert words_of("漢字です", "漢", "字", "です") == ["漢", "字", "です"]
    assert words_of("cafe\u0301", "cafe", "\u0301") == ["cafe\u0301"]
    assert words_of("👩\u200d👧👍🏽!", "👩", "\u200d", "👧", "👍", "🏽", "!") == ["👩\u200d👧", "👍🏽", "!"]
    assert words_of("3-2", "3-2") == ["3-2"], "a piece is never cut"


def test_a_mark_belongs_to_its_letter_also_with_another_word_id() -> None:
    assert words_of("cafe\u0301s", "cafe", "\u0301", "s", ids=[0, 1, 2]) == ["cafe\u0301", "s"]
    assert words_of("ที่", "ท", "ี", "่", ids=[0, 1, 2]) == ["ที่"]
    assert words_of("a \u0301", "a", "\u0301", ids=[0, 1]) == ["a", "\u0301"]


def test_pieces_of_the_same_characters_are_one_word() -> None:
    found = word_spans("x😀y", [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)], [0, 1, 1, 2, 3], MOST)
    assert found.spans.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert found.word_of.tolist() == [0, 1, 1, 1, 2]


def test_blank_pieces_belong_to_the_next_word_and_at_the_end_to_the_last() -> None:
    found = word_spans("a  b ", [(0, 1), (1, 2), (2, 4), (4, 5)], [0, 1, 2, 3], MOST)
    assert found.spans.tolist() == [[0, 1], [3, 4]]
    assert found.word_of.tolist() == [0, 1, 1, 1]
    assert word_spans("  ", [(0, 2)], [0], MOST).spans.tolist() == [[0, 2]]
    assert word_spans("\x00", [(0, 0)], [0], MOST).spans.tolist() == [[0, 1]]


def test_a_long_word_is_cut_between_pieces() -> None:
    found = word_spans("abcdefg", [(n, n + 1) for n in range(7)], [0] * 7, 3)
    assert found.spans.tolist() == [[0, 3], [3, 6], [6, 7]]


# ---- windows

SIZES = st.lists(st.integers(1, 9), max_size=60)


@given(SIZES, st.integers(9, 30))
def test_windows_fit_overlap_and_cover_every_word(sizes: list[int], room: int) -> None:
    pieces = np.array(sizes, dtype=np.int64)
    windows = windows_of_words(pieces, room)
    assert all(pieces[first:last].sum() <= room for first, last in windows)
    assert windows[0][0] == 0
    assert windows[-1][1] == len(sizes)
    for (first, last), (next_first, next_last) in pairwise(windows):
        assert first < next_first <= last < next_last
        if (next_first, next_last) != windows[-1]:
            assert pieces[next_first:last].sum() <= overlap_of(room)
    if len(windows) > 1:
        first = windows[-1][0]
        assert pieces[first - 1 :].sum() > room, "the last window is filled up"


@given(SIZES, st.integers(1, 30))
def test_one_window_if_and_only_if_the_text_fits(sizes: list[int], room: int) -> None:
    pieces = np.array(sizes, dtype=np.int64)
    assert (len(windows_of_words(pieces, room)) == 1) == (sum(sizes) <= room or len(sizes) == 1)
    assert windows_of_words(pieces, None) == [(0, len(sizes))]


@given(SIZES, st.integers(1, 30))
def test_the_words_within_are_as_many_as_fit(sizes: list[int], room: int) -> None:
    count = words_within(np.array(sizes, dtype=np.int64), room)
    assert sum(sizes[:count]) <= room
    assert count == len(sizes) or sum(sizes[: count + 1]) > room
