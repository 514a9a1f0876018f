"""Laws of the shortcut finder: planted words are found, and each number of a group is a plain count."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from cases import every
from class_texts import corpus_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import textlrp
from textlrp.errors import DataError, OptionError
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus, word_relevances
from textlrp.evaluation.planting import PlantedCorpus, plant_shortcuts
from textlrp.evaluation.shortcuts import document_groups
from textlrp.evaluation.shortcuts.class_centroids import ClassCentroids
from textlrp.evaluation.shortcuts.document_groups import group_documents
from textlrp.evaluation.shortcuts.group_measures import suspicion_of
from textlrp.evaluation.shortcuts.leading_words import word_groups
from textlrp.evaluation.shortcuts.origins import author_names, author_of, near_duplicates, parts_at, thread_of
from textlrp.evaluation.shortcuts.relevance_vectors import RelevanceVectors, corpus_words, relevance_vectors
from textlrp.models.base import TextClassifier
from textlrp.records import Document
from textlrp.shortcut_groups import ShortcutGroup, Shortcuts


@cache
def planted() -> tuple[PlantedCorpus, TextClassifier]:
    corpus = plant_shortcuts(corpus_of(), ["cars", "space"], share=0.2, seed=1)
    labels = [each.label for each in corpus.documents]
    return corpus, textlrp.BagOfWordsClassifier(random_state=0).fit(corpus.documents, labels)


@cache
def found() -> Shortcuts:
    corpus, model = planted()
    return textlrp.find_shortcuts(model, corpus.documents)


def recall(shortcuts: Shortcuts, corpus: PlantedCorpus) -> float:
    """The share of planted shortcuts that are one of the five first groups of their class.

    Found: at least half of the documents of the group carry it, and at least half of its carriers are in the group.
    """
    hits = []
    for each in corpus.shortcuts:
        inside = [np.isin(group.documents, each.carriers) for group in shortcuts.of_class(each.label)[:5]]
        hits.append(any(2 * hit.sum() >= max(len(hit), len(each.carriers)) for hit in inside))
    return float(np.mean(hits))


# ---- planted shortcuts are found


def test_planted_shortcuts_are_the_most_suspicious_groups_of_their_classes() -> None:
    assert recall(found(), planted()[0]) == 1
    for shortcut in planted()[0].shortcuts:
        first = max(found().of_class(shortcut.label), key=lambda group: group.suspicion)
        assert first.words[0].word == shortcut.words[0]
        assert set(first.documents) == set(shortcut.carriers.tolist())


def test_the_finder_fails_if_groups_are_drawn_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_random(vectors: sparse.csr_array, min_size: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(8, size=vectors.shape[0])

    monkeypatch.setattr(document_groups, "METHODS", {"hdbscan": at_random})
    corpus, model = planted()
    assert recall(textlrp.find_shortcuts(model, corpus.documents), corpus) == 0


def test_nothing_planted_is_found_in_a_model_that_never_saw_it() -> None:
    corpus, _ = planted()
    before = corpus_of()
    model = textlrp.BagOfWordsClassifier(random_state=0).fit(before, [each.label for each in before])
    assert recall(textlrp.find_shortcuts(model, corpus.documents), corpus) == 0


# ---- the vectors and the groups


def test_shares_are_those_of_the_explanations() -> None:
    corpus, model = planted()
    scored = score_corpus(model, corpus.documents)
    relevances = word_relevances(scored, MethodSpec("LRP")).predicted
    vectors = relevance_vectors(scored, corpus_words(scored), relevances)
    for n, why in enumerate(textlrp.explain(model, corpus.documents[:20])):
        expected: dict[str, float] = {}
        for form, value in zip(why.tokens.forms, why.relevance[0].tolist(), strict=True):
            if value > 0:
                expected[form] = expected.get(form, 0.0) + value
        of_class = vectors[why.predicted]
        row = of_class.rows.tolist().index(n)
        shares = of_class.shares[[row]].toarray()[0]
        total = sum(expected.values())
        assert {str(of_class.words[v]) for v in np.flatnonzero(shares)} == set(expected)
        for word, value in expected.items():
            assert shares[of_class.words.tolist().index(word)] == pytest.approx(value / total, abs=1e-6)


def test_a_sample_of_a_large_class_is_drawn_by_the_seed() -> None:
    corpus, model = planted()
    scored = score_corpus(model, corpus.documents)
    words, values = corpus_words(scored), word_relevances(scored, MethodSpec("LRP")).predicted
    one, same, other = (relevance_vectors(scored, words, values, max_documents=12, seed=seed) for seed in (0, 0, 1))
    assert all(len(each.rows) == 12 for each in one.values())
    assert all((one[label].rows == same[label].rows).all() for label in one)
    assert any((one[label].rows != other[label].rows).any() for label in one)


@every("method", ["hdbscan", "spectral"])
def test_documents_on_the_same_words_are_one_group(method: str) -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(40, 0.3), size=60)
    shares[:10] = 0.3 * shares[:10] + 0.7 * np.eye(40)[3]
    shares[10:22] = 0.3 * shares[10:22] + 0.7 * np.eye(40)[7]
    groups = group_documents(sparse.csr_array(shares), method=method)
    assert len(set(groups[:10])) == 1
    assert len(set(groups[10:22])) == 1
    assert groups[0] >= 0
    assert groups[10] >= 0
    assert groups[0] != groups[10]


def test_leading_words_of_equal_shares_are_not_in_the_order_of_the_text() -> None:
    words = np.array(["send", "regards", "to", "my", "aunt", "rare"], dtype=object)
    shares = np.tile([0.2, 0.2, 0.2, 0.2, 0.2, 0.0], (8, 1))
    vectors = RelevanceVectors(sparse.csr_array(shares), words, np.arange(8))
    (group,) = word_groups(0, vectors, "spectral", 3, 0)
    assert group.words == ("aunt", "my", "regards", "send", "to")


def test_few_documents_are_no_group() -> None:
    assert group_documents(sparse.csr_array(np.eye(2))).tolist() == [-1, -1]
    assert group_documents(sparse.csr_array((0, 3))).tolist() == []


@every("method", ["hdbscan", "spectral"])
def test_documents_without_supporting_words_are_in_no_group(method: str) -> None:
    shares = np.zeros((20, 6))
    shares[:8, 0], shares[8:14, 1] = 1, 1
    groups = group_documents(sparse.csr_array(shares), method=method)
    assert (groups[14:] == -1).all()
    assert len(set(groups[:8])) == len(set(groups[8:14])) == 1
    assert groups[0] != groups[8]


def test_groups_on_the_same_words_are_joined_and_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.full(30, 0.3), size=40)
    shares[:20] = 0.2 * shares[:20] + 0.8 * np.eye(30)[4]
    halves = np.array([*[0] * 6, *[1] * 6, *[-1] * 8, *[-1] * 20])
    monkeypatch.setattr(document_groups, "METHODS", {"hdbscan": lambda vectors, min_size, seed: halves.copy()})
    groups = group_documents(sparse.csr_array(shares))
    assert set(groups[:12]) == {0}
    assert (groups[12:20] == 0).sum() >= 3
    assert (groups[20:] == -1).all()


def test_the_nearest_centroid_by_plain_loops() -> None:
    texts = [("a a b", "x"), ("a c", "x"), ("b c d", "y"), ("d d", "y"), ("key d", "x"), ("key b d", "x")]
    model = textlrp.BagOfWordsClassifier(random_state=0, min_df=1).fit(*map(list, zip(*texts, strict=True)))
    corpus = score_corpus(model, [Document(str(n), text, label) for n, (text, label) in enumerate(texts)])
    words = sorted({word for text, _ in texts for word in text.split()})
    counts = np.array([[text.split().count(word) for word in words] for text, _ in texts], dtype=float)
    idf = np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0))) + 1
    vectors = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:, words.index("key")] = 0
    mean = {label: sum(vectors[n] for n in range(4) if texts[n][1] == label) for label in "xy"}
    cosine = {label: vectors[4:] @ mean[label] / np.linalg.norm(mean[label]) for label in "xy"}
    expected = float((cosine["y"] > cosine["x"]).mean())
    assert expected > 0
    centroids = ClassCentroids(corpus, corpus_words(corpus))
    assert centroids.unlike(np.array([4, 5]), ["key"], 0) == expected
    assert centroids.unlike(np.array([4, 5]), ["key"], 1) == 1 - expected


# ---- the numbers of a group


def test_predictions_without_the_words_are_those_of_the_model() -> None:
    corpus, model = planted()
    scored = score_corpus(model, corpus.documents)
    for group in found().groups[:4]:
        words = {word.word for word in group.words}
        changed = correct = 0
        for row in group.documents:
            batch = model.encode([corpus.documents[row]])
            keep = np.array([[form not in words for form in batch.readings[0].forms]])
            best = model.classes_[model.scores(batch, keep=keep)[0].argmax()]
            changed += bool(best != group.label)
            correct += bool(best == corpus.documents[row].label)
        assert (group.deleted.changed, group.deleted.correct_without) == (changed, correct)
        assert group.of_predictions == int((scored.predicted == list(model.classes_).index(group.label)).sum())


def test_z_is_computed_by_hand() -> None:
    corpus, _ = planted()
    word = found().groups[0].words[0]
    label = found().groups[0].label
    with_word = [each for each in corpus.documents if word.word in each.text.split()]
    assert word.documents == len(with_word)
    assert word.of_class == sum(each.label == label for each in with_word)
    p0 = sum(each.label == label for each in corpus.documents) / len(corpus.documents)
    z = (word.of_class / word.documents - p0) / np.sqrt(p0 * (1 - p0) / word.documents)
    assert word.z == pytest.approx(z)


@given(parts=st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_the_suspicion_grows_with_each_part(parts: list[float]) -> None:
    names = ("concentration", "dependence", "one source", "outside the body", "names and codes", "unlike the class")
    value = suspicion_of(dict(zip(names, parts, strict=True)))
    assert value == pytest.approx(np.sqrt((parts[0] + parts[1]) / 2 * max(parts[2:])))
    assert 0 <= value <= 1
    for n in range(6):
        more = [*parts[:n], 1.0, *parts[n + 1 :]]
        assert suspicion_of(dict(zip(names, more, strict=True))) >= value - 1e-12


def test_groups_are_sorted_and_as_plain_data() -> None:
    weights = [group.weight for group in found().groups]
    assert weights == sorted(weights, reverse=True)
    plain = json.loads(json.dumps(found().to_dict()))
    assert len(plain["groups"]) == len(found().groups)
    first: ShortcutGroup = found().groups[0]
    assert plain["groups"][0]["words"][0]["word"] == first.words[0].word
    assert plain["groups"][0]["suspicion_parts"] == pytest.approx(dict(first.suspicion_parts))
    assert set(found().words(suspicion=0.0)) >= {word.word for word in first.words}
    assert found().words(suspicion=1.1) == ()


# ---- origins


MESSAGE = """\
From: ann.lee@host.example (Ann Lee)
Subject: Re: Fuel

Bob wrote:
> old fuel
new fuel
--
Ann, fuel club
"""


def test_parts_of_a_message() -> None:
    offsets = [at for at in range(len(MESSAGE)) if MESSAGE[at : at + 4].lower() in ("fuel", "from")]
    assert parts_at(MESSAGE, np.array(offsets)) == ["header", "subject line", "quote", "body", "signature"]
    assert parts_at("plain fuel", np.array([6])) == ["body"]


def test_author_and_thread() -> None:
    assert (author_of(MESSAGE), thread_of(MESSAGE)) == ("ann.lee@host.example", "fuel")
    assert author_names(MESSAGE) == {"ann", "lee"}
    for text in ("", "no header", "From me to you\n\nSubject: not a header"):
        assert (author_of(text), thread_of(text), author_names(text)) == (None, None, set())


@given(st.lists(st.sets(st.sampled_from("abcdefgh")), max_size=6))
def test_near_duplicates_by_plain_loops(texts: list[set[str]]) -> None:
    expected = [
        any(i != j and len(a & b) >= 0.8 * max(1, len(a | b)) for j, b in enumerate(texts))
        for i, a in enumerate(texts)
    ]
    assert near_duplicates(texts).tolist() == expected


def test_what_is_refused() -> None:
    corpus, model = planted()
    with pytest.raises(OptionError, match="clustering must be hdbscan or spectral; got 'kmeans'"):
        textlrp.find_shortcuts(model, corpus.documents, clustering="kmeans")
    with pytest.raises(OptionError, match="min_size must be at least 2; got 1"):
        textlrp.find_shortcuts(model, corpus.documents, min_size=1)
    with pytest.raises(DataError, match="label is missing"):
        textlrp.find_shortcuts(model, [Document("1", "engine")])
    with pytest.raises(DataError, match="documents must be labeled Documents; got a str"):
        textlrp.find_shortcuts(model, ["engine"])  # type: ignore[list-item]
