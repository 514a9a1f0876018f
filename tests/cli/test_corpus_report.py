"""Reports of a corpus: which classes are explained by default, the map, and results of an evaluation."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_results import make_results
from toys import LABELS, NAMES, TEXTS, VARIANTS, fitted

from textlrp import explain
from textlrp.cli.corpus_report import report_corpus
from textlrp.errors import DataError
from textlrp.records import Document

DOCUMENTS = [Document(f"d{n}", text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]


def switches(page: str) -> list[list[str]]:
    """The classes between which the page can switch, for each document."""
    sets = re.findall(r"<fieldset.*?</fieldset>", page, flags=re.DOTALL)
    return [re.findall(r"<span><bdi>([^<]+)</bdi>", each) for each in sets]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_prediction_is_explained_and_the_true_label_or_the_next_class(variant: str, tmp_path: Path) -> None:
    model = fitted(variant)
    page = report_corpus(model, DOCUMENTS, tmp_path / "r.html").read_text(encoding="utf-8")
    expected = []
    for document, why in zip(DOCUMENTS, explain(model, DOCUMENTS), strict=True):
        order = [why.labels[c] for c in np.argsort(-why.scores, kind="stable")]
        expected.append([order[0], document.label if document.label != order[0] else order[1]])
    # the page lists documents by class
    assert sorted(switches(page)) == sorted(expected)
    assert 'id="map"' in page


def test_given_targets_and_other_methods_explain_no_further_class(tmp_path: Path) -> None:
    model, path = fitted("cnn-max"), tmp_path / "r.html"
    for options in ({"targets": (NAMES[0],)}, {"method": "gradient-x-input"}):
        assert switches(report_corpus(model, DOCUMENTS, path, **options).read_text(encoding="utf-8")) == []
    every: dict[str, Any] = {"targets": ("all",)}
    found = switches(report_corpus(model, DOCUMENTS, path, **every).read_text(encoding="utf-8"))
    assert {tuple(sorted(each)) for each in found} == {tuple(sorted(NAMES))}


def test_a_map_needs_more_than_a_document(tmp_path: Path) -> None:
    for variant in VARIANTS:
        for documents in (DOCUMENTS[:1], DOCUMENTS[:2], []):
            page = report_corpus(fitted(variant), documents, tmp_path / "r.html").read_text(encoding="utf-8")
            assert 'id="map"' not in page


def test_results_of_an_evaluation_are_read_from_its_folder(tmp_path: Path) -> None:
    model = fitted("cnn-max")
    (tmp_path / "results.json").write_text(json.dumps(make_results()), encoding="utf-8")
    page = report_corpus(model, DOCUMENTS, tmp_path / "r", evaluation=tmp_path) / "index.html"
    assert 'id="deletion"' in page.read_text(encoding="utf-8")
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    for folder in (tmp_path, tmp_path / "no"):
        with pytest.raises(DataError, match="evaluation must be a folder written by 'textlrp evaluate'"):
            report_corpus(model, DOCUMENTS, tmp_path / "r.html", evaluation=folder)
    assert not (tmp_path / "r.html").exists()
