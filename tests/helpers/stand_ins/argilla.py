"""A stand-in for Argilla's client: it checks records against the questions of a dataset, and stores nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Argilla:
    def __init__(self, *, api_url: str, api_key: str) -> None:
        assert api_url
        assert api_key


def TextField(name: str) -> str:
    return name


def SpanQuestion(
    name: str, *, field: str, labels: list[str], allow_overlapping: bool = False, required: bool = True
) -> tuple[str, list[str]]:
    assert len(set(labels)) == len(labels)
    return name, labels


def LabelQuestion(name: str, *, labels: list[str]) -> tuple[str, list[str]]:
    return name, labels


def TermsMetadataProperty(name: str) -> str:
    return name


FloatMetadataProperty = TermsMetadataProperty


class Settings:
    def __init__(self, *, fields: list[str], questions: list[tuple[str, list[str]]], metadata: list[str]) -> None:
        self.fields, self.questions, self.metadata = fields, dict(questions), metadata


class Dataset:
    def __init__(self, name: str, *, settings: Settings) -> None:
        self.settings, self.created = settings, False
        self.records = SimpleNamespace(from_json=self.read)

    def create(self) -> None:
        self.created = True

    def read(self, path: str) -> None:
        """Read the records, and check the labels of their suggestions."""
        assert self.created
        records: list[dict[str, Any]] = json.loads(Path(path).read_text("utf-8"))
        assert records
        for record in records:
            for name, suggestion in record["suggestions"].items():
                value = suggestion["value"]
                labels = [value] if isinstance(value, str) else [span["label"] for span in value]
                assert set(labels) <= set(self.settings.questions[name]), labels
