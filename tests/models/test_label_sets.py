"""The labels that ``fit`` accepts in multi-label classification, and the messages about others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import textlrp
from textlrp.errors import DataError, OptionError
from textlrp.models.label_sets import indicator_of, training_labels, true_indicator

SETS = [["b", "a"], ["a"], [], ["c", "b"]]
MATRIX = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]])


@pytest.mark.parametrize(
    "y",
    [
        SETS,
        [tuple(labels) for labels in SETS],
        [set(labels) for labels in SETS],
        [frozenset(labels) for labels in SETS],
        [np.array(labels, dtype=object) for labels in SETS],
        iter(SETS),
        pd.Series(SETS),
        [[" a", "b "], ["a"], [], ["b", "c"]],
        [["a", "b", "b"], ["a"], [], ["b", "c"]],
    ],
)
@pytest.mark.filterwarnings("ignore:.*leading or trailing blanks")
def test_sets_of_labels(y: Any) -> None:
    classes, matrix = training_labels(y, 4)
    assert classes.tolist() == ["a", "b", "c"]
    assert np.array_equal(matrix, MATRIX)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (MATRIX, [0, 1, 2]),
        (MATRIX.astype(bool), [0, 1, 2]),
        (MATRIX.astype(float), [0, 1, 2]),
        (MATRIX.tolist(), [0, 1, 2]),
        (sparse.csr_matrix(MATRIX), [0, 1, 2]),
        (sparse.coo_array(MATRIX), [0, 1, 2]),
        (pd.DataFrame(MATRIX, columns=["x", "y", "z"]), ["x", "y", "z"]),
    ],
)
def test_indicator_matrices(y: Any, classes: list[Any]) -> None:
    found = training_labels(y, 4)
    assert found.classes.tolist() == classes
    assert np.array_equal(found.codes, MATRIX)


def test_classes_name_the_columns_and_their_order() -> None:
    assert training_labels(MATRIX, 4, ["z", "x", "y"]).classes.tolist() == ["z", "x", "y"]
    found = training_labels(SETS, 4, ["c", "b", "a", "unused"])
    assert found.classes.tolist() == ["c", "b", "a", "unused"]
    assert np.array_equal(found.codes[:, [2, 1, 0]], MATRIX)


def test_one_label_a_text_is_not_multi_label() -> None:
    assert training_labels(["a", "b", "a"], 3).codes.tolist() == [0, 1, 0]
    assert training_labels(np.array([[1], [0], [1]]), 3).codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([["a"], "b", []], r"^row 1: y must have a set of labels in every row if it has one in some; got 'b'\. Pass"),
        ([["a"], None, ["b"]], r"^row 1: y must have a set of labels in every row .* got None\."),
        ([["a"], ["b", None], []], r"^row 1: label is missing\."),
        ([["a"], [["b"]], []], r"^row 1: label must be a string, an int or a bool; got \['b'\]\."),
        ([["a"], [1], []], r"^the labels must have one type; got ints and strings\."),
        ([["a"], [], ["a"]], r"^the labels must have at least two classes; got only 'a'\."),
        ([[], [], []], r"^y must have at least one label; got only empty sets\."),
        ([["a"], ["b"]], r"^y must have 3 sets of labels, one for each text; got 2\."),
        (
            np.array([[0, 1], [1, 2], [0, 0]]),
            r"^row 1: an indicator matrix must have only 0 and 1; got .*2.* in column 1",
        ),
        (np.array([[0, 1], [1, np.nan], [0, 0]]), r"^row 1: an indicator matrix must have only 0 and 1; got .*nan"),
        (
            sparse.csr_matrix([[0, 1], [-1, 0], [0, 0]]),
            r"^row 1: an indicator matrix must have only 0 and 1; got .*-1",
        ),
        (np.array([["a", 1], [0, 0], [0, 0]], object), r"^row 0: an indicator matrix must have only 0 and 1"),
        (np.array([[0, 1], [1, 0]]), r"^y must have 3 rows, one for each text; got an array of shape \(2, 2\)\."),
        (np.zeros((3, 2, 2)), r"y must have one label for each text; got an array of shape \(3, 2, 2\)"),
    ],
)
def test_wrong_labels_are_named_with_their_row(y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        training_labels(y, 3)


def test_unknown_labels_are_named_with_the_closest_class() -> None:
    with pytest.raises(DataError, match=r"^row 1: label must be one of the 2 classes; got 'sports'\..*'sport'"):
        training_labels([["sport"], ["sports"]], 2, ["sport", "news"])
    with pytest.raises(DataError, match=r"^row 0: label must be one of the 2 classes; got 'x'"):
        indicator_of([["x"]], np.array(["a", "b"]))


@pytest.mark.parametrize("classes", [["a", "a"], ["a", 1], [], ["a", None]])
def test_wrong_classes(classes: Any) -> None:
    with pytest.raises(OptionError, match=r"^classes must"):
        training_labels(SETS, 4, classes)


def test_classes_are_refused_for_one_label_a_text() -> None:
    with pytest.raises(OptionError, match=r"^classes must be None unless y has a set of labels"):
        textlrp.BagOfWordsClassifier().fit(["good", "bad"], ["a", "b"], classes=["a", "b"])


def test_classes_must_fit_the_columns() -> None:
    with pytest.raises(DataError, match=r"^classes must have 3 labels, one for each column of y; got 2"):
        training_labels(MATRIX, 4, ["a", "b"])


def test_true_labels_of_a_score_may_have_any_form() -> None:
    classes = np.array(["a", "b", "c"])
    for y in (SETS, MATRIX, sparse.csr_matrix(MATRIX), MATRIX.tolist()):
        assert np.array_equal(true_indicator(y, classes), MATRIX)
