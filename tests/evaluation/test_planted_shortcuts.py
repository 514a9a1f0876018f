"""Planted shortcuts: hand-made models with a known shortcut, precision by enumeration, random order at chance."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_deletion import Sentiment
from toys import KINDS, learner, small

from textlrp.cli import main
from textlrp.errors import DataError, ModelError, OptionError
from textlrp.evaluation import planted_shortcuts as finding
from textlrp.evaluation.measured_corpus import MethodSpec, WordRelevances, score_corpus
from textlrp.evaluation.planted_shortcuts import (
    TFIDF,
    find_planted,
    found_words,
    largest_labels,
    mean_rank,
    planted_words,
    precision_at_k,
    tfidf_values,
)
from textlrp.evaluation.planting import Kind, Shortcut
from textlrp.evaluation.retraining import split_documents, trained
from textlrp.evaluation.running.evaluate_corpus import evaluate
from textlrp.evaluation.running.measured_planted import planted_results
from textlrp.evaluation.running.measures import MEASURES, ON_REQUEST
from textlrp.evaluation.running.plan import EvaluationPlan, make_plan
from textlrp.explainers.methods import Random
from textlrp.models.base import TextClassifier
from textlrp.records import Document

WORDS = ("red", "blue", "green", "small", "large", "old", "new", "round")
LABELS = ("cat", "dog", "owl")
LRP, RANDOM = MethodSpec("LRP"), MethodSpec("random", Random(0))
NO_ROWS = np.zeros(0, dtype=np.int64)


def corpus(n: int = 120, seed: int = 0) -> list[Document]:
    """Documents of eight random words and a word that tells the label."""
    draw = np.random.default_rng(seed)
    return [
        Document(f"{seed}/{row}", " ".join([*draw.choice(WORDS, 8), f"{LABELS[row % 3]}word"]), LABELS[row % 3])
        for row in range(n)
    ]


def hand_made(weights: dict[str, float]) -> TextClassifier:
    """A bag of words that adds the weights of words to the score of "cat"; without them it predicts "dog"."""
    texts = [" ".join((*WORDS, *weights)), *(document.text for document in corpus(9))]
    model = small("svm", ngrams=1).fit(texts, ["cat", *(document.label for document in corpus(9))])
    changed = copy.deepcopy(model)
    table = np.zeros_like(model.output_weight)
    for word, value in weights.items():
        table[0, model.vocabulary_.id(word) - 1] = value
    bias = np.array([0.0, 0.01, 0.0], dtype=table.dtype)
    changed.weights_ = model.weights_ | {"output.weight": table, "output.bias": bias}
    return changed


def shortcut(kind: Kind, *words: str) -> Shortcut:
    return Shortcut(kind, "cat", words, NO_ROWS, NO_ROWS)


@given(
    relevance=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=6),
    data=st.data(),
)
def test_precision_and_rank_are_expectations_over_the_orders_of_equal_words(
    relevance: list[float], data: st.DataObject
) -> None:
    length = len(relevance)
    chosen = data.draw(st.sets(st.integers(0, length - 1), min_size=1))
    # every order that sorts by relevance is equally likely
    orders = [
        order
        for order in itertools.permutations(range(length))
        if all(relevance[a] >= relevance[b] for a, b in itertools.pairwise(order))
    ]
    k = len(chosen)
    precision = sum(len(chosen & {*order[:k]}) for order in orders) / k / len(orders)
    rank = sum(order.index(word) + 1 for order in orders for word in chosen) / k / len(orders)
    mask = np.isin(np.arange(length), [*chosen])
    assert precision_at_k(np.array(relevance), mask) == pytest.approx(precision)
    assert mean_rank(np.array(relevance), mask) == pytest.approx(rank)


def test_a_planted_word_with_all_weight_is_always_found() -> None:
    found = found_words(hand_made({"zonk": 3.0}), corpus(60, 1), shortcut("token", "zonk"), [LRP, RANDOM])
    assert found.taken
    assert found.changed == 1.0
    assert found.resisted is None
    assert len(found.ids) == 40  # the documents of the two other labels
    assert (found.precision["LRP"] == 1).all()
    assert (found.rank["LRP"] == 1).all()
    assert found.chance == pytest.approx(np.full(40, 1 / 10))
    assert found.precision[TFIDF].mean() > 0.5  # the word occurs in one training text, all others in several


def test_relevance_of_the_opposite_sign_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    original = finding.word_relevances

    def negated(scored: Any, spec: Any) -> Any:
        found = original(scored, spec)
        return WordRelevances([-values for values in found.predicted if values is not None], found.true_label, 0.0)

    monkeypatch.setattr(finding, "word_relevances", negated)
    found = found_words(hand_made({"zonk": 3.0}), corpus(60, 1), shortcut("token", "zonk"), [LRP])
    assert (found.precision["LRP"] == 0).all()
    assert (found.rank["LRP"] == 10).all()


@pytest.mark.slow
def test_a_random_order_is_at_chance() -> None:
    found = found_words(
        hand_made({"zonk": 3.0, "blap": 3.0}), corpus(900, 1), shortcut("context", "zonk", "blap"), [RANDOM],
        max_documents=600,
    )  # fmt: skip
    values, chance = found.precision["random"], 2 / 11
    assert len(values) == 600
    assert abs(values.mean() - chance) < 4 * values.std() / np.sqrt(len(values))
    assert abs(found.rank["random"].mean() - 6) < 0.5
    assert found.chance == pytest.approx(np.full(600, chance))


def test_decoys_tell_a_shortcut_from_its_words() -> None:
    both = found_words(
        hand_made({"zonk": 0.04, "blap": 0.04}), corpus(60), shortcut("context", "zonk", "blap"), [LRP]
    )
    # without the n-gram, a bag of words cannot know the order: every decoy is predicted as the label
    pair = found_words(hand_made({"zonk": 0.04, "blap": 0.04}), corpus(60), shortcut("pair", "zonk", "blap"), [LRP])
    strong = found_words(
        hand_made({"zonk": 9.0, "blap": 9.0}), corpus(60), shortcut("context", "zonk", "blap"), [LRP]
    )
    assert (both.changed, pair.changed, strong.changed) == (1.0, 1.0, 1.0)
    assert (pair.resisted, strong.resisted) == (0.0, 0.0)
    assert not pair.taken
    assert not strong.taken


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_trained_without_the_shortcut_did_not_take_the_bait(kind: str) -> None:
    model = learner(kind).fit([each.text for each in corpus()], [each.label for each in corpus()])
    found = found_words(model, corpus(60, 1), shortcut("token", "zonk"), [LRP])
    assert found.changed < finding.TAKEN
    assert not found.taken


@pytest.mark.parametrize("kind", KINDS)
def test_models_take_the_bait_and_lrp_finds_it(kind: str) -> None:
    for found in find_planted(learner(kind), corpus(), [LRP, RANDOM], share=0.4, held_out=corpus(60, 1)):
        assert found.taken
        assert found.changed > 0.5
        assert found.precision["LRP"].mean() >= 0.95
        assert found.precision["random"].mean() < 0.5
        assert {name.split("/")[0] for name in found.ids} == {"1"}  # held-out documents only


def test_documents_are_held_out_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def recorded(model: Any, documents: Any, **options: Any) -> Any:
        seen.extend(document.id for document in documents)
        return trained(model, documents, **options)

    monkeypatch.setattr(finding, "trained", recorded)
    found = find_planted(learner("svm"), corpus(), [LRP], share=0.4, labels=["cat"])
    assert len(seen) == 90
    assert found[0].ids
    assert not {*seen} & {*found[0].ids}


def test_a_split_holds_out_the_same_share_of_each_label() -> None:
    training, held_out = split_documents(corpus(), share=0.25, seed=3)
    assert [sum(each.label == label for each in held_out) for label in LABELS] == [10, 10, 10]
    assert {each.id for each in (*training, *held_out)} == {each.id for each in corpus()}
    again, other = ([each.id for each in split_documents(corpus(), seed=seed)[1]] for seed in (3, 4))
    assert again == [each.id for each in held_out] != other
    with pytest.raises(OptionError, match="share must be between 0 and 1; got 1"):
        split_documents(corpus(), share=1)
    with pytest.raises(DataError, match="documents must be enough to leave 25% of a label out of training; got 3"):
        split_documents(corpus(3))


def test_planted_words_are_found_by_their_characters() -> None:
    model = hand_made({"zonk": 3.0})
    batch = model.encode(["the Zonkers zonk. zon k blap", "no", ""])
    words = ["zonk", "blap"]
    assert planted_words(batch, 0, words).tolist() == [False, False, True, False, False, True]
    assert planted_words(batch, 1, words).tolist() == [False]
    assert planted_words(batch, 2, words).tolist() == []


def test_tfidf_by_hand() -> None:
    model = small("svm", ngrams=1).fit(["a b", "a c", "a d"], ["x", "y", "y"])
    (values,) = tfidf_values(score_corpus(model, [Document("1", "a b b zzz", "x")]))
    assert values == pytest.approx([np.log(4 / 4), 2 * np.log(4 / 2), 2 * np.log(4 / 2), np.log(4)])


def test_labels_of_the_most_documents() -> None:
    assert largest_labels([*corpus(10), *corpus(2)]) == ["cat", "dog", "owl"]
    assert largest_labels(corpus(5), 2) == ["cat", "dog"]


def plain(label: str, precision: dict[str, list[float]], ids: str, *, taken: bool = True) -> dict[str, Any]:
    values: dict[str, Any] = {"precision": precision, "rank": precision, "ids": [*ids], "chance": [0.1] * len(ids)}
    return values | {
        "seed": 0, "label": label, "words": ["zonk"], "carriers": 4, "changed": 0.5, "resisted": None, "taken": taken,
    }  # fmt: skip


def test_results_are_means_over_cases_and_differences_are_paired_over_documents() -> None:
    found = [
        plain("cat", {"A": [1.0, 1.0], "B": [0.0, 1.0]}, "pq"),
        plain("dog", {"A": [1.0], "B": [1.0]}, "q"),
        plain("owl", {"A": [0.0], "B": [0.0]}, "p", taken=False),
    ]
    results = planted_results("token", found, ["A", "B"])
    assert (results["taken"], results["documents"], results["chance"]) == (2, 2, pytest.approx(0.1))
    a, b = results["rows"]
    assert (a["precision"], a["sd"], a["lowest"]) == (1.0, 0.0, 1.0)
    assert (b["precision"], b["sd"], b["lowest"]) == (0.75, 0.25, 0.5)
    # document p: 0 - 1; document q: mean of 1 - 1 and 1 - 1
    assert b["difference"]["difference"] == -0.5
    assert (b["difference"]["documents"], b["difference"]["verdict"]) == (2, "too few documents")
    assert [each["taken"] for each in results["shortcuts"]] == [True, True, False]
    assert planted_results("token", found[2:], ["A", "B"])["rows"] == []


def plan(**options: Any) -> EvaluationPlan:
    return EvaluationPlan(
        (LRP, MethodSpec("squared gradient", "squared-gradient")), measures=frozenset({"planted"}), **options
    )


@pytest.mark.slow
def test_the_measure_is_kept_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, lines = learner("svm").fit(corpus(), [each.label for each in corpus()]), []
    results = evaluate(model, corpus(), tmp_path / "out", plan=plan(repeats=1), log=lines.append)
    found = results["planted"]
    assert [each["kind"] for each in found["kinds"]] == ["token", "context", "pair"]
    assert (found["trainings"], found["training_documents"], found["held_out_documents"]) == (3, 90, 30)
    assert any(
        line.endswith("trains the model up to 3 times on 90 documents: 3 kinds of shortcut and 1 seed")
        for line in lines
    )
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Planted shortcuts" in page

    monkeypatch.setattr(finding, "trained", lambda *_, **__: pytest.fail("a finished training was repeated"))
    assert evaluate(model, corpus(), tmp_path / "out", plan=plan(repeats=1))["planted"] == found


def test_an_interrupted_training_is_not_measured() -> None:
    class Interrupted(type(learner("boe"))):  # type: ignore[misc]
        def fit(self, *args: Any, **options: Any) -> Any:
            import warnings

            warnings.warn(
                "training was interrupted; the model has the weights of epoch 1.", UserWarning, stacklevel=1
            )
            return self

    with pytest.raises(KeyboardInterrupt):
        trained(Interrupted(), corpus())


def test_models_that_cannot_be_trained_are_refused() -> None:
    with pytest.raises(ModelError, match=r"a Sentiment cannot be trained again\. Pass a textlrp classifier"):
        find_planted(Sentiment(), corpus(), [LRP])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="must have one label; got None"):
        find_planted(small("svm"), [Document("1", "a")], [LRP])


@pytest.mark.slow
def test_the_command_measures_it_only_if_asked(tmp_path: Path) -> None:
    model = learner("svm").fit(corpus(), [each.label for each in corpus()])
    assert not make_plan(model).takes("planted")
    assert make_plan(model, measures=["planted"]).takes("planted")
    asked = make_plan(model, retraining=["planted"])
    assert all(asked.takes(name) for name in MEASURES if name not in ON_REQUEST)
    assert asked.takes("planted")
    table = tmp_path / "animals.csv"
    table.write_text("id,text,label\n" + "".join(f"{each.id},{each.text},{each.label}\n" for each in corpus()))
    model.save(tmp_path / "model")
    command = ["evaluate", str(tmp_path / "model"), str(table), "-o", str(tmp_path / "out"), "--measure", "ledger"]
    assert main([*command, "--planted", "--repeats", "1"]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["planted"]["seeds"] == [0]
    assert results["ledger"]
