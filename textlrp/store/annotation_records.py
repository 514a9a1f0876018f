"""One record per explanation for the annotation tools Label Studio, Prodigy, doccano and Argilla.

Each function returns plain data for JSON. Offsets count code points, as in Python, except in doccano, which counts
UTF-16 code units, as in JavaScript: a character above U+FFFF, such as an emoji, counts twice. Open this module to
change what a tool shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from textlrp.explanation import Explanation
from textlrp.store.exported_words import ExportedWords, exported_words, largest_relevance, relevant_spans
from textlrp.store.labeling_config import CLASS_TAG, LABELS_TAG, TEXT_TAG, xml_text
from textlrp.text.surrogates import all_without_surrogates

_RUNS = re.compile(r"\s+|\S+")
_NOT_IN_AGENT = re.compile(r"[^A-Za-z0-9_:./ -]")
"""What the name of an agent in Argilla must not contain."""


def _shortest(value: float) -> float:
    """Return a float32 with as few digits as identify it."""
    return float(str(np.float32(value)))


def _agent(explanation: Explanation) -> str:
    return " ".join(part for part in ("textlrp", explanation.version, explanation.model) if part)


def _top_probability(explanation: Explanation) -> float | None:
    """The probability of the predicted class; None for a model without probabilities."""
    found = explanation.probabilities
    return None if found is None else _shortest(found[explanation.predicted])


# ---- Label Studio


def label_studio_task(explanation: Explanation, top_k: int) -> dict[str, Any]:
    """Return a task with one prediction: a region for each relevant word, and the predicted classes as choices."""
    e, words = explanation, exported_words(explanation)
    result: list[dict[str, Any]] = []
    for span in relevant_spans(e, words, top_k):
        start, end = span.start, span.end
        result.append(
            {
                "id": f"t{span.target}w{span.word}",
                "from_name": LABELS_TAG,
                "to_name": TEXT_TAG,
                "type": "labels",
                "value": {
                    "start": start,
                    "end": end,
                    "text": words.text[start:end],
                    "labels": [xml_text(span.label)],
                },
                "score": _shortest(span.strength),
                "meta": {"text": [f"relevance {_shortest(span.relevance)}"]},
            }
        )
    if e.predicted_labels:
        choices = {"choices": [xml_text(label) for label in e.predicted_labels]}
        result.append(
            {"id": "class", "from_name": CLASS_TAG, "to_name": TEXT_TAG, "type": "choices", "value": choices}
        )
    prediction: dict[str, Any] = {"model_version": _agent(e), "result": result}
    if (score := _top_probability(e)) is not None:
        prediction["score"] = score
    data = {"text": words.text, "document": e.document_id, "true_label": e.true_label}
    return _clean({"data": data, "predictions": [prediction]})


# ---- Prodigy


def prodigy_task(explanation: Explanation, top_k: int) -> dict[str, Any]:
    """Return a task for the interfaces ``ner_manual``, ``spans_manual``, ``choice`` and ``classification``."""
    e, words = explanation, exported_words(explanation)
    tokens, place = _prodigy_tokens(words)
    spans = [
        {
            "start": span.start,
            "end": span.end,
            "token_start": place[span.word],
            "token_end": place[span.word],
            "label": span.label,
            "relevance": _shortest(span.relevance),
        }
        for span in relevant_spans(e, words, top_k)
    ]
    task = {
        "text": words.text,
        "tokens": tokens,
        "spans": spans,
        "options": [{"id": label, "text": label} for label in e.labels],
        "accept": list(e.predicted_labels),
        "meta": {"document": e.document_id, "true_label": e.true_label, "model": _agent(e)},
    }
    return _clean(task | {"label": e.predicted_labels[0]} if e.predicted_labels else task)


def _prodigy_tokens(words: ExportedWords) -> tuple[list[dict[str, Any]], list[int]]:
    """Return tokens that cover the text, and the position of each word among them.

    As in spaCy, one blank after a token belongs to the token (``ws``). Other text between the words becomes further
    tokens, because Prodigy shows nothing but the tokens.
    """
    tokens: list[dict[str, Any]] = []
    place = []
    for start, end, is_word in _covering(words):
        if is_word:
            place.append(len(tokens))
            runs = [(start, end)]
        else:
            if tokens and words.text[start] == " ":
                tokens[-1]["ws"] = True
                start += 1
            runs = [found.span() for found in _RUNS.finditer(words.text, start, end)]
        for first, last in runs:
            number = len(tokens)
            tokens.append({"text": words.text[first:last], "start": first, "end": last, "id": number, "ws": False})
    return tokens, place


def _covering(words: ExportedWords) -> Iterator[tuple[int, int, bool]]:
    """Yield the words and the gaps between them: start, end, and whether it is a word."""
    position = 0
    for start, end in words.spans:
        if position < start:
            yield position, start, False
        yield start, end, True
        position = end
    if position < len(words.text):
        yield position, len(words.text), False


# ---- doccano


DOCCANO_FIELDS = ("text", "label", "relevance", "predicted", "document")


def doccano_row(explanation: Explanation, top_k: int) -> dict[str, Any]:
    """Return a row for a project of sequence labeling; doccano shows all but text and label as metadata."""
    # https://github.com/doccano/doccano/issues/2290
    words = exported_words(explanation)
    spans = relevant_spans(explanation, words, top_k)
    units = np.cumsum([0, *(1 + (character > "\uffff") for character in words.text)]).tolist()
    values = (
        words.text,
        [[units[span.start], units[span.end], span.label] for span in spans],
        [_shortest(span.relevance) for span in spans],
        list(explanation.predicted_labels),
        explanation.document_id,
    )
    return _clean(dict(zip(DOCCANO_FIELDS, values, strict=True)))


# ---- Argilla


def argilla_record(explanation: Explanation, top_k: int) -> dict[str, Any]:
    """Return a record with up to two suggestions: the relevant words as spans, and the predicted classes.

    Argilla accepts scores from 0 to 1 only, so a span has its strength. Its relevance is the strength multiplied by
    ``largest_relevance`` in the metadata, negative if the label begins with "opposes".
    """
    e, words = explanation, exported_words(explanation)
    agent, predicted, suggestions = _NOT_IN_AGENT.sub("-", _agent(e))[:200], list(e.predicted_labels), {}
    if spans := relevant_spans(e, words, top_k):
        suggestions[LABELS_TAG] = {
            "value": [{"start": span.start, "end": span.end, "label": span.label} for span in spans],
            "score": [_shortest(span.strength) for span in spans],
            "agent": agent,
        }
    if predicted:
        suggestions[CLASS_TAG] = {"value": predicted[0], "agent": agent}
        if e.thresholds is not None:
            suggestions[CLASS_TAG]["value"] = predicted
        elif (score := _top_probability(e)) is not None:
            suggestions[CLASS_TAG]["score"] = score
    metadata = {"document": e.document_id, "largest_relevance": _shortest(largest_relevance(words))}
    fields = {TEXT_TAG: words.text}
    return _clean({"id": e.document_id, "fields": fields, "metadata": metadata, "suggestions": suggestions})


def _clean(data: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = all_without_surrogates(data)
    return cleaned
