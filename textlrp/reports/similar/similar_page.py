"""Why texts are similar as HTML: a page of one or several pairs of texts, or a notebook cell.

Neither needs a script or the network. :mod:`textlrp.reports.similar.tie_curves` draws the curves between words.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from textlrp.errors import OptionError, must_be
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page
from textlrp.reports.similar.similar_view import SHOWN_TIES, similar_view
from textlrp.similar_texts import Similarity


def similar_page(
    found: Similarity | Sequence[Similarity],
    path: str | Path | None = None,
    *,
    palette: str = "red-blue",
    force: bool = False,
) -> str:
    """Return a self-contained page on the similarity of two texts, and write it to ``path`` if given.

    Several similarities, those of one text with its nearest documents, are listed on one page, the first one open.
    Raises :class:`DataError` if ``path`` cannot be written, and :class:`OptionError` for an unknown palette and for
    no similarity at all.
    """
    pairs = [found] if isinstance(found, Similarity) else list(found)
    if not pairs:
        raise OptionError(must_be("found", "at least one Similarity", pairs, "Compare at least two texts."))
    page = rendered(
        "similar.html",
        pairs=[similar_view(pair) for pair in pairs],
        listed=not isinstance(found, Similarity),
        shown=SHOWN_TIES,
        palette=palette_of(palette),
    )
    if path is not None:
        write_page(page, path, force=force)
    return page


def similar_cell(found: Similarity, *, palette: str = "red-blue") -> str:
    """Return a similarity for a notebook cell; its styles change no other cell."""
    uid = f"textlrp-{secrets.token_hex(4)}"  # two cells must not share a group of radio buttons
    pair, colors = similar_view(found), palette_of(palette)
    return rendered("similar_cell.html", pair=pair, uid=uid, shown=SHOWN_TIES, palette=colors)
