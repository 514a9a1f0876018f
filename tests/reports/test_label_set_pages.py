"""Pages, terminal and stored files of multi-label explanations name all predicted and all true labels."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from explanations import make_explanation
from rich.console import Console

from textlrp.bulk import BatchExplainer
from textlrp.cli.terminal import print_explanation
from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.reports.comparison.comparison_page import comparison_page
from textlrp.reports.corpus.report_files import list_page
from textlrp.reports.document import document_page, mail_fragment
from textlrp.reports.outcomes import is_correct, label_set_sentence
from textlrp.store import read, write

LABELS = ("law", "med", "space")


def several(scores: list[float], true: tuple[str, ...] | None, document_id: str = "1") -> Explanation:
    """An explanation of a model with the thresholds 0.5, 0 and -1, for all its labels."""
    why = make_explanation(labels=LABELS, targets=(0, 1, 2), probabilities=None)
    values, thresholds = (np.array(each, dtype=np.float32) for each in (scores, [0.5, 0.0, -1.0]))
    return replace(
        why,
        document_id=document_id,
        scores=values,
        thresholds=thresholds,
        true_labels=true,
        true_label=None,
        score_name="score",
    )


CORRECT = several([1.0, -0.5, 0.25], ("space", "law"))
WRONG = several([0.25, 2.0, -2.0], ("law", "med"), "2")
NONE = several([0.25, -2.0, -2.0], (), "3")
UNKNOWN = several([1.0, 1.0, -2.0], ("law", "other"), "4")
UNLABELED = several([1.0, 1.0, -2.0], None, "5")
EVERY = (CORRECT, WRONG, NONE, UNKNOWN, UNLABELED)


def test_predicted_labels_are_ordered_by_score_above_the_threshold() -> None:
    assert CORRECT.predicted_labels == ("space", "law")
    assert CORRECT.predicted == 2
    assert NONE.predicted_labels == ()
    assert [is_correct(each) for each in EVERY] == [True, False, True, None, None]


def test_the_document_page_names_all_predicted_and_true_labels() -> None:
    page = document_page(WRONG)
    assert "Predicted label: <strong><bdi>med</bdi></strong> (score 2.00, threshold 0.00)." in page
    assert (
        'True labels: <strong><bdi>law, med</bdi></strong> (<span class="incorrect">✗&nbsp;incorrect</span>).' in page
    )
    assert "softmax" not in page.partition("<footer>")[0]
    assert "<dt>predicted labels</dt>" in page
    page = document_page(CORRECT)
    assert "Predicted labels: <strong><bdi>space</bdi></strong>" in page
    assert ", <strong><bdi>law</bdi></strong> (score 1.00, threshold 0.50)." in page
    page = document_page(NONE)
    assert "No label reaches its threshold." in page
    assert "True labels: <strong><bdi>no label</bdi></strong> (✓&nbsp;correct)." in page
    assert "(not all are classes of the model)." in document_page(UNKNOWN)
    assert "True label" not in document_page(UNLABELED).partition("<footer>")[0]


def test_the_fragment_for_a_mail_names_them_too() -> None:
    correct, none = (re.sub("<[^>]+>", "", mail_fragment(each)) for each in (CORRECT, NONE))
    assert (
        "A text classifier predicted the labels law, space for the text below. True labels: law, space (✓" in correct
    )
    assert "A text classifier predicted no label for the text below. True labels: no label (✓" in none


def test_the_report_has_a_table_of_labels_instead_of_a_confusion_matrix() -> None:
    page = list_page(EVERY)
    assert "Micro F1 85.7%, macro F1 88.9%, subset accuracy 66.7% (2 of 3 labeled documents)." in page
    assert "1 document with a label that is not a class of the model is not counted." in page
    assert "Confusion matrix" not in page
    row = '<th scope="row"><bdi>law</bdi></th><td class="num">2</td><td class="num">1</td><td class="num">100.0%</td>'
    assert row + '<td class="num">50.0%</td><td class="num">66.7%</td>' in page
    assert 'data-p="0 2" data-t="0 2"' in page
    assert 'data-p="" data-t=""' in page
    assert page.count('data-t="-1"') == 2
    assert "<small>true labels <bdi>law, med</bdi></small>" in page


def test_a_comparison_names_the_labels_of_both_sides() -> None:
    one = [replace(each, targets=(0,), relevance=each.relevance[:1], ledger={}) for each in (CORRECT, WRONG)]
    other = [replace(each, rule="Gamma(gamma=0.25)") for each in one]
    page = comparison_page(zip(one, other, strict=True))
    assert "Predicted labels: <strong><bdi>law, space</bdi></strong>" in page


def of_one_label(why: Explanation, **fields: Any) -> Explanation:
    return replace(why, targets=(0,), relevance=why.relevance[:1], ledger={}, **fields)


def test_a_comparison_measures_label_sets_as_a_report_does() -> None:
    one = [of_one_label(each) for each in EVERY]
    other = [of_one_label(each, model="other", scores=each.scores + np.float32(0.5)) for each in EVERY]
    page = comparison_page(zip(one, other, strict=True), names=("A", "B"))
    for name, whys in (("A", one), ("B", other)):
        measures = re.search(r"Micro F1 (\S+), macro F1 (\S+), subset", list_page(whys))
        assert measures
        assert f'<bdi>{name}</bdi></th> <td class="num">{measures[1]}</td> <td class="num">{measures[2]}</td>' in page
    assert "documents have the same predicted labels" in page
    assert 'class="num">subset accuracy</th>' in page
    assert "Accuracy" not in page.partition("<footer>")[0]
    assert "predicted class" not in page.partition("<footer>")[0].lower()
    assert all(f"<dt>{term}</dt>" in page for term in ("threshold", "F1", "subset accuracy"))
    same = comparison_page(zip(one, [replace(each, rule="Zero()") for each in one], strict=True))
    assert "Subset accuracy of the model: 66.7% (3 labeled documents)." in same
    single = [replace(each, model="other", thresholds=None, true_labels=None, true_label="law") for each in one]
    mixed = comparison_page(zip(one, single, strict=True), names=("A", "B"))
    assert "One of the models predicts a single class" in mixed
    assert "micro F1" not in mixed.partition("<footer>")[0]


def test_bars_have_the_threshold_of_each_label_and_begin_with_the_explained_one() -> None:
    page = document_page(NONE)
    (bars,) = re.findall(r'<div class="rows">.*?</fieldset>', page, re.DOTALL)
    shown = re.findall(
        r"<bdi title=[^>]*>(.*?)</bdi>.*?left:([\d.]+)%.*?num\">(.*?)</span>.*?soft\">(.*?)</span>", bars
    )
    # from -2 to 0.5; relative to the thresholds: -0.25, -1, -2
    assert shown == [
        ("law", "100.0", "0.25", "≤ 0.50"), ("space", "40.0", "−2.00", "≤ −1.00"), ("med", "80.0", "−2.00", "≤ 0.00"),
    ]  # fmt: skip
    assert NONE.labels[NONE.targets[NONE.row()]] == "law"
    assert "Label to explain · score, threshold" in page
    assert "Score: 0.25, threshold 0.50" in page
    assert "&gt; 0.00" in document_page(WRONG) or "> 0.00" in document_page(WRONG)
    assert "threshold" not in document_page(make_explanation()).partition("<footer>")[0].partition("<main>")[2]


def test_the_terminal_names_them() -> None:
    out = StringIO()
    print_explanation(WRONG, Console(file=out, width=120))
    assert out.getvalue().startswith(
        "2: predicted label med (score 2.00, threshold 0.00) (✗ incorrect, true labels: law, med)"
    )
    assert label_set_sentence(NONE, 2) == "no label reaches its threshold (✓ correct)"
    assert label_set_sentence(UNLABELED, 2).endswith(
        "med (score 1.00, threshold 0.00), law (score 1.00, threshold 0.50)"
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_stored_explanations_keep_thresholds_and_true_labels(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"stored{suffix}"
    for _ in range(2):  # the second time, the file is recognized and replaced
        write(EVERY, path)
    for one, other in zip(EVERY, read(path), strict=True):
        assert one.to_dict() == other.to_dict() == from_dict(one.to_dict()).to_dict()
        assert other.true_labels == one.true_labels
        assert np.array_equal(other.thresholds, one.thresholds)


def test_files_of_other_models_have_no_new_fields(tmp_path: Path) -> None:
    single = make_explanation()
    assert not {"thresholds", "true_labels"} & single.to_dict().keys()
    write([single], tmp_path / "single.parquet")
    names = set(pa.parquet.read_schema(tmp_path / "single.parquet").names)
    assert not {"thresholds", "true_labels", "predicted_labels"} & names
    for both in ([single, CORRECT], [CORRECT, single]):
        with pytest.raises(DataError, match="explanations must be all of multi-label models, or none of them"):
            write(both, tmp_path / "both.parquet")


def test_bulk_tables_have_all_predicted_and_true_labels() -> None:
    texts = ["court judge", "doctor pill", "court doctor", "the of"] * 8
    sets: list[Any] = [["law"], ["med"], ["law", "med"], []] * 8
    options: dict[str, Any] = {"analyzer": "word", "min_df_ngrams": 1, "tokenizer": "words"}
    model = BagOfWordsClassifier(**options).fit(texts, sets)
    table = BatchExplainer(model)(pa.table({"text": texts[:4], "label": sets[:4]}))
    assert table["true_labels"].to_pylist() == sets[:4]
    indicator = model.predict(texts[:4])
    for labels, row in zip(table["predicted_labels"].to_pylist(), indicator, strict=True):
        assert set(labels) == {name for name, chosen in zip(model.classes_, row, strict=True) if chosen}
    single = BagOfWordsClassifier(**options).fit(texts, ["a", "b"] * 16)
    assert "true_labels" not in BatchExplainer(single)(pa.table({"text": texts[:4]})).schema.names
