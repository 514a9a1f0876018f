"""Atomic files: complete or unchanged, links and streams, modes, and long names."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from textlrp.errors import DataError
from textlrp.files.written_file import atomic_file
from textlrp.store import read


def _fail(path: Path) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("interrupted")


def test_the_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with atomic_file(path) as temporary:
        temporary.write_text("all of it")
        assert temporary.parent == tmp_path
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="interrupted"):
        _fail(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"), atomic_file(tmp_path / "no" / "out.txt"):
        pass
    with pytest.raises(DataError, match="is a folder"), atomic_file(tmp_path):
        pass


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path: Path) -> None:
    path, link = tmp_path / "out.txt", tmp_path / "link"
    link.symlink_to(path)
    with atomic_file(link) as temporary:
        temporary.write_text("x")
    assert link.is_symlink()
    assert path.read_text() == "x"
    with atomic_file("/dev/null") as device:
        assert device == Path("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_the_standard_streams_are_written_to_and_other_pipes_are_not(tmp_path: Path) -> None:
    page = "textlrp.explanation.Explanation"
    script = (
        f"from textlrp.files.written_file import atomic_file; page = {page!r}\n"
        "with atomic_file('/dev/stdout') as out: out.write_text(page)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == page
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(DataError, match=r"must be a regular file; got '.*pipe', a pipe"),
        atomic_file(tmp_path / "pipe"),
    ):
        pass
    with pytest.raises(DataError, match="a pipe"):
        list(read(tmp_path / "pipe"))
    with pytest.raises(DataError, match="a pipe"):
        list(read(tmp_path / "pipe"))


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    usual = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "out.txt") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(usual)
    assert stat.S_IMODE((tmp_path / "out.txt").stat().st_mode) == 0o640


def test_a_name_at_the_limit_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with atomic_file(path) as temporary:
        temporary.write_text("x")
    assert path.exists()
