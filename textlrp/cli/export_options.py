"""The options of ``textlrp explain`` for files of other programs: ``--format`` and ``--keep-formulas``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from textlrp.errors import OptionError


class ExportOptions(NamedTuple):
    """The arguments of :func:`textlrp.store.write_annotations`: format, words on each side, and formulas in CSV."""

    format: str
    top_k: int | None
    keep_formulas: bool


def export_options(
    format: str | None, output: Path | None, *, top_k: int | None, keep_formulas: bool, several: bool
) -> ExportOptions | None:
    """Return the options of a file for another program, None without ``format``.

    Raises :class:`OptionError` for an unknown format, for an output that is not a file, for ``keep_formulas`` without
    ``format``, and for ``several`` rules or methods, which only a page can show.
    """
    if format is None:
        if keep_formulas:
            raise OptionError("--keep-formulas must be used with --format words-csv; got no --format. Leave it out.")
        return None
    from textlrp.store.annotations import known_format  # late: other outputs do not need it

    suffix = known_format(format).suffix
    if output is None or not output.suffix:
        got = "none" if output is None else f"the folder {str(output)!r}"
        raise OptionError(f"--format {format} needs an output file; got {got}. Pass -o FILE{suffix}.")
    if several:
        raise OptionError(
            f"--format {format} needs one rule and one method; got several. Leave out --format for a page "
            "with several."
        )
    return ExportOptions(format, top_k, keep_formulas)
