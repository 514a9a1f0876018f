"""Explain a corpus of any size, given by name or path, into a folder of Parquet files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.run import Run, Workforce, explain_with
from textlrp.bulk.run_folder import check_run
from textlrp.bulk.sources import CorpusSource, Source, file_source
from textlrp.explainers.targets import targets_named
from textlrp.models.given_files import inputs_of
from textlrp.text.formats import layout_of
from textlrp.text.named_corpora import NAMED, open_corpus, spread
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
    by: Workforce | None = None,
    limit: int | None = None,
    text: str | None = None,
    label: str | None = None,
    id: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
    force: bool = False,
) -> Run:
    """Explain a corpus by name or path with the model saved or bundled as ``model``, into ``folder``.

    ``targets`` and ``versus`` as in :func:`explain_corpus`; they replace ``options.target``. ``by`` as in
    :func:`explain_to_folder`. A row of a file that cannot be read is set aside. A second call continues an unfinished
    run. Raises as those do.
    """
    check_run(folder, inputs=inputs_of(source, models=[model]), force=force)
    names = targets_named(targets, versus)
    layout: dict[str, Any] = {
        "delimiter": delimiter,
        "header": header,
        "columns": columns,
        "max_row_length": max_row_length,
    }
    named = str(source) in NAMED
    rows: Source
    if not named:
        rows = file_source(source, Columns(text, label, id), encoding or "utf-8", layout_of(**layout))
    if named or limit is not None:
        corpus = open_corpus(source, "test", text=text, label=label, id=id, encoding=encoding, **layout)
        what = {"corpus": str(source)} if named else rows.identity()
        documents = corpus if limit is None else list(spread(corpus, limit))
        rows = CorpusSource(documents, json.dumps(what | {"limit": limit}))
    return explain_with(
        model, rows, folder, replace(options, target=names or None), by=by or Workforce(), force=force
    )
