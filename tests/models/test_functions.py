"""Functions of texts as models: what they may return, how they are called, and what a user reads if they fail."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
import torch
from cases import every
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from spacy.training import Example

from textlrp import bulk, store
from textlrp.bulk.run import WorkerOptions
from textlrp.errors import DataError, ModelError, OptionError
from textlrp.evaluation import (
    DELETION_PROTOCOLS,
    EvaluationPlan,
    MethodSpec,
    evaluate,
    score_corpus,
    still_correct,
    word_relevances,
)
from textlrp.evaluation.deletion import OTHER_PROTOCOLS
from textlrp.evaluation.running.plan import default_methods
from textlrp.explainers.explain import explain
from textlrp.explanation import Explanation
from textlrp.models.word_paths import path_scores
from textlrp.models.wrapping import wrap
from textlrp.records import Document
from textlrp.reports.corpus.report_files import write_report

pytestmark = pytest.mark.usefixtures("shap_is_not_compiled")

CLASSES = ["cat", "dog"]
TEXTS = ["a cat and a dog", "a dog, a dog!", "cat cat", "neither", ""]


def count(texts: list[str]) -> list[list[float]]:
    """The scores are the numbers of the words cat and dog."""
    return [[float(text.count("cat")), float(text.count("dog"))] for text in texts]


def share(texts: list[str]) -> list[list[float]]:
    """The probability of cat is its share of both words; a half without any."""
    return [[(cat + 1e-9) / (cat + dog + 2e-9), (dog + 1e-9) / (cat + dog + 2e-9)] for cat, dog in count(texts)]


def only(function: Any, text: Any = TEXTS[0], **options: Any) -> Explanation:
    why = explain(function, text, **{"classes": CLASSES, "method": "occlusion", "target": "dog", **options})
    assert isinstance(why, Explanation)
    return why


def relevance(function: Any, text: Any = TEXTS[0], **options: Any) -> list[float]:
    return [float(value) for value in only(function, text, **options).relevance[0]]


# ---- what a function may return


def second(function: Callable[[list[str]], Any]) -> Callable[[list[str]], Any]:
    return lambda texts: np.array(function(texts))[:, 1]


RETURNED: dict[str, Callable[[list[str]], Any]] = {
    "lists": count,
    "tuples": lambda texts: tuple(map(tuple, count(texts))),
    "array": lambda texts: np.array(count(texts)),
    "float32": lambda texts: np.array(count(texts), dtype=np.float32),
    "whole numbers": lambda texts: np.array(count(texts)).astype(int),
    "tensor": lambda texts: torch.tensor(count(texts)),
    "bfloat16 tensor": lambda texts: torch.tensor(count(texts), dtype=torch.bfloat16, requires_grad=True),
    "list of tensors": lambda texts: [torch.tensor(row, requires_grad=True) for row in count(texts)],
    "list of arrays": lambda texts: [np.array(row) for row in count(texts)],
    "table": lambda texts: pd.DataFrame(count(texts)),
    "table with columns in another order": lambda texts: pd.DataFrame(count(texts), columns=CLASSES)[CLASSES[::-1]],
    "mappings": lambda texts: [{"dog": dog, "cat": cat, "other": 5.0} for cat, dog in count(texts)],
    "generator": lambda texts: (row for row in count(texts)),
}  # fmt: skip


@every("name", RETURNED)
def test_all_of_these_are_scores(name: str) -> None:
    why = only(RETURNED[name])
    assert why.scores.tolist() == [1, 1]
    assert why.scores.dtype == np.float64
    assert why.relevance.tolist() == [[0, 0, 0, 0, 1]]
    assert why.score_name == "score"
    assert why.probabilities is None


def test_one_number_for_each_text_is_the_score_of_the_second_class() -> None:
    for function in (second(count), lambda texts: np.array(count(texts))[:, 1:]):
        assert only(function).scores.tolist() == [-1, 1]
        assert relevance(function) == [0, 0, 0, 0, 1]
    model = wrap(second(share), classes=CLASSES, scores="probability")
    np.testing.assert_allclose(model.scores(model.encode(TEXTS)), share(TEXTS), atol=1e-12)
    logarithms = wrap(lambda texts: np.log(second(share)(texts)), classes=CLASSES, scores="log-probability")
    np.testing.assert_allclose(logarithms.scores(logarithms.encode(TEXTS)), np.log(share(TEXTS)), atol=1e-6)


def test_probabilities_are_named_and_kept() -> None:
    model = wrap(share, classes=CLASSES, scores="probability")
    why = only(model, classes=None)
    assert why.score_name == "probability"
    assert why.probabilities is not None
    np.testing.assert_array_equal(why.probabilities, why.scores)
    logarithms = wrap(lambda texts: np.log(share(texts)), classes=CLASSES, scores="log-probability")
    why = only(logarithms, classes=None)
    np.testing.assert_allclose(np.exp(why.scores), why.probabilities)


# ---- hostile functions


def raising(texts: list[str]) -> Any:
    raise ConnectionError("the server is down.\nTry later")


def failing_on_empty(texts: list[str]) -> Any:
    if "" in texts:
        raise ValueError("empty text")
    return count(texts)


def changing(texts: list[str]) -> Any:
    """Return a third column for a text with the word dog."""
    return [[1.0, 2.0, 3.0] if "dog" in text else [1.0, 2.0] for text in texts][: len(texts)]


HOSTILE: list[tuple[Any, dict[str, Any], str]] = [
    (raising, {}, r"it raised ConnectionError: the server is down for text 'This is a trial text\.'\. It is called"),
    (lambda text: text.lower().count("a"), {}, r"it raised AttributeError: 'list' object has no attribute 'lower'"),
    (lambda texts: None, {}, r"must return numbers, .*; got a value of type NoneType for 1 text"),
    (lambda texts: np.ones((len(texts), 2), dtype=complex), {}, r"must return numbers, one score for each class"),
    (lambda texts: ["cat"] * len(texts), {}, r"got a list of values such as 'cat' for 1 text\. Return the"),
    (lambda texts: np.array(["1"] * len(texts)), {}, r"got a ndarray of values such as .*'1'.*\. Return"),
    (lambda texts: [[1, 2, 3]] * len(texts), {}, r"got shape \(1, 3\) for 1 text and 2 classes \('cat', 'dog'\)\."),
    (lambda texts: [1.0, 2.0], {}, r"got shape \(2,\) for 1 text and 2 classes .*\. Return a list of rows"),
    (lambda texts: np.zeros(len(texts)), {"classes": list("abc")}, r"got shape \(1,\) .*Return the scores of all"),
    (lambda texts: np.zeros((7, 2)), {}, r"got shape \(7, 2\) for 1 text .*Check what the function does with"),
    (lambda texts: [{"cat": 1.0}] * len(texts), {}, r"got a row without the class 'dog', with the keys 'cat'\. Pass"),
    (lambda texts: [{"label": "cat", "score": 1}], {}, r"without the class 'cat', with the keys 'label', 'score'\."),
    (lambda texts: [[1, np.nan]] * len(texts), {}, r"text 'This is a trial text\.' got nan for class"),
    (lambda texts: [[1, -np.inf]] * len(texts), {}, r"got -inf for class 'dog'\. Return a finite number"),
]  # fmt: skip


@every("function, options, message", HOSTILE)
def test_a_function_that_returns_something_else_is_refused_in_one_sentence(
    function: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        explain(function, "a cat", **{"classes": CLASSES, "method": "occlusion", **options})
    assert "\n" not in str(refused.value)


def test_later_failures_name_the_text() -> None:
    def fails_for_dogs(texts: list[str]) -> Any:
        return [[np.nan if "dog" in text else 0.0, 1.0] for text in texts]

    documents = [Document("first", "a cat"), Document("second", "a dog"), Document("third", "no pet")]
    with pytest.raises(ModelError, match="text 'second' got nan for class 'cat'"):
        list(explain(fails_for_dogs, documents, classes=CLASSES, method="occlusion"))
    with pytest.warns(UserWarning, match="text 'second' was skipped: scores must be finite"):
        found = list(explain(fails_for_dogs, documents, classes=CLASSES, method="occlusion", errors="skip"))
    assert [why.document_id for why in found] == ["first", "third"]


def test_a_changing_number_of_classes_is_noticed() -> None:
    def function(texts: list[str]) -> Any:
        return [[1.0, 2.0, 3.0][: 3 if "dog" in texts[0] else 2]] * len(texts)

    with pytest.raises(ModelError, match=r"got shape \(1, 3\) for 1 text and 2 classes"):
        only(function, "dog")
    with pytest.raises(ModelError, match=r"must return numbers.*got a list of values such as \[1.0, 2.0\]"):
        list(explain(changing, ["a cat", "a dog"], classes=CLASSES, method="occlusion"))


def test_a_function_that_cannot_read_an_empty_text_is_told_what_to_do() -> None:
    with pytest.raises(
        ModelError, match=r"ValueError: empty text for text '1'\. One of the texts was empty, .*masked="
    ):
        only(failing_on_empty, "dog")
    model = wrap(failing_on_empty, classes=CLASSES, masked="[MASK]")
    assert relevance(model, "dog", classes=None) == [1]


def test_an_error_keeps_its_cause() -> None:
    with pytest.raises(ModelError) as refused:
        only(raising)
    assert isinstance(refused.value.__cause__, ConnectionError)


@every("scores, value, message", [
    ("probability", 1.5, r"probabilities from 0 to 1 with scores='probability'; got 1\.5 for text '1'"),
    ("probability", -0.1, r"got -0\.1 for text '1'\. Pass scores='score' to textlrp\.wrap"),
    ("log-probability", 0.5, r"logarithms below 0 with scores='log-probability'; got 0\.5"),
    ("log-probability", -np.inf, r"got -inf for class 'dog'\. Return the logarithm of a probability above 0"),
])  # fmt: skip
def test_numbers_that_are_no_probabilities_are_refused(scores: Any, value: float, message: str) -> None:
    plain = 0.5 if scores == "probability" else -0.5
    model = wrap(
        lambda texts: [[plain, value if "dog" in text else plain] for text in texts], classes=CLASSES, scores=scores
    )
    with pytest.raises(ModelError, match=message):
        only(model, "dog", classes=None)


def test_rounding_errors_of_float32_are_no_wrong_probabilities() -> None:
    model = wrap(lambda texts: np.float32([[1.0000001, -1e-7]] * len(texts)), classes=CLASSES, scores="probability")
    assert only(model, classes=None).scores.tolist() == pytest.approx([1, 0], abs=1e-6)


# ---- how a function is called


class Recorder:
    """A function that keeps the lists that it gets, and empties them."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Any:
        assert type(texts) is list
        self.calls.append(list(texts))
        found = count(texts)
        texts.clear()
        return found

    @property
    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call]


@every("method", ["occlusion", "lime", "shap", "kernel-shap"])
def test_no_text_is_asked_twice_in_a_call_and_no_call_is_too_large(method: str) -> None:
    function = Recorder()
    model = wrap(function, classes=CLASSES, batch_size=5)
    assert function.calls == []  # wrap does not call it
    texts = ["cat dog cat", "cat dog cat", "dog"]
    list(explain(model, texts, method=method, target="all"))
    assert function.calls[:2] == [["This is a trial text."], ["This is a trial text.", "Here is another one."]]
    assert all(1 <= len(call) <= 5 and len({*call}) == len(call) for call in function.calls)
    assert function.texts.count("cat dog cat") == 1  # a complete text is asked once for all texts and methods


def test_occlusion_asks_for_each_distinct_text_once() -> None:
    function = Recorder()
    only(wrap(function, classes=CLASSES), "dog dog cat", classes=None)
    assert function.calls[2:] == [["dog dog cat"], ["dog cat", "dog dog"]]


def test_scores_of_a_batch_are_those_of_the_texts() -> None:
    model = wrap(count, classes=CLASSES)
    batch = model.encode(TEXTS)
    np.testing.assert_array_equal(model.scores(batch), count(TEXTS))
    np.testing.assert_array_equal(model.scores(batch.select([3, 0, 0])), count([TEXTS[3], TEXTS[0], TEXTS[0]]))
    keep = np.ones((len(batch), int(batch.lengths.max())), dtype=bool)
    np.testing.assert_array_equal(model.scores(batch, keep=keep), count(TEXTS))
    keep[0, 1] = False  # the cat of the first text
    np.testing.assert_array_equal(model.scores(batch, keep=keep)[0], [0, 1])
    with pytest.raises(ModelError, match=r"batch must come from this model's encode\(\)"):
        model.scores(object())  # type: ignore[arg-type]


def test_skipped_ranges_of_a_document_are_not_shown_to_the_function() -> None:
    function = Recorder()
    document = Document("d", "dog dog. cat", skip=np.array([[0, 8]], dtype=np.int32))
    why = only(wrap(function, classes=CLASSES), document, classes=None)
    assert why.scores.tolist() == [1, 0]
    assert why.seen.tolist() == [False, False, False, True]
    assert not any("dog" in text for text in function.texts)


def test_errors_of_the_program_pass_unchanged() -> None:
    def function(texts: list[str]) -> Any:
        raise DataError("the file is missing. Pass another one.")

    with pytest.raises(DataError, match="the file is missing"):
        only(function)

    def interrupted(texts: list[str]) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        only(interrupted)


# ---- options


@every("options, message", [
    ({}, r"classes must be a list with the labels of the function's scores, in their order; got None\."),
    ({"classes": "yes"}, "classes must be a list with the labels"),
    ({"classes": {"a", "b"}}, "classes must be a list with the labels"),
    ({"classes": 3}, "classes must be a list with the labels"),
    ({"classes": ["one"]}, "classes must be a list of at least two different labels"),
    ({"classes": ["a", "a"]}, "classes must be a list of at least two different labels"),
    ({"classes": CLASSES, "scores": "logits"}, r"scores must be 'probability', .*'logits'"),
    ({"classes": CLASSES, "masked": ""}, "masked must be 'remove' or the text in place of a word; got ''"),
    ({"classes": CLASSES, "masked": None}, "masked must be 'remove'"),
    ({"classes": CLASSES, "batch_size": 0}, "batch_size must be a whole number >= 1; got 0"),
    ({"classes": CLASSES, "tokenizer": "nltk"}, "tokenizer must be "),
    ({"classes": CLASSES, "vocabulary": {"a": 1}}, "vocabulary must be left out for a function"),
    ({"classes": CLASSES, "windows": True}, "windows must be left out for a function; got True. Leave out windows="),
])  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        wrap(count, **options)


def test_options_of_a_function_are_refused_for_other_models() -> None:
    module = torch.nn.Sequential(torch.nn.EmbeddingBag(3, 2), torch.nn.Linear(2, 2))
    for name, value in (("masked", "[MASK]"), ("batch_size", 3)):
        with pytest.raises(OptionError, match=f"{name} must be left out for your own module"):
            wrap(module, tokenizer=str.split, vocabulary={"a": 1}, **{name: value})
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS[:3], [0, 1, 0])
    for name, option in (("classes", CLASSES), ("tokenizer", "words")):
        with pytest.raises(OptionError, match=f"{name} must be left out for a Pipeline"):
            explain(pipeline, "a cat", **{name: option})


class CallableEstimator:
    """An object that can be called, but is more than a function."""

    def __call__(self, texts: list[str]) -> Any: ...

    predict = __call__


@every("model", [str, Recorder, 3, "model", None, CallableEstimator()])
def test_what_is_no_function_is_refused(model: Any) -> None:
    with pytest.raises(OptionError, match=r"model must be .* or a function of texts; got a "):
        explain(model, "a cat", method="occlusion")


def test_a_bare_function_is_refused_where_classes_cannot_be_given() -> None:
    for refused in (lambda: score_corpus(count, []), lambda: bulk.BatchExplainer(count)):  # type: ignore[arg-type]
        with pytest.raises(OptionError, match=r"got a bare function\. Pass textlrp\.wrap\(function, classes="):
            refused()


def test_a_tokenizer_decides_what_can_be_left_out() -> None:
    def pairs(text: str) -> list[tuple[int, int]]:
        return [(n, n + 2) for n in range(0, len(text) - 1, 2)]

    why = only(count, "dogdog", tokenizer=pairs)
    assert list(why.tokens) == ["do", "gd", "og"]
    assert why.relevance.tolist() == [[1, 2, 1]]  # do|gd|og: without gd, "doog" has no dog


def test_a_spacy_pipeline_is_refused_with_the_function_to_pass() -> None:
    with pytest.raises(OptionError, match=r"got a spaCy pipeline.*Pass lambda texts: \[doc\.cats for doc in nlp"):
        explain(spacy.blank("en"), "a cat", method="occlusion", classes=CLASSES)


def test_a_note_names_the_mask() -> None:
    assert only(wrap(count, classes=CLASSES, masked="___"), classes=None).notes[0].endswith("replaced by '___'.")
    assert "'___'" not in "".join(only(count).notes)
    assert repr(wrap(count, classes=CLASSES)).startswith("FunctionModel(")


def test_the_fingerprint_changes_with_the_function_and_its_options() -> None:
    class Scaled:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        def __call__(self, texts: list[str]) -> Any:
            return np.array([[self.factor, len(text)] for text in texts])

    options: list[dict[str, Any]] = [
        {}, {"classes": ["dog", "cat"]}, {"tokenizer": "words"}, {"masked": "[MASK]"},
    ]  # fmt: skip
    found = [wrap(Scaled(1), **{"classes": CLASSES, **each}).fingerprint_ for each in options]
    found += [wrap(each, classes=CLASSES).fingerprint_ for each in (Scaled(2), count)]
    found.append(wrap(share, classes=CLASSES, scores="probability").fingerprint_)
    assert len({*found}) == len(found)
    assert wrap(Scaled(1), classes=CLASSES, batch_size=3).fingerprint_ == found[0]
    assert all(len(each) == 12 for each in found)


# ---- pages, files, bulk runs, evaluation


def test_pages_and_files_name_probabilities(tmp_path: Path) -> None:
    model = wrap(share, classes=CLASSES, scores="probability")
    whys = list(explain(model, TEXTS[:3], method="occlusion", target="all"))
    page = whys[1].to_html()
    assert "(probability 1.000)" in page
    assert "All classes · probability" in page or "Class to explain · probability" in page
    assert "before softmax" not in page
    assert "probability 100.0%" not in page  # not the same number twice
    fragment = whys[1].to_html(fragment=True)
    assert "(probability 1.000)" in fragment
    assert "before softmax" not in fragment
    plain = only(count)
    assert "All classes · score<" in plain.to_html()
    assert "not accounted for by this method" in only(second(share), "dog cat").to_html()
    assert "intercept of the regression" in only(count, method="lime").to_html()
    for name in ("whys.jsonl", "whys.parquet"):
        back = list(store.read(store.write(whys, tmp_path / name)))
        assert [why.score_name for why in back] == ["probability"] * 3
    write_report(whys, tmp_path / "report.html")
    assert "before softmax" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_file_from_before_scores_had_names_can_be_read(tmp_path: Path) -> None:
    table = pq.read_table(store.write(only(count), tmp_path / "whys.parquet"))
    pq.write_table(table.drop_columns(["score_name"]), tmp_path / "older.parquet")
    (why,) = store.read(tmp_path / "older.parquet")
    assert why.score_name == "score before softmax"


def test_a_bulk_table_keeps_the_name_of_the_scores() -> None:
    model = wrap(share, classes=CLASSES, scores="probability")
    table = bulk.BatchExplainer(model, method="occlusion", precision="float32")(pa.table({"text": TEXTS}))
    direct = list(explain(model, TEXTS, method="occlusion"))
    for stored, why in zip(store.read(table), direct, strict=True):
        assert stored.score_name == "probability"
        np.testing.assert_allclose(stored.relevance.sum(), why.relevance.sum(), atol=1e-6)


def test_worker_processes_need_a_function_that_can_be_sent(tmp_path: Path) -> None:
    source = bulk.CorpusSource([Document(str(n), text) for n, text in enumerate(TEXTS)], "pets")
    model = wrap(lambda texts: count(texts), classes=CLASSES)
    with pytest.raises(OptionError, match=r"workers must be 1 for this function, .*Define it at the top level"):
        bulk.explain_to_folder(model, source, tmp_path / "run", method="occlusion", workers=WorkerOptions(workers=2))
    run = bulk.explain_to_folder(
        model, source, tmp_path / "run", method="occlusion", workers=WorkerOptions(workers=1)
    )
    assert run.explained == len(TEXTS)
    again = pickle.loads(pickle.dumps(wrap(count, classes=CLASSES)))
    assert relevance(again, classes=None) == relevance(count)


def test_deletion_removes_words_from_the_text() -> None:
    model = wrap(count, classes=CLASSES)
    documents = [Document("1", "dog dog cat", label="dog"), Document("2", "cat dog cat cat", label="cat")]
    corpus = score_corpus(model, documents)
    found = word_relevances(corpus, MethodSpec("occlusion", "occlusion"))
    deleted = still_correct(corpus, DELETION_PROTOCOLS[0], found.true_label, steps=3, min_words=1)
    # "dog dog cat", "dog cat" (the first class, cat, wins a tie), "cat", ""; "cat dog cat cat", ..., "dog"
    assert deleted.tolist() == [[True, False, False, False], [True, True, True, False]]
    removed, inserted = (
        still_correct(corpus, protocol, found.true_label, steps=3, min_words=1) for protocol in OTHER_PROTOCOLS
    )
    assert removed.tolist() == deleted.tolist()
    # "" (a tie), "dog", "dog dog", "dog dog cat"; "" (a tie), "cat", "cat cat", "cat cat cat"
    assert inserted.tolist() == [[False, True, True, True], [True, True, True, True]]


def test_a_step_that_removes_a_word_leaves_no_mask() -> None:
    function = Recorder()
    model = wrap(function, classes=CLASSES, masked="[MASK]")
    batch = model.encode(["a cat sat"])
    path_scores(model, batch, [np.array([1])], change="remove")
    path_scores(model, batch, [np.array([1])], change="zero")
    assert function.calls == [["a cat sat", "a sat"], ["a cat sat", "a [MASK] sat"]]


def test_a_function_is_evaluated_except_for_measures_of_known_layers(tmp_path: Path) -> None:
    model = wrap(count, classes=CLASSES)
    assert [spec.title for spec in default_methods(model)] == ["occlusion"]
    documents = [Document(str(n), text, label=CLASSES[n % 2]) for n, text in enumerate(TEXTS[:4] * 3)]
    plan = EvaluationPlan(default_methods(model), steps=2, min_words=1, n_random_orders=2)
    results = evaluate(model, documents, tmp_path / "evaluation", plan=plan)
    assert results["deletion"]["protocols"][0]["curves"][0]["method"] == "occlusion"
    notes = " ".join(results["notes"])
    assert "Document vectors: not measured" in notes
    assert "Sanity check (randomized weights): not measured" in notes


# ---- real models


POSTS = ["the goalie saved the puck", "a puck on the ice", "the doctor saved a patient", "a pill for the patient"] * 5
TOPICS = ["hockey", "hockey", "med", "med"] * 5


def test_a_random_forest_is_explained_by_its_predict_proba() -> None:
    pipeline = make_pipeline(CountVectorizer(), RandomForestClassifier(20, random_state=0)).fit(POSTS, TOPICS)
    for method in ("occlusion", "lime", "kernel-shap"):
        why = explain(pipeline.predict_proba, "the puck and the patient", method=method, target="hockey")
        assert why.labels == ("hockey", "med")
        assert why.score_name == "probability"
        np.testing.assert_array_equal(why.scores, pipeline.predict_proba(["the puck and the patient"])[0])
        assert (why.top(1)[0].word, why.words()[-1].word) == ("puck", "patient")
    named = explain(pipeline.predict_proba, "the puck", method="occlusion", classes=pipeline.classes_)
    assert (
        named.relevance.tobytes()
        == explain(pipeline.predict_proba, "the puck", method="occlusion").relevance.tobytes()
    )
    with pytest.raises(OptionError, match=r"got the method predict, which returns labels\. Pass predict_proba"):
        explain(pipeline.predict, "the puck", method="occlusion")


def test_a_linear_pipeline_gets_the_map_that_follows_from_its_weights() -> None:
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression()).fit(POSTS, TOPICS)
    why = explain(pipeline.decision_function, "the puck and a puck", method="kernel-shap", target="med")
    weights = dict(zip(pipeline[0].get_feature_names_out(), pipeline[1].coef_[0], strict=True))
    expected = [weights.get(word, 0.0) for word in ("the", "puck", "and", "a", "puck")]
    np.testing.assert_allclose(why.relevance[0], expected, atol=1e-9)
    assert why.absorbed[0] == pytest.approx(pipeline[1].intercept_[0])
    lrp = explain(pipeline, "the puck and a puck", target="med")
    words = lrp.relevance[0][lrp.seen]
    assert sorted(words.tolist()) == pytest.approx(sorted(value for value in expected if value))


def test_spacy_textcat_is_explained() -> None:
    nlp = spacy.blank("en")
    config = {"model": {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1,
                        "no_output_layer": False, "length": 4096}}  # fmt: skip
    textcat = nlp.add_pipe("textcat", config=config)
    for topic in ("hockey", "med"):
        textcat.add_label(topic)
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {each: float(each == topic) for each in ("hockey", "med")}})
        for text, topic in zip(POSTS[:4], TOPICS[:4], strict=True)
    ]
    nlp.initialize(lambda: examples)
    for _ in range(30):
        nlp.update(examples)

    def function(texts: list[str]) -> Any:
        return [doc.cats for doc in nlp.pipe(texts)]

    model = wrap(function, classes=["hockey", "med"], tokenizer="spacy", scores="probability")
    why = explain(model, "a puck! No patient.", method="occlusion", target="hockey")
    assert why.scores[0] == pytest.approx(nlp("a puck! No patient.").cats["hockey"], abs=1e-6)
    of_word = {each.word: each.relevance for each in why.words()}
    assert of_word["puck"] > 0.01
    assert of_word["patient"] < -0.01


def test_scores_that_depend_on_the_list_are_reported() -> None:
    def normalized(texts: list[str]) -> Any:
        scores = np.asarray(count(texts), dtype=float) + 1
        return scores / scores.sum()

    with pytest.warns(
        UserWarning, match=r"scores must not depend on the other texts or on chance\. Pass batch_size=1"
    ):
        only(wrap(normalized, classes=CLASSES), "dog dog cat", classes=None)
    only(wrap(normalized, classes=CLASSES, batch_size=1), "dog dog cat", classes=None)  # warnings are errors
