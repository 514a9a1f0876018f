"""The component ``textlrp`` in a spaCy pipeline: results, batches, files, several components, errors, displaCy."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Token
from toys import LABELS, TEXTS

import textlrp
from textlrp.errors import DataError, ModelError, OptionError, RuleError, TargetError
from textlrp.explainers import named
from textlrp.spacy_pipe import (
    displacy_options,
    displacy_spans,
    entities_by_relevance,
    relevance_of_tokens,
    sentences_by_relevance,
    spacy_component,
)
from textlrp.spacy_pipe.spacy_results import texts_of_docs

ROOT = Path(__file__).parents[2]
TEXT = "The shuttle reached its orbit. My doctor gave me a pill."


@cache
def cnn() -> Any:
    return textlrp.CNNClassifier(random_state=0, max_epochs=2, min_df=1).fit(TEXTS, LABELS)


@cache
def svm() -> Any:
    return textlrp.BagOfWordsClassifier(min_df=1).fit(TEXTS, LABELS)


def pipeline(model: Any, name: str = "textlrp", nlp: Language | None = None, **config: Any) -> Language:
    nlp = nlp or spacy.blank("en")
    component: Any = nlp.add_pipe("textlrp", name=name, config=config)
    component.model = model
    return nlp


def test_the_entry_point_names_the_factory() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, name = settings["project"]["entry-points"]["spacy_factories"]["textlrp"].partition(":")
    assert getattr(import_module(module), name) is spacy_component.make_textlrp


@pytest.mark.slow
def test_every_program_that_uses_spacy_imports_the_component_without_the_models() -> None:
    heavy = ("numba", "sklearn", "pyarrow", "pandas", "matplotlib")
    code = f"import sys, textlrp.spacy_pipe.spacy_component; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_document_gets_probabilities_explanation_relevance_and_spans() -> None:
    doc = pipeline(cnn())(TEXT)
    why = textlrp.explain(cnn(), TEXT)
    assert doc._.explanation.relevance.tobytes() == why.relevance.tobytes()
    assert doc.cats == pytest.approx(dict(zip(why.labels, why.probabilities.tolist(), strict=True)))  # type: ignore[union-attr]
    assert sum(token._.relevance for token in doc) == pytest.approx(why.relevance.astype(float).sum(), rel=1e-12)
    assert doc[1]._.relevance == pytest.approx(float(why.relevance[0, 1]))
    assert doc[1:3]._.relevance == doc[1]._.relevance + doc[2]._.relevance
    group = doc.spans["textlrp"]
    assert group.attrs["target"] == why.labels[why.predicted]
    largest = max(abs(token._.relevance) for token in doc)
    expected = {token.i: token._.relevance for token in doc if abs(token._.relevance) >= 0.1 * largest}
    assert {span.start: span.label_ for span in group} == {
        i: "supports" if value > 0 else "opposes" for i, value in expected.items()
    }
    assert all(len(span) == 1 for span in group)


def test_a_model_without_probabilities_gives_scores() -> None:
    doc = pipeline(svm())(TEXT)
    assert list(doc.cats.values()) == textlrp.explain(svm(), TEXT).scores.tolist()


def test_options_choose_target_contrast_rule_and_method() -> None:
    nlp = pipeline(cnn(), target="med", versus="autos", rule="gamma")
    expected = textlrp.explain(cnn(), TEXT, target=("med", "autos"), rule="gamma")
    assert nlp(TEXT)._.explanation.relevance.tobytes() == expected.relevance.tobytes()
    every = pipeline(cnn(), target="all", method="gradient-x-input")(TEXT)
    assert every._.explanation.method == "gradient-x-input"
    for row, label in enumerate(every._.explanation.labels):
        total = every._.explanation.relevance[row].astype(float).sum()
        assert relevance_of_tokens(every, target=label).sum() == pytest.approx(total, rel=1e-9)


def test_a_stream_is_explained_in_one_call_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    explain_corpus = named.explain_corpus

    def counted(model: Any, documents: Any, **options: Any) -> Any:
        sizes.append(len(documents))
        return explain_corpus(model, documents, **options)

    monkeypatch.setattr(named, "explain_corpus", counted)
    nlp = pipeline(cnn())
    piped = list(nlp.pipe(TEXTS[:10], batch_size=4))
    assert sizes == [4, 4, 2]
    for text, doc in zip(TEXTS, piped, strict=False):
        assert np.allclose(doc._.explanation.relevance, nlp(text)._.explanation.relevance, atol=1e-5)
    assert list(nlp.pipe([])) == []
    assert [doc._.explanation.text for doc in nlp.pipe(["", "  ", "\n\n."])] == ["", "  ", "\n\n."]


def test_components_with_other_names_do_not_overwrite_each_other() -> None:
    nlp = pipeline(svm(), "bag", pipeline(cnn()), target="med")
    doc = nlp(TEXT)
    assert doc._.explanation.model != doc._.explanation_bag.model
    assert set(doc.cats) == {"autos", "med", "space", "bag:autos", "bag:med", "bag:space"}
    assert set(doc.spans) == {"textlrp", "bag"}
    assert doc.spans["bag"].attrs["target"] == "med"
    total = doc._.explanation_bag.relevance.astype(float).sum()
    assert sum(token._.relevance_bag for token in doc) == pytest.approx(total)
    assert doc[:]._.relevance_bag == pytest.approx(relevance_of_tokens(doc, component="bag").sum())


@pytest.mark.parametrize("kind", ["cnn", "svm", "pipeline"])
def test_a_saved_pipeline_contains_the_model(tmp_path: Path, kind: str) -> None:
    model = {"cnn": cnn, "svm": svm, "pipeline": sklearn_pipeline}[kind]()
    nlp = pipeline(model, target="med", min_share=0.3)
    doc = nlp(TEXT)
    nlp.to_disk(tmp_path / "saved")
    again = spacy.blank("en")
    again.add_pipe("textlrp", config={"model": "a folder that does not exist", "target": "med", "min_share": 0.3})
    again.from_bytes(nlp.to_bytes())
    for loaded in (spacy.load(tmp_path / "saved"), again):
        found = loaded(TEXT)
        assert found._.explanation.relevance.tobytes() == doc._.explanation.relevance.tobytes()
        assert [str(span) for span in found.spans["textlrp"]] == [str(span) for span in doc.spans["textlrp"]]
        assert found.cats == doc.cats


def test_the_model_is_loaded_with_the_first_document_and_not_before() -> None:
    # Python below 3.12 reads all attributes of a component, in any order, when spaCy looks for listeners
    for options in ({}, {"model": "a folder that does not exist"}):
        nlp = spacy.blank("en")
        component: Any = nlp.add_pipe("textlrp", config=options)
        assert component.model is None
        with pytest.raises(ModelError):
            nlp("a text")


@pytest.mark.parametrize("order", [("cnn", "pipeline"), ("pipeline", "cnn")])
def test_the_model_that_was_saved_last_is_loaded(tmp_path: Path, order: tuple[str, str]) -> None:
    models = {"cnn": cnn, "pipeline": sklearn_pipeline}
    for kind in order:
        nlp = pipeline(models[kind]())
        nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved")(TEXT).cats == nlp(TEXT).cats
    assert len(list((tmp_path / "saved" / "textlrp").iterdir())) == 1


def test_a_folder_that_is_not_a_model_is_not_removed(tmp_path: Path) -> None:
    notes = tmp_path / "saved" / "textlrp" / "model" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    for model in (sklearn_pipeline(), cnn()):
        with pytest.raises(ModelError):
            pipeline(model).to_disk(tmp_path / "saved")
    assert notes.read_text() == "mine"


@pytest.mark.parametrize(
    "data", [[1], {"model/config.json": "text"}, {1: b""}, {"../../model": b""}, b"\xc1", b"damaged data", b""]
)
def test_damaged_bytes_are_refused(data: Any) -> None:
    component: Any = pipeline(cnn()).get_pipe("textlrp")
    with pytest.raises(ModelError, match="the data of the pipeline must contain"):
        component.from_bytes(data if isinstance(data, bytes) else srsly.msgpack_dumps(data))


@cache
def sklearn_pipeline() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)


def test_a_model_without_a_file_format_can_be_left_out(tmp_path: Path) -> None:
    function = textlrp.wrap(lambda texts: np.ones((len(texts), 2)), classes=["a", "b"])
    nlp = pipeline(function, method="occlusion")
    with pytest.raises(ModelError, match=r"assign component\.model after loading"):
        nlp.to_disk(tmp_path / "saved")
    nlp.to_disk(tmp_path / "without", exclude=["textlrp"])
    loaded = spacy.load(tmp_path / "without")
    component: Any = loaded.get_pipe("textlrp")
    component.model = function
    assert loaded("some words").cats == {"a": 1.0, "b": 1.0}


def test_initialize_takes_a_folder_or_an_object(tmp_path: Path) -> None:
    svm().save(tmp_path / "model")
    for model in (svm(), str(tmp_path / "model")):
        nlp = spacy.blank("en")
        component: Any = nlp.add_pipe("textlrp")
        component.initialize(list, nlp=nlp, model=model)
        assert nlp(TEXT)._.explanation.model == svm().fingerprint_
    nlp = spacy.blank("en")
    nlp.add_pipe("textlrp")
    nlp.config["initialize"]["components"]["textlrp"] = {"model": str(tmp_path / "model")}
    nlp.initialize()
    assert nlp(TEXT)._.explanation.model == svm().fingerprint_


def test_documents_survive_serialization_with_and_without_their_user_data() -> None:
    nlp = pipeline(cnn())
    doc = nlp(TEXT)
    (read,) = DocBin(store_user_data=True, docs=[doc]).get_docs(nlp.vocab)
    assert read._.explanation.to_json() == doc._.explanation.to_json()
    assert [token._.relevance for token in read] == [token._.relevance for token in doc]
    copied = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert copied._.explanation.to_json() == doc._.explanation.to_json()
    assert copied.spans["textlrp"].attrs == doc.spans["textlrp"].attrs
    (plain,) = DocBin(docs=[doc]).get_docs(nlp.vocab)
    assert plain._.explanation is None
    assert plain[0]._.relevance is None
    assert plain[:2]._.relevance is None
    assert plain.cats == pytest.approx(doc.cats)
    assert [str(span) for span in plain.spans["textlrp"]] == [str(span) for span in doc.spans["textlrp"]]
    with pytest.raises(DataError, match="'textlrp' has processed"):
        relevance_of_tokens(plain)


def test_relevance_follows_tokens_that_are_merged_or_cut_out() -> None:
    doc = pipeline(cnn())(TEXT)
    shuttle, total = doc[1]._.relevance + doc[2]._.relevance, doc[:]._.relevance
    with doc.retokenize() as changes:
        changes.merge(doc[1:3])
    assert doc[1]._.relevance == pytest.approx(shuttle)
    assert doc[:]._.relevance == pytest.approx(total)
    part = doc[1:3].as_doc(copy_user_data=True)
    assert part[0]._.relevance is None
    with pytest.raises(DataError, match="got another text"):
        relevance_of_tokens(part)


def test_sentences_and_entities_are_ranked_by_relevance() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "THING", "pattern": word} for word in ("pill", "shuttle", "doctor")])
    doc = pipeline(cnn(), nlp=nlp, target="med")(TEXT)
    sentences = sentences_by_relevance(doc)
    assert [each.span.start for each in sentences] == [6, 0]
    assert sum(each.relevance for each in sentences) == pytest.approx(doc[:]._.relevance)
    entities = entities_by_relevance(doc)
    assert {str(each.span) for each in entities} == {"pill", "shuttle", "doctor"}
    assert str(entities[-1].span) == "shuttle"
    assert [each.relevance for each in entities] == sorted((e._.relevance for e in doc.ents), reverse=True)
    blank = pipeline(cnn())(TEXT)
    assert entities_by_relevance(blank) == []
    with pytest.raises(DataError, match="sentencizer"):
        sentences_by_relevance(blank)


def test_a_text_that_cannot_be_explained_goes_to_the_error_handler() -> None:
    def scores(texts: Any) -> Any:
        return np.array([[np.nan if "bad" in text else len(text), 1.0] for text in texts])

    nlp = pipeline(textlrp.wrap(scores, classes=["a", "b"]), method="occlusion")
    with pytest.raises(ModelError):
        list(nlp.pipe(["good", "bad", "fine"]))
    failed: list[str] = []
    nlp.set_error_handler(lambda name, component, docs, error: failed.extend(doc.text for doc in docs))
    assert [doc.text for doc in nlp.pipe(["good", "bad", "fine"])] == ["good", "fine"]
    assert failed == ["bad"]


def test_errors_name_the_parameter() -> None:
    nlp = spacy.blank("en")
    with pytest.raises(OptionError, match=r"min_share must be from 0 to 1; got 2\.0"):
        nlp.add_pipe("textlrp", config={"min_share": 2.0})
    with pytest.raises(RuleError, match="gama"):
        nlp.add_pipe("textlrp", config={"rule": "gama"})
    nlp.add_pipe("textlrp")
    with pytest.raises(ModelError, match="'textlrp' must have a model; got none"):
        nlp(TEXT)
    with pytest.raises(TargetError, match="moon"):
        pipeline(cnn(), target="moon")(TEXT)
    with pytest.raises(ModelError, match="no model at 'missing'"):
        spacy.blank("en").add_pipe("textlrp", config={"model": "missing"})(nlp.make_doc(TEXT))  # type: ignore[operator]
    Token.set_extension("relevance_mine", default=0)
    try:
        with pytest.raises(OptionError, match=r"token\._\.relevance_mine"):
            nlp.add_pipe("textlrp", name="mine")
    finally:
        Token.remove_extension("relevance_mine")


def test_displacy_draws_the_spans_and_escapes_the_text() -> None:
    doc = pipeline(cnn())("The <script>alert(1)</script> shuttle & my doctor.")
    page = displacy.render(doc, style="span", options=displacy_options())
    assert page.count("supports") == sum(span.label_ == "supports" for span in doc.spans["textlrp"]) > 0
    assert "#f58574" in page
    data, options = displacy_spans(doc)
    drawn = displacy.render(data, style="span", manual=True, options=options)
    largest = max(doc, key=lambda token: abs(token._.relevance))
    label = next(span["label"] for span in data["spans"] if span["start_token"] == largest.i)
    assert f"{abs(largest._.relevance):.2f}" in label
    assert options["colors"][label] in ("#f58574", "#7fb0f5")
    assert label in drawn
    for html in (page, drawn):
        assert "<script" not in html
    with pytest.raises(OptionError, match="palette"):
        displacy_options(palette="green")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_worker_processes_give_the_same_results(method: str) -> None:
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    threads = {"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "helpers" / "piped_in_processes.py"), method],
        env=os.environ | threads | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.stdout.split() == ["30", "True", "True", "True"], done.stderr


BLANK = spacy.blank("en")


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_texts_of_documents_are_their_texts(texts: list[str]) -> None:
    docs = [BLANK.make_doc(text) for text in texts]
    assert texts_of_docs(docs) == [doc.text for doc in docs] == texts
