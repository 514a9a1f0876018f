"""The most relevant words of each class: sums of relevance, counts, examples and quotes."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
from explanations import make_explanation, with_phrases
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LABELS, NAMES, TEXTS, fitted

from textlrp import explain
from textlrp.class_words import class_words
from textlrp.records import Document, Phrase


def explained(text, *relevance, id="1", targets=(0,), **fields):
    why = make_explanation(text, targets=targets, **fields)
    return replace(why, document_id=id, relevance=np.array(relevance, dtype=np.float32))


def test_sums_documents_and_examples_of_a_small_corpus():
    counts = np.array([7, 0, 7], dtype=np.int32)
    whys = [
        explained("Oil car oil", [1, 5, 2], id="a", counts=counts),
        explained("oil rain oil", [0.5, -1, 0.5], id="b", counts=np.array([7, -1, 7], dtype=np.int32)),
        explained("oil", [4], id="c", counts=counts[:1]),
        explained("oil", [2], id="d", counts=counts[:1]),
        explained("oil", [9], id="e", counts=counts[:1], targets=(1,)),
    ]
    med, space = class_words(whys)
    assert (med.label, med.documents, space.label, space.documents) == ("sci.med", 4, "sci.space", 1)
    oil, car, rain = med.words
    assert oil[:5] == ("oil", 10.0, 4, 7, ("c", "a", "d"))
    assert oil.quotes == (("c", 2, "", "oil", ""), ("a", 0, "Oil car ", "oil", ""), ("d", 3, "", "oil", ""))
    assert car[:5] == ("car", 5.0, 1, 0, ("a",))
    assert rain[:5] == ("rain", -1.0, 1, None, ("b",))
    assert [word[:5] for word in space.words] == [("oil", 9.0, 1, 7, ("e",))]
    assert med.phrases == ()


def test_a_quote_stays_in_its_paragraph_and_marks_where_it_is_shortened():
    text = "A first paragraph.\n\nThe  car\n" + "was red " * 20 + "\n\nThe end"
    why = make_explanation(text)
    why = replace(why, relevance=np.array([[float(form == "car") for form in why.tokens.forms]], dtype=np.float32))
    (quote,) = class_words([why])[0].words[0].quotes
    assert (quote.before, quote.word) == ("The ", "car")
    assert quote.after == " was red was red was red was red was red was red was red…"


def test_on_a_tie_the_first_documents_are_examples():
    whys = [explained("oil", [2], id=name) for name in "abcde"]
    assert class_words(whys)[0].words[0].examples == ("a", "b", "c")


def test_only_the_top_words_are_listed_and_ties_are_in_alphabetical_order():
    why = explained("d c b a", [1, 1, 2, 1])
    assert [word.word for word in class_words([why], top=2)[0].words] == ["b", "a"]
    assert [word.word for word in class_words([why], top=None)[0].words] == ["b", "a", "c", "d"]


def test_unknown_and_skipped_words_do_not_count():
    why = explained("oil xyzzy car", [1, 0, 0], status=[0, 3, 1])
    assert [word.word for word in class_words([why])[0].words] == ["oil"]


def test_every_target_counts_for_its_class_and_a_contrast_for_itself():
    why = explained("oil", [1], [2], [3], targets=(1, 0, (0, 2)))
    found = class_words([why])
    assert [(each.label, each.words[0].relevance) for each in found] == [
        ("sci.med", 2.0),
        ("sci.space", 1.0),
        ("sci.med, not rec.autos", 3.0),
    ]


def test_phrases_are_compared_without_case_and_spacing():
    why = explained("My  car. my car", [1, 1, 0, 1, 1])
    phrases = tuple(
        Phrase(start, end, "conv2", f, np.array([value], dtype=np.float32))
        for f, (start, end, value) in enumerate([(0, 7, 1.0), (9, 15, 2.0), (4, 7, 0.5)])
    )
    why = replace(why, phrases=phrases)
    assert class_words([why])[0].phrases == (("my car", 3.0, 1, None, ("1",), ()), ("car", 0.5, 1, None, ("1",), ()))
    twice = class_words([why, replace(why, document_id="2")])[0].phrases[0]
    assert twice == ("my car", 6.0, 2, None, ("1", "2"), ())
    assert len(class_words([with_phrases(make_explanation())])[0].phrases) == 2


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.text(alphabet="ab ", min_size=1, max_size=12), st.integers(0, 99)), max_size=6))
def test_sums_of_words_are_sums_of_relevance(drawn):
    whys = [make_explanation(text, targets=(0, 2), seed=seed) for text, seed in drawn]
    found = {each.label: sum(word.relevance for word in each.words) for each in class_words(whys, top=None)}
    for row, label in enumerate(("sci.med", "rec.autos")):
        total = sum(float(why.relevance[row].astype(np.float64).sum()) for why in whys)
        assert found.get(label, 0.0) == pytest.approx(total, abs=1e-9)


def test_words_and_phrases_of_a_cnn_sum_to_its_relevance():
    model = fitted("cnn-max", "float64")
    whys = list(explain(model, TEXTS, target="all", phrases=100))
    for k, each in enumerate(class_words(whys, top=None)):
        total = sum(why.relevance[k].sum() for why in whys)
        assert (each.label, each.documents) == (NAMES[k], len(TEXTS))
        assert sum(word.relevance for word in each.words) == pytest.approx(total)
        assert sum(phrase.relevance for phrase in each.phrases) == pytest.approx(total)
    doctor = next(word for word in class_words(whys, top=None)[1].words if word.word == "doctor")
    assert doctor.documents == doctor.in_training == sum("doctor" in text.split() for text in TEXTS)


def test_by_default_only_the_predicted_class_counts():
    documents = [Document(str(n), text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]
    model = fitted("svm")
    found = class_words(explain(model, documents))
    predicted = model.predict(documents).tolist()
    assert {each.label: each.documents for each in found} == {name: predicted.count(name) for name in set(predicted)}


def test_explanations_are_not_kept():
    kept, alive = [], []

    def stream():
        for n in range(20):
            why = make_explanation(seed=n)
            kept.append(weakref.ref(why.tokens.spans))
            yield why
            del why
            alive.append(sum(ref() is not None for ref in kept))

    class_words(stream())
    assert max(alive) <= 2


def test_no_explanations_give_no_words():
    assert class_words([]) == []
