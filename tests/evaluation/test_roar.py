"""Recursive ROAR: the relative area by plain loops, masked texts, and curves of corpora with one informative word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_deletion import Sentiment
from test_planted_shortcuts import corpus
from toys import learner, small

from textlrp.errors import DataError, ModelError, OptionError
from textlrp.evaluation import roar as masking
from textlrp.evaluation.masked_words import masked_document, more_masked, packed_masks, unpacked_masks
from textlrp.evaluation.measured_corpus import MethodSpec, WordRelevances
from textlrp.evaluation.roar import RoarCurve, recursive_roar, relative_area
from textlrp.evaluation.running import measured_roar
from textlrp.evaluation.running.evaluate_corpus import evaluate
from textlrp.evaluation.running.plan import EvaluationPlan
from textlrp.explainers.methods import Random
from textlrp.records import Document

LRP, RANDOM = MethodSpec("LRP"), MethodSpec("random", Random(0))
CURVES = st.lists(st.floats(0.1, 1.0), min_size=3, max_size=8)


@given(random=CURVES, data=st.data())
def test_relative_area_by_plain_loops(random: list[float], data: st.DataObject) -> None:
    size = len(random)
    own = data.draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    x = np.cumsum(data.draw(st.lists(st.floats(0.1, 1), min_size=size, max_size=size))).tolist()
    random = [*random[:-1], 0.05]  # the accuracy with all words masked is the lowest
    above = below = 0.0
    for i in range(size - 1):
        width = x[i + 1] - x[i]
        above += 0.5 * width * ((random[i] - own[i]) + (random[i + 1] - own[i + 1]))
        below += 0.5 * width * ((random[i] - random[-1]) + (random[i + 1] - random[-1]))
    assert relative_area(x, own, random) == pytest.approx(above / below, abs=1e-9)


def test_random_masking_has_no_area_against_itself_and_an_ideal_method_has_all() -> None:
    shares, random = [0, 0.5, 1], [0.9, 0.5, 0.1]
    assert relative_area(shares, random, random) == 0
    assert relative_area(shares, [0.1, 0.1, 0.1], random) == pytest.approx(1)
    assert relative_area(shares, [0.9, 0.9, 0.1], random) == pytest.approx(-0.5)
    with pytest.raises(DataError, match="random must be higher than its last value"):
        relative_area(shares, random, [0.5, 0.5, 0.5])


@given(text=st.text("ab .,é\n", max_size=25), data=st.data())
def test_masks_replace_words_and_the_rest_of_the_text_stays(text: str, data: st.DataObject) -> None:
    model = small("svm", ngrams=1)
    (reading,) = model.reader().read_all([text])
    spans = reading.tokens.spans[reading.positions]
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=len(spans), max_size=len(spans))), dtype=bool)
    start = data.draw(st.integers(0, len(text)))
    skip = np.array([[start, data.draw(st.integers(start, len(text)))]], dtype=np.int32)
    found = masked_document(Document("1", text, "x", skip), spans, chosen, "zonk")
    new = found.document.text
    # every word is at its new place, and the mask is a word of its own
    for (begin, end), (now, then), masked in zip(spans.tolist(), found.spans.tolist(), chosen, strict=True):
        assert new[now:then] == ("zonk" if masked else text[begin:end])
    assert "".join(new.replace("zonk", "").split()) == "".join(
        "".join(
            character
            for at, character in enumerate(text)
            if not any(
                begin <= at < end for (begin, end), masked in zip(spans.tolist(), chosen, strict=True) if masked
            )
        ).split()
    )
    (again,) = model.reader().read_all([new])
    assert again.forms.count("zonk") == chosen.sum()
    # relevance of the new words comes back to the original words
    relevance = np.arange(1.0, len(again.forms) + 1)
    assert found.relevance(again, relevance).sum() == relevance.sum()
    # a skipped range without masked words has the same characters as before
    if not any(begin < skip[0, 1] and end > skip[0, 0] for (begin, end) in spans[chosen].tolist()):
        moved = found.document.skip[0].tolist()
        assert new[moved[0] : moved[1]].strip() == text[skip[0, 0] : skip[0, 1]].strip()


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([-1.0, 0.0, 2.0])), min_size=1, max_size=8), st.integers(0, 10)
)
def test_the_most_relevant_of_the_remaining_words_are_masked(words: list[tuple[bool, float]], tenths: int) -> None:
    masked, relevance = (np.array(each) for each in zip(*words, strict=True))
    count = tenths * len(words) // 10
    found = more_masked(masked, relevance, tenths / 10)
    assert found.sum() == max(count, masked.sum())
    assert found[masked].all()
    added = found & ~masked
    if added.any() and (~found).any():
        assert relevance[added].min() >= relevance[~found].max()


def test_masks_are_kept_as_bits() -> None:
    masks = [np.array(each, dtype=bool) for each in ([1, 0, 0], [], [0] * 9, [1])]
    found = unpacked_masks(packed_masks(masks), [3, 0, 9, 1])
    assert [each.tolist() for each in found] == [each.tolist() for each in masks]


def short(text: str) -> str:
    return " ".join(text.split()[-3:])


@pytest.mark.parametrize(
    "kind", ["svm", pytest.param("boe", marks=pytest.mark.slow), pytest.param("cnn", marks=pytest.mark.slow)]
)
def test_masking_the_one_informative_word_drops_accuracy_to_chance(kind: str) -> None:
    # of three words, exactly the one that tells the label is masked in the first step
    training, held_out = ([replace(each, text=short(each.text)) for each in corpus(90, seed)] for seed in (0, 1))
    curve = recursive_roar(learner(kind), training, LRP, held_out=held_out, steps=3)
    assert curve.shares.tolist() == [0, 1 / 3, 2 / 3, 1]
    assert curve.accuracy[0] == 1
    assert abs(curve.accuracy[1] - 1 / 3) < 4 * np.sqrt(2 / 9 / 90)
    assert curve.accuracy[3] == pytest.approx(1 / 3)  # all texts are the same
    assert len(curve.ids) == 90


def test_relevance_is_computed_anew_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two redundant words tell the label. A model masks one at a time, and the next model finds the other."""
    both = [
        [Document(each.id, f"{each.text} {each.label}tail", each.label) for each in corpus(60, seed)]
        for seed in (0, 1)
    ]
    seen: list[list[str]] = []
    original = masking.word_relevances

    def recorded(scored: Any, spec: Any) -> Any:
        found = original(scored, spec)
        best = []
        for batch, rows in scored.iter_batches():
            for reading, row in zip(batch.readings, rows.tolist(), strict=True):
                best.append(reading.forms[int(np.argmax(found.true_label[row]))])
        seen.append(best)
        return found

    monkeypatch.setattr(masking, "word_relevances", recorded)
    curve = recursive_roar(learner("svm"), both[0], LRP, held_out=both[1], steps=10)
    informative = [sum(word.startswith(("cat", "dog", "owl")) for word in best) for best in seen]
    assert informative[:2] == [120, 120]  # training and held-out documents
    assert informative[2] == 0
    assert curve.accuracy[:2].min() > 0.9
    assert curve.accuracy[2] < 0.7


def test_words_that_oppose_the_label_are_masked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    original = masking.word_relevances

    def negated(scored: Any, spec: Any) -> Any:
        found = original(scored, spec)
        negative = [-values for values in found.true_label if values is not None]
        return WordRelevances(negative, negative, 0.0)

    monkeypatch.setattr(masking, "word_relevances", negated)
    curve = recursive_roar(learner("svm"), corpus(60), LRP, held_out=corpus(60, 1), steps=3)
    assert (curve.accuracy[:-1] >= 0.9).all()


def test_random_against_random_is_about_zero() -> None:
    found = [
        recursive_roar(learner("svm"), corpus(90), MethodSpec("r", Random(seed)), held_out=corpus(150, 1), steps=3)
        for seed in (0, 1)
    ]
    assert abs(relative_area(found[0].shares, found[0].accuracy, found[1].accuracy)) < 0.2


def test_invalid_options_are_refused() -> None:
    with pytest.raises(OptionError, match="steps must be"):
        recursive_roar(small("svm"), corpus(), LRP, steps=0)
    with pytest.raises(ModelError, match="a Sentiment cannot be trained again"):
        recursive_roar(Sentiment(), corpus(), LRP)  # type: ignore[arg-type]


def curve(correct: list[list[int]], ids: str) -> RoarCurve:
    return RoarCurve(np.array([0, 0.5, 1]), np.array(correct, dtype=bool), tuple(ids))


def test_rows_by_hand() -> None:
    rows = measured_roar.roar_rows(
        {
            "A": [curve([[1, 0, 0], [1, 0, 0]], "pq"), curve([[1, 1, 0], [1, 0, 0]], "pr")],
            "random": [curve([[1, 1, 0], [1, 0, 0]], "pq"), curve([[1, 1, 0], [1, 1, 0]], "pr")],
        }
    )
    a, random = rows
    assert a["accuracy"] == [1, 0.25, 0]
    assert (a["low"], a["high"]) == ([1, 0, 0], [1, 0.5, 0])
    # seed 0: random 1, 0.5, 0 has area 0.5, and A lies 0.25 below it; seed 1: area 0.75, also 0.25 below
    assert a["racu_values"] == pytest.approx([0.25 / 0.5, 0.25 / 0.75])
    assert a["racu"] == pytest.approx(5 / 12)
    assert "racu" not in random
    # areas of A: p mean of 0.25 and 0.75, q 0.25, r 0.25; of random: p 0.75, q 0.25, r 0.75
    assert random["difference"]["difference"] == pytest.approx((0.25 + 0 + 0.5) / 3)
    assert random["difference"]["documents"] == 3
    never = {"A": [curve([[0, 0, 0]], "p")], "random": [curve([[0, 0, 0]], "p")]}
    assert measured_roar.roar_rows(never)[0]["racu"] is None


def test_an_interrupted_measure_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = learner("svm").fit(corpus(), [each.label for each in corpus()])
    plan = EvaluationPlan((LRP,), measures=frozenset({"roar"}), repeats=1)
    monkeypatch.setattr(measured_roar, "STEPS", 2)
    monkeypatch.setattr(
        measured_roar, "recursive_roar", lambda *args, **options: recursive_roar(*args, steps=2, **options)
    )
    lines: list[str] = []
    whole = evaluate(model, corpus(), tmp_path / "whole", plan=plan, log=lines.append)
    assert any("up to 4 times on 90 documents: 2 methods, 2 steps and 1 seed" in line for line in lines)
    assert whole["roar"]["trainings"] == 4
    assert "Recursive ROAR" in (tmp_path / "whole" / "index.html").read_text()

    original, calls = masking.trained, []

    def stopping(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(masking, "trained", stopping)
    with pytest.raises(Exception, match="run the same command to continue"):
        evaluate(model, corpus(), tmp_path / "parts", plan=plan)
    parts = evaluate(model, corpus(), tmp_path / "parts", plan=plan)
    assert parts["roar"] == whole["roar"]
    assert len(calls) == 4  # all but the third were finished, and none of them was repeated
    monkeypatch.setattr(masking, "trained", lambda *_, **__: pytest.fail("a finished training was repeated"))
    assert evaluate(model, corpus(), tmp_path / "parts", plan=plan)["roar"] == whole["roar"]
