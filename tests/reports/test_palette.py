import pytest
from colors import contrast, rgb

from textlrp.errors import OptionError
from textlrp.reports.palette import Shades, mixed, palette, palette_names

SCREENS = [
    pytest.param(name, screen, id=f"{name}-{screen}") for name in palette_names() for screen in ("light", "dark")
]


@pytest.mark.parametrize(("name", "screen"), SCREENS)
def test_ink_is_readable_on_every_strength_of_highlight(name: str, screen: str) -> None:
    shades: Shades = getattr(palette(name), screen)
    ink = rgb(shades.ink)
    for color in (shades.supports, shades.opposes):
        for percent in range(0, 101, 5):
            assert contrast(ink, rgb(mixed(color, shades.paper, percent))) >= 4.5, (color, percent)


@pytest.mark.parametrize(("name", "screen"), SCREENS)
def test_ignored_text_and_notes_are_readable(name: str, screen: str) -> None:
    shades: Shades = getattr(palette(name), screen)
    for ground in (shades.paper, shades.panel):
        assert contrast(rgb(shades.soft), rgb(ground)) >= 4.5
        assert contrast(rgb(shades.ink), rgb(ground)) >= 7


@pytest.mark.parametrize(("name", "screen"), SCREENS)
def test_underlines_stand_out_from_paper(name: str, screen: str) -> None:
    shades: Shades = getattr(palette(name), screen)
    for line in (shades.supports_line, shades.opposes_line):
        assert contrast(rgb(line), rgb(shades.paper)) >= 3


def test_mixed_runs_from_the_paper_to_the_color() -> None:
    assert [mixed("#ff0080", "#ffffff", percent) for percent in (0, 50, 100)] == ["#ffffff", "#ff80c0", "#ff0080"]


def test_red_blue_is_the_default_and_an_unknown_name_is_named() -> None:
    assert palette_names()[0] == "red-blue"
    assert palette("orange-purple").words == ("orange", "purple")
    with pytest.raises(OptionError, match="one of red-blue, orange-purple; got 'green-red'"):
        palette("green-red")
