"""The user's cache folder: content is read back unchanged or not at all, and errors never stop a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st

from textlrp.user_cache import cache_path, read_cached, write_cached

KEY = {"format": 1, "of": "something"}
CONTENT = {"words": ["naïve", "\ud800", "😀"], "lengths": [1, 2]}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "folder" / "file.json"
    write_cached(path, KEY, CONTENT)
    return path


def test_what_was_written_is_read_back(written: Path) -> None:
    assert read_cached(written, dict(KEY)) == CONTENT
    assert [path.name for path in written.parent.iterdir()] == ["file.json"]


@pytest.mark.parametrize("key", [{"format": 2, "of": "something"}, {"format": 1}, {}, KEY | {"more": None}])
def test_another_key_reads_nothing(written: Path, key: dict[str, Any]) -> None:
    assert read_cached(written, key) is None


def test_a_missing_file_reads_nothing(tmp_path: Path) -> None:
    assert read_cached(tmp_path / "none.json", KEY) is None


@given(data=st.data())
def test_no_damage_is_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    write_cached(path, KEY, CONTENT)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    for damaged in (whole[:cut], whole[:cut] + bytes([byte]) + whole[cut + 1 :]):
        path.write_bytes(damaged)
        assert read_cached(path, KEY) in (None, CONTENT)
        if read_cached(path, KEY) is not None:  # equivalent JSON, such as a different escape
            assert json.loads(damaged)["content"] == CONTENT


@every("stored", ["", "{", "null", "[]", "1", "[" * 100_000, '{"key": {"format": 1}}', "\udcff"])
def test_other_files_are_not_read(tmp_path: Path, stored: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(stored.encode("utf-8", "surrogateescape"))
    assert read_cached(path, KEY) is None


def test_nothing_is_written_if_the_folder_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    write_cached(tmp_path / "file" / "cached.json", KEY, CONTENT)
    assert (tmp_path / "file").read_text() == ""


def test_a_path_that_cannot_be_replaced_stays_and_no_temporary_file_remains(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    write_cached(tmp_path / "taken", KEY, CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_the_folder_is_the_one_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTLRP_CACHE_DIR", str(tmp_path))
    assert cache_path("a", "b") == tmp_path / "a" / "b"
    monkeypatch.delenv("TEXTLRP_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_path("a").parts[-2:] == ("textlrp", "a")
