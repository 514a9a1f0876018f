"""Find groups of documents whose prediction rests on the same few words, and measure how suspicious each is.

Letters: N documents of a corpus, C classes, L words of a document, G documents of a group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus, word_relevances
from textlrp.evaluation.shortcuts.class_centroids import ClassCentroids
from textlrp.evaluation.shortcuts.document_groups import MIN_SIZE, check_grouping
from textlrp.evaluation.shortcuts.group_measures import WordCounts, finished_group, look_up
from textlrp.evaluation.shortcuts.leading_words import word_groups
from textlrp.evaluation.shortcuts.relevance_vectors import corpus_words, relevance_vectors
from textlrp.explainers.methods import Method
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.adapt import without_options
from textlrp.models.classifier import Classifier
from textlrp.records import Document
from textlrp.shortcut_groups import Shortcuts

MAX_DOCUMENTS = 2000
"""Documents of a predicted class that are compared with each other."""


def find_shortcuts(
    model: Classifier,
    documents: Iterable[Document],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
    clustering: str = "hdbscan",
    min_size: int = MIN_SIZE,
    max_documents: int = MAX_DOCUMENTS,
    seed: int = 0,
    progress: Callable[[int], object] = lambda documents: None,
) -> Shortcuts:
    """Find groups of documents whose predicted class rests on the same few words (SpRAy for texts).

    ``documents`` have labels. Each is explained for its predicted class. Documents of the same predicted class, at
    most ``max_documents`` of them, are grouped by the shares of supporting relevance of their words
    (:func:`.relevance_vectors`, :func:`.group_documents` with ``clustering``, ``min_size`` and ``seed``). The leading
    words of each group are deleted and counted, and their place and origin is looked up; see :class:`ShortcutGroup`.
    ``progress`` is called with the number of documents explained since the last call.

    Raises :class:`DataError` as :func:`textlrp.evaluation.score_corpus` does, :class:`OptionError` for wrong options.
    Source: Lapuschkin et al. 2019 (Nature Communications 10:1096), section "Methods: spectral relevance analysis".
    """
    check_grouping(clustering, min_size)
    model, documents = without_options(model), list(documents)
    corpus, spec = score_corpus(model, documents), MethodSpec("", method, rule)
    settings = spec.settings(model)
    relevances = word_relevances(corpus, spec, progress=progress).predicted
    words = corpus_words(corpus)
    vectors = relevance_vectors(corpus, words, relevances, max_documents=max_documents, seed=seed)
    centroids = ClassCentroids(corpus, words)
    found = [
        group
        for label, of_class in vectors.items()
        for group in word_groups(label, of_class, clustering, min_size, seed)
    ]
    leading = {word for group in found for word in group.words}
    counts = WordCounts.of(corpus, documents, words, leading)
    looked_up = look_up(corpus, documents, words, found)
    labels = tuple(str(name) for name in model.classes_.tolist())
    totals = Counter(corpus.predicted.tolist())
    groups = [
        finished_group(
            group,
            corpus,
            labels[group.label],
            totals[group.label],
            counts,
            looked_up[number],
            centroids.unlike(group.rows, group.words, group.label),
        )
        for number, group in enumerate(found)
    ]
    return Shortcuts(
        labels,
        tuple(sorted(groups, key=lambda group: (-group.weight, group.words[0].word))),
        len(corpus),
        corpus.accuracy,
        {labels[label]: number for label, number in sorted(totals.items())},
        {labels[label]: len(of_class.rows) for label, of_class in vectors.items()},
        settings.name,
        settings.printed,
        model.fingerprint_,
    )
