"""List the files and folders that a command reads, so that its output cannot replace one of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from textlrp.files.input_paths import check_regular, user_path
from textlrp.models.model_folder import CONFIG, TENSORS, check_model
from textlrp.text.named_corpora import NAMED
from textlrp.text.newsgroups import NEWSGROUPS_VARIABLE


def inputs_of(
    source: str | Path | None, *, models: Iterable[str | Path | None] = (), files: Iterable[str | Path | None] = ()
) -> list[Path]:
    """Return the files and folders that a command reads: a corpus by name or path, saved models, and other ``files``.

    Raises :class:`DataError` for a pipe or a device (:func:`textlrp.files.input_paths.check_regular`), and
    :class:`ModelError` for a missing model.
    """
    found = [user_path(path) for path in files if path is not None]
    if str(source) == "20newsgroups" and (place := os.environ.get(NEWSGROUPS_VARIABLE)):
        folder = user_path(place)
        found += [folder / f"20news-bydate-{part}" for part in ("train", "test")] if folder.is_dir() else [folder]
    elif source is not None and str(source) not in ("-", *NAMED):
        found.append(user_path(source))
    for model in models:
        if model is not None:
            check_model(model)  # so that a missing model is reported before torch is imported
        found += [Path(model, name) for name in (CONFIG, TENSORS) if model is not None and Path(model, name).exists()]
    for path in found:
        check_regular(path)
    return found
