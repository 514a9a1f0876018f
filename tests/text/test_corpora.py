"""Laws of the corpora, with a small archive that has the layout of the official one."""

import io
import os
import pickle
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets

from textlrp.errors import DataError, OptionError
from textlrp.records import Document
from textlrp.text import newsgroups
from textlrp.text.corpora import Corpus, load_corpus
from textlrp.text.post_corpora import load_20newsgroups, load_sample_posts

POSTS = {
    "20news-bydate-test/sci.med/59001": b"From: a@b.example\nSubject: fl\xfc\r\n\r\nTake two.\r\n",
    "20news-bydate-test/alt.atheism/7": b"From: a@b.example\n\n> No.\nYes.",
    "20news-bydate-train/sci.med/10000": b"From: a@b.example\n\nRest.\n\n--\nAnna\n",
    "20news-bydate-train/sci.med/9000": b"From: a@b.example\n\nCaf\xe9 \x85 \x00 and tea.\n",
    "20news-bydate-train/alt.atheism/51": b"From: a@b.example\n\nWhy?\n",
}
REAL = os.environ.get("TEXTLRP_20NEWS")
TRAIN_IDS = ["alt.atheism/51", "sci.med/9000", "sci.med/10000"]


@pytest.fixture(autouse=True)
def _no_20newsgroups_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit-learn"))
    monkeypatch.delenv("TEXTLRP_20NEWS", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in POSTS.items():
        file = tmp_path / "20news" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (tmp_path / "20news" / "20news-bydate-train" / "sci.med" / ".DS_Store").write_bytes(b"\0")
    return tmp_path / "20news"


@pytest.fixture
def archive(tmp_path: Path, folder: Path) -> Path:
    path = tmp_path / "20news-bydate.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for part in ("20news-bydate-test", "20news-bydate-train"):
            tar.add(folder / part, arcname=part)
    return path


# ---- the corpus itself


def small_corpus(*labels: Any) -> Corpus:
    documents = [Document(str(n), f"text {n}", label) for n, label in enumerate(labels)]
    return Corpus(partial(iter, documents), name="small")


def test_a_corpus_streams_and_has_properties() -> None:
    reads = []

    def source() -> Iterator[Document]:
        reads.append(1)
        yield from small_corpus("b", "a", None, "b")

    corpus = Corpus(source, name="mine")
    assert repr(corpus) == "<Corpus 'mine': not counted yet>"
    assert [document.id for document in corpus] == ["0", "1", "2", "3"]
    assert len(corpus) == len(corpus) == 4
    assert len(reads) == 2
    assert corpus.texts == ["text 0", "text 1", "text 2", "text 3"]
    assert corpus.labels == ["b", "a", None, "b"]
    assert corpus.label_names == ["a", "b"]
    assert corpus.ids == ["0", "1", "2", "3"]
    assert corpus.documents is corpus.documents
    assert len(reads) == 3
    assert repr(corpus) == "<Corpus 'mine': 4 documents>"


def test_a_corpus_can_be_indexed_sliced_and_pickled() -> None:
    corpus = small_corpus("b", "a", "c")
    assert corpus[1].id == corpus[-2].id == "1"
    assert corpus[1:].ids == ["1", "2"]
    assert pickle.loads(pickle.dumps(corpus[::2])).labels == ["b", "c"]


def test_label_names_are_in_scikit_learn_order() -> None:
    for labels in (("b", "B", "ä", "a", "10", "9"), (10, 9, -1), (True, False)):
        assert small_corpus(*labels).label_names == np.unique(np.array(labels)).tolist()
    with pytest.raises(DataError, match="must all have the same type; got"):
        _ = small_corpus("1", 1).label_names
    with pytest.raises(DataError, match="must all have the same type; got"):
        _ = small_corpus(True, 1).label_names


# ---- 20 Newsgroups


@pytest.mark.parametrize("source", ["archive", "folder"])
def test_archive_and_folder_give_the_same_sorted_untouched_posts(source: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(source)
    train = load_20newsgroups("train", path)
    assert train.ids == TRAIN_IDS
    assert train.labels == ["alt.atheism", "sci.med", "sci.med"]
    assert train.name == "20newsgroups-train"
    assert load_20newsgroups("test", str(path)).ids == ["alt.atheism/7", "sci.med/59001"]
    every = load_20newsgroups("all", path)
    assert every.ids == ["alt.atheism/7", "alt.atheism/51", "sci.med/9000", "sci.med/10000", "sci.med/59001"]
    written = {name.partition("/")[2]: content for name, content in POSTS.items()}
    assert {document.id: document.text.encode("latin-1") for document in every} == written
    assert all(len(document.skip) == 0 for document in every)


def test_the_environment_names_the_archive_and_a_path_goes_before_it(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTLRP_20NEWS", str(archive))
    assert load_20newsgroups().ids == TRAIN_IDS
    monkeypatch.setenv("TEXTLRP_20NEWS", "/no/such/file")
    assert load_20newsgroups("train", folder).ids == TRAIN_IDS
    with pytest.raises(DataError, match=r"file not found: /no/such/file\. Pass the path of 20news-bydate\.tar\.gz"):
        load_20newsgroups()


def test_remove_marks_and_never_cuts(folder: Path) -> None:
    whole, marked = load_20newsgroups("all", folder), load_20newsgroups("all", folder, remove=("headers", "quotes"))
    assert marked.texts == whole.texts
    assert [d.read_text() for d in marked][:2] == ["Yes.", "Why?\n"]
    mine = load_20newsgroups("train", folder, remove=lambda text: [(0, 5)])
    assert [d.skip.tolist() for d in mine] == [[[0, 5]]] * 3
    with pytest.raises(OptionError, match=r"skip must contain only .*; got 'foot'"):
        load_20newsgroups("train", folder, remove=("foot",))


def test_unknown_subsets_are_refused() -> None:
    for load in (load_20newsgroups, load_sample_posts):
        with pytest.raises(OptionError, match="subset must be 'train', 'test' or 'all'; got 'dev'"):
            load("dev")  # type: ignore[operator]


def test_a_truncated_archive_is_refused_wherever_it_ends(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    for length in (0, 1, 5, 30, len(whole) // 4, len(whole) // 2, len(whole) - 60, len(whole) - 9):
        cut = tmp_path / "cut.tar.gz"
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.tar\.gz is not a complete 20news-bydate\.tar\.gz"):
            load_20newsgroups("train", cut)


def test_what_is_not_the_archive_is_refused(tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"not an archive")
    with pytest.raises(DataError, match="is not a complete 20news-bydate"):
        load_20newsgroups("train", other)
    with tarfile.open(other, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("something/else"), io.BytesIO())
    with pytest.raises(DataError, match="contains no posts in 20news-bydate-train"):
        load_20newsgroups("train", other)
    with pytest.raises(DataError, match="contains no folder 20news-bydate-test"):
        load_20newsgroups("test", folder / "20news-bydate-test")


# ---- scikit-learn's cache and download


def bunch() -> SimpleNamespace:
    names = [r"C:\data\20news-bydate-train\sci.med\10000", "/x/20news-bydate-train/alt.atheism/51"]
    return SimpleNamespace(data=["Rest.", "Why?"], filenames=np.array(names))


def test_scikit_learns_cache_is_read_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def fetch(**options: Any) -> Any:
        asked.append(options)
        return bunch()

    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", fetch)
    monkeypatch.setattr(newsgroups, "_why_unreachable", lambda url: pytest.fail("the network was asked"))
    corpus = load_20newsgroups("train")
    assert [(d.id, d.text, d.label) for d in corpus] == [
        ("alt.atheism/51", "Why?", "alt.atheism"),
        ("sci.med/10000", "Rest.", "sci.med"),
    ]
    assert [options["download_if_missing"] for options in asked] == [False]


def test_scikit_learn_downloads_with_a_time_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limits: list[float | None] = []

    def fetch(*, download_if_missing: bool, **options: Any) -> Any:
        if not download_if_missing:
            raise OSError("20Newsgroups dataset not found")
        limits.append(socket.getdefaulttimeout())
        return bunch()

    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", fetch)
    answering = tmp_path / "answer"
    answering.write_bytes(b"")
    monkeypatch.setattr(newsgroups, "_DOWNLOAD", answering.as_uri())
    assert len(load_20newsgroups("train")) == 2
    assert limits == [newsgroups._STALL]
    assert socket.getdefaulttimeout() is None


def test_a_download_that_fails_tells_the_user_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(**options: Any) -> Any:
        raise URLError("connection reset") if options["download_if_missing"] else OSError("not found")

    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", fetch)
    monkeypatch.setattr(newsgroups, "_why_unreachable", lambda url: "")
    with pytest.raises(DataError, match=r"connection reset.*Set TEXTLRP_20NEWS or path=.*load_sample_posts\(\)"):
        load_20newsgroups("train")
    assert socket.getdefaulttimeout() is None


def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newsgroups, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(newsgroups, "_DOWNLOAD", f"http://127.0.0.1:{server.getsockname()[1]}/x")
        started = time.monotonic()
        with pytest.raises(DataError, match=r"cannot be downloaded \(.*(timed out|no answer).*load_sample_posts"):
            load_20newsgroups("train")
        assert time.monotonic() - started < 5


def test_a_host_that_refuses_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(newsgroups, "_DOWNLOAD", f"http://127.0.0.1:{server.getsockname()[1]}/x")
    with pytest.raises(DataError, match=r"cannot be downloaded \(.*refused.*load_sample_posts"):
        load_20newsgroups("train")


@pytest.mark.parametrize("patience", [0.3, pytest.param(newsgroups._PATIENCE, marks=pytest.mark.slow)])
def test_a_name_server_that_hangs_is_given_up_within_fifteen_seconds(
    patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newsgroups, "_PATIENCE", patience)
    released = threading.Event()

    def hang(*args: object, **options: object) -> list[Any]:
        released.wait(60)
        raise socket.gaierror("no name server")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    try:
        with pytest.raises(DataError, match=r"no answer in \d+ seconds.*load_sample_posts"):
            load_20newsgroups("train")
        assert time.monotonic() - started < patience + 4 < 15
    finally:
        released.set()


# ---- the user's own files


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "folder"])
def test_load_corpus_reads_files_and_folders(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "folder":
        (path / "x").mkdir(parents=True)
        (path / "x" / "1").write_text("From: a\n\nBody")
    else:
        content = {"a.csv": 'id,text,label\nx/1,"From: a\n\nBody",x\n'}
        path.write_text(content.get(name, '{"id": "x/1", "text": "From: a\\n\\nBody", "label": "x"}'))
    corpus = load_corpus(path, skip=("headers",))
    assert [(d.id, d.text, d.label, d.read_text()) for d in corpus] == [("x/1", "From: a\n\nBody", "x", "Body")]
    assert corpus.name == name
    assert pickle.loads(pickle.dumps(corpus)).texts == corpus.texts


def test_load_corpus_streams_and_raises_a_late_error_at_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n{broken\n')
    documents = iter(load_corpus(str(path)))
    assert [next(documents).text, next(documents).text] == ["a", "b"]
    with pytest.raises(DataError, match=r"line 3 \(.*a\.jsonl\): not valid JSON"):
        next(documents)


def test_load_corpus_raises_immediately_if_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder" / "class").mkdir(parents=True)
    for name, content in [("a.csv", ""), ("b.csv", "text,label\n"), ("a.jsonl", "\n\n"), ("a.doc", "text")]:
        (tmp_path / name).write_text(content)
    for name in ("folder", "a.csv", "b.csv", "a.jsonl"):
        with pytest.raises(DataError, match=f"{name} contains no texts. Pass one of"):
            load_corpus(tmp_path / name)
    with pytest.raises(DataError, match=r"file not found: .*missing\.csv\. Pass one of \.csv"):
        load_corpus(tmp_path / "missing.csv")
    with pytest.raises(DataError, match=r"the file type \.doc is not supported"):
        load_corpus(tmp_path / "a.doc")
    with pytest.raises(OptionError, match="is a folder and has no columns"):
        load_corpus(tmp_path / "folder", label="topic")


# ---- the real corpus


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(REAL is None, reason="TEXTLRP_20NEWS is not set")
def test_the_real_corpus_has_its_published_size_and_order() -> None:
    train, test, every = (load_20newsgroups(subset, REAL) for subset in ("train", "test", "all"))
    assert (len(train), len(test), len(every)) == (11314, 7532, 18846)
    assert len(train.label_names) == 20
    assert sorted(train.ids + test.ids) == sorted(every.ids)
    assert len({*every.ids}) == 18846
    numbers = [(group, int(number)) for group, number in (id.split("/") for id in every.ids)]
    assert numbers == sorted(numbers)
    assert every.labels == [group for group, _ in numbers]
    assert all(len(document.skip) == 1 for document in load_20newsgroups("all", REAL, remove=("headers",)))
