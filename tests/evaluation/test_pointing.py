"""The pointing game: properties of hybrid documents, hits counted manually, random relevance at chance."""

import re
from dataclasses import replace

import numpy as np
import pytest
from explanations import make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LABELS, SENTENCES, TEXTS, learner

from textlrp.errors import DataError, OptionError
from textlrp.evaluation import pointing
from textlrp.evaluation.pointing import Hybrid, hybrid_documents, pointing_game
from textlrp.explainers.methods import Random
from textlrp.records import Document, Status

POSTS = [
    Document(str(n), f"{text.capitalize()}.", label)
    for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))
]


def hybrid(*parts):
    """A hybrid document of (label, sentence) pairs."""
    text = "\n".join(sentence for _, sentence in parts)
    starts = [text.index(sentence) for _, sentence in parts]
    spans = [[start, start + len(sentence)] for start, (_, sentence) in zip(starts, parts, strict=True)]
    return Hybrid("manual", text, np.array(spans, dtype=np.int32), tuple(label for label, _ in parts))


def explained(text, relevance, *, predicted=0, status=None):
    """An explanation of the predicted class, one of a, b and c."""
    why = make_explanation(text, labels=("a", "b", "c"), targets=(predicted,), status=status)
    return replace(
        why, scores=np.eye(3, dtype=np.float32)[predicted], relevance=np.array([relevance], dtype=np.float32)
    )


def game(monkeypatch, *pairs, **options):
    """Play the game with pairs of hybrid documents and their explanations."""
    monkeypatch.setattr(pointing, "explain", lambda model, texts, **settings: iter(answers))
    hybrids, answers = zip(*pairs, strict=True)
    return pointing_game(None, hybrids, **options)


# ---- hybrids


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(0, 5), st.sampled_from([None, 1, 3]))
def test_the_parts_rebuild_the_text(sentences, seed, most):
    hybrids = hybrid_documents(POSTS, n_sentences=sentences, seed=seed, max_hybrids=most)
    known = {post.text: post.label for post in POSTS}
    assert len(hybrids) == min(len(POSTS) // sentences, most or len(POSTS))
    for each in hybrids:
        parts = [each.text[start:end] for start, end in each.spans]
        assert "\n".join(parts) == each.text
        assert [known[part] for part in parts] == list(each.labels)
        assert len(parts) == sentences
    together = [each.text[start:end] for each in hybrids for start, end in each.spans]
    assert len(set(together)) == len(together)


def test_the_seed_decides_the_order():
    first, again, other = (
        [each.text for each in hybrid_documents(POSTS, n_sentences=4, seed=seed)] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_fewer_hybrids_are_the_first_ones():
    whole = hybrid_documents(POSTS, n_sentences=4)
    some = hybrid_documents(POSTS, n_sentences=4, max_hybrids=2)
    assert [each.text for each in some] == [each.text for each in whole[:2]]


def test_sentences_leave_out_what_is_skipped_and_what_has_no_letter():
    post = "From: a@b.example\nSubject: oil\n\nMy car\n  leaks. 1 2.\nBob writes:\n> It is old!\nIs it?\n\n--\nBob B."
    text = "\n".join(each.text for each in hybrid_documents([Document("1", post, "autos")], n_sentences=1))
    assert sorted(text.split("\n")) == ["Is it?", "My car leaks."]
    kept = hybrid_documents([Document("1", post, "autos")], n_sentences=1, skip=())
    assert any("It is old!" in each.text for each in kept)


def test_ranges_that_the_document_marks_are_removed_and_separate_words():
    marked = Document("1", "One[x]two three.", "a", np.array([[3, 6]], dtype=np.int32))
    assert [each.text for each in hybrid_documents([marked], n_sentences=1, skip=())] == ["One two three."]


def test_every_offset_has_the_label_of_its_sentence():
    each = hybrid(("a", "One two."), ("b", "Three."), ("a", "Four."))
    places = np.array([match.start() for match in re.finditer(r"\w+", each.text)])
    assert each.labels_at(places).tolist() == ["a", "a", "b", "a"]


def test_documents_without_label_and_too_few_sentences():
    with pytest.raises(DataError, match="at least n_sentences=1 sentences with a label; got 0"):
        hybrid_documents([Document("1", "One. Two.")], n_sentences=1)
    with pytest.raises(DataError, match="at least n_sentences=3 sentences with a label; got 2"):
        hybrid_documents([Document("1", "One. Two.", "a"), Document("2", "Three.")], n_sentences=3)
    with pytest.raises(OptionError, match=r"n_sentences.*0"):
        hybrid_documents(POSTS, n_sentences=0)
    with pytest.raises(OptionError, match=r"skip must contain only .*; got 'tails'"):
        hybrid_documents(POSTS, skip=("tails",))


def test_a_lone_surrogate_is_accepted():
    assert len(hybrid_documents([Document("1", "One \ud83d two.", "a")], n_sentences=1)) == 1


# ---- the game


def test_hits_match_manual_results(monkeypatch):
    two = hybrid(("a", "one two"), ("b", "three four"))
    result = game(
        monkeypatch,
        (two, explained(two.text, [0, 2, 1, 1])),  # "two", of a: a hit
        (two, explained(two.text, [0, 2, 3, 1])),  # "three", of b: no hit
        (two, explained(two.text, [0, 2, 3, 1], predicted=1)),  # a hit for b
        (two, explained(two.text, [5, 5, 5, 5], predicted=1)),  # a tie; the first is of a: no hit
        (two, explained(two.text, [9, 0, 0, 0], predicted=2)),  # c does not occur: discarded
        (two, explained(two.text, [0, 0, 0, 0], status=[1, 1, 2, 3])),  # no word read
        by="token",
    )
    assert result.is_hit.tolist() == [True, False, True, False, False, False]
    assert result.is_included.tolist() == [True, True, True, True, False, False]
    assert (result.n_hits, result.n_included, result.n_discarded, result.n_ignored) == (2, 4, 1, 1)
    assert result.accuracy == 0.5 == result.chance
    assert 0 <= result.interval.low < 0.5 < result.interval.high <= 1
    assert result.method == "lrp"


def test_the_most_relevant_occurrence_of_the_most_relevant_word_counts(monkeypatch):
    each = hybrid(("a", "oil car"), ("b", "oil tree"), ("a", "my oil"))
    pairs = [
        (each, explained(each.text, [2, 3, 0, 0, 0, 2])),  # oil 4, and its first occurrence is of a: a hit
        (each, explained(each.text, [1, 3, 2, 0, 0, 1])),  # oil 4, but its second occurrence is of b
        (each, explained(each.text, [1, 3, 1, 0, 0, 0])),  # car 3: a hit
        (
            each,
            explained(each.text, [1, 2, 0, 2, 0, 1], predicted=1),
        ),  # car, oil and tree tie; the first is of a: no hit
    ]
    words = game(monkeypatch, *pairs)
    assert words.is_hit.tolist() == [True, False, True, False]
    assert game(monkeypatch, *pairs, by="token").is_hit.tolist() == [True, True, True, False]
    assert words.chance == pytest.approx((3 * (2 / 3 + 1 + 0 + 1) + (1 / 3 + 0 + 1 + 0)) / 4 / 4)
    with pytest.raises(OptionError, match=r"by must be 'word' or 'token'; got 'sentence'\."):
        pointing_game(None, [each], by="sentence")


def test_a_word_that_the_model_ignores_is_never_a_hit(monkeypatch):
    two = hybrid(("a", "one two"), ("b", "three four"))
    status = [Status.UNKNOWN, Status.READ, Status.READ, Status.READ]
    result = game(monkeypatch, (two, explained(two.text, [0, -3, -1, -2], status=status)))
    assert not result.is_hit[0]  # "three" has the highest relevance of the words read; the unknown word has 0
    assert result.chance == pytest.approx(1 / 3)


def test_no_hybrid_to_include_raises_an_error(monkeypatch):
    two = hybrid(("a", "one two"), ("b", "three four"))
    with pytest.raises(DataError, match="not one of the 1 hybrid documents"):
        game(monkeypatch, (two, explained(two.text, [0, 0, 0, 0], predicted=2)))


@pytest.fixture(scope="module")
def svm():
    return learner("svm").fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def many():
    return [each for seed in range(60) for each in hybrid_documents(POSTS, n_sentences=3, seed=seed)]


def test_lrp_is_accurate_and_the_results_of_two_methods_are_paired(svm, many):
    lrp, random = pointing_game(svm, many), pointing_game(svm, many, method=Random(seed=1))
    assert lrp.accuracy > 0.9
    np.testing.assert_array_equal(lrp.is_included, random.is_included)
    assert lrp.chance == random.chance
    assert lrp.n_included + lrp.n_discarded + lrp.n_ignored == len(many)
    assert lrp.rule.startswith("Epsilon(")


def test_random_relevance_is_at_chance(svm, many):
    result = pointing_game(svm, many, method="random")
    spread = np.sqrt(result.chance * (1 - result.chance) / result.n_included)
    assert abs(result.accuracy - result.chance) < 3 * spread
    assert 0.5 < result.chance < 0.7


def test_labels_of_another_model_raise_an_error(svm):
    strangers = [Document("1", f"{text}.", "elsewhere") for text in SENTENCES["med"]]
    with pytest.raises(DataError, match="labels that the model was trained on"):
        pointing_game(svm, hybrid_documents(strangers, n_sentences=4))
