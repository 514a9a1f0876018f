"""The sample posts have all the properties that data/README.md states."""

import re
from collections import Counter
from functools import cache

import pytest

from textlrp.records import Document
from textlrp.text.post_corpora import load_sample_posts
from textlrp.text.skip import make_skip

GROUPS = [
    "alt.atheism",
    "comp.graphics",
    "comp.os.ms-windows.misc",
    "comp.sys.ibm.pc.hardware",
    "comp.sys.mac.hardware",
    "comp.windows.x",
    "misc.forsale",
    "rec.autos",
    "rec.motorcycles",
    "rec.sport.baseball",
    "rec.sport.hockey",
    "sci.crypt",
    "sci.electronics",
    "sci.med",
    "sci.space",
    "soc.religion.christian",
    "talk.politics.guns",
    "talk.politics.mideast",
    "talk.politics.misc",
    "talk.religion.misc",
]

RUN = 8  # words


@cache
def posts() -> tuple[Document, ...]:
    return load_sample_posts("all", remove=("headers",)).documents


def test_all_groups_have_enough_posts_to_train_and_to_test() -> None:
    for subset, least in (("train", 8), ("test", 4)):
        corpus = load_sample_posts(subset)
        counts = Counter(corpus.labels)
        assert sorted(counts) == GROUPS
        assert min(counts.values()) >= least, counts
        assert corpus.label_names == GROUPS


def test_ids_are_unique() -> None:
    ids = [document.id for document in posts()]
    assert len({*ids}) == len(ids)
    assert len({id.rpartition("/")[2] for id in ids}) == len(ids)


def test_every_post_has_a_header_that_is_found() -> None:
    for document in posts():
        ranges = make_skip(("headers",))(document.text)
        assert len(ranges) == 1, document.id
        header = document.text[: ranges[0, 1]]
        assert re.search("^From: ", header, re.MULTILINE), document.id
        assert re.search("^Subject: ", header, re.MULTILINE), document.id


def test_bodies_have_60_to_150_words() -> None:
    lengths = {document.id: len(document.read_text().split()) for document in posts()}
    assert {id: length for id, length in lengths.items() if not 60 <= length <= 150} == {}


def test_no_two_posts_share_a_long_run_of_words() -> None:
    seen: dict[tuple[str, ...], str] = {}
    shared: list[tuple[str, str, tuple[str, ...]]] = []
    for document in posts():
        words = re.findall(r"\w+", document.read_text().lower())
        runs = {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
        shared.extend((seen[run], document.id, run) for run in runs & seen.keys())
        seen.update(dict.fromkeys(runs, document.id))
    assert shared == []


def test_addresses_are_invented() -> None:
    for document in posts():
        for address in re.findall(r"[\w.+-]+@[\w.-]*\w", document.text):
            assert address.endswith(".example"), (document.id, address)


def test_posts_contain_quotations_signatures_and_irregularities() -> None:
    texts = [document.text for document in posts()]
    for least, pattern in [
        (60, r"^[>|:]"),
        (60, r"^--"),
        (1, r"^.{200,}$"),
        (1, r"[^\n]\Z"),
        (1, r"\n\n\n"),
        (1, r"[£é]"),
        (1, r"<b>"),
        (1, r"\t\S*\d"),
        (1, r"^Subject: Re: Re:"),
    ]:
        found = sum(bool(re.search(pattern, text, re.MULTILINE)) for text in texts)
        assert found >= least, (pattern, found)


@pytest.mark.parametrize("subset", ["train", "test"])
def test_posts_are_sorted_and_named_by_group_and_number(subset: str) -> None:
    ids = load_sample_posts(subset).ids  # type: ignore[arg-type]
    assert all(re.fullmatch(r"[a-z.-]+/\d{5}", id) for id in ids)
    assert ids == sorted(ids)
