"""Where words appear in a text, and who wrote it: parts of a message, its author, its thread, its near-duplicates.

Authors and threads come from header lines (``From:``, ``Subject:``); a text without these has none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.text.skip import inside, make_skip

PARTS = ("subject line", "header", "quote", "signature", "body")
"""The parts of a text; a character belongs to the first that contains it."""
NEAR_DUPLICATE = 0.8
"""The share of common words (Jaccard) from which two texts are near-duplicates."""

_FROM = re.compile(r"^From:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_SUBJECT = re.compile(r"^Subject:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>()\"']+@[^\s<>()\"']+")
_HOST = re.compile(r"@[^\s<>()\"']+")
_NAME = re.compile(r"[^\W\d_]{3,}")
_REPLY = re.compile(r"^(?:\s*(?:re|fwd?|aw)\s*(?:\[\d+\])?:)+", re.IGNORECASE)
_SIGNATURE_DASHES = re.compile(r"\n-{2,}[ \t]*\n")
_headers, _quotes = make_skip(("headers",)), make_skip(("quotes",))


def parts_at(text: str, offsets: NDArray[np.integer]) -> list[str]:
    """Return the part of the text, one of :data:`PARTS`, for each of the sorted character ``offsets`` (T,).

    The signature is what follows the last line of two or more dashes, if that is at most ten lines.
    """
    header, quotes = _headers(text), _quotes(text)
    end = int(header[-1, 1]) if len(header) else 0
    subject = _SUBJECT.search(text, 0, end)
    spans: list[NDArray[np.int64]] = [
        np.array([subject.span(1)] if subject else [], dtype=np.int64).reshape(-1, 2),
        header.astype(np.int64),
        quotes.astype(np.int64),
        np.array([_signature(text, end)], dtype=np.int64),
    ]
    found = np.full(len(offsets), len(PARTS) - 1)
    for part in reversed(range(len(spans))):
        found[inside(np.asarray(offsets), spans[part])] = part
    return [PARTS[part] for part in found.tolist()]


def author_of(text: str) -> str | None:
    """Return the e-mail address in the ``From:`` line, else that line; in lower case, None without one."""
    line = _FROM.search(text, 0, _header_end(text))
    if line is None:
        return None
    address = _ADDRESS.search(line[1])
    return (address[0] if address else line[1]).strip().lower() or None


def author_names(text: str) -> set[str]:
    """Return the words that name the author in the ``From:`` line, in lower case, without the host of an address."""
    line = _FROM.search(text, 0, _header_end(text))
    return set() if line is None else {name.lower() for name in _NAME.findall(_HOST.sub(" ", line[1]))}


def thread_of(text: str) -> str | None:
    """Return the ``Subject:`` line without "Re:" and the like, in lower case; None without one."""
    line = _SUBJECT.search(text, 0, _header_end(text))
    return None if line is None else _REPLY.sub("", line[1]).strip().lower() or None


def near_duplicates(words: Sequence[set[str]]) -> NDArray[np.bool_]:
    """Return (M,) whether a text has a near-duplicate among the others, from the set of words of each text."""
    index: dict[str, int] = {}
    columns = [index.setdefault(word, len(index)) for text in words for word in sorted(text)]
    sizes = np.array([len(text) for text in words])
    table = sparse.csr_array(
        (np.ones(len(columns)), columns, np.concatenate([[0], np.cumsum(sizes)])), shape=(len(words), len(index))
    )
    common = (table @ table.T).toarray()
    union = np.maximum(sizes[:, None] + sizes[None, :] - common, 1)
    similar = common / union >= NEAR_DUPLICATE
    np.fill_diagonal(similar, False)
    return np.asarray(similar.any(axis=1))


def _header_end(text: str) -> int:
    ranges = _headers(text)
    return int(ranges[-1, 1]) if len(ranges) else 0


def _signature(text: str, start: int) -> tuple[int, int]:
    dashes = [match.end() for match in _SIGNATURE_DASHES.finditer(text, start)]
    if not dashes or text[dashes[-1] :].rstrip().count("\n") >= 10:
        return len(text), len(text)
    return dashes[-1], len(text)
