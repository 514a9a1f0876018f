"""The posts of 20 Newsgroups: from the archive, its unpacked folder, or scikit-learn's download."""

from __future__ import annotations

import gzip
import queue
import re
import socket
import tarfile
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal

from textlrp.errors import DataError, OptionError
from textlrp.text.readers import Record

Subset = Literal["train", "test", "all"]

NEWSGROUPS_VARIABLE = "TEXTLRP_20NEWS"

_ARCHIVE = "20news-bydate.tar.gz"
_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_DOWNLOAD = "https://ndownloader.figshare.com/files/5975967"  # where scikit-learn gets the archive from
_PATIENCE = 10.0  # seconds until the first answer of that address
_STALL = 30.0  # seconds without a byte, once it has answered


def parts_of(subset: str) -> tuple[str, ...]:
    if subset not in _PARTS:
        raise OptionError(f"subset={subset!r} does not exist; choose 'train', 'test' or 'all'.")
    return _PARTS[subset]


def group_and_number(post: Record) -> tuple[str, float, str]:
    group, _, name = post.id.rpartition("/")
    return group, int(name) if name.isdecimal() else float("inf"), name


# ---- the official archive

ARCHIVE_WANTED = (
    f"wanted is {_ARCHIVE} or its unpacked folder, the one that holds 20news-bydate-train and 20news-bydate-test"
)


def archived_posts(path: Path, folders: tuple[str, ...]) -> Iterator[Record]:
    if not path.exists():
        raise DataError(f"{path} does not exist; {ARCHIVE_WANTED} (path= or ${NEWSGROUPS_VARIABLE}).")
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=packed, mode="r:") as archive:
            for member in archive:
                place = member.name.split("/")[-3:]
                if member.isfile() and len(place) == 3 and place[0] in folders and not place[2].startswith("."):
                    content = archive.extractfile(member)
                    if content is not None:
                        yield _post(place[1], place[2], content.read())
            while packed.read(1 << 20):  # to the checksum: tarfile takes a damaged header for the end
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is not a whole {_ARCHIVE} ({error}); fetch it again.") from None


def unpacked_posts(path: Path, folders: tuple[str, ...]) -> Iterator[Record]:
    for folder in folders:
        if not (path / folder).is_dir():
            raise DataError(f"{path} holds no folder {folder}; {ARCHIVE_WANTED}.")
        try:
            for file in (path / folder).glob("*/[!.]*"):
                if file.is_file():
                    yield _post(file.parent.name, file.name, file.read_bytes())
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _post(group: str, name: str, content: bytes) -> Record:
    return Record(f"{group}/{name}", content.decode("latin-1"), group)


# ---- scikit-learn's cache or download


def scikit_learn_posts(subset: str) -> list[Record]:
    from sklearn.datasets import fetch_20newsgroups  # a second to import

    fetch = partial(fetch_20newsgroups, subset=subset, shuffle=False, n_retries=1)
    try:
        posts = fetch(download_if_missing=False)
    except OSError:
        posts = _download(fetch)
    names = (re.split(r"[\\/]", name)[-2:] for name in posts.filenames)
    return [Record("/".join(name), text, name[0]) for name, text in zip(names, posts.data, strict=True)]


def _download(fetch: Callable[..., Any]) -> Any:
    trouble = _why_unreachable(_DOWNLOAD)
    if not trouble:
        try:
            with _socket_timeout(_STALL):
                return fetch(download_if_missing=True)
        except (OSError, HTTPException, EOFError, zlib.error, tarfile.TarError) as error:
            trouble = str(error)
    raise DataError(
        f"20 Newsgroups is not on this machine and cannot be downloaded ({trouble}); set {NEWSGROUPS_VARIABLE} or "
        f"path= to {_ARCHIVE} or its unpacked folder, or use load_sample_posts()."
    )


def _why_unreachable(url: str) -> str:
    """Why the first bytes of an address do not come, or "" if they do; a thread, for looking up a name can hang."""
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=_PATIENCE):
                answers.put("")
        except (OSError, HTTPException, ValueError) as error:
            answers.put(str(getattr(error, "reason", "") or error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=_PATIENCE)
    except queue.Empty:
        return f"no answer in {_PATIENCE:.0f} seconds"


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """scikit-learn's download has no timeout of its own; this is the only way to give it one."""
    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(usual)
