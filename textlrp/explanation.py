"""The result of explaining a document: :class:`Explanation`. Only NumPy is needed.

Open this module for the fields of an explanation, and for the words, tables and pages that are derived from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError, TargetError, must_be
from textlrp.predicted import highest_position, predicted_positions
from textlrp.records import BEFORE_SOFTMAX, Phrase, Pieces, Status, Target, Tokens, target_names
from textlrp.relevant_words import TokenRelevance, WordRelevance, ranked_tokens, ranked_words

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a classifier gave a document its scores: how much each token contributed to the score of each target.

    - The **scores** are the outputs of the model before a softmax, one per class, or what a function returns.
    - A **target** is a class whose score is explained. A pair of classes ``(A, B)`` is a contrast: it explains the
      difference of their scores, "why A and not B".
    - The **relevance** of a token is the part of the target's score that the token accounts for, in the unit of the
      score. Positive relevance supports the class, negative relevance opposes it.
    - The **status** of a token tells whether the model reads it. If not, it tells why the token is ignored (for
      example punctuation, or an unknown word), and the relevance of the token is zero.
    - The **ledger** contains the rest of the score, the part that no word accounts for. Each entry has the step of
      the model that absorbed this relevance (such as ``"output"``) and the cause: ``"bias"`` (of a layer),
      ``"stabilizer"`` (epsilon of a rule), ``"empty"`` (a rule found no part of the required sign) or ``"ignored"``
      (unknown words, padding, initial states). Methods other than LRP have further causes.

    Words and ledger together are the score breakdown. For each target::

        relevance.sum(axis=1) + absorbed == start_scores

    where ``absorbed`` is the sum of the ledger, and ``start_scores`` is what the propagation started from: the scores
    of the targets, or with ``start="centered"`` these scores minus the mean of all scores of the document (which
    cancels in a contrast). The equation is exact (up to rounding) for LRP with any rule, not for every other method.

    T is the number of tokens, C of classes, and K of targets.

    | field | shape | contents |
    |---|---|---|
    | ``document_id`` | | id of the document |
    | ``tokens`` | T | all tokens of the text, including those that the model ignores |
    | ``labels`` | (C,) | the class labels as text |
    | ``scores`` | (C,) | scores, before a softmax if the model has one |
    | ``targets`` | K | explained classes, as positions in ``labels``: ``int``, or ``(int, int)`` for a contrast |
    | ``relevance`` | (K, T) | relevance of each token for each target; zero wherever ``seen`` is False |
    | ``status`` | (T,) uint8 | whether the model reads the token, or why not: a :class:`textlrp.records.Status` |
    | ``counts`` | (T,) int32 | number of training documents that contain the word, -1 if unknown |
    | ``ledger`` | {(step, cause): (K,)} | relevance that reached no word, by step and cause |
    | ``probabilities`` | (C,) or None | class probabilities, if the model has them |
    | ``phrases`` | | phrases (n-grams) that activate the filters of a CNN, if requested with ``phrases=`` |
    | ``method``, ``rule`` | | how the relevance was computed; ``rule`` is a ``repr`` to paste into code |
    | ``model`` | | fingerprint of the model's weights and settings |
    | ``version`` | | version of textlrp |
    | ``true_label`` | | the true label as text, or None |
    | ``start`` | | what propagation starts from: ``"score"`` or ``"centered"`` |
    | ``notes`` | | warnings about how to read this explanation |
    | ``target_notes`` | K or 0 | the same for each target, ``""`` for none; empty if no target has one |
    | ``score_name`` | | what the scores are: ``"score before softmax"``, ``"score"``, ``"probability"``, ... |
    | ``thresholds`` | (C,) or None | multi-label: a label is predicted if its score is above its threshold |
    | ``true_labels`` | | multi-label: the true labels as text, or None if they are unknown |
    | ``pieces`` | | of a transformer: the :class:`textlrp.records.Pieces` of the words and their relevance, or None |
    | ``own_prediction`` | | the class that the model predicts, if its score is not the highest; else None |
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
    score_name: str = BEFORE_SOFTMAX
    thresholds: NDArray[np.floating[Any]] | None = None
    true_labels: tuple[str, ...] | None = None
    pieces: Pieces | None = None
    own_prediction: int | None = None

    # ---- derived numbers

    @property
    def text(self) -> str:
        """The original text of the document."""
        return self.tokens.text

    @property
    def predicted(self) -> int:
        """The predicted class, as a position in ``labels``: ``own_prediction``, else the first highest score.

        Multi-label: the label whose score is highest relative to its threshold, predicted or not.
        """
        highest = highest_position(self.scores, self.thresholds)
        return highest if self.own_prediction is None else self.own_prediction

    @property
    def predicted_positions(self) -> tuple[int, ...]:
        """As :attr:`predicted_labels`, as positions in ``labels``."""
        return predicted_positions(self.scores, self.thresholds) if self.thresholds is not None else (self.predicted,)

    @property
    def predicted_labels(self) -> tuple[str, ...]:
        """The predicted class or, multi-label, all labels with a score above their thresholds, highest first."""
        return tuple(self.labels[c] for c in self.predicted_positions)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,) True for the tokens that the model reads."""
        return np.asarray(self.status == Status.READ)

    @property
    def absorbed(self) -> NDArray[np.floating[Any]]:
        """(K,) The part of each score that no word accounts for: the sum of the ledger."""
        total = np.zeros(len(self.targets), dtype=self.scores.dtype)
        for entry in self.ledger.values():
            total = total + entry
        return total

    @property
    def target_scores(self) -> NDArray[np.floating[Any]]:
        """(K,) The score of each target; for a contrast ``(A, B)`` the score difference A − B."""
        x = self.scores
        return np.array([x[t[0]] - x[t[1]] if isinstance(t, tuple) else x[t] for t in self.targets], dtype=x.dtype)

    @property
    def start_scores(self) -> NDArray[np.floating[Any]]:
        """(K,) What propagation starts from: relevance and ``absorbed`` of each target sum to it.

        With ``start="score"`` these are the :attr:`target_scores`. With ``"centered"`` they are the same minus
        :attr:`mean_score`, except for a contrast, where the mean cancels.
        """
        # in float64: the difference of two large float32 scores would lose digits
        scores, mean = self.scores.astype(np.float64), self.mean_score
        return np.array(
            [scores[t[0]] - scores[t[1]] if isinstance(t, tuple) else scores[t] - mean for t in self.targets],
            dtype=self.scores.dtype,
        )

    @property
    def mean_score(self) -> float:
        """What is subtracted from a score before propagation: the mean of all scores if ``"centered"``, else 0."""
        return float(self.scores.astype(np.float64).mean()) if self.start == "centered" else 0.0

    def notes_of(self, row: int) -> tuple[str, ...]:
        """The notes about target number ``row``, followed by the notes about all targets."""
        note = self.target_notes[row] if self.target_notes else ""
        return (note, *self.notes) if note else self.notes

    @property
    def target_names(self) -> tuple[str, ...]:
        """(K,) The targets as text: the label, or ``A, not B`` for a contrast.

        The names are unique. If classes share a label, their positions are added: ``A [2]``. If a class has a label
        such as ``A, not B``, the labels of the contrast are quoted: ``'A', not 'B'``.
        """
        return target_names(self.labels, self.targets)

    def row(self, target: str | int | None = None) -> int:
        """Return the row k of a target in ``relevance``, from 0.

        ``target``: a name in :attr:`target_names`, or a row, which may be negative. None is the predicted class, or
        the first target if the predicted class was not explained. Raises :class:`TargetError` if there is no such
        target.
        """
        if target is None:
            return self.targets.index(self.predicted) if self.predicted in self.targets else 0
        if isinstance(target, str):
            if target in self.target_names:
                return self.target_names.index(target)
            names = ", ".join(map(repr, self.target_names))
            hint = "Explain other classes with explain(..., target=)."
            raise TargetError(must_be("target", f"an explained target ({names})", target, hint))
        if -len(self.targets) <= target < len(self.targets):
            return target % len(self.targets)
        rows = len(self.targets)
        hint = "Pass a row of `relevance`, or a name in `target_names`."
        raise TargetError(must_be("target", f"a row from {-rows} to {rows - 1}", target, hint))

    @overload
    def top(
        self, n: int = 10, *, target: str | int | None = None, by: Literal["word"] = "word"
    ) -> list[WordRelevance]: ...
    @overload
    def top(self, n: int = 10, *, target: str | int | None = None, by: Literal["token"]) -> list[TokenRelevance]: ...
    def top(
        self, n: int = 10, *, target: str | int | None = None, by: Literal["word", "token"] = "word"
    ) -> list[WordRelevance] | list[TokenRelevance]:
        """Return the ``n`` most relevant words of a target, the largest relevance first.

        ``target`` as in :meth:`row`. ``by="word"`` sums the relevance over all occurrences of a word. ``by="token"``
        ranks each occurrence separately; on a tie, in the order of the text. Ignored tokens are not listed.

        Raises :class:`OptionError` for another ``by``, and :class:`TargetError` for a target that was not explained.
        """
        if by == "word":
            return self.words(target=target)[:n]
        if by != "token":
            raise OptionError(must_be("by", "'word' or 'token'", by, "Pass by='token' to rank each occurrence."))
        return ranked_tokens(self.tokens, self.seen, self.relevance[self.row(target)])[:n]

    def words(self, *, target: str | int | None = None) -> list[WordRelevance]:
        """Return all distinct words that the model reads, the largest relevance first.

        Each row has the word, its summed relevance, the number of occurrences and their character offsets. Words with
        equal relevance are in alphabetical order. ``target`` as in :meth:`row`.
        """
        return ranked_words(self.tokens, self.seen, self.relevance[self.row(target)])

    # ---- conversions (their late imports are the only exceptions of the import contract)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data for JSON; :func:`textlrp.explanation_data.from_dict` restores it."""
        optional = {
            "thresholds": None if self.thresholds is None else self.thresholds.tolist(),
            "true_labels": None if self.true_labels is None else list(self.true_labels),
            "pieces": None if self.pieces is None else self.pieces.to_dict(),
            "own_prediction": self.own_prediction,
        }
        return {
            "document_id": self.document_id, "text": self.text, "spans": self.tokens.spans.tolist(),
            "forms": list(self.tokens.forms), "labels": list(self.labels), "true_label": self.true_label,
            "scores": self.scores.tolist(), "relevance": self.relevance.tolist(),
            "targets": [list(t) if isinstance(t, tuple) else t for t in self.targets],
            "status": self.status.tolist(), "counts": self.counts.tolist(),
            "ledger": [
                {"step": step, "cause": cause, "relevance": entry.tolist()}
                for (step, cause), entry in self.ledger.items()
            ],
            "phrases": [{**phrase._asdict(), "relevance": phrase.relevance.tolist()} for phrase in self.phrases],
            "method": self.method, "rule": self.rule, "model": self.model, "version": self.version,
            "start": self.start, "notes": list(self.notes), "target_notes": list(self.target_notes),
            "score_name": self.score_name, "dtype": str(self.scores.dtype),
            "probabilities": None if self.probabilities is None else self.probabilities.tolist(),
            **{name: value for name, value in optional.items() if value is not None},
        }  # fmt: skip

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON text."""
        import json

        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent, allow_nan=False)

    def to_frame(self, *, ledger: bool = False) -> pd.DataFrame:
        """Return a pandas DataFrame with one row per target and token; see :func:`textlrp.store.to_frame`.

        ``ledger=True`` adds the entries of the ledger as rows without a token.
        """
        from textlrp.store.frame import to_frame

        return to_frame(self, ledger=ledger)

    def to_html(self, path: str | Path | None = None, *, fragment: bool = False, force: bool = False) -> str:
        """Return a self-contained HTML page with the highlighted text, and write it to ``path`` if given.

        ``fragment=True`` gives a piece of HTML with inline styles instead, for an e-mail or a comment. An existing
        page of textlrp is replaced. Any other file at ``path`` is refused, or with ``force=True`` moved to a backup
        name.
        """
        from textlrp.reports.document import document_page, mail_fragment

        return (mail_fragment if fragment else document_page)(self, path, force=force)

    def _repr_html_(self) -> str:
        from textlrp.reports.document import notebook_fragment

        return notebook_fragment(self)

    def __repr__(self) -> str:
        row = self.row()
        largest = sorted(self.words(target=row), key=lambda word: -abs(word.relevance))[:5]
        top = ", ".join(f"{word.word} {word.relevance:+.2f}" for word in largest)
        return (
            f"<Explanation of {self.document_id!r}: {self.target_names[row]} scored {self.target_scores[row]:.3f}"
            f" ({len(self.targets)} of {len(self.labels)} classes explained)"
            f"; {top or 'no words'}; absorbed {self.absorbed[row]:+.3f}; {self.rule}"
            f"{', centered' * (self.start == 'centered')}>"
        )
