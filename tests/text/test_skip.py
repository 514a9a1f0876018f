"""Laws of the skipped ranges: the remaining text is the same as after scikit-learn's own removal."""

import os
import pickle
from itertools import combinations

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import _twenty_newsgroups as peer

from textlrp.errors import OptionError
from textlrp.records import Document, Ranges
from textlrp.text.post_corpora import load_20newsgroups, load_sample_posts
from textlrp.text.skip import SKIPPABLE, make_skip, merge_ranges

CUTS = {
    "headers": peer.strip_newsgroup_header,
    "footers": peer.strip_newsgroup_footer,
    "quotes": peer.strip_newsgroup_quoting,
}
REMOVES = [names for size in range(4) for names in combinations(SKIPPABLE, size)]

LINES = st.sampled_from(
    [
        "",
        "",
        " ",
        "\t",
        "--",
        "---- ",
        "- -",
        "> quoted",
        " > not quite",
        "| bar",
        "a line",
        "Anna Berg wrote:",
        "x\r",
        "In article <7@a.example>",
        " In article",
        "Quoted from",
        "she writes: yes",
        "writes in",
        "\x0b",
        "\u2028",
        "é\xa0",
    ]
)
BODIES = st.lists(LINES, max_size=12).map("\n".join) | st.text(alphabet="\n >-|a\t\r\x85", max_size=30)
POSTS = BODIES.map(lambda body: f"From: a@b.example\nLines: 3\n\n{body}")


def cut(text: str, ranges: Ranges) -> str:
    return Document("", text, skip=ranges).read_text()


def peer_cut(text: str, names: tuple[str, ...]) -> str:
    for name in SKIPPABLE:
        text = CUTS[name](text) if name in names else text
    return text


def assert_well_formed(text: str, ranges: Ranges) -> None:
    assert ranges.dtype == np.int32
    assert ranges.shape == (len(ranges), 2)
    assert (ranges[:, 0] < ranges[:, 1]).all()
    assert (ranges[1:, 0] > ranges[:-1, 1]).all()
    assert not len(ranges) or (ranges[0, 0] >= 0 and ranges[-1, 1] <= len(text))


@given(text=POSTS)
@pytest.mark.parametrize("names", REMOVES, ids="+".join)
def test_removing_the_ranges_leaves_the_text_of_scikit_learn(names: tuple[str, ...], text: str) -> None:
    ranges = make_skip(names)(text)
    assert_well_formed(text, ranges)
    assert cut(text, ranges) == peer_cut(text, names)


@every("names", REMOVES)
def test_sample_posts_are_stripped_as_scikit_learn_strips_them(names: tuple[str, ...]) -> None:
    for document in load_sample_posts("all", remove=names):
        assert document.read_text() == peer_cut(document.text, names), document.id


@given(text=BODIES)
def test_removing_one_kind_leaves_the_text_of_scikit_learn(text: str) -> None:
    assert cut(text, make_skip(("footers",))(text)) == peer.strip_newsgroup_footer(text)
    assert cut(text, make_skip(("quotes",))(text)) == peer.strip_newsgroup_quoting(text)


@given(text=POSTS, names=st.permutations(SKIPPABLE))
def test_the_order_of_the_names_means_nothing(text: str, names: list[str]) -> None:
    assert make_skip(names)(text).tolist() == make_skip(SKIPPABLE)(text).tolist()


@every(
    "text, body",
    [
        ("From: a@b.example\nSubject: x\n\nBody\n\nmore", "Body\n\nmore"),
        ("Lines: 3\nSubject: x\n\n\n\nBody", "\n\nBody"),
        ("From: a\r\nSubject: x\r\n\r\nBody\r\n", "Body\r\n"),
        ("Dear all,\n\nFrom: here on it is body.", "Dear all,\n\nFrom: here on it is body."),
        ("A letter From: nobody\n\nBody", "A letter From: nobody\n\nBody"),
        ("From: a header that never ends\nSubject: x\n", "From: a header that never ends\nSubject: x\n"),
        ("\n\nFrom: a\n\nBody", "\n\nFrom: a\n\nBody"),
        ("From: a\n\n", ""),
        ("", ""),
    ],
)
def test_a_header_is_a_first_block_with_a_sender_or_a_subject(text: str, body: str) -> None:
    assert cut(text, make_skip(("headers",))(text)) == body


PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), max_size=8)


@given(parts=st.lists(PAIRS, max_size=4))
def test_a_union_covers_what_any_part_covers(parts: list[list[list[int]]]) -> None:
    merged = merge_ranges(*(np.array(pairs, dtype=np.int32).reshape(-1, 2) for pairs in parts))
    assert_well_formed("x" * 40, merged)
    covered = {position for pairs in parts for low, high in pairs for position in range(low, high)}
    assert {position for low, high in merged.tolist() for position in range(low, high)} == covered


def test_a_users_own_function_is_sorted_and_merged() -> None:
    ranges = make_skip(lambda text: [(6, 9), (0, 2), (1, 4), (5, 5)])("0123456789")
    assert ranges.tolist() == [[0, 4], [6, 9]]
    assert ranges.dtype == np.int32
    assert make_skip(lambda text: [])("text").shape == (0, 2)
    assert make_skip(make_skip(("quotes",)))("> a\nb").tolist() == [[0, 4]]


@every(
    "given, words",
    [
        ([(0, 11)], r"end <= 10, the length of the text; got \(0, 11\)"),
        ([(-1, 3)], r"got \(-1, 3\)"),
        ([(5, 3)], r"0 <= start <= end <= 10, the length of the text; got \(5, 3\)"),
        ([0, 3], "shape \\(2,\\)"),
        ([(0, 1, 2)], "shape \\(1, 3\\)"),
        ([(0.0, 1.5)], "type float64"),
        (["headers"], "start and end"),
        ([(0, 1), (2,)], "got an error"),
    ],
)
def test_a_users_own_function_must_give_ranges_inside_the_text(given: object, words: str) -> None:
    def mine(text: str) -> object:
        return given

    with pytest.raises(OptionError, match=f"skip function mine must return .*{words}"):
        make_skip(mine)("0123456789")  # type: ignore[arg-type]


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="skip must contain only 'headers', 'footers' and 'quotes'; got 'footer'"):
        make_skip(("headers", "footer"))
    with pytest.raises(OptionError, match=r"skip must be a tuple of names; got 'headers'\. Pass skip=\('headers',\)"):
        make_skip("headers")


def test_a_skip_function_can_be_pickled() -> None:
    skip = pickle.loads(pickle.dumps(make_skip(("headers", "quotes"))))
    assert skip("From: a\n\n> b\nc").tolist() == [[0, 13]]


def test_long_texts_take_linear_time() -> None:
    for text in ("a" * 1_000_000, "> a\n" * 200_000, "\n" * 1_000_000, "a writes a\n" * 80_000):
        assert_well_formed(text, make_skip(SKIPPABLE)(text))


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif("TEXTLRP_20NEWS" not in os.environ, reason="TEXTLRP_20NEWS is not set")
def test_every_post_is_stripped_as_scikit_learn_strips_it() -> None:
    for names in [(), ("headers",), ("footers",), ("quotes",), SKIPPABLE]:
        corpus = load_20newsgroups("all", remove=names)
        assert len(corpus) == 18846
        for document in corpus:
            assert document.read_text() == peer_cut(document.text, names), document.id
