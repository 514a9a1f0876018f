"""The measures of an evaluation other than word deletion and document vectors, as plain data for ``results.json``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from textlrp.class_words import ClassWord, class_words
from textlrp.errors import DataError
from textlrp.evaluation.intervals import kept_interval
from textlrp.evaluation.marked_words import LEVELS, By
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.pointing import hybrid_documents, pointing_game
from textlrp.evaluation.rationale_files import read_marked, skipped_rows_text
from textlrp.evaluation.rationales import (
    RATIONALE_MEASURES,
    Agreement,
    explain_rationales,
    log_ratio_agreement,
    position_agreement,
    rationale_agreement,
)
from textlrp.evaluation.running.compared_rows import compared_rows
from textlrp.evaluation.running.kept_stages import WORDS_STAGE
from textlrp.evaluation.running.plan import RANDOM
from textlrp.evaluation.running.run_state import EvaluationRun, as_sentence, progress
from textlrp.evaluation.sanity import ledger_shares, stability
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Random
from textlrp.models.cnn import has_winning_windows
from textlrp.text_free import text_free_words


def pointing(run: EvaluationRun) -> dict[str, Any]:
    """The pointing game on hybrid documents."""
    hybrids = hybrid_documents(run.documents, seed=run.plan.seed, max_hybrids=run.plan.max_hybrids)
    kept = []
    for spec in (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed))):
        settings = spec.settings(run.model)

        def make(spec: MethodSpec = spec) -> dict[str, Any]:
            run.log(f"  {spec.title}: {len(hybrids):,} hybrid documents")
            found = pointing_game(run.model, hybrids, method=spec.method, rule=spec.rule)
            row = {
                "method": spec.title,
                "accuracy": found.accuracy,
                "interval": kept_interval(found.interval, found.n_included),
                "hits": found.n_hits,
                "counted": found.n_included,
                "discarded": found.n_discarded,
            }
            return {"row": row, "hits": found.is_hit[found.is_included].astype(int).tolist()}

        key = f"pointing by word, with hits, {spec.title} {settings.name} {settings.printed} {run.plan.max_hybrids}"
        kept.append(run.stages.plain(key, make))
    hits = {"accuracy": [each["hits"] for each in kept]}
    rows = compared_rows([each["row"] for each in kept], hits, {"accuracy": "higher"}, run.plan.seed)
    return {"hybrids": len(hybrids), "discarded": rows[0]["discarded"], "sentences": 10, "rows": rows}


def rationales(run: EvaluationRun) -> dict[str, Any] | None:
    """Agreement with human rationales by words, tokens and sentences; None if the plan has no file of rationales."""
    if run.plan.rationales is None:
        return None
    rationales, skipped = read_marked(run.plan.rationales)
    if skipped:
        run.notes.append(skipped_rows_text(run.plan.rationales, len(rationales), skipped))
    explanations = {}
    for spec in (*run.plan.methods, MethodSpec(RANDOM, Random(run.plan.seed))):
        run.log(f"  {spec.title}: {len(rationales):,} texts")
        explanations[spec.title] = list(explain_rationales(run.model, rationales, method=spec.method, rule=spec.rule))
    labels = [why.labels[why.predicted] for why in next(iter(explanations.values()))]
    baselines: dict[str, Callable[[By], Agreement]] = {
        "late words first": lambda by: position_agreement(rationales, first="late", by=by),
        "early words first": lambda by: position_agreement(rationales, first="early", by=by),
        "tf × log ratio": lambda by: log_ratio_agreement(rationales, run.documents, labels=labels, by=by),
    }
    levels = []
    for by in LEVELS:
        try:
            found = {title: rationale_agreement(whys, rationales, by=by) for title, whys in explanations.items()}
        except DataError as reason:
            run.notes.append(f"Agreement with human rationales by {by}: not measured. {as_sentence(reason)}")
            continue
        for title, measured in baselines.items():
            try:
                found[title] = measured(by)
            except DataError as reason:
                if by == LEVELS[0]:  # the reason is the same for every level
                    run.notes.append(f"Baseline {title}: not measured. {as_sentence(reason)}")
        levels.append(_level(found, by, run.plan.seed))
    if not levels:
        raise DataError(
            "no document has both marked and unmarked words. Mark some of the words of each text, not all."
        )
    return {"texts": len(rationales), "skipped": len(skipped), "levels": levels}


def _level(found: Mapping[str, Agreement], by: By, seed: int) -> dict[str, Any]:
    """One level (word, token or sentence): a row per method, each compared with the first method."""
    reference, first = next(iter(found.items()))
    rows = [_agreement_row(title, agreement) for title, agreement in found.items()]
    values = {name: [agreement.values[name] for agreement in found.values()] for name in RATIONALE_MEASURES}
    return {
        "by": by,
        "against": reference,
        "documents": first.n_documents,
        "left_out": first.n_excluded,
        "marked_share": first.marked_share,
        "rows": compared_rows(rows, values, dict.fromkeys(RATIONALE_MEASURES, "higher"), seed),
    }


def _agreement_row(title: str, agreement: Agreement) -> dict[str, Any]:
    documents = agreement.n_documents
    intervals = {name: kept_interval(agreement.intervals[name], documents) for name in RATIONALE_MEASURES}
    means = {name: getattr(agreement, name) for name in RATIONALE_MEASURES}
    return {"method": title, "intervals": intervals} | means


def words(run: EvaluationRun) -> list[dict[str, Any]]:
    """The most relevant words and phrases (n-grams) of each class, by the reference method."""
    spec, stage = run.plan.methods[0], WORDS_STAGE if run.plan.texts else f"text-free {WORDS_STAGE}"

    def make() -> list[dict[str, Any]]:
        phrases = 10 if has_winning_windows(run.model) else 0
        with progress("most relevant words of each class", len(run.documents)) as done:
            whys = explain(run.model, iter(run.documents), method=spec.method, rule=spec.rule, phrases=phrases)
            found = class_words(_counted(whys, done))
        found = found if run.plan.texts else text_free_words(found)
        return [
            {
                "label": each.label,
                "documents": each.documents,
                "words": [{"word": word.word} | _word_counts(word) for word in each.words],
                "phrases": [{"words": phrase.word} | _word_counts(phrase) for phrase in each.phrases],
            }
            for each in found
        ]

    made: list[dict[str, Any]] = run.stages.plain(f"{stage} {spec.settings(run.model).printed}", make)
    return made


def _word_counts(word: ClassWord) -> dict[str, Any]:
    """The fields of a word that results keep; the text around the word is not among them."""
    return {name: getattr(word, name) for name in ("relevance", "documents", "in_training", "examples")}


def stability_across_models(run: EvaluationRun) -> list[dict[str, Any]] | None:
    """Agreement of the model's explanations with those of the other models; None if the plan has no other models."""
    documents, spec = run.sample(min(100, run.plan.max_documents)), run.plan.methods[0]
    rows = []
    for name, other in run.plan.other_models.items():
        ours = list(explain(run.model, documents, method=spec.method, rule=spec.rule))
        targets = [run.model.classes_.tolist()[why.predicted] for why in ours]
        others = explain(other, documents, targets=targets, method=spec.method, rule=spec.rule)
        found = stability(ours, others)
        rows.append(
            {
                "model": name,
                "rank_correlation": found.rank_correlation,
                "interval": kept_interval(found.interval, found.n_documents),
                "top_overlap": found.top_overlap,
                "documents": found.n_documents,
            }
        )
    return rows or None


def ledger(run: EvaluationRun) -> list[dict[str, Any]]:
    """The share of the score that each step absorbs, by the reference method."""
    spec = run.plan.methods[0]
    whys = explain(run.model, run.sample(run.plan.max_documents), method=spec.method, rule=spec.rule)
    return [each._asdict() for each in ledger_shares(whys)]


def methods(run: EvaluationRun) -> list[dict[str, Any]]:
    """The methods that were compared, and their time per document."""
    rows = []
    for spec in (*run.plan.methods, *run.plan.slow_methods):
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
