import pytest

from textlrp.errors import OptionError
from textlrp.reports.palette import Shades, palette, palette_names

SCREENS = [
    pytest.param(name, screen, id=f"{name}-{screen}") for name in palette_names() for screen in ("light", "dark")
]


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(rgb: list[float]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: list[float], other: list[float]) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "screen"), SCREENS)
def test_ink_is_readable_on_every_strength_of_highlight(name: str, screen: str) -> None:
    shades: Shades = getattr(palette(name), screen)
    ink, paper = _rgb(shades.ink), _rgb(shades.paper)
    for colour in (shades.speaks_for, shades.speaks_against):
        full = _rgb(colour)
        for percent in range(0, 101, 5):
            mixed = [(f * percent + p * (100 - percent)) / 100 for f, p in zip(full, paper, strict=True)]
            assert _contrast(ink, mixed) >= 4.5, (colour, percent)


@pytest.mark.parametrize(("name", "screen"), SCREENS)
def test_unread_text_and_notes_are_readable(name: str, screen: str) -> None:
    shades: Shades = getattr(palette(name), screen)
    for ground in (shades.paper, shades.panel):
        assert _contrast(_rgb(shades.soft), _rgb(ground)) >= 4.5
        assert _contrast(_rgb(shades.ink), _rgb(ground)) >= 7


@pytest.mark.parametrize(("name", "screen"), SCREENS)
def test_underlines_stand_out_from_paper(name: str, screen: str) -> None:
    shades: Shades = getattr(palette(name), screen)
    for line in (shades.for_line, shades.against_line):
        assert _contrast(_rgb(line), _rgb(shades.paper)) >= 3


def test_red_blue_is_the_default_and_an_unknown_name_is_named() -> None:
    assert palette_names()[0] == "red-blue"
    assert palette("orange-purple").words == ("orange", "purple")
    with pytest.raises(OptionError, match=r"'green-red'.*red-blue, orange-purple"):
        palette("green-red")
