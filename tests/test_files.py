from pathlib import Path

import pytest

from textlrp.errors import DataError
from textlrp.files import written_beside


def _fail(path: Path) -> None:
    with written_beside(path) as beside:
        beside.write_text("half")
        raise RuntimeError("interrupted")


def test_the_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with written_beside(path) as beside:
        beside.write_text("all of it")
        assert beside.parent == tmp_path
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
    with pytest.raises(DataError, match="does not exist"), written_beside(tmp_path / "no" / "out.txt"):
        pass
    with pytest.raises(DataError, match="is a folder"), written_beside(tmp_path):
        pass


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path: Path) -> None:
    path, link = tmp_path / "out.txt", tmp_path / "link"
    link.symlink_to(path)
    with written_beside(link) as beside:
        beside.write_text("x")
    assert link.is_symlink()
    assert path.read_text() == "x"
    with written_beside("/dev/null") as device:
        assert device == Path("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_a_name_at_the_limit_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with written_beside(path) as beside:
        beside.write_text("x")
    assert path.exists()
