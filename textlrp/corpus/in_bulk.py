"""Explain a corpus of any size into a folder of Parquet files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textlrp.bulk.folder import check_run
from textlrp.bulk.run import Run, Workforce, explain_to_folder
from textlrp.bulk.sources import CorpusSource, Source, file_source
from textlrp.corpus.reading import NAMED, inputs_of, open_corpus, spread
from textlrp.explainers.targets import targets_named
from textlrp.text.formats import layout_of
from textlrp.text.readers import Columns


def explain_in_bulk(
    model: str,
    source: str | Path,
    folder: str | Path,
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
    **options: Any,
) -> Run:
    """Explain a corpus by name or path with the model saved or bundled as ``model``, into ``folder``.

    ``targets`` and ``versus`` as in :func:`explain_corpus`; ``by`` and ``options`` as in :func:`explain_to_folder`. A
    row of a file that cannot be read is set aside. Called again, it goes on where it was. Raises as those do.
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
    return explain_to_folder(model, rows, folder, by=by, force=force, target=names or None, **options)
