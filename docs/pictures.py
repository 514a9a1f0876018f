"""Create the pictures of the README, docs/pictures/*.png, from the sample posts in headless Chromium.

    python docs/pictures.py [--chromium PATH] [--out FOLDER]

Needs Chromium (or Google Chrome) and the extra `test`. Pictures have twice the width that a README shows, so that
they are sharp, and few colors, so that the files are small.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, Route, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme

import textlrp
from textlrp.cli.corpus_report import report_corpus
from textlrp.cli.terminal import print_explanation
from textlrp.reports.live.live_fragment import live_fragment
from textlrp.reports.live.live_page import LiveModel, live_page
from textlrp.reports.palette import palette

MODEL, POST = "20newsgroups-cnn", "sci.space/30070"
SENTENCE = (
    "According to my doctor the vaccine is safe, but the shuttle launch was delayed by a day because a valve in one "
    "of the engines would not close."
)
TYPED = "The shuttle reached its orbit on Monday, and my doctor prescribed a new medicine. I sold the old motorcycle"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, COLORS = 1680, 256
EVEN = ("#8ac28a", "#d8c27a", "#c39ad6", "#7cc5c9", "#e8eaed")
"""Green, yellow, magenta, cyan and white of the terminal."""


class Crop(NamedTuple):
    """The part of a page that is shown: from the top of one element to the bottom of another, at a page width."""

    width: int
    first: str
    last: str
    above: int = 24
    below: int = 24


def make(out: Path, chromium: str) -> Iterator[Path]:
    """Create all pictures, one after the other."""
    model = textlrp.load(MODEL)
    posts = textlrp.load_sample_posts("test").documents
    post = next(document for document in posts if document.id == POST)
    with tempfile.TemporaryDirectory() as folder, opened(chromium) as browser:
        page, report, terminal = (Path(folder, f"{name}.html") for name in ("page", "report", "terminal"))
        textlrp.explain(model, post, target="all").to_html(page)
        report_corpus(model, posts, report, title="The sample posts")
        terminal.write_text(in_a_terminal(textlrp.explain(model, SENTENCE)), encoding="utf-8")
        for name, source, crop in (
            ("document", page, Crop(1120, "main", ".reading")),
            ("report", report, Crop(1000, "header", "#words details:nth-of-type(4)", below=0)),
        ):
            for shade in ("light", "dark"):
                image = screenshot(browser, source, crop, dark=shade == "dark")
                yield save(out / f"{name}-{shade}.png", image)
        for shade in ("light", "dark"):
            yield save(out / f"live-{shade}.png", live(browser, model, dark=shade == "dark"))
        yield save(out / "terminal.png", screenshot(browser, terminal, Crop(920, "svg", "svg", 0, 0)))


@contextmanager
def opened(chromium: str) -> Iterator[Browser]:
    """Start the browser without network access."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND"]
        )
        yield browser
        browser.close()


def opened_tab(browser: Browser, width: int, *, dark: bool) -> Page:
    """Open an empty tab."""
    return browser.new_page(
        viewport={"width": width, "height": 900},
        device_scale_factor=WIDTH / width,
        color_scheme="dark" if dark else "light",
    )


def screenshot(browser: Browser, source: Path, crop: Crop, *, dark: bool = False) -> bytes:
    """Take a PNG of a page from the top of one element to the bottom of another."""
    tab = opened_tab(browser, crop.width, dark=dark)
    tab.goto(source.as_uri())
    return cropped(tab, crop)


def live(browser: Browser, model: textlrp.CNNClassifier, *, dark: bool) -> bytes:
    """Take a PNG of the live page: a text was typed, and one of its words switched off."""
    page = live_page([LiveModel(MODEL, tuple(map(str, model.classes_)), ("epsilon",), "epsilon", False)])

    def answer(route: Route) -> None:
        body = page.html if route.request.method == "GET" else live_fragment([*explanations(route)])
        route.fulfill(body=body, content_type="text/html; charset=utf-8")

    def explanations(route: Route) -> Iterator[textlrp.Explanation]:
        texts = [{"text": each} if isinstance(each, str) else each for each in route.request.post_data_json["texts"]]
        skips = [np.array(each.get("skip", []), np.int32).reshape(-1, 2) for each in texts]
        return textlrp.explain(
            model, [textlrp.Document("", each["text"], skip=skip) for each, skip in zip(texts, skips, strict=True)]
        )

    tab = opened_tab(browser, 1120, dark=dark)
    tab.route("**/*", answer)
    tab.goto("http://live.example/")
    tab.fill("#text", TYPED)
    tab.locator(".text [role=button]", has_text="orbit").click()
    tab.locator(".off s").wait_for()
    tab.mouse.move(0, 0)
    return cropped(tab, Crop(1120, "header", ".classes"))


def cropped(tab: Page, crop: Crop) -> bytes:
    """Take the PNG of an opened page, and close its tab."""
    first, last = (tab.locator(selector).first.bounding_box() for selector in (crop.first, crop.last))
    assert first is not None
    assert last is not None
    top = max(0.0, first["y"] - crop.above)
    height = last["y"] + last["height"] + crop.below - top
    clip: FloatRect = {"x": 0, "y": top, "width": crop.width, "height": height}
    image = tab.screenshot(full_page=True, clip=clip)
    tab.close()
    return image


def in_a_terminal(why: textlrp.Explanation) -> str:
    """Return a page with one SVG picture of what ``textlrp explain`` prints."""
    shades = palette("red-blue").dark
    eight = [rgb(color) for color in (shades.panel, shades.supports_line, *EVEN[:2], shades.opposes_line, *EVEN[2:])]
    theme = TerminalTheme(rgb(shades.paper), rgb(shades.ink), eight)
    console = Console(
        width=92, record=True, force_terminal=True, color_system="truecolor", file=io.StringIO(), legacy_windows=False
    )
    print_explanation(why, console, top_k=5)
    svg = console.export_svg(title='textlrp explain 20newsgroups-cnn --top-k 5 --text "..."', theme=theme)
    # Rich links to fonts on the network
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code,", "")
    style = f"body{{margin:0;background:{shades.paper}}}svg{{width:920px;display:block}}"
    return f'<!doctype html><meta charset="utf-8"><style>{style}</style>{svg}'


def rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def save(path: Path, png: bytes) -> Path:
    """Reduce the picture to few colors and write it to ``path``."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(COLORS, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main() -> None:
    """Create all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=next(filter(None, map(shutil.which, CHROMIUM)), None))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    options = parser.parse_args()
    if options.chromium is None:
        parser.error("Chromium is not on the PATH. Install it, or pass --chromium PATH.")
    for path in make(options.out, options.chromium):
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
