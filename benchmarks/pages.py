"""Size and speed of the pages: size on disk, time to write, first paint and class switch in Chromium.

Uses the bundled CNN on the test posts of 20 Newsgroups, or on repeated sample posts if 20 Newsgroups is not
available. Needs the packages of the extra ``test`` and Chromium.

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
    parser.add_argument("--posts", type=int, default=7532, help="documents of the report folder")
    parser.add_argument("--listed", type=int, default=500, help="documents of the report on one page")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    model, posts = textlrp.load("20newsgroups-cnn"), test_posts(options.posts)
    print("| measurement | value |\n|---|---|")
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
    paint, switch, requests = page_timings(browser, folder / "one.html", ".classes")
    print(f"| page of one document: {why.seen.sum()} words, {len(why.labels)} classes | {size / 1e3:.0f} kB |")
    print(
        f"| document page: first paint, class switch, requests | {paint:.0f} ms, {switch:.0f} ms, {requests} |",
        flush=True,
    )


def one_page(model, posts, folder: Path, browser: Browser, count: int) -> None:
    some = [posts[n * len(posts) // count] for n in range(count)]
    whys = list(textlrp.explain(model, some, target="all"))
    began = time.perf_counter()
    write_report(whys, folder / "page.html")
    seconds, size = time.perf_counter() - began, (folder / "page.html").stat().st_size
    paint, switch, requests = page_timings(browser, folder / "page.html", ".docs details")
    print(f"| report of {count} documents, {len(whys[0].labels)} classes, on one page | {size / 1e6:.1f} MB |")
    print(f"| one-page report: time to write | {seconds:.1f} s |")
    print(f"| one-page report: first paint, class switch of an open document, requests | "
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
    print(f"| folder of {len(posts):,} documents: time to write, without explaining | {whole - explaining:.0f} s |")
    print(f"| report folder: time to explain all classes | {explaining:.0f} s |")
    size = sum(path.stat().st_size for path in files)
    print(f"| report folder: size in total, of the index, of the search data | {size / 1e6:.0f} MB, "
          f"{index.stat().st_size / 1e6:.1f} MB, "
          f"{index.with_name('words.js').stat().st_size / 1e6:.1f} MB |")  # fmt: skip
    page = browser.new_page()
    page.goto(index.as_uri(), wait_until="load")
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(
        f"| report folder: first paint of the index, fully loaded | {page.evaluate(PAINT):.0f} ms, {ready:.0f} ms |"
    )
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
    print(f"| report folder: three searches for a word in all texts | {', '.join(f'{t:.0f} ms' for t in times)} |")


def page_timings(browser: Browser, path: Path, around: str) -> tuple[float, float, int]:
    """Milliseconds to the first paint and of a class switch (median of five), and the number of network requests."""
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
        raise SystemExit("Chromium was not found. Install it (Debian: apt-get install chromium).")
    return found


if __name__ == "__main__":
    main()
