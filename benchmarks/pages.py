"""How heavy and how quick the pages are: size on disk, time to build, first paint and class switch in Chromium.

The bundled CNN on the test posts of 20 Newsgroups (or, without $TEXTLRP_20NEWS, on the sample posts, over and over).
Needs the packages of the extra ``test`` and a Chromium.

    python benchmarks/pages.py
"""

import argparse
import dataclasses
import itertools
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

import textlrp
from textlrp.cli.corpus_report import report_corpus
from textlrp.explainers.named import explain_corpus
from textlrp.reports.corpus.report_files import write_report

PAINT = """async () => {
  const painted = () => performance.getEntriesByName('first-contentful-paint')[0];
  while (!painted()) await new Promise(requestAnimationFrame);
  return painted().startTime;
}"""
SWITCH = """async radio => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const start = performance.now();
  radio.click();
  await frame();
  await frame();
  return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=7532, help="in the folder")
    parser.add_argument("--listed", type=int, default=500, help="on one page")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    model, posts = textlrp.load("20newsgroups-cnn"), test_posts(options.posts)
    print("| what | figure |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium())
        one_document(model, posts, Path(folder), browser)
        one_page(model, posts, Path(folder), browser, options.listed)
        whole_folder(model, posts, Path(folder), browser)
        browser.close()


def test_posts(count: int) -> list[textlrp.Document]:
    try:
        posts = textlrp.load_20newsgroups("test").documents
    except textlrp.TextlrpError:
        posts = textlrp.load_sample_posts("test").documents
    again = itertools.islice(itertools.cycle(posts), count)
    return [dataclasses.replace(post, id=f"{post.id} {n}") for n, post in enumerate(again)]


def one_document(model, posts, folder: Path, browser: Browser) -> None:
    words = np.array([len(model.encode([post]).ids[0]) for post in posts[:2000]])
    post = posts[int(np.abs(words - 300).argmin())]
    why = textlrp.explain(model, post, target="all", phrases=10)
    why.to_html(folder / "one.html")
    size = (folder / "one.html").stat().st_size
    paint, switch, requests = looked_at(browser, folder / "one.html", ".classes")
    print(f"| page of one document, {why.seen.sum()} words, {len(why.labels)} classes | {size / 1e3:.0f} kB |")
    print(f"| its first paint, class switch, requests | {paint:.0f} ms, {switch:.0f} ms, {requests} |", flush=True)


def one_page(model, posts, folder: Path, browser: Browser, count: int) -> None:
    some = [posts[n * len(posts) // count] for n in range(count)]
    whys = list(textlrp.explain(model, some, target="all"))
    began = time.perf_counter()
    write_report(whys, folder / "page.html")
    seconds, size = time.perf_counter() - began, (folder / "page.html").stat().st_size
    paint, switch, requests = looked_at(browser, folder / "page.html", ".docs details")
    print(f"| report of {count} documents, {len(whys[0].labels)} classes, on one page | {size / 1e6:.1f} MB |")
    print(f"| its writing | {seconds:.1f} s |")
    print(f"| its first paint, class switch of an open document, requests | "
          f"{paint:.0f} ms, {switch:.0f} ms, {requests} |", flush=True)  # fmt: skip


def whole_folder(model, posts, folder: Path, browser: Browser) -> None:
    began = time.perf_counter()
    for _ in explain_corpus(model, posts, targets=("all",)):
        pass
    explaining = time.perf_counter() - began
    began = time.perf_counter()
    report_corpus(model, posts, folder / "report", workers=os.cpu_count() or 1)
    whole = time.perf_counter() - began
    index = folder / "report" / "index.html"
    files = [path for path in (folder / "report").rglob("*") if path.is_file()]
    print(f"| folder of {len(posts):,} documents, beside the explaining | {whole - explaining:.0f} s |")
    print(f"| its explaining, all classes | {explaining:.0f} s |")
    size = sum(path.stat().st_size for path in files)
    print(f"| its size: all, index, search | {size / 1e6:.0f} MB, {index.stat().st_size / 1e6:.1f} MB, "
          f"{index.with_name('words.js').stat().st_size / 1e6:.1f} MB |")  # fmt: skip
    page = browser.new_page()
    page.goto(index.as_uri(), wait_until="load")
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"| its index: first paint, wholly loaded | {page.evaluate(PAINT):.0f} ms, {ready:.0f} ms |")
    page.fill("#find-text", "orbit")
    page.wait_for_function("document.getElementById('found').textContent !== ''")
    times = page.evaluate("""async () => {
      const field = document.getElementById('find-text'), times = [];
      for (const word of ['doctor', 'windows', 'car']) {
        const start = performance.now();
        field.value = word;
        field.dispatchEvent(new Event('input'));
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - start);
      }
      return times;
    }""")
    print(f"| its search for a word among all texts, three times | {', '.join(f'{t:.0f} ms' for t in times)} |")


def looked_at(browser: Browser, path: Path, around: str) -> tuple[float, float, int]:
    """Milliseconds to the first paint and of a class switch (the middle of five), and requests made."""
    page, requests = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    paint = page.evaluate(PAINT)
    details = page.query_selector(f"{around} summary")
    if details:
        details.click()
    radios = page.query_selector_all(f"{around} input[type=radio]")[1:6]
    times = sorted(page.evaluate(SWITCH, radio) for radio in radios)
    page.close()
    return paint, times[len(times) // 2], len(requests) - 1


def chromium() -> str:
    names: Iterator[str | None] = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    found = next(filter(None, names), None)
    if found is None:
        raise SystemExit("no Chromium was found; install it (Debian: apt-get install chromium).")
    return found


if __name__ == "__main__":
    main()
