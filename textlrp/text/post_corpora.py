"""Load the corpora of newsgroup posts: 20 Newsgroups, and the sample posts that come with textlrp.

Open this module to change where the posts are looked for.
"""

from __future__ import annotations

import os
from functools import partial
from importlib import resources
from pathlib import Path

from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular, user_path
from textlrp.text.corpora import Corpus, corpus_of
from textlrp.text.newsgroups import (
    ARCHIVE_HINT,
    NEWSGROUPS_VARIABLE,
    Subset,
    archived_posts,
    group_and_number,
    parts_of,
    scikit_learn_posts,
    unpacked_posts,
)
from textlrp.text.readers import read_folder
from textlrp.text.skip import Skip, make_skip


def load_20newsgroups(subset: Subset = "train", path: str | Path | None = None, *, remove: Skip = ()) -> Corpus:
    """Load 20 Newsgroups, by-date version: 11,314 training posts and 7,532 test posts, sorted by group and number.

    ``path`` is the official ``20news-bydate.tar.gz`` or its unpacked folder; the default is ``$TEXTLRP_20NEWS``. If
    neither is given, the posts come from scikit-learn's cache or download. That is the only place where a pickle is
    opened: scikit-learn opens a file that it wrote itself. Ids have the form ``sci.med/59000``.
    ``remove`` marks ``"headers"``, ``"footers"``, ``"quotes"`` or the ranges of a function in ``Document.skip``; the
    texts stay unchanged. Raises :class:`DataError` if the posts cannot be found or downloaded, :class:`OptionError`
    for an unknown ``subset`` or ``remove``.
    """
    parts, skip = parts_of(subset), make_skip(remove)
    given = path if path is not None else os.environ.get(NEWSGROUPS_VARIABLE) or None
    if given is None:
        posts = scikit_learn_posts(subset)
    else:
        place = user_path(given)
        check_regular(place)
        folders = tuple(f"20news-bydate-{part}" for part in parts)
        posts = list((unpacked_posts if place.is_dir() else archived_posts)(place, folders))
        if not posts:
            raise DataError(f"{place} contains no posts in {' and '.join(folders)}. {ARCHIVE_HINT}.")
    return corpus_of(partial(iter, sorted(posts, key=group_and_number)), skip, f"20newsgroups-{subset}")


def load_sample_posts(subset: Subset = "train", *, remove: Skip = ()) -> Corpus:
    """Load a small corpus written for this project in the style of 20 Newsgroups: 20 groups with 13 posts each.

    ``remove`` is as in :func:`load_20newsgroups`. Raises :class:`DataError` if the posts are not installed.
    """
    parts, skip = parts_of(subset), make_skip(remove)
    folder = _sample_folder()
    posts = [post for part in parts for post in read_folder(folder / part, suffix=".txt")]
    return corpus_of(partial(iter, sorted(posts, key=group_and_number)), skip, f"sample-posts-{subset}")


def _sample_folder() -> Path:
    installed = Path(str(resources.files("textlrp"))) / "data" / "sample-posts"
    checkout = Path(__file__).parents[2] / "data" / "sample-posts"
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise DataError(f"the sample posts are missing: found neither {installed} nor {checkout}. Reinstall textlrp.")
