"""The sections about agreement with human rationales and the most relevant words of each class."""

from __future__ import annotations

from textlrp.reports.evaluation.tables import (
    MISSING,
    Block,
    Cell,
    ClassWordTables,
    Results,
    Section,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    finite,
    head,
    interval_cell,
    sentence,
    share_text,
    verdict_heads,
    verdicts_note,
)
from textlrp.reports.marks import UNSEEN, UNSEEN_NOTE
from textlrp.reports.numbers import decimals, number

LINE_WORDS = 8
"""Words in the summary line of a class."""


_RATIONALES = {
    "average_precision": "average precision ↑",
    "auroc": "AUROC ↑",
    "pointing": "pointing ↑",
    "iou": "IoU ↑",
}
_LEVELS = {
    "word": (
        "By word",
        "words",
        "Each distinct word is ranked once, by the sum of the relevance of its occurrences.",
    ),
    "token": ("By occurrence", "occurrences", "Each occurrence of a word is ranked separately."),
    "sentence": ("By sentence", "sentences", "Sentences are ranked by the sum of the relevance of their words."),
}


def rationales_section(rationales: Results) -> Section:
    """Agreement with the words that people marked."""
    return Section(
        "rationales",
        "Agreement with human rationales",
        "Are the most relevant words those that people marked as evidence for the class? Average precision and AUROC "
        "measure whether marked words rank above the others (random relevance reaches about the share of marked "
        "words, and 0.5). Pointing is the share of documents whose most relevant word is marked. Intersection over "
        "union (IoU) compares the marked words with as many of the most relevant ones. All words of the text are "
        "ranked, including those that the model ignores, so models with different vocabularies can be compared. "
        "Three baselines use no model: late words first and early words first rank by position; tf × log ratio is "
        "the frequency of a word in the text times the log ratio of its frequencies in the class and in the other "
        "classes of the corpus. Low agreement has two possible causes: the explanation is poor, or the model uses "
        "other words than people do.",
        "high values",
        "DeYoung et al., ERASER, ACL 2020; pointing: Zhang et al., IJCV 2018",
        tuple(
            _rationales_block(level, skipped=0 if n else rationales.get("skipped") or 0, with_note=n == 0)
            for n, level in enumerate(rationales["levels"])
        ),
    )


def _rationales_block(level: Results, *, skipped: int, with_note: bool) -> Block:
    title, things, about = _LEVELS[level["by"]]

    def cell(row: Results, name: str) -> Cell:
        found = figure_cell(row.get(name), 3)
        ends = interval_cell((row.get("intervals") or {}).get(name), 2).text
        return found._replace(note="" if ends == MISSING else ends)

    against = level.get("against") or level["rows"][0]["method"]
    table = Table(
        f"Agreement {title.lower()}, {documents(level.get('documents'))}",
        head(
            "method",
            *_RATIONALES.values(),
            *verdict_heads(against, "average precision: "),
        ),
        tuple(
            (
                Cell(row["method"]),
                *(cell(row, name) for name in _RATIONALES),
                *difference_cells((row.get("differences") or {}).get("average_precision")),
            )
            for row in level["rows"]
        ),
        ("Below each value: its 95% bootstrap interval.", verdicts_note(against)) if with_note else (),
    )
    intro = [sentence(about)]
    if finite(level.get("marked_share")) is not None:
        intro.append(sentence("*{}* of the {} are marked.", share_text(level["marked_share"]), things))
    if left := level.get("left_out"):
        intro.append(sentence("{} left out: either all or none of their {} are marked.", documents(left), things))
    if skipped:
        intro.append(
            sentence(f"{{}} row{'' if skipped == 1 else 's'} of the file skipped: no word is marked.", count(skipped))
        )
    return Block(title, tuple(intro), table=table)


def words_section(classes: list[Results]) -> Section:
    """The most relevant words and phrases (n-grams) of each class."""
    return Section(
        "words",
        "Most relevant words of each class",
        "The relevance of each word for the class, summed over all documents explained for it. These are the words "
        "that the model uses, whether or not they belong to the topic. A name, a signature or an address near the "
        "top is a shortcut (spurious cue) that the model learned.",
        "",
        "Arras et al. 2017, tables of the most relevant words",
        classes=tuple(_class_words(one) for one in classes),
    )


def _class_words(one: Results) -> ClassWordTables:
    words, phrases = one.get("words") or (), one.get("phrases") or ()
    tables = []
    for title, rows, name in (("Words", words, "word"), ("Phrases", phrases, "words")):
        if not rows:
            continue
        largest = max(abs(row["relevance"]) for row in rows)
        unseen = any(row.get("in_training") == 0 for row in rows)
        trained = any(row.get("in_training") is not None for row in rows)
        tables.append(
            Table(
                title,
                head(
                    title.lower().removesuffix("s"),
                    "relevance",
                    "documents",
                    *(["training documents"] if trained else []),
                    "text:examples",
                ),
                tuple(
                    (
                        Cell(row[name], "word", UNSEEN if row.get("in_training") == 0 else ""),
                        Cell(number(row["relevance"], decimals(largest), signed=True), "num"),
                        Cell(count(row.get("documents")), "num"),
                        *([Cell(count(row.get("in_training")), "num")] if trained else []),
                        Cell(", ".join(row.get("examples") or ()), "soft example"),
                    )
                    for row in rows
                ),
                (UNSEEN_NOTE,) if unseen else (),
            )
        )
    line = ", ".join(row["word"] + (UNSEEN if row.get("in_training") == 0 else "") for row in words[:LINE_WORDS])
    return ClassWordTables(one["label"], documents(one.get("documents")), line, tuple(tables))
