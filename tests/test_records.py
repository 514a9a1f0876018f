"""Documents, tokens and explanations: derived values, and conversion to plain data and back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from explanations import make_explanation, with_phrases

from textlrp.errors import DataError, OptionError, TargetError
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.records import Document, Status, Tokens


def test_relevance_plus_absorbed_is_score() -> None:
    explanation = make_explanation(targets=(0, 1, (0, 2)), dtype=np.float64)
    total = explanation.relevance.sum(axis=1) + explanation.absorbed
    np.testing.assert_allclose(total, explanation.start_scores, rtol=1e-12)


def test_read_text_omits_skipped_ranges_and_the_document_keeps_its_text() -> None:
    document = Document("d", "From: me\n\nHello you", skip=np.array([[0, 10], [15, 16]], np.int32))
    assert document.read_text() == "Helloyou"
    assert document.text.startswith("From")
    assert repr(document) == "Document(id='d', label=None, 19 characters, 2 skipped ranges)"
    assert Document("d", "all").read_text() == "all"


def test_iterating_tokens_yields_them_as_written() -> None:
    explanation = make_explanation("The Doctor, said")
    assert list(explanation.tokens) == ["The", "Doctor", ",", "said"]
    assert explanation.tokens.forms[1] == "doctor"


def test_top_and_words_list_only_tokens_that_the_model_reads() -> None:
    explanation = make_explanation("a b a 7", relevance=np.array([[1.0, -2.0, 0.5, 0.0]], np.float32))
    assert [(t.token, t.relevance, t.start, t.end) for t in explanation.top(2, by="token")] == [
        ("a", 1.0, 0, 1),
        ("a", 0.5, 4, 5),
    ]
    assert explanation.words() == [("a", 1.5, 2, ((0, 1), (4, 5))), ("b", -2.0, 1, ((2, 3),))]
    assert explanation.top() == explanation.words()
    assert explanation.status[3] == Status.NOT_A_WORD
    with pytest.raises(OptionError, match=r"by must be 'word' or 'token'; got 'words'\."):
        explanation.top(by="words")  # type: ignore[call-overload]


def test_the_first_word_has_the_largest_sum_and_ties_are_in_alphabetical_order() -> None:
    relevance = np.array([[2.0, 3.0, 2.0, 1.0, 1.0]], np.float32)
    explanation = make_explanation("Oil car oil zebra ape", relevance=relevance)
    assert [(w.word, w.relevance) for w in explanation.top(4)] == [("oil", 4), ("car", 3), ("ape", 1), ("zebra", 1)]
    assert [t.token for t in explanation.top(4, by="token")] == ["car", "Oil", "oil", "zebra"]
    text = explanation.text
    assert [text[start:end] for start, end in explanation.top(1)[0].spans] == ["Oil", "oil"]
    assert "oil +4.00, car +3.00, ape +1.00, zebra +1.00" in repr(explanation)


def test_a_row_is_found_by_name_or_number_and_a_wrong_target_is_refused() -> None:
    explanation = make_explanation(targets=(1, (0, 2)))
    assert explanation.target_names == ("sci.space", "sci.med, not rec.autos")
    assert explanation.row("sci.med, not rec.autos") == 1
    assert explanation.row(-1) == 1
    with pytest.raises(
        TargetError,
        match=r"^target must be an explained target \('sci\.space', 'sci\.med, not rec\.autos'\); got 'rec",
    ):
        explanation.row("rec.autos")
    with pytest.raises(TargetError, match=r"^target must be a row from -2 to 1; got 2\. Pass a row"):
        explanation.row(2)


def test_the_predicted_class_is_the_default_row() -> None:
    explanation = make_explanation(targets=(0, 1, 2))
    assert explanation.row() == explanation.predicted == int(np.argmax(explanation.scores))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_json_is_read_back_unchanged(dtype: type) -> None:
    explanation = with_phrases(make_explanation("<b>é\x00\n", targets=(0, (1, 2)), dtype=dtype, true_label="x"))
    again = from_dict(json.loads(explanation.to_json()))
    assert again.to_dict() == explanation.to_dict()
    assert again.relevance.dtype == explanation.relevance.dtype
    np.testing.assert_array_equal(again.relevance, explanation.relevance)


def test_a_missing_field_is_named() -> None:
    data = make_explanation().to_dict()
    del data["scores"]
    with pytest.raises(DataError, match="field 'scores' of the explanation is missing"):
        from_dict(data)


def test_repr_contains_class_score_and_words() -> None:
    text = repr(make_explanation())
    assert text.startswith("<Explanation of 'doc-1': sci.med scored")
    assert "absorbed" in text
    assert "no words" in repr(make_explanation("42"))


def test_page_notebook_fragment_and_frame() -> None:
    explanation: Explanation = make_explanation()
    assert explanation.to_html().startswith("<!doctype html>")
    assert explanation._repr_html_().startswith('<div class="textlrp')
    assert len(explanation.to_frame()) == len(explanation.tokens)


def test_where_every_character_is_a_token_words_are_runs_of_letters() -> None:
    text = "The oil, the OIL"
    spans = np.array([(t, t + 1) for t in range(len(text))], dtype=np.int32)
    tokens = Tokens(text, spans, tuple(text.lower()))
    words, word_of = tokens.words()
    assert words == ("the", " ", "oil", ",", " ", "the", " ", "oil")
    assert "".join(words[w][0] for w in dict.fromkeys(word_of.tolist())) == "t o, t o"
    relevance = np.arange(len(text), dtype=float)[None]
    status = np.zeros(len(text), dtype=np.uint8)
    why = replace(make_explanation(targets=(0,)), tokens=tokens, relevance=relevance, status=status)
    sums = {row.word: (row.relevance, row.occurrences) for row in why.words()}
    assert sums["oil"] == (4 + 5 + 6 + 13 + 14 + 15, 2)
    assert all(text[start:end].lower() == row.word for row in why.words() for start, end in row.spans)
    assert sum(total for total, _ in sums.values()) == relevance.sum()


def test_target_names_are_unique() -> None:
    labels = ("a", "b", "c", "a, not b", "b, not c", "'a', not 'b'", "a")
    pairs = [(one, other) for one in range(len(labels)) for other in range(len(labels)) if one != other]
    targets = (*range(len(labels)), *pairs)
    why = replace(
        make_explanation(),
        labels=labels,
        scores=np.zeros(len(labels)),
        targets=targets,
        relevance=np.zeros((len(targets), len(make_explanation().tokens))),
        ledger={},
        phrases=(),
    )
    names = why.target_names
    assert len(set(names)) == len(targets)
    assert [why.row(name) for name in names] == list(range(len(targets)))
    assert why.to_frame()["class"].nunique() == len(targets)
    assert replace(why, labels=("a", "b", "c", "d", "e", "f", "g")).target_names[7] == "a, not b"
