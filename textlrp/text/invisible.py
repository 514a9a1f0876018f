"""Remove invisible characters from texts, so that they never change a word that a model reads.

Invisible characters are format characters (category Cf: byte order mark, zero-width space, soft hyphen, bidi marks),
control characters that are not white space (NUL, the C1 range), and the other characters that Unicode classifies as
default-ignorable (variation selectors, fillers). Two kinds have a meaning in some scripts:

- U+200C and U+200D (zero-width non-joiner and joiner) are kept between two letters of a script that joins its letters
  (Arabic, Syriac, N'Ko, Mongolian, the scripts of India, Sinhala, Myanmar, Khmer), and U+200D also after a virama.
- U+200B (zero-width space) separates words between two letters of Thai, Lao, Myanmar and Khmer; there it becomes a
  blank.

Source: Unicode Standard, sections 5.21 (default-ignorable), 9.2 and 12.1 (joiners), 23.2 (zero-width space).
Open this module if a text looks normal but its words are unknown to a model.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

_RANGES = (
    (0x0000, 0x0008), (0x000E, 0x001B), (0x007F, 0x0084), (0x0086, 0x009F), (0x00AD, 0x00AD), (0x034F, 0x034F),
    (0x0600, 0x0605), (0x061C, 0x061C), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2),
    (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F),
    (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x110BD, 0x110BD),
    (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""The invisible characters, as (first, last) of each range. Computing them from ``unicodedata`` would take 0.4 s."""

_JOINING = (
    (0x0600, 0x08FF),
    (0x0900, 0x0DFF),
    (0x1000, 0x109F),
    (0x1780, 0x18AF),
    (0xFB50, 0xFDFF),
    (0xFE70, 0xFEFC),
)
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))

_SPACE, _JOINERS = "\u200b", "\u200c\u200d"

_BLANKS = (
    "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + "\x00\xad\u200b\u200c\u200e\u200f\u2060\ufeff"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""White space, and the invisible characters that have no meaning at the edge of a name."""

_NARROW = bytes(n for first, last in _RANGES for n in range(first, last + 1) if n < 256)


def has_invisible(text: str) -> bool:
    """Whether a text contains an invisible character."""
    try:
        narrow = text.encode("latin-1")
    except UnicodeEncodeError:
        return bool(_invisible()[code_points(text)].any())
    return len(narrow.translate(None, _NARROW)) < len(narrow)


def visible(text: str) -> str:
    """Return a text without its invisible characters."""
    return _visible(text)[0] if has_invisible(text) else text


def visible_with_origins(text: str) -> tuple[str, NDArray[np.int32] | None]:
    """Return a text of V characters without invisible ones, and ``origins`` (V + 1,): their offsets in the original.

    The last entry is the length of the original. An invisible character belongs to the visible one before it:
    ``text[origins[a]:origins[b]]`` is the original of ``visible[a:b]``. ``origins`` is None if nothing is removed.
    """
    return _visible(text) if has_invisible(text) else (text, None)


def control_symbol(character: str) -> str:
    """Return the symbol of an ASCII control character, such as ␛ for escape; U+FFFD for any other character."""
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def without_blank_edges(text: str) -> str:
    """Strip white space at the edges of a text, including no-break and zero-width spaces."""
    return text.strip(_BLANKS)


def words_with_invisible(words: Sequence[str]) -> list[str]:
    """Return the words that contain invisible characters."""
    # usually no word does: one test of all of them together is faster
    return [word for word in words if has_invisible(word)] if has_invisible("\n".join(words)) else []


def _visible(text: str) -> tuple[str, NDArray[np.int32]]:
    numbers = code_points(text)
    # spaces and joiners depend on their neighbors, which must be visible: they are decided after the other removals
    contextual = np.isin(numbers, [ord(character) for character in _SPACE + _JOINERS])
    origins = np.flatnonzero(~_invisible()[numbers] | contextual)
    kept = _text(numbers[origins])
    if contextual.any():
        dropped = np.isin(numbers[origins], [ord(character) for character in _SPACE + _JOINERS])
        seen = list(kept)
        for match in _meaningful().finditer(kept):
            dropped[match.start()] = False
            seen[match.start()] = " " if match[0][0] == _SPACE else match[0][0]
        kept = "".join(character for character, drop in zip(seen, dropped.tolist(), strict=True) if not drop)
        origins = origins[~dropped]
    return kept, np.append(origins, len(text)).astype(np.int32)


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code point of each character (characters,), including lone surrogates."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _text(numbers: NDArray[np.uint32]) -> str:
    return numbers.tobytes().decode("utf-32-le", "surrogatepass")


@cache
def _invisible() -> NDArray[np.bool_]:
    """Return whether each code point is invisible (code points,)."""
    table = np.zeros(sys.maxunicode + 1, dtype=bool)
    for first, last in _RANGES:
        table[first : last + 1] = True
    return table


@cache
def _meaningful() -> re.Pattern[str]:
    """Return the pattern of joiners and zero-width spaces that have a meaning. Only the first of a run is kept."""
    joining, unspaced = _letters(_JOINING), _letters(_UNSPACED)
    viramas = "".join(
        chr(n) for first, last in _JOINING for n in range(first, last + 1) if unicodedata.combining(chr(n)) == 9
    )
    return re.compile(
        f"(?<=[{joining}])[{_JOINERS}]+(?=[{joining}])|(?<=[{viramas}])\u200d"
        f"|(?<=[{unspaced}]){_SPACE}+(?=[{unspaced}])"
    )


def _letters(ranges: tuple[tuple[int, int], ...]) -> str:
    """Return the visible letters and combining marks in some ranges, for a character class of a pattern."""
    table = _invisible()
    return "".join(
        chr(n)
        for first, last in ranges
        for n in range(first, last + 1)
        if not table[n] and unicodedata.category(chr(n))[0] in "LM"
    )
