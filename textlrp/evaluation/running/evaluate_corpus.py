"""Measure a model's explanations on a labeled corpus: plain data first, then a page.

Every stage is kept in a folder beside the results, so that an interrupted run goes on where it was.
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
from textlrp.evaluation.measured_corpus import no_corpus, read_corpus
from textlrp.evaluation.rationale_files import read_marked
from textlrp.evaluation.running.kept_stages import Stages
from textlrp.evaluation.running.measured import methods
from textlrp.evaluation.running.measures import MEASURES, measure_of
from textlrp.evaluation.running.plan import RATIONALES_ALONE, Evaluation, alone, usual_methods
from textlrp.evaluation.running.run_state import EvaluationRun
from textlrp.files.kinds import PAGE
from textlrp.files.written_file import FileKind, check_file, json_text, written_beside
from textlrp.files.written_folder import FolderKind, check_folder, opened_folder
from textlrp.models.adapt import check_wrapped
from textlrp.models.classifier import Classifier
from textlrp.models.given_files import inputs_of
from textlrp.records import Document
from textlrp.reports.evaluation.evaluation_page import write_evaluation
from textlrp.text.named_corpora import Log, silent
from textlrp.version import __version__


def evaluate(
    model: Classifier,
    documents: Iterable[Document] | None,
    folder: str | Path,
    *,
    plan: Evaluation | None = None,
    model_name: str = "",
    corpus_name: str = "",
    log: Log = silent,
    force: bool = False,
) -> dict[str, Any]:
    """Measure the explanations of a model; write ``results.json`` and ``index.html`` into ``folder``, and give them.

    Where only rationales are measured, ``documents`` may be None or without labels: those with labels serve the
    model-free baseline. The folder is made; stages that are done are kept in its ``stages`` and not done again.
    Raises :class:`DataError` where documents have no labels or the model knows none of them, or where ``folder``
    holds anything but an evaluation (with ``force`` it is moved to a backup name), :class:`OptionError` where
    documents are None and a measure needs them, :class:`StoppedError` on Ctrl-C, and as the methods do.
    """
    check_wrapped(model)
    plan = plan or Evaluation(usual_methods(model))
    check_evaluation(folder, inputs=inputs_of(None, files=[plan.rationales]), force=force)
    if documents is None:
        plan = alone(plan)
    documents = list(documents or ())
    for spec in (*plan.methods, *plan.slow):
        spec.settings(model)
    if plan.rationales is not None:
        read_marked(plan.rationales)  # a wrong file is refused before anything is measured
    measured = plan.measures != RATIONALES_ALONE
    corpus = read_corpus(model, documents) if measured else no_corpus(model)
    target = opened_folder(folder, EVALUATION, EVALUATION_FILES, force=force, parents=True)
    stages = Stages(target / "stages", _circumstances(model, documents, plan))
    results: dict[str, Any] = {
        "version": __version__,
        "model": model.fingerprint_,
        "model_name": model_name or type(model).__name__,
        "kind": type(model).__name__,
        "corpus": corpus_name,
        "documents": len(corpus) if measured else None,
        "labels": [str(name) for name in model.classes_.tolist()],
        "seed": plan.seed,
        "date": date.today().isoformat(),
        "accuracy": float((corpus.predicted == corpus.true_label)[corpus.true_label >= 0].mean())
        if measured
        else None,
    }
    try:
        results |= _results_of_measures(EvaluationRun(model, documents, corpus, plan, stages, log))
    except KeyboardInterrupt:
        raise StoppedError(f"stopped; what is done is kept in {target}, and the same command goes on.") from None
    with written_beside(target / "results.json", _RESULTS, force=force) as beside:
        beside.write_text(json_text(results), encoding="utf-8")
    write_evaluation(results, target / "index.html", force=force)
    return results


def _results_of_measures(run: EvaluationRun) -> dict[str, Any]:
    """Every measure that the plan asks for; one that cannot be taken is said in the notes."""
    if run.plan.measures != RATIONALES_ALONE:
        run.look_at_the_corpus()
    found: dict[str, Any] = {}
    for name in MEASURES:
        if run.plan.measures is None or name in run.plan.measures:
            run.log(f"measuring {name} ...")
            try:
                found[name] = measure_of(name)(run)
            except (DataError, ModelError) as reason:
                run.notes.append(f"{name} was not measured: {reason}")
    return found | {"methods": methods(run), "notes": run.notes}


def _circumstances(model: Classifier, documents: Sequence[Document], plan: Evaluation) -> dict[str, Any]:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(repr((document.id, document.label, document.skip.tolist(), document.text)).encode())
    return {
        "version": __version__,
        "model": model.fingerprint_,
        "corpus": digest.hexdigest(),
        "options": [plan.sample, plan.steps, plan.min_words, plan.draws, plan.smaller, plan.seed],
    }


EVALUATION_FILES = ("index.html", "results.json", "stages")


def _is_unmarked_evaluation(folder: Path) -> bool:
    """Whether a folder is an evaluation of version 0.1.0, done or stopped, which has no marker."""
    names = {each.name for each in folder.iterdir()}
    stages = list((folder / "stages").iterdir())
    return names <= {*EVALUATION_FILES} and all(re.fullmatch("[0-9a-f]{12}", each.name) for each in stages)


EVALUATION = FolderKind("an evaluation", replaced=False, names=EVALUATION_FILES, recognize=_is_unmarked_evaluation)


def check_evaluation(folder: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Raise :class:`DataError` if an evaluation cannot be written here; see :func:`check_folder`."""
    target = check_folder(folder, EVALUATION, inputs=inputs, force=force, parents=True)
    for name, kind in (("index.html", PAGE), ("results.json", _RESULTS)):
        if not force and target.is_dir():
            check_file(target / name, kind)


def _is_results(path: Path) -> bool:
    results = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(results, dict) and {"version", "model", "kind", "labels", "accuracy"} <= results.keys()


_RESULTS = FileKind("the results of an evaluation", _is_results)
