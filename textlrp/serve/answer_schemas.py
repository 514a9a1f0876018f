"""The bodies of responses, as pydantic models for the OpenAPI document. They are not validated at run time.

Open it when a field of :meth:`textlrp.Explanation.to_dict` changes; a test compares both.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LedgerEntry(_Answer):
    """Relevance that reached no word: the step of the model, the cause, and the amount for each target."""

    step: str
    cause: str
    relevance: list[float]


class ExplanationFields(_Answer):
    """An explanation with the fields of ``Explanation.to_dict``. K targets, T tokens, C classes."""

    document_id: str = Field(description="Id of the text.")
    text: str
    spans: list[list[int]] = Field(description="(T, 2) Start and end of each token in the text, in code points.")
    forms: list[str] = Field(description="(T,) The normalized tokens.")
    labels: list[str] = Field(description="(C,) The classes.")
    true_label: str | None
    scores: list[float] = Field(description="(C,) The score of each class.")
    relevance: list[list[float]] = Field(description="(K, T) Relevance of each token for each target.")
    targets: list[int | list[int]] = Field(description="(K,) Explained classes by position, or pairs for contrasts.")
    status: list[int] = Field(description="(T,) 0 read, 1 skipped, 2 not a word, 3 unknown word, 4 truncated.")
    counts: list[int] = Field(description="(T,) Training documents with the word; -1 if unknown.")
    ledger: list[LedgerEntry] = Field(description="The part of the scores that no word accounts for.")
    phrases: list[dict[str, Any]]
    method: str
    rule: str
    model: str = Field(description="Fingerprint of the model.")
    version: str
    start: str
    notes: list[str]
    target_notes: list[str]
    score_name: str
    dtype: str
    probabilities: list[float] | None = Field(description="(C,) Class probabilities, if the model has them.")
    thresholds: list[float] | None = Field(None, description="(C,) Multi-label models only.")
    true_labels: list[str] | None = None
    pieces: dict[str, Any] | None = Field(None, description="Transformers only: word pieces and their relevance.")
    own_prediction: int | None = Field(None, description="The predicted class, if its score is not the highest.")


class ExplainAnswer(_Answer):
    """The answer of ``POST /v1/explain``; explanations are in the order of the texts."""

    model: str = Field(description="Name of the model.")
    explanations: list[ExplanationFields]


class PredictionFields(_Answer):
    """The prediction for a text."""

    id: str
    predicted: str | list[str] = Field(description="The predicted class; a list of labels for a multi-label model.")
    scores: list[float] = Field(description="(C,) The score of each class.")
    probabilities: list[float] | None = Field(description="(C,) Class probabilities, if the model has them.")


class PredictAnswer(_Answer):
    """The answer of ``POST /v1/predict``; predictions are in the order of the texts."""

    model: str = Field(description="Name of the model.")
    labels: list[str] = Field(description="(C,) The classes.")
    predictions: list[PredictionFields]


class ModelFields(_Answer):
    """A model of the service, with the rules and methods that explain it."""

    name: str
    kind: str
    fingerprint: str
    labels: list[str]
    multilabel: bool
    rules: list[str]
    default_rule: str
    methods: list[str]


class ModelsAnswer(_Answer):
    """The answer of ``GET /v1/models``. The first model is the default."""

    models: list[ModelFields]


class RuleFields(_Answer):
    """A composite of LRP rules."""

    name: str
    start: str = Field(description="Where propagation starts by default: score or centered.")
    rules: str = Field(description="The rule of each layer.")


class MethodFields(_Answer):
    """An attribution method."""

    name: str
    description: str
    sums_to: str = Field(description="What the relevance of all words sums to.")


class RulesAnswer(_Answer):
    """The answer of ``GET /v1/rules``: everything that ``textlrp rules`` lists by name."""

    rules: list[RuleFields]
    methods: list[MethodFields]


class StatusAnswer(_Answer):
    """The answer of the probes."""

    status: str


class FieldError(_Answer):
    """What is wrong with a field of the request."""

    field: str
    message: str


class ProblemFields(_Answer):
    """An error as problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
