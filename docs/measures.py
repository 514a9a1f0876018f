"""Write docs/reference/measures.md: each measure of ``textlrp evaluate`` explained, with results of an evaluation.

    python docs/measures.py                     evaluate the bundled CNN on the test posts of 20 Newsgroups, and write
                                                the page; ten minutes
    python docs/measures.py --corpus sample     the same on the sample posts, which need no download

The texts are in ``measure_texts.py``. Finished stages of the evaluation are kept in the work folder, so the same
command continues after an interruption.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from measure_texts import END, FUNCTIONS, MEASURE_TEXTS, START

import textlrp
from textlrp.evaluation.running.evaluate_corpus import evaluate
from textlrp.evaluation.running.measures import MEASURES, TITLES
from textlrp.evaluation.running.plan import default_plan
from textlrp.files.written_file import atomic_file
from textlrp.reports.evaluation.deletion_section import deletion_section
from textlrp.reports.evaluation.sections import SECTIONS
from textlrp.reports.evaluation.tables import Table, count, share_text

MODEL, SAMPLE = "20newsgroups-cnn", "sample"
MIN_WORDS = {SAMPLE: 20, "20newsgroups": 100}
LISTS = ("words", "errors")
"""Measures whose tables list words or documents; the page of an evaluation shows them."""


def page_lines(results: Mapping[str, Any]) -> Iterator[str]:
    """The page, as Markdown lines. Raises :class:`ValueError` for a measure without a text."""
    if missing := [name for name in MEASURES if name not in MEASURE_TEXTS]:
        raise ValueError(f"MEASURE_TEXTS in docs/measure_texts.py must have a text for {', '.join(missing)}.")
    known = [name for name in MEASURE_TEXTS if name in MEASURES]
    yield from START.replace("QUESTIONS", "\n".join(map(question_row, known))).splitlines()
    yield (
        f"The numbers on this page are those of `{results['model_name']}` on {results['corpus']} "
        f"({count(results['documents'])} documents, accuracy {share_text(results['accuracy'])}), textlrp "
        f"{results['version']}. They show what a result looks like; yours are on the page of your own evaluation."
    )
    for name, text in MEASURE_TEXTS.items():
        if name not in MEASURES:
            yield from ["", f"<!-- place of the measure {name!r}: {text.asks} -->"]
            continue
        yield from ["", f"### {heading(name)}", "", f"`--measure {name}`", "", f"**What it asks.** {text.asks}", ""]
        yield from [f"**How it is computed.** {text.computed}", "", f"**How to read it.** {text.read}", ""]
        yield f"**What it does not tell.** {text.not_told}"
        if text.source:
            yield from ["", f"Source: {text.source}."]
        if results.get(name) and name not in LISTS:
            yield from ["", *table_lines(first_table(name, results[name]))]
    yield from END.splitlines()


def question_row(name: str) -> str:
    """The row of a measure in the first table of the page."""
    function = f" `{FUNCTIONS[name]}`" if name in FUNCTIONS else ""
    return f"| {MEASURE_TEXTS[name].asks} | [{TITLES[name]}](#{anchor(name)}) | `{name}` |{function} |"


def heading(name: str) -> str:
    return TITLES[name][0].upper() + TITLES[name][1:]


def anchor(name: str) -> str:
    """The link to a heading, as GitHub makes it."""
    return "".join(c for c in heading(name).lower().replace(" ", "-") if c.isalnum() or c == "-")


def first_table(name: str, part: Any) -> Table:
    """The first table of the section that the page of an evaluation has for a measure."""
    section = deletion_section(part) if name == "deletion" else SECTIONS[name][1](part)
    return next(block.table for block in section.blocks if block.table is not None)


def table_lines(table: Table) -> Iterator[str]:
    yield from [f"{table.title}:", "", f"| {' | '.join(cell.text for cell in table.heads)} |"]
    yield "|" + "---|" * len(table.heads)
    for row in table.rows:
        cells = [cell.text + (f" ({cell.note})" if cell.note else "") for cell in row]
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main() -> None:
    """Evaluate the model and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", choices=list(MIN_WORDS), default="20newsgroups")
    parser.add_argument("--work", type=Path, default=Path("build/evaluation"))
    parser.add_argument("--page", type=Path, default=Path(__file__).parent / "reference" / "measures.md")
    options = parser.parse_args()
    model = textlrp.load(MODEL)
    corpus = (textlrp.load_sample_posts if options.corpus == SAMPLE else textlrp.load_20newsgroups)("test")
    results = evaluate(
        model,
        corpus.documents,
        options.work / options.corpus,
        plan=default_plan(model, min_words=MIN_WORDS[options.corpus]),
        model_name=MODEL,
        corpus_name="the sample posts" if options.corpus == SAMPLE else "the test posts of 20 Newsgroups",
        log=lambda line: print(line, flush=True),
    )
    with atomic_file(options.page) as beside:
        beside.write_text("\n".join(page_lines(results)) + "\n", encoding="utf-8")
    print(f"wrote {options.page}")


if __name__ == "__main__":
    main()
