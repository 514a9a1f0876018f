"""Explain a corpus of any size, given by name or path, into a folder of Parquet files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.run import Run, WorkerOptions, explain_with
from textlrp.bulk.run_folder import check_run
from textlrp.bulk.sources import CorpusSource, Source, file_source
from textlrp.explainers.targets import targets_from_text
from textlrp.models.given_files import inputs_of
from textlrp.text.named_corpora import NAMED, FileOptions, open_corpus, spread
from textlrp.text.row_layout import Columns

if TYPE_CHECKING:
    pass


def explain_in_bulk(
    model: str,
    source: str | Path,
    folder: str | Path,
    options: BulkOptions,
    *,
    targets: Sequence[str] = (),
    versus: str | None = None,
    by: WorkerOptions | None = None,
    limit: int | None = None,
    files: FileOptions | None = None,
    force: bool = False,
) -> Run:
    """Explain a corpus by name or path with the model saved or bundled as ``model``, into ``folder``.

    ``targets`` and ``versus`` as in :func:`explain_corpus`; they replace ``options.target``. ``by`` as in
    :func:`explain_to_folder`. A row of a file that cannot be read is set aside. A second call continues an unfinished
    run. Raises as those do.
    """
    check_run(folder, inputs=inputs_of(source, models=[model]), force=force)
    names = targets_from_text(targets, versus)
    files = files or FileOptions()
    named = str(source) in NAMED
    rows: Source
    if not named:
        columns = Columns(files.text, files.label, files.id)
        rows = file_source(source, columns, files.encoding or "utf-8", files.layout())
    if named or limit is not None:
        corpus = open_corpus(source, "test", files)
        what = {"corpus": str(source)} if named else rows.identity()
        documents = corpus if limit is None else list(spread(corpus, limit))
        rows = CorpusSource(documents, json.dumps(what | {"limit": limit}))
    return explain_with(
        model, rows, folder, replace(options, target=names or None), by=by or WorkerOptions(), force=force
    )
