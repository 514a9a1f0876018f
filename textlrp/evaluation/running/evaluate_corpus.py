"""Evaluate a model's explanations on a labeled corpus, and write ``results.json`` and a page.

Finished stages are kept in a folder next to the results, so an interrupted run continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from textlrp.errors import DataError, ModelError, StoppedError
from textlrp.evaluation.measured_corpus import empty_corpus, score_corpus
from textlrp.evaluation.rationale_files import read_marked
from textlrp.evaluation.running.kept_stages import Stages, remove_texts
from textlrp.evaluation.running.measured import methods
from textlrp.evaluation.running.measures import MEASURES, ONE_LABEL_ONLY, TITLES, measure_of
from textlrp.evaluation.running.plan import RATIONALES_ONLY, EvaluationPlan, default_plan, without_corpus
from textlrp.evaluation.running.run_state import EvaluationRun, as_sentence
from textlrp.files.kinds import PAGE
from textlrp.files.written_file import FileKind, atomic_file, check_file, json_text
from textlrp.files.written_folder import FolderKind, check_folder, opened_folder
from textlrp.models.adapt import without_options
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.given_files import inputs_of
from textlrp.records import TEXTS_LEFT_OUT, Document
from textlrp.reports.evaluation.evaluation_page import write_evaluation
from textlrp.text.named_corpora import Log, silent
from textlrp.version import __version__


def evaluate(
    model: Classifier,
    documents: Iterable[Document] | None,
    folder: str | Path,
    *,
    plan: EvaluationPlan | None = None,
    model_name: str = "",
    corpus_name: str = "",
    log: Log = silent,
    force: bool = False,
) -> dict[str, Any]:
    """Evaluate a model's explanations; write ``results.json`` and ``index.html`` into ``folder``; return the results.

    ``documents`` must have labels. If only agreement with rationales is measured, they may be None or have no labels;
    labeled ones are then used for the baseline tf × log ratio. ``plan`` is what to measure, by default everything
    by :func:`default_plan`. ``model_name`` and ``corpus_name`` are shown on the page. ``log`` is called with a
    line for each measure. ``folder`` is created if needed. Finished stages are kept in its subfolder ``stages`` and
    are not computed again.

    Raises :class:`DataError` if documents have no labels, if no label is a class of the model, or if ``folder``
    contains anything other than an evaluation (with ``force``, such a folder is moved to a backup name instead);
    :class:`OptionError` if documents are None and a measure needs them; :class:`StoppedError` on Ctrl-C; and the
    errors of the methods.
    """
    model = without_options(model)
    plan = plan or default_plan(model)
    check_evaluation(folder, inputs=inputs_of(None, files=[plan.rationales]), force=force)
    if documents is None:
        plan = without_corpus(plan)
    documents = list(documents or ())
    for spec in (*plan.methods, *plan.slow_methods):
        spec.settings(model)  # raises for a method or rule that this model does not support
    if plan.rationales is not None:
        read_marked(plan.rationales)  # raises for an invalid file before anything is measured
    needs_corpus = plan.measures != RATIONALES_ONLY
    corpus = score_corpus(model, documents) if needs_corpus else empty_corpus(model)
    target = opened_folder(folder, EVALUATION, EVALUATION_FILES, force=force, parents=True)
    if not plan.texts:
        remove_texts(target / "stages")
    stages = Stages(target / "stages", _stage_key(model, documents, plan))
    results: dict[str, Any] = {
        "version": __version__,
        "model": model.fingerprint_,
        "model_name": model_name or type(model).__name__,
        "kind": type(model).__name__,
        "corpus": corpus_name,
        "documents": len(corpus) if needs_corpus else None,
        "labels": [str(name) for name in model.classes_.tolist()],
        "seed": plan.seed,
        "date": date.today().isoformat(),
        "accuracy": corpus.accuracy if needs_corpus else None,
    }
    if corpus.counts is not None:
        results |= {"micro_f1": corpus.counts.micro_f1, "macro_f1": corpus.counts.macro_f1}
    try:
        results |= _results_of_measures(EvaluationRun(model, documents, corpus, plan, stages, log))
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped. Finished stages are kept in {target}; run the same command to continue."
        ) from None
    with atomic_file(target / "results.json", _RESULTS, force=force) as beside:
        beside.write_text(json_text(results), encoding="utf-8")
    write_evaluation(results, target / "index.html", force=force)
    return results


def _results_of_measures(run: EvaluationRun) -> dict[str, Any]:
    """Compute every measure of the plan; a measure that cannot be computed adds a note with the reason."""
    if run.plan.measures != RATIONALES_ONLY:
        run.note_corpus_limits()
    if not run.plan.texts:
        run.notes.append(TEXTS_LEFT_OUT)
    found: dict[str, Any] = {}
    for name in MEASURES:
        if run.plan.takes(name):
            if run.corpus.counts is not None and name in ONE_LABEL_ONLY:
                run.notes.append(f"{TITLES[name].capitalize()}: not measured, because the model is multi-label.")
                continue
            if run.plan.has_input_of(name):
                run.log(f"measuring {TITLES[name]} ...")
            try:
                found[name] = measure_of(name)(run)
            except (DataError, ModelError) as reason:
                run.notes.append(f"{TITLES[name].capitalize()}: not measured. {as_sentence(reason)}")
    return found | {"methods": methods(run), "notes": run.notes}


def _stage_key(model: Classifier, documents: Sequence[Document], plan: EvaluationPlan) -> dict[str, Any]:
    """What the results of a stage depend on; stages with another key are not used."""
    digest, thresholds = hashlib.sha256(), thresholds_of(model)
    for document in documents:
        digest.update(repr((document.id, document.label, document.skip.tolist(), document.text)).encode())
    return {
        "version": __version__,
        "model": model.fingerprint_,
        "corpus": digest.hexdigest(),
        "options": [
            plan.n_slow_documents,
            plan.steps,
            plan.min_words,
            plan.n_random_orders,
            plan.max_documents,
            plan.seed,
        ],
    } | ({} if thresholds is None else {"thresholds": thresholds.tolist()})


EVALUATION_FILES = ("index.html", "results.json", "stages")


def _is_unmarked_evaluation(folder: Path) -> bool:
    """Whether a folder without a marker file is an evaluation by version 0.1.0, finished or interrupted."""
    names = {each.name for each in folder.iterdir()}
    stages = list((folder / "stages").iterdir())
    return names <= {*EVALUATION_FILES} and all(re.fullmatch("[0-9a-f]{12}", each.name) for each in stages)


EVALUATION = FolderKind("an evaluation", replaced=False, names=EVALUATION_FILES, recognize=_is_unmarked_evaluation)


def check_evaluation(folder: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise :class:`DataError` if an evaluation cannot be written to ``folder``; see :func:`check_folder`."""
    target = check_folder(folder, EVALUATION, inputs=inputs, force=force, parents=True)
    for name, kind in (("index.html", PAGE), ("results.json", _RESULTS)):
        if not force and target.is_dir():
            check_file(target / name, kind)


def _is_results(path: Path) -> bool:
    results = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(results, dict) and {"version", "model", "kind", "labels", "accuracy"} <= results.keys()


_RESULTS = FileKind("the results of an evaluation", _is_results)
