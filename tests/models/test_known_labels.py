"""Labels as users write them: numbers, blanks, labels that look the same, and labels that are not a class."""

from __future__ import annotations

import unicodedata
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from toys import LABELS, TEXTS, small

import textlrp
from textlrp.bulk.shards import split_into_shards
from textlrp.cli import main
from textlrp.cli.corpus_report import report_corpus
from textlrp.cli.predictions import accuracy, predict, write_predictions
from textlrp.cli.two_sides import Comparison, write_comparison
from textlrp.cli.word_tables import words_of_classes, write_words
from textlrp.errors import DataError
from textlrp.evaluation.measured_corpus import score_corpus
from textlrp.models.base import TextClassifier
from textlrp.models.known_labels import KnownLabels
from textlrp.models.options import check_labels
from textlrp.records import Document
from textlrp.store import read, write
from textlrp.text.corpora import Corpus
from textlrp.text.readers import Record

NUMBERS = {"autos": "0.0", "med": "1.0", "space": "2.0"}


@cache
def model() -> TextClassifier:
    return small("svm").fit(TEXTS, [NUMBERS[label] for label in LABELS])


def documents(*labels: Any) -> list[Document]:
    return [Document(str(n), TEXTS[n], label) for n, label in enumerate(labels)]


# ---- one check for all commands


@every("label", ["1.0", "1", 1, "1.00", "1e0", "+1"])
def test_equal_numbers_are_the_same_label(label: Any) -> None:
    assert KnownLabels(["0.0", "1.0"]).class_of(label) == "1.0"


@every("label", ["2", "one", True, "nan", "", "1_0"])
def test_other_labels_are_not_a_class(label: Any) -> None:
    assert KnownLabels(["0.0", "1.0"]).class_of(label) is None


def test_a_number_of_two_classes_matches_neither() -> None:
    known = KnownLabels(["1", "1.0"])
    assert [known.class_of(label) for label in ("1", "1.0", "1.00")] == ["1", "1.0", None]


@given(st.lists(st.text(max_size=4) | st.integers(), max_size=5), st.text(max_size=4))
def test_a_class_is_always_itself(classes: list[Any], label: str) -> None:
    known = KnownLabels(classes)
    assert all(str(known.class_of(name)) == str(name) for name in classes)
    found = known.class_of(label)
    assert found is None or found in classes


def test_one_warning_names_unknown_labels_and_similar_classes() -> None:
    known = KnownLabels(["sports", "politics"])
    list(known.resolve(documents("sports", "Sport", "x")))
    with pytest.warns(UserWarning, match=r"2 of 3 labels .*'Sport' \(did you mean 'sports'\?\)") as said:
        known.warn()
    assert len(said) == 1


def test_predictions_leave_unknown_labels_out_of_the_accuracy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert accuracy(predict(model(), documents("0", 0, "0.0"))) == 1
    with pytest.warns(UserWarning, match="2 of 4 labels are not classes"):
        found = list(predict(model(), documents("0", "autos", "0", "car")))
    assert [prediction.correct for prediction in found] == [True, None, True, None]
    assert accuracy(found) == 1


def test_reports_leave_them_out(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="2 of 4 labels are not classes"):
        page = report_corpus(model(), documents("0", "autos", "0", "car"), tmp_path / "a.html")
    written = page.read_text(encoding="utf-8")
    assert "2 of 2 labeled documents" in written
    assert "2 documents with a label that is not a class of the model are not counted" in written
    asked = Comparison(against_rule="zero")
    with pytest.warns(UserWarning, match="2 of 4 labels are not classes"):
        page = write_comparison(model(), documents("0", "autos", "0", "car"), tmp_path / "b.html", asked)
    assert "2 labeled documents" in page.read_text(encoding="utf-8")


def test_evaluations_leave_them_out() -> None:
    with pytest.warns(UserWarning, match="1 of 3 labels are not classes"):
        read = score_corpus(model(), documents("0", "x", 0))
    assert read.true_label.tolist() == [0, -1, 0]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_command_line_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model().save(tmp_path / "model")
    rows = "".join(f"{text},{label}\n" for text, label in zip(TEXTS[:3], ("0", "0", "zero"), strict=True))
    (tmp_path / "a.csv").write_text("text,label\n" + rows)
    assert main(["predict", str(tmp_path / "model"), str(tmp_path / "a.csv")]) == 0
    said = capsys.readouterr().err
    assert "1 of 3 labels are not classes of the model: 'zero'" in said
    assert "100.0% (2 of 2 labeled texts)" in said


# ---- labels that look the same, and unusable labels


def test_blanks_at_the_edges_are_removed_at_fit() -> None:
    labels = [label + " \u00a0\u200b"[n % 4 : n % 4 + 1] for n, label in enumerate(LABELS)]
    with pytest.warns(UserWarning, match=r"labels have leading or trailing blanks, .* is 'autos ' in row 0\."):
        fitted = small("svm").fit(TEXTS, labels)
    assert fitted.classes_.tolist() == sorted(set(LABELS))


@every("other", ["Caf\u00e9", "cafe\u0301", "CAF\u00c9", "ca\u200bf\u00e9", "caf\u00e9\ufe0f"])
def test_classes_that_look_the_same_are_named(other: str) -> None:
    with pytest.warns(UserWarning, match="look the same but are different classes") as said:
        classes, _ = check_labels(["caf\u00e9", other, "tea"], 3)
    assert len(classes) == 3
    assert ascii(other) in str(said[0].message)
    assert unicodedata.normalize("NFC", "cafe\u0301") == "caf\u00e9"


@every(
    "labels",
    [
        [2**70, 1], [-(2**70), 1], [2**63, 1], np.array([2**63, 1], np.uint64), [1e30, 1.0], [1.5, 2.5],
        [1, "a"], [True, "a"], [True, 3], [None, "a"], [float("nan"), "a"], [b"a", b"b"], [object(), object()],
        [[None], ["b"]], [{}, {}], [2**70, "a"], [10**400, 1], [complex(1), complex(2)],
    ],
)  # fmt: skip
def test_unusable_labels_are_refused_with_one_message(labels: Any) -> None:
    with pytest.raises(DataError, match=r"^row \d: label |^the labels must have one type; got "):
        small("svm").fit(["good film", "bad film"], labels)


@pytest.mark.parametrize("kind", [np.uint64, np.uint8, np.int16, object])
def test_whole_numbers_of_any_kind_are_labels(kind: Any) -> None:
    labels = np.array([n % 3 for n in range(len(TEXTS))], dtype=kind)
    fitted = small("svm").fit(TEXTS, labels)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.classes_.dtype == np.int64
    mixed = [np.uint64(1), np.int64(2), 3]
    assert check_labels(mixed, 3)[0].dtype == np.int64


# ---- half characters


@pytest.mark.filterwarnings("ignore:.*not classes of the model:UserWarning")
def test_half_characters_reach_every_table(tmp_path: Path) -> None:
    document = Document("id\ud83d", "the doctor\ud83d gave \udc80 me", "0\ud800")
    why = textlrp.explain(model(), document)
    frame = why.to_frame(ledger=True)
    assert frame["token"].tolist()[: len(why.tokens)] == [
        t.replace("\ud83d", "\ufffd").replace("\udc80", "\ufffd") for t in why.tokens
    ]
    with pytest.warns(UserWarning, match="half a surrogate pair"):
        write([why], tmp_path / "a.parquet")
    (stored,) = read(tmp_path / "a.parquet")
    assert stored.text == "the doctor\ufffd gave \ufffd me"
    assert stored.relevance.tolist() == why.relevance.tolist()
    with pytest.warns(UserWarning, match="half a surrogate pair"):
        (table,) = split_into_shards([Record(document.id, document.text, "a")])
    assert table["text"][0].as_py() == "the doctor\ufffd gave \ufffd me"
    write_predictions(predict(model(), [document]), tmp_path / "a.csv")
    found = words_of_classes(model(), Corpus(lambda: iter([document]), name="one"))
    for name in ("w.csv", "w.jsonl"):
        assert "id\ufffd" in write_words(found, tmp_path / name).read_text(encoding="utf-8")
