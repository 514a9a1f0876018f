"""Files of stop words: what is written is read again, and no file of the user is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cases import every
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError
from textlrp.files.stop_word_file import MAX_BYTES, read_stop_words, write_stop_words

AWKWARD = [
    "#", "##", "# comment", "#\tcomment", "#tag", " the", "the ", "\u00a0the", '"', '""', '"the"', '"the', 'the"',
    "\\", "a\nb", "a\r", "\r\n", "\x00", "\u2028", "a\u2028b", "\x85", "\ufeff", "\ufeffthe", "\ud800", "null",
    "1", "[]", "Straße", "ﬁ", "e\u0301", "東京", "🚀", "ا\u200cب", "\u00ad", " ", "\t",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(), min_size=1) | st.sampled_from(AWKWARD), min_size=1),
    st.text(),
)
@example(["the"], "NUL \x00 and half of a pair \ud800")
@example(AWKWARD, 'one\n# two\n\n"three"\rfour\u2028five')
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], comment: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "stop.txt"
    path.unlink(missing_ok=True)
    write_stop_words(words, path, comment=comment)
    assert read_stop_words(path) == tuple(dict.fromkeys(words))
    write_stop_words(words[:1], path)  # a file that textlrp wrote is replaced
    assert read_stop_words(path) == (words[0],)


def test_usual_words_are_written_as_they_are(tmp_path: Path) -> None:
    write_stop_words(["straße", "#tag", "c++", "a b"], tmp_path / "stop.txt", comment="Words of one author.\nThree.")
    start, *lines = (tmp_path / "stop.txt").read_text(encoding="utf-8").splitlines()
    assert start.startswith("# Stop words of textlrp")
    assert lines == ["# Words of one author.", "# Three.", "straße", "#tag", "c++", "a b"]


@every(
    "content, words",
    [
        (b"the\nof", ("the", "of")),
        (b"the\r\n\r\n of \r\n", ("the", "of")),
        (b"\xef\xbb\xbfthe\nthe\n", ("the",)),
        (b"# comment\n#\n #\tcomment\n#tag\nthe # word\n", ("#tag", "the # word")),
        (b'"# the"\n"\\u00e9"\n"not JSON\n"5"\n""\n', ("# the", "é", '"not JSON', "5", '""')),
    ],
)
def test_files_that_people_write(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, words: tuple[str, ...]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.txt"
    path.write_bytes(content)
    assert read_stop_words(path) == words


@every(
    "content, sentence",
    [
        (b"", "has no word. Write one word per line"),
        (b"# the\n\n  \n", "has no word. Write one word per line"),
        (b"the\x00", "is not UTF-8 text. Save it as text in UTF-8"),
        ("straße".encode("latin-1"), "is not UTF-8 text"),
        ("the".encode("utf-16"), "is not UTF-8 text"),
        (b"a\n" * (MAX_BYTES // 2) + b"a", "must have at most 8,388,608 bytes"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_files_that_have_no_list_of_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | None, sentence: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "refused.txt"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=sentence.replace(".", r"\.")):
        read_stop_words(path)


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_stop_words(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="must be a regular file"):
        read_stop_words(tmp_path / "pipe")


def test_no_file_of_the_user_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "stop.txt"
    for content in (b"the\n", b"# Stop words\nthe\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="exists and is not a list of stop words that textlrp wrote"):
            write_stop_words(["of"], path)
        assert path.read_bytes() == content
    path.unlink()
    write_stop_words(["of"], path)
    edited = path.read_bytes() + b"mine\n"
    path.write_bytes(edited)
    with pytest.raises(DataError, match="exists and is not"):
        write_stop_words(["of"], path)
    with pytest.warns(UserWarning, match="bak1"):
        write_stop_words(["at"], path, force=True)
    assert (tmp_path / "stop.txt.bak1").read_bytes() == edited
    assert read_stop_words(path) == ("at",)


def test_an_empty_word_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stop words must be at least one character long; got ''"):
        write_stop_words(["the", ""], tmp_path / "stop.txt")
    assert not list(tmp_path.iterdir())
