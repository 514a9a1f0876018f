"""The bodies of requests, as pydantic models. Unknown fields are refused.

Open it to add a field. The limits, and the names of models, classes and rules, belong to a running service;
:mod:`.request_checks` checks them, and :mod:`.openapi_document` writes them into the schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

LONGEST_ID = 200
"""Characters of the id of a text."""
MOST_RANGES = 1000
"""Ranges that a text may skip."""
MOST_TARGETS = 100
"""Classes in a list of targets."""
MOST_NUMBERS = 20_000_000
"""Characters of all texts of a request times the number of targets. Its answer has up to half as many numbers."""


def _whole_number(value: Any) -> Any:
    """Read 5.0 as 5, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Offset = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), BeforeValidator(_whole_number)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TextItem(_Body):
    """A text with a name, and the parts of it that the model must not read."""

    text: str = Field(description="The text.")
    id: str | None = Field(None, max_length=LONGEST_ID, description="Name of the text. Default: its number, from 1.")
    skip: list[Annotated[list[Offset], Field(min_length=2, max_length=2)]] = Field(
        [], max_length=MOST_RANGES,
        description="Start and end of each part that the model does not read, in characters (code points).",
    )  # fmt: skip


class Contrast(_Body):
    """Why the class ``target`` and not the class ``versus``."""

    target: str = Field(description="The class to explain.")
    versus: str = Field(description="The class to compare it with.")


AnyTarget = StrictStr | Contrast | Annotated[list[StrictStr | Contrast], Field(min_length=1, max_length=MOST_TARGETS)]


class PredictBody(_Body):
    """The body of ``POST /v1/predict``."""

    model: str | None = Field(None, description="Name of the model. Default: the first one.")
    texts: list[StrictStr | TextItem] = Field(
        min_length=1,
        fail_fast=True,  # listing half a million wrong texts would take seconds
        description="The texts, as strings or objects.",
    )


class ExplainBody(PredictBody):
    """The body of ``POST /v1/explain``."""

    target: AnyTarget | None = Field(
        None,
        description="What to explain: a class (its label as text), a list of classes, 'all', or an object with a "
        "class and the class to compare it with. Default: the predicted class.",
    )
    rule: str | None = Field(None, description="LRP rule. Default: the one of the model, see /v1/models.")
    method: str = Field("lrp", description="Attribution method, see /v1/rules.")
    start: Literal["score", "centered"] | None = Field(
        None, description="Where LRP starts. Default: the one that suits the rule."
    )


def example_explain() -> dict[str, Any]:
    """Return an example of a body for ``POST /v1/explain``."""
    return {"texts": ["The shuttle reached its orbit on Monday."], "target": None, "rule": "epsilon"}
