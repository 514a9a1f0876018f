"""Wrong inputs and options: each is refused with one clear message. Unusual but correct inputs are accepted."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import every
from toys import KINDS, LABELS, TEXTS, VARIANT_OF, fitted, small

from textlrp.errors import DataError, OptionError, TextlrpError
from textlrp.records import Document

pytestmark = pytest.mark.parametrize("kind", KINDS)


def refusal(kind: str, X: Any, y: Any, **options: Any) -> str:
    """The message of the error that ``fit`` raises."""
    with pytest.raises(TextlrpError) as caught:
        small(kind, **options).fit(X, y)
    sentence = str(caught.value)
    assert sentence.endswith((".", ").")), sentence
    assert "\n" not in sentence
    assert len(sentence) < 250
    return sentence


def with_row(values: list[Any], row: int, value: Any) -> list[Any]:
    return [*values[:row], value, *values[row + 1 :]]


# ---- labels


def test_a_single_class(kind: str) -> None:
    assert refusal(kind, TEXTS, ["med"] * 24) == (
        "the labels must have at least two classes; got only 'med' in all 24 texts. Add texts of another class."
    )


@every(
    "labels",
    [
        with_row(LABELS, 3, ["med", "space"]),
        with_row(LABELS, 3, ("med", "space")),
        with_row(LABELS, 3, {"med"}),
        with_row(LABELS, 3, np.array(["med", "space"])),
    ],
)
def test_several_labels_in_a_row(kind: str, labels: list[Any]) -> None:
    sentence = refusal(kind, TEXTS, labels)
    assert sentence.startswith("row 3: label must be a single label; got ")
    assert sentence.endswith(". Keep one label or drop the row.")


def test_a_table_of_labels(kind: str) -> None:
    expected = "y must have at least one label; got only 0. Check the columns of the labels."
    assert refusal(kind, TEXTS, np.zeros((24, 3))) == expected
    assert refusal(kind, TEXTS, pd.DataFrame(np.zeros((24, 3)))) == expected


@every("missing", [None, float("nan"), np.float32("nan"), "", pd.NA, pd.NaT])
def test_a_missing_label(kind: str, missing: Any) -> None:
    expected = "row 5: label is missing. Fill it in or drop the row."
    assert refusal(kind, TEXTS, with_row(LABELS, 5, missing)) == expected
    with_index = pd.Series(with_row(LABELS, 5, missing), index=range(100, 124), dtype=object)
    assert refusal(kind, TEXTS, with_index) == expected


def test_labels_of_two_types(kind: str) -> None:
    for labels, types in ((with_row(LABELS, 0, 1), "ints and strings"), ([True, 1] * 12, "bools and ints")):
        assert refusal(kind, TEXTS, labels) == (
            f"the labels must have one type; got {types}. Convert them with str(label)."
        )


@every("label", [1.5, b"med", object()])
def test_a_label_of_another_type(kind: str, label: Any) -> None:
    assert refusal(kind, TEXTS, with_row(LABELS, 7, label)) == (
        f"row 7: label must be a string, an int or a bool; got {label!r}. Pass str(label)."
    )


@every("labels", [None, "med", 5, LABELS[:-1], [*LABELS, "med"], []])
def test_labels_that_do_not_fit_the_texts(kind: str, labels: Any) -> None:
    sentence = refusal(kind, TEXTS, labels)
    if isinstance(labels, list):
        assert sentence == (f"y must have 24 labels, one for each text; got {len(labels)}. Pass one per text.")
    else:
        assert sentence == f"y must be a list with one label for each text; got {labels!r}. Pass [label, ...]."


# ---- texts


@every(
    "text, what",
    [(None, "None"), (float("nan"), "NaN"), (np.float32("nan"), "NaN"), (pd.NA, "<NA>"), (3, "a value of type int"),
     (b"the", "a value of type bytes"), (["the"], "a value of type list")],
)  # fmt: skip
def test_a_row_without_a_text_is_named(kind: str, text: Any, what: str) -> None:
    bad = with_row(TEXTS, 4, text)
    assert refusal(kind, bad, LABELS) == (
        f"row 4: text must be a string; got {what}. Drop the row, or write '' for an empty text."
    )
    frame = pd.Series(bad, index=range(100, 124), dtype=object)
    model = fitted(VARIANT_OF[kind])
    for call in (model.predict, model.decision_function, model.encode):
        for X in (bad, frame, np.array(bad, dtype=object)):
            with pytest.raises(DataError, match=r"^row 4: text must be a string; got "):
                call(X)


@every("X", ["a text", b"a text", Document("1", "a text")])
def test_a_bare_text(kind: str, X: Any) -> None:
    expected = f"the texts must be a list; got one {type(X).__name__}. Put it in a list: [text]."
    assert refusal(kind, X, ["a"]) == expected
    with pytest.raises(DataError, match=re.escape(expected)):
        fitted(VARIANT_OF[kind]).predict(X)


NOT_A_LIST = "the texts must be a list of strings or Documents; got "


@every("X", [None, 5, object()])
def test_no_list_of_texts(kind: str, X: Any) -> None:
    got = "None" if X is None else f"an object of type {type(X).__name__}"
    assert refusal(kind, X, LABELS) == f"{NOT_A_LIST}{got}. Pass [text, ...]."


def test_tables_and_maps_of_texts(kind: str) -> None:
    table = pd.DataFrame({"text": TEXTS, "more": TEXTS})
    start = "the texts must be one column; got a table of shape "
    assert refusal(kind, table, LABELS) == f"{start}(24, 2). Pass one column: frame['text']."
    assert refusal(kind, np.array(TEXTS).reshape(12, 2), LABELS[:12]).startswith(f"{start}(12, 2)")
    assert refusal(kind, np.array("the text"), ["a"]).startswith(f"{start}()")
    assert refusal(kind, {"text": TEXTS}, ["a"]).startswith(f"{NOT_A_LIST}an object of type dict")


def test_no_texts(kind: str) -> None:
    assert refusal(kind, [], []) == ("the texts must be at least two, of two classes; got none. Check what was read.")


def test_texts_without_a_single_word(kind: str) -> None:
    assert refusal(kind, ["", "42"], ["a", "b"]).startswith("none of the 2 texts has a word to read")


def test_no_word_in_enough_documents(kind: str) -> None:
    sentence = refusal(kind, ["one", "two", "three"], ["a", "b", "a"], min_df=2)
    assert sentence == "every word is in fewer than min_df=2 of the 3 texts. Add texts, or lower min_df."


def test_a_failed_fit_leaves_no_half_fitted_model(kind: str) -> None:
    model = small(kind)
    with pytest.raises(DataError):
        model.fit(TEXTS, ["med"] * 24)
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "weights_")


# ---- options

SHARED = [
    {"min_df": 0}, {"min_df": 1.5}, {"min_df": "two"}, {"min_df": None}, {"max_tokens": 0}, {"max_tokens": 2.5},
    {"max_words": -1}, {"dtype": "float16"}, {"dtype": np.float32}, {"tokenizer": "nothing"}, {"tokenizer": 5},
    {"skip": "headers"}, {"skip": ("signatures",)}, {"skip": None}, {"class_weight": "even"},
    {"class_weight": {"astro": 2.0}}, {"class_weight": 3}, {"random_state": -1}, {"random_state": "lucky"},
    {"lowercase": "yes"}, {"stop_words": "english"}, {"stop_words": {"the"}}, {"stop_words": [""]},
    {"stop_words": ["the", 5]}, {"stop_words": ["\u200b"]},
]  # fmt: skip
NET = [
    {"embedding_dim": 0}, {"embedding_dim": "big"}, {"max_epochs": 0}, {"max_epochs": 2.5}, {"batch_size": 0},
    {"patience": 0}, {"dropout": 1.0}, {"dropout": -0.1}, {"word_dropout": 1}, {"label_smoothing": 1},
    {"validation_fraction": 1.0}, {"validation_fraction": float("nan")}, {"dropout": "half"}, {"learning_rate": 0},
    {"learning_rate": float("inf")}, {"weight_decay": -1}, {"train_tokens": 0}, {"vectors": 5},
    {"vectors": "no/such/vectors.txt"},
]  # fmt: skip
CNN = [
    {"widths": ()}, {"widths": 0}, {"widths": (1, 1)}, {"widths": (1, 2.5)}, {"widths": "two"}, {"widths": None},
    {"filters": 0}, {"filters": (1, 2)}, {"filters": 2.5}, {"filters": (1, 2, 0)}, {"pooling": "median"},
]  # fmt: skip
SVM = [
    {"ngrams": 0}, {"ngrams": 4}, {"ngrams": "all"}, {"min_df_ngrams": 0}, {"min_df_ngrams": 0.1}, {"C": 0},
    {"C": "much"}, {"C": float("nan")}, {"loss": "log"},
]  # fmt: skip
OF_KIND = {"cnn": SHARED + NET + CNN, "boe": SHARED + NET, "svm": SHARED + SVM}


def test_options_out_of_range_are_named(kind: str) -> None:
    for options in OF_KIND[kind]:
        ((name, value),) = options.items()
        with pytest.raises(TextlrpError) as caught:
            small(kind, **options).fit(TEXTS, LABELS)
        assert isinstance(caught.value, (OptionError, DataError)), options
        words = (name, str(value), *(value if isinstance(value, tuple) else ()))
        assert any(str(word) in str(caught.value) for word in words), f"{options}: {caught.value}"


def test_whole_numbers_of_numpy_are_whole_numbers(kind: str) -> None:
    options: dict[str, Any] = {"min_df": np.int64(1), "max_tokens": np.int32(9)}
    if kind == "cnn":
        options |= {"widths": np.array([1, 2]), "filters": np.int64(3)}
    model = small(kind, **options).fit(TEXTS, LABELS)
    assert model.predict(TEXTS[:1]).shape == (1,)
    assert len(model.fingerprint_) == 12


# ---- not errors


def test_empty_texts_are_counted_in_one_warning(kind: str) -> None:
    texts, labels = [*TEXTS, "", "42 %", " \n"], [*LABELS, "med", "space", "med"]
    with pytest.warns(UserWarning, match=r"^3 of 27 texts have no word to read.$") as caught:
        small(kind).fit(texts, labels)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@every("text", ["", " ", "42", "xylophone", "\u0000", "🚀", "ראשון", "\ud800"])
def test_texts_without_a_known_word_are_predicted_from_the_biases(kind: str, text: str) -> None:
    model = fitted(VARIANT_OF[kind])
    if kind != "cnn":  # the biases of the convolutions contribute as well
        np.testing.assert_allclose(model.decision_function([text])[0], model.weights_["output.bias"])
    np.testing.assert_array_equal(model.decision_function([text]), model.decision_function([""]))
    assert model.predict([text]).shape == (1,)


def test_large_and_strange_texts(kind: str) -> None:
    letters = "abcdefghijklmnopqrst"
    different = " ".join(a + b + c + d for a in letters for b in letters for c in letters for d in letters[:1])
    assert len(set(different.split())) > 7_000
    long = ("the doctor gave me a pill. " * 10_000)[:250_000]
    strange = "🚀🚀 שלום עולם الطريق طويل नमस्ते दुनिया e\u0301tude \u202ereversed\u202c zero\u200dwidth \x00 \x07"
    texts = [different, long, strange]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = small(kind, **({} if kind == "svm" else {"max_epochs": 1})).fit(
            TEXTS + texts, [*LABELS, *LABELS[-3:]]
        )
        assert np.isfinite(model.decision_function(texts)).all()
