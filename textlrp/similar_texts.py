"""What comparing two texts returns: a similarity, and the pairs of words that it comes from. Only NumPy is needed.

Letters: T and U tokens of the two texts, V and W their distinct words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError, must_be
from textlrp.records import Status, Tokens

__all__ = ["Similarity", "Tie", "WordPairs"]

TextSpans = tuple[tuple[int, int], ...]
"""Character offsets (start, end) in the order of the text."""


class Tie(NamedTuple):
    """A pair of words, one of each text, and the part of the similarity that comes from the pair.

    ``first`` and ``second`` are normalized words, or with ``by="token"`` tokens as written. ``relevance`` is the sum
    over all pairs of occurrences. ``first_spans`` and ``second_spans`` are the offsets of the occurrences.
    """

    first: str
    second: str
    relevance: float
    first_spans: TextSpans
    second_spans: TextSpans


class WordPairs(NamedTuple):
    """The distinct words that the model reads, ``first`` (V) and ``second`` (W), and their ``relevance`` (V, W).

    ``first_spans`` and ``second_spans`` are the offsets of the occurrences of each word.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    relevance: NDArray[np.floating[Any]]
    first_spans: tuple[TextSpans, ...]
    second_spans: tuple[TextSpans, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Why two texts are similar for a model: how much each pair of words contributes to their similarity.

    The similarity of two texts is the dot product of their embeddings. With ``normalize`` it is divided by the
    lengths of the two embeddings, which gives the cosine. BiLRP (Eberle et al. 2020) splits it among the pairs of a
    word of the first text and a word of the second::

        matrix.sum() + absorbed == score

    where ``absorbed`` is the sum of the ledger. The equation is exact up to rounding.

    T is the number of tokens of the first text, U of the second.

    | field | shape | contents |
    |---|---|---|
    | ``document_ids`` | 2 | ids of the two documents |
    | ``tokens`` | 2 | all tokens of the two texts, including those that the model ignores |
    | ``status`` | (T,), (U,) uint8 | whether the model reads a token, or why not: a :class:`textlrp.records.Status` |
    | ``matrix`` | (T, U) | relevance of each pair of tokens; zero for tokens that the model ignores |
    | ``score`` | | the similarity |
    | ``ledger`` | {(step, cause): float} | relevance that reached no pair of words, by step and cause |
    | ``normalize`` | | whether the score is a cosine (True) or a dot product (False) |
    | ``embedding`` | | what the embedding consists of, in words |
    | ``rule`` | | the rule of LRP, as a ``repr`` to paste into code |
    | ``model`` | | fingerprint of the model's weights and settings |
    | ``version`` | | version of textlrp |

    An entry of the ledger contains everything that a step absorbed in one text, for whatever was received in the
    other. What was absorbed in both texts is divided equally between the two causes.
    """

    document_ids: tuple[str, str]
    tokens: tuple[Tokens, Tokens]
    status: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    matrix: NDArray[np.floating[Any]]
    score: float
    ledger: Mapping[tuple[str, str], float]
    normalize: bool = False
    embedding: str = ""
    rule: str = ""
    model: str = ""
    version: str = ""

    @property
    def texts(self) -> tuple[str, str]:
        """The two original texts."""
        first, second = self.tokens
        return first.text, second.text

    @property
    def absorbed(self) -> float:
        """The part of the score that no pair of words accounts for: the sum of the ledger."""
        return float(sum(self.ledger.values()))

    @property
    def relevance(self) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """(T,) and (U,) The relevance of each token of one text, summed over the tokens of the other."""
        return self.matrix.sum(axis=1), self.matrix.sum(axis=0)

    @property
    def measure(self) -> str:
        """The name of the score: ``"cosine similarity"`` or ``"dot product"``."""
        return "cosine similarity" if self.normalize else "dot product"

    def pairs(self) -> WordPairs:
        """Return the relevance of all pairs of distinct words, summed over their occurrences.

        The words are in alphabetical order.
        """
        first, second = (_distinct_words(*side) for side in zip(self.tokens, self.status, strict=True))
        summed = np.zeros((len(first.words), self.matrix.shape[1]), dtype=self.matrix.dtype)
        np.add.at(summed, first.word_of[first.read], self.matrix[first.read])
        relevance = np.zeros((len(first.words), len(second.words)), dtype=self.matrix.dtype)
        np.add.at(relevance.T, second.word_of[second.read], summed.T[second.read])
        return WordPairs(first.words, second.words, relevance, first.spans, second.spans)

    def ties(self, n: int = 10, *, by: Literal["word", "token"] = "word") -> list[Tie]:
        """Return the ``n`` pairs with the largest absolute relevance, the largest first.

        ``by="word"`` sums the relevance over all occurrences of the two words. ``by="token"`` ranks each pair of
        occurrences separately. Pairs without relevance are not listed. On a tie, in the order of the words or tokens.

        Raises :class:`OptionError` if ``n`` is below 0, and for another ``by``.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            raise OptionError(must_be("n", "the number of pairs, 0 or more", n, "Pass n=10."))
        if by == "word":
            pairs = self.pairs()
        elif by == "token":
            one, other = self.tokens
            pairs = WordPairs(tuple(one), tuple(other), self.matrix, _token_spans(one), _token_spans(other))
        else:
            raise OptionError(
                must_be("by", "'word' or 'token'", by, "Pass by='token' to rank each pair of occurrences.")
            )
        return [
            Tie(
                pairs.first[row], pairs.second[column], float(pairs.relevance[row, column]),
                pairs.first_spans[row], pairs.second_spans[column],
            )
            for row, column in _largest_pairs(pairs.relevance, int(n))
        ]  # fmt: skip

    # ---- conversions (their late imports are exceptions of the import contract)

    def to_dict(self) -> dict[str, Any]:
        """Return the similarity as plain data for JSON."""
        return {
            "document_ids": list(self.document_ids),
            "texts": list(self.texts),
            "spans": [each.spans.tolist() for each in self.tokens],
            "forms": [list(each.forms) for each in self.tokens],
            "status": [each.tolist() for each in self.status],
            "matrix": self.matrix.tolist(),
            "score": self.score,
            "ledger": [
                {"step": step, "cause": cause, "relevance": entry} for (step, cause), entry in self.ledger.items()
            ],
            "normalize": self.normalize,
            "embedding": self.embedding,
            "rule": self.rule,
            "model": self.model,
            "version": self.version,
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON text."""
        import json

        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent, allow_nan=False)

    def to_html(self, path: str | Path | None = None, *, force: bool = False) -> str:
        """Return a self-contained HTML page with the strongest pairs of words, and write it to ``path`` if given.

        An existing page of textlrp is replaced. Any other file at ``path`` is refused, or with ``force=True`` moved
        to a backup name.
        """
        from textlrp.reports.similar.similar_page import similar_page

        return similar_page(self, path, force=force)

    def _repr_html_(self) -> str:
        from textlrp.reports.similar.similar_page import similar_cell

        return similar_cell(self)

    def __repr__(self) -> str:
        top = ", ".join(f"{tie.first}–{tie.second} {tie.relevance:+.3g}" for tie in self.ties(5))
        names = " and ".join(map(repr, self.document_ids))
        return f"<Similarity of {names}: {self.measure} {self.score:.4g}; {top or 'no pairs'}; {self.rule}>"


class _DistinctWords(NamedTuple):
    """The distinct words of a text that the model reads, and the offsets of their occurrences.

    ``word_of`` (T,) is the index of each token's word; ``read`` (T,) is whether the model reads that word.
    """

    words: tuple[str, ...]
    spans: tuple[TextSpans, ...]
    word_of: NDArray[np.int64]
    read: NDArray[np.bool_]


def _distinct_words(tokens: Tokens, status: NDArray[np.uint8]) -> _DistinctWords:
    forms, form_of = tokens.words()
    places: dict[str, list[int]] = {}
    for form in np.unique(form_of[status == Status.READ]).tolist():
        places.setdefault(forms[form], []).append(form)
    words = tuple(sorted(places))
    index_of = np.full(len(forms), -1, dtype=np.int64)
    for index, word in enumerate(words):
        index_of[places[word]] = index
    word_of = index_of[form_of]
    every = np.arange(len(forms))
    firsts, lasts = np.searchsorted(form_of, every, "left"), np.searchsorted(form_of, every, "right") - 1
    bounds = list(zip(tokens.spans[firsts, 0].tolist(), tokens.spans[lasts, 1].tolist(), strict=True))
    spans = tuple(tuple(bounds[form] for form in places[word]) for word in words)
    return _DistinctWords(words, spans, word_of, word_of >= 0)


def _token_spans(tokens: Tokens) -> tuple[TextSpans, ...]:
    return tuple(((start, end),) for start, end in tokens.spans.tolist())


def _largest_pairs(values: NDArray[np.floating[Any]], n: int) -> list[tuple[int, int]]:
    """The positions of the ``n`` largest absolute values that are not 0, the largest first."""
    sizes = np.abs(values).ravel()
    n = min(n, int(np.count_nonzero(sizes)))
    if not n:
        return []
    least = np.partition(sizes, len(sizes) - n)[len(sizes) - n]
    candidates = np.flatnonzero(sizes >= least)
    order = candidates[np.argsort(-sizes[candidates], kind="stable")][:n]
    rows, columns = np.unravel_index(order, values.shape)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
