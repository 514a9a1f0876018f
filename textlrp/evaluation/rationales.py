"""Agreement with human rationales: are the most relevant words those that people marked?

Letters: N documents, S marked ranges, L words, word types or sentences of one document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.rationale_files import Rationale
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import Rule
from textlrp.models.adapt import as_classifier
from textlrp.models.base import Classifier
from textlrp.records import Document, Explanation, Ranges
from textlrp.text.sentences import sentence_spans
from textlrp.text.tokens import Tokenizer, make_tokenizer
from textlrp.words.read import overlaps, read_words, strongest

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from torch import nn

MEASURES = ("average_precision", "auroc", "pointing", "iou")
"""What :func:`rationale_agreement` measures; each from 0 to 1, and 1 is full agreement."""

By = Literal["token", "word", "sentence"]
LEVELS: tuple[By, ...] = ("word", "token", "sentence")
"""What is ranked: distinct words with their occurrences summed, single occurrences, or sentences."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Means over the documents that count, their 95 % bootstrap ``intervals``, and what they are means of.

    ``values`` {measure: (counted,)}; ``kept`` (N,) says which documents count: those where some of the words (or
    sentences) are marked and some are not; ``left_out`` counts the others. ``marked_share`` is the mean share of the
    marked ones, which the average precision and the pointing hits of random relevance are near.
    """

    method: str
    rule: str
    average_precision: float
    auroc: float
    pointing: float
    iou: float
    intervals: Mapping[str, Interval]
    marked_share: float
    counted: int
    left_out: int
    values: Mapping[str, NDArray[np.float64]]
    kept: NDArray[np.bool_]


def explain_rationales(
    model: Classifier | nn.Module | Pipeline,
    rationales: Sequence[Rationale],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
) -> Iterator[Explanation]:
    """An explanation of each rationale's own label, or of the predicted class where it has none.

    Raises :class:`DataError` for a label that the model does not know.
    """
    classifier = as_classifier(model)
    known = {str(name): Index(place) for place, name in enumerate(classifier.classes_.tolist())}
    for rationale in rationales:
        if rationale.label is not None and rationale.label not in known:
            raise DataError(
                f"document {rationale.id!r} has the label {rationale.label!r}, which the model does not know; it has "
                f"{', '.join(known)}. Leave the label out to explain the predicted class."
            )
    targets = [None if rationale.label is None else known[rationale.label] for rationale in rationales]
    documents = [rationale.document for rationale in rationales]
    return explain(classifier, documents, targets=targets, method=method, rule=rule)


def rationale_agreement(
    explanations: Iterable[Explanation],
    rationales: Iterable[Rationale],
    *,
    by: By = "token",
    read_only: bool = False,
) -> Agreement:
    """Average precision, AUROC, pointing hits and intersection over union, document by document.

    All words of the text count, the same for every model: those that the model did not read, or does not know, have
    relevance 0. A token's relevance is shared over the words that it overlaps, by characters. With ``read_only=True``
    only the words that the model read count, so a model with a smaller vocabulary has fewer words to rank.

    ``by="token"`` ranks the occurrences of words; ``by="word"`` distinct words, in lower case, with the relevance of
    their occurrences summed, marked if one occurrence is; ``by="sentence"`` sentences with the relevance of their
    words summed. A word is marked if it overlaps a range, a sentence if one of its words is. The row explained is
    that of the document's label, or of the predicted class. Pointing: the most relevant word is marked.
    Intersection over union: of the m marked words and the m most relevant; of equals the first.
    Raises :class:`DataError` where texts differ or no document counts, :class:`TargetError` where the label was not
    explained, :class:`OptionError` for another ``by``.
    Source: DeYoung et al. 2020 (arXiv 1911.03429), section 4; the m of people in place of a model's.
    """
    how = ["", ""]

    def ranked() -> Iterator[_Ranked]:
        for explanation, rationale in zip(explanations, rationales, strict=True):
            if explanation.text != rationale.text:
                raise DataError(
                    f"the explanation of {explanation.document_id!r} is of another text than its rationale."
                )
            how[:] = explanation.method, explanation.rule
            row = explanation.row(rationale.label)
            if read_only:
                read = read_words(explanation)
                words = _Words(read.spans, read.forms)
                relevance = read.relevance[row]
            else:
                words = _words_of(rationale.text)
                relevance = _over_words(words, explanation, row)
            yield _ranked(words, relevance, rationale, by, _summed)

    return _agreement(ranked(), how, by, "the words read" if read_only else "the words")


def position_agreement(
    rationales: Iterable[Rationale], *, first: Literal["late", "early"], by: By = "token"
) -> Agreement:
    """The agreement of a baseline of positions alone: the later (or the earlier) a word, the more relevant it is.

    A distinct word counts by its last (or first) occurrence, a sentence by its position. Raises as
    :func:`rationale_agreement` does.
    """
    if first not in ("late", "early"):
        raise OptionError(f"first must be 'late' or 'early'; got {first!r}.")

    def ranked() -> Iterator[_Ranked]:
        for rationale in rationales:
            words = _words_of(rationale.text)
            positions = np.arange(len(words.spans), dtype=np.float64)
            yield _ranked(words, positions if first == "late" else -positions, rationale, by, _largest)

    return _agreement(ranked(), [f"{first} words first", ""], by, "the words")


def log_ratio_agreement(
    rationales: Sequence[Rationale],
    documents: Iterable[Document],
    *,
    labels: Sequence[str] | None = None,
    by: By = "token",
) -> Agreement:
    """The agreement of a baseline without a model: term frequency times the log ratio of class frequencies.

    An occurrence of word w has relevance log((n_wc + 1) / (N_c + V)) − log((n_w + 1) / (N + V)), with n_wc the
    occurrences of w among the N_c words of the labeled ``documents`` of class c, n_w and N those in the other
    classes, and V distinct words in all. Summed over the occurrences in the text it is tf × log ratio. A document
    with the text of a rationale is left out of its counts. c is the rationale's label, or that of ``labels`` (N,).
    Raises :class:`DataError` where a class has no document, and as :func:`rationale_agreement` does.
    """
    counts: dict[str, Counter[str]] = {}
    texts: Counter[tuple[str, str]] = Counter()
    for document in documents:
        if document.label is not None:
            counts.setdefault(str(document.label), Counter()).update(_words_of(document.read_text()).forms)
            texts[document.text, str(document.label)] += 1
    everything: Counter[str] = sum(counts.values(), Counter())

    def ranked() -> Iterator[_Ranked]:
        for n, rationale in enumerate(rationales):
            label = rationale.label if rationale.label is not None or labels is None else labels[n]
            if label is None or label not in counts:
                raise DataError(f"the corpus has no document of the class {label!r} of document {rationale.id!r}.")
            words = _words_of(rationale.text)
            own = Counter(words.forms)
            copies = {name: texts[rationale.text, name] for name in counts}
            inside = counts[label].total() - copies[label] * own.total()
            whole = everything.total() - sum(copies.values()) * own.total()
            ratios = {}
            for form, times in own.items():
                here = counts[label][form] - copies[label] * times
                elsewhere = everything[form] - sum(copies.values()) * times - here
                ratios[form] = np.log((here + 1) / (inside + len(everything))) - np.log(
                    (elsewhere + 1) / (whole - inside + len(everything))
                )
            yield _ranked(words, np.array([ratios[form] for form in words.forms]), rationale, by, _summed)

    return _agreement(ranked(), ["tf × log ratio", ""], by, "the words")


# ---- what is ranked


class _Words(NamedTuple):
    """Character ``spans`` (L, 2) of the words of a text, and their ``forms`` (L,) in lower case."""

    spans: NDArray[np.int32]
    forms: tuple[str, ...]


class _Ranked(NamedTuple):
    """``relevance`` (L,) of the words, word types or sentences of a text, and which are ``marked`` (L,)."""

    relevance: Numbers
    marked: NDArray[np.bool_]


def _words_of(text: str) -> _Words:
    """All words of a text, whatever a model reads: runs of letters and digits."""
    spans = _tokenizer().spans(text)
    return _Words(spans, tuple(text[start:end].casefold() for start, end in spans.tolist()))


@cache
def _tokenizer() -> Tokenizer:
    return make_tokenizer("words")


def _over_words(words: _Words, explanation: Explanation, row: int) -> Numbers:
    """(L,) the relevance of the tokens on the words they overlap; what is on no word is left out."""
    word, token, share = overlaps(words.spans, explanation.tokens.spans)
    values = share * explanation.relevance[row].astype(np.float64)[token]
    return np.bincount(word, weights=values, minlength=len(words.spans)).astype(np.float64)


def _summed(values: Numbers, groups: NDArray[np.int64], count: int) -> Numbers:
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def _largest(values: Numbers, groups: NDArray[np.int64], count: int) -> Numbers:
    found = np.full(count, -np.inf)
    np.maximum.at(found, groups, values)
    return found


def _ranked(
    words: _Words,
    relevance: Numbers,
    rationale: Rationale,
    by: By,
    together: Callable[[Numbers, NDArray[np.int64], int], Numbers],
) -> _Ranked:
    """The words' relevance and marks, put ``together`` for word types or sentences, in the order of the text."""
    marked = _marked(words.spans, rationale.spans)
    if by == "token":
        return _Ranked(relevance, marked)
    if by == "word":
        index: dict[str, int] = {}
        groups = np.array([index.setdefault(form, len(index)) for form in words.forms], dtype=np.int64)
    elif by == "sentence":
        # a word belongs to the sentence it begins in; sentences without a word do not count
        place = np.searchsorted(sentence_spans(rationale.text)[:, 0], words.spans[:, 0], "right")
        groups = np.unique(place, return_inverse=True)[1].astype(np.int64)
    else:
        raise OptionError(f"by must be 'token', 'word' or 'sentence'; got {by!r}.")
    count = int(groups.max(initial=-1)) + 1
    return _Ranked(together(relevance, groups, count), np.bincount(groups, weights=marked, minlength=count) > 0)


# ---- measures


def _agreement(ranked: Iterable[_Ranked], how: Sequence[str], by: By, words: str) -> Agreement:
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    kept, shares = [], []
    for relevance, marked in ranked:
        kept.append(bool(marked.any() and not marked.all()))
        if kept[-1]:
            shares.append(marked.mean())
            for name, value in zip(MEASURES, _measured(relevance, marked), strict=True):
                values[name].append(value)
    if not any(kept):
        what = "the sentences" if by == "sentence" else words
        raise DataError(
            f"in none of the {len(kept)} documents are some of {what} marked and some not, so there is nothing to "
            "measure."
        )
    arrays = {name: np.array(column) for name, column in values.items()}
    return Agreement(
        method=how[0],
        rule=how[1],
        average_precision=float(arrays["average_precision"].mean()),
        auroc=float(arrays["auroc"].mean()),
        pointing=float(arrays["pointing"].mean()),
        iou=float(arrays["iou"].mean()),
        intervals={name: bootstrap_interval(column) for name, column in arrays.items()},
        marked_share=float(np.mean(shares)),
        counted=sum(kept),
        left_out=len(kept) - sum(kept),
        values=arrays,
        kept=np.array(kept),
    )


def _measured(relevance: NDArray[np.float64], marked: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    common = int(marked[strongest(relevance, int(marked.sum()))].sum())
    return (
        float(average_precision_score(marked, relevance)),
        float(roc_auc_score(marked, relevance)),
        float(marked[strongest(relevance, 1)[0]]),
        common / (2 * int(marked.sum()) - common),
    )


def _marked(words: NDArray[np.int32], ranges: Ranges) -> NDArray[np.bool_]:
    """(L,) whether each word (L, 2) overlaps one of the ranges (S, 2): more have begun than were over before it."""
    begun = np.searchsorted(ranges[:, 0], words[:, 1], "left")
    over = np.searchsorted(ranges[:, 1], words[:, 0], "right")
    return np.asarray(begun > over)
