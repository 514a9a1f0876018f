"""Exports of real explanations are opened by the readers of the tools that they are for.

A tool that is not installed is skipped. Some tools need other versions of packages than textlrp, so
``$TEXTLRP_ANNOTATION_PYTHON`` may name the interpreter of an environment with them:

    python -m venv tools
    tools/bin/pip install label-studio-sdk argilla argilla-server conllu spacy pandas pyexcel chardet seqeval
    tools/bin/pip install --no-deps doccano
    TEXTLRP_ANNOTATION_PYTHON=tools/bin/python pytest tests/store/test_annotation_tools.py -rs
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import annotation_tools
import pytest
from explanations import make_explanation

import textlrp
from textlrp.explanation import Explanation
from textlrp.store import write_annotations
from textlrp.store.annotations import ANNOTATION_FORMATS
from textlrp.store.exported_words import exported_words, relevant_spans

ASTRAL = "🚗👩‍⚕️ The car\r\nis 𝒇𝒂𝒔𝒕; =cmd, “Ok”!\n\nEnd.\t"


@pytest.fixture(scope="module")
def explanations() -> list[Explanation]:
    """Sample posts by the bundled network, for two classes each, and a text with characters beyond U+FFFF."""
    model = textlrp.load("20newsgroups-cnn")
    texts = textlrp.load_sample_posts("test").texts[::8]
    found = list(textlrp.explain(model, texts, target=["sci.space", ("sci.med", "rec.autos")]))
    return [*found, make_explanation(ASTRAL, targets=(0, 2)), replace(make_explanation("42"), ledger={})]


def read_by_tool(tool: str, path: Path) -> list[dict[str, Any]]:
    python = os.environ.get("TEXTLRP_ANNOTATION_PYTHON", sys.executable)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, annotation_tools.__file__, tool, str(path)],
        capture_output=True, text=True, check=False, timeout=300, env=environment,
    )  # fmt: skip
    if done.returncode == annotation_tools.NOT_INSTALLED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr[-3000:]
    documents: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return documents


@pytest.mark.slow
@pytest.mark.parametrize("tool", [name for name in annotation_tools.TOOLS if name != "conll"])
def test_the_tool_reads_the_same_spans(tool: str, explanations: list[Explanation], tmp_path: Path) -> None:
    path = write_annotations(explanations, tmp_path / f"out{ANNOTATION_FORMATS[tool].suffix}", format=tool)
    found = read_by_tool(tool, path)
    for explanation, document in zip(explanations, found, strict=True):
        spans = relevant_spans(explanation, exported_words(explanation), 10)
        assert document["text"] == explanation.text
        assert document["spans"] == [[span.start, span.end, span.label] for span in spans]
        if "classes" in document:
            assert document["classes"] == list(explanation.predicted_labels)
        if "relevance" in document:
            assert document["relevance"] == pytest.approx([span.relevance for span in spans], rel=1e-6)


@pytest.mark.slow
def test_conllu_reads_every_word(explanations: list[Explanation], tmp_path: Path) -> None:
    found = read_by_tool("conll", write_annotations(explanations, tmp_path / "out.conllup", format="conll"))
    for explanation, document in zip(explanations, found, strict=True):
        assert [span[:2] for span in document["spans"]] == explanation.tokens.spans.tolist()
        assert [span[2] for span in document["spans"]] == list(explanation.tokens)
        assert document["relevance"] == [
            pytest.approx(column, rel=1e-6) for column in explanation.relevance.T.tolist()
        ]
