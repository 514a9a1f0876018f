"""The stages of an evaluation that are not about deleting words, each as plain data for ``results.json``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from textlrp.class_words import ClassWord, class_words
from textlrp.errors import DataError
from textlrp.evaluation.intervals import paired_difference
from textlrp.evaluation.marked_words import LEVELS, By
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.pointing import hybrid_documents, pointing_game
from textlrp.evaluation.rationale_files import read_marked, skipped_text
from textlrp.evaluation.rationales import (
    RATIONALE_MEASURES,
    Agreement,
    explain_rationales,
    log_ratio_agreement,
    position_agreement,
    rationale_agreement,
)
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, progress
from textlrp.evaluation.sanity import ledger_shares, randomization_check, stability
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Random
from textlrp.models.cnn import has_winning_windows


def pointing(run: EvaluationRun) -> dict[str, Any]:
    """The hybrid-document pointing game."""
    hybrids = hybrid_documents(run.documents, seed=run.plan.seed, most=run.plan.hybrids)
    rows = []
    for spec in (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed))):
        settings = spec.settings(run.model)

        def make(spec: MethodSpec = spec) -> dict[str, Any]:
            run.log(f"  {spec.title}: {len(hybrids):,} hybrids")
            found = pointing_game(run.model, hybrids, method=spec.method, rule=spec.rule)
            return {
                "method": spec.title,
                "accuracy": found.accuracy,
                "interval": list(found.interval),
                "hits": found.hits,
                "counted": found.counted,
                "discarded": found.discarded,
            }

        rows.append(run.stages.plain(f"pointing by word {settings.name} {settings.printed} {run.plan.hybrids}", make))
    return {"hybrids": len(hybrids), "discarded": rows[0]["discarded"], "sentences": 10, "rows": rows}


def rationales(run: EvaluationRun) -> dict[str, Any] | None:
    """Agreement with words that people marked, where they were given: by words, tokens and sentences."""
    if run.plan.rationales is None:
        return None
    rationales, skipped = read_marked(run.plan.rationales)
    if skipped:
        run.notes.append(skipped_text(run.plan.rationales, len(rationales), skipped))
    maps = {}
    for spec in (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed))):
        run.log(f"  {spec.title}: {len(rationales):,} texts")
        maps[spec.title] = list(explain_rationales(run.model, rationales, method=spec.method, rule=spec.rule))
    labels = [why.labels[why.predicted] for why in next(iter(maps.values()))]
    baselines: dict[str, Callable[[By], Agreement]] = {
        "late words first": lambda by: position_agreement(rationales, first="late", by=by),
        "early words first": lambda by: position_agreement(rationales, first="early", by=by),
        "tf × log ratio": lambda by: log_ratio_agreement(rationales, run.documents, labels=labels, by=by),
    }
    levels = []
    for by in LEVELS:
        try:
            found = {title: rationale_agreement(whys, rationales, by=by) for title, whys in maps.items()}
        except DataError as reason:
            run.notes.append(f"agreement with people by {by} was not measured: {reason}")
            continue
        for title, measured in baselines.items():
            try:
                found[title] = measured(by)
            except DataError as reason:
                if note := f"{title} was not measured: {reason}" * (by == LEVELS[0]):
                    run.notes.append(note)
        levels.append(_level(found, by, run.plan.seed))
    if not levels:
        raise DataError("in none of the documents are some of the words marked and some not.")
    return {"texts": len(rationales), "skipped": len(skipped), "levels": levels}


def _level(found: Mapping[str, Agreement], by: By, seed: int) -> dict[str, Any]:
    """One way to count: a row for each method, the first of which the others are compared with."""
    reference, first = next(iter(found.items()))
    rows = []
    for title, own in found.items():
        row = {"method": title, "intervals": {name: list(own.intervals[name]) for name in RATIONALE_MEASURES}}
        row |= {name: getattr(own, name) for name in RATIONALE_MEASURES}
        if title != reference:
            row["differences"] = {
                name: paired_difference(own.values[name], first.values[name], seed=seed).results("higher")
                for name in RATIONALE_MEASURES
            }
        rows.append(row)
    return {
        "by": by,
        "against": reference,
        "documents": first.counted,
        "left_out": first.left_out,
        "marked_share": first.marked_share,
        "rows": rows,
    }


def words(run: EvaluationRun) -> list[dict[str, Any]]:
    """The words and phrases of each class, by the reference method."""
    spec = run.plan.methods[0]

    def make() -> list[dict[str, Any]]:
        phrases = 10 if has_winning_windows(run.model) else 0
        with progress("words of the classes", len(run.documents)) as done:
            whys = explain(run.model, iter(run.documents), method=spec.method, rule=spec.rule, phrases=phrases)
            found = class_words(_counted(whys, done))
        return [
            {
                "label": each.label,
                "documents": each.documents,
                "words": [{"word": word.word} | _word_counts(word) for word in each.words],
                "phrases": [{"words": phrase.word} | _word_counts(phrase) for phrase in each.phrases],
            }
            for each in found
        ]

    made: list[dict[str, Any]] = run.stages.plain(f"words {spec.settings(run.model).printed}", make)
    return made


def _word_counts(word: ClassWord) -> dict[str, Any]:
    """What the results keep of a word, which is nothing of the text around it."""
    return {name: getattr(word, name) for name in ("relevance", "documents", "in_training", "examples")}


def sanity(run: EvaluationRun) -> dict[str, Any]:
    """Maps of the model against maps of the same model with random weights."""
    documents, spec = run.some(min(100, run.plan.smaller)), run.plan.methods[0]
    found = randomization_check(run.model, documents, method=spec.method, rule=spec.rule, seed=run.plan.seed)
    rows = [
        {"layer": each.layer, "rank_correlation": each.rank_correlation, "interval": list(each.interval)}
        for each in found
    ]
    return {"documents": found[0].counted, "rows": rows}


def stability_across_models(run: EvaluationRun) -> list[dict[str, Any]] | None:
    """Maps of the model against those of the other models."""
    documents, spec = run.some(min(100, run.plan.smaller)), run.plan.methods[0]
    rows = []
    for name, other in run.plan.others.items():
        own = list(explain(run.model, documents, method=spec.method, rule=spec.rule))
        targets = [run.model.classes_.tolist()[why.predicted] for why in own]
        others = explain(other, documents, targets=targets, method=spec.method, rule=spec.rule)
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


def ledger(run: EvaluationRun) -> list[dict[str, Any]]:
    """What the steps absorb of the score, by the reference method."""
    spec = run.plan.methods[0]
    whys = explain(run.model, run.some(run.plan.smaller), method=spec.method, rule=spec.rule)
    return [each._asdict() for each in ledger_shares(whys)]


def methods(run: EvaluationRun) -> list[dict[str, Any]]:
    """What was compared, and its time per document."""
    rows = []
    for spec in (*run.plan.methods, *run.plan.slow):
        settings = spec.settings(run.model)
        rows.append(
            {
                "title": spec.title,
                "method": settings.name,
                "rule": settings.printed,
                "seconds_per_document": run.seconds.get(spec.title),
            }
        )
    return rows


def _counted(whys: Any, progress: Callable[[int], object]) -> Iterator[Any]:
    for why in whys:
        progress(1)
        yield why
