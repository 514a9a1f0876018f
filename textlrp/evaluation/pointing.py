"""The pointing game on hybrid documents: is the most relevant word in a sentence of the predicted class?

Source: Poerner, Roth and Schütze 2018 (arXiv 1801.06422), section 3.2.
Letters: N hybrid documents, S sentences of each, L words of a document that the model reads.
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
    """A hybrid document: sentences of several documents, one per line.

    ``spans`` (S, 2) are the character offsets of the sentences in ``text``, and ``labels`` (S,) the true labels, as
    text, of the documents that they are taken from.
    """

    id: str
    text: str
    spans: NDArray[np.int32]
    labels: tuple[str, ...]

    @property
    def document(self) -> Document:
        """The text as a document without a label, to pass to a model."""
        return Document(self.id, self.text)

    def labels_at(self, offsets: NDArray[np.integer[Any]]) -> NDArray[np.str_]:
        """(L,) label of the sentence at each character offset (L,)."""
        return np.array(self.labels)[np.searchsorted(self.spans[:, 0], offsets, "right") - 1]


@dataclass(frozen=True, slots=True, eq=False)
class PointingResult:
    """How often a method's most relevant word is in a sentence of the predicted class.

    ``accuracy`` is ``n_hits`` / ``n_included`` with its 95% bootstrap ``interval``; ``chance`` is the expected
    accuracy of a word drawn at random. Two kinds of hybrid documents are not included: ``n_discarded`` without a
    sentence of the predicted class, and ``n_ignored`` without a word that the model reads. ``is_hit`` and
    ``is_included`` (N,) are the results per hybrid document. ``is_included`` depends on the model and not on the
    method, so two methods are compared by their ``is_hit[is_included]``.
    """

    method: str
    rule: str
    accuracy: float
    interval: Interval
    chance: float
    n_hits: int
    n_included: int
    n_discarded: int
    n_ignored: int
    is_hit: NDArray[np.bool_]
    is_included: NDArray[np.bool_]


def hybrid_documents(
    documents: Iterable[Document],
    *,
    n_sentences: int = 10,
    seed: int = 0,
    skip: Skip = ("headers", "footers", "quotes"),
    max_hybrids: int | None = None,
) -> list[Hybrid]:
    """Create hybrid documents: shuffle the sentences of labeled documents, and join ``n_sentences`` at a time.

    Sentences are split by spaCy (the ``sentencizer`` of a blank English pipeline), after the ranges that ``skip`` and
    the documents mark are removed. Sentences without a letter are left out. White space becomes single spaces, so
    that a model does not recognize parts of a hybrid document as a mail header or a quote. Remaining sentences at the
    end are dropped. Only the first ``max_hybrids`` are returned, by default all. Raises :class:`DataError` if no
    document has a label or there are too few sentences.
    """
    check_whole("n_sentences", n_sentences)
    check_whole("max_hybrids", max_hybrids, none="all")
    labeled = ((str(document.label), document) for document in documents if document.label is not None)
    pool = list(_labeled_sentences(labeled, skip))
    if len(pool) < n_sentences:
        raise DataError(
            f"documents must have at least n_sentences={n_sentences} sentences with a label; got {len(pool)}. Bring "
            "more labeled documents."
        )
    order = np.random.default_rng(seed).permutation(len(pool)).tolist()
    starts = range(0, len(pool) - n_sentences + 1, n_sentences)[:max_hybrids]
    return [
        _hybrid_of(f"hybrid {number}", [pool[k] for k in order[start : start + n_sentences]])
        for number, start in enumerate(starts, start=1)
    ]


def pointing_game(
    model: Classifier | Pipeline,
    hybrids: Iterable[Hybrid],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
    by: Literal["word", "token"] = "word",
) -> PointingResult:
    """Explain the predicted class of each hybrid document; a hit is a most relevant word in a sentence of that class.

    ``by="word"``: relevance is summed over the occurrences of a word, and the word is the first of
    :meth:`textlrp.Explanation.top`. It is a hit if its most relevant occurrence is in a sentence of the predicted
    class. ``by="token"``, as in the paper: the single occurrence with the largest relevance counts. Ties go to the
    first occurrence. Raises :class:`DataError` if no hybrid document can be included, :class:`OptionError` for
    another ``by``.
    """
    if by not in ("word", "token"):
        raise OptionError(f"by must be 'word' or 'token'; got {by!r}.")
    hybrids = list(hybrids)
    is_hit, is_included, n_ignored = np.zeros(len(hybrids), dtype=bool), np.zeros(len(hybrids), dtype=bool), 0
    chances, settings = [], ("", "")
    explanations = explain(model, (hybrid.document for hybrid in hybrids), method=method, rule=rule)
    for n, (hybrid, explanation) in enumerate(zip(hybrids, explanations, strict=True)):
        words = read_words(explanation)
        settings = explanation.method, explanation.rule
        n_ignored += not len(words.spans)
        predicted = explanation.labels[explanation.predicted]
        if len(words.spans) and predicted in hybrid.labels:
            inside = hybrid.labels_at(words.spans[:, 0]) == predicted
            candidates = (
                np.array(words.forms) == explanation.top(1)[0].word if by == "word" else np.full(len(inside), True)
            )
            is_included[n], is_hit[n] = True, inside[np.where(candidates, words.relevance[0], -np.inf).argmax()]
            chances.append(_chance(words.forms, inside) if by == "word" else inside.mean())
    if n_ignored == len(hybrids):
        raise DataError(
            f"the model reads no word of any of the {len(hybrids)} hybrid documents. Bring documents with words of "
            "the model's vocabulary."
        )
    if not is_included.any():
        raise DataError(
            f"not one of the {len(hybrids)} hybrid documents has a sentence of its predicted class. Bring documents "
            "with the labels that the model was trained on."
        )
    n_hits, n_included = int(is_hit.sum()), int(is_included.sum())
    return PointingResult(
        *settings,
        accuracy=n_hits / n_included,
        interval=bootstrap_interval(is_hit[is_included]),
        chance=float(np.mean(chances)),
        n_hits=n_hits,
        n_included=n_included,
        n_discarded=len(hybrids) - n_included - n_ignored,
        n_ignored=n_ignored,
        is_hit=is_hit,
        is_included=is_included,
    )


def _chance(forms: Sequence[str], inside: NDArray[np.bool_]) -> float:
    """The probability of a hit for a random distinct word and a random occurrence of it."""
    _, word_of = np.unique(np.array(forms), return_inverse=True)
    return float((np.bincount(word_of, weights=inside) / np.bincount(word_of)).mean())


def _labeled_sentences(labeled: Iterable[tuple[str, Document]], skip: Skip) -> Iterator[tuple[str, str]]:
    """Yield (label, sentence) for each sentence of each document."""
    marks = make_skip(skip)
    texts = ((_without_skipped(document, marks(document.text)), label) for label, document in labeled)
    for parsed, label in sentencizer().pipe(texts, as_tuples=True):
        for sentence in parsed.sents:
            text = " ".join(sentence.text.split())
            if any(map(str.isalpha, text)):
                yield label, text


def _without_skipped(document: Document, marked: NDArray[np.int32]) -> str:
    """The text with a line break in place of each skipped range, so that the words around it stay separate."""
    parts, position = [], 0
    for start, end in merge_ranges(marked, document.skip).tolist():
        parts.append(document.text[position:start])
        position = end
    return without_surrogates("\n".join([*parts, document.text[position:]]))


def _hybrid_of(id: str, sentences: Sequence[tuple[str, str]]) -> Hybrid:
    labels, texts = zip(*sentences, strict=True)
    lengths = np.array([len(text) for text in texts])
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    return Hybrid(id, "\n".join(texts), np.column_stack([starts, starts + lengths]).astype(np.int32), labels)
