"""Read texts with the fast tokenizer of a transformer: words, their pieces, and which of them the model reads.

Open it for what is truncated, skipped or unknown. Letters: N texts, T tokens, L words read, P pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.transformers.fast_tokenizer import FastTokenizer
from textlrp.models.transformers.piece_batch import PieceBatch, PieceReading, PieceSequences
from textlrp.models.transformers.reading_windows import words_within
from textlrp.models.transformers.word_spans import word_spans
from textlrp.records import Document, Status, Tokens
from textlrp.text.batches import end_to_end
from textlrp.text.skip import inside
from textlrp.text.surrogates import without_surrogates


@dataclass(frozen=True, slots=True, eq=False)
class PieceReader:
    """Reads texts for a model with a ``tokenizer``.

    ``max_length`` is the largest number of ids that the model reads in one sequence, special tokens included; None is
    the tokenizer's own limit. Words that do not fit are truncated, or with ``windows`` read in overlapping windows.

    Raises :class:`OptionError` if ``max_length`` is too small for a single piece.
    """

    tokenizer: FastTokenizer
    max_length: int | None = None
    windows: bool = False

    def __post_init__(self) -> None:
        if self.room is not None and self.room < 1:
            raise OptionError(
                f"max_length must be more than the {self.tokenizer.special_tokens.size} special tokens; got "
                f"{self.max_length}. Pass the number of tokens that the model can read."
            )

    @property
    def room(self) -> int | None:
        """The largest number of pieces between the special tokens; None if there is no limit."""
        limits = [each for each in (self.max_length, self.tokenizer.most) if each is not None]
        return min(limits) - self.tokenizer.special_tokens.size if limits else None

    def encode(self, texts: TextInputs) -> PieceBatch:
        """Return the words and pieces of texts. Training counts of words are -1, because they are not known."""
        documents = check_texts(texts)
        plain = [without_surrogates(each if isinstance(each, str) else each.text) for each in documents]
        encoded = self.tokenizer.backend.encode_batch(plain, add_special_tokens=False)
        sequences = PieceSequences()
        readings, rows = [], []
        for number, (document, found) in enumerate(zip(documents, encoded, strict=True)):
            reading, words = self._read(document, number, found, sequences)
            readings.append(reading)
            rows.append(words)
        counts = tuple(np.full(len(reading.tokens), -1, dtype=np.int32) for reading in readings)
        words, starts = end_to_end(rows)
        statuses = tuple(reading.status for reading in readings)
        return PieceBatch(tuple(readings), words, starts, statuses, counts, sequences.arrays())

    def _read(
        self, document: str | Document, number: int, found: Any, sequences: PieceSequences
    ) -> tuple[PieceReading, NDArray[np.int64]]:
        text = document if isinstance(document, str) else document.text
        ids, pieces = found.ids, found.tokens  # each access to ``found`` makes a new list
        words = word_spans(text, found.offsets, found.word_ids, self.room or len(ids))
        status = np.full(len(words.spans), Status.READ, dtype=np.uint8)
        if isinstance(document, Document):
            status[inside(words.spans[:, 0], document.skip)] = Status.SKIPPED
        positions = np.flatnonzero(status == Status.READ)
        bounds = np.searchsorted(words.word_of, np.arange(len(words.spans) + 1))
        if not self.windows:
            fitting = words_within(np.diff(bounds)[positions], self.room)
            status[positions[fitting:]] = Status.TRUNCATED
            positions = positions[:fitting]
        read = np.flatnonzero((status == Status.READ)[words.word_of])
        unknown = [p for p in read.tolist() if ids[p] == self.tokenizer.unknown]
        as_written = [text[start:end] for start, end in words.spans.tolist()]
        normalized = {word: self._form(word) for word in set(as_written)}
        forms = tuple(normalized[word] for word in as_written)
        reading = PieceReading(
            str(number) if isinstance(document, str) else document.id,
            Tokens(text, words.spans, forms),
            status,
            positions.astype(np.int32),
            tuple(forms[t] for t in positions.tolist()),
            tuple(pieces[p] for p in read.tolist()),
            words.pieces[read],
            tuple(as_written[t] for t in np.unique(words.word_of[unknown]).tolist()),
        )
        of_words = [sequences.number(ids[bounds[t] : bounds[t + 1]]) for t in positions.tolist()]
        return reading, np.array(of_words, dtype=np.int64)

    def _form(self, word: str) -> str:
        """The word as the tokenizer normalizes it, for example in lower case."""
        normalizer = self.tokenizer.backend.normalizer
        if normalizer is None:
            return word
        return normalizer.normalize_str(without_surrogates(word)).strip(" \u2581") or word
