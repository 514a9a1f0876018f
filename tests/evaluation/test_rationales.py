"""Agreement with human rationales: manual results, random relevance, and invalid files."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from cases import every
from explanations import make_explanation, split
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LABELS, SENTENCES, TEXTS, learner

from textlrp.errors import DataError, OptionError, TargetError
from textlrp.evaluation.rationale_files import Rationale, read_marked, read_rationales
from textlrp.evaluation.rationales import (
    explain_rationales,
    log_ratio_agreement,
    position_agreement,
    rationale_agreement,
)
from textlrp.records import Document, Status, Tokens

TEXT = "one two three four"
WORDS = TEXT.split()


def rationale(*words, label=None, text=TEXT):
    spans = [[text.index(word), text.index(word) + len(word)] for word in words]
    return Rationale("1", text, label, np.array(sorted(spans), dtype=np.int32).reshape(-1, 2))


def explained(*relevance, text=TEXT, **fields):
    why = make_explanation(text, **fields)
    return replace(why, relevance=np.array([relevance], dtype=np.float32))


def test_one_document_matches_manual_result():
    # the ranking is two, four, one, three; four and three are marked: precision is 1/2 at four and 2/4 at three
    result = rationale_agreement([explained(1, 4, 0, 3)], [rationale("three", "four")])
    assert result.average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert result.auroc == pytest.approx(1 / 4)  # of four (marked, unmarked) pairs, only (four, one) is in order
    assert result.pointing == 0
    assert result.iou == pytest.approx(1 / 3)  # {two, four} and {three, four}
    assert result.marked_share == 0.5
    assert result.intervals["iou"] == pytest.approx((1 / 3, 1 / 3))


def test_full_agreement_is_1_and_no_agreement_is_0():
    result = rationale_agreement([explained(3, -1, 2, -1)], [rationale("one", "three")])
    assert (result.average_precision, result.auroc, result.pointing, result.iou) == (1, 1, 1, 1)
    result = rationale_agreement([explained(-1, 2, -1, 3)], [rationale("one", "three")])
    assert (result.auroc, result.pointing, result.iou) == (0, 0, 0)


def test_documents_with_all_or_no_word_marked_are_left_out():
    rationales = [rationale(*WORDS), rationale(), rationale("one"), rationale("one", "three")]
    explanations = [explained(3, 1, 0, 0), explained(3, 1, 0, 0), explained(3, 1, 0, 0),
                    explained(0, 1, 0, 2, status=[3, 0, 1, 0])]  # fmt: skip
    result = rationale_agreement(explanations, rationales)
    assert result.is_included.tolist() == [False, False, True, True]
    assert (result.n_documents, result.n_excluded) == (2, 2)
    result = rationale_agreement(explanations, rationales, read_only=True)
    assert result.is_included.tolist() == [False, False, True, False]
    assert (result.n_documents, result.n_excluded) == (1, 3)
    with pytest.raises(DataError, match="not one of the 2 documents"):
        rationale_agreement(explanations[:2], rationales[:2])


def test_ignored_words_have_relevance_0_or_are_left_out():
    # "one" is marked but unknown; the ranking is three, four, then one and two with 0
    why = explained(0, 0, 5, 2, status=[3, 0, 0, 0])
    result = rationale_agreement([why], [rationale("one", "three")])
    assert result.average_precision == pytest.approx((1 + 2 / 4) / 2)
    assert (result.auroc, result.pointing, result.iou) == (pytest.approx(2.5 / 4), 1, pytest.approx(1 / 3))
    assert result.marked_share == 0.5
    result = rationale_agreement([why], [rationale("one", "three")], read_only=True)
    assert (result.average_precision, result.pointing, result.iou) == (1, 1, 1)
    assert result.marked_share == pytest.approx(1 / 3)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 14), st.integers(0, 15), st.sampled_from(["token", "word", "sentence"]))
def test_ranked_words_are_the_same_for_every_vocabulary(chosen, known, by):
    text = "one two. One three\n\nfour two!"
    words = [match.span() for match in re.finditer(r"\w+", text)]
    marked = np.array([span for n, span in enumerate(words[:4]) if chosen >> n & 1], dtype=np.int32)
    status = [Status.READ if n % 4 != 3 and known >> n % 4 & 1 else Status.UNKNOWN for n in range(len(split(text)))]
    small, large = make_explanation(text, status=status), make_explanation(text)
    results = []
    for why in (small, large):
        try:
            results.append(rationale_agreement([why], [Rationale("1", text, None, marked)], by=by))
        except DataError:
            results.append(None)
    if None in results:
        assert results == [None, None]
    else:
        assert results[0].marked_share == results[1].marked_share
        assert results[0].is_included.tolist() == results[1].is_included.tolist()


def test_relevance_of_tokens_is_distributed_over_the_words_they_overlap():
    text = "and/or why?"
    why = explained(0, 0, 0, 4, 0, text=text)  # tokens: and / or why ?
    spans = np.array([[0, 6], [7, 11]], dtype=np.int32)
    why = replace(why, tokens=Tokens(text, spans, ("and/or", "why?")), relevance=np.array([[5.0, 1.0]]),
                  status=np.zeros(2, dtype=np.uint8))  # fmt: skip
    marked = [rationale("and", text=text)]
    result = rationale_agreement([why], marked)  # and 2.5, or 1.67, why 0.75
    assert (result.average_precision, result.marked_share) == (1, pytest.approx(1 / 3))


def test_distinct_words_have_the_sum_of_their_occurrences():
    text = "oil car Oil tree oil"
    marked = [Rationale("1", text, None, np.array([[8, 11]], dtype=np.int32))]
    whys = [explained(1, 2, 1, 0, 1, text=text)]
    by_word = rationale_agreement(whys, marked, by="word")
    assert (by_word.pointing, by_word.average_precision, by_word.marked_share) == (1, 1, pytest.approx(1 / 3))
    by_token = rationale_agreement(whys, marked, by="token")
    assert (by_token.pointing, by_token.marked_share) == (0, 0.2)
    with pytest.raises(OptionError, match=r"by must be 'token', 'word' or 'sentence'; got 'words'\."):
        rationale_agreement(whys, marked, by="words")


SENTENCES_TEXT = "One is here. Two is big, and long. Three ends."


@pytest.mark.parametrize(("place", "late", "early"), [(0, 1 / 3, 1), (1, 1 / 2, 1 / 2), (2, 1, 1 / 3)])
def test_sentences_by_relevance_and_by_position(place, late, early):
    start = SENTENCES_TEXT.index(("here", "big", "ends")[place])
    marked = [Rationale("1", SENTENCES_TEXT, None, np.array([[start, start + 3]], dtype=np.int32))]
    result = rationale_agreement([make_explanation(SENTENCES_TEXT)], marked, by="sentence")
    assert result.marked_share == pytest.approx(1 / 3)
    assert position_agreement(marked, first="late", by="sentence").average_precision == pytest.approx(late)
    assert position_agreement(marked, first="early", by="sentence").average_precision == pytest.approx(early)
    with pytest.raises(OptionError, match="first must be 'late' or 'early'; got 'middle'"):
        position_agreement(marked, first="middle")


def test_position_by_token_and_by_word():
    text = "oil car oil tree"
    marked = [Rationale("1", text, None, np.array([[0, 3]], dtype=np.int32))]
    assert position_agreement(marked, first="early", by="token").pointing == 1
    assert position_agreement(marked, first="late", by="token").average_precision == pytest.approx(1 / 4)
    assert position_agreement(marked, first="late", by="word").average_precision == pytest.approx(1 / 2)


def test_tf_times_log_ratio_matches_manual_result():
    text = "oil oil tree car"
    marked = [Rationale("1", text, "a", np.array([[8, 12]], dtype=np.int32))]  # tree
    corpus = [Document("1", "oil oil car", "a"), Document("2", "car tree", "b"), Document("3", text, "a"),
              Document("4", "no label, tree tree tree")]  # fmt: skip
    # documents with the same text are left out of the counts: a has oil 2, car 1; b has car 1, tree 1
    v = 3
    oil = np.log(3 / (3 + v)) - np.log(1 / (2 + v))
    car = np.log(2 / (3 + v)) - np.log(2 / (2 + v))
    tree = np.log(1 / (3 + v)) - np.log(2 / (2 + v))
    assert oil > car > tree
    result = log_ratio_agreement(marked, corpus)
    assert (result.average_precision, result.auroc) == (pytest.approx(1 / 4), 0)
    own = replace_label(marked[0], "b")
    assert log_ratio_agreement([own], corpus).average_precision == 1
    unlabeled = replace_label(marked[0], None)
    assert log_ratio_agreement([unlabeled], corpus, labels=["b"]).average_precision == 1
    with pytest.raises(DataError, match="a document of class 'c', the class of rationale '1'; got none"):
        log_ratio_agreement([replace_label(marked[0], "c")], corpus)
    with pytest.raises(DataError, match="a document of class None"):
        log_ratio_agreement([unlabeled], corpus)


def replace_label(marked, label):
    return Rationale(marked.id, marked.text, label, marked.spans)


@every("span, share", [([4, 7], 0.25), ([2, 5], 0.5), ([3, 4], None), ([3, 5], 0.25), ([0, 9], 0.75)])
def test_a_word_is_marked_if_a_range_overlaps_it(span, share):
    marked = Rationale("1", TEXT, None, np.array([span], dtype=np.int32))
    if share is None:
        with pytest.raises(DataError):
            rationale_agreement([explained(1, 2, 3, 4)], [marked])
    else:
        assert rationale_agreement([explained(1, 2, 3, 4)], [marked]).marked_share == share


def test_the_explanation_of_the_label_is_used():
    why = replace(
        make_explanation(TEXT, targets=(0, 1)),
        scores=np.array([2, 1, 0], dtype=np.float32),
        relevance=np.array([[1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float32),
    )
    assert rationale_agreement([why], [rationale("one")]).pointing == 1
    assert rationale_agreement([why], [rationale("one", label="sci.space")]).pointing == 0
    with pytest.raises(TargetError, match=r"target must be an explained target \(.*\); got 'rec\.autos'"):
        rationale_agreement([why], [rationale("one", label="rec.autos")])


def test_another_text_raises_an_error():
    with pytest.raises(DataError, match="another text"):
        rationale_agreement([explained(1, 2, text="two words")], [rationale("one")])


def test_random_relevance_is_at_chance():
    random, text = np.random.default_rng(0), " ".join("abcdefghijklmnopqrst")
    marked = Rationale("1", text, None, np.array([[0, 9]], dtype=np.int32))  # 5 of 20 words
    whys = [explained(*random.normal(size=20), text=text) for _ in range(250)]
    result = rationale_agreement(whys, [marked] * 250)
    assert result.marked_share == 0.25
    assert abs(result.auroc - 0.5) < 0.04
    assert abs(result.pointing - 0.25) < 0.09
    # the mean AP of a random order is known; it is a little above the share
    n, m = 20, 5
    expected = sum(((m - 1) * (k - 1) / (n - 1) + 1) / k for k in range(1, n + 1)) / n
    assert abs(result.average_precision - expected) < 0.04
    assert all(low < getattr(result, name) < high for name, (low, high) in result.intervals.items())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-5, 5, width=32), min_size=4, max_size=4), st.integers(1, 14))
def test_measures_are_between_0_and_1(relevance, chosen):
    marked = rationale(*(word for place, word in enumerate(WORDS) if chosen >> place & 1))
    result = rationale_agreement([explained(*relevance)], [marked])
    assert all(0 <= values[0] <= 1 for values in result.values.values())


def test_the_label_is_explained_else_the_prediction():
    model = learner("svm").fit(TEXTS, LABELS)
    text = SENTENCES["med"][0]
    own, other = rationale("doctor", "pill", text=text), rationale("doctor", text=text, label="autos")
    whys = list(explain_rationales(model, [own, other]))
    assert [why.target_names for why in whys] == [("med",), ("autos",)]
    assert rationale_agreement(whys[:1], [own]).average_precision > 0.5
    with pytest.raises(DataError, match=r"document '1': label must be a class of the model; got 'cooking'\."):
        explain_rationales(model, [rationale("doctor", text=text, label="cooking")])


# ---- files


def write(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_spans_and_words_are_read(tmp_path):
    path = write(
        tmp_path / "marked.jsonl",
        {"text": "My car, my old car.", "label": "autos", "spans": [[11, 14], [3, 6]]},
        "",
        {"text": "The car and the Car's scar.", "words": ["car"], "id": "b"},
        {"text": "New  York is new.", "words": ["new york"], "spans": [[0, 3]], "label": 3},
    )
    first, second, third = read_rationales(path)
    assert (first.id, first.label, first.spans.tolist()) == ("1", "autos", [[3, 6], [11, 14]])
    assert (second.id, second.label) == ("b", None)
    assert [second.text[start:end] for start, end in second.spans] == ["car", "Car"]
    assert (third.label, third.spans.tolist()) == ("3", [[0, 9]])
    assert first.document.label == "autos"


@every(
    "row, sentence",
    [
        ("{", "is not JSON"),
        ("[1]", "text is missing"),
        ({"spans": [[0, 1]]}, "text is missing"),
        ({"text": 3, "spans": [[0, 1]]}, "text is missing"),
        ({"text": "abc", "spans": [[0, 4]]}, r"a span must be within the text of 3 characters; got \[0, 4\]"),
        ({"text": "abc", "spans": [[-1, 2]]}, r"a span must be within the text of 3 characters; got \[-1, 2\]"),
        ({"text": "abc", "spans": [[2, 1]]}, r"a span must not end before it starts; got \[2, 1\]"),
        ({"text": "abc", "spans": [[0]]}, r"a span must be two whole numbers \[start, end\]; got \[0\]"),
        ({"text": "abc", "spans": [[0, True]]}, "a span must be two whole numbers"),
        ({"text": "abc", "spans": [["0", "1"]]}, "a span must be two whole numbers"),
        ({"text": "abc", "spans": "0-1"}, "spans must be a list; got '0-1'"),
        ({"text": "scar", "words": ["car"]}, "the word 'car' is not in the text"),
        ({"text": "abc", "words": [" "]}, "words must be non-empty text; got ' '"),
        ({"text": "abc", "words": [3]}, "words must be non-empty text; got 3"),
        ({"text": "abc", "words": ["abc"], "label": [1]}, r"label must be text or a whole number; got \[1\]"),
    ],
)
def test_bad_lines_are_named(tmp_path, row, sentence):
    path = write(tmp_path / "marked.jsonl", {"text": "abc", "spans": [[0, 1]]}, row)
    with pytest.raises(DataError, match=rf"line 2 \(.*marked\.jsonl\).*{sentence}"):
        read_rationales(path)


@every("nothing", [{}, {"spans": []}, {"words": []}, {"spans": [[1, 1]]}, {"spans": None}])
def test_rows_that_mark_nothing_are_skipped_and_counted(tmp_path, nothing):
    good = {"text": "abc", "spans": [[0, 1], [2, 2]]}
    path = write(tmp_path / "marked.jsonl", {"text": "abc"} | nothing, good, {"text": "de"} | nothing)
    with pytest.warns(
        UserWarning, match=r"2 of 3 rows of .*marked\.jsonl mark nothing and were skipped \(lines 1, 3\)"
    ):
        found = read_rationales(path)
    assert [(each.id, each.spans.tolist()) for each in found] == [("2", [[0, 1]])]
    assert read_marked(path)[1] == (1, 3)
    with pytest.raises(DataError, match=r"no row of .* marks anything"):
        read_rationales(write(tmp_path / "none.jsonl", {"text": "abc"} | nothing))


def test_bad_files_are_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_rationales(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"is empty\. Write one JSON object per line"):
        read_rationales(write(tmp_path / "empty.jsonl", "", "  "))
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "caf\xe9"}')
    with pytest.raises(DataError, match="is not UTF-8"):
        read_rationales(tmp_path / "latin.jsonl")
