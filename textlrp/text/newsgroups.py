"""Read the posts of 20 Newsgroups from the archive, its unpacked folder, or scikit-learn's download.

:func:`textlrp.text.corpora.load_20newsgroups` chooses among these. Open this module if a download fails.
"""

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

from textlrp.errors import DataError, OptionError, must_be
from textlrp.text.readers import Record

Subset = Literal["train", "test", "all"]

NEWSGROUPS_VARIABLE = "TEXTLRP_20NEWS"
"""The environment variable with the path of the archive or its unpacked folder."""

_ARCHIVE = "20news-bydate.tar.gz"
_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_DOWNLOAD = "https://ndownloader.figshare.com/files/5975967"  # the address that scikit-learn downloads from
_PATIENCE = 10.0  # seconds to wait for the first response
_STALL = 30.0  # seconds without a byte before a running download is given up


def parts_of(subset: str) -> tuple[str, ...]:
    """Return the parts that a subset consists of; raises :class:`OptionError` for an unknown subset."""
    if subset not in _PARTS:
        raise OptionError(must_be("subset", "'train', 'test' or 'all'", subset))
    return _PARTS[subset]


def group_and_number(post: Record) -> tuple[str, float, str]:
    """Return the sort key of a post: by group, then by number."""
    group, _, name = post.id.rpartition("/")
    return group, int(name) if name.isdecimal() else float("inf"), name


# ---- the official archive

ARCHIVE_HINT = (
    f"Pass the path of {_ARCHIVE}, or of its unpacked folder that contains 20news-bydate-train and 20news-bydate-test"
)


def archived_posts(path: Path, folders: tuple[str, ...]) -> Iterator[Record]:
    """Read the posts of the archive that are in ``folders``.

    Raises :class:`DataError` if the archive is missing, incomplete or damaged.
    """
    if not path.exists():
        raise DataError(f"file not found: {path}. {ARCHIVE_HINT}, as path= or ${NEWSGROUPS_VARIABLE}.")
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=packed, mode="r:") as archive:
            for member in archive:
                place = member.name.split("/")[-3:]
                if member.isfile() and len(place) == 3 and place[0] in folders and not place[2].startswith("."):
                    content = archive.extractfile(member)
                    if content is not None:
                        yield _post(place[1], place[2], content.read())
            # read to the end so that gzip verifies its checksum: tarfile mistakes a damaged header for the end
            while packed.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is not a complete {_ARCHIVE} ({error}). Download it again.") from None


def unpacked_posts(path: Path, folders: tuple[str, ...]) -> Iterator[Record]:
    """Read the posts in ``folders`` of the unpacked archive; raises :class:`DataError` if a folder is missing."""
    for folder in folders:
        if not (path / folder).is_dir():
            raise DataError(f"{path} contains no folder {folder}. {ARCHIVE_HINT}.")
        try:
            for file in (path / folder).glob("*/[!.]*"):
                if file.is_file():
                    yield _post(file.parent.name, file.name, file.read_bytes())
        except OSError as error:
            raise DataError(f"cannot read {error.filename}: {error.strerror}. Check the folder.") from None


def _post(group: str, name: str, content: bytes) -> Record:
    return Record(f"{group}/{name}", content.decode("latin-1"), group)


# ---- scikit-learn's cache or download


def scikit_learn_posts(subset: str) -> list[Record]:
    """Read the posts from scikit-learn's cache, or download them; raises :class:`DataError` if that fails."""
    from sklearn.datasets import fetch_20newsgroups  # imported here because the import takes a second

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
        f"20 Newsgroups is not on this computer and cannot be downloaded ({trouble}). Set {NEWSGROUPS_VARIABLE} or "
        f"path= to {_ARCHIVE} or its unpacked folder, or use load_sample_posts()."
    )


def _why_unreachable(url: str) -> str:
    """Return why an address does not respond, or "" if it does.

    The request runs in a thread, because the lookup of a host name can block and has no timeout.
    """
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
    """Set the default timeout of sockets: scikit-learn's download has no parameter for a timeout."""
    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(usual)
