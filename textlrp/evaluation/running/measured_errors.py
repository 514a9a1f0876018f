"""The measures "errors" and "planted-errors" of an evaluation: likely label errors, and how well they are found."""

from __future__ import annotations

from typing import Any

from textlrp.evaluation.intervals import bootstrap_interval, kept_interval
from textlrp.evaluation.label_errors import RANKING, RANKINGS, errors_of_corpus
from textlrp.evaluation.planted_errors import PLANTED_SHARE, planted_label_errors
from textlrp.evaluation.retraining import trainable
from textlrp.evaluation.running.compared_rows import compared_rows
from textlrp.evaluation.running.kept_stages import ERRORS_STAGE
from textlrp.evaluation.running.run_state import EvaluationRun, progress
from textlrp.relevant_words import WordRelevance

LISTED = 20
"""Likely label errors on the page."""

FOLDS = 5


def errors(run: EvaluationRun) -> dict[str, Any]:
    """The documents that most likely have a wrong label, with the words that oppose it by the reference method."""
    spec, stage = run.plan.methods[0], ERRORS_STAGE if run.plan.texts else f"text-free {ERRORS_STAGE}"

    def listed(words: tuple[WordRelevance, ...]) -> list[dict[str, Any]]:
        return _words(words) if run.plan.texts else []

    def make() -> dict[str, Any]:
        found = errors_of_corpus(run.corpus, run.documents, n=LISTED, ranking=RANKING, spec=spec)
        rows = [
            each._asdict() | {"opposing": listed(each.opposing), "supporting": listed(each.supporting)}
            for each in found
        ]
        return {"rows": rows}

    made: dict[str, Any] = run.stages.plain(f"{stage} {LISTED} {RANKING} {spec.settings(run.model).printed}", make)
    known = run.corpus.true_label >= 0
    return {
        "documents": int(known.sum()),
        "incorrect": int((run.corpus.predicted != run.corpus.true_label)[known].sum()),
        "method": spec.title,
        "ranking": RANKING,
        **made,
    }


def _words(words: tuple[WordRelevance, ...]) -> list[dict[str, Any]]:
    return [{"word": each.word, "relevance": each.relevance} for each in words]


def planted_errors(run: EvaluationRun) -> dict[str, Any]:
    """How well each ranking finds label errors planted into the corpus; trains the model anew for each fold."""
    model = trainable(run.model)
    spec, seed = run.plan.methods[0], run.plan.seed

    def make() -> dict[str, Any]:
        run.log(f"  trains the model {FOLDS} times on {len(run.documents) * (FOLDS - 1) // FOLDS:,} documents")
        with progress("planted label errors", len(run.documents)) as done:
            found = planted_label_errors(model, run.documents, folds=FOLDS, spec=spec, seed=seed, progress=done).found
        return {
            "planted": len(found[0].is_found),
            "rows": [{"method": each.ranking, "auroc": each.auroc, "precision": each.precision} for each in found],
            "values": {
                "auroc": [each.auroc_values.tolist() for each in found],
                "precision": [each.is_found.astype(int).tolist() for each in found],
            },
        }

    made = run.stages.plain(f"planted label errors {FOLDS} {seed} {spec.settings(run.model).printed}", make)
    for n, row in enumerate(made["rows"]):
        for name, values in made["values"].items():
            row[f"{name}_interval"] = kept_interval(bootstrap_interval(values[n], seed=seed), made["planted"])
    return {
        "documents": len(run.documents), "share": PLANTED_SHARE, "planted": made["planted"], "folds": FOLDS,
        "definitions": dict(RANKINGS),
        "rows": compared_rows(made["rows"], made["values"], dict.fromkeys(made["values"], "higher"), seed),
    }  # fmt: skip
