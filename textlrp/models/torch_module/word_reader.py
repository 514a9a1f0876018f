"""Convert a text to the ids that a user's PyTorch module reads, with the user's tokenizer and vocabulary.

Letters: N documents, T tokens, L words the module reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.models.options import TextInputs, check_texts, is_whole
from textlrp.records import Document, Status, Tokens
from textlrp.text.batches import Batch, Reading, end_to_end
from textlrp.text.invisible import visible_with_origins
from textlrp.text.skip import inside
from textlrp.text.tokens import Tokenizer, WholeTokenizer

WordLookup = Mapping[str, int] | Callable[[str], int | None]
"""word -> id. A word that is missing (or maps to None) has no id."""


@dataclass(frozen=True, slots=True, eq=False)
class WordReader:
    """A user's tokenizer and vocabulary.

    ``unknown`` is the id of words that are not in the vocabulary; with None they are left out.
    """

    tokenizer: Tokenizer
    vocabulary: WordLookup
    unknown: int | None
    padding: int

    def encode(self, texts: TextInputs) -> Batch:
        """Convert texts to ids (N, L), padded at the right with ``padding``.

        The counts of words in the training documents are -1, because they are not known.
        """
        readings, rows, statuses = [], [], []
        for number, document in enumerate(check_texts(texts)):
            reading, ids, status = self._read(document, number)
            readings.append(reading)
            rows.append(ids)
            statuses.append(status)
        counts = tuple(np.full(len(reading.tokens), -1, dtype=np.int32) for reading in readings)
        words, starts = end_to_end([np.array(ids, dtype=np.int64) for ids in rows])
        return Batch(tuple(readings), words, starts, tuple(statuses), counts, padding=self.padding)

    def _read(self, document: str | Document, number: int) -> tuple[Reading, list[int], NDArray[np.uint8]]:
        text = document if isinstance(document, str) else document.text
        seen, origins = (text, None) if self._has_callable_tokenizer() else visible_with_origins(text)
        spans = self.tokenizer.spans(seen)
        forms = tuple(seen[start:end] for start, end in spans.tolist())
        spans = spans if origins is None else origins[spans]
        skipped = inside(spans[:, 0], document.skip) if isinstance(document, Document) else np.zeros(len(spans), bool)
        status = np.where(skipped, Status.SKIPPED, Status.READ).astype(np.uint8)
        ids: list[int] = []
        for t in np.flatnonzero(~skipped).tolist():
            word_id = self._id(forms[t])
            if word_id is None:
                status[t] = Status.UNKNOWN
            else:
                ids.append(word_id)
        positions = np.flatnonzero(status == Status.READ).astype(np.int32)
        read = tuple(forms[t] for t in positions.tolist())
        name = str(number) if isinstance(document, str) else document.id
        return Reading(name, Tokens(text, spans, forms), status, positions, read), ids, status

    def _has_callable_tokenizer(self) -> bool:
        # A user's callable gets the unchanged text, so that it returns the same words as in the user's own code.
        return isinstance(self.tokenizer, WholeTokenizer) and not isinstance(self.tokenizer.source, str)

    def _id(self, word: str) -> int | None:
        """The id of a word; ``unknown`` if the vocabulary does not contain it."""
        vocabulary: Any = self.vocabulary
        # get() comes first, because vocabulary[word] would add the word to a defaultdict
        look_up = next(
            (getattr(vocabulary, method) for method in ("get", "__getitem__") if hasattr(vocabulary, method)),
            vocabulary,
        )
        try:
            found = look_up(word)
        except KeyError:
            found = None
        if found is None:
            return self.unknown
        if not is_whole(found) or found < 0:
            raise OptionError(
                f"vocabulary must map words to ids, whole numbers of at least 0; got {found!r} for the word "
                f"{word!r}. Map it to an id, or to None for an unknown word."
            )
        return int(found)
