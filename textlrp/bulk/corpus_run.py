"""Explain a corpus, given by its name or path, into a folder of Parquet files. The command line calls this."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.run import Run, WorkerOptions, explain_with
from textlrp.bulk.run_folder import check_run
from textlrp.bulk.sources import CorpusSource, Source, file_source
from textlrp.explainers.targets import targets_from_text
from textlrp.files.input_paths import user_path
from textlrp.models.given_files import inputs_of
from textlrp.text.named_corpora import NAMED, FileOptions, open_corpus, spread


def explain_in_bulk(
    model: str,
    source: str | Path,
    folder: str | Path,
    options: BulkOptions,
    *,
    targets: Sequence[str] = (),
    versus: str | None = None,
    workers: WorkerOptions | None = None,
    limit: int | None = None,
    files: FileOptions | None = None,
    force: bool = False,
) -> Run:
    """Explain a corpus with the saved or bundled ``model``, and write the explanations to ``folder``.

    ``source``: the name of a corpus, or a path. ``targets`` and ``versus``: names of classes, as in
    :func:`textlrp.explainers.targets.targets_named`; they replace ``options.target``. ``limit``: explain only this
    number of documents, spread over the corpus. ``workers`` and ``force``: as in :func:`explain_to_folder`.

    Unreadable rows of a file are skipped and written to ``rejected.jsonl`` with the reason. A second call continues
    an unfinished run. Raises what :func:`explain_to_folder` and :func:`file_source` raise.
    """
    check_run(folder, inputs=inputs_of(source, models=[model]), force=force)
    names = targets_from_text(targets, versus)
    files = files or FileOptions()
    named = str(source) in NAMED
    rows: Source
    if not named:
        files = files.for_subset(user_path(source), "test")
        rows = file_source(source, files.names(), files.encoding or "utf-8", files.layout())
    if named or limit is not None:
        corpus = open_corpus(source, "test", files)
        what = {"corpus": str(source)} if named else rows.identity()
        documents = corpus if limit is None else list(spread(corpus, limit))
        rows = CorpusSource(documents, json.dumps(what | {"limit": limit}))
    return explain_with(
        model, rows, folder, replace(options, target=names or None), workers=workers or WorkerOptions(), force=force
    )
