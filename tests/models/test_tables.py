"""Pipelines that read the columns of a table: texts with exact offsets, other columns as entries of the ledger."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import every
from laws import score_gap
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from test_fitted_models import rows
from toys import LABELS, TEXTS

from textlrp.errors import DataError, ModelError
from textlrp.explainers.explain import explain
from textlrp.models.pipeline.pipeline_model import pipeline_model
from textlrp.records import Document, Status

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FRAME = pd.DataFrame(
    {
        "title": [text.split()[0].upper() + " news" for text in TEXTS],
        "body": TEXTS,
        "price": np.linspace(1.0, 9.0, len(TEXTS)) ** 2,
        "year": [1990 + n % 7 for n in range(len(TEXTS))],
        "color": [["red", "blue", "green"][n % 3] for n in range(len(TEXTS))],
        "unused": range(len(TEXTS)),
    }
)
COLUMNS: dict[str, list[Any]] = {
    "two texts": [("title", CountVectorizer(), "title"), ("body", TfidfVectorizer(ngram_range=(1, 2)), "body")],
    "numbers": [
        ("body", TfidfVectorizer(), "body"),
        ("numbers", StandardScaler(), ["price", "year"]),
        ("color", OneHotEncoder(), ["color"]),
    ],
    "characters": [
        ("title", CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)), "title"),
        ("body", TfidfVectorizer(), 1),
        ("categories", OneHotEncoder(handle_unknown="ignore"), ["year", "color"]),
        ("rest", "passthrough", ["price"]),
        ("gone", "drop", ["unused"]),
    ],
    "decomposed": [
        ("title", CountVectorizer(binary=True), "title"),
        ("body", make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0)), "body"),
        ("size", FunctionTransformer(lambda texts: texts.str.len().to_frame() / 50), "body"),
    ],
    "one text twice": [("words", TfidfVectorizer(), "body"), ("pairs", CountVectorizer(ngram_range=(2, 2)), "body")],
}
AROUND: dict[str, Any] = {
    "svm": lambda columns: make_pipeline(columns, LinearSVC(random_state=0)),
    "grid": lambda columns: GridSearchCV(make_pipeline(columns, LogisticRegression(max_iter=5000)), {}, cv=2),
    "calibrated": lambda columns: CalibratedClassifierCV(make_pipeline(columns, LinearSVC(random_state=0)), cv=2),
}


def transformer(name: str) -> ColumnTransformer:
    return ColumnTransformer(COLUMNS[name], transformer_weights={"body": 2.0})


def decision(model: Any, frame: pd.DataFrame) -> Any:
    if isinstance(model, CalibratedClassifierCV):
        return np.mean([rows(f.estimator.decision_function(frame)) for f in model.calibrated_classifiers_], axis=0)
    return rows(model.decision_function(frame))


@every("name", COLUMNS)
@every("around", AROUND)
def test_relevance_and_ledger_sum_to_the_score(name: str, around: str) -> None:
    model = AROUND[around](transformer(name)).fit(FRAME, LABELS)
    some = FRAME.iloc[[0, 9, 20]]
    for rule in ("zero", "arras2017"):
        for why, scores in zip(explain(model, some, target="all", rule=rule), decision(model, some), strict=True):
            np.testing.assert_allclose(why.scores, scores, rtol=1e-9, atol=1e-10)
            assert score_gap(why) < 1e-10
            assert why.relevance.any()


def test_each_word_gets_its_coefficient_and_each_other_column_its_sum() -> None:
    model = make_pipeline(transformer("characters"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    row = FRAME.iloc[[4]]
    (why,) = explain(model, row, target="all", rule="zero")
    names = list(model[0].get_feature_names_out())
    values = model[0].transform(row)
    values = values.toarray()[0] if hasattr(values, "toarray") else values[0]
    products = values * model[1].coef_
    for column, features in (
        ("color", [n for n, name in enumerate(names) if "color" in name]),
        ("year", [n for n, name in enumerate(names) if "year" in name]),
        ("price", [n for n, name in enumerate(names) if "price" in name]),
    ):
        np.testing.assert_allclose(why.ledger["ngrams", f"column {column}"], products[:, features].sum(1), rtol=1e-12)
    of_body = [n for n, name in enumerate(names) if name.startswith("body__")]
    start = why.text.index("body\n") + 5
    inside = why.tokens.spans[:, 0] >= start
    np.testing.assert_allclose(why.relevance[:, inside].sum(1), products[:, of_body].sum(1), rtol=1e-10)
    for n in of_body:
        word = names[n].removeprefix("body__")
        if values[n] and row["body"].iloc[0].lower().split().count(word) == 1:
            found = re.search(rf"\b{word}\b", row["body"].iloc[0].lower())
            assert found is not None
            at = start + found.start()
            of_word = (why.tokens.spans[:, 0] >= at) & (why.tokens.spans[:, 1] <= at + len(word))
            assert why.relevance[:, of_word].sum(1) == pytest.approx(products[:, n], rel=1e-10, abs=1e-12)


def test_the_text_of_a_row_is_its_columns_under_their_names() -> None:
    model = make_pipeline(transformer("two texts"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    row = {"title": "The CAR news", "body": "the car,  the probe", "more": 1}
    why = explain(model, row)
    assert why.text == "title\nThe CAR news\n\nbody\nthe car,  the probe"
    assert [why.text[a:b] for a, b in why.tokens.spans] == [
        "title", "The", "CAR", "news", "body", "the", "car", "the", "probe",
    ]  # fmt: skip
    skipped = why.status == Status.SKIPPED
    assert [why.text[a:b] for a, b in why.tokens.spans[skipped]] == ["title", "body"]
    one = make_pipeline(transformer("one text twice"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    assert explain(one, row).text == row["body"]
    whys = list(explain(model, FRAME.head(2)))
    assert [why.document_id for why in whys] == ["1", "2"]
    assert [why.text for why in explain(model, [row])] == [why.text for why in explain(model, pd.DataFrame([row]))]


def test_dropping_words_leaves_the_other_columns() -> None:
    model = make_pipeline(transformer("numbers"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    adapted = pipeline_model(model)
    batch = adapted.encode(FRAME.head(2))
    nothing = adapted.scores(batch, keep=np.zeros((2, batch.lengths.max()), dtype=bool))
    empty = FRAME.head(2).assign(body="")
    np.testing.assert_allclose(nothing, model.decision_function(empty), rtol=1e-10)
    chosen = batch.select([1])
    np.testing.assert_allclose(adapted.scores(chosen), model.decision_function(FRAME.iloc[[1]]), rtol=1e-10)


def test_skipped_ranges_of_a_row_are_blanks() -> None:
    model = make_pipeline(transformer("two texts"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    adapted = pipeline_model(model)
    (row,) = adapted.rows([{"title": "car news", "body": "the doctor"}])
    skipping = dataclasses.replace(row, skip=np.array([[6, 9]], dtype=np.int32))
    why = explain(model, skipping, target="all")
    np.testing.assert_allclose(
        why.scores, decision(model, pd.DataFrame([{"title": "    news", "body": "the doctor"}]))[0]
    )
    assert why.status[0] == Status.SKIPPED


@every("method", ["gradient-x-input", "occlusion", "random"])
def test_other_methods_explain_a_table(method: str) -> None:
    model = make_pipeline(transformer("numbers"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    why = next(explain(model, FRAME.head(1), method=method))
    assert why.relevance.any()


@every(
    "texts, message",
    [
        ("a text", "the texts must be a DataFrame or dictionaries with the columns 'title', 'body', because this"),
        (["a text"], "with the columns 'title', 'body', because this model reads a table; got an object of type str"),
        ([Document("1", "a text")], "got an object of type Document. Pass the DataFrame"),
        (
            {"title": "a text"},
            "row 0: the table must have the column 'body', which the model reads; got",
        ),
        (FRAME[["title"]], "row 0: the table must have the column 'body'"),
        ({"title": "a", "body": None}, "row 0: column 'body' must be a text; got None. Write ''"),
        ([{"title": "a", "body": "b"}, {"title": "a", "body": 3}], "row 1: column 'body' must be a text; got 3"),
        (3, "got an object of type int"),
    ],
)
def test_something_else_than_the_table_is_refused(texts: Any, message: str) -> None:
    model = make_pipeline(transformer("two texts"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    with pytest.raises(DataError) as refused:
        list(explain(model, texts))
    assert message in str(refused.value)


def test_values_that_a_step_cannot_read_are_named() -> None:
    model = make_pipeline(transformer("numbers"), LinearSVC(random_state=0)).fit(FRAME, LABELS)
    with pytest.raises(DataError, match=r"step 'color' must have values as in training; scikit-learn reports: F"):
        next(explain(model, FRAME.head(1).assign(color="violet")))


@every(
    "columns, message",
    [
        ([("n", StandardScaler(), ["price"])], "must have a vectorizer for a text column; got none"),
        (
            [("t", make_pipeline(FunctionTransformer(lambda f: f["title"] + f["body"]), TfidfVectorizer()),
              ["title", "body"])],
            "step 't' must be a vectorizer of one text column; got a Pipeline of 'title', 'body' in a list",
        ),
    ],
)  # fmt: skip
def test_other_tables_are_refused_by_name(columns: list[Any], message: str) -> None:
    model: Pipeline = make_pipeline(ColumnTransformer(columns), LinearSVC()).fit(FRAME, LABELS)
    with pytest.raises(ModelError) as refused:
        pipeline_model(model)
    assert message in str(refused.value)
