"""Measure a model's explanations on a labelled corpus: plain data first, then a page.

Every stage is kept in a folder beside the results, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from textlrp.corpus.deleting import deletion, eraser
from textlrp.corpus.measures import ledger, methods, pointing, rationales, sanity, stability, vectors, words
from textlrp.corpus.measuring import Run
from textlrp.corpus.plans import Evaluation, usual_methods
from textlrp.corpus.reading import Say, silent
from textlrp.corpus.stages import Stages
from textlrp.errors import DataError, ModelError, StoppedError
from textlrp.evaluation.rationale_files import read_rationales
from textlrp.evaluation.reading import read_corpus
from textlrp.files import written_beside
from textlrp.models.base import TextClassifier
from textlrp.records import Document
from textlrp.reports.evaluation import write_evaluation
from textlrp.version import __version__


def evaluate(
    model: TextClassifier,
    documents: Iterable[Document],
    folder: str | Path,
    *,
    plan: Evaluation | None = None,
    model_name: str = "",
    corpus_name: str = "",
    say: Say = silent,
) -> dict[str, Any]:
    """Measure the explanations of a model; write ``results.json`` and ``index.html`` into ``folder``, and give them.

    The folder is made; stages that are done are kept in its ``stages`` and not done again. Raises
    :class:`DataError` where documents have no labels or the model knows none of them, :class:`StoppedError` on
    Ctrl-C, and as the methods do.
    """
    plan = plan or Evaluation(usual_methods(model))
    documents = list(documents)
    for asked in (*plan.methods, *plan.slow):
        asked.how(model)
    if plan.rationales is not None:
        read_rationales(plan.rationales)  # a wrong file is refused before anything is measured
    corpus = read_corpus(model, documents)
    target = _made_folder(folder)
    stages = Stages(target / "stages", _circumstances(model, documents, plan))
    results: dict[str, Any] = {
        "version": __version__,
        "model": model.fingerprint_,
        "model_name": model_name or type(model).__name__,
        "kind": type(model).__name__,
        "corpus": corpus_name,
        "documents": len(corpus),
        "labels": [str(name) for name in model.classes_.tolist()],
        "seed": plan.seed,
        "date": date.today().isoformat(),
        "accuracy": float((corpus.predicted == corpus.gold)[corpus.gold >= 0].mean()),
    }
    try:
        results |= _measured(Run(model, documents, corpus, plan, stages, say))
    except KeyboardInterrupt:
        raise StoppedError(f"stopped; what is done is kept in {target}, and the same command goes on.") from None
    with written_beside(target / "results.json") as beside:
        beside.write_text(json.dumps(results, ensure_ascii=False, indent=1), encoding="utf-8")
    write_evaluation(results, target / "index.html")
    return results


_MEASURES: Mapping[str, Callable[[Run], Any]] = {
    measure.__name__: measure
    for measure in (deletion, eraser, vectors, pointing, rationales, words, sanity, stability, ledger)
}


def _measured(run: Run) -> dict[str, Any]:
    """Every measure that the plan asks for; one that cannot be taken is said in the notes."""
    run.look_at_the_corpus()
    found: dict[str, Any] = {}
    for name, measure in _MEASURES.items():
        if run.plan.measures is None or name in run.plan.measures:
            run.say(f"measuring {name} ...")
            try:
                found[name] = measure(run)
            except (DataError, ModelError) as reason:
                run.notes.append(f"{name} was not measured: {reason}")
    return found | {"methods": methods(run), "notes": run.notes}


def _circumstances(model: TextClassifier, documents: Sequence[Document], plan: Evaluation) -> dict[str, Any]:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(repr((document.id, document.label, document.skip.tolist(), document.text)).encode())
    return {
        "version": __version__,
        "model": model.fingerprint_,
        "corpus": digest.hexdigest(),
        "options": [plan.sample, plan.steps, plan.at_least, plan.draws, plan.smaller, plan.seed],
    }


def _made_folder(folder: str | Path) -> Path:
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"cannot make the folder {str(folder)!r} ({problem.strerror}); name another.") from None
    return target
