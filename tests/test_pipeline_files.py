"""Load scikit-learn pipelines from files: the skops format with an allow-list, a pickle only if it is trusted."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pytest
import skops.io
from cases import every
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import LinearSVC
from toys import LABELS, TEXTS, fitted

import textlrp
from textlrp import cli
from textlrp.errors import MissingExtraError, ModelError, OptionError
from textlrp.explainers.explain import explain
from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model

STEPS: dict[str, Callable[[], list[Any]]] = {
    "SVM": lambda: [TfidfVectorizer(), LinearSVC()],
    "counts": lambda: [CountVectorizer(analyzer="char_wb", ngram_range=(1, 3)), TfidfTransformer(), SGDClassifier()],
    "hashed": lambda: [HashingVectorizer(n_features=64), OneVsRestClassifier(LogisticRegression())],
    "selected": lambda: [CountVectorizer(), SelectKBest(chi2, k=9), MultinomialNB()],
    "sparse": lambda: [CountVectorizer(), LogisticRegression()],
    "union": lambda: [
        FeatureUnion([("a", TfidfVectorizer()), ("b", CountVectorizer(stop_words="english"))]),
        MaxAbsScaler(),
        LinearSVC(),
    ],
}


def own_words(text: str) -> list[str]:
    """A user's own tokenizer."""
    return text.split()


def trained(name: str = "SVM") -> Pipeline:
    pipeline = make_pipeline(*STEPS[name]()).fit(TEXTS, LABELS)
    if name == "sparse":
        pipeline[-1].sparsify()
    return pipeline


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    skops.io.dump(trained(), "pipe.skops")
    joblib.dump(trained(), "pipe.joblib")
    Path("pipe.pkl").write_bytes(pickle.dumps(trained()))
    rows = [json.dumps({"text": text, "label": label}) for text, label in zip(TEXTS, LABELS, strict=True)]
    Path("some.jsonl").write_text("\n".join(rows))

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Outcome(code, *capfd.readouterr())

    return run


# ---- Python


@every("name", STEPS)
def test_a_loaded_pipeline_is_the_one_that_was_stored(name: str, tmp_path: Path) -> None:
    pipeline = trained(name)
    skops.io.dump(pipeline, tmp_path / "pipe.skops")
    model = textlrp.load(tmp_path / "pipe.skops")
    assert isinstance(model, PipelineModel)
    own = pipeline_model(pipeline)
    assert model.fingerprint_ == own.fingerprint_
    assert model.scores(model.encode(TEXTS)).tobytes() == own.scores(own.encode(TEXTS)).tobytes()
    why, other = explain(model, TEXTS[0], target="all"), explain(pipeline, TEXTS[0], target="all")
    assert why.relevance.tobytes() == other.relevance.tobytes()


@pytest.mark.parametrize("end", ["joblib", "pkl", "pickle"])
def test_a_pickle_is_loaded_only_if_it_is_trusted(end: str, tmp_path: Path) -> None:
    path = tmp_path / f"pipe.{end}"
    joblib.dump(trained(), path)
    with pytest.raises(
        ModelError,
        match=r"in the skops format; got a pickle.*skops\.io\.dump\(pipeline, \"pipe\.skops\"\).*--trust-pickle",
    ):
        textlrp.load(path)
    with pytest.warns(UserWarning, match=r"is a pickle: loading it runs any code that it contains"):
        model = textlrp.load(path, trust_pickle=True)
    assert isinstance(model, PipelineModel)


def test_a_pickle_that_is_not_trusted_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "made"), "w"))

    for name in ("pipe.pkl", "pipe.joblib", "pipe.skops"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ModelError):
            textlrp.load(tmp_path / name)
    assert not (tmp_path / "made").exists()


def test_types_that_are_not_allowed_are_named(tmp_path: Path) -> None:
    pipeline = make_pipeline(CountVectorizer(tokenizer=own_words, token_pattern=None), LinearSVC()).fit(TEXTS, LABELS)
    skops.io.dump(pipeline, tmp_path / "pipe.skops")
    with pytest.raises(
        ModelError, match=rf"must contain only types that are safe to load; got {__name__}\.own_words\. Use"
    ):
        textlrp.load(tmp_path / "pipe.skops")


def test_a_pickled_textlrp_classifier(tmp_path: Path) -> None:
    joblib.dump(fitted("svm"), tmp_path / "svm.joblib")
    with pytest.warns(UserWarning, match="is a pickle"):
        assert textlrp.load(tmp_path / "svm.joblib", trust_pickle=True).fingerprint_ == fitted("svm").fingerprint_


def test_without_skops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skops.io.dump(trained(), tmp_path / "pipe.skops")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(MissingExtraError, match=r"needs the package skops, .*Run: pip install 'textlrp\[skops\]'"):
        textlrp.load(tmp_path / "pipe.skops")


def test_options_of_textlrp_classifiers_are_refused(tmp_path: Path) -> None:
    skops.io.dump(trained(), tmp_path / "pipe.skops")
    with pytest.raises(OptionError, match=r"tokenizer must be None for a scikit-learn pipeline"):
        textlrp.load(tmp_path / "pipe.skops", tokenizer=own_words)


def edited(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the schema in a skops file."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["schema.json"] = change(entries["schema.json"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


@every(
    "change",
    [
        lambda schema: b"{",
        lambda schema: b"[]",
        lambda schema: b"{}",
        lambda schema: schema.replace(b"TfidfVectorizer", b"TfidfVectorixer"),
        lambda schema: schema.replace(b'"sklearn.svm', b'"sklearn.svn'),
        lambda schema: schema.replace(b'.npy"', b'.npx"'),
        lambda schema: schema.replace(b'"__class__"', b'"__klass__"', 5),
    ],
)
def test_a_damaged_file(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "pipe.skops"
    skops.io.dump(trained(), path)
    edited(path, change)
    with pytest.raises(ModelError, match=r"pipe\.skops ") as caught:
        textlrp.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + bytes(100)])
def test_a_file_that_is_not_skops(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "pipe.skops").write_bytes(data)
    with pytest.raises(
        ModelError, match=r"must contain a fitted text pipeline; it is damaged, or contains something else"
    ):
        textlrp.load(tmp_path / "pipe.skops")


def test_only_fitted_pipelines_are_loaded(tmp_path: Path) -> None:
    skops.io.dump({"a": np.ones(3)}, tmp_path / "pipe.skops")
    with pytest.raises(ModelError, match=r"cannot be used: model must be a fitted scikit-learn Pipeline; got a dict"):
        textlrp.load(tmp_path / "pipe.skops")
    skops.io.dump(make_pipeline(CountVectorizer(), LinearSVC()), tmp_path / "pipe.skops")
    with pytest.raises(ModelError, match=r"cannot be used: the CountVectorizer 'countvectorizer' must be fitted"):
        textlrp.load(tmp_path / "pipe.skops")


def columns_beyond(pipeline: Pipeline) -> None:
    pipeline[0].vocabulary_["car"] = 10**6


def sparse_beyond(pipeline: Pipeline) -> None:
    pipeline[-1].coef_ = sparse.csr_matrix(pipeline[-1].coef_)
    pipeline[-1].coef_.indices[-1] = 10**6


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (columns_beyond, "vocabulary_ of the TfidfVectorizer"),
        (sparse_beyond, "coef_ of the LinearSVC must be a valid"),
    ],
)
def test_indices_outside_an_array_are_found(damage: Callable[[Any], None], reason: str, tmp_path: Path) -> None:
    """scipy's compiled loops do not check indices."""
    pipeline = trained()
    damage(pipeline)
    skops.io.dump(pipeline, tmp_path / "pipe.skops")
    with pytest.raises(ModelError, match=reason):
        textlrp.load(tmp_path / "pipe.skops")


# ---- the command line


@pytest.mark.parametrize(
    "model", [("pipe.skops",), ("pipe.joblib", "--trust-pickle"), ("pipe.pkl", "--trust-pickle")], ids=lambda m: m[0]
)
def test_commands_accept_a_pipeline(model: tuple[str, ...], run: Run) -> None:
    name, *trust = model
    result = run("predict", name, "some.jsonl", *trust)
    assert result.code == 0
    assert len(result.out.splitlines()) == 25
    assert result.err.endswith("accuracy: 100.0% (24 of 24 labeled texts)\n")
    assert ("is a pickle: loading it runs any code that it contains." in result.err) == bool(trust)
    result = run("explain", name, "--text", "the doctor and the car", *trust)
    assert result.code == 0
    assert "doctor" in result.out
    assert run("report", name, "some.jsonl", "-o", "page.html", *trust).code == 0
    assert "doctor" in Path("page.html").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "pipe.skops", "some.jsonl", "-o", "folder", "--workers", 1),
        ("explain", "pipe.skops", "some.jsonl", "--rules", "epsilon,gamma", "-o", "gallery.html"),
        pytest.param(("report", "pipe.skops", "some.jsonl", "-o", "pages"), marks=pytest.mark.slow),
        ("report", "pipe.skops", "some.jsonl", "--against", "pipe.joblib", "--trust-pickle", "-o", "two.html"),
        ("words", "pipe.skops", "some.jsonl"),
    ],
    ids=lambda arguments: f"{arguments[0]} to {arguments[-1]}",
)
def test_other_ways_to_show_a_pipeline(arguments: tuple[Any, ...], run: Run) -> None:
    result = run(*arguments)
    assert result.code == 0, result.err


@every(
    "arguments, sentence",
    [
        (("predict", "pipe.joblib", "--text", "a car"), "pipe.joblib must be in the skops format; got a pickle, and"),
        (
            ("explain", "pipe.pkl", "some.jsonl", "-o", "f", "--trust-pickle"),
            "--trust-pickle cannot be used with an output folder",
        ),
        (
            ("evaluate", "pipe.skops", "some.jsonl", "-o", "out"),
            "the model must be one that textlrp trained; got the scikit-learn pipeline pipe.skops.",
        ),
        (
            ("evaluate", "pipe.joblib", "some.jsonl", "-o", "out", "--trust-pickle"),
            "the model must be one that textlrp trained; got the scikit-learn pipeline pipe.joblib.",
        ),
        (
            ("filters", "pipe.pkl", "some.jsonl", "--trust-pickle"),
            "the model must be one that textlrp trained; got the scikit-learn pipeline pipe.pkl.",
        ),
        (
            ("filters", "pipe.skops", "some.jsonl"),
            "the model must be one that textlrp trained; got the scikit-learn pipeline pipe.skops.",
        ),
        (
            ("train", "some.jsonl", "--vectors", "pipe.skops", "-o", "m"),
            "line 1 (pipe.skops): must be a word",
        ),
        (("predict", "nothing.skops", "--text", "a car"), "no model at 'nothing.skops'"),
    ],
)
def test_unsupported_uses_of_a_pipeline_are_refused_in_one_sentence(
    arguments: tuple[Any, ...], sentence: str, run: Run
) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.err.startswith(f"textlrp: {sentence}")
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_stored_perceptron_is_loaded(solver: str, tmp_path: Path) -> None:
    pipeline = make_pipeline(CountVectorizer(), MLPClassifier((3,), solver=solver, max_iter=3)).fit(TEXTS, LABELS)
    skops.io.dump(pipeline, tmp_path / "pipe.skops")
    assert textlrp.load(tmp_path / "pipe.skops").fingerprint_ == pipeline_model(pipeline).fingerprint_
