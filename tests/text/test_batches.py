"""Laws of reading: the fast methods return the words of the full reading, and every token has its status."""

from __future__ import annotations

import os
import pickle
import re
import tarfile
import time
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.errors import OptionError
from textlrp.records import Document, Ranges, Status, no_ranges
from textlrp.text.batches import Batch, bucket, end_to_end, grid
from textlrp.text.chunks import by_pattern, by_whitespace
from textlrp.text.encoding import Reader, encode_readings
from textlrp.text.invisible import visible, visible_with_origins
from textlrp.text.tokens import ChunkTokenizer, Tokenizer, is_word, make_tokenizer
from textlrp.text.vocabulary import Vocabulary

SHARDS = [
    ":)",
    ":",
    ")",
    "'",
    "a.m.",
    "he",
    "'s",
    "don't",
    "12",
    "-",
    "Word",
    "wörd",
    "\n",
    " ",
    "  ",
    "\n\n",
    "\t",
    "🙂",
]
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(SHARDS), max_size=25).map("".join))


def nothing(text: str) -> Ranges:
    return no_ranges()


def first_line(text: str) -> Ranges:
    return np.array([[0, text.find("\n") + 1]], dtype=np.int32)


def in_brackets(text: str) -> Ranges:
    return np.array([m.span() for m in re.finditer(r"\([^)]*\)", text)], dtype=np.int32).reshape(-1, 2)


def cut(text: str) -> Iterable[str]:
    return text.split()


@cache
def tokenizer(name: str) -> Tokenizer:
    return make_tokenizer(cut if name == "cut" else name)


def reader(name: str = "spacy", *, lowercase: bool = True, skip=nothing, max_tokens: int | None = None) -> Reader:
    return Reader(tokenizer(name), lowercase, skip, max_tokens)


def spans_of(name: str, text: str) -> list[list[int]]:
    """Return the tokenizer's spans of the visible part of a text, as offsets in the original text."""
    seen, origins = visible_with_origins(text)
    spans = tokenizer(name).spans(seen)
    return (spans if origins is None else origins[spans]).tolist()


@st.composite
def skipping_documents(draw: st.DrawFn) -> Document:
    text = draw(texts)
    edges = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return Document("d", text, skip=np.array(pairs, dtype=np.int32).reshape(-1, 2))


# ---- laws


@pytest.mark.parametrize("name", ["spacy", "words", "cut", "spacy:zh"])
@given(document=skipping_documents(), lowercase=st.booleans(), limit=st.sampled_from([None, 1, 3]))
@settings(max_examples=80, deadline=None)
def test_words_are_the_forms_of_read(name: str, document: Document, lowercase: bool, limit: int | None) -> None:
    mine = reader(name, lowercase=lowercase, max_tokens=limit, skip=first_line)
    for given_text in (document, document.text):
        reading = mine.read(given_text, 0)
        assert mine.words(given_text) == list(reading.forms)
        assert mine.words(given_text) == [reading.tokens.forms[t] for t in reading.positions]


@pytest.mark.parametrize("name", ["spacy", "words", "cut"])
@given(document=skipping_documents(), limit=st.sampled_from([None, 1, 3]))
@settings(max_examples=80, deadline=None)
def test_every_token_has_the_status_its_place_and_letters_give_it(
    name: str, document: Document, limit: int | None
) -> None:
    reading = reader(name, max_tokens=limit).read(document, 0)
    assert reading.tokens.spans.tolist() == spans_of(name, document.text)
    assert reading.status.dtype == np.uint8
    assert reading.positions.dtype == np.int32
    expected, read = [], []
    for t, (start, end) in enumerate(reading.tokens.spans.tolist()):
        token = visible(document.text[start:end])
        assert reading.tokens.forms[t] == token.lower()
        if any(first <= start < last for first, last in document.skip.tolist()):
            expected.append(Status.SKIPPED)
        elif not is_word(token):
            expected.append(Status.NOT_A_WORD)
        elif limit is not None and len(read) == limit:
            expected.append(Status.TRUNCATED)
        else:
            expected.append(Status.READ)
            read.append(t)
    assert reading.status.tolist() == expected
    assert reading.positions.tolist() == read


@given(some=st.lists(texts, max_size=5), known=st.lists(texts, max_size=3))
@settings(max_examples=50, deadline=None)
def test_a_batch_holds_what_its_readings_hold(some: list[str], known: list[str]) -> None:
    mine = reader()
    vocabulary = Vocabulary.build(mine.words(text) for text in known)
    readings = [mine.read(text, number) for number, text in enumerate(some)]
    batch = encode_readings(readings, vocabulary)
    assert len(batch) == len(some)
    assert batch.ids.shape == (len(some), max((len(r.positions) for r in readings), default=0))
    for n, reading in enumerate(readings):
        alone = vocabulary.ids(reading.forms)
        assert batch.lengths[n] == len(alone)
        assert batch.ids[n, : len(alone)].tolist() == alone.tolist()
        assert not batch.ids[n, len(alone) :].any()
        changed = np.flatnonzero(batch.status[n] != reading.status)
        assert changed.tolist() == reading.positions[alone == 0].tolist()
        assert (batch.status[n][changed] == Status.UNKNOWN).all()
        frequencies = dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))
        assert batch.counts[n].tolist() == [frequencies.get(form, 0) for form in reading.tokens.forms]
        assert batch.counts[n].dtype == np.int32


@st.composite
def anything_marked(draw: st.DrawFn) -> Document | str:
    """Draw a text, or a document with ranges that may overlap, be unsorted or end outside the text."""
    text = draw(texts)
    if draw(st.booleans()):
        return text
    edge = st.integers(-3, len(text) + 60)
    pairs = draw(st.lists(st.tuples(edge, edge), max_size=4))
    return Document(draw(st.sampled_from("ab")), text, skip=np.array(pairs, dtype=np.int32).reshape(-1, 2))


def inside_naively(place: int, ranges: Ranges) -> bool:
    return sum(start <= place for start, _ in ranges.tolist()) > sum(end <= place for _, end in ranges.tolist())


@pytest.mark.parametrize("name", ["spacy", "spacy:de", "words", "cut", "spacy:zh"])
@given(
    some=st.lists(anything_marked(), max_size=7),
    limit=st.sampled_from([None, 1, 3]),
    together=st.sampled_from([1, 2, 64]),
    most=st.sampled_from([0, 5, 1 << 18]),
)
@settings(max_examples=50, deadline=None)
def test_texts_are_read_together_as_one_by_one(
    name: str, some: list[Document | str], limit: int | None, together: int, most: int
) -> None:
    mine, vocabulary = reader(name, max_tokens=limit, skip=first_line), Vocabulary.build([["he", "word", "wörd"]])
    readings = [reader(name, max_tokens=limit, skip=first_line).read(text, n) for n, text in enumerate(some)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textlrp.text.batches.TEXTS_TOGETHER", together)
        patch.setattr("textlrp.text.memory.CACHED_CHUNKS", most)
        for _ in range(2):
            assert_same(mine.encode(iter(some), vocabulary), encode_readings(readings, vocabulary))
        assert list(mine.words_of_all(iter(some))) == [list(reading.forms) for reading in readings]
        ids = [vocabulary.ids(reading.forms).tolist() for reading in readings]
        assert [row.tolist() for row in mine.ids_of_all(iter(some), vocabulary)] == ids
        again = list(mine.read_all(iter(some)))
        assert_same(encode_readings(again, vocabulary), encode_readings(readings, vocabulary))


@pytest.mark.parametrize("name", ["spacy", "cut"])
@given(document=anything_marked(), limit=st.sampled_from([None, 2]))
@settings(max_examples=80, deadline=None)
def test_a_reading_is_what_plain_loops_make_of_a_text(name: str, document: Document | str, limit: int | None) -> None:
    text = document if isinstance(document, str) else document.text
    skipped = [first_line(text)] if isinstance(document, str) else [first_line(text), document.skip]
    status: list[Status] = []
    for start, end in spans_of(name, text):
        if any(inside_naively(start, ranges) for ranges in skipped):
            status.append(Status.SKIPPED)
        elif not is_word(visible(text[start:end])):
            status.append(Status.NOT_A_WORD)
        else:
            status.append(
                Status.TRUNCATED if limit is not None and status.count(Status.READ) >= limit else Status.READ
            )
    reading = reader(name, max_tokens=limit, skip=first_line).read(document, 4)
    assert reading.status.tolist() == status
    assert reading.positions.tolist() == [t for t, each in enumerate(status) if each == Status.READ]


def assert_same(found: Batch, wanted: Batch) -> None:
    for one, other in ((found.ids, wanted.ids), (found.lengths, wanted.lengths)):
        assert_equal_arrays(one, other)
    for n, (one, other) in enumerate(zip(found.readings, wanted.readings, strict=True)):
        assert (one.document_id, one.forms) == (other.document_id, other.forms)
        assert (one.tokens.text, one.tokens.forms) == (other.tokens.text, other.tokens.forms)
        for array, expected in (
            (one.tokens.spans, other.tokens.spans),
            (one.status, other.status),
            (one.positions, other.positions),
            (found.status[n], wanted.status[n]),
            (found.counts[n], wanted.counts[n]),
        ):
            assert_equal_arrays(array, expected)


def assert_equal_arrays(found: np.ndarray, wanted: np.ndarray) -> None:
    assert (found.dtype, found.shape, found.tolist()) == (wanted.dtype, wanted.shape, wanted.tolist())


# ---- the cache


def test_a_reader_may_look_up_in_another_vocabulary() -> None:
    mine = reader()
    for known in (["a", "b"], ["b"], ["b", "a"]):
        vocabulary = Vocabulary(tuple(known), np.ones(len(known), np.int32), 1)
        assert mine.encode(["a b", "c"], vocabulary).ids.tolist() == [vocabulary.ids("ab").tolist(), [0, 0]]


def test_a_chunk_is_split_once() -> None:
    seen: list[str] = []

    def split(chunk: str) -> tuple[tuple[int, int], ...]:
        seen.append(chunk)
        return ((0, len(chunk)),)

    mine = Reader(ChunkTokenizer("test", by_whitespace([], 1000), split), True, nothing, None)
    assert list(mine.words_of_all(["a b a", "b c"] * 100)) == [["a", "b", "a"], ["b", "c"]] * 100
    assert seen == ["a", "b", "c"]


def test_a_reader_is_right_after_an_interruption() -> None:
    stops = iter([False, True, False, False, False])

    def split(chunk: str) -> Iterator[tuple[int, int]]:
        yield 0, 1
        if next(stops):
            raise KeyboardInterrupt
        yield 1, len(chunk)

    mine = Reader(ChunkTokenizer("test", by_whitespace([], 1000), split), True, nothing, None)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        mine.words("ab cd")
    assert mine.words("cd ab") == ["c", "d", "a", "b"]


def test_parts_of_a_block_do_not_keep_it_alive() -> None:
    batch = reader().encode(["a b", "c d"], Vocabulary.build([["a"]]))
    reading = batch.readings[0]
    for array in (reading.tokens.spans, reading.status, reading.positions, batch.status[0], batch.counts[0]):
        assert array.base is None


# ---- reading


def test_reading_a_post_marks_what_is_not_read() -> None:
    text = "From: me\nDoctors don't agree :-) 12 xyz (aside here) end one two"
    mine = reader(skip=first_line, max_tokens=6)
    document = Document("post 7", text, skip=in_brackets(text))
    reading = mine.read(document, 3)
    assert reading.document_id == "post 7"
    assert mine.read(text, 3).document_id == "3"
    assert reading.forms == ("doctors", "do", "n't", "agree", "xyz", "end")
    batch = encode_readings([reading], Vocabulary.build([["doctors", "agree"], ["agree", "aside"]]))
    named = dict(zip(reading.tokens, (Status(s).name for s in batch.status[0]), strict=True))
    assert named["From"] == named["aside"] == named["("] == "SKIPPED"
    assert named[":-)"] == named["12"] == "NOT_A_WORD"
    assert named["Doctors"] == named["agree"] == "READ"
    assert named["xyz"] == named["end"] == "UNKNOWN"
    assert named["one"] == named["two"] == "TRUNCATED"
    assert batch.ids.tolist() == [[3, 0, 0, 1, 0, 0]]
    counts = dict(zip(reading.tokens, batch.counts[0].tolist(), strict=True))
    assert (counts["agree"], counts["Doctors"], counts["aside"], counts["xyz"]) == (2, 1, 1, 0)


@pytest.mark.parametrize("text", ["", " \n ", "12 !? 🙂"])
def test_a_text_without_a_word_has_none(text: str) -> None:
    reading = reader().read(text, 0)
    assert reading.positions.tolist() == []
    assert reading.forms == ()
    batch = encode_readings([reading], Vocabulary.build([["a"]]))
    assert batch.ids.shape == (1, 0)
    assert batch.lengths.tolist() == [0]


def test_ranges_out_of_order_skip_the_same() -> None:
    skip = np.array([[8, 12], [0, 2]], dtype=np.int32)
    document = Document("d", "aa bb cc dd ee", skip=skip)
    assert reader().words(document) == ["bb", "cc", "ee"]
    assert reader().read(document, 0).forms == ("bb", "cc", "ee")


def test_a_range_that_ends_inside_a_token_over_a_blank_skips_it_whole() -> None:
    towns = ChunkTokenizer("towns", by_pattern(re.compile(r"New York|\S+")), lambda chunk: ((0, len(chunk)),))
    document = Document("d", "in New York now", skip=np.array([[3, 7]], dtype=np.int32))
    mine = Reader(towns, False, nothing, None)
    assert mine.words(document) == list(mine.read(document, 0).forms) == ["in", "now"]


def test_a_reader_survives_a_pickle() -> None:
    mine = reader("words", skip=first_line, max_tokens=2)
    again = pickle.loads(pickle.dumps(mine))
    assert again.words("x\na B c") == mine.words("x\na B c") == ["a", "b"]


def test_a_reader_reads_at_least_one_word() -> None:
    with pytest.raises(OptionError, match="max_tokens must be at least 1, or None for all words; got 0"):
        reader(max_tokens=0)


# ---- batches


def some_batch() -> Batch:
    mine = reader("words")
    readings = [mine.read(text, n) for n, text in enumerate(["a b c d", "", "b x"])]
    return encode_readings(readings, Vocabulary.build([["a", "b", "c", "d"]]))


@pytest.mark.parametrize(("rows", "width"), [([2, 1], 2), ([1], 0), ([], 0), ([0, 2], 4)])
def test_selected_rows_are_those_of_the_batch(rows: list[int], width: int) -> None:
    batch = some_batch()
    piece = batch.select(rows)
    assert [r.document_id for r in piece.readings] == [str(row) for row in rows]
    assert piece.ids.shape == (len(rows), width)
    assert piece.ids.tolist() == batch.ids[rows, :width].tolist()
    assert piece.lengths.tolist() == batch.lengths[rows].tolist()
    assert all(piece.status[n] is batch.status[row] for n, row in enumerate(rows))
    assert all(piece.counts[n] is batch.counts[row] for n, row in enumerate(rows))


@given(lengths=st.lists(st.integers(0, 9), max_size=30))
def test_texts_end_to_end_and_padded_are_the_same_rows(lengths: list[int]) -> None:
    rows = [np.arange(1, length + 1) for length in lengths]
    words, starts = end_to_end(rows)
    nothing = (None,) * len(rows)
    batch = Batch(nothing, words, starts, nothing, nothing, padding=7)  # type: ignore[arg-type]
    assert (words.dtype, batch.ids.dtype, batch.lengths.dtype) == (np.int64, np.int64, np.int32)
    assert batch.lengths.tolist() == lengths
    assert [row.tolist() for row in batch.texts()] == [row.tolist() for row in rows]
    longest = max(lengths, default=0)
    assert batch.ids.tolist() == [[*row, *[7] * (longest - len(row))] for row in rows]
    assert grid(words, starts, min_words=longest + 2).shape == (len(rows), longest + 2)
    keep = np.random.default_rng(len(words)).random((len(rows), longest)) < 0.5
    expected = [np.where(own[: len(row)], row, 0).tolist() for own, row in zip(keep, rows, strict=True)]
    assert [row.tolist() for row in batch.kept(keep)] == expected


@given(lengths=st.lists(st.integers(0, 9), max_size=50), size=st.integers(1, 12))
def test_buckets_hold_every_document_once_sorted_and_stable(lengths: list[int], size: int) -> None:
    buckets = bucket(lengths, size)
    order = [n for positions in buckets for n in positions.tolist()]
    assert order == sorted(range(len(lengths)), key=lambda n: lengths[n])
    assert all(len(positions) == size for positions in buckets[:-1])
    assert all(0 < len(positions) <= size for positions in buckets)


def test_a_bucket_holds_at_least_one() -> None:
    with pytest.raises(OptionError, match="batch_size must be at least 1; got 0"):
        bucket([1], 0)


# ---- the corpus


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif("TEXTLRP_20NEWS" not in os.environ, reason="TEXTLRP_20NEWS is not set")
def test_the_posts_are_read_in_seconds_and_alike_both_ways() -> None:
    from textlrp.text.skip import make_skip

    with tarfile.open(os.environ["TEXTLRP_20NEWS"]) as archive:
        files = (archive.extractfile(member) for member in archive if member.isfile() and "-train/" in member.name)
        posts = [file.read().decode("latin-1") for file in files if file]
    assert len(posts) == 11_314
    mine = reader(skip=make_skip(("headers",)), max_tokens=400)
    before = time.process_time()
    words = [mine.words(post) for post in posts]
    assert time.process_time() - before < 60  # 10 s on an idle machine
    assert all(list(mine.read(post, 0).forms) == found for post, found in zip(posts[::5], words[::5], strict=True))
