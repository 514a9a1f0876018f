"""What the worker thread of a service computes: the answers of several jobs together.

Open it for the fields of an answer. Explaining many texts together costs little more than explaining one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

import orjson

from textlrp.explainers.streams import BLOCK, explain_stream
from textlrp.explanation import Explanation
from textlrp.lrp.kernels.threads import one_thread
from textlrp.lrp.starts import Start
from textlrp.models.abilities import own_results
from textlrp.models.classifier import thresholds_of
from textlrp.predicted import predicted_positions
from textlrp.records import Document
from textlrp.serve.html_answers import html_answer
from textlrp.serve.served_models import ServedModel, settings_of

MANY_TEXTS = 16
"""A request with at least this number of texts is computed on all cores."""


class JobKey(NamedTuple):
    """What jobs must have in common to be computed together. Each job has its own targets."""

    model: ServedModel
    task: Literal["explain", "predict"]
    rule: str | None = None
    method: str = "lrp"
    start: Start | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """The work of one request: its key, its documents, and for ``explain`` the target and the form of the answer."""

    key: JobKey
    documents: tuple[Document, ...]
    target: Any = None
    as_html: bool = False


def answers(jobs: Sequence[Job]) -> list[bytes]:
    """Return the body of the answer to each of several jobs with the same key; raises as :func:`textlrp.explain`.

    Requests with few texts are computed on one thread: the event loop needs the other cores for their connections,
    and waiting for a busy core takes longer than the computation.
    """
    with one_thread() if max(len(job.documents) for job in jobs) < MANY_TEXTS else nullcontext():
        return _answers_of_jobs(jobs)


def _answers_of_jobs(jobs: Sequence[Job]) -> list[bytes]:
    key = jobs[0].key
    documents = [document for job in jobs for document in job.documents]
    if key.task == "predict":
        predictions = iter(_predictions(key.model, documents))
        return [
            orjson.dumps(
                {
                    "model": key.model.name,
                    "labels": key.model.labels,
                    "predictions": list(islice(predictions, len(job.documents))),
                }
            )
            for job in jobs
        ]
    targets = [job.target for job in jobs for _ in job.documents]
    settings = settings_of(key.model, key.rule, key.method, key.start)
    explanations = explain_stream(key.model.classifier, documents, None, targets, settings)
    return [_explained_job(job, list(islice(explanations, len(job.documents)))) for job in jobs]


def _explained_job(job: Job, explanations: list[Explanation]) -> bytes:
    if job.as_html:
        return html_answer(explanations)
    return orjson.dumps({"model": job.key.model.name, "explanations": [each.to_dict() for each in explanations]})


def _predictions(model: ServedModel, documents: Sequence[Document]) -> Iterator[dict[str, Any]]:
    classifier, labels = model.classifier, model.labels
    thresholds = thresholds_of(classifier)
    for start in range(0, len(documents), BLOCK):
        block = documents[start : start + BLOCK]
        batch = classifier.encode(block)
        scores = classifier.scores(batch)
        own = own_results(classifier, batch, scores)
        for n, document in enumerate(block):
            several = None if thresholds is None else predicted_positions(scores[n], thresholds)
            yield {
                "id": document.id,
                "predicted": labels[own.predicted[n]] if several is None else [labels[c] for c in several],
                "scores": scores[n].tolist(),
                "probabilities": None if own.probabilities is None else own.probabilities[n].tolist(),
            }
