"""What is measured of a model's explanations, measure by measure, as plain data.

Letters: N documents, M documents of a protocol, S steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from textlrp.corpus.reading import Say
from textlrp.corpus.stages import Stages
from textlrp.errors import DataError, ModelError
from textlrp.evaluation.deletion import (
    AT_LEAST,
    OTHER_PROTOCOLS,
    PROTOCOLS,
    STEPS,
    Protocol,
    documents_of,
    protocol_results,
    still_right,
)
from textlrp.evaluation.docvectors import WEIGHTINGS, document_vectors, explanatory_power, picture, weightings_of
from textlrp.evaluation.eraser import eraser
from textlrp.evaluation.pointing import hybrid_documents, pointing_game
from textlrp.evaluation.rationale_files import read_rationales
from textlrp.evaluation.rationales import MEASURES, explain_rationales, rationale_agreement
from textlrp.evaluation.reading import Asked, ReadCorpus, word_relevances
from textlrp.evaluation.sanity import ledger_shares, randomisation_check, stability
from textlrp.evaluation.words import class_words
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Random
from textlrp.lrp.presets import as_composite
from textlrp.models.base import TextClassifier
from textlrp.models.cnn import CNNClassifier
from textlrp.records import Document

Numbers = NDArray[Any]
RANDOM = "random"

LRP = "LRP epsilon"
"""The title of the default, which the others are held against."""


def usual_methods(model: TextClassifier) -> tuple[Asked, ...]:
    """LRP by the default rule, and the quick methods that apply to this model; the first is the reference."""
    asked = [
        Asked(LRP),
        Asked("gradient × input", "gradient-x-input"),
        Asked("squared gradient", "squared-gradient"),
        Asked("integrated gradients", "integrated-gradients"),
        Asked("occlusion", "occlusion"),
    ]
    if isinstance(model, CNNClassifier):
        asked.append(Asked("Grad-CAM", "grad-cam"))
    return tuple(asked)


SLOW_METHODS: tuple[Asked, ...] = (Asked("LIME", "lime"), Asked("SHAP", "shap"))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to measure, and on how much of the corpus.

    ``methods``: the first is the reference. ``slow``: methods for the ``sample`` documents alone, drawn by ``seed``
    among the long ones. ``draws`` random orders are averaged. ``smaller`` documents serve comprehensiveness, sanity
    and the ledger. ``hybrids``: at most so many glued
    documents. ``others``: models by name whose explanations are compared with this one's. ``measures`` to take.
    """

    methods: tuple[Asked, ...]
    slow: tuple[Asked, ...] = ()
    sample: int = 100
    steps: int = STEPS
    at_least: int = AT_LEAST
    draws: int = 10
    smaller: int = 500
    hybrids: int | None = None
    seed: int = 0
    rationales: Path | None = None
    others: Mapping[str, TextClassifier] = field(default_factory=dict)
    measures: frozenset[str] | None = None


class Measuring:
    """One run over a corpus: :meth:`all` gives the parts of the results, ``notes`` what is to be said of them."""

    def __init__(
        self,
        model: TextClassifier,
        documents: Sequence[Document],
        corpus: ReadCorpus,
        plan: Evaluation,
        stages: Stages,
        say: Say,
    ) -> None:
        self.model, self.documents, self.corpus = model, documents, corpus
        self.plan, self.stages, self.say = plan, stages, say
        self.notes: list[str] = []
        self.seconds: dict[str, float] = {}
        self.sampled = self._sample()

    def all(self) -> dict[str, Any]:
        """Every measure that the plan asks for; one that cannot be taken is said in ``notes``."""
        measures: dict[str, Callable[[], Any]] = {
            "deletion": self.deletion,
            "eraser": self.eraser,
            "vectors": self.vectors,
            "pointing": self.pointing,
            "rationales": self.rationales,
            "words": self.words,
            "sanity": self.sanity,
            "stability": self.stability,
            "ledger": self.ledger,
        }
        self._look_at_the_corpus()
        found = {}
        for name, measure in measures.items():
            if self.plan.measures is None or name in self.plan.measures:
                self.say(f"measuring {name} ...")
                try:
                    found[name] = measure()
                except (DataError, ModelError) as reason:
                    self.notes.append(f"{name} was not measured: {reason}")
        found["methods"] = self.methods()
        return found

    # ---- what every measure shares

    def _look_at_the_corpus(self) -> None:
        corpus, classes = self.corpus, self.model.classes_.tolist()
        if strange := int((corpus.gold < 0).sum()):
            self.notes.append(f"{strange} documents have a label the model does not know; they count as wrong.")
        if missing := [str(name) for k, name in enumerate(classes) if not (corpus.gold == k).any()]:
            self.notes.append(f"no document of the corpus has the label {', '.join(missing)}.")
        if unread := int((corpus.lengths == 0).sum()):
            self.notes.append(f"{unread} documents have no word that the model reads; the biases alone answer them.")
        for protocol in PROTOCOLS[:2]:
            if not documents_of(corpus, protocol, self.plan.at_least).any():
                kind = "rightly" if protocol.right else "wrongly"
                self.notes.append(
                    f"no document of at least {self.plan.at_least} words is {kind} classified, so there is nothing "
                    "to delete in that group."
                )

    def _sample(self) -> Numbers:
        """(N,) the documents that slow methods get: drawn among those that deletion looks at."""
        eligible = np.flatnonzero((self.corpus.lengths >= self.plan.at_least) & (self.corpus.gold >= 0))
        drawn = np.random.default_rng(self.plan.seed).permutation(eligible)[: self.plan.sample]
        chosen = np.zeros(len(self.corpus), dtype=bool)
        chosen[drawn] = True
        return chosen

    def _some(self, most: int) -> list[Document]:
        """At most so many documents, drawn by the seed, in their order."""
        order = np.random.default_rng(self.plan.seed + 1).permutation(len(self.documents))
        return [self.documents[n] for n in sorted(order[:most].tolist())]

    def _relevances(self, asked: Asked, *, sampled: bool = False) -> tuple[Sequence[Any], Sequence[Any]]:
        """For the predicted class and for the label: (L,) of each document, or None."""
        wanted = self.sampled if sampled else None
        how = asked.how(self.model)

        def make() -> Mapping[str, Numbers]:
            total = len(self.corpus) if wanted is None else int(wanted.sum())
            with _progress(f"{asked.title}: explaining", total) as progress:
                found = word_relevances(self.corpus, asked, wanted=wanted, progress=progress)
            flat = {
                name: np.concatenate([np.zeros(0, np.float32), *(each for each in values if each is not None)])
                for name, values in (("predicted", found.predicted), ("gold", found.gold))
            }
            return flat | {"seconds": np.array(found.seconds / max(1, total))}

        stored = self.stages.arrays(f"relevance {how.name} {how.printed} {'sample' if sampled else 'all'}", make)
        self.seconds[asked.title] = float(stored["seconds"])
        chosen = np.ones(len(self.corpus), dtype=bool) if wanted is None else wanted
        lengths = self.corpus.lengths
        return (
            _unpacked(stored["predicted"], lengths, chosen),
            _unpacked(stored["gold"], lengths, chosen & (self.corpus.gold >= 0)),
        )

    # ---- the measures

    def deletion(self) -> dict[str, Any]:
        """Curves and differences of every protocol; slow methods on the sample, beside the others there."""
        whole = [self._protocol(protocol, self.plan.methods, None) for protocol in (*PROTOCOLS, *OTHER_PROTOCOLS)]
        if self.plan.slow:
            every = (*self.plan.methods, *self.plan.slow)
            whole += [self._protocol(protocol, every, self.sampled) for protocol in PROTOCOLS]
            self.notes.append(
                f"{' and '.join(asked.title for asked in self.plan.slow)} were measured on {int(self.sampled.sum())} "
                f"documents drawn with seed {self.plan.seed}, the other methods there on the same ones."
            )
        return {"steps": self.plan.steps, "at_least": self.plan.at_least, "protocols": whole}

    def _protocol(self, protocol: Protocol, methods: Sequence[Asked], only: Numbers | None) -> dict[str, Any]:
        rights: dict[str, Numbers] = {}
        for asked in methods:
            rights[asked.title] = self._still_right(protocol, asked, only, reverse=False)
        reference = methods[0]
        rights[f"{reference.title}, reversed"] = self._still_right(protocol, reference, only, reverse=True)
        rights[RANDOM] = self._random(protocol, only)
        found = protocol_results(protocol, rights, reference=reference.title, seed=self.plan.seed)
        if only is None:
            return found | {"name": protocol.name.split("-removed")[0].split("-inserted")[0]}
        return found | {"name": f"sample-{protocol.name}", "title": f"{protocol.title} (a sample)"}

    def _still_right(self, protocol: Protocol, asked: Asked, only: Numbers | None, *, reverse: bool) -> Numbers:
        how = asked.how(self.model)
        slow = asked in self.plan.slow

        def make() -> Mapping[str, Numbers]:
            predicted, gold = self._relevances(asked, sampled=slow)
            relevances = gold if protocol.target == "gold" else predicted
            if only is not None:
                relevances = [each if only[n] else None for n, each in enumerate(relevances)]
            return {"right": self._walk(protocol, relevances, asked.title, reverse=reverse)}

        name = f"deletion {protocol.name} {how.name} {how.printed} {reverse} {'all' if only is None else 'sample'}"
        right = self.stages.arrays(name, make)["right"]
        if asked.title not in self.seconds:
            self._relevances(asked, sampled=slow)  # for its time alone: it is there already
        return right

    def _random(self, protocol: Protocol, only: Numbers | None) -> Numbers:
        """(M, S + 1) the mean over random orders."""

        def make() -> Mapping[str, Numbers]:
            total: Any = 0.0
            for draw in range(self.plan.draws):
                noise = np.random.default_rng((self.plan.seed, draw))
                relevances = [
                    noise.uniform(size=length) if only is None or only[n] else None
                    for n, length in enumerate(self.corpus.lengths.tolist())
                ]
                total = total + self._walk(protocol, relevances, f"random order {draw + 1}")
            return {"right": total / self.plan.draws}

        return self.stages.arrays(f"deletion {protocol.name} random {'all' if only is None else 'sample'}", make)[
            "right"
        ]

    def _walk(self, protocol: Protocol, relevances: Sequence[Any], title: str, *, reverse: bool = False) -> Numbers:
        wanted = documents_of(self.corpus, protocol, self.plan.at_least)
        with _progress(f"{title}: {protocol.title}", int(wanted.sum())) as progress:
            return still_right(
                self.corpus,
                protocol,
                relevances,
                steps=self.plan.steps,
                at_least=self.plan.at_least,
                reverse=reverse,
                progress=progress,
            )

    def eraser(self) -> list[dict[str, Any]]:
        """Comprehensiveness and sufficiency of every quick method, on a part of the corpus."""
        order = np.random.default_rng(self.plan.seed + 1).permutation(len(self.corpus))
        wanted = np.zeros(len(self.corpus), dtype=bool)
        wanted[order[: self.plan.smaller]] = True
        noise = np.random.default_rng(self.plan.seed)
        chance = [noise.uniform(size=length) for length in self.corpus.lengths.tolist()]
        rows = [
            self.stages.plain(
                f"eraser {asked.how(self.model).printed} {asked.title}",
                partial(self._eraser_row_of, asked, wanted),
            )
            for asked in self.plan.methods
        ]
        return [*rows, self.stages.plain("eraser random", lambda: self._eraser_row(RANDOM, chance, wanted))]

    def _eraser_row_of(self, asked: Asked, wanted: Numbers) -> dict[str, Any]:
        return self._eraser_row(asked.title, self._relevances(asked)[0], wanted)

    def _eraser_row(self, title: str, relevances: Sequence[Any], wanted: Numbers) -> dict[str, Any]:
        found = eraser(self.corpus, relevances, wanted=wanted, seed=self.plan.seed)
        return {
            "method": title,
            "comprehensiveness": found.comprehensiveness,
            "comprehensiveness_interval": list(found.comprehensiveness_interval),
            "sufficiency": found.sufficiency,
            "sufficiency_interval": list(found.sufficiency_interval),
            "of": found.of,
            "documents": len(found.comprehensive),
        }

    def vectors(self) -> dict[str, Any]:
        """The explanatory power of every weighting, and maps of the documents for LRP and uniform weights."""
        labels = [str(document.label) for document in self.documents]
        composite = as_composite(self.plan.methods[0].rule or "epsilon")
        rows, maps = [], []
        names = weightings_of(self.model)
        for weighting in names:
            drawn = weighting in (names[0], "uniform")

            def make(weighting: Any = weighting, drawn: bool = drawn) -> dict[str, Any]:
                with _progress(f"document vectors, {WEIGHTINGS[weighting]}", len(self.corpus)) as progress:
                    vectors = document_vectors(self.corpus, weighting, composite=composite, progress=progress)
                power = explanatory_power(vectors, labels, seed=self.plan.seed)
                row = {
                    "weighting": WEIGHTINGS[weighting],
                    "epi": power.epi,
                    "sd": power.sd,
                    "k": power.k,
                    "neighbours": list(power.neighbours),
                    "accuracy": power.accuracy.tolist(),
                    "spread": power.spread.tolist(),
                }
                return {"row": row, "map": _map(WEIGHTINGS[weighting], vectors, labels) if drawn else None}

            done = self.stages.plain(f"vectors {weighting} {composite!r}", make)
            rows.append(done["row"])
            if done["map"]:
                maps.append(done["map"])
        return {"splits": 10, "rows": rows, "maps": maps}

    def pointing(self) -> dict[str, Any]:
        """The hybrid-document pointing game."""
        hybrids = hybrid_documents(self.documents, seed=self.plan.seed, most=self.plan.hybrids)
        rows = []
        for asked in (*self.plan.methods, Asked(RANDOM, Random(self.plan.seed))):
            how = asked.how(self.model)

            def make(asked: Asked = asked) -> dict[str, Any]:
                self.say(f"  {asked.title}: {len(hybrids):,} hybrids")
                found = pointing_game(self.model, hybrids, method=asked.method, rule=asked.rule)
                return {
                    "method": asked.title,
                    "accuracy": found.accuracy,
                    "interval": list(found.interval),
                    "hits": found.hits,
                    "counted": found.counted,
                    "discarded": found.discarded,
                }

            rows.append(self.stages.plain(f"pointing {how.name} {how.printed} {self.plan.hybrids}", make))
        return {"hybrids": len(hybrids), "discarded": rows[0]["discarded"], "sentences": 10, "rows": rows}

    def rationales(self) -> dict[str, Any] | None:
        """Agreement with words that people marked, where they were given."""
        if self.plan.rationales is None:
            return None
        rationales = read_rationales(self.plan.rationales)
        rows, counted = [], 0
        for asked in (*self.plan.methods, Asked(RANDOM, Random(self.plan.seed))):
            whys = explain_rationales(self.model, rationales, method=asked.method, rule=asked.rule)
            found = rationale_agreement(whys, rationales)
            counted = found.counted
            rows.append(
                {"method": asked.title, "intervals": {name: list(found.intervals[name]) for name in MEASURES}}
                | {name: getattr(found, name) for name in MEASURES}
            )
        return {"documents": counted, "rows": rows}

    def words(self) -> list[dict[str, Any]]:
        """The words and phrases of each class, by the reference method."""
        asked = self.plan.methods[0]

        def make() -> list[dict[str, Any]]:
            phrases = 10 if isinstance(self.model, CNNClassifier) and self.model.pooling == "max" else 0
            with _progress("words of the classes", len(self.documents)) as progress:
                whys = explain(
                    self.model, iter(self.documents), method=asked.method, rule=asked.rule, phrases=phrases
                )
                found = class_words(_counted(whys, progress))
            return [
                {
                    "label": each.label,
                    "documents": each.documents,
                    "words": [word._asdict() for word in each.words],
                    "phrases": [
                        {"words": phrase.word} | {k: v for k, v in phrase._asdict().items() if k != "word"}
                        for phrase in each.phrases
                    ],
                }
                for each in found
            ]

        made: list[dict[str, Any]] = self.stages.plain(f"words {asked.how(self.model).printed}", make)
        return made

    def sanity(self) -> dict[str, Any]:
        """Maps of the model against maps of the same model with random weights."""
        documents, asked = self._some(min(100, self.plan.smaller)), self.plan.methods[0]
        found = randomisation_check(self.model, documents, method=asked.method, rule=asked.rule, seed=self.plan.seed)
        rows = [
            {"layer": each.layer, "rank_correlation": each.rank_correlation, "interval": list(each.interval)}
            for each in found
        ]
        return {"documents": found[0].counted, "rows": rows}

    def stability(self) -> list[dict[str, Any]] | None:
        """Maps of the model against those of the other models."""
        documents, asked = self._some(min(100, self.plan.smaller)), self.plan.methods[0]
        rows = []
        for name, other in self.plan.others.items():
            own = list(explain(self.model, documents, method=asked.method, rule=asked.rule))
            targets = [self.model.classes_.tolist()[why.predicted] for why in own]
            others = explain(other, documents, targets=targets, method=asked.method, rule=asked.rule)
            found = stability(own, others)
            rows.append(
                {
                    "model": name,
                    "rank_correlation": found.rank_correlation,
                    "interval": list(found.interval),
                    "top_overlap": found.top_overlap,
                    "documents": found.documents,
                }
            )
        return rows or None

    def ledger(self) -> list[dict[str, Any]]:
        """What the steps absorb of the score, by the reference method."""
        asked = self.plan.methods[0]
        whys = explain(self.model, self._some(self.plan.smaller), method=asked.method, rule=asked.rule)
        return [each._asdict() for each in ledger_shares(whys)]

    def methods(self) -> list[dict[str, Any]]:
        """What was compared, and its time per document."""
        rows = []
        for asked in (*self.plan.methods, *self.plan.slow):
            how = asked.how(self.model)
            rows.append(
                {
                    "title": asked.title,
                    "method": how.name,
                    "rule": how.printed,
                    "seconds_per_document": self.seconds.get(asked.title),
                }
            )
        return rows


# ---- parts


def _unpacked(flat: Numbers, lengths: Numbers, chosen: Numbers) -> list[Any]:
    """(total,) as (L,) per chosen document, None for the others."""
    own = np.where(chosen, lengths, 0)
    ends = np.cumsum(own)
    return [flat[end - size : end] if there else None for end, size, there in zip(ends, own, chosen, strict=True)]


def _map(title: str, vectors: Any, labels: Sequence[str]) -> dict[str, Any]:
    drawn = picture(vectors)
    return {
        "weighting": title,
        "x": np.round(drawn.places[:, 0], 4).tolist(),
        "y": np.round(drawn.places[:, 1], 4).tolist(),
        "group": [label.split(".")[0] for label in labels],
        "explained": list(drawn.explained),
    }


def _counted(whys: Any, progress: Callable[[int], object]) -> Iterator[Any]:
    for why in whys:
        progress(1)
        yield why


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar with the time left, on a terminal's error stream; what it gives hears how many documents are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)
