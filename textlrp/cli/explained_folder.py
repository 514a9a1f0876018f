"""The work of ``textlrp explain`` with a folder as output: a run over many documents, and its summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.cli.inputs import print_line
from textlrp.errors import OptionError
from textlrp.files.rejected_rows import rejected_sentence
from textlrp.machine import start_forkserver
from textlrp.store.file_formats import FORMATS
from textlrp.text.named_corpora import FileOptions

if TYPE_CHECKING:
    from textlrp.bulk.run import WorkerOptions

OUTPUT_SUFFIXES = " or ".join([", ".join((".html", *FORMATS)[:-1]), [*FORMATS][-1]])
"""The suffixes of files that contain explanations, for messages."""


def to_folder(
    model: str,
    source: str | None,
    output: Path,
    options: BulkOptions,
    *,
    targets: Sequence[str],
    versus: str | None,
    limit: int | None,
    workers: WorkerOptions,
    files: FileOptions,
    force: bool,
) -> None:
    """Explain a corpus into a folder and print a summary; raises :class:`OptionError` for a single text."""
    if source is None or source == "-":
        raise OptionError(
            f"a folder needs a corpus; got one text for the folder {str(output)!r}. End the name in "
            f"{OUTPUT_SUFFIXES}."
        )
    if files.skip_bad and limit is not None:
        raise OptionError("--skip-bad cannot be used with --limit and an output folder. Leave out one of them.")
    if workers.engine == "local" and workers.processes > 1:
        start_forkserver("textlrp.bulk.worker")  # the server starts while this process opens the input
    from textlrp.bulk.corpus_run import explain_in_bulk

    run = explain_in_bulk(
        model, source, output, options, targets=targets, versus=versus, limit=limit, files=files, workers=workers,
        force=force,
    )  # fmt: skip
    if run.explained:
        speed, size = run.explained / run.seconds, run.bytes / run.explained
        print_line(
            f"explained {run.explained:,} documents in {run.seconds:,.1f} s ({speed:,.0f} per second, "
            f"{size:,.0f} bytes per document)"
        )
    if run.rejected:
        aside = run.folder / "rejected.jsonl"
        with aside.open(encoding="utf-8") as file:
            first = json.loads(next(file))["reason"]
        print_line(rejected_sentence(run.rejected, aside, first))
    print_line(f"wrote {run.folder}: {run.documents:,} documents")
