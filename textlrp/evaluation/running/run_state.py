"""One run of an evaluation over a corpus: what every measure shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from textlrp.arrays import Array
from textlrp.evaluation.deletion import PROTOCOLS, documents_of
from textlrp.evaluation.measured_corpus import MethodSpec, ReadCorpus, word_relevances
from textlrp.evaluation.running.kept_stages import Stages
from textlrp.evaluation.running.plan import Evaluation
from textlrp.machine import progress_bar
from textlrp.models.classifier import Classifier
from textlrp.records import Document
from textlrp.text.named_corpora import Log


class EvaluationRun:
    """A model, the documents it is measured on, and what was found out so far.

    ``notes`` is what is to be said of the results, ``seconds`` the time per document of each method, ``sampled`` (N,)
    the documents that slow methods get.
    """

    def __init__(
        self,
        model: Classifier,
        documents: Sequence[Document],
        corpus: ReadCorpus,
        plan: Evaluation,
        stages: Stages,
        log: Log,
    ) -> None:
        self.model, self.documents, self.corpus = model, documents, corpus
        self.plan, self.stages, self.log = plan, stages, log
        self.notes: list[str] = []
        self.seconds: dict[str, float] = {}
        self.sampled = self._sample()

    def look_at_the_corpus(self) -> None:
        """Note what in the corpus the measures have to do without."""
        corpus, classes = self.corpus, self.model.classes_.tolist()
        if strange := int((corpus.true_label < 0).sum()):
            self.notes.append(
                f"{strange} documents have a label that is not a class of the model; the accuracy leaves them out."
            )
        if missing := [str(name) for k, name in enumerate(classes) if not (corpus.true_label == k).any()]:
            self.notes.append(f"no document of the corpus has the label {', '.join(missing)}.")
        if ignored := int((corpus.known == 0).sum()):
            self.notes.append(f"{ignored} documents have no word that the model reads; the biases alone answer them.")
        for protocol in PROTOCOLS[:2]:
            if not documents_of(corpus, protocol, self.plan.min_words).any():
                kind = "rightly" if protocol.right else "wrongly"
                self.notes.append(
                    f"no document of at least {self.plan.min_words} words is {kind} classified, so there is nothing "
                    "to delete in that group."
                )

    def _sample(self) -> Array:
        """(N,) the documents that slow methods get: drawn among those that deletion looks at."""
        eligible = np.flatnonzero((self.corpus.lengths >= self.plan.min_words) & (self.corpus.true_label >= 0))
        drawn = np.random.default_rng(self.plan.seed).permutation(eligible)[: self.plan.sample]
        chosen = np.zeros(len(self.corpus), dtype=bool)
        chosen[drawn] = True
        return chosen

    def some_rows(self, most: int) -> Array:
        """(N,) at most so many documents, drawn by the seed."""
        chosen = np.zeros(len(self.documents), dtype=bool)
        chosen[np.random.default_rng(self.plan.seed + 1).permutation(len(chosen))[:most]] = True
        return chosen

    def some(self, most: int) -> list[Document]:
        """Those of :meth:`some_rows`, in their order."""
        return [self.documents[n] for n in np.flatnonzero(self.some_rows(most)).tolist()]

    def relevances(self, spec: MethodSpec, *, sampled: bool = False) -> tuple[Sequence[Any], Sequence[Any]]:
        """For the predicted class and for the label: (L,) of each document, or None."""
        wanted = self.sampled if sampled else None
        settings = spec.settings(self.model)

        def make() -> Mapping[str, Array]:
            total = len(self.corpus) if wanted is None else int(wanted.sum())
            with progress(f"{spec.title}: explaining", total) as done:
                found = word_relevances(self.corpus, spec, wanted=wanted, progress=done)
            flat = {
                name: np.concatenate([np.zeros(0, np.float32), *(each for each in values if each is not None)])
                for name, values in (("predicted", found.predicted), ("true_label", found.true_label))
            }
            return flat | {"seconds": np.array(found.seconds / max(1, total))}

        stored = self.stages.arrays(
            f"relevance {settings.name} {settings.printed} {'sample' if sampled else 'all'}", make
        )
        self.seconds[spec.title] = float(stored["seconds"])
        chosen = np.ones(len(self.corpus), dtype=bool) if wanted is None else wanted
        lengths = self.corpus.lengths
        return (
            _unpacked(stored["predicted"], lengths, chosen),
            _unpacked(stored["true_label"], lengths, chosen & (self.corpus.true_label >= 0)),
        )


def _unpacked(flat: Array, lengths: Array, chosen: Array) -> list[Any]:
    """(total,) as (L,) per chosen document, None for the others."""
    own = np.where(chosen, lengths, 0)
    ends = np.cumsum(own)
    return [flat[end - size : end] if there else None for end, size, there in zip(ends, own, chosen, strict=True)]


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar with the time left, on a terminal's error stream; what it gives hears how many documents are done."""
    with progress_bar(transient=True) as bar:
        task = bar.add_task(title, total=total, note="")
        yield lambda done: bar.advance(task, done)
