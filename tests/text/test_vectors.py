"""Word vectors from files of every format, valid and damaged."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.text.vector_files import load_vectors
from textlrp.text.vectors import Vectors

WORDS = ("the", "Straße", "New York", "e\u0301", "12", "的\xa0x")
MATRIX = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def lines(words: tuple[str, ...] = WORDS, matrix: NDArray[np.float32] = MATRIX, *, end: str = "\n") -> bytes:
    rows = (
        f"{word} " + " ".join(repr(float(x)) for x in vector) + end
        for word, vector in zip(words, matrix, strict=True)
    )
    return "".join(rows).encode()


def binary(words: tuple[str, ...] = WORDS, matrix: NDArray[np.float32] = MATRIX, *, newline: bytes = b"\n") -> bytes:
    # a word of a word2vec binary ends at the first space
    rows = (
        word.replace(" ", "_").encode() + b" " + vector.tobytes() for word, vector in zip(words, matrix, strict=True)
    )
    return f"{len(words)} {matrix.shape[1]}\n".encode() + b"".join(row + newline for row in rows)


def npz(path: Path, **arrays: NDArray[np.generic]) -> Path:
    np.savez(path, **arrays)
    return path


HEADER = b"6 5\n"
FILES = {
    "word2vec.txt": HEADER + lines(),
    "glove.txt": lines(),
    "glove.6B.5d.TXT": lines(end="\r\n"),
    "fasttext.vec": HEADER + lines(end=" \n"),
    "tabs.txt": lines().replace(b" ", b"\t").replace(b"New\tYork", b"New York"),
    "last_line_open.txt": lines()[:-1],
    "word2vec.bin": binary(),
    "no_newlines.bin": binary(newline=b""),
    "fasttext.vec.gz": gzip.compress(HEADER + lines()),
    "GoogleNews.bin.gz": gzip.compress(binary()),
}


@every("name", FILES)
def test_every_format_gives_the_same_vectors(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    vectors = load_vectors(path)
    expected = tuple(word.replace(" ", "_") for word in WORDS) if ".bin" in name else WORDS
    assert vectors.words == expected
    assert vectors.matrix.dtype == np.float32
    assert np.array_equal(vectors.matrix, MATRIX)
    assert len(vectors) == 6
    assert vectors.dimensions == 5
    assert load_vectors(str(path)).words == expected


@every("name", FILES)
def test_only_the_requested_words_are_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    vectors = load_vectors(path, words=["THE", "12", "absent"])
    assert vectors.words == ("the", "12")
    assert np.array_equal(vectors.matrix, MATRIX[[0, 4]])
    assert load_vectors(path, words=()).matrix.shape == (0, 5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_npz_gives_float32(tmp_path: Path, dtype: str) -> None:
    path = npz(tmp_path / "a.npz", words=np.array(WORDS), vectors=MATRIX.astype(dtype), counts=np.arange(6))
    vectors = load_vectors(path)
    assert vectors.words == WORDS
    assert vectors.matrix.dtype == np.float32
    assert np.allclose(vectors.matrix, MATRIX, atol=0 if dtype != "float16" else 2e-3, rtol=0)
    assert np.array_equal(load_vectors(path, words={"12"}).matrix, vectors.matrix[4:5])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1), unique=True))
def test_a_binary_file_is_read_back(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.mktemp("v") / "a.bin"
    matrix = np.random.default_rng(len(words)).normal(size=(len(words), 70_000 if len(words) < 3 else 3))
    path.write_bytes(binary(tuple(words), matrix.astype(np.float32)))
    vectors = load_vectors(path)
    assert vectors.words == tuple(words)
    assert np.array_equal(vectors.matrix, matrix.astype(np.float32))


def test_a_binary_longer_than_one_read_is_read_whole(tmp_path: Path) -> None:
    words = tuple(f"w{n}" for n in range(40_000))
    matrix = np.random.default_rng(0).normal(size=(len(words), 20)).astype(np.float32)
    path = tmp_path / "a.bin"
    path.write_bytes(binary(words, matrix))
    assert np.array_equal(load_vectors(path).matrix, matrix)


# ---- damaged files


@every(
    "name, content, message",
    [
        ("a.txt", lines().rsplit(b" ", 2)[0], "line 6 \\(.*a.txt\\): must have 5 numbers after the word; got 3"),
        ("a.txt", lines() + b"word 1 2 3\n", "line 7 \\(.*a.txt\\): must have 5 numbers after the word; got 3"),
        ("a.txt", lines() + b"word 1 2 3 4 5 6\n", "line 7 \\(.*a.txt\\): must have 5 numbers after the word; got 6"),
        (
            "a.txt",
            lines() + b"word 1 2 x 4 5\n",
            "line 7 \\(.*a.txt\\): must have only numbers after the word 'word'",
        ),
        ("a.txt", lines() + b"\n", "line 7 \\(.*a.txt\\): must have 5 numbers after the word; got 0"),
        ("a.txt", lines() + b"word 1 2 nan 4 5\n", "a.txt: the vector of 'word' must be finite"),
        ("a.vec", b"7 5\n" + lines(), "must have 7 words \\(line 1\\); got 6"),
        ("a.vec", b"5 5\n" + lines(), "must have 5 words \\(line 1\\); got 6"),
        ("a.vec", b"6 4\n" + lines(), "line 2 \\(.*a.vec\\): must have 4 numbers after the word; got 5"),
        ("a.txt", b"", "line 1 \\(.*a.txt\\): must be a word followed by numbers"),
        ("a.txt", b"hello\n", "line 1 \\(.*a.txt\\): must be a word followed by numbers"),
        ("a.txt", binary()[4:], "line 1 \\(.*a.txt\\)"),
        ("a.vec.gz", lines(), "a.vec.gz: incomplete or damaged"),
        ("a.vec.gz", gzip.compress(lines())[:-20], "a.vec.gz: incomplete or damaged"),
        ("a.bin", binary()[:-7], "a.bin: must have 6 words; it ends in word 6"),
        ("a.bin", b"999999999999 5\n" + binary()[4:], "it ends in word 7"),
        ("a.bin", b"2 5\n" + b"x" * 3_000_000, "it ends in word 1"),
        ("a.bin", lines(), "a.bin: a word2vec binary must begin with the numbers of words and dimensions"),
        ("a.bin", b"", "a.bin: a word2vec binary must begin with the numbers of words and dimensions"),
        (
            "a.bin",
            b"\xba\x16\x4f\x2f\x0c\0\0\0",
            r"fastText's own \.bin format is not supported\. Use the \.vec file",
        ),
        ("a.npz", b"no zip", "a.npz"),
        ("a.npz", b"", "a.npz"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_vectors(path)


def test_a_skipped_word_of_another_length_is_still_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(lines() + b"word 1 2 3\n")
    with pytest.raises(DataError, match="line 7"):
        load_vectors(path, words=["the"])


def test_an_npz_of_other_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"must contain the arrays words \(V,\) and vectors \(V, D\); got words, matrix"
    ):
        load_vectors(npz(tmp_path / "a.npz", words=np.array(WORDS), matrix=MATRIX))
    with pytest.raises(DataError, match="one vector per word; got 6 words, 5 vectors"):
        load_vectors(npz(tmp_path / "b.npz", words=np.array(WORDS), vectors=MATRIX[:5]))
    with pytest.raises(DataError, match=r"vectors must be numbers \(V, D\); got"):
        load_vectors(npz(tmp_path / "c.npz", words=np.array(WORDS), vectors=MATRIX[0]))
    with pytest.raises(DataError, match="numbers"):
        load_vectors(npz(tmp_path / "d.npz", words=np.arange(6), vectors=MATRIX))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "e.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"e\.npz"):
        load_vectors(tmp_path / "e.npz")


class Trap:
    """Creates a file if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], dtype=object)
    with pytest.raises(DataError, match="Python objects"):
        load_vectors(npz(tmp_path / "a.npz", words=trap, vectors=MATRIX[:1]))
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(DataError, match=r"b\.npz"):
        load_vectors(tmp_path / "b.npz")
    assert not sprung.exists()


@pytest.mark.parametrize("source", ["no_such_pipeline_md", "missing/glove.txt", Path("missing.bin")])
def test_a_source_that_is_not_there_is_named(source: str | Path) -> None:
    with pytest.raises(DataError, match=r"must be a file of word vectors .* or an installed spaCy pipeline; got"):
        load_vectors(source)


# ---- spaCy


def test_vectors_come_from_a_spacy_pipeline(tmp_path: Path) -> None:
    import spacy

    pipeline = spacy.blank("en")
    with pytest.raises(DataError, match="has no word vectors"):
        load_vectors(pipeline)
    for word, vector in zip(WORDS, MATRIX, strict=True):
        pipeline.vocab.set_vector(word, vector)
    for source in (pipeline, tmp_path / "pipeline"):
        pipeline.to_disk(tmp_path / "pipeline")
        vectors = load_vectors(source)
        assert sorted(vectors.words) == sorted(WORDS)
        matrix, found = vectors.lookup(WORDS)
        assert found.all()
        assert np.array_equal(matrix, MATRIX)
        assert load_vectors(source, words=["the"]).words == ("the",)


# ---- looking up


def test_lookup_falls_back_to_lower_case() -> None:
    vectors = Vectors(("the", "US", "us"), MATRIX[:3])
    matrix, found = vectors.lookup(["The", "US", "Us", "absent"])
    assert found.tolist() == [True, True, True, False]
    assert np.array_equal(matrix, np.stack([MATRIX[0], MATRIX[1], MATRIX[2], np.zeros(5, np.float32)]))
    assert matrix.dtype == np.float32
    _, found = vectors.lookup(["The", "US"], lowercase_fallback=False)
    assert found.tolist() == [False, True]
    matrix, found = vectors.lookup([])
    assert matrix.shape == (0, 5)
    assert found.shape == (0,)


def test_the_first_of_equal_words_counts() -> None:
    matrix, _ = Vectors(("a", "a"), MATRIX[:2]).lookup(["a"])
    assert np.array_equal(matrix[0], MATRIX[0])


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="matrix must have one row for each of the 2 words; got shape"):
        Vectors(("a", "b"), MATRIX)
    with pytest.raises(DataError, match="the vector of 'b' must be finite; got NaN or infinity"):
        Vectors(("a", "b"), np.array([[1, 2], [np.inf, 0]], dtype=np.float32))
