"""The hybrid-document pointing game: does the most relevant word lie in a sentence of the class it is to explain?

Source: Poerner, Roth and Schütze 2018 (arXiv 1801.06422), section 3.2.
Letters: N hybrids, S sentences of each, L words read of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textlrp.class_words import read_words
from textlrp.errors import DataError, OptionError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.classifier import Classifier
from textlrp.models.options import check_whole
from textlrp.records import Document
from textlrp.text.sentences import sentencizer
from textlrp.text.skip import Skip, make_skip, merge_ranges
from textlrp.text.surrogates import without_surrogates

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True, slots=True, eq=False)
class Hybrid:
    """Sentences of several documents under each other: S lines of ``text``, their character ``spans`` (S, 2) and the
    gold ``labels`` (S,) of the documents they come from, as text."""

    id: str
    text: str
    spans: NDArray[np.int32]
    labels: tuple[str, ...]

    @property
    def document(self) -> Document:
        """What a model gets to read."""
        return Document(self.id, self.text)

    def labels_at(self, places: NDArray[np.integer[Any]]) -> NDArray[np.str_]:
        """(L,) the label of the sentence around each character offset (L,)."""
        return np.array(self.labels)[np.searchsorted(self.spans[:, 0], places, "right") - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Pointing:
    """How often a method points at a sentence of the predicted class.

    ``accuracy`` is ``hits`` / ``counted`` with its 95 % bootstrap ``interval``; ``chance`` is the accuracy of a word
    drawn at random. Not counted: ``discarded`` hybrids without a sentence of the predicted class, and ``ignored``
    ones without a word that the model reads. ``hit`` and ``kept`` (N,) are these results per hybrid; ``kept`` depends
    on the model alone, so two methods are compared by ``hit[kept]``.
    """

    method: str
    rule: str
    accuracy: float
    interval: Interval
    chance: float
    hits: int
    counted: int
    discarded: int
    ignored: int
    hit: NDArray[np.bool_]
    kept: NDArray[np.bool_]


def hybrid_documents(
    documents: Iterable[Document],
    *,
    sentences: int = 10,
    seed: int = 0,
    skip: Skip = ("headers", "footers", "quotes"),
    most: int | None = None,
) -> list[Hybrid]:
    """Sentences of the documents that have a label, pooled, shuffled and put under each other, ``sentences`` each.

    Sentences are spaCy's (the ``sentencizer`` of a blank English pipeline) without the ranges that ``skip`` and the
    document itself mark; those without a letter are left out, and white space is made single blanks, so that no skip
    rule takes a hybrid for a post. What is left over at the end is no hybrid. ``most``: only the first so many.
    Raises :class:`DataError` where no document has a label or there are too few sentences.
    """
    check_whole("sentences", sentences)
    check_whole("most", most, none="all")
    labeled = ((str(document.label), document) for document in documents if document.label is not None)
    pool = list(_labeled_sentences(labeled, skip))
    if len(pool) < sentences:
        raise DataError(
            f"the documents with a label have {len(pool)} sentences in all; a hybrid of sentences={sentences} "
            "wants as many at least. Bring more documents, or labels for them."
        )
    order = np.random.default_rng(seed).permutation(len(pool)).tolist()
    starts = range(0, len(pool) - sentences + 1, sentences)[:most]
    return [
        _glued(f"hybrid {number}", [pool[k] for k in order[start : start + sentences]])
        for number, start in enumerate(starts, start=1)
    ]


def pointing_game(
    model: Classifier | Pipeline,
    hybrids: Iterable[Hybrid],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
    by: Literal["word", "token"] = "word",
) -> Pointing:
    """Explain the predicted class of each hybrid, and test whether the most relevant word lies in a sentence of it.

    ``by="word"``: the strongest word is the first of :meth:`textlrp.Explanation.top`, its occurrences summed. A hit:
    the most relevant of these occurrences (of equals the first) is in a sentence of the predicted class.
    ``by="token"``, as in the paper: the occurrence with the largest relevance (of equals the first) is in one.
    Raises :class:`DataError` where no hybrid is left to count, :class:`OptionError` for another ``by``.
    """
    if by not in ("word", "token"):
        raise OptionError(f"by must be 'word' or 'token'; got {by!r}.")
    hybrids = list(hybrids)
    hit, kept, ignored = np.zeros(len(hybrids), dtype=bool), np.zeros(len(hybrids), dtype=bool), 0
    shares, settings = [], ("", "")
    explanations = explain(model, (hybrid.document for hybrid in hybrids), method=method, rule=rule)
    for n, (hybrid, explanation) in enumerate(zip(hybrids, explanations, strict=True)):
        words = read_words(explanation)
        settings = explanation.method, explanation.rule
        ignored += not len(words.spans)
        predicted = explanation.labels[explanation.predicted]
        if len(words.spans) and predicted in hybrid.labels:
            inside = hybrid.labels_at(words.spans[:, 0]) == predicted
            candidates = (
                np.array(words.forms) == explanation.top(1)[0].word if by == "word" else np.full(len(inside), True)
            )
            kept[n], hit[n] = True, inside[np.where(candidates, words.relevance[0], -np.inf).argmax()]
            shares.append(_chance(words.forms, inside) if by == "word" else inside.mean())
    if ignored == len(hybrids):
        raise DataError(f"the model reads no word of any of the {len(hybrids)} hybrids, so no word can point.")
    if not kept.any():
        raise DataError(
            f"none of the {len(hybrids)} hybrids has a sentence of the class the model predicts for it, so there is "
            "nothing to point at; bring documents with the labels the model was trained on."
        )
    hits, counted = int(hit.sum()), int(kept.sum())
    discarded = len(hybrids) - counted - ignored
    interval, chance = bootstrap_interval(hit[kept]), float(np.mean(shares))
    return Pointing(*settings, hits / counted, interval, chance, hits, counted, discarded, ignored, hit, kept)


def _chance(forms: Sequence[str], inside: NDArray[np.bool_]) -> float:
    """The probability of a hit for a distinct word drawn at random, and an occurrence of it drawn at random."""
    _, word_of = np.unique(np.array(forms), return_inverse=True)
    return float((np.bincount(word_of, weights=inside) / np.bincount(word_of)).mean())


def _labeled_sentences(labeled: Iterable[tuple[str, Document]], skip: Skip) -> Iterator[tuple[str, str]]:
    """(label, sentence) of each document in turn."""
    marks = make_skip(skip)
    texts = ((_text_read(document, marks(document.text)), label) for label, document in labeled)
    for parsed, label in sentencizer().pipe(texts, as_tuples=True):
        for sentence in parsed.sents:
            text = " ".join(sentence.text.split())
            if any(map(str.isalpha, text)):
                yield label, text


def _text_read(document: Document, marked: NDArray[np.int32]) -> str:
    """The text without the skipped ranges; what stood around one does not become one word."""
    pieces, position = [], 0
    for start, end in merge_ranges(marked, document.skip).tolist():
        pieces.append(document.text[position:start])
        position = end
    return without_surrogates("\n".join([*pieces, document.text[position:]]))


def _glued(id: str, parts: Sequence[tuple[str, str]]) -> Hybrid:
    labels, texts = zip(*parts, strict=True)
    lengths = np.array([len(text) for text in texts])
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    return Hybrid(id, "\n".join(texts), np.column_stack([starts, starts + lengths]).astype(np.int32), labels)
