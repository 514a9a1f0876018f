"""Every code block of README and docs runs, from the top of its page to the bottom.

``tests/helpers/doc_blocks.py`` tells which languages run, and how a page hides its set-up.
"""

from __future__ import annotations

import os
import re
import shutil
import traceback
from collections import Counter
from pathlib import Path

import pytest
from doc_blocks import EXECUTED, PAGES, ROOT, BlockError, blocks_of, run_page

SLOW = {
    "README.md": 25,
    "docs/explanation/conservation.md": 10,
    "docs/explanation/heatmaps.md": 10,
    "docs/explanation/lrp.md": 10,
    "docs/explanation/other-methods.md": 10,
    "docs/explanation/reading-an-evaluation.md": 10,
    "docs/gallery.md": 15,
    "docs/how-to/add-a-rule.md": 5,
    "docs/how-to/annotation.md": 25,
    "docs/how-to/any-function.md": 4,
    "docs/how-to/choose-a-rule.md": 20,
    "docs/how-to/compare-models.md": 20,
    "docs/how-to/many-documents.md": 20,
    "docs/how-to/multi-label.md": 15,
    "docs/how-to/own-csv.md": 30,
    "docs/how-to/pages.md": 30,
    "docs/how-to/python.md": 10,
    "docs/how-to/pytorch.md": 5,
    "docs/how-to/ray.md": 20,
    "docs/how-to/reproduce-the-paper.md": 10,
    "docs/how-to/scikit-learn.md": 20,
    "docs/how-to/service.md": 15,
    "docs/how-to/shortcuts.md": 40,
    "docs/how-to/similarity.md": 15,
    "docs/how-to/spacy.md": 6,
    "docs/how-to/transformers.md": 30,
    "docs/how-to/without-torch.md": 5,
    "docs/index.md": 20,
    "docs/reference/command-line.md": 50,
    "docs/reference/measures.md": 20,
}
"""Seconds of processor time of the pages that take more than three."""
TRANSFORMERS = ("README.md", "docs/how-to/transformers.md", "docs/reference/command-line.md")
"""Pages that need the extra ``transformers``."""
NEEDED = {
    **dict.fromkeys(TRANSFORMERS, ("transformers",)),
    "docs/explanation/other-methods.md": ("lime", "shap"),
    "docs/gallery.md": ("lime", "shap"),
    "docs/how-to/ray.md": ("ray", "dask"),
    "docs/how-to/reproduce-the-paper.md": ("nltk",),
}
"""Packages of extras that a page needs."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def marked(page: Path) -> object:
    marks = [pytest.mark.slow] * (name_of(page) in SLOW)
    marks += [pytest.mark.transformers] * (name_of(page) in TRANSFORMERS)
    marks += [pytest.mark.filterwarnings("ignore")] * (page.name == "ray.md")  # Ray uses deprecated names of its own
    return pytest.param(page, id=name_of(page), marks=marks)


RUN = [page for page in PAGES if any(block.language in (*EXECUTED, "json") for block in blocks_of(page))]


@pytest.mark.parametrize("page", list(map(marked, RUN)))
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    if os.environ.get("TEXTLRP_SITE") and all(
        block.cell or block.language not in EXECUTED for block in blocks_of(page)
    ):
        pytest.skip("the cells of this page ran when the site in $TEXTLRP_SITE was built")
    for package in NEEDED.get(name_of(page), ()):
        pytest.importorskip(package)
    ran = run_page(page, tmp_path)
    assert ran == Counter(block.language for block in blocks_of(page) if not block.hidden)


DRAWN = [page for page in RUN if page.parent.name == "explanation" and any(each.drawing for each in blocks_of(page))]
"""Explanation pages with cells whose text the site does not show."""


@pytest.mark.parametrize("page", list(map(marked, DRAWN)))
def test_the_blocks_that_a_reader_can_copy_run_without_the_drawing_cells(page: Path, tmp_path: Path) -> None:
    for package in NEEDED.get(name_of(page), ()):
        pytest.importorskip(package)
    ran = run_page(page, tmp_path, drawings=False)
    assert ran == Counter(block.language for block in blocks_of(page) if not block.hidden and not block.drawing)


# ---- laws of the pages


ALL = (*PAGES, ROOT / "CONTRIBUTING.md")


def fences(page: Path) -> list[str]:
    """The first lines of the code fences of a page, found line by line and without Sybil."""
    found, open_fences = [], []
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
        if fence and open_fences[-1:] == [fence[1]] and not fence[2].strip():
            open_fences.pop()
        elif fence:
            open_fences.append(fence[1])
            found.append(fence[2].strip())
    assert not open_fences
    return [language for language in found if not language.startswith("{") or language.startswith("{code-cell}")]


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_fence_names_its_language_and_is_collected(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = [block for block in blocks_of(page) if not block.hidden]
    assert [block.place for block in shown if not block.language] == []
    found = [language.removeprefix("{code-cell}").strip() or "python" for language in fences(page)]
    assert [block.language for block in shown] == found
    assert len([block for block in blocks_of(page) if block.hidden]) == text.count("invisible-code-block")
    assert {block.language for block in blocks_of(page) if block.hidden} <= set(EXECUTED)


def test_the_number_of_blocks() -> None:
    count = Counter(block.language for page in PAGES for block in blocks_of(page) if not block.hidden)
    print(f"\ncode blocks: {', '.join(f'{n} {language}' for language, n in count.most_common())} on {len(RUN)} pages")
    assert count["python"] >= 40
    assert count["bash"] >= 20


def test_at_most_three_blocks_are_skipped() -> None:
    skipped = {f"{name_of(block.page)}:{block.line}": block.skipped for page in ALL for block in blocks_of(page)}
    listed = {place: reason for place, reason in skipped.items() if reason}
    print("".join(f"\nskipped: {place}: {reason}" for place, reason in listed.items()))
    assert len(listed) <= 3


def test_the_lists_of_slow_pages_name_pages_with_blocks() -> None:
    assert {*SLOW, *TRANSFORMERS} <= set(map(name_of, RUN))


# ---- a broken block is seen


PAGE = """# A page

<!--- invisible-code-block: python
from pathlib import Path
Path("words.txt").write_text("shuttle\\n")
--->

```python
words = Path("words.txt").read_text().split()
print(len(words), "word:", *words)
```

```text
1 word:
shuttle
```

```bash
cat words.txt | wc -l
```

```text
1
```

- A list:
  ```{code-cell} python
  :tags: [remove-input]
  assert words == ["shuttle"]
  ```

```json
{"words": ["shuttle"]}
```
"""


def test_a_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    assert run(PAGE, tmp_path) == {"python": 2, "bash": 1, "json": 1, "text": 2}


@pytest.mark.parametrize(
    ("part", "broken", "message"),
    [
        ('"word:"', '"words:"', "page.md:13: the page shows"),
        ("words = Path", "words = path", "page.md:8: NameError"),
        ("cat words.txt |", "cat word.txt |", "page.md:18: exit code 1"),
        ("cat words.txt |", "undefined |", "page.md:18: exit code 127"),
        ("```text\n1\n", "```text\n2\n", "page.md:22: the page shows"),
        ('== ["shuttle"]', '== ["orbit"]', "page.md:27: AssertionError"),
        ('{"words": [', '{"words": [,', "page.md:32: not json"),
        ("shuttle\\n", "\\n", "page.md:13: the page shows"),
    ],
)
def test_a_broken_block_is_seen(part: str, broken: str, message: str, tmp_path: Path) -> None:
    assert part in PAGE
    with pytest.raises(BlockError, match=re.escape(message)):
        run(PAGE.replace(part, broken), tmp_path)


def test_a_skipped_block_has_its_reason(tmp_path: Path) -> None:
    skipped = "<!--- skip: next, needs an orbit --->\n\n```python\norbit()\n```\n\n```python\nprint(1)\n```\n"
    assert run(skipped, tmp_path) == {"python": 2}
    assert [block.skipped for block in blocks_of(tmp_path / "page.md")] == ["needs an orbit", ""]
    with pytest.raises(BlockError, match=re.escape("page.md:3: NameError")):
        run(skipped.replace("skip: next,", ""), tmp_path)


def test_a_traceback_shows_the_line_of_the_page(tmp_path: Path) -> None:
    with pytest.raises(BlockError) as caught:
        run(PAGE.replace("print(len(words)", "print(lens(words)"), tmp_path)
    cause = caught.value.__cause__
    assert cause is not None
    assert traceback.extract_tb(cause.__traceback__)[-1].lineno == 1 + PAGE[: PAGE.index("print(")].count("\n")


@pytest.mark.parametrize(
    ("command", "fails"),
    [
        ("pip install 'textlrp[serve]'", False),
        ("pip install 'textlrp[server]'", True),
        ("pip install torch --index-url https://example.org/cpu", False),
        ("pip install --no-deps textlrp --requirement pins.txt", False),
        ("pip install textlrq", True),
        ("make demo", False),
        ("make dmo", True),
    ],
)
def test_installation_commands_are_checked(command: str, fails: bool, tmp_path: Path) -> None:
    page = f"```bash\n{command}\n```\n"
    if not fails:
        assert run(page, tmp_path) == {"bash": 1}
        return
    with pytest.raises(BlockError, match=re.escape("page.md:1: exit code")):
        run(page, tmp_path)


def run(text: str, folder: Path) -> Counter[str]:
    page, home = folder / "page.md", folder / "home"
    page.write_text(text, encoding="utf-8")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    return run_page(page, home)
