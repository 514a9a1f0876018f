"""Texts as words and pieces: the ids of the tokenizer itself, spans of the original text, truncation."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from tiny_transformers import LENGTH, TEXTS, tiny_tokenizer

from textlrp.errors import OptionError
from textlrp.models.transformers.fast_tokenizer import FastTokenizer, fast_tokenizer
from textlrp.models.transformers.piece_batch import PieceReading
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.records import Document, Status
from textlrp.text.surrogates import without_surrogates

pytestmark = pytest.mark.transformers

KINDS = ("wordpiece", "bytes", "plain-bytes", "unigram")
ANY = st.text(max_size=40) | st.text(alphabet=st.sampled_from("aé -.\n\t\u00a0ﬁ漢😀👩\u200d👧[SEP]<s>▁"), max_size=40)


def reader(kind: str, *, max_length: int | None = None, windows: bool = False) -> PieceReader:
    return PieceReader(fast_tokenizer(tiny_tokenizer(kind)), max_length, windows)


def unlimited(tokenizer: FastTokenizer) -> FastTokenizer:
    return replace(tokenizer, most=None)


@pytest.mark.parametrize("kind", KINDS)
@given(text=ANY)
@example("naïve café 😀 [SEP] e\u0301 ﬁne")
@example(" \n ")
@example("")
@example("a \ud800 lone surrogate")
def test_pieces_are_those_of_the_tokenizer_and_spans_those_of_the_text(kind: str, text: str) -> None:
    tokenizer = tiny_tokenizer(kind)
    own = PieceReader(unlimited(fast_tokenizer(tokenizer)))
    batch = own.encode([text])
    reading = batch.readings[0]
    assert isinstance(reading, PieceReading)
    pieces, word_of = batch.pieces(batch.text(0))
    frame = own.tokenizer.special_tokens
    assert [*frame.prefix, *pieces.tolist(), *frame.suffix] == tokenizer(without_surrogates(text))["input_ids"]
    assert len(reading.piece_forms) == len(reading.piece_spans) == len(pieces)
    spans = reading.tokens.spans
    assert (np.diff(spans.reshape(-1)) >= 0).all()
    assert (spans[:, 0] < spans[:, 1]).all()
    assert (np.diff(word_of) >= 0).all()
    for (start, end), word in zip(reading.piece_spans.tolist(), word_of.tolist(), strict=True):
        assert start == end or (spans[word][0] <= start and end <= spans[word][1])


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_a_batch_are_read_as_alone(kind: str) -> None:
    own = reader(kind)
    together = own.encode(TEXTS)
    for n, text in enumerate(TEXTS):
        alone = own.encode([text])
        assert together.pieces(together.text(n))[0].tolist() == alone.pieces(alone.text(0))[0].tolist()
        assert together.readings[n].forms == alone.readings[0].forms


def test_words_of_each_kind_of_tokenizer() -> None:
    text = "An  unbelievable goal, naïve 😀!"
    words = ["An", "unbelievable", "goal", ",", "naïve", "😀", "!"]
    for kind in KINDS:
        reading = reader(kind).encode([text]).readings[0]
        assert list(reading.tokens) == words, kind
    assert reader("wordpiece").encode([text]).readings[0].tokens.forms[4] == "naive"
    assert reader("unigram").encode(["ﬁne Ⅳ"]).readings[0].tokens.forms == ("fine", "IV")


def test_several_bytes_of_an_emoji_are_one_word() -> None:
    batch = reader("bytes").encode(["a 😀😀"])
    pieces, word_of = batch.pieces(batch.text(0))
    assert len(pieces) > 4
    assert list(batch.readings[0].tokens) == ["a", "😀", "😀"]
    assert word_of.max() == 2


def test_unknown_pieces_are_read_and_named() -> None:
    reading = reader("wordpiece").encode(["the 😀 cat 漢"]).readings[0]
    assert isinstance(reading, PieceReading)
    assert (reading.status == Status.READ).all()
    assert reading.piece_forms[1] == "[UNK]"
    assert reading.unknown == ("😀", "漢")


def test_reading_takes_time_in_proportion_to_the_text() -> None:
    """The attributes of an encoding of the package tokenizers are made anew with every access."""
    texts = ["the cat sat " * count for count in (2_000, 20_000)]
    own = PieceReader(unlimited(fast_tokenizer(tiny_tokenizer("wordpiece"))), windows=True)
    seconds = []
    for text in texts:
        start = time.process_time()
        own.encode([text])
        seconds.append(time.process_time() - start)
    assert seconds[1] < 40 * max(seconds[0], 0.01)


def test_skipped_ranges_are_left_out() -> None:
    text = "From: me\n\nthe cat sat"
    document = Document("d", text, skip=np.array([[0, 10]], dtype=np.int32))
    for kind in KINDS:
        batch = reader(kind).encode([document, text])
        reading = batch.readings[0]
        seen = [token for token, status in zip(reading.tokens, reading.status, strict=True) if not status]
        assert seen == ["the", "cat", "sat"], kind
        assert reading.status[:3].tolist() == [Status.SKIPPED] * 3
        assert reading.document_id == "d"
        pieces = batch.pieces(batch.text(1))[0].tolist()
        kept = batch.pieces(batch.text(0))[0].tolist()
        assert pieces[-len(kept) :] == kept


@given(text=st.text(alphabet=st.sampled_from("thecat sn."), max_size=80), room=st.integers(1, 12))
def test_what_does_not_fit_is_truncated_by_whole_words(text: str, room: int) -> None:
    own = reader("wordpiece", max_length=room + 2)
    batch = own.encode([text])
    pieces, _ = batch.pieces(batch.text(0))
    status = batch.status[0]
    assert len(pieces) <= room
    read = int((status == Status.READ).sum())
    assert (status[:read] == Status.READ).all()
    assert (status[read:] == Status.TRUNCATED).all()
    whole = PieceReader(unlimited(own.tokenizer), room + 2, windows=True).encode([text])
    assert (whole.status[0] == Status.READ).all()
    if read < len(status):
        assert len(pieces) + whole.sizes(whole.text(0))[read] > room


def test_the_tokenizer_of_the_user_is_unchanged() -> None:
    tokenizer = tiny_tokenizer("wordpiece")
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(7)
    backend.enable_padding(length=9)
    before = json.loads(backend.to_str())
    try:
        batch = reader("wordpiece").encode(["the cat sat on the mat and the dog barked"])
        assert (batch.status[0] == Status.READ).all()
        assert json.loads(backend.to_str()) == before
    finally:
        backend.no_truncation()
        backend.no_padding()


def test_tokens_added_later_are_known() -> None:
    from tiny_transformers import _wordpiece

    tokenizer = _wordpiece()
    PieceReader(fast_tokenizer(tokenizer)).encode(["hello"])
    tokenizer.add_tokens(["zzz"])
    reading = PieceReader(fast_tokenizer(tokenizer)).encode(["a zzz"]).readings[0]
    assert reading.piece_forms[-1] == "zzz"


def test_a_special_token_in_the_text_is_what_the_tokenizer_makes_of_it() -> None:
    tokenizer = tiny_tokenizer("wordpiece")
    text = "the [SEP] cat"
    batch = reader("wordpiece").encode([text])
    assert batch.pieces(batch.text(0))[0].tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(batch.readings[0].tokens) == ["the", "[SEP]", "cat"]


def test_other_tokenizers_are_refused_in_one_sentence() -> None:
    from transformers import PythonBackend

    class Slow(PythonBackend):
        def __init__(self) -> None:
            super().__init__(unk_token="?")

        @property
        def vocab_size(self) -> int:
            return 1

        def get_vocab(self) -> dict[str, int]:
            return {"?": 0}

        def _convert_token_to_id(self, token: str) -> int:
            return 0

    with pytest.raises(OptionError, match=r"tokenizer must be a fast tokenizer.*got a Slow.*use_fast=True"):
        fast_tokenizer(Slow())
    with pytest.raises(OptionError, match="tokenizer must be the model's own tokenizer; got a method_descriptor"):
        fast_tokenizer(str.split)
    with pytest.raises(OptionError, match="max_length must be more than the 2 special tokens; got 2"):
        reader("wordpiece", max_length=2)


def test_the_length_of_the_tokenizer_counts_too() -> None:
    assert reader("wordpiece").room == LENGTH - 2
    assert reader("wordpiece", max_length=10).room == 8
    assert reader("plain-bytes", max_length=1000).room == LENGTH
