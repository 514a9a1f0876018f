"""The answers of the service are those of the library, whatever else it computes at the same time."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from laws import gap
from services import together, toy_app, toy_client, toy_models
from toys import READ, TEXTS

import textlrp
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.records import Document
from textlrp.serve.answer_schemas import (
    ExplainAnswer,
    ExplanationFields,
    ModelsAnswer,
    PredictAnswer,
    ProblemFields,
    RulesAnswer,
)
from textlrp.serve.request_checks import prefers_html


@cache
def net() -> Any:
    """The CNN of the service."""
    return toy_models()[0].classifier


@cache
def several() -> Any:
    """The multi-label model of the service."""
    return toy_models()[1].classifier


PLAIN = [text for text in READ if isinstance(text, str)]


def furthest(found: Explanation, expected: Explanation) -> float:
    """The largest relative difference of relevance and scores; the words and targets must be equal."""
    assert (found.text, found.targets, found.labels) == (expected.text, expected.targets, expected.labels)
    ledger = list(expected.ledger.values())
    assert np.allclose(found.scores, expected.scores, rtol=1e-5, atol=1e-6)
    return gap(found.relevance - expected.relevance, expected.relevance, ledger)


def test_an_answer_has_the_fields_and_values_of_to_dict() -> None:
    answer = toy_client().post("/v1/explain", json={"texts": [TEXTS[0]], "target": "all"})
    (expected,) = textlrp.explain(net(), [TEXTS[0]], target="all")
    assert answer.status_code == 200
    assert answer.json() == {"model": "net", "explanations": [expected.to_dict()]}


@pytest.mark.parametrize(
    ("target", "ours"),
    [
        (None, None),
        ("all", "all"),
        ("med", "med"),
        (["space", {"target": "med", "versus": "autos"}], ["space", ("med", "autos")]),
        ({"target": "med", "versus": "space"}, ("med", "space")),
    ],
)
@pytest.mark.parametrize("model", ["net", "labels"])
def test_each_target_is_explained_as_by_the_library(model: str, target: Any, ours: Any) -> None:
    body = {"model": model, "texts": PLAIN, "target": target, "rule": "epsilon"}
    found = toy_client().post("/v1/explain", json=body).json()["explanations"]
    classifier = net() if model == "net" else several()
    for each, expected in zip(found, textlrp.explain(classifier, PLAIN, target=ours, rule="epsilon"), strict=True):
        assert furthest(from_dict(each), expected) < 1e-6


def test_requests_that_are_computed_together_get_their_own_answers() -> None:
    random = np.random.default_rng(0)
    rules, targets = ("epsilon", "gamma", "z-plus"), (None, "all", "med", {"target": "med", "versus": "space"})
    bodies = []
    for _ in range(60):
        texts = random.choice(PLAIN, random.integers(1, 5)).tolist()
        bodies.append({"texts": texts, "rule": rules[random.integers(3)], "target": targets[random.integers(4)]})
    answers = together(toy_app(), bodies)
    for body, answer in zip(bodies, answers, strict=True):
        target = body["target"]
        ours = tuple(target.values()) if isinstance(target, dict) else target
        expected = list(textlrp.explain(net(), body["texts"], target=ours, rule=body["rule"]))
        found = [from_dict(each) for each in answer.json()["explanations"]]
        assert [each.document_id for each in found] == [each.document_id for each in expected]
        assert max(map(furthest, found, expected)) < 1e-6


def test_one_wrong_request_among_many_fails_alone() -> None:
    bodies = [{"texts": [text], "target": "all"} for text in PLAIN]
    wrong = {3: {"texts": ["x"], "target": "nowhere"}, 5: {"texts": []}, 6: {"texts": ["x"], "rule": "none"}}
    for row, body in wrong.items():
        bodies.insert(row, body)
    statuses = [answer.status_code for answer in together(toy_app(), bodies)]
    assert statuses == [422 if row in wrong else 200 for row in range(len(bodies))]


def test_a_skipped_word_is_not_read() -> None:
    text = "the doctor saw the moon"
    body = {"texts": [{"text": text, "id": "a", "skip": [[19, 23], [4, 10], [4, 6]]}], "target": "all"}
    (found,) = toy_client().post("/v1/explain", json=body).json()["explanations"]
    skip = np.array([[4, 10], [19, 23]], dtype=np.int32)
    expected = textlrp.explain(net(), Document("a", text, skip=skip), target="all")
    assert found == expected.to_dict()
    assert found["status"][1] == found["status"][4] == 1


def test_predictions_are_those_of_the_model() -> None:
    client = toy_client()
    found = client.post("/v1/predict", json={"texts": PLAIN}).json()
    scores = net().scores(net().encode(PLAIN))
    assert found["labels"] == net().classes_.tolist()
    assert [each["id"] for each in found["predictions"]] == [str(n + 1) for n in range(len(PLAIN))]
    assert [each["predicted"] for each in found["predictions"]] == net().predict(PLAIN).tolist()
    assert np.allclose([each["scores"] for each in found["predictions"]], scores, atol=1e-6)
    shares = [each["probabilities"] for each in found["predictions"]]
    assert np.allclose(shares, net().predict_proba(PLAIN), atol=1e-6)
    sets = client.post("/v1/predict", json={"model": "labels", "texts": PLAIN}).json()["predictions"]
    assert [sorted(each["predicted"]) for each in sets] == [
        several().classes_[row > 0].tolist() for row in several().predict(PLAIN)
    ]


def test_answers_fit_their_schema() -> None:
    client = toy_client()
    for target in (None, "all"):
        for model in ("net", "labels"):
            body = {"model": model, "texts": PLAIN, "target": target}
            ExplainAnswer.model_validate_json(client.post("/v1/explain", json=body).content)
    PredictAnswer.model_validate_json(client.post("/v1/predict", json={"texts": PLAIN}).content)
    ModelsAnswer.model_validate_json(client.get("/v1/models").content)
    RulesAnswer.model_validate_json(client.get("/v1/rules").content)
    ProblemFields.model_validate_json(client.post("/v1/predict", json={"texts": [1]}).content)
    always = {name for name, field in ExplanationFields.model_fields.items() if field.is_required()}
    assert always <= set(textlrp.explain(net(), "a").to_dict()) <= set(ExplanationFields.model_fields)


def test_every_listed_rule_and_method_explains() -> None:
    client = toy_client()
    for model in client.get("/v1/models").json()["models"]:
        for option in ("rule", "method"):
            for name in model[f"{option}s"]:
                body = {"model": model["name"], "texts": [TEXTS[0]], option: name}
                assert client.post("/v1/explain", json=body).status_code == 200, (model["name"], option, name)
    assert "epsilon" in toy_models()[0].rules
    assert not {"integrated-gradients", "lime", "occlusion"} & set(toy_models()[0].methods)


def test_html_is_sent_to_those_who_prefer_it() -> None:
    client = toy_client()
    page = client.post("/v1/explain", json={"texts": ["<b>doctor</b>"]}, headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["vary"] == "Accept"
    assert "doctor" in page.text
    assert "<b>doctor" not in page.text
    wrong = client.post("/v1/explain", json={"texts": []}, headers={"Accept": "text/html"})
    assert wrong.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True),
        ("text/html;q=0.5, application/json;q=0.1", True),
        ("application/json", False),
        ("*/*", False),
        ("", False),
        ("text/html;q=0", False),
        ("text/html;q=wrong, */*;q=0.1", False),
        ("text/html, */*", False),
    ],
)
def test_accept_is_compared_by_weight(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


def test_the_page_is_served_with_its_policy() -> None:
    page = toy_client().get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert re.search(r"https?://(?!www\.w3\.org)", page.text) is None


def test_metrics_count_requests_texts_and_batches() -> None:
    client = toy_client(max_waiting=63)  # options of its own, so that no other test has used this service
    client.post("/v1/predict", json={"texts": TEXTS[:3]})
    client.get("/nowhere")
    client.request("BREW", "/nowhere/else")
    metrics = client.get("/metrics").text
    assert 'textlrp_requests_total{method="POST",route="/v1/predict",status="200"} 1.0' in metrics
    assert 'textlrp_texts_total{route="/v1/predict"} 3.0' in metrics
    assert 'textlrp_requests_total{method="GET",route="unknown",status="404"} 1.0' in metrics
    assert 'textlrp_requests_total{method="other",route="unknown",status="404"} 1.0' in metrics
    assert "textlrp_batch_texts_sum 3.0" in metrics
    assert "textlrp_waiting_requests 0.0" in metrics


def test_probes_and_documents() -> None:
    with toy_client(max_waiting=62) as client:  # a service of its own, because it is stopped
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}
        document = client.get("/openapi.json").json()
    assert {"/v1/explain", "/v1/predict", "/v1/models", "/v1/rules", "/metrics"} <= set(document["paths"])
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references == set(document["components"]["schemas"]) | {"ExplainBody", "PredictBody"}
    assert document["components"]["schemas"]["ExplainBody"]["properties"]["texts"]["maxItems"] == 64
    assert toy_client(max_waiting=62).get("/readyz").status_code == 503  # stopped
    assert [toy_client().get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]
