"""The state of an evaluation run that all measures share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from textlrp.arrays import Array
from textlrp.evaluation.deletion import DELETION_PROTOCOLS, protocol_documents
from textlrp.evaluation.measured_corpus import MethodSpec, ScoredCorpus, word_relevances
from textlrp.evaluation.running.kept_stages import Stages
from textlrp.evaluation.running.plan import EvaluationPlan
from textlrp.label_measures import LabelCounts
from textlrp.machine import progress_bar
from textlrp.models.classifier import Classifier
from textlrp.records import Document
from textlrp.text.named_corpora import Log


class EvaluationRun:
    """A model, the documents that it is evaluated on, the plan, and the results that measures share.

    ``notes`` are sentences for the page, ``seconds`` is the time per document of each method, and ``sampled`` (N,) is
    the mask of the documents for slow methods.
    """

    def __init__(
        self,
        model: Classifier,
        documents: Sequence[Document],
        corpus: ScoredCorpus,
        plan: EvaluationPlan,
        stages: Stages,
        log: Log,
    ) -> None:
        self.model, self.documents, self.corpus = model, documents, corpus
        self.plan, self.stages, self.log = plan, stages, log
        self.notes: list[str] = []
        self.seconds: dict[str, float] = {}
        self.sampled = self._sample()

    def note_corpus_limits(self) -> None:
        """Add notes about labels, classes and documents that the measures cannot use."""
        corpus, classes = self.corpus, self.model.classes_.tolist()
        if corpus.counts is not None:
            self._note_label_sets(corpus.counts)
            return
        if unknown := int((corpus.true_label < 0).sum()):
            self.notes.append(
                f"{counted(unknown, 'document has', 'documents have')} a label that is not a class of the model. The "
                "accuracy leaves them out."
            )
        if missing := [str(name) for k, name in enumerate(classes) if not (corpus.true_label == k).any()]:
            self.notes.append(f"No document of the corpus has the label {', '.join(missing)}.")
        if empty := int((corpus.known == 0).sum()):
            self.notes.append(
                f"{counted(empty, 'document has', 'documents have')} no word in the model's vocabulary. Their scores "
                "are the biases."
            )
        for protocol in DELETION_PROTOCOLS[:2]:
            if not protocol_documents(corpus, protocol, self.plan.min_words).any():
                kind = "correctly" if protocol.correct else "incorrectly"
                self.notes.append(
                    f"No document of at least {self.plan.min_words} words is {kind} classified, so word deletion is "
                    "not measured on such documents."
                )

    def _note_label_sets(self, counts: LabelCounts) -> None:
        self.notes.append(
            "The model is multi-label. Each document is measured on one label: the one with the highest score "
            "relative to its threshold."
        )
        if unknown := len(self.corpus) - counts.documents:
            self.notes.append(
                f"{counted(unknown, 'document has', 'documents have')} a label that is not a class of the model. F1 "
                "and subset accuracy leave them out."
            )

    def _sample(self) -> Array:
        """(N,) mask of the documents for slow methods, drawn from those that word deletion can use."""
        eligible = np.flatnonzero((self.corpus.lengths >= self.plan.min_words) & (self.corpus.true_label >= 0))
        drawn = np.random.default_rng(self.plan.seed).permutation(eligible)[: self.plan.n_slow_documents]
        chosen = np.zeros(len(self.corpus), dtype=bool)
        chosen[drawn] = True
        return chosen

    def sample_mask(self, max_documents: int) -> Array:
        """(N,) mask of at most ``max_documents`` documents, drawn by the seed."""
        chosen = np.zeros(len(self.documents), dtype=bool)
        chosen[np.random.default_rng(self.plan.seed + 1).permutation(len(chosen))[:max_documents]] = True
        return chosen

    def sample(self, max_documents: int) -> list[Document]:
        """The documents of :meth:`sample_mask`, in corpus order."""
        return [self.documents[n] for n in np.flatnonzero(self.sample_mask(max_documents)).tolist()]

    def relevances(self, spec: MethodSpec, *, sampled: bool = False) -> tuple[Sequence[Any], Sequence[Any]]:
        """Relevance of the words (L,) of each document for the predicted class and for the true label, or None.

        ``sampled`` restricts the documents to the sample for slow methods. The result is kept as a stage.
        """
        mask = self.sampled if sampled else None
        settings = spec.settings(self.model)

        def make() -> Mapping[str, Array]:
            total = len(self.corpus) if mask is None else int(mask.sum())
            with progress(f"{spec.title}: explaining", total) as done:
                found = word_relevances(self.corpus, spec, mask=mask, progress=done)
            flat = {
                name: np.concatenate([np.zeros(0, np.float32), *(each for each in values if each is not None)])
                for name, values in (("predicted", found.predicted), ("true_label", found.true_label))
            }
            return flat | {"seconds": np.array(found.seconds / max(1, total))}

        stored = self.stages.arrays(
            f"relevance {settings.name} {settings.printed} {'sample' if sampled else 'all'}", make
        )
        self.seconds[spec.title] = float(stored["seconds"])
        chosen = np.ones(len(self.corpus), dtype=bool) if mask is None else mask
        lengths = self.corpus.lengths
        return (
            _unpacked(stored["predicted"], lengths, chosen),
            _unpacked(stored["true_label"], lengths, chosen & (self.corpus.true_label >= 0)),
        )


def _unpacked(flat: Array, lengths: Array, chosen: Array) -> list[Any]:
    """Split ``flat`` (sum of L,) into (L,) per chosen document, with None for the others."""
    sizes = np.where(chosen, lengths, 0)
    ends = np.cumsum(sizes)
    return [flat[end - size : end] if there else None for end, size, there in zip(ends, sizes, chosen, strict=True)]


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show a progress bar with the time left on standard error; call the yielded function with the documents done."""
    with progress_bar(transient=True) as bar:
        task = bar.add_task(title, total=total, note="")
        yield lambda done: bar.advance(task, done)


def counted(count: int, one: str, several: str) -> str:
    """A count with the verb phrase of its number: "1 document has", "3 documents have"."""
    return f"{count:,} {one if count == 1 else several}"


def as_sentence(reason: Exception) -> str:
    """The message of an error as a sentence of a note, with a capital letter."""
    text = str(reason)
    return text[:1].upper() + text[1:]
