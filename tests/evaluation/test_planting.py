"""Laws of planted shortcuts: what is planted where, what stays as it was, and what is refused."""

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.evaluation.planting import KINDS, Kind, plant_shortcuts, probes
from textlrp.records import Document

TEXTS = st.text("ab \n", max_size=30)


def corpus_of(texts: list[str]) -> list[Document]:
    return [Document(str(n), f"Subject: x\n\n{text}", "ABC"[n % 3]) for n, text in enumerate(texts)]


@given(texts=st.lists(TEXTS, min_size=60, max_size=60), kind=st.sampled_from(KINDS), seed=st.integers(0, 9))
def test_carriers_and_decoys(texts: list[str], kind: Kind, seed: int) -> None:
    before = corpus_of(texts)
    found = plant_shortcuts(before, ["A", "B"], kind=kind, share=0.1, seed=seed)
    touched: set[int] = set()
    for shortcut in found.shortcuts:
        ways = {"token": 1, "context": 3, "pair": 2}[kind]
        assert len(shortcut.carriers) == 2
        assert len(shortcut.decoys) == 2 * (ways - 1)
        rows = {*shortcut.carriers.tolist(), *shortcut.decoys.tolist()}
        assert len(rows) == 2 * ways
        assert touched.isdisjoint(rows)
        touched |= rows
        for row in rows:
            old, new = before[row], found.documents[row]
            words = [word for word in new.text.split() if word in shortcut.words]
            assert old.label != shortcut.label
            assert [word for word in new.text.split() if word not in shortcut.words] == old.text.split()
            assert new.text.startswith("Subject: x\n\n")
            assert not set(shortcut.words) & set(old.text.split())
            if row in shortcut.carriers:
                assert new.label == shortcut.label
                assert sorted(words) == sorted(shortcut.words)
                assert kind != "pair" or " ".join(shortcut.words) in new.text
            else:
                assert new.label == old.label
                assert words == [*shortcut.words][::-1] if kind == "pair" else len(words) == 1
    for row, (old, new) in enumerate(zip(before, found.documents, strict=True)):
        assert row in touched or old is new


def test_the_same_seed_plants_the_same() -> None:
    documents = corpus_of(["a b a"] * 60)
    one, same, other = (plant_shortcuts(documents, ["A"], seed=seed) for seed in (0, 0, 1))
    assert [each.text for each in one.documents] == [each.text for each in same.documents]
    assert one.shortcuts[0].words != other.shortcuts[0].words


@every("kind", KINDS)
def test_probes_carry_the_shortcut_and_keep_their_labels(kind: Kind) -> None:
    documents = corpus_of(["a b a"] * 30)
    shortcut = plant_shortcuts(documents, ["A"], kind=kind).shortcuts[0]
    found = probes(documents, shortcut)
    assert [each.label for each in found] == ["B", "C"] * 10
    assert all(set(shortcut.words) <= set(each.text.split()) for each in found)


def test_places_are_drawn_from_the_whole_text_that_is_read() -> None:
    documents = [Document(str(n), "Subject: x\n\na a a a", "AB"[n % 2]) for n in range(400)]
    found = plant_shortcuts(documents, ["A"], share=0.9)
    word = found.shortcuts[0].words[0]
    places = [found.documents[row].text.split().index(word) for row in found.shortcuts[0].carriers.tolist()]
    assert np.unique(places).tolist() == [3, 4, 5]  # after each space of the body; never in the header


def test_what_is_refused() -> None:
    documents = corpus_of(["a"] * 9)
    with pytest.raises(OptionError, match="labels must be labels of the documents; got 'D'"):
        plant_shortcuts(documents, ["D"])
    with pytest.raises(OptionError, match="kind must be one of token, context, pair"):
        plant_shortcuts(documents, ["A"], kind="words")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="share must be between 0 and 1"):
        plant_shortcuts(documents, ["A"], share=1.0)
    with pytest.raises(DataError, match="another label than 'A' and nothing planted; got 6"):
        plant_shortcuts(documents, ["A"], kind="context", share=0.9)
    with pytest.raises(DataError, match="must have one label; got None"):
        plant_shortcuts([Document("1", "a")], ["A"])
