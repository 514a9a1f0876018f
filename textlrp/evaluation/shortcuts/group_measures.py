"""What the leading words of a group do: their counts in the corpus, predictions without them, place, and suspicion.

Letters: N documents of a corpus, C classes, G documents of a group.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.evaluation.measured_corpus import ScoredCorpus
from textlrp.evaluation.shortcuts.leading_words import WordGroup
from textlrp.evaluation.shortcuts.origins import PARTS, author_names, author_of, near_duplicates, parts_at, thread_of
from textlrp.models.classifier import thresholds_of
from textlrp.records import Document
from textlrp.shortcut_groups import (
    EFFECTS,
    ORIGINS,
    Deleted,
    LeadingWord,
    Origins,
    ShortcutGroup,
)
from textlrp.text.batches import Reading

OUTSIDE = ("subject line", "header", "signature")
"""Parts of a text in which words are seldom about the topic."""

_PLAIN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True, eq=False)
class WordCounts:
    """In how many documents of the corpus each word occurs, by the position of the true label.

    ``names`` are the words that name an author of a document with a label, by its position.
    """

    by_label: Mapping[str, Counter[int]]
    names: Mapping[int, set[str]]
    labels: Counter[int]

    @staticmethod
    def of(
        corpus: ScoredCorpus, documents: Sequence[Document], words: Sequence[Sequence[str]], leading: set[str]
    ) -> WordCounts:
        """Count the documents that contain each of the ``leading`` words, and find which of these name an author.

        ``words`` are those of :func:`.corpus_words`.
        """
        names: dict[int, set[str]] = {}
        for document, label in zip(documents, corpus.true_label.tolist(), strict=True):
            names.setdefault(label, set()).update(leading & author_names(document.text))
        found: dict[str, Counter[int]] = {word: Counter() for word in leading}
        for of_document, label in zip(words, corpus.true_label.tolist(), strict=True):
            for word in leading.intersection(of_document):
                found[word][label] += 1
        return WordCounts(found, names, Counter(corpus.true_label.tolist()))

    def is_name_or_code(self, word: str, label: int) -> bool:
        """Whether a word names an author of the class at ``label``, or is no word of letters."""
        return word in self.names.get(label, ()) or not _PLAIN.fullmatch(word)

    def leading_word(self, word: str, share: float, label: int) -> LeadingWord:
        """Return a leading word of a group with its ``share`` and its counts for the class at ``label``."""
        counted = self.by_label[word]
        documents, of_class = counted.total(), counted[label]
        expected = self.labels[label] / self.labels.total()
        deviation = (expected * (1 - expected) / documents) ** 0.5
        z = (of_class / documents - expected) / deviation if deviation else 0.0
        return LeadingWord(word, share, documents, of_class, z)


# ---- what happens without the words, and where they appear


class WordEffects(NamedTuple):
    """What the words do in the G documents, by row, and where they appear.

    ``without`` are the predicted classes without the words, ``lost`` the shares of the margin that are lost.
    """

    without: Mapping[int, int]
    lost: Mapping[int, float]
    parts: Counter[str]
    origins: Origins


def look_up(
    corpus: ScoredCorpus,
    documents: Sequence[Document],
    words: Sequence[Sequence[str]],
    groups: Sequence[WordGroup],
) -> list[WordEffects]:
    """Delete the leading words of each group from its documents, and find where they appear."""
    group_of = {row: number for number, group in enumerate(groups) for row in group.rows.tolist()}
    chosen = np.zeros(len(corpus), dtype=bool)
    chosen[list(group_of)] = True
    without: list[dict[int, int]] = [{} for _ in groups]
    lost: list[dict[int, float]] = [{} for _ in groups]
    parts: list[Counter[str]] = [Counter() for _ in groups]
    thresholds = thresholds_of(corpus.model)
    thresholds = np.zeros(corpus.scores.shape[1]) if thresholds is None else thresholds
    for batch, rows in corpus.iter_batches(chosen):
        numbers, forms = [group_of[row] for row in rows.tolist()], [words[row] for row in rows.tolist()]
        keep = np.ones((len(rows), max(map(len, forms))), dtype=bool)
        for n, number in enumerate(numbers):
            keep[n, : len(forms[n])] = [form not in groups[number].words for form in forms[n]]
        scores = corpus.model.scores(batch, keep=keep) - thresholds
        for n, (number, reading, row) in enumerate(zip(numbers, batch.readings, rows.tolist(), strict=True)):
            without[number][row] = int(scores[n].argmax())
            own = corpus.scores[row] - thresholds
            before, after = (_margin(each, groups[number].label) for each in (own, scores[n]))
            lost[number][row] = float(np.clip(1 - after / before, 0, 1)) if before > 0 else 0.0
            parts[number].update(parts_at(reading.tokens.text, _starts(reading, ~keep[n, : len(forms[n])])))
    return [
        WordEffects(without[number], lost[number], parts[number], _origins(documents, group, parts[number], words))
        for number, group in enumerate(groups)
    ]


def _margin(scores: Array, label: int) -> float:
    """The score of a class minus the highest other score."""
    return float(scores[label] - np.delete(scores, label).max())


def _starts(reading: Reading, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    starts: NDArray[np.int32] = reading.tokens.spans[reading.positions[chosen], 0]
    return starts


def _origins(
    documents: Sequence[Document], group: WordGroup, parts: Counter[str], words: Sequence[Sequence[str]]
) -> Origins:
    rows = group.rows.tolist()
    authors, threads = (
        Counter(each for each in (read(documents[row].text) for row in rows) if each is not None)
        for read in (author_of, thread_of)
    )
    copies = int(near_duplicates([set(words[row]) for row in rows]).sum())
    total = max(1, parts.total())
    return Origins(
        len(authors) or None,
        max(authors.values(), default=None),
        len(threads) or None,
        max(threads.values(), default=None),
        copies,
        {part: parts[part] / total for part in PARTS if parts[part]},
    )


# ---- the suspicion


def finished_group(
    group: WordGroup,
    corpus: ScoredCorpus,
    label: str,
    of_predictions: int,
    counts: WordCounts,
    looked_up: WordEffects,
    unlike: float,
) -> ShortcutGroup:
    """Return the group as users get it; ``label`` is the name of its class, predicted ``of_predictions`` times.

    ``unlike`` is that of :class:`.ClassCentroids`.
    """
    order = group.rows[np.argsort(-group.shares, kind="stable")].tolist()
    words = tuple(
        counts.leading_word(word, share, group.label)
        for word, share in zip(group.words, group.mean_shares, strict=True)
    )
    correct = [int(corpus.true_label[row]) == group.label for row in order]
    changed = [looked_up.without[row] != group.label for row in order]
    deleted = Deleted(
        sum(correct),
        sum(looked_up.without[row] == int(corpus.true_label[row]) for row in order),
        sum(changed),
        sum(a and b for a, b in zip(correct, changed, strict=True)),
    )
    parts = {
        "concentration": float(group.shares.mean()),
        "dependence": float(np.mean([looked_up.lost[row] for row in order])),
        "one source": _one_source(looked_up.origins, len(order)),
        "outside the body": sum(looked_up.origins.parts.get(part, 0.0) for part in OUTSIDE),
        "names and codes": _mean_over(words, lambda word: counts.is_name_or_code(word.word, group.label)),
        "unlike the class": unlike,
    }
    return ShortcutGroup(
        label,
        words,
        tuple(order),
        tuple(corpus.ids[row] for row in order),
        of_predictions,
        float(group.shares.sum()) / group.of_class,
        deleted,
        looked_up.origins,
        parts,
        suspicion_of(parts),
    )


def suspicion_of(parts: Mapping[str, float]) -> float:
    """Return the geometric mean of the mean effect and of the largest origin; see :class:`ShortcutGroup`."""
    effect = sum(parts[name] for name in EFFECTS) / len(EFFECTS)
    return float((effect * max(parts[name] for name in ORIGINS)) ** 0.5)


def _mean_over(words: Sequence[LeadingWord], value: Callable[[LeadingWord], float]) -> float:
    """The mean of a value of the words, weighted by their shares."""
    return sum(word.share * value(word) for word in words) / sum(word.share for word in words)


def _one_source(origins: Origins, documents: int) -> float:
    """How far the documents have one author or a copy: 0 if all differ, 1 if there is a single author."""
    return max(((origins.largest_author or 1) - 1) / (documents - 1), origins.near_duplicates / documents)
