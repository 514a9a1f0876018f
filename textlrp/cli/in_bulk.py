"""What textlrp explain does with a corpus of any size: a folder of Parquet files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textlrp.cli.inputs import say
from textlrp.errors import OptionError
from textlrp.processes import cores, warm_up


def to_folder(
    model: str,
    source: str | None,
    output: Path,
    *,
    by: Mapping[str, Any],
    reading: Mapping[str, Any],
    force: bool,
    **asked: Any,
) -> None:
    """Explain a corpus into a folder and say what came of it; raises :class:`OptionError` for a single text."""
    if source is None or source == "-":
        raise OptionError(f"one text came for the folder {str(output)!r}; end the name in .html, .jsonl or .parquet.")
    if by["engine"] == "local" and (by["workers"] or cores()) > 1:
        warm_up("textlrp.bulk.worker")  # meanwhile the input is opened here
    from textlrp import corpus

    run = corpus.explain_in_bulk(model, source, output, by=corpus.Workforce(**by), force=force, **reading, **asked)
    if run.explained:
        speed, size = run.explained / run.seconds, run.bytes / run.explained
        say(
            f"explained {run.explained:,} documents in {run.seconds:,.1f} s, {speed:,.0f} a second; "
            f"{size:,.0f} bytes each"
        )
    if run.set_aside:
        aside = run.folder / "set-aside.jsonl"
        with aside.open(encoding="utf-8") as file:
            first = json.loads(next(file))["wrong"]
        say(f"set aside {run.set_aside:,} rows that could not be read, listed in {aside}; the first: {first}")
    say(f"wrote {run.folder}: {run.documents:,} documents")
