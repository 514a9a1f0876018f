"""Sentences on how a transformer read a text, shown with its explanation: windows, truncation, unknown pieces."""

from __future__ import annotations

from textlrp.models.transformers.piece_batch import PieceReading
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.models.transformers.reading_windows import overlap_of
from textlrp.records import Status
from textlrp.text.row_layout import shortened

SHOWN = 3
"""Unknown words are named up to this number."""


def notes_of_reading(reading: PieceReading, reader: PieceReader, windows: int, half: str | None) -> tuple[str, ...]:
    """Return the sentences for one text.

    ``windows`` is the number of windows. ``half`` is the half-precision dtype of the model's weights, or None.
    """
    notes = []
    if not len(reading.positions) and not reader.tokenizer.special_tokens.size:
        notes.append(
            "The model reads no word of the text, and its tokenizer adds no special tokens: the model got one token "
            "of padding instead."
        )
    truncated = int((reading.status == Status.TRUNCATED).sum())
    if truncated:
        notes.append(
            f"The model reads at most {reader.room} pieces of a text: the last {truncated:,} words were truncated. "
            "In Python, windows=True makes the model read them too."
        )
    if windows > 1:
        assert reader.room is not None
        notes.append(
            f"The text was read in {windows} overlapping windows of at most {reader.room} pieces. Consecutive "
            f"windows share at most {overlap_of(reader.room)} pieces. Scores, relevance and score breakdown are "
            "means over the windows; a word in two windows has the sum of both parts."
        )
    if reading.unknown:
        distinct = list(dict.fromkeys(reading.unknown))
        names = ", ".join(repr(shortened(word)) for word in distinct[:SHOWN]) + ", ..." * (len(distinct) > SHOWN)
        words = "1 word" if len(reading.unknown) == 1 else f"{len(reading.unknown):,} words"
        notes.append(f"The tokenizer has no pieces for {words} ({names}): the model reads its unknown token instead.")
    if half:
        notes.append(
            f"The weights of the model are {half}. Scores and relevance were computed in float32, or in the dtype "
            "that was passed."
        )
    return tuple(notes)
