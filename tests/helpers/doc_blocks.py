"""Find the code blocks of a Markdown page, and run them as a reader does who follows the page.

    python tests/helpers/doc_blocks.py               count the blocks of all pages
    python tests/helpers/doc_blocks.py PAGE ...      run the blocks of these pages, with the seconds of each block

A page has one namespace and one empty folder. The corpus ``20newsgroups`` consists of the sample posts, so that it is
small. The blocks run from top to bottom:

- ``python`` and ``{code-cell} python``: executed in the namespace, in this process. The drawing code of ``docs/`` can
  be imported, as in the build of the site.
- ``bash``: a script that ends at the first error. ``textlrp`` is the command of this tree. ``page_commands.py`` is
  behind ``pip``, ``make``, ``curl`` and ``textlrp serve``: see there.
- ``json``, ``toml``, ``yaml``: parsed. Other languages are not examined.
- ``text`` directly after a block that runs: must be what this block prints. Blanks and line breaks are ignored;
  ``...`` stands for any characters.

A hidden set-up block is an HTML comment, which neither a forge nor the site shows::

    <!--- invisible-code-block: python
    from doc_fixtures import write_tickets
    write_tickets("tickets.csv")
    --->

``bash`` works too. A set-up makes what the prose names: files, a small model, texts, a stand-in for a program that is
not installed. ``doc_fixtures.py`` has functions for this. A set-up runs where it stands.

The comment ``<!--- skip: next, REASON --->`` in front of a block keeps it from running. A test lists these
blocks with their reasons and allows at most three.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import doc_pages
import page_commands
import yaml
from sybil import Document, Region
from sybil.document import Document as SybilDocument
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

ROOT = doc_pages.ROOT
FENCES = RawFencedCodeBlockLexer(re.compile(r"(?P<language>(?!\{(?!code-cell))[^\n]*)$\n", re.MULTILINE))
"""Fences of code; ``{toctree}`` and other directives are not code, except ``{code-cell}``."""
HIDDEN = DirectiveInHTMLCommentLexer(
    "invisible-code-block", r"\w+", mapping={"arguments": "language", "source": "source"}
)
SKIP = DirectiveInHTMLCommentLexer("skip", r"next, [^\n]*?")
PARSERS = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
EXECUTED = ("python", "bash")
PAGES = (ROOT / "README.md", *doc_pages.DOCS)
"""The pages whose blocks run."""


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: language, text, page, the line of the page before the text, and whether it is hidden."""

    language: str
    source: str
    page: Path
    line: int
    hidden: bool
    follows: bool
    """Whether only blank lines are between this block and the one before."""
    skipped: str = ""
    """Why the block does not run."""
    cell: bool = False
    """Whether the build of the site runs the block."""
    drawing: bool = False
    """Whether the site shows the output of the block and not its text: it only draws."""

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


class BlockError(AssertionError):
    """A block failed; the message begins with its page and line."""


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    document = SybilDocument(page.read_text(encoding="utf-8"), str(page))
    return list(_blocks(document, page))


def _blocks(document: Document, page: Path) -> Iterator[Block]:
    shown, hidden, skips = list(FENCES(document)), list(HIDDEN(document)), list(SKIP(document))
    end, skipped = -1, ""
    for region in sorted(shown + hidden + skips, key=lambda region: region.start):
        if region in skips:
            skipped = region.lexemes["arguments"].removeprefix("next, ").strip()
            continue
        between = document.text[end : region.start] if end >= 0 else "start of the page"
        yield replace(_block(document, page, region, region in hidden, not between.strip()), skipped=skipped)
        end, skipped = region.end, ""


def _block(document: Document, page: Path, region: Region, hidden: bool, follows: bool) -> Block:
    source = region.lexemes["source"]
    line = document.text.count("\n", 0, region.start) + 1
    language = region.lexemes["language"].strip().removeprefix("{code-cell}").strip()
    cell, drawing = region.lexemes["language"].startswith("{code-cell}"), False
    if cell:
        language = language or "python"
        options = re.match(r"(?::[^\n]*\n)*", source)
        drawing = bool(options) and "remove-input" in options[0]
        source = "\n" * source[: options.end()].count("\n") + source[options.end() :] if options else source
    return Block(language, str(source), page, line, hidden, follows, cell=cell, drawing=drawing)


def run_page(page: Path, folder: Path, *, timed: bool = False, drawings: bool = True) -> Counter[str]:
    """Run the blocks of a page in an empty folder and return how many visible ones ran, by language.

    With ``drawings`` false, only the blocks that a reader can copy run.
    Raises :class:`BlockError` at the first block that fails.
    """
    count: Counter[str] = Counter()
    namespace: dict[str, Any] = {"__name__": f"page_{page.stem.replace('-', '_')}"}
    printed: tuple[str, ...] = ()
    with _at_home_in(folder):
        for block in blocks_of(page):
            start = seconds()
            if block.drawing and not drawings:
                continue
            if block.skipped:
                printed = ()
            elif block.language in EXECUTED:
                printed = _run_python(block, namespace) if block.language == "python" else _run_bash(block, folder)
            elif block.language == "text" and block.follows and printed:
                _compare(block, printed)
            elif block.language in PARSERS:
                _parse(block)
            count[block.language] += not block.hidden
            if timed:
                print(f"{block.place:30} {block.language:8} {seconds() - start:6.2f} s", flush=True)
    return count


def seconds() -> float:
    """Processor time of this process and of the finished processes that it started."""
    return sum(os.times()[:4])


@contextlib.contextmanager
def _at_home_in(folder: Path) -> Iterator[None]:
    """Make a folder the current one and the first of the import path; afterwards undo what a page changed."""
    from textlrp.lrp.recorded.operations import HANDLERS

    before, path, modules, handlers = Path.cwd(), list(sys.path), set(sys.modules), dict(HANDLERS)
    variables = dict(os.environ)
    page_commands.install(folder)
    os.environ["TEXTLRP_20NEWS"] = str(page_commands.write_small_20newsgroups(folder))
    os.chdir(folder)
    sys.path[:0] = [str(folder), str(ROOT / "docs")]
    try:
        yield
    finally:
        page_commands.stop_services(folder)
        os.chdir(before)
        os.environ.clear()
        os.environ.update(variables)
        sys.path[:] = path
        HANDLERS.clear()
        HANDLERS.update(handlers)
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]


def _run_python(block: Block, namespace: dict[str, Any]) -> tuple[str, ...]:
    """Execute a block; a traceback shows the page and the line."""
    out = io.StringIO()
    try:
        code = compile("\n" * block.line + block.source, str(block.page), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(out):
            exec(code, namespace)
    except Exception as error:
        raise BlockError(f"{block.place}: {type(error).__name__}: {error}\n{block.source}") from error
    return (out.getvalue(),)


def _run_bash(block: Block, folder: Path) -> tuple[str, ...]:
    """Run a script; return its standard output, and this with standard error."""
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", block.source],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=folder,
        env=page_commands.environment(folder),
        stdin=subprocess.DEVNULL,
        timeout=600,
    )
    if done.returncode:
        printed = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise BlockError(f"{block.place}: exit code {done.returncode}\n{block.source}\n{printed}")
    return done.stdout, done.stdout + done.stderr


def _parse(block: Block) -> None:
    try:
        PARSERS[block.language](block.source)
    except ValueError as error:
        raise BlockError(f"{block.place}: not {block.language}: {error}") from error


def _compare(block: Block, printed: tuple[str, ...]) -> None:
    """Compare a text with what the block before printed, on standard output or on both outputs."""
    pattern = re.compile(".*?".join(re.escape("".join(piece.split())) for piece in block.source.split("...")))
    if not any(pattern.fullmatch("".join(output.split())) for output in printed):
        raise BlockError(f"{block.place}: the page shows\n{block.source}\nprinted was\n{printed[-1][-3000:]}")


def main(names: list[str]) -> None:
    import tempfile

    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            start = seconds()
            ran = run_page(Path(name).resolve(), Path(folder).resolve(), timed=True)
            print(f"{name}: {dict(ran)}, {seconds() - start:.1f} s")
    if not names:
        found = [block for page in PAGES for block in blocks_of(page) if not block.hidden]
        count = Counter(block.language for block in found)
        print(f"code blocks: {', '.join(f'{n} {language}' for language, n in count.most_common())}", end=" ")
        print(f"on {len({block.page for block in found})} pages")


if __name__ == "__main__":
    main(sys.argv[1:])
