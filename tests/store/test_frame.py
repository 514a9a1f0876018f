"""The DataFrame of an explanation: its rows, its ledger and its sums."""

import numpy as np
from explanations import make_explanation


def test_one_row_per_target_and_token() -> None:
    explanation = make_explanation("Read this, 42 times", targets=(0, (1, 2)))
    frame = explanation.to_frame()
    assert list(frame.columns) == [
        "document", "token", "start", "end", "class", "relevance", "seen", "status", "word", "count",
    ]  # fmt: skip
    assert len(frame) == 2 * len(explanation.tokens)
    assert frame["class"].unique().tolist() == ["sci.med", "sci.space, not rec.autos"]
    np.testing.assert_array_equal(frame["relevance"].to_numpy().reshape(2, -1), explanation.relevance)
    assert frame["relevance"].dtype == np.float32
    assert all(explanation.text[r.start : r.end] == r.token for r in frame.itertuples())
    assert set(frame.loc[~frame["seen"], "status"]) == {"not a word"}
    assert (frame.loc[~frame["seen"], "relevance"] == 0).all()
    assert (frame["document"] == "doc-1").all()


def test_the_table_and_its_ledger_sum_to_the_scores() -> None:
    explanation = make_explanation(targets=(0, 1, (1, 2)))
    frame = explanation.to_frame()
    words = frame.groupby("class")["relevance"].sum()
    for name, score in zip(explanation.target_names, explanation.start_scores, strict=True):
        absorbed = sum(entry["relevance"] for entry in frame.attrs["ledger"] if entry["class"] == name)
        np.testing.assert_allclose(words[name] + absorbed, score, rtol=1e-5)


def test_statuses_are_named() -> None:
    frame = make_explanation("a b c d e", status=[0, 1, 2, 3, 4]).to_frame()
    assert frame["status"].tolist() == ["read", "skipped", "not a word", "unknown word", "truncated"]


def test_a_text_without_tokens_has_an_empty_table() -> None:
    frame = make_explanation("").to_frame()
    assert len(frame) == 0
    assert "relevance" in frame


def test_with_the_ledger_as_rows_each_class_sums_to_its_score() -> None:
    explanation = make_explanation(targets=(0, 1, (1, 2)))
    frame = explanation.to_frame(ledger=True)
    sums = frame.groupby("class")["relevance"].sum()
    for name, score in zip(explanation.target_names, explanation.start_scores, strict=True):
        np.testing.assert_allclose(sums[name], score, rtol=1e-5)
    absorbed = frame[frame["start"] < 0]
    assert set(absorbed["status"]) == {"conv: bias", "out: stabilizer"}
    assert not absorbed["seen"].any()
    assert frame.dtypes.equals(explanation.to_frame().dtypes)
