"""Time from a keystroke on the live page until the highlights of the new text are painted, in headless Chromium.

A text of 300 words is in the page; a sentence is typed into it, key by key. The time includes the debounce of the
page, the request, the explanation, and the next painted frame. Without ``--url`` the benchmark starts
``textlrp serve`` in another process. Needs the extras ``serve`` and ``test``, and Chromium.

    python benchmarks/live_page_speed.py
    python benchmarks/live_page_speed.py --url http://127.0.0.1:8000/
"""

import argparse
import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
from playwright.sync_api import Page, sync_playwright

import textlrp

SENTENCE = (
    " The crew of the shuttle saw that the telescope had reached its orbit, and a doctor on board wrote it down. "
)
WATCH = """() => {
  const text = document.getElementById("text"), results = document.getElementById("results");
  let pressed = 0, resolve = null;
  text.addEventListener("keydown", event => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    const box = results.querySelector(".text");
    if (!resolve || !box || box.textContent !== text.value) return;
    const done = resolve;
    resolve = null;
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - pressed)));
  }).observe(results, { childList: true, subtree: true });
  window.nextPaint = () => new Promise(done => { resolve = done; });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="address of a running service; the default starts one")
    parser.add_argument("--words", type=int, default=300, help="words of the text before typing")
    parser.add_argument("--keys", type=int, default=150, help="keystrokes")
    parser.add_argument("--pause", type=float, default=0.03, help="seconds between a paint and the next key")
    options = parser.parse_args()
    with service(options.url) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium_path())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        times = np.array(keystrokes(page, long_text(options.words), options.keys, options.pause))
        browser.close()
    median, high, worst = np.percentile(times, [50, 95, 100])
    print("| live page: keystroke to highlight | value |\n|---|---|")
    print(f"| words of the text; keystrokes | {options.words}; {len(times)} |")
    print(f"| median, 95th percentile, slowest | {median:.0f} ms, {high:.0f} ms, {worst:.0f} ms |")


def keystrokes(page: Page, text: str, count: int, pause: float) -> list[float]:
    """Milliseconds from each of ``count`` keys to the paint of its highlights."""
    page.evaluate(WATCH)
    page.fill("#text", text)
    page.wait_for_function("value => document.querySelector('.text')?.textContent === value", arg=text)
    page.evaluate("document.getElementById('text').setSelectionRange(200, 200)")
    found = []
    for n in range(count):
        painted = page.evaluate_handle("() => ({ promise: window.nextPaint() })")
        page.keyboard.press({" ": "Space"}.get(key := SENTENCE[n % len(SENTENCE)], key))
        found.append(page.evaluate("painted => painted.promise", painted))
        time.sleep(pause)
    return found


def long_text(words: int) -> str:
    """The first words of the sample posts, in one text."""
    every = " ".join(post.text.partition("\n\n")[2] for post in textlrp.load_sample_posts("test").documents).split()
    return " ".join(every[:words])


@contextlib.contextmanager
def service(url: str | None) -> Iterator[str]:
    """The address of the running service, or of one that runs meanwhile."""
    if url is not None:
        yield url
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "textlrp", "serve", "20newsgroups-cnn", "--port", str(port)])
    try:
        yield ready(f"http://127.0.0.1:{port}/", process)
    finally:
        process.terminate()
        process.wait(30)


def ready(url: str, process: subprocess.Popen[bytes]) -> str:
    """Return the address as soon as the service answers there, within a minute."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"textlrp serve stopped with status {process.returncode}.")
        try:
            with urllib.request.urlopen(url + "readyz", timeout=5):
                return url
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit("textlrp serve did not answer within a minute.")


def chromium_path() -> str:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("Chromium was not found. Install it (Debian: apt-get install chromium).")
    return path


if __name__ == "__main__":
    main()
