"""Whole evaluations: the files they write, continuing after an interruption, and notes about missing measures."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import LABELS, TEXTS, learner

from textlrp.cli import main
from textlrp.errors import DataError, MissingExtraError, OptionError, RuleError, StoppedError
from textlrp.evaluation.label_errors import RANKINGS
from textlrp.evaluation.measured_corpus import MethodSpec
from textlrp.evaluation.running import evaluate_corpus as evaluating
from textlrp.evaluation.running import run_state as measuring
from textlrp.evaluation.running.evaluate_corpus import evaluate
from textlrp.evaluation.running.kept_stages import Stages
from textlrp.evaluation.running.measures import MEASURES, ON_REQUEST
from textlrp.evaluation.running.plan import EvaluationPlan, default_methods, make_plan
from textlrp.explainers.methods import Occlusion
from textlrp.records import Document

DOCUMENTS = [Document(str(n), text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]


@pytest.fixture(scope="module")
def model() -> Any:
    return learner("cnn").fit(TEXTS, LABELS)


def small_plan(model: Any, **options: Any) -> EvaluationPlan:
    return EvaluationPlan(
        default_methods(model), **({"min_words": 3, "steps": 4, "n_random_orders": 2, "max_documents": 12} | options)
    )


def test_everything_is_measured_and_written(model: Any, tmp_path: Path) -> None:
    results = evaluate(
        model, DOCUMENTS, tmp_path / "out", plan=small_plan(model), model_name="toy", corpus_name="sentences"
    )
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    page = (tmp_path / "out" / "index.html").read_text()
    assert "toy" in page
    assert "<script" not in page
    assert results["accuracy"] == model.score(TEXTS, LABELS)
    # the plan has no rationales and no other models, and nothing is trained
    assert {name for name in MEASURES if results.get(name)} == {*MEASURES} - {"rationales", "stability", *ON_REQUEST}
    titles = [spec.title for spec in default_methods(model)]
    first = results["deletion"]["protocols"][0]
    assert [each["method"] for each in first["curves"]] == [*titles, "LRP epsilon, reversed", "random"]
    assert all(row["seconds_per_document"] > 0 for row in results["methods"])
    assert {row["cause"] for row in results["ledger"]} >= {"bias"}


def test_lrp_0_and_gradient_times_input_are_one_row(model: Any, tmp_path: Path) -> None:
    plan = make_plan(
        model,
        methods=["lrp", "gradient-x-input"],
        rules=["zero"],
        measures=["deletion"],
        min_words=3,
        steps=4,
        n_random_orders=2,
    )
    results = evaluate(model, DOCUMENTS, tmp_path / "out", plan=plan)
    for protocol in results["deletion"]["protocols"]:
        areas = {each["method"]: each["area"] for each in protocol["curves"]}
        if areas:
            assert areas["LRP zero"] == areas["gradient-x-input"]


def test_an_interrupted_run_continues_where_it_stopped(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan(model, measures=frozenset({"deletion"}))
    whole = evaluate(model, DOCUMENTS, tmp_path / "whole", plan=plan)
    explained: list[str] = []
    original = measuring.word_relevances

    def stopping(corpus: Any, spec: Any, **options: Any) -> Any:
        if len(explained) == 2:
            raise KeyboardInterrupt
        explained.append(spec.title)
        return original(corpus, spec, **options)

    monkeypatch.setattr(measuring, "word_relevances", stopping)
    with pytest.raises(StoppedError, match="run the same command to continue"):
        evaluate(model, DOCUMENTS, tmp_path / "parts", plan=plan)
    assert not (tmp_path / "parts" / "results.json").exists()

    again: list[str] = []

    def counting(corpus: Any, spec: Any, **options: Any) -> Any:
        again.append(spec.title)
        return original(corpus, spec, **options)

    monkeypatch.setattr(measuring, "word_relevances", counting)
    parts = evaluate(model, DOCUMENTS, tmp_path / "parts", plan=plan)
    assert again == [spec.title for spec in plan.methods][2:]
    assert parts["deletion"] == whole["deletion"]


def test_stages_of_another_key_are_not_used(tmp_path: Path) -> None:
    one, other = Stages(tmp_path, {"model": "a"}), Stages(tmp_path, {"model": "b"})
    assert one.plain("x", lambda: 1) == 1
    assert one.plain("x", lambda: 2) == 1
    assert other.plain("x", lambda: 2) == 2
    assert np.array_equal(one.arrays("y", lambda: {"v": np.arange(3)})["v"], [0, 1, 2])
    assert np.array_equal(one.arrays("y", dict)["v"], [0, 1, 2])
    assert one.plain("x/y", lambda: 3) == 3 == one.plain("x/y", lambda: 4)


def test_slow_methods_get_the_same_sample_as_the_others(model: Any, tmp_path: Path) -> None:
    plan = small_plan(
        model, measures=frozenset({"deletion"}), n_slow_documents=5,
        slow_methods=(MethodSpec("once more", Occlusion()),),
    )  # fmt: skip
    results = evaluate(model, DOCUMENTS, tmp_path / "out", plan=plan)
    sample = [each for each in results["deletion"]["protocols"] if each["name"].startswith("sample-")]
    assert sum(each["documents"] for each in sample[:2]) == 5
    for protocol in sample:
        areas = {each["method"]: each["area"] for each in protocol["curves"]}
        if areas:
            assert areas["once more"] == areas["occlusion"]
    assert any("drawn with seed 0" in note for note in results["notes"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*not classes of the model:UserWarning")
def test_notes_on_the_page_report_what_cannot_be_measured(model: Any, tmp_path: Path) -> None:
    correct = [DOCUMENTS[n] for n, label in enumerate(model.predict(TEXTS)) if label == LABELS[n] == "autos"]
    documents = [*correct, Document("odd", "the engine", "boats"), Document("empty", "42", "autos")]
    results = evaluate(model, documents, tmp_path / "out", plan=small_plan(model, min_words=5))
    page = (tmp_path / "out" / "index.html").read_text()
    for expected in (
        "1 document has a label that is not a class of the model",
        "No document of the corpus has the label med, space",
        "1 document has no word in the model's vocabulary",
        "No document of at least 5 words is incorrectly classified",
    ):
        assert any(expected in note for note in results["notes"]), expected
        assert html.escape(expected, quote=False).replace("'", "&#39;") in page


@pytest.mark.slow
def test_a_measure_with_too_few_documents_is_noted(model: Any, tmp_path: Path) -> None:
    results = evaluate(model, DOCUMENTS[:2], tmp_path / "out", plan=small_plan(model))
    assert "vectors" not in results
    assert any(
        note.startswith("Document vectors: not measured. Vectors must be of at least 4 documents")
        for note in results["notes"]
    )


@pytest.mark.slow
def test_other_models_and_rationales(model: Any, tmp_path: Path) -> None:
    marked = tmp_path / "marked.jsonl"
    lines = [
        {"text": text, "label": label, "words": [text.split()[-1]]} for text, label in zip(TEXTS, LABELS, strict=True)
    ]
    marked.write_text("\n".join(map(json.dumps, lines)))
    plan = small_plan(
        model,
        measures=frozenset({"rationales", "stability"}),
        rationales=marked,
        other_models={"another seed": learner("cnn", random_state=1).fit(TEXTS, LABELS)},
    )
    results = evaluate(model, DOCUMENTS, tmp_path / "out", plan=plan)
    assert results["stability"][0]["model"] == "another seed"
    levels = results["rationales"]["levels"]
    assert [level["by"] for level in levels] == [
        "word",
        "token",
    ]  # each text is a single sentence, so there is nothing to rank
    assert any("by sentence: not measured" in note for note in results["notes"])
    titles = [spec.title for spec in plan.methods]
    baselines = ["random", "late words first", "early words first", "tf × log ratio"]
    for level in levels:
        assert [row["method"] for row in level["rows"]] == [*titles, *baselines]
        assert level["documents"] == len(TEXTS)
        assert (level["left_out"], level["against"]) == (0, titles[0])
        assert 0 < level["marked_share"] < 0.5
        differences = [row["differences"]["average_precision"] for row in level["rows"][1:]]
        assert all(each["documents"] == len(TEXTS) for each in differences)
        late = level["rows"][len(titles) + 1]
        assert late["average_precision"] == 1  # the last word is marked
    page = (tmp_path / "out" / "index.html").read_text()
    assert "tf × log ratio" in page
    assert "late words first" in page


def test_rationales_only_need_no_corpus(model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.save(tmp_path / "model")
    marked = tmp_path / "marked.jsonl"
    texts = {"autos": "The engine is old. It is my car.", "med": "A pill helps. The fever was gone."}
    lines = [{"text": text, "label": label, "words": [text.split()[1]]} for label, text in texts.items()]
    marked.write_text(
        "\n".join(map(json.dumps, [*lines, {"text": "nothing here"}, {"text": "none", "spans": [[0, 0]]}]))
    )
    arguments = ["evaluate", str(tmp_path / "model"), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--rationales", str(marked)]) == 0
    capsys.readouterr()
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["documents"], results["accuracy"]) == (None, None)
    found = results["rationales"]
    assert (found["texts"], found["skipped"]) == (2, 2)
    assert [level["by"] for level in found["levels"]] == ["word", "token", "sentence"]
    verdicts = {row["differences"]["iou"]["verdict"] for row in found["levels"][0]["rows"][1:]}
    assert verdicts == {"too few documents"}
    assert not {"deletion", "eraser", "words", "pointing"} & results.keys()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "too few documents (n=2)" in page
    assert "2 rows of the file skipped" in page
    assert any("Baseline tf × log ratio: not measured" in note for note in results["notes"])

    assert main(arguments) == 2
    assert "CORPUS is missing" in capsys.readouterr().err
    assert main([*arguments, "--rationales", str(marked), "--measure", "deletion"]) == 2
    assert "the measure deletion needs it" in capsys.readouterr().err
    assert main([*arguments, "--measure", "rationales"]) == 2
    assert "Pass --rationales FILE" in capsys.readouterr().err


def test_rationales_can_be_measured_with_an_unlabeled_corpus(model: Any, tmp_path: Path) -> None:
    marked = tmp_path / "marked.jsonl"
    marked.write_text(json.dumps({"text": "the engine of my car", "words": ["car"]}))
    plan = small_plan(model, measures=frozenset({"rationales"}), rationales=marked)
    results = evaluate(model, [Document("1", "no label")], tmp_path / "out", plan=plan)
    assert len(results["rationales"]["levels"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["boe", "svm"])
def test_other_kinds_of_models(kind: str, tmp_path: Path) -> None:
    model = learner(kind).fit(TEXTS, LABELS)
    plan = small_plan(model, measures=frozenset({"deletion", "eraser", "vectors"}))
    results = evaluate(model, DOCUMENTS, tmp_path / "out", plan=plan)
    assert results["vectors"]["rows"][0]["epi"] > 0.5
    assert results["eraser"][0]["quantity"] == ("score" if kind == "svm" else "probability")


def test_plans_from_names(model: Any) -> None:
    plan = make_plan(model, methods=["occlusion"], rules=["gamma"], slow=True, measures=["deletion"])
    assert [spec.title for spec in plan.methods] == ["occlusion", "LRP gamma"]
    assert [spec.title for spec in plan.slow_methods] == ["LIME", "SHAP"]
    with pytest.raises(OptionError, match=r"measure must be one of .*; got 'taste'"):
        make_plan(model, measures=["taste"])
    with pytest.raises(RuleError, match="no rule is called"):
        make_plan(model, rules=["gama"])


def test_bad_corpora_leave_no_folder(model: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="label is missing"):
        evaluate(model, [Document("x", "the car")], tmp_path / "out", plan=small_plan(model))
    marked = tmp_path / "marked.jsonl"
    marked.write_text('{"text": "the car", "spans": [[0, 99]]}')
    with pytest.raises(DataError, match=r"line 1 .*: a span must be within"):
        evaluate(model, DOCUMENTS, tmp_path / "out", plan=small_plan(model, rationales=marked))
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot create the folder"):
        evaluate(model, DOCUMENTS, tmp_path / "file" / "out", plan=small_plan(model))


def test_the_command(model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.save(tmp_path / "model")
    table = tmp_path / "posts.csv"
    table.write_text("text,label\n" + "\n".join(f"{text},{label}" for text, label in zip(TEXTS, LABELS, strict=True)))
    arguments = ["evaluate", str(tmp_path / "model"), str(table), "-o", str(tmp_path / "out"), "--min-words", "3"]
    assert main([*arguments, "--steps", "3", "--measure", "deletion", "--rule", "gamma"]) == 0
    assert "wrote" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert "LRP gamma" in [row["title"] for row in results["methods"]]
    assert main([*arguments, "--measure", "taste"]) == 2
    assert "got 'taste'" in capsys.readouterr().err
    assert main([*arguments[:3], "-o", str(tmp_path / "other"), "--label", "body"]) == 2


def test_ctrl_c_reports_that_the_stages_are_kept(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluating, "_results_of_measures", stop)
    model.save(tmp_path / "model")
    table = tmp_path / "posts.csv"
    table.write_text("text,label\n" + "\n".join(f"{text},{label}" for text, label in zip(TEXTS, LABELS, strict=True)))
    assert main(["evaluate", str(tmp_path / "model"), str(table), "-o", str(tmp_path / "out")]) == 130
    assert "Finished stages are kept in" in capsys.readouterr().err


def test_a_missing_extra_is_reported_before_anything_is_measured(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "lime.lime_base", None)
    with pytest.raises(MissingExtraError, match="baselines"):
        make_plan(model, slow=True)


@pytest.mark.slow
def test_planted_errors_are_measured_only_if_they_are_named(model: Any, tmp_path: Path) -> None:
    documents = [Document(f"{copy}-{each.id}", each.text, each.label) for copy in range(2) for each in DOCUMENTS]
    lines: list[str] = []
    plan = make_plan(model, measures=["planted-errors"])
    found = evaluate(model, documents, tmp_path / "out", plan=plan, log=lines.append)["planted-errors"]
    assert (found["documents"], found["planted"], found["folds"]) == (48, 2, 5)
    assert [row["method"] for row in found["rows"]] == list(RANKINGS)
    # two planted errors are too few for an interval and a verdict
    assert {row["auroc_interval"] for row in found["rows"]} == {None}
    verdicts = [row["differences"]["precision"]["verdict"] for row in found["rows"][1:]]
    assert verdicts == ["too few documents"] * 4
    assert any("trains the model 5 times on 38 documents" in line for line in lines)


def test_label_errors_are_the_documents_with_another_prediction(model: Any, tmp_path: Path) -> None:
    wrong = [Document("wrong", TEXTS[0], LABELS[-1]), *DOCUMENTS]
    plan = make_plan(model, measures=["errors"])
    found = evaluate(model, wrong, tmp_path / "out", plan=plan)["errors"]
    incorrect = [each for each in wrong if model.predict([each.text])[0] != each.label]
    assert {row["document_id"] for row in found["rows"]} == {each.id for each in incorrect}
    assert found["incorrect"] == len(incorrect)
    assert all(row["margin"] < 0 and row["given"] != row["predicted"] for row in found["rows"])
