"""What explaining gives: :class:`Explanation`, and the words, phrases and pages it derives. Only numpy is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, TargetError
from textlrp.records import Status, Target, Tokens, target_names
from textlrp.relevant_words import TokenRelevance, WordRelevance, ranked_tokens, ranked_words

if TYPE_CHECKING:
    import pandas as pd


class Phrase(NamedTuple):
    """A window of a convolution that won a max-pool: ``text[start:end]``, which ``step`` and ``filter`` saw it.

    ``relevance`` (K,) is what its words receive through that filter, for each target.
    """

    start: int
    end: int
    step: str
    filter: int
    relevance: NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a model gave a document its scores: one relevance per token and target.

    The law: ``relevance.sum(axis=1) + absorbed == start_scores``, with ``absorbed`` summed from the ledger. With
    ``start="score"`` these are the scores of the targets (for a contrast the difference of two scores). With
    ``start="centered"`` they are the scores minus the mean of all C scores (for a contrast the same difference).

    | field | shape | what |
    |---|---|---|
    | ``document_id`` | | the document's name |
    | ``tokens`` | T | all tokens of the text, read or not |
    | ``labels`` | (C,) | the classes as text |
    | ``scores`` | (C,) | pre-softmax scores |
    | ``probabilities`` | (C,) or None | where the model has them |
    | ``targets`` | K | explained classes: ``int``, or ``(int, int)`` for "why A and not B" |
    | ``relevance`` | (K, T) | zero wherever ``seen`` is False |
    | ``status`` | (T,) uint8 | see :class:`Status` |
    | ``counts`` | (T,) int32 | training documents that contain the word, -1 where that is not known |
    | ``ledger`` | {(step, cause): (K,)} | relevance that reached no word, and why |
    | ``phrases`` | | winning windows of a convolution, or empty |
    | ``method``, ``rule`` | | how it was computed; ``rule`` can be pasted back |
    | ``model`` | | fingerprint of the model's weights and settings |
    | ``version`` | | of textlrp |
    | ``true_label`` | | the document's own label as text, where it has one |
    | ``start`` | | what propagation starts from: "score" or "centered" |
    | ``notes`` | | sentences that a reader of this explanation must know |
    | ``target_notes`` | K or 0 | the same for each target, "" where there is nothing to say; empty for none at all |
    """

    document_id: str
    tokens: Tokens
    labels: tuple[str, ...]
    scores: NDArray[np.floating[Any]]
    targets: tuple[Target, ...]
    relevance: NDArray[np.floating[Any]]
    status: NDArray[np.uint8]
    counts: NDArray[np.int32]
    ledger: Mapping[tuple[str, str], NDArray[np.floating[Any]]]
    probabilities: NDArray[np.floating[Any]] | None = None
    phrases: tuple[Phrase, ...] = ()
    method: str = "lrp"
    rule: str = ""
    model: str = ""
    version: str = ""
    true_label: str | None = None
    start: str = "score"
    notes: tuple[str, ...] = ()
    target_notes: tuple[str, ...] = ()

    # ---- derived numbers

    @property
    def text(self) -> str:
        """The document, untouched."""
        return self.tokens.text

    @property
    def predicted(self) -> int:
        """Position of the class with the highest score (the first of equals)."""
        return int(np.argmax(self.scores))

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,) True where the model read the token."""
        return np.asarray(self.status == Status.READ)

    @property
    def absorbed(self) -> NDArray[np.floating[Any]]:
        """(K,) relevance that reached no word: the sum of the ledger's entries."""
        total = np.zeros(len(self.targets), dtype=self.scores.dtype)
        for entry in self.ledger.values():
            total = total + entry
        return total

    @property
    def target_scores(self) -> NDArray[np.floating[Any]]:
        """(K,) the score each target explains; for a contrast the difference of two."""
        return np.array([self._score(target) for target in self.targets], dtype=self.scores.dtype)

    @property
    def start_scores(self) -> NDArray[np.floating[Any]]:
        """(K,) what propagation starts from, which relevance and ``absorbed`` sum to.

        :attr:`target_scores` for ``start="score"``; for ``"centered"`` minus :attr:`mean_score`, which cancels in a
        contrast.
        """
        scores, mean = self.scores.astype(np.float64), self.mean_score
        return np.array(
            [scores[t[0]] - scores[t[1]] if isinstance(t, tuple) else scores[t] - mean for t in self.targets],
            dtype=self.scores.dtype,
        )

    @property
    def mean_score(self) -> float:
        """What ``start`` takes away from a score: the mean over classes for ``"centered"``, else 0."""
        return float(self.scores.astype(np.float64).mean()) if self.start == "centered" else 0.0

    def notes_of(self, row: int) -> tuple[str, ...]:
        """The notes that concern target ``row``: its own first, then those of the whole explanation."""
        own = self.target_notes[row] if self.target_notes else ""
        return (own, *self.notes) if own else self.notes

    def _score(self, target: Target) -> Any:
        if isinstance(target, tuple):
            return self.scores[target[0]] - self.scores[target[1]]
        return self.scores[target]

    @property
    def target_names(self) -> tuple[str, ...]:
        """(K,) the targets as text; a contrast reads ``A, not B``.

        Where a class or another contrast is called the same, the names of a contrast are put in quotes: ``'A', not
        'B'``, and classes with one name get their positions: ``A [2]``.
        """
        return target_names(self.labels, self.targets)

    def row(self, target: str | int | None = None) -> int:
        """Position k of a target among the explained ones.

        ``None`` is the predicted class if it was explained, else the first target; a string is
        looked up in ``target_names``, an int counts rows. Raises :class:`TargetError`.
        """
        if target is None:
            return self.targets.index(self.predicted) if self.predicted in self.targets else 0
        if isinstance(target, str):
            if target in self.target_names:
                return self.target_names.index(target)
            raise TargetError(
                f"{target!r} was not explained; this explanation has {', '.join(self.target_names)}. "
                "Pass it to explain(..., target=...)."
            )
        if -len(self.targets) <= target < len(self.targets):
            return target % len(self.targets)
        raise TargetError(f"row {target} does not exist; this explanation has {len(self.targets)} targets.")

    @overload
    def top(
        self, n: int = 10, *, target: str | int | None = None, by: Literal["word"] = "word"
    ) -> list[WordRelevance]: ...
    @overload
    def top(self, n: int = 10, *, target: str | int | None = None, by: Literal["token"]) -> list[TokenRelevance]: ...
    def top(
        self, n: int = 10, *, target: str | int | None = None, by: Literal["word", "token"] = "word"
    ) -> list[WordRelevance] | list[TokenRelevance]:
        """The ``n`` words with the largest relevance for a target, most positive first.

        ``by="word"`` sums the relevance over the occurrences of each distinct word (the first ``n`` of
        :meth:`words`); ``by="token"`` ranks single tokens, and of equal tokens the first in the text comes first.
        Only what the model read is listed. Raises :class:`OptionError` for another ``by``, :class:`TargetError` for
        a target that was not explained.
        """
        if by == "word":
            return self.words(target=target)[:n]
        if by != "token":
            raise OptionError(f"by must be 'word' or 'token'; got {by!r}.")
        return ranked_tokens(self.tokens, self.seen, self.relevance[self.row(target)])[:n]

    def words(self, *, target: str | int | None = None) -> list[WordRelevance]:
        """One row per distinct word read: summed relevance, occurrences and offsets, most positive first.

        Words with equal relevance are in alphabetical order.
        """
        return ranked_words(self.tokens, self.seen, self.relevance[self.row(target)])

    # ---- other shapes of the same data (late imports: the only exceptions of the layers' contract)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-ready data; :func:`from_dict` reads it back."""
        return {
            "document_id": self.document_id,
            "text": self.text,
            "spans": self.tokens.spans.tolist(),
            "forms": list(self.tokens.forms),
            "labels": list(self.labels),
            "true_label": self.true_label,
            "scores": self.scores.tolist(),
            "probabilities": None if self.probabilities is None else self.probabilities.tolist(),
            "targets": [list(t) if isinstance(t, tuple) else t for t in self.targets],
            "relevance": self.relevance.tolist(),
            "status": self.status.tolist(),
            "counts": self.counts.tolist(),
            "ledger": [
                {"step": step, "cause": cause, "relevance": entry.tolist()}
                for (step, cause), entry in self.ledger.items()
            ],
            "phrases": [{**phrase._asdict(), "relevance": phrase.relevance.tolist()} for phrase in self.phrases],
            "method": self.method,
            "rule": self.rule,
            "model": self.model,
            "version": self.version,
            "start": self.start,
            "notes": list(self.notes),
            "target_notes": list(self.target_notes),
            "dtype": str(self.scores.dtype),
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """:meth:`to_dict` as JSON text."""
        import json

        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent, allow_nan=False)

    def to_frame(self, *, ledger: bool = False) -> pd.DataFrame:
        """A tidy table: one row per token and target (document, token, start, end, class, relevance, seen, ...).

        With ``ledger=True`` what was absorbed follows as rows without a token.
        """
        from textlrp.store.frame import to_frame

        return to_frame(self, ledger=ledger)

    def to_html(self, path: str | Path | None = None, *, fragment: bool = False, force: bool = False) -> str:
        """The explanation as one self-contained page; written to ``path`` too where one is given.

        With ``fragment=True`` a piece of HTML for a mail or a comment, with inline styles alone. An existing file is
        replaced if textlrp wrote it as a page; with ``force=True`` any other is moved to a backup name.
        """
        from textlrp.reports.document import document_page, mail_fragment

        return (mail_fragment if fragment else document_page)(self, path, force=force)

    def _repr_html_(self) -> str:
        from textlrp.reports.document import notebook_fragment

        return notebook_fragment(self)

    def __repr__(self) -> str:
        row = self.row()
        top = ", ".join(f"{word.word} {word.relevance:+.2f}" for word in self.top(5, target=row))
        return (
            f"<Explanation of {self.document_id!r}: {self.target_names[row]} scored {self.target_scores[row]:.3f}"
            f" ({len(self.targets)} of {len(self.labels)} classes explained)"
            f"; {top or 'no word read'}; absorbed {self.absorbed[row]:+.3f}; {self.rule}"
            f"{', centered' * (self.start == 'centered')}>"
        )


def from_dict(data: Mapping[str, Any]) -> Explanation:
    """The inverse of :meth:`Explanation.to_dict`; raises :class:`DataError` if a field is missing."""
    try:
        dtype = np.dtype(data["dtype"])
        count = len(data["targets"])
        probabilities = data["probabilities"]
        return Explanation(
            document_id=data["document_id"],
            tokens=Tokens(data["text"], np.array(data["spans"], dtype=np.int32).reshape(-1, 2), tuple(data["forms"])),
            labels=tuple(data["labels"]),
            scores=np.array(data["scores"], dtype=dtype),
            probabilities=None if probabilities is None else np.array(probabilities, dtype=dtype),
            targets=tuple((t[0], t[1]) if isinstance(t, list) else t for t in data["targets"]),
            relevance=np.array(data["relevance"], dtype=dtype).reshape(count, -1),
            status=np.array(data["status"], dtype=np.uint8),
            counts=np.array(data["counts"], dtype=np.int32),
            ledger={(e["step"], e["cause"]): np.array(e["relevance"], dtype=dtype) for e in data["ledger"]},
            phrases=tuple(Phrase(**{**p, "relevance": np.array(p["relevance"], dtype)}) for p in data["phrases"]),
            method=data["method"],
            rule=data["rule"],
            model=data["model"],
            version=data["version"],
            true_label=data["true_label"],
            start=data.get("start", "score"),  # files of older versions have none of these three
            notes=tuple(data.get("notes", ())),
            target_notes=tuple(data.get("target_notes", ())),
        )
    except KeyError as missing:
        raise DataError(f"this is not a stored explanation: the field {missing} is missing.") from None
